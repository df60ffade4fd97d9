//! Mean and shrunk covariance of samples, and squared distances in its units.
//!
//! The covariance is shrunk towards a multiple of the identity as of Ledoit and Wolf, "A well-conditioned estimator for
//! large-dimensional covariance matrices" (J. Multivariate Analysis 2004), by the share that their formula takes from the samples.
use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::least_squares::solve;
use crate::data::Batch;
use crate::error::Result;
use crate::ledger::Ledger;

/// A normal law that was fitted to samples.
pub(super) struct Gaussian {
    mean: Array1<f64>,
    precision: Array2<f64>,
    /// Variances of single coordinates.
    variances: Array1<f64>,
}

impl Gaussian {
    /// The mean of `xs` and the inverse of their shrunk covariance; `None` if all rows are the same. Charges 2 N n² for products
    /// and 8n³/3 for the inverse.
    pub(super) fn fit(xs: &Batch, ledger: &Ledger) -> Result<Option<Self>> {
        let (n_samples, n) = xs.dim();
        let (rows, width) = (n_samples as u64, n as u64);
        ledger.flops(2 * rows * width * width + 8 * width.pow(3) / 3)?;
        let mean = xs.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(n));
        let covariance = shrunk_covariance(&(xs - &mean));
        let variances = covariance.diag().to_owned();
        let precision = solve(&covariance, &Array2::eye(n));
        Ok(precision.map(|precision| Self { mean, precision, variances }))
    }

    /// Operations of one [`Self::distance`] in n dimensions.
    pub(super) fn flops(n: usize) -> u64 {
        (2 * n * n + 3 * n) as u64
    }

    /// The squared distance of `x` from the mean in units of the covariance. Uncharged: [`Self::flops`].
    pub(super) fn distance(&self, x: &ArrayView1<'_, f64>) -> f64 {
        let away = x - &self.mean;
        // Row by row, so that an input's score does not depend on those beside it.
        self.precision.rows().into_iter().zip(&away).map(|(p, a)| a * p.dot(&away)).sum()
    }

    /// The same as if coordinates were independent: Σ (x − m)²/v. Uncharged: a subtraction, a square, a division and an addition
    /// a coordinate.
    pub(super) fn distance_apart(&self, x: &ArrayView1<'_, f64>) -> f64 {
        let terms = x.iter().zip(&self.mean).zip(&self.variances);
        terms.map(|((x, m), v)| (x - m).powi(2) / v).sum()
    }
}

/// The covariance of centred rows, shrunk towards m I with m its mean eigenvalue (Ledoit and Wolf 2004, section 3.3).
fn shrunk_covariance(centred: &Batch) -> Array2<f64> {
    let (n_samples, n) = centred.dim();
    let (rows, width) = (n_samples as f64, n as f64);
    let sample = centred.t().dot(centred) / rows;
    let scale = sample.diag().sum() / width;
    let squares = |a: &Array2<f64>| a.iter().map(|x| x * x).sum::<f64>();
    let apart = squares(&(&sample - &(Array2::<f64>::eye(n) * scale))) / width;
    let fourth: f64 =
        centred.rows().into_iter().map(|x| x.iter().map(|x| x * x).sum::<f64>().powi(2)).sum();
    let noise = (fourth / rows - squares(&sample)) / (rows * width);
    let share = if apart > 0.0 { (noise / apart).clamp(0.0, 1.0) } else { 0.0 };
    sample * (1.0 - share) + Array2::<f64>::eye(n) * (share * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shrunk_covariance_is_the_formulas() {
        // Rows ±(2, 0) and ±(0, 1): S = diag(2, ½), m = 5/4, d² = (¾)², b̄² = ((16 + 16 + 1 + 1)/4 − 4¼)/(4·2) = 17/32.
        let xs = ndarray::array![[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]];
        let share = (17.0 / 32.0) / (9.0 / 16.0);
        let want = |s: f64| (1.0 - share) * s + share * 1.25;
        let got = shrunk_covariance(&xs);
        assert!((got[[0, 0]] - want(2.0)).abs() < 1e-12 && (got[[1, 1]] - want(0.5)).abs() < 1e-12);
        assert!(got[[0, 1]].abs() < 1e-12);
    }

    #[test]
    fn distances_are_the_hands_with_and_without_correlation() {
        let gaussian = Gaussian {
            mean: ndarray::array![1.0, 0.0],
            precision: ndarray::array![[2.0, 1.0], [1.0, 3.0]],
            variances: ndarray::array![4.0, 0.5],
        };
        // Away (2, 1): 2·4 + 2·2 + 3 = 15, and 4/4 + 1/½ = 3.
        let x = ndarray::array![3.0, 1.0];
        assert!((gaussian.distance(&x.view()) - 15.0).abs() < 1e-12);
        assert!((gaussian.distance_apart(&x.view()) - 3.0).abs() < 1e-12);
    }
}
