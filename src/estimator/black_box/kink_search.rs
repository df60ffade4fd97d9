//! `kink-search`: how far a net is affine around clean inputs, by second differences of its answers.
//!
//! The black-box arm of `region-size`; the number is defined in [`super::super::regions`]'s header. On x ± h d an affine answer has f(x + h d) −
//! 2 f(x) + f(x − h d) = 0. By bisection over h = reach/2^k, k = 0 to `levels`, it finds where that first shows, and takes the geometric
//! middle of the last step. A second difference counts if some output's is above `tolerance` times the sum of the sizes of its three terms.
//!
//! It sees kinks that bend the answer by more than the tolerance, and misses those that bend it less or cancel in the two sides: so it is at most as fine as
//! `region-size`, and on a net of 32 bits rounding is what sets the tolerance. It assumes that what shows at h shows at 2h, which
//! the bisection needs and a periodic answer breaks. Rung: answers. Cost: for each input one query, for each line two queries a step of the bisection (4 steps
//! for 12 levels), 2 operations a coordinate for each point and 6 an output. Defeated, as a sign of backdoors, by a half-space (a large region).
use serde::{Deserialize, Serialize};

use super::super::regions::{Lines, Segment, estimated};
use super::super::{Estimated, Estimator};
use crate::access::{Lab, Oracle};
use crate::data::{row, stack};
use crate::error::{Error, Result};
use crate::population::World;

/// Parameters of `kink-search`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KinkSearch {
    /// Clean inputs. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Lines through each.
    pub directions: usize,
    /// Halvings of the reach, below which distances are not told apart.
    pub levels: u32,
    /// Smallest second difference that counts, relative to the answers.
    pub tolerance: f64,
}

impl Default for KinkSearch {
    fn default() -> Self {
        // 32-bit answers are right to about 1e-6 of the sums in them.
        Self { samples: None, directions: 8, levels: 12, tolerance: 1e-5 }
    }
}

impl Estimator for KinkSearch {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            let want = "a number between 0 and 1 is needed";
            return Err(Error::parameter("tolerance", self.tolerance, want));
        }
        self.lines().check("kink-search", world)
    }

    fn estimate(&self, suspect: &Self::Access, lab: &mut Lab<'_>) -> Result<Estimated> {
        self.check(&lab.world)?;
        let lines = self.lines();
        let mut each = Vec::new();
        for (x, segments) in lines.draw(lab)? {
            let at = suspect.query(&stack(x.len(), [x.clone()]))?;
            let centre = row(&at, 0);
            let mut sum = 0.0;
            for segment in &segments {
                sum += self.distance(suspect, (&x, &centre), segment, lab)?;
            }
            each.push(sum / segments.len() as f64);
        }
        let notes = vec![format!(
            "kinks that bend answers by less than {} of their size are not seen",
            self.tolerance
        )];
        Ok(estimated(&each, notes))
    }
}

impl KinkSearch {
    fn lines(self) -> Lines {
        let Self { samples, directions, levels, .. } = self;
        Lines { samples, directions, levels }
    }

    /// log₂ of the distance along one line.
    fn distance(
        &self,
        suspect: &dyn Oracle,
        (x, centre): (&[f64], &[f64]),
        segment: &Segment,
        lab: &Lab<'_>,
    ) -> Result<f64> {
        // Bent at level `bent`, straight at level `straight`: the reach itself is level 0.
        let (mut bent, mut straight) = (-1_i64, i64::from(self.levels) + 1);
        while straight - bent > 1 {
            let level = i64::midpoint(bent, straight);
            let h = segment.reach * (-(level as f64)).exp2();
            if self.bends(suspect, (x, centre), (&segment.direction, h), lab)? {
                bent = level;
            } else {
                straight = level;
            }
        }
        let radius = segment.reach * (-(straight as f64 - 0.5)).exp2();
        Ok(self.lines().clipped(if bent < 0 { segment.reach } else { radius }, segment.reach))
    }

    /// Whether the answer bends between x − h d and x + h d. Two queries.
    fn bends(
        &self,
        suspect: &dyn Oracle,
        (x, centre): (&[f64], &[f64]),
        (direction, h): (&[f64], f64),
        lab: &Lab<'_>,
    ) -> Result<bool> {
        lab.ledger.flops(4 * x.len() as u64 + 6 * centre.len() as u64)?;
        let moved = |h: f64| x.iter().zip(direction).map(|(x, d)| x + h * d).collect::<Vec<f64>>();
        let answers = suspect.query(&stack(x.len(), [moved(h), moved(-h)]))?;
        let (ahead, back) = (row(&answers, 0), row(&answers, 1));
        Ok(centre.iter().zip(ahead.iter().zip(&back)).any(|(c, (a, b))| {
            let size = a.abs() + 2.0 * c.abs() + b.abs();
            (a - 2.0 * c + b).abs() > self.tolerance * size
        }))
    }
}
