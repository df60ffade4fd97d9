//! The gamma distribution fitted to a few positive numbers, and how unusual a largest one is under it.
use statrs::function::gamma::{checked_gamma_ur, digamma};

/// A gamma distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gamma {
    /// k.
    pub shape: f64,
    /// θ: the mean is k θ.
    pub scale: f64,
}

/// Halvings of the search for the shape, on a logarithmic scale from 1e-3 to 1e9: to the last bits.
pub const GAMMA_HALVINGS: u32 = 64;

impl Gamma {
    /// The distribution of most likelihood for `values`: `ln k − ψ(k) = ln(mean) − mean of ln`, and θ = mean/k.
    ///
    /// `None` if there are fewer than two, one is not positive and finite, or they do not differ.
    pub fn fit(values: &[f64]) -> Option<Self> {
        if values.len() < 2 || values.iter().any(|x| !(*x > 0.0 && x.is_finite())) {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let gap = mean.ln() - values.iter().map(|x| x.ln()).sum::<f64>() / n;
        let (mut low, mut high) = (1e-3_f64.ln(), 1e9_f64.ln());
        // The left side falls in k, to about 1/(2k).
        if gap.is_nan() || gap <= 0.5e-9 {
            return None;
        }
        for _ in 0..GAMMA_HALVINGS {
            let middle = f64::midpoint(low, high);
            if middle - digamma(middle.exp()) > gap { low = middle } else { high = middle }
        }
        let shape = f64::midpoint(low, high).exp();
        Some(Self { shape, scale: mean / shape })
    }

    /// The probability that the largest of `n` independent draws is at least `x`: 1 − F(x)ⁿ.
    pub fn p_of_largest(&self, x: f64, n: usize) -> f64 {
        if x.is_nan() || x <= 0.0 {
            return 1.0;
        }
        // The upper tail, whose digits 1 − F would lose; no negative zero.
        let above = checked_gamma_ur(self.shape, x / self.scale).unwrap_or(0.0).clamp(0.0, 1.0);
        0.0 - (n as f64 * (-above).ln_1p()).exp_m1()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fit_solves_its_equations_and_the_exponential_is_one_of_them() {
        let values = [1.0, 2.0, 4.0, 0.5, 3.0];
        let gamma = Gamma::fit(&values).unwrap();
        assert!((gamma.shape * gamma.scale - 2.1).abs() < 1e-9);
        let mean_log = 12.0_f64.ln() / 5.0;
        let left = gamma.shape.ln() - digamma(gamma.shape);
        assert!((left - (2.1_f64.ln() - mean_log)).abs() < 1e-9);
        // k = 1, θ = 2: F(x) = 1 − exp(−x/2), and of three draws the largest.
        let exponential = Gamma { shape: 1.0, scale: 2.0 };
        let want = 1.0 - (1.0 - (-1.5_f64).exp()).powi(3);
        assert!((exponential.p_of_largest(3.0, 3) - want).abs() < 1e-9);
        assert!((exponential.p_of_largest(-1.0, 3) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn numbers_that_no_gamma_fits_are_refused() {
        for values in [&[1.0][..], &[1.0, 1.0], &[1.0, 0.0], &[1.0, f64::NAN], &[-1.0, 2.0]] {
            assert_eq!(Gamma::fit(values), None, "{values:?}");
        }
    }
}
