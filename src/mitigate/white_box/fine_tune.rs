//! `fine-tune`: train all layers on, on clean samples.
//!
//! The first defence of Liu, Xie and Srivastava, "Neural Trojans" (ICCD 2017, "re-training"), and the baseline of every benchmark;
//! defaults of `BackdoorBench`, see [`Tuning`]. Differences: half of the clean samples decide whether the tuned net is accepted
//! (peers look at the test set or at nothing); steps are as many as the benchmark's, not batches as large; no augmentation.
//!
//! Assumes that the clean loss pulls on what the backdoor uses: shared units move, and the trigger's path with them. Defeated where
//! nothing pulls: units that no clean sample wakes have slope 0 and only decay, by exp(−½ · 0.01 · 5e-4 · 1000) = 0.25% at the
//! defaults; a lock has no weights. Nothing is proved. Reads and changes weights: rung `dyn WhiteBox`.
//!
//! Cost, with t tuning and h held-out samples, s steps and P weights: 3F t a epoch, 6P a step, 2F h; then F an answer.
use serde::{Deserialize, Serialize};

use super::super::trial::{Trial, check_halved, check_max_drop, diverged, unchanged};
use super::super::tuning::Tuning;
use super::super::{Mitigator, Repaired};
use crate::access::{Lab, WhiteBox};
use crate::error::{Error, Result};
use crate::population::World;

/// Parameters of `fine-tune`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FineTune {
    /// Clean samples to use; half of them decide. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest rise of the share of wrong answers on held-out clean samples.
    pub max_drop: f64,
    /// How it is trained on.
    pub tuning: Tuning,
}

impl Default for FineTune {
    fn default() -> Self {
        Self { samples: None, max_drop: 0.04, tuning: Tuning::default() }
    }
}

impl Mitigator for FineTune {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        check_halved(self.samples)?;
        check_max_drop(self.max_drop)?;
        self.tuning.check()
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        let Some(trial) = Trial::draw(self.samples, self.max_drop, net, lab)? else {
            return Ok(unchanged(suspect));
        };
        match self.tuning.tune(net, &trial.tune, lab.seed, lab) {
            Err(Error::Training(why)) => Ok(diverged(suspect, "fine-tune", &why)),
            tuned => trial.settle(suspect, tuned?, Vec::new(), lab),
        }
    }
}
