//! What the pair of region estimators has in common: the points, the lines through them, and the number that is estimated.
//!
//! At a clean input x and along a direction d, uniform on the sphere, let r be the largest number for which the net is affine on x ± r d, at
//! most the reach (to the edge of the domain on the nearer side; 1 for normal inputs), at least reach/2^levels. The number is the mean of
//! log₂ r over inputs and directions. A small region around an input is what a trigger of small mass leaves: for decision trees that is a theorem
//! (Christiano, Hilton, Lecomte and Xu, arXiv 2409.03077: a triggered leaf has mass at most ε s/η), for `ReLU` nets an analogy.
use super::{Estimated, Interval, Quantity};
use crate::access::Lab;
use crate::data::{Batch, row};
use crate::domain::{ConvexBody, Cuboid, Domain};
use crate::error::{Error, Result};
use crate::mitigate::n_samples;
use crate::population::World;
use crate::rng::direction;
use crate::stats::{CONFIDENCE, mean_over_models};

/// The name of the quantity, in both arms.
const NAME: &str = "mean log2 of the distance to the nearest kink";

/// Lines through clean inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) samples: Option<usize>,
    /// Directions an input.
    pub(super) directions: usize,
    /// Halvings of the reach.
    pub(super) levels: u32,
}

/// One line: where it starts, where it goes, and how far.
pub(super) struct Segment {
    pub(super) direction: Vec<f64>,
    pub(super) reach: f64,
}

impl Lines {
    pub(super) fn check(&self, method: &'static str, world: &World) -> Result<()> {
        if self.directions == 0 || self.directions > 1 << 16 {
            let want = "from one to 65536 lines through an input are drawn";
            return Err(Error::parameter("directions", self.directions, want));
        }
        if !(1..=40).contains(&self.levels) {
            return Err(Error::parameter("levels", self.levels, "from 1 to 40 halvings are made"));
        }
        if self.samples == Some(0) {
            return Err(Error::parameter("samples", 0, "at least one clean input is needed"));
        }
        match world.domain {
            Domain::Cube { .. } | Domain::Residues { .. } | Domain::Torus { .. } => {
                let why = "inputs that can be moved along a line are needed";
                Err(Error::assumption(method, why))
            }
            _ => Ok(()),
        }
    }

    /// Clean inputs, with the segments through each. Charges the samples, and 6 operations a coordinate and line with what the
    /// edge of the domain takes.
    pub(super) fn draw(&self, lab: &mut Lab<'_>) -> Result<Vec<(Vec<f64>, Vec<Segment>)>> {
        let n = n_samples(self.samples, lab)?;
        if n == 0 {
            return Err(Error::parameter("samples", 0, "at least one clean input is needed"));
        }
        let xs: Batch = lab.clean.draw(n)?.xs;
        let body: Option<Box<dyn ConvexBody>> = match lab.world.domain {
            Domain::Range { n, low, high } => Some(Box::new(Cuboid { n, low, high })),
            ref other => other.body(),
        };
        let width = xs.ncols();
        let edge = body.as_ref().map_or(0, |body| 2 * body.extra_flops());
        lab.ledger.flops((n * self.directions) as u64 * (6 * width as u64 + edge))?;
        Ok((0..n)
            .map(|i| {
                let x = row(&xs, i);
                let mut rng = lab.seed.stream_for_row(&x);
                let mut segment = || {
                    let direction = direction(width, &mut rng);
                    let back: Vec<f64> = direction.iter().map(|d| -d).collect();
                    let reach = body.as_ref().map_or(1.0, |body| {
                        body.exit(&x, &direction).min(body.exit(&x, &back)).max(f64::MIN_POSITIVE)
                    });
                    Segment { direction, reach }
                };
                let segments = (0..self.directions).map(|_| segment()).collect();
                (x, segments)
            })
            .collect())
    }

    /// log₂ of a distance, within what is looked at.
    pub(super) fn clipped(&self, radius: f64, reach: f64) -> f64 {
        let least = reach * (-f64::from(self.levels)).exp2();
        radius.clamp(least, reach).log2()
    }
}

/// The mean over inputs, each the mean of its lines, with Student's t interval.
pub(super) fn estimated(each: &[f64], notes: Vec<String>) -> Estimated {
    let mean = mean_over_models(each);
    let (value, low, high) = mean.map_or((0.0, f64::MIN, f64::MAX), |mean| {
        (mean.value, mean.low.max(f64::MIN), mean.high.min(f64::MAX))
    });
    let interval = Interval { low, high, failure_probability: 1.0 - CONFIDENCE, proved: false };
    let quantity = Quantity { name: NAME.to_owned(), value, interval: Some(interval) };
    Estimated { quantities: vec![quantity], notes }
}
