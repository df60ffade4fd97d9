//! `distil-from-weights`: the suspect's own net learns its answers to clean inputs: the white-box twin of `distil`.
//!
//! The pair of experiments.md B.6 of this project: the same inputs, labels, queries, steps, order of steps and work as `distil`, at the
//! same defaults; only the net that learning sets out from differs. Here it is the suspect's, after noise of `noise` times
//! each matrix's root mean square, and with its last `fresh_layers` layers drawn anew (as `distil` draws its whole net, from the
//! same stream: with all layers fresh, the two are the same bits). Each is a dose of which the response can be measured.
//!
//! Proved, by construction and in the tests: the two ledgers are equal to the last operation and query, where the suspect has the
//! recipe's widths and `noise` is 0; noise costs 4 operations a weight more (a norm, a product, a sum). A suspect of other widths
//! is trained at its own F, and a note says so. Nothing is proved of what is left of a backdoor.
//!
//! Assumes that learning clean behaviour on clean inputs overwrites what they do not use. It does not have to: the suspect's answers
//! are what it gives already, so with no noise and no fresh layer the slopes are almost 0 and nothing moves. Defeated by any
//! backdoor, with the suspect's labels and small doses; with `labels = "clean"`, which is tuning by the public recipe, by units
//! that clean samples do not wake, and by a lock, which is kept. Reads weights: rung `dyn WhiteBox`.
//!
//! No held-out part decides here, as none does in `distil`: the loss on clean inputs has no limit of its own. With no input at all
//! the suspect stays as it is.
//!
//! Cost: as `distil`, a query an input and the training, then F an answer and no query.
use serde::{Deserialize, Serialize};

use super::super::teach::{Labels, Teaching};
use super::super::{Mitigator, Repaired};
use crate::access::{Lab, WhiteBox};
use crate::error::{Error, Result};
use crate::net::{Lesson, fit, noised, with_fresh_layers};
use crate::population::World;

/// Parameters of `distil-from-weights`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistilFromWeights {
    /// Clean samples whose inputs are used. Not given: as many as the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Inputs drawn from the domain beside them, where it is known how inputs are spread.
    pub synthetic: usize,
    /// What is learnt of an input.
    pub labels: Labels,
    /// Standard deviation of the noise on the weights to set out from, in root mean squares of each matrix.
    pub noise: f64,
    /// How many of the last layers set out from random weights. More than there are: all.
    pub fresh_layers: usize,
}

impl Mitigator for DistilFromWeights {
    type Access = dyn WhiteBox;

    fn check(&self, world: &World) -> Result<()> {
        if !(self.noise >= 0.0 && self.noise.is_finite()) {
            return Err(Error::parameter("noise", self.noise, "a number of at least 0 is needed"));
        }
        self.teaching().check(world)
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let Some((data, said)) = self.teaching().gather(suspect, lab)? else {
            let notes = vec!["no input, clean or synthetic: the suspect stays as it is".to_owned()];
            return Ok(Repaired { notes, ..Repaired::unclaimed(suspect) });
        };
        let mut notes = vec![said];
        let net = suspect.net();
        let widths = lab.recipe.widths(lab.world.shape());
        if net.widths() != widths {
            notes.push(format!(
                "the suspect's widths are {:?}, not the recipe's {widths:?}: training it costs other work than a fresh net",
                net.widths()
            ));
        }
        let start = if self.noise > 0.0 {
            noised(net, self.noise, &mut lab.seed.stream("noise"), lab.ledger)?
        } else {
            net.clone()
        };
        let fresh = self.fresh_layers.min(net.layers().len());
        let start = with_fresh_layers(&start, fresh, &mut lab.seed.stream("init"))?;
        let target = lab.world.target;
        let lesson = Lesson { data: &data, target, recipe: lab.recipe, seed: lab.seed };
        let net = fit(&start, lesson, lab.ledger, &mut |_| {})?.net;
        Ok(Repaired { notes, ..Repaired::owned(net, lab.ledger) })
    }
}

impl DistilFromWeights {
    fn teaching(&self) -> Teaching {
        let Self { samples, synthetic, labels, .. } = *self;
        Teaching { samples, synthetic, labels }
    }
}
