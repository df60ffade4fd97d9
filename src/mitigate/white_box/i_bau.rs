//! `i-bau`: find one perturbation that fools the net on all clean inputs, and train against it with the gradient that knows how
//! the perturbation would answer.
//!
//! Zeng et al., "Adversarial Unlearning of Backdoors via Implicit Hypergradient" (ICLR 2022, arXiv 2110.03735). In each of 5
//! rounds: (i) δ climbs `L(x + δ, the net's own labels) − λ |δ|²`, one pass by SGD of rate 10, λ = 1e-3, and is drawn back to length 10;
//! (ii) for each batch one step of Adam on `L_out`, the loss of a batch in which 1% of the rows, at least one, carry δ. Its gradient is
//! `∂_w L_out + (∂_w Φ)ᵀ v`, where `Φ(δ, w) = δ − ρ ∂_δ ℓ` is a step of size ρ = 0.1 on the inner loss
//! `ℓ = −L(x + δ, y) + λ |δ|²` of the first batch, and v is `v ← (∂_δ Φ)ᵀ v + ∂_δ L_out` from 0, K = 5 times. Batches hold 100 rows.
//! Step size 5e-4 (the paper's code 1e-3, one peer 1e-4).
//!
//! The products with second derivatives are central differences of exact gradients: `(∂_δ Φ)ᵀ v = v − ρ (g(δ + h v) − g(δ − h v)) / 2h`
//! for g = ∂_δ ℓ, and `(∂_w Φ)ᵀ v = −ρ (∂_w ℓ(δ + h v) − ∂_w ℓ(δ − h v)) / 2h`, with h |v| = 1e-4. For squared error on a linear
//! net they are exact, and a test says so against the closed form; with a smooth loss off by O(h²); across the kink of a `ReLU` unit a difference
//! is a mean of both sides, where the derivative is none.
//!
//! Differences: x + δ is clipped to the domain's coordinates where they have ends, and where it is clipped nothing depends on
//! δ (the released code lets pixels leave the range); the net is accepted by the risk on held-out clean samples. Signs and real targets
//! take the recipe's loss; the net's own label of a real target is its answer, for which the slope at δ = 0 is 0, so there the
//! true label is taken. Labels of signs are the decided signs.
//!
//! It assumes that the trigger is near one additive δ that moves all inputs, and that the net is fooled by nothing smaller. Defeated by triggers
//! that are no common shift (warps, XOR), by sleeping detectors with a sharp ramp, where δ has no slope to climb, and
//! by locks, which stay. Ten to fifty steps of 5e-4 also move little in a small net; where they remove a backdoor whose large weights
//! must cancel (`checksum`), any small change would have. It changes weights: white box.
//! Cost, with n coordinates and P parameters: in (i) 3F a row (2F for real targets), 3n a row, 9n a batch and 3n in the end. Of a
//! step of (ii) 3F a row and 3n a row that carries δ; on the B₀ rows of the first batch (4F + 6n) B₀ + 14n for each of K − 1 products
//! and (6F + 2n) B₀ + 8n for the last; 21P. Nothing is proved; what a clean model can lose is the limit on held-out samples.
use serde::{Deserialize, Serialize};

use super::super::trial::{Trial, check_halved, check_max_drop, unchanged};
use super::super::{Mitigator, Repaired};
use super::masks::{
    Batches, check_descent, check_positive, check_rounds, check_share, flat, flat_slopes,
    loss_slopes, with_numbers,
};
use super::shift::shifted;
use crate::access::{Lab, WhiteBox};
use crate::data::{Batch, Labeled, Target, row, stack};
use crate::error::{Error, Result};
use crate::net::{Net, Optimizer, Precision, Stepper, Tape, loss_gradient};
use crate::population::World;
use crate::rng::permutation;

/// Length of the difference by which second derivatives are taken.
const STEP: f64 = 1e-4;

/// Parameters of `i-bau`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IBau {
    /// Clean samples to use; half of them decide whether the net is accepted. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest rise of the share of wrong answers on held-out clean samples.
    pub max_drop: f64,
    /// Rounds of attack and unlearning.
    pub rounds: usize,
    /// Rows a step.
    pub batch: usize,
    /// Step size of Adam.
    pub learning_rate: f64,
    /// Step size of the perturbation.
    pub inner_rate: f64,
    /// λ: price of the perturbation's squared length.
    pub penalty: f64,
    /// Longest perturbation.
    pub longest: f64,
    /// K: fixed-point iterations.
    pub iterations: usize,
    /// ρ: step size of the map whose fixed point is sought.
    pub map_rate: f64,
    /// Share of a batch that carries the perturbation.
    pub portion: f64,
}

impl Default for IBau {
    fn default() -> Self {
        Self {
            samples: None,
            max_drop: 0.04,
            rounds: 5,
            batch: 100,
            learning_rate: 5e-4,
            inner_rate: 10.0,
            penalty: 1e-3,
            longest: 10.0,
            iterations: 5,
            map_rate: 0.1,
            portion: 0.01,
        }
    }
}

impl Mitigator for IBau {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        check_halved(self.samples)?;
        check_max_drop(self.max_drop)?;
        check_rounds("rounds", self.rounds)?;
        check_descent(self.batch, ("learning_rate", self.learning_rate), 0.0)?;
        check_positive("inner_rate", self.inner_rate)?;
        check_positive("longest", self.longest)?;
        check_positive("map_rate", self.map_rate)?;
        check_share("portion", self.portion)?;
        check_share("penalty", self.penalty)?;
        check_rounds("iterations", self.iterations)?;
        if self.iterations == 0 {
            return Err(Error::parameter("iterations", 0, "at least one is needed"));
        }
        Ok(())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        let Some(trial) = Trial::draw(self.samples, self.max_drop, net, lab)? else {
            return Ok(unchanged(suspect));
        };
        let mut notes = Vec::new();
        if net.lock().is_some() {
            notes.push("the suspect's lock stays, and so does all that it opens to".to_owned());
        }
        match self.unlearn(net, &trial.tune, lab) {
            Ok((at, length)) => {
                let changed = with_numbers(net, &flat(&at), net.precision())?.locked_as(net)?;
                notes.push(format!("the last perturbation has length {length:.3}"));
                trial.settle(suspect, changed, notes, lab)
            }
            Err(Error::Training(why)) => {
                notes.push(format!("{why}; the suspect stays as it is"));
                Ok(Repaired { notes, ..Repaired::unclaimed(suspect) })
            }
            Err(other) => Err(other),
        }
    }
}

impl IBau {
    /// The net after all rounds, in 64 bits, and the length of the last perturbation.
    fn unlearn(&self, net: &Net, tune: &Labeled, lab: &Lab<'_>) -> Result<(Net, f64)> {
        let mut numbers = flat(net);
        let mut at = with_numbers(net, &numbers, Precision::F64)?;
        let mut adam = Stepper::new(Optimizer::Adam, 0.0, numbers.len());
        let mut batches = Batches::new(tune.len(), self.batch, lab.seed.stream("rows"));
        let mut coins = lab.seed.stream("portion");
        let mut length = 0.0;
        for _ in 0..self.rounds {
            let of_round: Vec<Labeled> =
                (0..batches.per_pass()).map(|_| tune.select(batches.next())).collect();
            let delta = self.attack(&at, &of_round, lab)?;
            length = norm(&delta);
            for data in &of_round {
                let n = data.len();
                let n_poisoned = ((self.portion * n as f64) as usize).clamp(1, n);
                let rows = &permutation(n, &mut coins)[..n_poisoned];
                let pair = Pair { inner: &of_round[0], outer: data, rows };
                let gradient = self.hypergradient(&at, pair, &delta, lab)?;
                adam.step(&mut numbers, &gradient, self.learning_rate, lab.ledger)?;
                at = with_numbers(net, &numbers, Precision::F64)
                    .map_err(|_| Error::Training("unlearning left finite numbers".to_owned()))?;
            }
        }
        Ok((at, length))
    }

    /// The universal perturbation of a round. Charges 3F a row, 6 a row and coordinate, and the steps.
    fn attack(&self, net: &Net, batches: &[Labeled], lab: &Lab<'_>) -> Result<Vec<f64>> {
        let n = lab.world.domain.n();
        let mut delta = vec![0.0; n];
        let mut stepper = Stepper::new(Optimizer::Sgd { momentum: 0.0 }, 0.0, n);
        for data in batches {
            let own = Labeled { xs: data.xs.clone(), ys: own_labels(net, data, lab)? };
            let slope = self.inner_slope(net, &own, &delta, lab)?;
            stepper.step(&mut delta, &slope, self.inner_rate, lab.ledger)?;
        }
        lab.ledger.flops(3 * n as u64)?;
        let shrink = self.longest / norm(&delta).max(self.longest);
        delta.iter_mut().for_each(|d| *d *= shrink);
        Ok(delta)
    }

    /// ∂_δ ℓ, where ℓ is minus the loss of all rows with δ plus λ |δ|². Charges 2F a row, 3 a row and coordinate, 3 a coordinate.
    fn inner_slope(
        &self,
        net: &Net,
        data: &Labeled,
        delta: &[f64],
        lab: &Lab<'_>,
    ) -> Result<Vec<f64>> {
        let (n, width) = (data.len() as u64, delta.len() as u64);
        lab.ledger.flops(3 * n * width + 3 * width)?;
        let all: Vec<usize> = (0..data.len()).collect();
        let (xs, free) = shifted(&data.xs, &all, delta, &lab.world.domain);
        let target = lab.world.target;
        let tape = Tape::record(net, &xs, lab.ledger)?;
        let (_, by) =
            loss_gradient(lab.recipe.loss_for(target)?, target, tape.answers(), &data.ys)?;
        let by_inputs = tape.pull_to_inputs(&by, lab.ledger)?;
        let sums = (by_inputs * free).sum_axis(ndarray::Axis(0));
        Ok(sums.iter().zip(delta).map(|(g, d)| 2.0 * self.penalty * d - g).collect())
    }

    /// ∂_w ℓ. Charges 3F a row and 1 a row and coordinate.
    fn inner_by_weights(
        net: &Net,
        data: &Labeled,
        delta: &[f64],
        lab: &Lab<'_>,
    ) -> Result<Vec<f64>> {
        lab.ledger.flops(data.xs.len() as u64)?;
        let all: Vec<usize> = (0..data.len()).collect();
        let (xs, _) = shifted(&data.xs, &all, delta, &lab.world.domain);
        let (_, slopes) = loss_slopes(net, &Labeled { xs, ys: data.ys.clone() }, lab)?;
        let mut out = flat_slopes(&slopes);
        out.iter_mut().for_each(|g| *g = -*g);
        Ok(out)
    }

    /// The gradient of the outer loss by all weights, with what δ would do about them.
    fn hypergradient(
        &self,
        net: &Net,
        pair: Pair<'_>,
        delta: &[f64],
        lab: &Lab<'_>,
    ) -> Result<Vec<f64>> {
        let Pair { inner, outer, rows } = pair;
        let width = delta.len() as u64;
        lab.ledger.flops(3 * rows.len() as u64 * width)?;
        let (xs, free) = shifted(&outer.xs, rows, delta, &lab.world.domain);
        let (_, slopes) = loss_slopes(net, &Labeled { xs, ys: outer.ys.clone() }, lab)?;
        let mut direct = flat_slopes(&slopes);
        let by_delta = (slopes.inputs * free).select(ndarray::Axis(0), rows);
        let by_delta = by_delta.sum_axis(ndarray::Axis(0)).to_vec();

        // From v = 0 the first iteration gives ∂_δ L_out itself.
        let mut v = by_delta.clone();
        for _ in 1..self.iterations {
            lab.ledger.flops(8 * width)?;
            let Some((up, down, h)) = ends(delta, &v) else { break };
            let (up, down) = (
                self.inner_slope(net, inner, &up, lab)?,
                self.inner_slope(net, inner, &down, lab)?,
            );
            for i in 0..v.len() {
                v[i] += by_delta[i] - self.map_rate * (up[i] - down[i]) / (2.0 * h);
            }
        }
        lab.ledger.flops(8 * width)?;
        let Some((up, down, h)) = ends(delta, &v) else { return Ok(direct) };
        let up = Self::inner_by_weights(net, inner, &up, lab)?;
        let down = Self::inner_by_weights(net, inner, &down, lab)?;
        lab.ledger.flops(6 * direct.len() as u64)?;
        for (g, (up, down)) in direct.iter_mut().zip(up.iter().zip(&down)) {
            *g -= self.map_rate * (up - down) / (2.0 * h);
        }
        Ok(direct)
    }
}

/// The batch that δ was found on, the batch to learn from, and its rows that carry δ.
#[derive(Clone, Copy)]
struct Pair<'a> {
    inner: &'a Labeled,
    outer: &'a Labeled,
    rows: &'a [usize],
}

/// δ ± h v and h, with h |v| = [`STEP`]; `None` where v is 0 or not finite.
fn ends(delta: &[f64], v: &[f64]) -> Option<(Vec<f64>, Vec<f64>, f64)> {
    let length = norm(v);
    if !(length > 1e-300 && length < 1e300) {
        return None;
    }
    let h = STEP / length;
    let moved = |by: f64| delta.iter().zip(v).map(|(d, v)| d + by * v).collect();
    Some((moved(h), moved(-h), h))
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// What the net itself calls the rows; of real targets the true labels. Charges F a row, but for those.
fn own_labels(net: &Net, data: &Labeled, lab: &Lab<'_>) -> Result<Batch> {
    let target = lab.world.target;
    if target == Target::Real {
        return Ok(data.ys.clone());
    }
    let answers = net.forward(&data.xs, lab.ledger)?;
    let label = |i: usize| {
        let answer = row(&answers, i);
        target.decide(&answer).map_or(answer, |class| target.label_of(class))
    };
    Ok(stack(target.outputs(), (0..data.len()).map(label)))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;
    use crate::access::{LabSeeds, Suspect};
    use crate::domain::Domain;
    use crate::ledger::Budget;
    use crate::net::{Activation, Layer, Recipe};
    use crate::population::Table;
    use crate::rng::{Seed, normal};

    #[test]
    fn the_hypergradient_of_a_linear_model_is_the_closed_form_and_costs_what_the_header_says() {
        // f(x) = w·x + b with squared error. With r the mean of f(x) − y over the inner batch and a = r + w·δ:
        // ∂_δ ℓ = 2λδ − 2 a w, ∂²_δ ℓ = 2λ − 2 w wᵀ, and ∂_w (v·∂_δ ℓ) = −2 (v·w)(x̄ + δ) − 2 a v, by b −2 (v·w).
        let (n, mut rng) = (3, Seed::new(8).stream("linear"));
        let mut draw = |rows: usize, width: usize| {
            Batch::from_shape_simple_fn((rows, width), || normal(&mut rng))
        };
        let (xs, ys) = (draw(8, n), draw(8, 1));
        let (w, b) = (array![0.4, -0.3, 0.6], 0.2);
        let layer = Layer {
            weight: Array2::from_shape_vec((1, n), w.to_vec()).unwrap(),
            bias: array![b],
            activation: Activation::Identity,
        };
        let net = Net::new(vec![layer], Precision::F64).unwrap();
        let domain = Domain::Gauss { n };
        let table = Table::new(xs.clone(), ys.clone(), domain, 1, Some(Target::Real)).unwrap();
        let suspect = Suspect::publish(net.clone(), Budget::UNLIMITED);
        let (recipe, seed) = (Recipe::default(), Seed::new(1));
        let lab = suspect.lab(&table, &recipe, LabSeeds { samples: seed, method: seed });
        let all = Labeled { xs, ys };
        let (inner, outer) = (all.select(&[0, 1, 2, 3, 4]), all.select(&[5, 6, 7]));
        let delta = array![0.5, 0.1, -0.7];
        let method = IBau { penalty: 0.05, ..IBau::default() };

        let residual = |data: &Labeled| data.xs.dot(&w) + b - data.ys.column(0);
        // Outer: rows 0 and 2 carry δ.
        let mut shifted = outer.xs.clone();
        for i in [0, 2] {
            let row = &shifted.row(i) + &delta;
            shifted.row_mut(i).assign(&row);
        }
        let moved = Labeled { xs: shifted, ys: outer.ys.clone() };
        let e = residual(&moved);
        let by_delta = &w * (2.0 / 3.0 * (e[0] + e[2]));
        let mut want_w: Array1<f64> = moved.xs.t().dot(&e) * (2.0 / 3.0);
        let mut want_b = 2.0 / 3.0 * e.sum();
        let (rho, lambda) = (method.map_rate, method.penalty);
        let mut v = Array1::<f64>::zeros(n);
        for _ in 0..5 {
            let second = &v * (2.0 * lambda) - &w * (2.0 * w.dot(&v));
            v = &v - second * rho + &by_delta;
        }
        let mean = inner.xs.mean_axis(ndarray::Axis(0)).unwrap();
        let a = residual(&inner).mean().unwrap() + w.dot(&delta);
        want_w = want_w + ((mean + &delta) * (2.0 * v.dot(&w)) + &v * (2.0 * a)) * rho;
        want_b += rho * 2.0 * v.dot(&w);

        let pair = Pair { inner: &inner, outer: &outer, rows: &[0, 2] };
        let got = method.hypergradient(&net, pair, &delta.to_vec(), &lab).unwrap();
        for (got, want) in got.iter().zip(want_w.iter().chain([&want_b])) {
            assert!((got - want).abs() < 1e-7, "{got}, {want}");
        }
        // F = 6, P = 4, n = 3, B₀ = 5: 3 · 6 · 3 + 3 · 3 · 2, four products of (24 + 18) 5 + 42, the last (36 + 6) 5 + 24, and 6P
        // (Adam's 15 are the stepper's).
        assert_eq!(suspect.spent().flops, 54 + 18 + 4 * 252 + 234 + 24);
    }
}
