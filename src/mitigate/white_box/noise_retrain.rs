//! `noise-retrain`: shake all weights, then train on, on clean samples.
//!
//! This project's version of what perturbs a backdoor away (experiments.md B.6; near in spirit to re-training from perturbed weights
//! in the literature on removing watermarks): normal noise of σ ‖W‖_F / √size on every matrix and bias, then fine-tuning as in
//! [`Tuning`]. σ is the largest of `sigma` whose retrained net the held-out clean samples accept.
//!
//! Assumes that clean behaviour comes back from clean samples and the trigger's does not. Defeated where the retrained net is refused at
//! all but small σ (few clean samples), by planted units so large that noise in proportion leaves them working, and by a lock.
//! Nothing is proved. Rung `dyn WhiteBox`.
//!
//! Cost, with t tuning and h held-out samples, s steps and P weights, for each σ that is tried: 4P for the noise, 3F t an epoch, 6P a
//! step, F h; and F h once.
use serde::{Deserialize, Serialize};

use super::super::trial::{Trial, check_halved, check_max_drop, unchanged};
use super::super::tuning::{Tuning, check_ladder};
use super::super::{Mitigator, Repaired};
use crate::access::{Lab, WhiteBox};
use crate::error::Result;
use crate::net::noised;
use crate::population::World;

/// Parameters of `noise-retrain`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoiseRetrain {
    /// Clean samples to use; half of them decide. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest rise of the share of wrong answers on held-out clean samples.
    pub max_drop: f64,
    /// Sizes of the noise that are tried, in root mean squares of each matrix, largest first; the first that is accepted stays.
    pub sigma: Vec<f64>,
    /// How it is trained on.
    pub tuning: Tuning,
}

impl Default for NoiseRetrain {
    fn default() -> Self {
        let sigma = vec![2.0, 1.0, 0.5, 0.25, 0.125];
        Self { samples: None, max_drop: 0.04, sigma, tuning: Tuning::default() }
    }
}

impl Mitigator for NoiseRetrain {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        check_halved(self.samples)?;
        check_max_drop(self.max_drop)?;
        check_ladder("sigma", &self.sigma, 1e6)?;
        self.tuning.check()
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        let Some(trial) = Trial::draw(self.samples, self.max_drop, net, lab)? else {
            return Ok(unchanged(suspect));
        };
        let tune = &trial.tune;
        let candidates = self.sigma.iter().map(|&sigma| {
            let make = move |lab: &Lab<'_>| {
                let start = noised(net, sigma, &mut lab.seed.stream("noise"), lab.ledger)?;
                self.tuning.tune(&start, tune, lab.seed, lab)
            };
            (format!("σ = {sigma}"), make)
        });
        trial.first(suspect, candidates, lab)
    }
}
