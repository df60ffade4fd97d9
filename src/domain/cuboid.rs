//! The box with equal sides along the axes.
use super::ConvexBody;
use crate::rng::{Rng, RngExt};

/// The box [low, high]^n.
#[derive(Clone, Copy, Debug)]
pub struct Cuboid {
    /// Dimension.
    pub n: usize,
    /// Lower end of every side.
    pub low: f64,
    /// Upper end of every side.
    pub high: f64,
}

impl ConvexBody for Cuboid {
    fn sample_into(&self, rng: &mut Rng, out: &mut [f64], _: &mut Vec<f64>) {
        out.iter_mut().for_each(|x| *x = rng.random_range(self.low..=self.high));
    }

    fn excess(&self, x: &[f64]) -> f64 {
        x.iter().map(|x| (self.low - x).max(x - self.high)).fold(f64::NEG_INFINITY, f64::max)
    }

    fn exit_within(&self, x: &[f64], direction: &[f64], _: &mut Vec<f64>) -> f64 {
        let side = |(x, d): (&f64, &f64)| {
            let wall = if *d > 0.0 { self.high } else { self.low };
            if d.abs() > 0.0 { ((wall - x) / d).max(0.0) } else { f64::INFINITY }
        };
        x.iter().zip(direction).map(side).fold(f64::INFINITY, f64::min)
    }

    fn farthest(&self, direction: &[f64]) -> Vec<f64> {
        direction.iter().map(|d| if *d > 0.0 { self.high } else { self.low }).collect()
    }

    fn anchor(&self) -> Vec<f64> {
        vec![f64::midpoint(self.low, self.high); self.n]
    }
}
