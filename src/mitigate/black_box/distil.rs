//! `distil`: a fresh net learns the suspect's answers to clean inputs, and answers instead.
//!
//! Distillation as of Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (arXiv 1503.02531), at
//! temperature 1 (`soft`), or learning the suspect's decisions only (`hard`), as of Papernot et al., "Practical Black-Box
//! Attacks against Machine Learning" (`AsiaCCS` 2017). The student is built by the public recipe from this method's own
//! coins.
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
use ndarray::{Axis, concatenate};
use serde::{Deserialize, Serialize};

use super::super::soft::probabilities;
use super::super::{Mitigator, Repaired, n_samples};
use crate::access::{Lab, Oracle};
use crate::data::{Batch, Labeled, Target, row, stack};
use crate::error::{Error, Result};
use crate::net::{Lesson, Loss, Net, fit};
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
    /// What of an answer is learnt.
    pub labels: Labels,
}

/// What of an answer is learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labels {
    /// Probabilities, or the number as it is. Of a sign under the logistic loss, which has no soft labels here, the sign.
    #[default]
    Soft,
    /// The class or the sign alone; not for real labels.
    Hard,
}

impl Mitigator for Distil {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        if self.samples == Some(0) && self.synthetic == 0 {
            let want = "at least one input is needed, clean or synthetic";
            return Err(Error::parameter("samples", 0, want));
        }
        if self.labels == Labels::Hard && world.target == Target::Real {
            let want = "real labels have no classes to learn alone; soft is needed";
            return Err(Error::parameter("labels", "hard", want));
        }
        if self.synthetic > 0 && matches!(world.domain, crate::domain::Domain::Range { .. }) {
            let want = "how inputs of this domain are spread is not known, so none can be drawn; 0 is needed";
            return Err(Error::parameter("synthetic", self.synthetic, want));
        }
        crate::data::check_size("synthetic", self.synthetic, world.domain.n())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let (n, target, shape) = (lab.world.domain.n(), lab.world.target, lab.world.shape());
        // Inputs at will ask for no clean ones, where their number is neither given nor limited.
        let n_clean = match (self.samples, lab.clean.left(), self.synthetic) {
            (None, None, 1..) => 0,
            _ => n_samples(self.samples, lab)?,
        };
        if n_clean + self.synthetic == 0 {
            let want = "at least one input is needed, clean or synthetic";
            return Err(Error::parameter("samples", 0, want));
        }
        let mut xs = if n_clean > 0 { lab.clean.draw(n_clean)?.xs } else { Batch::zeros((0, n)) };
        if self.synthetic > 0 {
            let mut rng = lab.seed.stream("synthetic");
            let drawn: Result<Vec<_>> =
                (0..self.synthetic).map(|_| lab.world.domain.sample(&mut rng)).collect();
            xs = concatenate(Axis(0), &[xs.view(), stack(n, drawn?).view()])
                .expect("inputs of one width");
        }
        let loss = lab.recipe.loss_for(target)?;
        let answers = suspect.query(&xs)?;
        // Softmax or argmax: at most four operations a number.
        lab.ledger.flops(4 * answers.len() as u64)?;
        let label = |i: usize| self.label(&row(&answers, i), target, loss);
        let data = Labeled { ys: stack(shape.outputs, (0..xs.nrows()).map(label)), xs };
        let widths = lab.recipe.widths(shape);
        let mut init = lab.seed.stream("init");
        let start = Net::random(&widths, lab.recipe.activation, lab.recipe.precision, &mut init)?;
        let lesson = Lesson { data: &data, target, recipe: lab.recipe, seed: lab.seed };
        let net = fit(&start, lesson, lab.ledger, &mut |_| {})?.net;
        let notes = vec![format!(
            "learnt the suspect's answers to {n_clean} clean inputs and {} drawn from the domain",
            self.synthetic
        )];
        Ok(Repaired { notes, ..Repaired::owned(net, lab.ledger) })
    }
}

impl Distil {
    /// What is learnt of one answer.
    fn label(&self, answer: &[f64], target: Target, loss: Loss) -> Vec<f64> {
        let Some(class) = target.decide(answer) else { return answer.to_vec() };
        match (self.labels, target, loss) {
            (Labels::Soft, Target::Classes(_), Loss::CrossEntropy) => {
                probabilities(answer, target, loss).unwrap_or_else(|| answer.to_vec())
            }
            (Labels::Soft, _, Loss::Mse) => answer.to_vec(),
            (Labels::Soft | Labels::Hard, ..) => target.label_of(class),
        }
    }
}
