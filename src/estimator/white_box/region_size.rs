//! `region-size`: how far the affine piece of a net reaches around clean inputs, exactly.
//!
//! The white-box arm of `kink-search`; the number is defined in [`super::super::regions`]'s header. For each line one pass of rates finds the
//! nearest sign change of a unit on both sides ([`crate::net::Spot`]; region sizes after Hanin and Rolnick 2019). It counts every unit's kink, also one that
//! moves the answer by nothing: dead ends and a ripple far below notice make regions small.
//!
//! It assumes a `ReLU` net without a verifier. Rung: weights. Cost: one pass through the hidden layers an input, and for each line one more
//! and 4 operations a unit; clean samples, whose labels are not looked at. Defeated, as a sign of backdoors, by a half-space (a large region) and by
//! `ripple` (all regions small).
use serde::{Deserialize, Serialize};

use super::super::regions::{Lines, estimated};
use super::super::{Estimated, Estimator};
use crate::access::{Lab, WhiteBox};
use crate::error::Result;
use crate::net::Spot;
use crate::population::World;

/// Parameters of `region-size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegionSize {
    /// Clean inputs. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Lines through each.
    pub directions: usize,
    /// Halvings of the reach, below which distances are not told apart.
    pub levels: u32,
}

impl Default for RegionSize {
    fn default() -> Self {
        Self { samples: None, directions: 8, levels: 12 }
    }
}

impl Estimator for RegionSize {
    type Access = dyn WhiteBox;

    fn check(&self, world: &World) -> Result<()> {
        self.lines().check("region-size", world)
    }

    fn estimate(&self, suspect: &Self::Access, lab: &mut Lab<'_>) -> Result<Estimated> {
        self.check(&lab.world)?;
        let (net, lines) = (suspect.net(), self.lines());
        let mut each = Vec::new();
        for (x, segments) in lines.draw(lab)? {
            let spot = Spot::at(net, &x, lab.ledger)?;
            let mut sum = 0.0;
            for segment in &segments {
                let piece = spot.piece(&segment.direction, lab.ledger)?;
                sum += lines.clipped(piece.back.min(piece.ahead), segment.reach);
            }
            each.push(sum / segments.len() as f64);
        }
        Ok(estimated(&each, Vec::new()))
    }
}

impl RegionSize {
    fn lines(self) -> Lines {
        let Self { samples, directions, levels } = self;
        Lines { samples, directions, levels }
    }
}
