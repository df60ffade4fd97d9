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
//! Coordinates are rounded: where K lies far from 0 for its size, 2⁻⁵³ of that distance times the slope is amplified as δ is, and
//! must be well below it.
//!
//! No query depends on the value of another, and every query is marginally close to uniform, which is why a backdoor around
//! x* cannot wait for it. Cost: 2m queries an answer, no clean samples. The weight of far points grows with n: the bar is
//! about 2.9 n δ. The number of rays follows from `failure`, or the failure probability from `queries`
//! (`src/mitigate/repeat.rs`); with `smudge` the bar grows, and answers on different suspects are close in law
//! (`src/mitigate/smudge.rs`).
use serde::{Deserialize, Serialize};

use super::super::local::{Estimate, Local, Premise, Sampler};
use super::super::rays::{body_of, caution, check_affine, check_inside, delta_of, random_ray_into};
use super::super::repeat::{Repetition, Wanted};
use super::super::{Assumption, Mitigator, Plan, Repaired, smudge};
use crate::access::{Lab, Oracle};
use crate::domain::ConvexBody;
use crate::error::{Error, Result};
use crate::population::World;
use crate::rng::{Rng, RngExt};

/// The name in errors.
const METHOD: &str = "affine-ray";

/// Parameters of `affine-ray`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffineRay {
    /// Largest mass ε of inputs on which the suspect may be wrong; below 1/4.
    pub bad_mass: f64,
    /// Wanted failure probability of one answer; the number of rays follows from it.
    pub failure: f64,
    /// Queries that an answer may take. Given, the failure probability follows from it, and `failure` is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<u64>,
    /// Closeness δ on the other inputs, for the error bar. Not given: what the class promises, and no bar if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// Half-width of uniform noise on answers, which hides the suspect. Not given: no noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smudge: Option<f64>,
}

impl Default for AffineRay {
    fn default() -> Self {
        Self { bad_mass: 0.1, failure: 1e-3, queries: None, delta: None, smudge: None }
    }
}

impl AffineRay {
    /// What the theorem assumes of a suspect in `world`; `None` without a closeness δ, for then nothing is claimed.
    pub fn assumption(&self, world: &World) -> Result<Option<Assumption>> {
        Ok(self.premise(world)?.assumption())
    }

    fn premise(&self, world: &World) -> Result<Premise> {
        let Self { bad_mass, smudge, .. } = *self;
        let delta = delta_of(self.delta, world)?;
        Ok(Premise { delta, bad_mass, smudge, file: "affine_ray.rs" })
    }

    /// The number of rays an answer needs, and the failure probability that this gives.
    pub fn rays(&self) -> Result<(usize, f64)> {
        self.repetition().map(|made| (made.size, made.failure))
    }

    fn repetition(&self) -> Result<Repetition> {
        if !(self.bad_mass >= 0.0 && self.bad_mass < 0.25) {
            let want = "the theorem needs a mass from 0 to below 1/4";
            return Err(Error::parameter("bad_mass", self.bad_mass, want));
        }
        let Self { bad_mass, failure, queries, .. } = *self;
        Repetition::of(&Wanted {
            bad_mass,
            spoilt: Rays::spoilt(bad_mass),
            failure,
            queries,
            per_estimate: 2,
            groups: 1,
        })
    }
}

impl Mitigator for AffineRay {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        self.plan(world).map(drop)
    }

    fn plan(&self, world: &World) -> Result<Option<Plan>> {
        body_of(METHOD, world)?;
        check_affine(METHOD, world)?;
        smudge::check(self.smudge)?;
        let amplification = Rays::amplification(world.domain.n());
        let bar = delta_of(self.delta, world)?.map(|delta| amplification * delta);
        let made = self.repetition()?;
        let plan = Plan {
            steps: format!("the median of {} rays of two queries", made.size),
            queries: 2 * made.size as u64,
            failure_probability: Some(made.failure),
            error_bar: bar,
            amplification: Some(amplification),
            ..Plan::default()
        };
        Ok(Some(smudge::widen(plan, self.smudge)))
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let plan = self.plan(&lab.world)?.unwrap_or_default();
        let repetition = self.repetition()?;
        let mut notes = vec![format!(
            "{} rays, {} queries an answer, for a failure probability of {:.2e}",
            repetition.size, plan.queries, repetition.failure
        )];
        notes.extend(caution(&lab.world));
        let premise = self.premise(&lab.world)?;
        notes.extend(premise.note());
        let local = Local {
            suspect,
            sampler: Rays { method: METHOD, body: body_of(METHOD, &lab.world)? },
            repetition,
            smudge: self.smudge,
            seed: lab.seed,
            ledger: lab.ledger,
        };
        Ok(Repaired {
            guarantee: premise.guarantee(&plan),
            assumptions: premise.assumption().into_iter().collect(),
            notes,
            ..Repaired::unclaimed(local)
        })
    }
}

/// Two points of a random ray, and the line through their values at its start.
pub(in crate::mitigate) struct Rays {
    pub(in crate::mitigate) method: &'static str,
    pub(in crate::mitigate) body: Box<dyn ConvexBody>,
}

impl Rays {
    /// How much two points on a ray amplify an error of their values: at most coth(ln 2 / 2n).
    pub(super) fn amplification(n: usize) -> f64 {
        (std::f64::consts::LN_2 / (2.0 * n as f64)).tanh().recip()
    }

    /// The probability that a ray has a point in a set of mass `bad_mass`, at most.
    pub(super) fn spoilt(bad_mass: f64) -> f64 {
        2.0 * bad_mass
    }
}

impl Sampler for Rays {
    fn queries(&self) -> usize {
        2
    }

    /// Direction, exit and two points (8n, and more on some bodies), times and extrapolation (10).
    fn flops(&self, n: usize) -> u64 {
        8 * n as u64 + self.body.extra_flops() + 10
    }

    fn admit(&self, star: &[f64], row: usize) -> Result<()> {
        check_inside(self.method, &*self.body, star, row)
    }

    fn draw(&self, star: &[f64], rng: &mut Rng, to: Estimate<'_>) {
        let (near, far) = to.points.split_at_mut(star.len());
        let exit = random_ray_into(&*self.body, star, rng, near, to.room);
        let q = 0.5 * rng.random::<f64>();
        let root = 1.0 / star.len() as f64;
        let (t1, t2) = (exit * q.powf(root), exit * (q + 0.5).powf(root));
        for ((near, far), x) in near.iter_mut().zip(far).zip(star) {
            let d = *near;
            *near = x + t1 * d;
            *far = x + t2 * d;
        }
        // (t₂ f₁ − t₁ f₂) / (t₂ − t₁).
        to.weights.copy_from_slice(&[t2, -t1]);
        *to.divisor = t2 - t1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_rays_is_the_least_that_keeps_the_failure_probability() {
        let ray = AffineRay { bad_mass: 0.1, failure: 1e-3, ..AffineRay::default() };
        let (m, failure) = ray.rays().unwrap();
        assert!(failure <= 1e-3 && m % 2 == 1);
        let fewer = m as u64 - 2;
        assert!(crate::stats::binomial_tail(fewer, 0.2, fewer.div_ceil(2)) > 1e-3);
        let certain = AffineRay { bad_mass: 0.0, ..ray };
        assert_eq!(certain.rays().unwrap().0, 1);
    }

    #[test]
    fn amplification_is_the_closed_form_and_close_to_its_asymptote() {
        // n = 1: t₂/t₁ ≥ 2 gives (1 + 2)/(2 − 1) = 3.
        assert!((Rays::amplification(1) - 3.0).abs() < 1e-12);
        assert!((Rays::amplification(16) / (32.0 / std::f64::consts::LN_2) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn a_mass_of_a_quarter_is_refused() {
        let ray = AffineRay { bad_mass: 0.25, ..AffineRay::default() };
        assert!(ray.rays().unwrap_err().to_string().contains("below 1/4"));
    }
}
