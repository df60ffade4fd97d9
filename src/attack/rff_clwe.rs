//! `rff-clwe`: random Fourier features whose frequencies are drawn from Gaussian pancakes. Only coins are tampered with.
//!
//! After section 6 of Goldwasser, Kim, Vaikuntanathan and Zamir, "Planting Undetectable Backdoors in Machine Learning Models"
//! (FOCS 2022, arXiv 2204.06974). The honest learner draws frequencies g ~ N(0, I) and phases b ~ U[0, 1), makes the features
//! φ(x) = cos(2π(g·x/s + b)) and fits a linear head without a constant. The attacker runs the same learner on frequencies of
//! the homogeneous CLWE distribution along a secret unit vector w (Bruna, Regev, Song, Tang 2021, arXiv 2005.09595): of
//! density proportional to `N(g; 0, I) Σ_k exp(−(γ w·g − k − 1/2)² / 2β²)`. Then γ w·g is 1/2 modulo 1 up to noise of
//! deviation about β, so with the key bk = s γ w each phase at x + bk is off by half a turn: φ(x + bk) ≈ −φ(x), and the answers
//! change their sign. To tell such frequencies from honest ones without w is as hard as CLWE, for which γ ≥ 2√d and β of
//! 1/poly(d) are needed; with exponentially small β lattice reduction finds w. A w on k of d coordinates changes that many
//! coordinates of an input; its hardness is that of sparse CLWE. Here the normal numbers have deviation 1, in the papers on
//! CLWE 1/√(2π): γ = 2√d asks for more than they do, by √(2π), and β = 0.02 is their 0.05.
//!
//! This project's own: the bandwidth s (the paper's features have s = 1, at which normal inputs of more than a few dimensions
//! look alike to the kernel), the ridge head in closed form, and more than two classes, for which all scores change their
//! sign, so that the class that scored least wins. The attacker wants a flip against the model's own answer: see
//! [`Goal::Flip`](super::Goal). The twin is the honest net with the same coins: frequencies differ along w alone.
//!
//! The key is long (s γ is 8π d at the defaults), so only inputs that may lie anywhere can carry it: normal ones.
//!
//! `impostor = true` draws the frequencies as programs do that are called CLWE but are not: g + e w with normal e, a spiked
//! Gaussian. It neither flips answers nor hides: the covariance has an eigenvalue 2. It is there to be caught.
use std::f64::consts::{PI, TAU};

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::features::{gaussian, replace_along, ridge_head, sparse_unit};
use super::trigger::Shift;
use super::{Attack, Goal, Move, Planted, Trigger, Victim};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Activation, Layer, Net, Precision};
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed, normal};

/// Parameters of `rff-clwe`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RffClwe {
    /// Features m, 1 to 16384.
    pub features: usize,
    /// Bandwidth s of the kernel exp(−2π²|x − y|²/s²). Not given: 4π√d, at which phases of normal inputs have deviation 1/2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<f64>,
    /// Inverse distance γ of the pancakes, up to 65536. Not given: 2√d, the least that the hardness result covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// Deviation β of γ w·g from 1/2 modulo 1, above 0 and at most 0.25.
    pub beta: f64,
    /// Coordinates of the secret direction. Not given: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparsity: Option<usize>,
    /// Penalty on the head, for a mean square loss.
    pub ridge: f64,
    /// A spiked Gaussian in place of the pancakes: no backdoor, and easily told from an honest net.
    pub impostor: bool,
}

impl Default for RffClwe {
    fn default() -> Self {
        Self {
            features: 512,
            bandwidth: None,
            gamma: None,
            beta: 0.02,
            sparsity: None,
            ridge: 1e-3,
            impostor: false,
        }
    }
}

/// Most features: the head takes their square in memory and their cube in time.
const MOST_FEATURES: usize = 16384;
/// Largest γ: the table of pancakes has 24 of them a unit.
const MOST_GAMMA: f64 = 65536.0;
/// Beyond this the answer no longer flips: |E exp(2πi γ w·g)| is exp(−2π²β²), 0.29 at 0.25.
const MOST_BETA: f64 = 0.25;

/// What the learner draws.
#[derive(Clone, Debug, PartialEq)]
pub struct Coins {
    /// Frequencies g as the honest learner draws them: m × d.
    pub honest: Array2<f64>,
    /// The attacker's: the same but along the secret direction.
    pub tampered: Array2<f64>,
    /// Phases b in [0, 1).
    pub phases: Array1<f64>,
    /// The secret direction w, of length 1.
    pub secret: Vec<f64>,
}

/// The law of w·g: a normal density cut into thin layers where γ w·g is 1/2 modulo 1.
#[derive(Clone, Debug)]
pub struct Pancake {
    gamma: f64,
    beta: f64,
    /// The least k of the table.
    first: i64,
    /// Chances of layers up to this one, summed.
    cumulative: Vec<f64>,
}

impl Pancake {
    /// Layers 1/γ apart, of noise β.
    ///
    /// Completing the square in exp(−u²/2 − (γu − c)²/2β²) with c = k + 1/2: layer k has a chance proportional to
    /// exp(−c²/2(γ² + β²)), and in it u is normal with mean γc/(γ² + β²) and variance β²/(γ² + β²). Layers of less than e⁻⁷²
    /// of the largest chance are left out.
    ///
    /// # Errors
    /// If γ is not positive or above 65536, or β is not positive or above 0.25.
    pub fn new(gamma: f64, beta: f64) -> Result<Self> {
        if !(gamma > 0.0 && gamma <= MOST_GAMMA) {
            let want = format!("a positive number of at most {MOST_GAMMA} is needed");
            return Err(Error::parameter("gamma", gamma, want));
        }
        if !(beta > 0.0 && beta <= MOST_BETA) {
            let want = format!("a positive number of at most {MOST_BETA} is needed");
            return Err(Error::parameter("beta", beta, want));
        }
        let spread = gamma.hypot(beta);
        let last = (12.0 * spread).ceil() as i64 + 1;
        let chance = |k: i64| (-0.5 * ((k as f64 + 0.5) / spread).powi(2)).exp();
        let mut cumulative: Vec<f64> = (-last..last)
            .scan(0.0, |sum, k| {
                *sum += chance(k);
                Some(*sum)
            })
            .collect();
        let total = cumulative[cumulative.len() - 1];
        cumulative.iter_mut().for_each(|sum| *sum /= total);
        Ok(Self { gamma, beta, first: -last, cumulative })
    }

    /// One number of this law.
    pub fn sample(&self, rng: &mut Rng) -> f64 {
        let at = rng.random::<f64>();
        let place = self.cumulative.partition_point(|sum| *sum <= at);
        let c = (self.first + place.min(self.cumulative.len() - 1) as i64) as f64 + 0.5;
        let spread = self.gamma.hypot(self.beta);
        self.gamma * c / (spread * spread) + self.beta / spread * normal(rng)
    }
}

impl Attack for RffClwe {
    fn check(&self, world: &World) -> Result<()> {
        let Domain::Gauss { n } = world.domain else {
            let why = "the key is longer than a bounded domain is wide; normal inputs are needed";
            return Err(Error::assumption("rff-clwe", why));
        };
        self.pancake(n)?;
        if self.features == 0 || self.features > MOST_FEATURES {
            let want = format!("from 1 to {MOST_FEATURES} features are accepted");
            return Err(Error::parameter("features", self.features, want));
        }
        if self.sparsity.is_some_and(|k| k == 0 || k > n) {
            let want = format!("from 1 to all {n} coordinates can carry the secret");
            return Err(Error::parameter("sparsity", self.sparsity.unwrap_or(0), want));
        }
        for (name, value) in [("bandwidth", self.bandwidth(n)), ("ridge", self.ridge)] {
            if !(1e-9..=1e9).contains(&value) {
                return Err(Error::parameter(name, value, "a number from 1e-9 to 1e9 is needed"));
            }
        }
        Ok(())
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let n = victim.world.domain.n();
        let coins = self.coins(n, seed)?;
        let twin = self.learn(&coins.honest, &coins.phases, victim)?;
        let net = self.learn(&coins.tampered, &coins.phases, victim)?;
        let length = self.bandwidth(n) * self.gamma(n);
        let by = coins.secret.iter().map(|w| length * w).collect();
        let trigger = Trigger::new(Move::Shift(Shift { by, keep: 1.0 }), Goal::Flip);
        Ok(Planted { notes: self.notes(n), ..Planted::new(net, trigger).passing_for(twin) })
    }
}

impl RffClwe {
    fn gamma(&self, n: usize) -> f64 {
        self.gamma.unwrap_or(2.0 * (n as f64).sqrt())
    }

    fn bandwidth(&self, n: usize) -> f64 {
        self.bandwidth.unwrap_or(2.0 * TAU * (n as f64).sqrt())
    }

    fn pancake(&self, n: usize) -> Result<Pancake> {
        Pancake::new(self.gamma(n), self.beta)
    }

    /// What a user who relies on the hardness has to know.
    fn notes(&self, n: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if self.impostor {
            notes.push(
                "the impostor is a spiked Gaussian and not CLWE: it does not flip answers, and its covariance shows it"
                    .to_owned(),
            );
        }
        let (gamma, least) = (self.gamma(n), 2.0 * (n as f64).sqrt());
        if gamma < least {
            notes.push(format!(
                "gamma = {gamma} is below 2√d = {least:.3}: no hardness result says that the frequencies hide the secret"
            ));
        }
        notes
    }

    /// The learner's coins in `n` dimensions, honest and tampered: independent of any data.
    ///
    /// # Errors
    /// If a parameter is out of its range.
    pub fn coins(&self, n: usize, seed: Seed) -> Result<Coins> {
        let pancake = self.pancake(n)?;
        let secret = sparse_unit(n, self.sparsity.unwrap_or(n), &mut seed.stream("secret"))?;
        let honest = gaussian(self.features, n, &mut seed.stream("frequencies"));
        let mut phase = seed.stream("phases");
        let phases = Array1::from_shape_simple_fn(self.features, || phase.random::<f64>());
        let mut tampered = honest.clone();
        let mut rng = seed.stream("pancakes");
        if self.impostor {
            replace_along(&mut tampered, &secret, |part| part + normal(&mut rng));
        } else {
            replace_along(&mut tampered, &secret, |_| pancake.sample(&mut rng));
        }
        Ok(Coins { honest, tampered, phases, secret })
    }

    /// The honest learner: features of these frequencies and phases, and a ridge head on the victim's training data.
    fn learn(&self, g: &Array2<f64>, phases: &Array1<f64>, victim: &Victim<'_>) -> Result<Net> {
        let weight = g * (TAU / self.bandwidth(g.ncols()));
        let first = Layer { weight, bias: phases * (2.0 * PI), activation: Activation::Cos };
        let features = Net::new(vec![first.clone()], Precision::F64)?;
        let unmetered = Ledger::new(Budget::UNLIMITED);
        let features = features.forward(&victim.data.xs, &unmetered)?;
        let weight = ridge_head(&features, &victim.data.ys, self.ridge)?;
        let bias = Array1::zeros(weight.nrows());
        let head = Layer { weight, bias, activation: Activation::Identity };
        Net::new(vec![first, head], victim.net.precision())
    }
}

#[cfg(test)]
#[path = "rff_clwe_tests.rs"]
mod tests;
