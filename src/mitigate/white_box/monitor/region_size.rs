//! s11: minus the logarithm of the mean length of the affine piece at the input, along a few random lines.
//!
//! This project's, after the test of small leaves of Christiano, Hilton, Lecomte and Xu 2024 (arXiv 2409.03077), which is proved
//! for decision trees and not for nets: a trigger region that is small lies in small pieces. Defeated by half-space triggers, whose pieces are large,
//! and by a ripple, which makes all pieces small. Lines are the same for all inputs. A piece counts for at most the diameter of the box around the clean
//! samples each way. Fit: 4n a sample and dimension 1 for that. An input: with W two operations
//! a hidden weight, W + m (W + 4 a hidden unit + 3) + 2.
use ndarray::Axis;

use super::{METHOD, Monitor};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::net::{Net, Spot};
use crate::rng::{Seed, normal};

/// The lines.
pub(in crate::mitigate::white_box) struct RegionSize<'a> {
    net: &'a Net,
    directions: Vec<Vec<f64>>,
    cap: f64,
}

impl<'a> RegionSize<'a> {
    pub(in crate::mitigate::white_box) fn fit(
        net: &'a Net,
        xs: &Batch,
        (lines, seed): (usize, Seed),
        ledger: &Ledger,
    ) -> Result<Self> {
        if net.layers().len() < 2 {
            return Err(Error::assumption(METHOD, "the net has no hidden layer, and so one piece"));
        }
        // Two comparisons a number, then a difference, a square and a sum a dimension, and a root; directions: 4n and a root each.
        let n = xs.ncols();
        ledger.flops((2 * xs.len() + 3 * n + 1 + lines * (4 * n + 1)) as u64)?;
        let width = |column: ndarray::ArrayView1<'_, f64>| {
            let (low, high) = column
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(*x), h.max(*x)));
            high - low
        };
        let cap = xs.axis_iter(Axis(1)).map(|c| width(c).powi(2)).sum::<f64>().sqrt();
        let mut rng = seed.stream("lines");
        let direction = |_| {
            let d: Vec<f64> = (0..n).map(|_| normal(&mut rng)).collect();
            let norm = d.iter().map(|x| x * x).sum::<f64>().sqrt();
            d.into_iter().map(|x| x / norm).collect()
        };
        let directions = (0..lines).map(direction).collect();
        Ok(Self { net, directions, cap: cap.max(f64::MIN_POSITIVE) })
    }
}

impl Monitor for RegionSize<'_> {
    fn score(&self, x: &Batch, ledger: &Ledger) -> Result<f64> {
        ledger.flops(3 * self.directions.len() as u64 + 2)?;
        let spot = Spot::at(self.net, &x.row(0).to_vec(), ledger)?;
        let mut sum = 0.0;
        for direction in &self.directions {
            let piece = spot.piece(direction, ledger)?;
            sum += piece.back.min(self.cap) + piece.ahead.min(self.cap);
        }
        let mean = sum / self.directions.len() as f64;
        Ok(-mean.max(f64::MIN_POSITIVE).ln())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::super::tests::net;
    use super::*;
    use crate::ledger::Budget;

    #[test]
    fn one_line_along_an_axis_measures_the_piece() {
        let (net, ledger) = (net(), Ledger::new(Budget::UNLIMITED));
        // From (1, 0.5) along b: the kink is at b = 1, half ahead, and behind there is the cap of 2.
        let fit = RegionSize { net: &net, directions: vec![vec![0.0, 1.0]], cap: 2.0 };
        let got = fit.score(&array![[1.0, 0.5]], &ledger).unwrap();
        assert!((got + 2.5_f64.ln()).abs() < 1e-12);
        assert_eq!(ledger.spent().flops, 8 + (8 + 4 * 2 + 3) + 2);
    }
}
