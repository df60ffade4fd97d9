//! `distil`: a fresh net learns the suspect's answers to clean inputs, and answers instead.
//!
//! Distillation as of Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (arXiv 1503.02531), at
//! temperature 1 (`soft`), or learning the suspect's decisions only (`hard`), as of Papernot et al., "Practical Black-Box
//! Attacks against Machine Learning" (`AsiaCCS` 2017). The student is built by the public recipe from this method's own
//! coins. With `labels = "clean"` it learns the true labels instead and asks nothing: the third corner of the pair with
//! `distil-from-weights`, which differs from this one only in where the student sets out.
//!
//! Inputs are clean samples, whose labels are not used but which are charged as any (a clean input without its label has no
//! price of its own here), and `synthetic` more drawn from the domain where the spread of inputs is public, each for a
//! query.
//!
//! What it can do: the student never meets a triggered input, so a trigger that clean inputs never come near is not in what
//! it learns. What it cannot: where the backdoor fires on clean inputs, the student is taught it; where a trigger is a
//! feature that the student would follow by itself, it stays; and it is taught by the suspect's mistakes. Nothing is
//! proved. Beside `relearn` from the same inputs it has the suspect's answers in place of true labels, which helps where
//! those are noisy or few and queries are not. Cost: a query an input and the training, then F an answer and no query.
use serde::{Deserialize, Serialize};

use super::super::teach::{Labels, Teaching};
use super::super::{Mitigator, Repaired};
use crate::access::{Lab, Oracle};
use crate::error::{Error, Result};
use crate::net::{Lesson, Net, fit};
use crate::population::World;

/// Parameters of `distil`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Distil {
    /// Clean samples whose inputs are used. Not given: as many as the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Inputs drawn from the domain beside them, where it is known how inputs are spread.
    pub synthetic: usize,
    /// What is learnt of an input.
    pub labels: Labels,
}

impl Mitigator for Distil {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        if self.samples == Some(0) && self.synthetic == 0 {
            return Err(nothing_to_learn());
        }
        self.teaching().check(world)
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let Some((data, said)) = self.teaching().gather(suspect, lab)? else {
            return Err(nothing_to_learn());
        };
        let widths = lab.recipe.widths(lab.world.shape());
        let mut init = lab.seed.stream("init");
        let start = Net::random(&widths, lab.recipe.activation, lab.recipe.precision, &mut init)?;
        let target = lab.world.target;
        let lesson = Lesson { data: &data, target, recipe: lab.recipe, seed: lab.seed };
        let net = fit(&start, lesson, lab.ledger, &mut |_| {})?.net;
        Ok(Repaired { notes: vec![said], ..Repaired::owned(net, lab.ledger) })
    }
}

impl Distil {
    fn teaching(&self) -> Teaching {
        let Self { samples, synthetic, labels } = *self;
        Teaching { samples, synthetic, labels }
    }
}

fn nothing_to_learn() -> Error {
    Error::parameter("samples", 0, "at least one input is needed, clean or synthetic")
}
