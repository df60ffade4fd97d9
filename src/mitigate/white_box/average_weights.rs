//! `average-weights`: the mean of the suspect's weights and those of a net that was trained on clean samples alone.
//!
//! Averaging as a defence: Arora et al., "Here's a Free Lunch: Sanitizing Backdoored Models with Model Merge" (Findings of ACL 2024);
//! for nets trained apart, whose units have no common order, after alignment as of Ainsworth, Hayase and Srinivasa (ICLR 2023), see
//! `src/net/align.rs`. The other net has the suspect's widths and is trained by the public recipe on the tuning half of the clean
//! samples, from this method's own coins. Its share of the mean is the largest of `shares` that the held-out clean samples accept;
//! it goes no higher than ½, which is the paper's mean: at 1 this would be relearning.
//!
//! Assumes that the two nets lie in one basin once aligned, and that a backdoor that only one of them has is diluted below its
//! threshold. Defeated by basins that do not join (few units: Ainsworth et al. find that width is what makes it work), then every
//! share is refused; by a backdoor so loud that a part of it suffices; by scaled units ((w, b, v) → (cw, cb, v/c) answers alike and
//! matches nothing); and by a lock, which is kept. Nothing is proved. Rung `dyn WhiteBox`.
//!
//! Cost, with t tuning and h held-out samples and P weights: training by the recipe (3F t an epoch, the optimiser's P a step), the
//! alignment as `align` counts it, for each share that is tried 3P, the tuning if there is any, and F h; and F h once.
use serde::{Deserialize, Serialize};

use super::super::trial::{Trial, check_halved, check_max_drop, diverged, unchanged};
use super::super::tuning::{Tuning, check_ladder};
use super::super::{Mitigator, Repaired};
use crate::access::{Lab, WhiteBox};
use crate::data::Labeled;
use crate::error::{Error, Result};
use crate::net::{Lesson, Matching, Net, aligned, fit, interpolated, with_fresh_layers};
use crate::population::World;

/// Parameters of `average-weights`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AverageWeights {
    /// Clean samples to use; half of them decide. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest rise of the share of wrong answers on held-out clean samples.
    pub max_drop: f64,
    /// Shares of the other net that are tried, largest first, at most ½; the first that is accepted stays.
    pub shares: Vec<f64>,
    /// What units are matched by.
    pub matching: Matching,
    /// How each mean is trained on before it is judged. Not given: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
}

impl Default for AverageWeights {
    fn default() -> Self {
        Self {
            samples: None,
            max_drop: 0.04,
            shares: vec![0.5, 0.4, 0.3, 0.2, 0.1],
            matching: Matching::Weights,
            tuning: None,
        }
    }
}

impl Mitigator for AverageWeights {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        check_halved(self.samples)?;
        check_max_drop(self.max_drop)?;
        check_ladder("shares", &self.shares, 0.5)?;
        self.tuning.map_or(Ok(()), |tuning| tuning.check())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        let Some(trial) = Trial::draw(self.samples, self.max_drop, net, lab)? else {
            return Ok(unchanged(suspect));
        };
        let tune = &trial.tune;
        let other = match self.other(net, tune, lab) {
            Err(Error::Training(why)) => return Ok(diverged(suspect, "the other net", &why)),
            trained => trained?,
        };
        let other = &other;
        let candidates = self.shares.iter().map(|&share| {
            let make = move |lab: &Lab<'_>| {
                let mean = interpolated(net, other, share, lab.ledger)?;
                match self.tuning {
                    Some(tuning) => tuning.tune(&mean, tune, lab.seed, lab),
                    None => Ok(mean),
                }
            };
            (format!("share {share}"), make)
        });
        trial.first(suspect, candidates, lab)
    }
}

impl AverageWeights {
    /// A net of the suspect's shape that never saw the suspect, its units in the order of the suspect's.
    fn other(&self, net: &Net, tune: &Labeled, lab: &Lab<'_>) -> Result<Net> {
        let seed = lab.seed.child("other");
        let start = with_fresh_layers(net, net.layers().len(), &mut seed.stream("init"))?;
        let lesson = Lesson { data: tune, target: lab.world.target, recipe: lab.recipe, seed };
        let other = fit(&start, lesson, lab.ledger, &mut |_| {})?.net;
        aligned(&other, net, (self.matching, &tune.xs), lab.ledger)
    }
}
