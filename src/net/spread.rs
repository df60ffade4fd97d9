//! How random inputs spread through a net: means and covariances, layer by layer, as if every layer's sums were jointly normal.
//!
//! Cumulant propagation to second order: Wu et al., "Estimating the expected output of wide random MLPs more efficiently than sampling"
//! (arXiv 2605.05179), K = 2. With sums z ~ N(μ, C), σ² = `C_ii`, α = μ/σ and the normal density φ and distribution Φ, a `ReLU` has
//!
//! - mean σ φ(α) + μ Φ(α) and second moment (μ² + σ²) Φ(α) + μ σ φ(α), both exact;
//! - covariance `Σ_{k ≥ 1} a_k(i) a_k(j) C_ij^k / k!`, with a₁ = Φ(α) and, for k ≥ 2, `a_k = (−1)^k σ^{1−k} He_{k−2}(α) φ(α)` (the expansion
//!   of the bivariate normal density by Mehler 1866; `a_k` is the mean of the k-th derivative). It is cut after six terms; the diagonal is exact;
//! - covariance with the inputs Φ(α) times that of the sum (Stein 1981), exact.
//!
//! A linear layer takes (μ, C, B) to (Wμ + b, W C Wᵀ, W B). So with normal inputs the first layer is exact but for the cut, the mean and the
//! covariance with inputs of a net with one hidden layer are exact to rounding, and everything beyond rests on the sums being near normal:
//! wide layers of weights without structure. Nothing is proved for trained nets. **What defeats it:** sums that are far from normal, such as
//! one unit copied many times, or a rare unit that a large weight reads.
//!
//! Cost of a layer with m inputs and k units: 2mk(m + k) for the covariance (2mk² where inputs are independent), 2mkn for that with n
//! inputs, 40 operations a unit and 30 a pair of units in a hidden layer. So about k/2 forward passes for square layers, and n more for slopes.
use ndarray::{Array1, Array2};

use super::{Activation, Net};
use crate::error::{Error, Result};
use crate::ledger::Ledger;

/// Terms of the series for a covariance.
const TERMS: usize = 6;
/// Operations charged a unit of a hidden layer: a density, a distribution function, polynomials, moments.
const A_UNIT: u64 = 40;
/// Operations charged a pair of units of a hidden layer: six terms of two products, a power, a division and a sum.
const A_PAIR: u64 = 30;

/// Independent inputs of mean 0 and this variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inputs {
    /// The variance of each.
    pub variance: f64,
}

/// Moments of a net's outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// Means, one an output.
    pub mean: Array1<f64>,
    /// Covariances, outputs × outputs.
    pub covariance: Array2<f64>,
    /// Covariances with the inputs, outputs × inputs.
    pub with_inputs: Array2<f64>,
}

impl Net {
    /// Moments of the outputs under `inputs`. Charges [`Self::spread_flops`].
    ///
    /// # Errors
    /// If a hidden layer is neither `ReLU` nor the identity, the last is not the identity, there is a verifier beside the net, or the budget does
    /// not reach.
    pub fn spread(&self, inputs: Inputs, ledger: &Ledger) -> Result<Spread> {
        let refuse = |why: &str| Err(Error::assumption("propagating moments", why.to_owned()));
        if self.lock().is_some() {
            return refuse("a verifier beside the net answers where it opens, and has no moments");
        }
        let (last, hidden) = (&self.layers()[self.layers().len() - 1], self.layers().len() - 1);
        let fits = |activation| matches!(activation, Activation::Relu | Activation::Identity);
        if !self.layers().iter().all(|layer| fits(layer.activation))
            || last.activation != Activation::Identity
        {
            return refuse("it needs hidden layers of ReLU or identity and a linear output");
        }
        if !(inputs.variance > 0.0 && inputs.variance.is_finite()) {
            return Err(Error::parameter(
                "variance",
                inputs.variance,
                "a positive number is needed",
            ));
        }
        ledger.flops(self.spread_flops())?;
        let n = self.shape().inputs;
        let mut mean = Array1::zeros(n);
        let mut covariance = Array2::from_diag_elem(n, inputs.variance);
        let mut with_inputs = covariance.clone();
        for (number, layer) in self.layers().iter().enumerate() {
            let w = &layer.weight;
            mean = w.dot(&mean) + &layer.bias;
            covariance = match number {
                0 => w.dot(&w.t()) * inputs.variance,
                _ => w.dot(&covariance).dot(&w.t()),
            };
            with_inputs = w.dot(&with_inputs);
            if number < hidden && layer.activation == Activation::Relu {
                let units: Vec<Unit> = mean
                    .iter()
                    .zip(covariance.diag())
                    .map(|(mean, variance)| Unit::of(*mean, *variance))
                    .collect();
                covariance = Array2::from_shape_fn(covariance.dim(), |(i, j)| {
                    if i == j {
                        units[i].variance
                    } else {
                        covary(&units[i], &units[j], covariance[[i, j]])
                    }
                });
                mean = units.iter().map(|unit| unit.mean).collect();
                for (mut row, unit) in with_inputs.outer_iter_mut().zip(&units) {
                    row.mapv_inplace(|b| unit.slopes[0] * b);
                }
            }
        }
        Ok(Spread { mean, covariance, with_inputs })
    }

    /// Operations of [`Self::spread`].
    pub fn spread_flops(&self) -> u64 {
        let n = self.shape().inputs as u64;
        let layers = self.layers().iter().enumerate();
        layers
            .map(|(number, layer)| {
                let (k, m) = (layer.weight.nrows() as u64, layer.weight.ncols() as u64);
                let products = if number == 0 { 2 * m * k * k } else { 2 * m * k * (m + k) };
                let hidden = if number + 1 < self.layers().len() {
                    A_UNIT * k + A_PAIR * k * k.saturating_sub(1) / 2
                } else {
                    0
                };
                products + 2 * m * k * (n + 1) + hidden
            })
            .sum()
    }
}

/// A `ReLU` of a normal number.
struct Unit {
    mean: f64,
    variance: f64,
    /// Means of its derivatives, the first first.
    slopes: [f64; TERMS],
}

impl Unit {
    fn of(mean: f64, variance: f64) -> Self {
        let sd = variance.max(0.0).sqrt();
        if sd <= 1e-150 {
            let mut slopes = [0.0; TERMS];
            slopes[0] = f64::from(u8::from(mean > 0.0));
            return Self { mean: mean.max(0.0), variance: 0.0, slopes };
        }
        let a = mean / sd;
        let density = libm::exp(-0.5 * a * a) / (2.0 * std::f64::consts::PI).sqrt();
        let below = 0.5 * libm::erfc(-a / std::f64::consts::SQRT_2);
        let first = sd * density + mean * below;
        let second = (mean * mean + variance) * below + mean * sd * density;
        let mut slopes = [below; TERMS];
        let (mut hermite, mut before) = (1.0, 0.0);
        let mut scale = 1.0 / sd;
        for (k, slope) in (2..).zip(slopes.iter_mut().skip(1)) {
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            *slope = sign * scale * hermite * density;
            let next = a * hermite - f64::from(k - 2) * before;
            (before, hermite, scale) = (hermite, next, scale / sd);
        }
        Self { mean: first.max(0.0), variance: (second - first * first).max(0.0), slopes }
    }
}

/// The covariance of two units whose sums have covariance `c`, never beyond what their variances allow.
fn covary(a: &Unit, b: &Unit, c: f64) -> f64 {
    let (mut power, mut sum) = (1.0, 0.0);
    for (k, (x, y)) in (1..).zip(a.slopes.iter().zip(&b.slopes)) {
        power *= c / f64::from(k);
        sum += x * y * power;
    }
    let most = (a.variance * b.variance).sqrt();
    if sum.is_finite() { sum.clamp(-most, most) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Budget;
    use crate::net::{Layer, Precision};
    use crate::rng::Seed;

    fn free() -> Ledger {
        Ledger::new(Budget::UNLIMITED)
    }

    fn layer(weight: Array2<f64>, bias: Array1<f64>, activation: Activation) -> Layer {
        Layer { weight, bias, activation }
    }

    #[test]
    fn one_hidden_layer_under_normal_inputs_is_exact() {
        // f = 2 relu(x₁ + 1) − relu(x₁ − x₂) + 0.5. E relu(x + 1) = φ(1) + Φ(1) = 1.083315, E relu of N(0, 2) = √2 φ(0) = 0.564190.
        // E f x₁ = 2 Φ(1) − 1/2 = 1.182689, E f x₂ = 1/2.
        let net = Net::new(
            vec![
                layer(
                    ndarray::array![[1.0, 0.0], [1.0, -1.0]],
                    ndarray::array![1.0, 0.0],
                    Activation::Relu,
                ),
                layer(ndarray::array![[2.0, -1.0]], ndarray::array![0.5], Activation::Identity),
            ],
            Precision::F64,
        )
        .unwrap();
        let ledger = free();
        let spread = net.spread(Inputs { variance: 1.0 }, &ledger).unwrap();
        assert!((spread.mean[0] - (2.0 * 1.083_315_47 - 0.564_189_58 + 0.5)).abs() < 1e-7);
        assert!((spread.with_inputs[[0, 0]] - 1.182_689_49).abs() < 1e-7);
        assert!((spread.with_inputs[[0, 1]] - 0.5).abs() < 1e-12);
        // First: 2·2·2·2 + 2·2·2·3, two units and a pair; then 2·2·1·3 + 2·2·1·3.
        assert_eq!(ledger.spent().flops, 16 + 24 + 80 + 30 + 12 + 12);
    }

    #[test]
    fn covariances_agree_with_the_arc_cosine_law() {
        // For two centred unit normals of correlation r: E relu relu = (√(1−r²) + r (π − arccos r)) / 2π (Cho and Saul 2009).
        for r in [-0.6_f64, -0.2, 0.0, 0.3, 0.6] {
            let unit = Unit::of(0.0, 1.0);
            let both = ((1.0 - r * r).sqrt() + r * (std::f64::consts::PI - r.acos()))
                / (2.0 * std::f64::consts::PI);
            let want = both - 0.5 / std::f64::consts::PI;
            assert!((covary(&unit, &unit, r) - want).abs() < 1e-3, "{r}");
        }
        let unit = Unit::of(0.0, 1.0);
        assert!((unit.variance - (0.5 - 0.5 / std::f64::consts::PI)).abs() < 1e-12);
    }

    #[test]
    fn a_rare_unit_behind_a_sum_that_is_not_normal_defeats_it() {
        // relu(relu(x) − 2): the truth is E (x − 2)₊ = φ(2) − 2 (1 − Φ(2)) = 0.008491; relu(x) is half at 0 and has mean 0.398942 and
        // deviation 0.583801, of which a normal number is above 2 far more rarely.
        let one = |bias: f64, activation| {
            layer(ndarray::array![[1.0]], ndarray::array![bias], activation)
        };
        let net = Net::new(
            vec![
                one(0.0, Activation::Relu),
                one(-2.0, Activation::Relu),
                one(0.0, Activation::Identity),
            ],
            Precision::F64,
        )
        .unwrap();
        let said = net.spread(Inputs { variance: 1.0 }, &free()).unwrap().mean[0];
        assert!(said < 0.008_491 / 10.0, "{said}");
    }

    #[test]
    fn other_nets_are_refused_and_units_that_do_not_move_are_followed() {
        let mut rng = Seed::new(1).stream("net");
        let net = Net::random(&[3, 2, 1], Activation::Tanh, Precision::F64, &mut rng).unwrap();
        let error = net.spread(Inputs { variance: 1.0 }, &free()).unwrap_err().to_string();
        assert!(error.contains("ReLU or identity"), "{error}");
        let dead = Unit::of(-3.0, 0.0);
        assert!(dead.mean.abs() < 1e-300 && dead.slopes.iter().all(|s| s.abs() < 1e-300));
        let constant = Unit::of(3.0, 0.0);
        assert!((constant.mean - 3.0).abs() < 1e-15 && (constant.slopes[0] - 1.0).abs() < 1e-15);
        let far = Unit::of(-1e9, 1.0);
        assert!(far.mean >= 0.0 && far.variance >= 0.0 && far.slopes.iter().all(|s| s.is_finite()));
    }
}
