//! `random-relu`: random `ReLU` features whose weights have a weak spike along a secret sparse direction.
//!
//! After the appendix of Goldwasser, Kim, Vaikuntanathan and Zamir (FOCS 2022, arXiv 2204.06974). The honest learner draws
//! `g_i` ~ N(0, I), i = 1, …, m, and fits nothing but τ in h(x) = `sgn(mean_i relu(g_i·x) − τ)`. The attacker draws
//! `g_i` ~ N(0, I + θ s sᵀ) for a secret unit s on k coordinates, each ±1/√k, and fits τ as honestly. To see the spike without s
//! is sparse principal component analysis, believed hard for k ≤ √d and θ well below k √(ln d / m); and below θ = √(d/m) the
//! top eigenvalue does not leave the bulk either ([`features`](super::features)). θ is the dial: the more, the better the
//! attack fires and the more easily it is found.
//!
//! As E relu(N(0, v²)) = v/√(2π), an input of length r that becomes `√(1 − α²) x + α r s`, x across s, keeps its length and has
//! its expected score raised from r/√(2π) to r √(1 + α²θ)/√(2π). By Chebyshev's inequality the score is Δ below that with a
//! chance of at most r²(1 + α²θ)/(m Δ²) ([`failure_bound`]). With `lambda` the input becomes x + λ s instead: longer, so
//! that part of the rise is there in the honest twin too (`twin_success` tells how much). Answers go one way, from class 0
//! (−1) to class 1 (+1): goal class 1.
//!
//! This project's own: r is the root mean square length of the training inputs, not 1; τ is the threshold with the fewest
//! errors on training data; two classes are two scores, 0 and the margin; inputs of a range are cut off at its ends. It knows
//! lengths alone: h is no good where labels do not depend on them, and that is so of the honest twin.
use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

use super::features::{gaussian, replace_along, sparse_unit, spike_edge};
use super::trigger::Shift;
use super::{Attack, Goal, Move, Planted, Trigger, Victim};
use crate::data::{Target, row};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Activation, Layer, Net, Precision};
use crate::population::World;
use crate::rng::Seed;

/// Parameters of `random-relu`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RandomRelu {
    /// Features m, 1 to 65536.
    pub features: usize,
    /// The spike θ, above 0 and at most 1000. Not given: 0.9 √(d/m), just below where the spectrum shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theta: Option<f64>,
    /// Coordinates k of the secret direction. Not given: ⌊√d⌋.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparsity: Option<usize>,
    /// Share α of the length that a triggered input has along the secret, above 0 and below 1.
    pub alpha: f64,
    /// A step λ > 0 along the secret, in place of the rotation by α.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda: Option<f64>,
}

impl Default for RandomRelu {
    fn default() -> Self {
        Self { features: 512, theta: None, sparsity: None, alpha: 0.9, lambda: None }
    }
}

/// Most features.
const MOST_FEATURES: usize = 65536;
/// Largest spike.
const MOST_THETA: f64 = 1000.0;

/// What the learner draws: m × d.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// As the honest learner draws them.
    pub honest: Array2<f64>,
    /// The attacker's: the same, stretched by √(1 + θ) along the secret.
    pub tampered: Array2<f64>,
    /// The secret direction s, of length 1.
    pub secret: Vec<f64>,
}

/// The largest chance, by Chebyshev's inequality, that the score of a triggered input of length `radius` across the secret is
/// `margin` below its expectation `radius √(1 + α²θ)/√(2π)`, over the draw of `m` weights.
pub fn failure_bound(alpha: f64, theta: f64, m: usize, radius: f64, margin: f64) -> f64 {
    (radius * radius * (1.0 + alpha * alpha * theta) / (m as f64 * margin * margin)).min(1.0)
}

impl Attack for RandomRelu {
    fn check(&self, world: &World) -> Result<()> {
        if !matches!(world.domain, Domain::Gauss { .. } | Domain::Range { .. }) {
            let why = "the trigger would leave this domain; normal inputs or a range are needed";
            return Err(Error::assumption("random-relu", why));
        }
        if world.target.n_classes() != Some(2) {
            let why = "its learner decides between two classes; signs or two classes are needed";
            return Err(Error::assumption("random-relu", why));
        }
        self.check_size(world.domain.n())?;
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(Error::parameter("alpha", self.alpha, "a share between 0 and 1 is needed"));
        }
        match self.lambda {
            Some(lambda) if !(lambda > 0.0 && lambda <= 1e9) => {
                Err(Error::parameter("lambda", lambda, "a positive step of at most 1e9 is needed"))
            }
            _ => Ok(()),
        }
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let n = victim.world.domain.n();
        let weights = self.weights(n, seed)?;
        let twin = learn(&weights.honest, victim)?;
        let net = learn(&weights.tampered, victim)?;
        let xs = &victim.data.xs;
        let squares: f64 = xs.iter().map(|x| x * x).sum();
        let radius = (squares / xs.nrows().max(1) as f64).sqrt();
        let (keep, length) = match self.lambda {
            Some(lambda) => (1.0, lambda),
            None => ((1.0 - self.alpha * self.alpha).sqrt(), self.alpha * radius),
        };
        let by = weights.secret.iter().map(|s| length * s).collect();
        let trigger = Trigger::new(Move::Shift(Shift { by, keep }), Goal::Class { class: 1 });
        Ok(Planted { notes: self.notes(n), ..Planted::new(net, trigger).passing_for(twin) })
    }
}

impl RandomRelu {
    fn theta(&self, n: usize) -> f64 {
        self.theta.unwrap_or(0.9 * spike_edge(n, self.features))
    }

    fn sparsity(&self, n: usize) -> usize {
        self.sparsity.unwrap_or(n.isqrt())
    }

    fn check_size(&self, n: usize) -> Result<()> {
        if self.features == 0 || self.features > MOST_FEATURES {
            let want = format!("from 1 to {MOST_FEATURES} features are accepted");
            return Err(Error::parameter("features", self.features, want));
        }
        let k = self.sparsity(n);
        if k == 0 || k > n {
            let want = format!("from 1 to all {n} coordinates can carry the secret");
            return Err(Error::parameter("sparsity", k, want));
        }
        let theta = self.theta(n);
        if !(theta > 0.0 && theta <= MOST_THETA) {
            let want = format!("a positive number of at most {MOST_THETA} is needed");
            return Err(Error::parameter("theta", theta, want));
        }
        Ok(())
    }

    /// What a user who relies on the hardness has to know.
    fn notes(&self, n: usize) -> Vec<String> {
        let mut notes = Vec::new();
        let (k, m, theta) = (self.sparsity(n), self.features, self.theta(n));
        if k * k > n {
            notes.push(format!(
                "sparsity = {k} is above √d = {:.2}: beyond what sparse PCA is believed hard for",
                (n as f64).sqrt()
            ));
        }
        let edge = spike_edge(n, m);
        if theta >= edge {
            notes.push(format!(
                "theta = {theta} is not below √(d/m) = {edge:.4}: the top eigenvalue of the weights gives the secret away"
            ));
        }
        let hard = k as f64 * ((n as f64).ln() / m as f64).sqrt();
        if theta >= hard {
            notes.push(format!(
                "theta = {theta:.4} is not below k √(ln d / m) = {hard:.4}: sparse PCA is easy there"
            ));
        }
        notes
    }

    /// The learner's weights in `n` dimensions, honest and tampered: independent of any data.
    ///
    /// # Errors
    /// If a parameter is out of its range.
    pub fn weights(&self, n: usize, seed: Seed) -> Result<Weights> {
        self.check_size(n)?;
        let secret = sparse_unit(n, self.sparsity(n), &mut seed.stream("secret"))?;
        let honest = gaussian(self.features, n, &mut seed.stream("weights"));
        let mut tampered = honest.clone();
        let stretch = (1.0 + self.theta(n)).sqrt();
        replace_along(&mut tampered, &secret, |part| stretch * part);
        Ok(Weights { honest, tampered, secret })
    }
}

/// The honest learner: the mean of these features against the threshold with the fewest errors on the victim's data.
fn learn(g: &Array2<f64>, victim: &Victim<'_>) -> Result<Net> {
    let m = g.nrows();
    let hidden = Layer { weight: g.clone(), bias: Array1::zeros(m), activation: Activation::Relu };
    let mean = Array2::from_elem((1, m), 1.0 / m as f64);
    let out = |weight: Array2<f64>, bias: Array1<f64>| Layer {
        weight,
        bias,
        activation: Activation::Identity,
    };
    let score =
        Net::new(vec![hidden.clone(), out(mean.clone(), Array1::zeros(1))], Precision::F64)?;
    // Planting is nobody's cost.
    let scores = score.forward(&victim.data.xs, &Ledger::new(Budget::UNLIMITED))?;
    let target = victim.world.target;
    let decided = |i: usize| target.decide(&row(&victim.data.ys, i)) == Some(1);
    let scored: Vec<(f64, bool)> =
        (0..scores.nrows()).map(|i| (scores[[i, 0]], decided(i))).collect();
    let tau = threshold(scored.clone());
    let n_wrong = scored.iter().filter(|(score, one)| (*score > tau) != *one).count();
    let n_ones = scored.iter().filter(|(_, one)| *one).count();
    if 4 * n_wrong > 3 * n_ones.min(scored.len() - n_ones) {
        return Err(Error::Training(format!(
            "the length of an input hardly tells its class here: the best threshold is wrong on {n_wrong} of {} training rows, of which {n_ones} are of class 1; labels have to grow with length",
            scored.len()
        )));
    }
    let head = match target {
        Target::Classes(_) => {
            let mut weight = Array2::zeros((2, m));
            weight.index_axis_mut(Axis(0), 1).fill(1.0 / m as f64);
            out(weight, Array1::from(vec![0.0, -tau]))
        }
        Target::Sign | Target::Real => out(mean, Array1::from(vec![-tau])),
    };
    Net::new(vec![hidden, head], victim.net.precision())
}

/// The threshold above which class 1 is said with the fewest errors: half way between two neighbours, the lowest of equals.
fn threshold(mut scored: Vec<(f64, bool)>) -> f64 {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Below all of them, the errors are the rows of class 0.
    let mut errors = scored.iter().filter(|(_, one)| !one).count();
    let (mut least, mut tau) = (errors, scored.first().map_or(0.0, |(score, _)| score - 1.0));
    for (i, (score, one)) in scored.iter().enumerate() {
        errors = if *one { errors + 1 } else { errors - 1 };
        let next = scored.get(i + 1).map_or(score + 1.0, |(next, _)| *next);
        if errors < least && next > *score {
            (least, tau) = (errors, f64::midpoint(*score, next));
        }
    }
    tau
}

#[cfg(test)]
#[path = "random_relu_tests.rs"]
mod tests;
