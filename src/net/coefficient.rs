//! Fourier coefficients of a net with one hidden layer, exact but for a stated error: no sample, no query.
//!
//! `f(x) = c + Σ_j v_j σ(b_j + Σ_i w_ji x_i)`, so `f^(S) = c [S = ∅] + Σ_j v_j E[σ(b_j + Z_j) χ_S]` with `Z_j = Σ_i w_ji x_i`. Of S a unit sees
//! only the signed law of `Z_j`: let `μ_S(z) = E[χ_S(x) 1{Z_j = z}]`. Coordinate by coordinate,
//!
//! ```text
//! μ ← (μ shifted by +w_i  ±  μ shifted by −w_i) / 2,     minus where i is in S,
//! ```
//!
//! and in the end `E[σ(b + Z) χ_S] = Σ_z μ_S(z) σ(b + z)`. Weights are rounded to multiples of a grid Δ, so that z takes at most
//! `Σ_i |w_i|/Δ + n` values. This is a signed form of the classical programme that counts subset sums.
//!
//! **Theorem.** If σ is L-Lipschitz, the result is off by at most `Σ_j |v_j| L Σ_i |w_ji − w̃_ji|`, which is at most `Σ_j |v_j| L n Δ/2`, and
//! the rounding that [`Coefficients::error`] adds to it. *Proof.* With w̃ the rounded weights, at every x the sum of unit j
//! moves by at most `Σ_i |w_ji − w̃_ji||x_i|`, its value by at most L times that, and `|χ_S| = 1`. Rounding: a step halves exactly and adds once, so it
//! adds at most u Σ|μ| ≤ u to the error of μ in sum norm, n u in all, u = 2⁻⁵³; a sum over K cells is off by at most about K u of the
//! sum of sizes, at most `max |σ| ≤ |σ(0)| + L(|b| + Σ|w̃|)`; arguments and values of σ by 32 u of that. ∎
//!
//! A step is charged two operations a cell, the last sum five; [`Coefficients::flops`] counts them before they are done. The order of
//! coordinates is free, and small weights first keeps laws short for longest. It speaks of the layers in exact arithmetic: a net of 32 bits is its own
//! rounding away from that. It takes one hidden layer of any Lipschitz activation, a linear output, no verifier beside the net.
use super::{Activation, Net};
use crate::error::{Error, Result};
use crate::ledger::Ledger;

/// The name in errors.
const METHOD: &str = "exact coefficients";
/// Most cells of one unit's law: 128 MiB.
const MOST_CELLS: f64 = (1 << 24) as f64;

/// The coefficients of one net on one grid.
#[derive(Clone, Debug)]
pub struct Coefficients {
    grid: f64,
    n: usize,
    units: Vec<Unit>,
    activation: Activation,
    /// The output's bias.
    constant: f64,
    error: f64,
}

#[derive(Clone, Debug)]
struct Unit {
    /// Weights in units of the grid.
    steps: Vec<i64>,
    /// Coordinates, small weights first.
    order: Vec<usize>,
    bias: f64,
    output: f64,
}

/// The signed laws of all units' sums over some coordinates, for one set of those.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// One a unit: cell m belongs to the sum `(2m − K) Δ`, K + 1 cells; none where the law is 0.
    laws: Vec<Vec<f64>>,
    /// Whether the set is empty.
    empty: bool,
}

impl Coefficients {
    /// Rounds the weights of `net` to multiples of `grid`. Charges four operations a weight, and n log₂ n comparisons a unit to sort.
    ///
    /// # Errors
    /// If the net is not one hidden layer of a Lipschitz activation under one linear output, if it has a verifier beside it, or if the grid is
    /// no positive number or so fine that a unit's law has over 2^24 cells.
    ///
    /// ```
    /// use absolve::ledger::{Budget, Ledger};
    /// use absolve::net::{Coefficients, compile};
    /// let (net, ledger) = (compile::parity(&[0, 2], 3)?, Ledger::new(Budget::UNLIMITED));
    /// let exact = Coefficients::of(&net, 0.5, &ledger)?;
    /// assert!((exact.at(&[0, 2], &ledger)? - 1.0).abs() < 1e-12);
    /// assert!(exact.at(&[2], &ledger)?.abs() < 1e-12 && exact.error() < 1e-12);
    /// # Ok::<(), absolve::error::Error>(())
    /// ```
    pub fn of(net: &Net, grid: f64, ledger: &Ledger) -> Result<Self> {
        if net.lock().is_some() {
            let why =
                "a verifier beside the net answers where it opens, and its layers do not tell";
            return Err(Error::assumption(METHOD, why));
        }
        let [hidden, output] = net.layers() else {
            let why = format!("one hidden layer is needed; this net has widths {:?}", net.widths());
            return Err(Error::assumption(METHOD, why));
        };
        let Some(slope) = lipschitz(hidden.activation) else {
            let why = "its hidden units are steps, which no Lipschitz constant holds";
            return Err(Error::assumption(METHOD, why));
        };
        if output.bias.len() != 1 || output.activation != Activation::Identity {
            return Err(Error::assumption(METHOD, "one linear output is needed"));
        }
        if !(grid > 0.0 && grid.is_finite()) {
            return Err(Error::parameter("grid", grid, "a positive number is needed"));
        }
        let (n_units, n) = hidden.weight.dim();
        let sort = (n as f64 * (n as f64).log2().max(1.0)).ceil() as u64;
        ledger.flops(4 * (n_units * n) as u64 + n_units as u64 * sort)?;
        let mut error = 0.0;
        let mut units = Vec::with_capacity(n_units);
        for ((weights, &bias), &v) in
            hidden.weight.rows().into_iter().zip(&hidden.bias).zip(&output.weight)
        {
            let reach: f64 = weights.iter().map(|w| (w / grid).abs().round()).sum();
            if reach > MOST_CELLS {
                let want =
                    format!("a unit's law would have {reach:.1e} cells, and 2^24 are the most");
                return Err(Error::parameter("grid", grid, want));
            }
            let steps: Vec<i64> = weights.iter().map(|w| (w / grid).round() as i64).collect();
            let off: f64 =
                weights.iter().zip(&steps).map(|(w, k)| (w - *k as f64 * grid).abs()).sum();
            let largest = hidden.activation.at(0.0).abs() + slope * (bias.abs() + reach * grid);
            let roundings = n as f64 + reach + n_units as f64 + 32.0;
            error += v.abs() * (slope * off + 1.01 * roundings * 0.5 * f64::EPSILON * largest);
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by_key(|&i| steps[i].abs());
            units.push(Unit { steps, order, bias, output: v });
        }
        error += 4.0 * f64::EPSILON * output.bias[0].abs();
        let (activation, constant) = (hidden.activation, output.bias[0]);
        Ok(Self { grid, n, units, activation, constant, error })
    }

    /// What any coefficient may be off: the theorem's bound with the weights as they were rounded.
    pub fn error(&self) -> f64 {
        self.error
    }

    /// The coefficient of the character of `support`. Charges [`Self::flops`].
    pub fn at(&self, support: &[usize], ledger: &Ledger) -> Result<f64> {
        let inside = self.inside(support)?;
        ledger.flops(self.flops(support)?)?;
        let mut sum = if support.is_empty() { self.constant } else { 0.0 };
        for unit in &self.units {
            let mut law = vec![1.0];
            for &i in &unit.order {
                law = extended(&law, unit.steps[i], inside[i]);
            }
            sum += unit.output * self.mean(&law, unit.bias);
        }
        Ok(sum)
    }

    /// Operations of [`Self::at`]: a step makes `K + 1` cells, K the reach of the weights so far, at two each; the last sum takes five a
    /// cell, and two a unit for its output. A unit that some coordinate of the set does not move has no law at all.
    pub fn flops(&self, support: &[usize]) -> Result<u64> {
        let inside = self.inside(support)?;
        let of_unit = |unit: &Unit| {
            let (mut reach, mut flops) = (0, 0);
            for &i in &unit.order {
                let step = unit.steps[i].unsigned_abs();
                if step == 0 && inside[i] {
                    return flops + 2;
                }
                reach += step;
                // A weight of 0 outside the set leaves the law as it is.
                flops += if step == 0 { 0 } else { 2 * (reach + 1) };
            }
            flops + 5 * (reach + 1) + 2
        };
        Ok(self.units.iter().map(of_unit).sum())
    }

    /// The laws over no coordinate.
    pub fn start(&self) -> Bucket {
        Bucket { laws: vec![vec![1.0]; self.units.len()], empty: true }
    }

    /// The laws over one coordinate more, which is in the set or not. Charges two operations a cell.
    pub fn extend(
        &self,
        bucket: &Bucket,
        i: usize,
        inside: bool,
        ledger: &Ledger,
    ) -> Result<Bucket> {
        let cells = bucket.laws.iter().zip(&self.units).map(|(law, unit)| {
            let step = unit.steps[i].unsigned_abs();
            if law.is_empty() || step == 0 { 0 } else { law.len() as u64 + step }
        });
        ledger.flops(2 * cells.sum::<u64>())?;
        let laws = bucket.laws.iter().zip(&self.units);
        let laws = laws.map(|(law, unit)| extended(law, unit.steps[i], inside)).collect();
        Ok(Bucket { laws, empty: bucket.empty && !inside })
    }

    /// `E[f χ_S]` over the bucket's coordinates, where the others give every unit the part `others` of its sum, biases not
    /// included. Charges [`Bucket::flops`].
    pub fn within(&self, bucket: &Bucket, others: &[f64], ledger: &Ledger) -> Result<f64> {
        ledger.flops(bucket.flops())?;
        let mut sum = if bucket.empty { self.constant } else { 0.0 };
        for ((law, unit), other) in bucket.laws.iter().zip(&self.units).zip(others) {
            sum += unit.output * self.mean(law, unit.bias + other);
        }
        Ok(sum)
    }

    fn mean(&self, law: &[f64], from: f64) -> f64 {
        let reach = law.len() as f64 - 1.0;
        law.iter()
            .enumerate()
            .map(|(m, mass)| {
                let z = from + (2.0 * m as f64 - reach) * self.grid;
                mass * self.activation.at(z)
            })
            .sum()
    }

    fn inside(&self, support: &[usize]) -> Result<Vec<bool>> {
        let mut inside = vec![false; self.n];
        for &i in support {
            if i >= self.n || inside[i] {
                let want = format!("different coordinates from 0 to {} are needed", self.n - 1);
                return Err(Error::parameter("support", format!("{support:?}"), want));
            }
            inside[i] = true;
        }
        Ok(inside)
    }
}

impl Bucket {
    /// Operations of [`Coefficients::within`]: five a cell, and three a unit.
    pub fn flops(&self) -> u64 {
        self.laws.iter().map(|law| 5 * law.len() as u64 + 3).sum()
    }
}

/// The law after one more coordinate of weight `step`.
fn extended(law: &[f64], step: i64, inside: bool) -> Vec<f64> {
    let shift = step.unsigned_abs() as usize;
    match (law.is_empty(), shift, inside) {
        (true, ..) | (_, 0, true) => return Vec::new(),
        (_, 0, false) => return law.to_vec(),
        _ => {}
    }
    // Cell m holds the sum (2m − K)Δ: with K grown by the shift, −|w| leaves a cell where it is and +|w| moves it by the shift.
    let (up, down) = match (inside, step > 0) {
        (false, _) => (0.5, 0.5),
        (true, true) => (0.5, -0.5),
        (true, false) => (-0.5, 0.5),
    };
    let mut longer = vec![0.0; law.len() + shift];
    for (cell, mass) in longer.iter_mut().zip(law) {
        *cell = down * mass;
    }
    for (cell, mass) in longer[shift..].iter_mut().zip(law) {
        *cell += up * mass;
    }
    longer
}

/// The Lipschitz constant of an activation.
fn lipschitz(activation: Activation) -> Option<f64> {
    match activation {
        Activation::Relu | Activation::Tanh | Activation::Cos | Activation::Identity => Some(1.0),
        // The slope of z Φ(z) is at most 1.1290 (at √2).
        Activation::Gelu => Some(1.13),
        Activation::Step => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::stack;
    use crate::fourier::{vertex, walsh_hadamard};
    use crate::ledger::Budget;
    use crate::net::{Precision, compile};
    use crate::rng::{Seed, normal};

    fn free() -> Ledger {
        Ledger::new(Budget::UNLIMITED)
    }

    fn random(widths: &[usize], activation: Activation, seed: u64) -> Net {
        let mut rng = Seed::new(seed).stream("net");
        let net = Net::random(widths, activation, Precision::F64, &mut rng).unwrap();
        let mut layers = net.layers().to_vec();
        layers.iter_mut().for_each(|l| l.bias.mapv_inplace(|_| normal(&mut rng)));
        Net::new(layers, Precision::F64).unwrap()
    }

    /// All coefficients, by asking every vertex.
    fn enumerated(net: &Net) -> Vec<f64> {
        let n = net.shape().inputs;
        let answers = net.forward_unmetered(&stack(n, (0..1 << n).map(|i| vertex(i, n))));
        let mut values: Vec<f64> = answers.iter().map(|y| y / f64::from(1 << n)).collect();
        walsh_hadamard(&mut values);
        values
    }

    fn members(set: usize, n: usize) -> Vec<usize> {
        (0..n).filter(|i| set >> i & 1 == 1).collect()
    }

    #[test]
    fn every_coefficient_is_within_the_bound_of_enumeration() {
        let kinds = [
            Activation::Relu,
            Activation::Tanh,
            Activation::Gelu,
            Activation::Cos,
            Activation::Identity,
        ];
        for (seed, activation) in (0..).zip(kinds) {
            for n in [1, 6, 9] {
                let net = random(&[n, 7, 1], activation, seed);
                let want = enumerated(&net);
                for grid in [0.3, 0.02] {
                    let exact = Coefficients::of(&net, grid, &free()).unwrap();
                    // Σ_j |v_j| L n Δ/2, and next to nothing.
                    let v: f64 = net.layers()[1].weight.iter().map(|v| v.abs()).sum();
                    let l = if activation == Activation::Gelu { 1.13 } else { 1.0 };
                    assert!(exact.error() <= v * l * n as f64 * grid / 2.0 + 1e-11);
                    for (set, want) in want.iter().enumerate() {
                        let got = exact.at(&members(set, n), &free()).unwrap();
                        assert!((got - want).abs() <= exact.error(), "{activation:?} {set}");
                    }
                }
            }
        }
        // 2^16 vertices, and a sample of sets.
        let net = random(&[16, 12, 1], Activation::Relu, 9);
        let (want, exact) = (enumerated(&net), Coefficients::of(&net, 1e-3, &free()).unwrap());
        for set in (0..1_usize << 16).step_by(4099) {
            let got = exact.at(&members(set, 16), &free()).unwrap();
            assert!((got - want[set]).abs() <= exact.error(), "{set}");
        }
    }

    #[test]
    fn weights_on_the_grid_are_exact_and_the_charge_is_the_hand_count() {
        // relu(x₀ + 2x₁) for weights 1 and 2 on a grid of 1: three cells and more.
        let mut layers = random(&[2, 1, 1], Activation::Relu, 1).layers().to_vec();
        layers[0].weight = ndarray::array![[1.0, -2.0]];
        layers[0].bias = ndarray::array![0.0];
        layers[1].weight = ndarray::array![[3.0]];
        layers[1].bias = ndarray::array![0.5];
        let net = Net::new(layers, Precision::F64).unwrap();
        let ledger = free();
        let exact = Coefficients::of(&net, 1.0, &ledger).unwrap();
        assert_eq!(ledger.spent().flops, 4 * 2 + 2);
        // Values 0.5 + 3 relu: at (1, 1) 0, at (1, −1) 3, at (−1, 1) 0, at (−1, −1) 1, so means of 3 · (0, 3, 0, 1).
        for (support, want) in [(&[][..], 3.5), (&[0], 1.5), (&[1], -3.0), (&[0, 1], -1.5)] {
            assert!((exact.at(support, &ledger).unwrap() - want).abs() < 1e-15);
        }
        // Steps to reach 1 and 3: 2 · 2 + 2 · 4, then 5 · 4 + 2.
        assert_eq!(exact.flops(&[1]).unwrap(), 34);
        assert_eq!(ledger.spent().flops, 10 + 4 * 34);
        let bucket = exact.extend(&exact.start(), 1, true, &ledger).unwrap();
        // x₁ averaged out against its sign at x₀ = 1: (relu(1 − 2) − relu(1 + 2))/2 · 3 = −4.5, three cells.
        let got = exact.within(&bucket, &[1.0], &ledger).unwrap();
        assert!((got + 4.5).abs() < 1e-15, "{got}");
        assert_eq!(ledger.spent().flops, 10 + 4 * 34 + 2 * 3 + 5 * 3 + 3);
        let empty = Ledger::new(Budget { flops: Some(33), ..Budget::UNLIMITED });
        assert!(exact.at(&[1], &empty).is_err());
    }

    #[test]
    fn what_it_cannot_do_is_refused_by_name() {
        let said = |net: &Net, grid| Coefficients::of(net, grid, &free()).unwrap_err().to_string();
        assert!(
            said(&random(&[3, 2, 2, 1], Activation::Relu, 1), 0.1).contains("one hidden layer")
        );
        assert!(said(&random(&[3, 2, 1], Activation::Step, 1), 0.1).contains("Lipschitz"));
        assert!(said(&random(&[3, 2, 2], Activation::Relu, 1), 0.1).contains("one linear output"));
        let net = compile::parity(&[0, 2], 3).unwrap();
        assert!(said(&net, 1e-9).contains("grid = 0.000000001"));
        assert!(said(&net, f64::NAN).contains("positive"));
        let exact = Coefficients::of(&net, 1.0, &free()).unwrap();
        for wrong in [&[3][..], &[1, 1]] {
            assert!(exact.at(wrong, &free()).unwrap_err().to_string().contains("support"));
        }
    }
}
