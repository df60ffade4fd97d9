//! `reinit-last`: draw the last layers anew, then train all layers on, on clean samples.
//!
//! "Re-train all layers" of Adi, Baum, Cisse, Pinkas and Keshet, "Turning Your Weakness Into a Strength: Watermarking Deep Neural
//! Networks by Backdooring" (USENIX Security 2018, section 5.3), there for one output layer. Here for the last j: the largest j whose
//! retrained net the held-out clean samples accept. At least the first layer is kept: with none kept this would be relearning.
//! Weights are drawn as the recipe's initialisation draws them; training is as in [`Tuning`].
//!
//! Assumes that the trigger's meaning sits in the layers that are drawn anew and that clean samples teach the task again. Defeated by a
//! trigger that is a strong feature in the layers that are kept, if clean samples do not say that it means nothing, and by a
//! lock. A planted unit that sleeps on clean samples keeps its weights in, but what reads it is drawn anew, to both sides: it
//! disturbs triggered inputs and no longer steers them. Nothing is proved. Rung `dyn WhiteBox`.
//!
//! Cost, with t tuning and h held-out samples, s steps and P weights, for each j that is tried: 3F t an epoch, 6P a step, F h;
//! and F h once. Drawing weights is free, as where nets are initialised.
use serde::{Deserialize, Serialize};

use super::super::trial::{Trial, check_halved, check_max_drop, unchanged};
use super::super::tuning::{Tuning, check_hidden};
use super::super::{Mitigator, Repaired};
use crate::access::{Lab, WhiteBox};
use crate::error::{Error, Result};
use crate::net::with_fresh_layers;
use crate::population::World;

/// Parameters of `reinit-last`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReinitLast {
    /// Clean samples to use; half of them decide. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest rise of the share of wrong answers on held-out clean samples.
    pub max_drop: f64,
    /// Most layers that are drawn anew. Not given: all but the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// How it is trained on.
    pub tuning: Tuning,
}

impl Default for ReinitLast {
    fn default() -> Self {
        Self { samples: None, max_drop: 0.04, layers: None, tuning: Tuning::default() }
    }
}

impl Mitigator for ReinitLast {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        check_halved(self.samples)?;
        check_max_drop(self.max_drop)?;
        if self.layers == Some(0) {
            return Err(Error::parameter("layers", 0, "at least one is needed"));
        }
        self.tuning.check()
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        check_hidden("reinit-last", net)?;
        let Some(trial) = Trial::draw(self.samples, self.max_drop, net, lab)? else {
            return Ok(unchanged(suspect));
        };
        let most = net.layers().len() - 1;
        let most = self.layers.map_or(most, |layers| layers.min(most));
        let tune = &trial.tune;
        let candidates = (1..=most).rev().map(|j| {
            let make = move |lab: &Lab<'_>| {
                let start = with_fresh_layers(net, j, &mut lab.seed.stream("init"))?;
                self.tuning.tune(&start, tune, lab.seed, lab)
            };
            (format!("last {j} layers anew"), make)
        });
        trial.first(suspect, candidates, lab)
    }
}
