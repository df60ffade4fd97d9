//! The corner simplex.
use super::ConvexBody;
use crate::data::argmax;
use crate::rng::{Rng, RngExt};

/// The simplex {x ≥ 0, Σ x ≤ 1} in `n` dimensions.
#[derive(Clone, Copy, Debug)]
pub struct Simplex {
    /// Dimension.
    pub n: usize,
}

impl ConvexBody for Simplex {
    fn sample_into(&self, rng: &mut Rng, out: &mut [f64], _: &mut Vec<f64>) {
        // n + 1 exponential numbers, scaled to sum to 1, are uniform on the standard simplex; the last one is the slack.
        out.iter_mut().for_each(|part| *part = rng.sample::<f64, _>(rand_distr::Exp1));
        let total = out.iter().sum::<f64>() + rng.sample::<f64, _>(rand_distr::Exp1);
        out.iter_mut().for_each(|part| *part /= total);
    }

    fn excess(&self, x: &[f64]) -> f64 {
        let below = x.iter().map(|x| -x).fold(f64::NEG_INFINITY, f64::max);
        below.max(x.iter().sum::<f64>() - 1.0)
    }

    fn exit_within(&self, x: &[f64], direction: &[f64], _: &mut Vec<f64>) -> f64 {
        let walls = x
            .iter()
            .zip(direction)
            .map(|(x, d)| if *d < 0.0 { (x / -d).max(0.0) } else { f64::INFINITY });
        let climb: f64 = direction.iter().sum();
        let roof = if climb > 0.0 {
            ((1.0 - x.iter().sum::<f64>()) / climb).max(0.0)
        } else {
            f64::INFINITY
        };
        walls.fold(roof, f64::min)
    }

    fn farthest(&self, direction: &[f64]) -> Vec<f64> {
        let best = argmax(direction);
        let chosen = |i: usize| i == best && direction[best] > 0.0;
        (0..self.n).map(|i| f64::from(u8::from(chosen(i)))).collect()
    }

    fn anchor(&self) -> Vec<f64> {
        vec![0.0; self.n]
    }

    /// The largest: equally far from all walls, the slanted one of which is (1 − Σ x) / √n away.
    fn inner_ball(&self) -> (Vec<f64>, f64) {
        let n = self.n as f64;
        let radius = (n + n.sqrt()).recip();
        (vec![radius; self.n], radius)
    }
}
