//! How far turning one coordinate can move a net's answer, anywhere on the cube: proved bounds, by intervals.
//!
//! **Why.** With `U_i ≥ sup_x |f(x) − f(x^i)|` every character with i in it has `|f^(S)| ≤ U_i/2`: for `D_i f = (f(x | x_i = 1) − f(x |
//! x_i = −1))/2`, f^(S) is the coefficient of `S∖i` in `D_i f`, so `|f^(S)| ≤ E|D_i f| ≤ U_i/2` (O'Donnell, "Analysis of Boolean
//! Functions", 2014, section 2.2). Clipping f to [−B, B] moves no two answers farther apart, so the bound holds for the clipped f as
//! well. An attack on the weights can make `U_i` loose. It cannot make it wrong.
//!
//! **How.** The two answers are followed through the layers at once: an interval for the units' sums, and one for the difference of
//! the two. In the first layer, `z = b_j + Σ_{k≠i} W_jk x_k ± W_ji`, the difference of a `ReLU` unit is monotone in z, so its ends
//! are exact. After it, with a difference in [p, q] and sums in [l, u], a `ReLU` gives [p, q] if l ≥ 0, 0 if u ≤ 0, and else
//! [min(p, 0), max(q, 0)], never more than the width of its values; so for the other activations with their Lipschitz constants. Between
//! layers, interval products (Moore; Gowal et al. 2018 for nets). Correlations between units are lost: on a trained net the
//! bound is often many times the truth.
//!
//! **Rounding.** It holds for the answers that the net computes, not for those that exact arithmetic would. A sum of k products and
//! a bias, in any order, fused or not, is off by at most `γ Σ|w||h|`, `γ = m u/(1 − m u)`, m = k + 4 (Higham, "Accuracy and
//! Stability of Numerical Algorithms", 2002, section 3.1). Each interval is widened by that for the net's unit u (2⁻²⁴ or 2⁻⁵³), by
//! the same for the 64 bits in which the interval is computed, and by what underflow may take; differences by twice as much.
//!
//! [`super::Bounder::flip`] bounds one coordinate's turn over any box, by CROWN as well, for the price of two copies of the net; this bounds
//! all coordinates' on the cube for hardly more than one pass of a shallow net, since the first layer's sums serve all.
//!
//! A net with a verifier beside it answers otherwise where that opens: refused.
use super::{Activation, Layer, Net, Precision};
use crate::error::{Error, Result};
use crate::ledger::Ledger;

/// The name in errors.
const METHOD: &str = "bounds on flips";
/// Operations charged a unit for its intervals and their widening.
const A_UNIT: u64 = 24;
/// Operations charged a weight: two ends of the sums' interval, two of the differences', two magnitudes, each a product and a sum.
const A_WEIGHT: u64 = 12;

/// Ends of an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Interval {
    low: f64,
    high: f64,
}

/// A unit under both values of the coordinate: where its value lies, and where the difference of the two does.
#[derive(Clone, Copy, Debug)]
struct Pair {
    value: Interval,
    difference: Interval,
}

impl Net {
    /// For every coordinate i a number that `|f(x) − f(x^i)|` passes at no x of the cube {−1, +1}^n, the rounding of this net included.
    /// Charges [`Self::flip_bounds_flops`].
    ///
    /// ```
    /// use absolve::ledger::{Budget, Ledger};
    /// let net = absolve::net::compile::parity(&[0, 2], 3)?;
    /// let bounds = net.flip_bounds(&Ledger::new(Budget::UNLIMITED))?;
    /// assert!(bounds[0] >= 2.0 && bounds[1] < 1e-9 && bounds[2] >= 2.0);
    /// # Ok::<(), absolve::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// If it has more than one output, or a verifier beside it.
    pub fn flip_bounds(&self, ledger: &Ledger) -> Result<Vec<f64>> {
        if self.lock().is_some() {
            let why = "a verifier beside the net answers where it opens, and no bound on the layers holds there";
            return Err(Error::assumption(METHOD, why));
        }
        if self.shape().outputs != 1 {
            let why = format!("one output is needed, and this net has {}", self.shape().outputs);
            return Err(Error::assumption(METHOD, why));
        }
        ledger.flops(self.flip_bounds_flops())?;
        let first = &self.layers()[0];
        let absolute = |j: usize| first.weight.row(j).iter().map(|w| w.abs()).sum::<f64>();
        let spreads: Vec<f64> = (0..first.bias.len()).map(absolute).collect();
        Ok((0..self.shape().inputs)
            .map(|i| {
                let mut pairs: Vec<Pair> = spreads
                    .iter()
                    .enumerate()
                    .map(|(j, spread)| self.first(first, (j, i), *spread))
                    .collect();
                for layer in &self.layers()[1..] {
                    pairs = self.next(layer, &pairs);
                }
                let Interval { low, high } = pairs[0].difference;
                low.abs().max(high.abs())
            })
            .collect())
    }

    /// Operations of [`Self::flip_bounds`]: two a weight of the first layer, and for every coordinate 12 a weight of the others and
    /// 24 a unit.
    pub fn flip_bounds_flops(&self) -> u64 {
        let first = self.layers()[0].weight.len() as u64;
        let others: u64 = self.layers()[1..].iter().map(|layer| layer.weight.len() as u64).sum();
        let units: u64 = self.layers().iter().map(|layer| layer.bias.len() as u64).sum();
        2 * first + self.shape().inputs as u64 * (A_WEIGHT * others + A_UNIT * units)
    }

    /// Unit j of the first layer, under both values of coordinate i.
    fn first(&self, layer: &Layer, (j, i): (usize, usize), spread: f64) -> Pair {
        let (w, b) = (layer.weight[[j, i]], layer.bias[j]);
        let magnitude = spread + b.abs();
        let slack = slack(layer.weight.ncols(), self.precision(), magnitude);
        // Widened once more for what the subtraction of |w| rounds.
        let rest = spread - w.abs() + slack;
        let middle = Interval { low: b - rest, high: b + rest };
        let sums = Interval { low: middle.low - w.abs(), high: middle.high + w.abs() };
        let step = around(2.0 * w, 2.0 * w).widened(2.0 * slack);
        let activation = layer.activation;
        let difference = if activation == Activation::Relu {
            // relu(z + w) − relu(z − w) is monotone in z: its ends are those of the middle.
            let at = |z: f64| (z + w).max(0.0) - (z - w).max(0.0);
            let (a, c) = (at(middle.low), at(middle.high));
            around(a, c).widened(2.0 * slack).within(moved(
                activation,
                step,
                sums,
                self.precision(),
            ))
        } else {
            moved(activation, step, sums, self.precision())
        };
        Pair { value: image(activation, sums, self.precision()), difference }
    }

    /// All units of a layer above.
    fn next(&self, layer: &Layer, before: &[Pair]) -> Vec<Pair> {
        layer
            .weight
            .rows()
            .into_iter()
            .zip(&layer.bias)
            .map(|(row, b)| {
                let (mut sums, mut step) = (around(*b, *b), around(0.0, 0.0));
                let (mut magnitude, mut moves) = (b.abs(), 0.0);
                for (w, pair) in row.iter().zip(before) {
                    sums.add(*w, pair.value);
                    step.add(*w, pair.difference);
                    magnitude += w.abs() * pair.value.magnitude();
                    moves += w.abs() * pair.difference.magnitude();
                }
                let off = slack(row.len(), self.precision(), magnitude);
                let sums = sums.widened(off);
                let step = step.widened(2.0 * off + slack(row.len(), Precision::F64, moves));
                Pair {
                    value: image(layer.activation, sums, self.precision()),
                    difference: moved(layer.activation, step, sums, self.precision()),
                }
            })
            .collect()
    }
}

impl Interval {
    /// Adds w times another.
    fn add(&mut self, w: f64, other: Self) {
        let (a, b) = (w * other.low, w * other.high);
        self.low += a.min(b);
        self.high += a.max(b);
    }

    fn widened(self, by: f64) -> Self {
        Self { low: self.low - by, high: self.high + by }
    }

    /// What both allow; both hold what is bounded, so there is something.
    fn within(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    fn magnitude(self) -> f64 {
        self.low.abs().max(self.high.abs())
    }
}

/// The interval between two numbers.
fn around(a: f64, b: f64) -> Interval {
    Interval { low: a.min(b), high: a.max(b) }
}

/// What a sum of `k` products and a bias, whose sizes add up to `magnitude`, may be off in the net and in these bounds together.
fn slack(k: usize, precision: Precision, magnitude: f64) -> f64 {
    let unit = |unit: f64| {
        let m = (k + 4) as f64 * unit;
        if m < 0.1 { m / (1.0 - m) } else { f64::INFINITY }
    };
    let double = 0.5 * f64::EPSILON;
    let (net, least) = match precision {
        Precision::F32 => (unit(0.5 * f64::from(f32::EPSILON)), f64::from(f32::MIN_POSITIVE)),
        Precision::F64 => (unit(double), f64::MIN_POSITIVE),
    };
    // A hundredth more for the rounding of this line and of the magnitude itself.
    1.01 * (net + unit(double)) * magnitude + (k + 1) as f64 * least
}

/// What the evaluation of an activation other than `ReLU` may be off, for values up to 1 or their argument: 16 units in the last place.
fn inexact(precision: Precision, magnitude: f64) -> f64 {
    let unit = match precision {
        Precision::F32 => f64::from(f32::EPSILON),
        Precision::F64 => f64::EPSILON,
    };
    16.0 * unit * magnitude.max(1.0)
}

/// Where an activation's values lie over an interval of sums.
fn image(activation: Activation, sums: Interval, precision: Precision) -> Interval {
    let Interval { low, high } = sums;
    match activation {
        Activation::Relu => Interval { low: low.max(0.0), high: high.max(0.0) },
        Activation::Identity => sums,
        Activation::Tanh => {
            Interval { low: low.tanh(), high: high.tanh() }.widened(inexact(precision, 1.0))
        }
        // z Φ(z) is nowhere below −0.17.
        Activation::Gelu => Interval { low: -0.171, high: high.max(0.0) }
            .widened(inexact(precision, sums.magnitude())),
        Activation::Cos => around(-1.0, 1.0).widened(inexact(precision, 1.0)),
        Activation::Step => Interval { low: f64::from(low > 0.0), high: f64::from(high > 0.0) },
    }
}

/// Where the difference of two values lies, for two sums of that difference in that interval.
fn moved(activation: Activation, step: Interval, sums: Interval, precision: Precision) -> Interval {
    let rising = Interval { low: step.low.min(0.0), high: step.high.max(0.0) };
    let steep = |slope: f64| around(-slope * step.magnitude(), slope * step.magnitude());
    let values = image(activation, sums, precision);
    let width = values.high - values.low;
    let spread = around(-width, width).widened(width * f64::EPSILON);
    match activation {
        Activation::Relu if sums.low >= 0.0 => step,
        Activation::Relu if sums.high <= 0.0 => around(0.0, 0.0),
        Activation::Relu => rising.within(spread),
        Activation::Identity => step,
        Activation::Tanh => rising.widened(2.0 * inexact(precision, 1.0)).within(spread),
        // The slope of z Φ(z) is at most 1.13 in size.
        Activation::Gelu => {
            steep(1.13).widened(2.0 * inexact(precision, sums.magnitude())).within(spread)
        }
        Activation::Cos => steep(1.0).widened(2.0 * inexact(precision, 1.0)).within(spread),
        Activation::Step => spread,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::stack;
    use crate::fourier::{spectrum, vertex};
    use crate::ledger::Budget;
    use crate::rng::{Seed, normal};

    fn free() -> Ledger {
        Ledger::new(Budget::UNLIMITED)
    }

    /// The largest difference that a turn of every coordinate makes, and the largest coefficient with it, by asking all vertices.
    fn truth(net: &Net) -> Vec<(f64, f64)> {
        let n = net.shape().inputs;
        let answers = net.forward_unmetered(&stack(n, (0..1 << n).map(|i| vertex(i, n))));
        let ys: Vec<f64> = answers.iter().copied().collect();
        let heavy = spectrum(ys.clone(), 0.0);
        (0..n)
            .map(|i| {
                let moved = (0..1 << n).map(|x: usize| (ys[x] - ys[x ^ (1 << i)]).abs());
                let with_i = heavy.terms().iter().filter(|term| term.support.contains(&i));
                let largest = with_i.map(|term| term.value.abs()).fold(0.0, f64::max);
                (moved.fold(0.0, f64::max), largest)
            })
            .collect()
    }

    #[test]
    fn no_turn_at_any_vertex_moves_an_answer_by_more_and_no_coefficient_passes_half() {
        let all = [
            Activation::Relu,
            Activation::Tanh,
            Activation::Gelu,
            Activation::Cos,
            Activation::Step,
            Activation::Identity,
        ];
        for (seed, activation) in (0..).zip(all) {
            for widths in [&[9, 1][..], &[10, 12, 1], &[8, 6, 5, 1], &[14, 1, 1], &[7, 9, 4, 3, 1]]
            {
                for precision in [Precision::F32, Precision::F64] {
                    let mut rng = Seed::new(seed).stream("net");
                    let net = Net::random(widths, activation, precision, &mut rng).unwrap();
                    let mut layers = net.layers().to_vec();
                    for layer in &mut layers {
                        layer.bias.mapv_inplace(|_| normal(&mut rng));
                    }
                    let net = Net::new(layers, precision).unwrap();
                    let bounds = net.flip_bounds(&free()).unwrap();
                    for (bound, (moved, largest)) in bounds.iter().zip(truth(&net)) {
                        assert!(moved <= *bound, "{activation:?} {widths:?}: {moved} > {bound}");
                        assert!(largest <= bound / 2.0);
                    }
                }
            }
        }
    }

    #[test]
    fn nets_made_to_break_it_by_cancellation_and_rounding_do_not() {
        // Sums near 2^20, where neighbours in 32 bits are 1/8 apart, and a weight of 0.3 of that: turning it moves the exact
        // answer by 0.6 of a step, and the computed one by a whole step wherever a border is crossed. At any scale.
        for (seed, scale) in [(1, 1.0), (2, 1024.0), (3, 1.0 / 1024.0), (4, 2.0_f64.powi(60))] {
            let mut rng = Seed::new(seed).stream("net");
            let n = 10;
            let mut row: Vec<f64> = (0..n).map(|_| scale * 65_536.0 * normal(&mut rng)).collect();
            row[n - 1] = 0.0375 * scale;
            let hidden = Layer {
                weight: crate::data::stack(n, [row]),
                bias: ndarray::array![1_048_576.0 * scale],
                activation: Activation::Relu,
            };
            let output = Layer {
                weight: ndarray::array![[1.0]],
                bias: ndarray::array![0.0],
                activation: Activation::Identity,
            };
            let net = Net::new(vec![hidden, output], Precision::F32).unwrap();
            let bounds = net.flip_bounds(&free()).unwrap();
            let truth = truth(&net);
            assert!(bounds.iter().zip(&truth).all(|(bound, (moved, _))| moved <= bound));
            let exact = 2.0 * 0.0375 * scale;
            assert!(truth[n - 1].0 > exact, "rounding moves it by more than exact arithmetic");
        }
    }

    #[test]
    fn a_unit_that_never_wakes_counts_for_nothing_and_ends_are_exact_where_it_half_wakes() {
        // relu(x₀ + x₁ − 3) is 0 on the cube; relu(2x₀ + x₁ − 2) is 1 at (1, 1) and else 0: turning x₀ or x₁ moves it by 1.
        let hidden = Layer {
            weight: ndarray::array![[1.0, 1.0], [2.0, 1.0]],
            bias: ndarray::array![-3.0, -2.0],
            activation: Activation::Relu,
        };
        let output = Layer {
            weight: ndarray::array![[5.0, 1.0]],
            bias: ndarray::array![0.25],
            activation: Activation::Identity,
        };
        let net = Net::new(vec![hidden, output], Precision::F64).unwrap();
        let ledger = free();
        let bounds = net.flip_bounds(&ledger).unwrap();
        assert!(bounds.iter().all(|bound| *bound >= 1.0 && *bound < 1.0 + 1e-12), "{bounds:?}");
        // Two operations on each of 4 weights, and for both coordinates 12 · 2 weights and 24 · 3 units.
        assert_eq!(ledger.spent().flops, 8 + 2 * (24 + 72));
    }

    #[test]
    fn several_outputs_are_refused() {
        let mut rng = Seed::new(1).stream("net");
        let net = Net::random(&[3, 2], Activation::Relu, Precision::F32, &mut rng).unwrap();
        let error = net.flip_bounds(&free()).unwrap_err().to_string();
        assert!(error.contains("one output is needed"), "{error}");
    }
}
