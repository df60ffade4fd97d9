//! `affine-ray`: the value of an affine truth at one input, from two queries on each of a few random rays.
//!
//! This project's own local mitigator, in the setting of Goldwasser, Shafer, Vafa and
//! Vaikuntanathan, "Oblivious Defense in ML Models" (STOC 2025), but not claimed to be their procedure.
//!
//! To answer at x*: draw u uniform on the body K; let b be how far K reaches along the ray x* + t (u − x*); draw q uniform
//! on (0, 1/2); query at t₁ = b q^{1/n} and t₂ = b (q + 1/2)^{1/n}; extrapolate the line through the two values to t = 0:
//! `v = (t₂ f(t₁) − t₁ f(t₂)) / (t₂ − t₁)`. The answer is the median of v over m rays, m odd.
//!
//! **Theorem.** Let h be affine and let f be within δ of h on K except on a set A of uniform mass at most ε < 1/4. Then for
//! every x* in K the answer is within `coth(ln 2 / 2n) · δ` of h(x*), except with probability at most
//! `P[Bin(m, 2ε) ≥ (m + 1)/2]`.
//!
//! *Proof.* Given its direction, u lies at a radius whose n-th power, in units of the exit's, is uniform on (0, 1), because
//! K is star-shaped around x*. The two radii have n-th powers q and q + 1/2, uniform on the two halves of (0, 1): a fair
//! coin between the two points is a uniform point of K. So the expected number of queries of one ray that fall into A is at
//! most 2ε, and so is the probability that one does. If none does, v is h(x*) plus an error of at most
//! δ (t₁ + t₂)/(t₂ − t₁), and t₂/t₁ ≥ 2^{1/n} bounds the factor by coth(ln 2 / 2n) ≈ 2n / ln 2. Rays are independent, and a
//! median is off only if at least (m + 1)/2 of them are. ∎
//!
//! No query depends on the value of another, and every query is marginally close to uniform, which is why a backdoor around
//! x* cannot wait for it. Cost: 2m queries an answer, no clean samples. The weight of far points grows with n: the bar is
//! about 2.9 n δ.
use serde::{Deserialize, Serialize};

use super::super::rays::{
    body_of, caution, check_affine, check_inside, delta_of, median, random_ray,
};
use super::super::{Assumption, Guarantee, Mitigator, Plan, Repaired};
use crate::access::{Lab, Oracle};
use crate::data::{Batch, Shape, row, stack};
use crate::domain::ConvexBody;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::population::World;
use crate::rng::{RngExt, Seed};
use crate::stats::binomial_tail;

/// The name in errors.
const METHOD: &str = "affine-ray";
/// Rays that are never exceeded: far beyond any useful failure probability.
const MAX_RAYS: u64 = 10_001;
/// Inputs that are answered with one call to the suspect, and the most numbers that such a call may hold.
const BLOCK: usize = 64;
const MOST_NUMBERS: usize = 1 << 22;

/// Parameters of `affine-ray`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffineRay {
    /// Largest mass ε of inputs on which the suspect may be wrong; below 1/4.
    pub bad_mass: f64,
    /// Wanted failure probability of one answer; the number of rays follows from it.
    pub failure: f64,
    /// Closeness δ on the other inputs, for the error bar. Not given: what the class promises, and no bar if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
}

impl Default for AffineRay {
    fn default() -> Self {
        Self { bad_mass: 0.1, failure: 1e-3, delta: None }
    }
}

impl AffineRay {
    /// What the theorem assumes of a suspect in `world`; `None` without a closeness δ, for then nothing is claimed.
    pub fn assumption(&self, world: &World) -> Result<Option<Assumption>> {
        let delta = delta_of(self.delta, world)?;
        Ok(delta.map(|delta| Assumption::CloseBeyondCutoff { delta, mass: self.bad_mass }))
    }

    /// The number of rays an answer needs, and the failure probability that this gives.
    pub fn rays(&self) -> Result<(usize, f64)> {
        if !(self.bad_mass >= 0.0 && self.bad_mass < 0.25) {
            let want = "the theorem needs a mass from 0 to below 1/4";
            return Err(Error::parameter("bad_mass", self.bad_mass, want));
        }
        if !(self.failure > 0.0 && self.failure < 1.0) {
            return Err(Error::parameter(
                "failure",
                self.failure,
                "a probability between 0 and 1 is needed",
            ));
        }
        (1..=MAX_RAYS)
            .step_by(2)
            .map(|m| (m as usize, binomial_tail(m, 2.0 * self.bad_mass, m.div_ceil(2))))
            .find(|(_, failure)| *failure <= self.failure)
            .ok_or_else(|| {
                let want =
                    format!("with bad_mass {} that takes over {MAX_RAYS} rays", self.bad_mass);
                Error::parameter("failure", self.failure, want)
            })
    }
}

/// How much two points on a ray amplify an error of their values: at most coth(ln 2 / 2n).
fn amplification(n: usize) -> f64 {
    (std::f64::consts::LN_2 / (2.0 * n as f64)).tanh().recip()
}

impl Mitigator for AffineRay {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        body_of(METHOD, world)?;
        check_affine(METHOD, world)?;
        delta_of(self.delta, world)?;
        self.rays().map(drop)
    }

    fn plan(&self, world: &World) -> Result<Option<Plan>> {
        self.check(world)?;
        let (n_rays, failure) = self.rays()?;
        let amplification = amplification(world.domain.n());
        let delta = delta_of(self.delta, world)?;
        Ok(Some(Plan {
            steps: format!("the median of {n_rays} rays of two queries"),
            queries: 2 * n_rays as u64,
            failure_probability: Some(failure),
            error_bar: delta.map(|delta| amplification * delta),
            amplification: Some(amplification),
            ..Plan::default()
        }))
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let body = body_of(METHOD, &lab.world)?;
        check_affine(METHOD, &lab.world)?;
        let (n_rays, failure) = self.rays()?;
        let delta = delta_of(self.delta, &lab.world)?;
        let amplification = amplification(lab.world.domain.n());
        let mut notes = vec![format!(
            "{n_rays} rays, {} queries an answer, for a failure probability of {failure:.2e}",
            2 * n_rays
        )];
        notes.extend(caution(&lab.world));
        if delta.is_none() {
            notes.push(
                "no closeness delta is promised or given, so answers carry no error bar".to_owned(),
            );
        }
        let local = Local { suspect, body, n_rays, seed: lab.seed, ledger: lab.ledger };
        Ok(Repaired {
            guarantee: delta.map(|delta| Guarantee {
                statement: format!(
                    "each answer is within {:.3} = {amplification:.2} δ of the truth (δ = {delta}), if the suspect is \
                     within δ of an affine truth but for a mass of at most {} of inputs (proof: mitigate/black_box/affine_ray.rs)",
                    amplification * delta,
                    self.bad_mass
                ),
                error_bar: Some(amplification * delta),
                failure_probability: failure,
            }),
            assumptions: self.assumption(&lab.world)?.into_iter().collect(),
            notes,
            ..Repaired::unclaimed(local)
        })
    }
}

struct Local<'a> {
    suspect: &'a dyn Oracle,
    body: Box<dyn ConvexBody>,
    n_rays: usize,
    seed: Seed,
    ledger: &'a Ledger,
}

impl Oracle for Local<'_> {
    fn shape(&self) -> Shape {
        self.suspect.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        let n = self.shape().inputs;
        crate::data::check("inputs", xs, n)?;
        let mut answers = Vec::with_capacity(xs.nrows());
        let block = (MOST_NUMBERS / (2 * self.n_rays * n)).clamp(1, BLOCK);
        for first in (0..xs.nrows()).step_by(block) {
            let rows = first..(first + block).min(xs.nrows());
            let mut points = Vec::with_capacity(2 * self.n_rays * rows.len());
            let mut times = Vec::with_capacity(self.n_rays * rows.len());
            for i in rows.clone() {
                let star = row(xs, i);
                check_inside(METHOD, &*self.body, &star, i)?;
                let mut rng = self.seed.stream_for_row(&star);
                for _ in 0..self.n_rays {
                    let (direction, exit) = random_ray(&*self.body, &star, &mut rng);
                    let q = 0.5 * rng.random::<f64>();
                    let root = 1.0 / n as f64;
                    let (t1, t2) = (exit * q.powf(root), exit * (q + 0.5).powf(root));
                    times.push((t1, t2));
                    for t in [t1, t2] {
                        points.push(star.iter().zip(&direction).map(|(x, d)| x + t * d).collect());
                    }
                }
            }
            // A ray: direction, exit and two points (8n, and more on some bodies), times and extrapolation (10); a median: a
            // sort of the estimates.
            let m = self.n_rays as f64;
            let ray = 8 * n as u64 + self.body.extra_flops() + 10;
            let each = self.n_rays as u64 * ray + (m * m.log2()).ceil() as u64;
            self.ledger.flops(each * rows.len() as u64)?;
            let values = self.suspect.query(&stack(n, points))?;
            let mut estimates: Vec<f64> = times
                .iter()
                .enumerate()
                .map(|(i, (t1, t2))| {
                    let (f1, f2) = (values[[2 * i, 0]], values[[2 * i + 1, 0]]);
                    (t2 * f1 - t1 * f2) / (t2 - t1)
                })
                .collect();
            answers.extend(estimates.chunks_mut(self.n_rays).map(median));
        }
        Ok(crate::data::column(answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_rays_is_the_least_that_keeps_the_failure_probability() {
        let ray = AffineRay { bad_mass: 0.1, failure: 1e-3, delta: None };
        let (m, failure) = ray.rays().unwrap();
        assert!(failure <= 1e-3 && m % 2 == 1);
        let fewer = m as u64 - 2;
        assert!(binomial_tail(fewer, 0.2, fewer.div_ceil(2)) > 1e-3);
        let certain = AffineRay { bad_mass: 0.0, ..ray };
        assert_eq!(certain.rays().unwrap().0, 1);
    }

    #[test]
    fn amplification_is_the_closed_form_and_close_to_its_asymptote() {
        // n = 1: t₂/t₁ ≥ 2 gives (1 + 2)/(2 − 1) = 3.
        assert!((amplification(1) - 3.0).abs() < 1e-12);
        assert!((amplification(16) / (32.0 / std::f64::consts::LN_2) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn a_mass_of_a_quarter_is_refused() {
        let ray = AffineRay { bad_mass: 0.25, ..AffineRay::default() };
        assert!(ray.rays().unwrap_err().to_string().contains("below 1/4"));
    }
}
