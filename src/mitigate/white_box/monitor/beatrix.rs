//! s8: products of activations outside of what clean samples show.
//!
//! This project's version of Beatrix (Ma et al. 2023, NDSS): features `a_i a_j` (i ≤ j) of the last hidden layer, each allowed its median ±
//! 10 median absolute deviations on clean samples; the score is the mean over features of how far outside it lies, by the size of the
//! bound. Differences: in a convolutional layer the Gram matrix of order p sums over places, |Σ aᵖ bᵖ|^(1/p); in a perceptron
//! there is one place, all orders give |a b|, and one is enough. No classes. The size of a bound is its absolute value plus the mean absolute median, so that sleeping units
//! do not divide by 0. It assumes that a trigger makes products larger than clean inputs do; defeated by triggers that stay within them (blended). Fit: F a sample; with D = d(d + 1)/2, D (N (1 + 2 + 2⌈log₂ N⌉) + 9) + 1. An input: F + 7D + 1.
use super::{Monitor, hidden};
use crate::data::Batch;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::net::Net;

/// The deviations that are allowed.
const DEVIATIONS: f64 = 10.0;

/// Bounds of every product.
pub(in crate::mitigate::white_box) struct Beatrix<'a> {
    net: &'a Net,
    /// Lower and upper bound of (0, 0), (0, 1), …, (1, 1), ….
    bounds: Vec<(f64, f64)>,
    /// The mean absolute median.
    scale: f64,
}

impl<'a> Beatrix<'a> {
    pub(in crate::mitigate::white_box) fn fit(
        net: &'a Net,
        xs: &Batch,
        ledger: &Ledger,
    ) -> Result<Self> {
        let acts = hidden(net, xs, ledger)?.pop().expect("a hidden layer");
        let (n, d) = acts.dim();
        let features = (d * (d + 1) / 2) as u64;
        let sorts = 2 * u64::from(n.next_power_of_two().trailing_zeros());
        ledger.flops(features * (n as u64 * (3 + sorts) + 9) + 1)?;
        let (mut bounds, mut sizes) = (Vec::new(), 0.0);
        for (i, j) in pairs(d) {
            let mut products: Vec<f64> = (0..n).map(|k| acts[[k, i]] * acts[[k, j]]).collect();
            let middle = median(&mut products);
            products.iter_mut().for_each(|p| *p = (*p - middle).abs());
            let reach = DEVIATIONS * median(&mut products);
            bounds.push((middle - reach, middle + reach));
            sizes += middle.abs();
        }
        let scale = (sizes / features as f64).max(f64::MIN_POSITIVE);
        Ok(Self { net, bounds, scale })
    }
}

impl Monitor for Beatrix<'_> {
    fn score(&self, x: &Batch, ledger: &Ledger) -> Result<f64> {
        let acts = hidden(self.net, x, ledger)?.pop().expect("a hidden layer");
        ledger.flops(7 * self.bounds.len() as u64 + 1)?;
        let outside = pairs(acts.ncols()).zip(&self.bounds).map(|((i, j), (low, high))| {
            let product = acts[[0, i]] * acts[[0, j]];
            let (away, bound) =
                if product < *low { (low - product, low) } else { (product - high, high) };
            if away > 0.0 { away / (bound.abs() + self.scale) } else { 0.0 }
        });
        Ok(outside.sum::<f64>() / self.bounds.len() as f64)
    }
}

/// Pairs i ≤ j below d.
fn pairs(d: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..d).flat_map(move |i| (i..d).map(move |j| (i, j)))
}

/// The middle of `xs`, or the mean of the two.
fn median(xs: &mut [f64]) -> f64 {
    xs.sort_by(f64::total_cmp);
    let n = xs.len();
    f64::midpoint(xs[(n - 1) / 2], xs[n / 2])
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::super::tests::net;
    use super::*;
    use crate::ledger::Budget;

    #[test]
    fn what_lies_outside_of_the_bounds_counts_by_their_size() {
        // Activations (1, 0), (2, 0), (3, 0): a² is 1, 4, 9, median 4, deviations 3, 0, 5, so bounds −26 and 34; the others 0.
        let xs = array![[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]];
        let (net, ledger) = (net(), Ledger::new(Budget::UNLIMITED));
        let fit = Beatrix::fit(&net, &xs, &ledger).unwrap();
        assert_eq!(ledger.spent().flops, 3 * 12 + 3 * (3 * (3 + 4) + 9) + 1);
        assert!((fit.score(&array![[3.0, 1.0]], &ledger).unwrap() - 0.0).abs() < 1e-12);
        // At (6, 1): 36 is 2 above 34 of size 34 + 4/3; 6 and 1 are above 0 of size 4/3.
        let want = (2.0 / (34.0 + 4.0 / 3.0) + 7.0 / (4.0 / 3.0)) / 3.0;
        let before = ledger.spent().flops;
        assert!((fit.score(&array![[6.0, 2.0]], &ledger).unwrap() - want).abs() < 1e-12);
        assert_eq!(ledger.spent().flops - before, 12 + 22);
    }
}
