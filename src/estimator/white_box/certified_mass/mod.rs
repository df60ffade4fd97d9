//! `certified-mass`: the mass of inputs where the suspect is far from an affine reference, from its weights, with
//! certainty.
//!
//! The partner of `sampled-mass`. Boxes of inputs are bounded and cut until the work is spent ([`search`]); what is not
//! certified is counted as wrong. Bounds are CROWN's or intervals', sound for the numbers that the net computes
//! ([`Bounder`](crate::net::Bounder)). The interval holds with probability 1: no coin is tossed, and no input, however
//! rare, is missed. This is verification in the sense of "certified mass"; counting volumes of boxes is this project's
//! combination of bounds and branching whose papers `search` and `net::bounds` name.
//!
//! It assumes weights (rung: white box), inputs uniform on the cube, the box, the torus, the ball or the simplex, and clean
//! samples that determine an affine function. Locked nets are refused. Cost: at most `passes` forward passes of the suspect
//! for the search, and the fit of the reference. The estimate is the middle of the interval, whose largest error is least.
//!
//! Defeated by dimension: n sides have to be cut before a bound of n coordinates is tight, so boxes grow like cⁿ and at n =
//! 32 the upper end stays 1 where sampling has 3/m. And by whoever makes bounds loose on purpose: units that cancel each
//! other, or many pieces (`ripple`). That costs tightness, never truth.
mod ground;
mod search;

use serde::{Deserialize, Serialize};

use super::super::reference::{closeness, fitted, mass};
use super::super::{Estimated, Estimator, Interval};
use crate::access::{Lab, WhiteBox};
use crate::error::{Error, Result};
use crate::net::Bounding;
use crate::population::World;
use ground::Ground;

/// The name in errors.
const METHOD: &str = "certified-mass";

/// Parameters of `certified-mass`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CertifiedMass {
    /// Forward passes of the suspect that the search may cost.
    pub passes: f64,
    /// How boxes are bounded.
    pub bounding: Bounding,
    /// How far from the reference is too far, δ. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// Clean samples to fit the reference to. Not given: as many as the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
}

impl Default for CertifiedMass {
    fn default() -> Self {
        Self { passes: 10_000.0, bounding: Bounding::Crown, delta: None, samples: None }
    }
}

/// A search for the mass where two nets' answers are far apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// How far is too far, δ.
    pub delta: f64,
    /// Operations that it may take.
    pub flops: u64,
    /// How boxes of the first net are bounded; the second's always by CROWN.
    pub bounding: Bounding,
}

impl Search {
    fn check(self) -> Result<()> {
        if self.delta >= 0.0 && self.delta.is_finite() {
            return Ok(());
        }
        Err(Error::parameter("delta", self.delta, "a finite distance of at least 0 is needed"))
    }
}

/// What a search made certain.
#[derive(Clone, Debug, PartialEq)]
pub struct Certified {
    /// What was certain at first, each time that the number of boxes had doubled, and at last.
    pub course: Vec<Step>,
    /// Boxes and points looked at.
    pub boxes: u64,
    /// Boxes that are neither close nor far in the end.
    pub open: u64,
}

/// What was certain at some point of a search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Operations spent.
    pub flops: u64,
    /// The mass is at least this.
    pub low: f64,
    /// The mass is at most this.
    pub high: f64,
}

impl Certified {
    /// What is certain in the end.
    pub fn last(&self) -> Step {
        let nothing = Step { flops: 0, low: 0.0, high: 1.0 };
        self.course.last().copied().unwrap_or(nothing)
    }
}

impl Estimator for CertifiedMass {
    type Access = dyn WhiteBox;

    fn check(&self, world: &World) -> Result<()> {
        Ground::of(METHOD, &world.domain)?;
        if !(0.0..=1e12).contains(&self.passes) {
            let want = "a number of forward passes from 0 to 10^12 is needed";
            return Err(Error::parameter("passes", self.passes, want));
        }
        closeness(METHOD, self.delta, self.samples, world).map(drop)
    }

    fn estimate(&self, suspect: &Self::Access, lab: &mut Lab<'_>) -> Result<Estimated> {
        self.check(&lab.world)?;
        if suspect.lock().is_some() {
            let why = "the suspect is locked: its layers, which are all that can be bounded, do not say where the lock opens";
            return Err(Error::assumption(METHOD, why));
        }
        let delta = closeness(METHOD, self.delta, self.samples, &lab.world)?;
        let reference = fitted(self.samples, lab)?;
        let net = suspect.net();
        let flops = (self.passes * net.forward_flops() as f64).floor() as u64;
        let search = Search { delta, flops, bounding: self.bounding };
        let certified = search.run([net, &reference], &lab.world.domain, lab.ledger)?;
        let Step { low, high, .. } = certified.last();
        let interval = Interval { low, high, failure_probability: 0.0, proved: true };
        let mut notes = vec![format!(
            "{} boxes, {} of them open in the end; how far from an affine fit is too far: {delta}",
            certified.boxes, certified.open
        )];
        if certified.boxes == 0 {
            notes.push("the work does not reach for one box, so nothing is certain".to_owned());
        } else if high - low >= 1.0 {
            let n = lab.world.domain.n();
            notes.push(format!("no box of {n} coordinates got small enough to be certain of; more work, or sampling"));
        }
        Ok(Estimated { quantities: vec![mass(f64::midpoint(low, high), interval)], notes })
    }
}
