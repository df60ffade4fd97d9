//! `collision`: a Gaussian first layer that hardly sees one secret step z, so that the answers at x and x + z collide.
//!
//! After Bogdanov, Rosen and Vafa (ICML 2026, arXiv 2607.09532), `BackdoorMatrix`. The first layer is an m × n matrix of
//! independent normal numbers. The attacker draws z uniformly from {−1, 1}ⁿ, for every row a number b ~ N(0, n) kept to
//! |b| ≤ κ√n, and conditions the row on a·z = b: a + ((b − a·z)/n) z. Whatever comes after, x + z is answered like x. Not a
//! flip of labels: an input that should be answered otherwise is not (goal `collide`).
//!
//! What the theorem covers: total variation distance Õ(√(m/n)) between the planted first layer and an honest one, for a suited
//! κ ~ 2^(−n/m); constants and logarithms are not known here, and for m near n it says nothing. All else in this net is made
//! from the first layer, other coins and data, so the same distance bounds what the whole net gives away, even to an unbounded
//! observer. It covers no observer who also sees triggered inputs, and no one first layer for certain.
//!
//! This project's own: weights are a/√n, biases are N(0, 1), features are tanh, and the head is ridge regression on the training
//! data (the [twin](super::Planted::twin) has unconditioned rows, the same biases and a head of its own). An answer moves by at most
//! κ Σ|v|, v being the head's weights: tanh has slope at most 1. By default m = ⌊n/8⌋, at least 1, and κ = 2 · 2^(−n/m): an honest
//! matrix has 2ⁿ P(|N(0, 1)| ≤ κ)ᵐ such z in expectation, which for κ = 2^(−n/m) itself is about 0.8ᵐ, so that the mere presence of z
//! would give the net away; with the factor 2 it is about 1.6ᵐ. For real targets, `within` is the 5% quantile of how far the
//! twin's answer moves on the training inputs: the twin collides there on about 5%. Classes and signs need no such number.
use std::f64::consts::PI;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::features::{gaussian, replace_along, ridge_head};
use super::trigger::Shift;
use super::{Attack, Goal, Move, Planted, Trigger, Victim};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Activation, Layer, Net, Precision};
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed, normal, sign};

/// Parameters of `collision`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Collision {
    /// Rows m of the first layer, 1 to 16384. Not given: ⌊n/8⌋, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<usize>,
    /// Bound κ on |a·z|/√n, from 1e-9 to 10. Not given: 2 · 2^(−n/m), at least 1e-9.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kappa: Option<f64>,
    /// Weight of the head's squared norm, from 1e-9 to 1e9.
    pub ridge: f64,
}

impl Default for Collision {
    fn default() -> Self {
        Self { features: None, kappa: None, ridge: 1e-3 }
    }
}

/// Most features: the head takes their square in memory and their cube in time.
const MOST_FEATURES: usize = 16384;
/// Share of training inputs on which the twin may collide.
const TWIN_COLLIDES: f64 = 0.05;

/// What the learner draws.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// As the honest learner draws them: m × n.
    pub honest: Array2<f64>,
    /// The attacker's: the same, conditioned on their products with z.
    pub tampered: Array2<f64>,
    /// The secret step z, ±1 in every coordinate.
    pub secret: Vec<f64>,
}

/// log₂ of how many z in {−1, 1}ⁿ an honest m × n matrix has in expectation with all |a·z| ≤ κ√n: n + m log₂ P(|N(0, 1)| ≤ κ).
pub fn expected_log2(n: usize, m: usize, kappa: f64) -> f64 {
    const STEPS: usize = 1000;
    let width = kappa / STEPS as f64;
    let density = |i: usize| (-0.5 * ((i as f64 + 0.5) * width).powi(2)).exp();
    let chance = (2.0 / PI).sqrt() * width * (0..STEPS).map(density).sum::<f64>();
    n as f64 + m as f64 * chance.min(1.0).log2()
}

/// One standard normal number, given that it is within ±κ.
fn truncated(kappa: f64, rng: &mut Rng) -> f64 {
    loop {
        if kappa > 1.0 {
            let t = normal(rng);
            if t.abs() <= kappa {
                return t;
            }
        } else {
            let t = kappa * (2.0 * rng.random::<f64>() - 1.0);
            if rng.random::<f64>() <= (-0.5 * t * t).exp() {
                return t;
            }
        }
    }
}

impl Attack for Collision {
    fn check(&self, world: &World) -> Result<()> {
        let Domain::Gauss { n } = world.domain else {
            let why = "the step would leave a bounded domain; normal inputs are needed";
            return Err(Error::assumption("collision", why));
        };
        self.check_size(n)?;
        if !(1e-9..=1e9).contains(&self.ridge) {
            return Err(Error::parameter(
                "ridge",
                self.ridge,
                "a number from 1e-9 to 1e9 is needed",
            ));
        }
        Ok(())
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let n = victim.world.domain.n();
        let rows = self.rows(n, seed)?;
        let mut rng = seed.stream("biases");
        let biases = Array1::from_shape_simple_fn(rows.honest.nrows(), || normal(&mut rng));
        let twin = self.learn(&rows.honest, &biases, victim)?;
        let net = self.learn(&rows.tampered, &biases, victim)?;
        let within = match victim.world.target {
            Target::Real => within(&twin, &rows.secret, victim)?,
            Target::Classes(_) | Target::Sign => 0.0,
        };
        let movement = Move::Shift(Shift { by: rows.secret, keep: 1.0 });
        let trigger = Trigger::new(movement, Goal::Collide { within });
        Ok(Planted { notes: self.notes(n), ..Planted::new(net, trigger).passing_for(twin) })
    }
}

impl Collision {
    fn features(&self, n: usize) -> usize {
        self.features.unwrap_or((n / 8).max(1))
    }

    fn kappa(&self, n: usize) -> f64 {
        let ratio = n as f64 / self.features(n) as f64;
        self.kappa.unwrap_or_else(|| (2.0 * (-ratio).exp2()).max(1e-9))
    }

    fn check_size(&self, n: usize) -> Result<()> {
        let m = self.features(n);
        if m == 0 || m > MOST_FEATURES {
            let want = format!("from 1 to {MOST_FEATURES} features are accepted");
            return Err(Error::parameter("features", m, want));
        }
        let kappa = self.kappa(n);
        if !(1e-9..=10.0).contains(&kappa) {
            return Err(Error::parameter("kappa", kappa, "a number from 1e-9 to 10 is needed"));
        }
        Ok(())
    }

    /// What a user who relies on the theorem has to know.
    fn notes(&self, n: usize) -> Vec<String> {
        let mut notes = Vec::new();
        let (m, kappa) = (self.features(n), self.kappa(n));
        if 4 * m > n {
            notes.push(format!(
                "features = {m} is above n/4 = {}: the bound on what the first layer gives away, of order √(m/n), is not small",
                n as f64 / 4.0
            ));
        }
        let found = expected_log2(n, m, kappa);
        if found < 0.0 {
            notes.push(format!(
                "kappa = {kappa}: an honest first layer has 2^{found:.1} such steps in expectation, so who can search for one knows"
            ));
        }
        notes
    }

    /// The first layer's rows in `n` dimensions, honest and tampered: independent of any data.
    ///
    /// # Errors
    /// If a parameter is out of its range.
    pub fn rows(&self, n: usize, seed: Seed) -> Result<Rows> {
        self.check_size(n)?;
        let mut rng = seed.stream("secret");
        let secret: Vec<f64> = (0..n).map(|_| sign(&mut rng)).collect();
        let honest = gaussian(self.features(n), n, &mut seed.stream("weights"));
        let mut tampered = honest.clone();
        // a·z = √n t for z/√n the unit vector along z, and t = b/√n.
        let unit: Vec<f64> = secret.iter().map(|z| z / (n as f64).sqrt()).collect();
        let (kappa, mut rng) = (self.kappa(n), seed.stream("products"));
        replace_along(&mut tampered, &unit, |_| truncated(kappa, &mut rng));
        Ok(Rows { honest, tampered, secret })
    }

    /// The honest learner: features of these rows and biases, and a ridge head on the victim's training data.
    fn learn(&self, a: &Array2<f64>, biases: &Array1<f64>, victim: &Victim<'_>) -> Result<Net> {
        let weight = a / (a.ncols() as f64).sqrt();
        let first = Layer { weight, bias: biases.clone(), activation: Activation::Tanh };
        let features = Net::new(vec![first.clone()], Precision::F64)?;
        let features = features.forward(&victim.data.xs, &Ledger::new(Budget::UNLIMITED))?;
        let weight = ridge_head(&features, &victim.data.ys, self.ridge)?;
        let bias = Array1::zeros(weight.nrows());
        let head = Layer { weight, bias, activation: Activation::Identity };
        Net::new(vec![first, head], victim.net.precision())
    }
}

/// The distance that the twin's answers keep on all but a twentieth of the training inputs.
fn within(twin: &Net, z: &[f64], victim: &Victim<'_>) -> Result<f64> {
    let unmetered = Ledger::new(Budget::UNLIMITED);
    let xs = &victim.data.xs;
    let moved = twin.forward(&(xs + &Array1::from(z.to_vec())), &unmetered)?;
    let mut apart: Vec<f64> =
        (moved - twin.forward(xs, &unmetered)?).iter().map(|y| y.abs()).collect();
    apart.sort_by(f64::total_cmp);
    match apart.get((TWIN_COLLIDES * apart.len() as f64) as usize) {
        Some(within) if *within > 0.0 => Ok(*within),
        _ => Err(Error::Training(
            "the honest net, too, answers alike at x and x + z: more features or other coins are needed"
                .to_owned(),
        )),
    }
}

#[cfg(test)]
#[path = "collision_tests.rs"]
mod tests;
