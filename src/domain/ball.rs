//! The unit ball around 0.
use super::ConvexBody;
use crate::rng::{Rng, RngExt, direction_into};

/// The ball {‖x‖ ≤ 1} in `n` dimensions.
#[derive(Clone, Copy, Debug)]
pub struct Ball {
    /// Dimension.
    pub n: usize,
}

impl ConvexBody for Ball {
    fn sample_into(&self, rng: &mut Rng, out: &mut [f64], _: &mut Vec<f64>) {
        // The radius of a uniform point has distribution function r^n.
        let radius = rng.random::<f64>().powf(1.0 / self.n as f64);
        direction_into(out, rng);
        out.iter_mut().for_each(|x| *x *= radius);
    }

    fn excess(&self, x: &[f64]) -> f64 {
        x.iter().map(|x| x * x).sum::<f64>().sqrt() - 1.0
    }

    fn exit_within(&self, x: &[f64], direction: &[f64], _: &mut Vec<f64>) -> f64 {
        // The larger root of ‖x + b d‖² = 1, in the form that does not cancel.
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (dd, xd, gap) = (dot(direction, direction), dot(x, direction), 1.0 - dot(x, x));
        let root = (xd * xd + dd * gap.max(0.0)).sqrt();
        if xd > 0.0 { gap.max(0.0) / (xd + root) } else { (root - xd) / dd }
    }

    fn farthest(&self, direction: &[f64]) -> Vec<f64> {
        let norm = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
        direction.iter().map(|x| x / norm).collect()
    }

    fn anchor(&self) -> Vec<f64> {
        vec![0.0; self.n]
    }
}
