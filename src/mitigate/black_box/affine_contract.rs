//! `affine-contract`: the value of an affine truth at one input, from pairs of a uniform point and the same drawn towards it.
//!
//! This project's version of the local mitigator of Goldwasser, Shafer, Vafa and Vaikuntanathan, "Oblivious Defense in ML
//! Models" (STOC 2025), for affine truths over a convex body: queries at correlated random points, and a median. How theirs
//! correlates the points was not at hand; the theorem and the proof here are this project's own.
//!
//! To answer at x*: t = 1 − c/n; draw y uniform on the body K; ask f at y and at z = x* + t (y − x*); `e = (f(z) − t f(y)) /
//! (1 − t)`. The answer is the median of e over R independent draws, R odd.
//!
//! **Theorem.** Let h be affine and let f be within δ of h on K except on a set A of uniform mass at most ε, with
//! p = ε (1 + t⁻ⁿ) < 1/2. Then for every x* in K the answer is within `(1 + t)/(1 − t) · δ = (2n/c − 1) δ` of h(x*), except with
//! probability at most `P[Bin(R, p) ≥ (R + 1)/2]`.
//!
//! *Proof.* z lies in K, which is convex, and is uniform on x* + t (K − x*), a body of tⁿ times the volume of K. So it falls
//! into A with probability at most t⁻ⁿ ε, and y does with at most ε. If neither does, e − h(x*) = ((f − h)(z) − t (f − h)(y)) /
//! (1 − t), because x* = (z − t y)/(1 − t) and h is affine: at most (1 + t)/(1 − t) · δ. Pairs are independent, and a median
//! is off only if at least (R + 1)/2 of them are. ∎
//!
//! p is attained for ε up to tⁿ − t²ⁿ: a shell of the gauge around x* takes y and z in turn (`adversarial-region` with the
//! sampler `contraction`). The failure probability is not: y and z enter e with opposite signs, so one error pushes e up through z and
//! down through y. Above the bar are at most the e with f − h > δ at z or f − h < −δ at y, of probability at most t⁻ⁿ ε; so
//! `2 P[Bin(R, t⁻ⁿ ε) ≥ (R + 1)/2]` bounds the failure as well, for answers that are numbers. It is not used here;
//! `experiments/breaking` measures the slack.
//! The exact tail needs p < 1/2 only; Chernoff's bound (4p(1 − p))^{R/2}, on which p < 1/4 is sometimes asked, is not used.
//!
//! Coordinates are rounded: where K lies far from 0 for its size, 2⁻⁵³ of that distance times the slope is amplified as δ is, and
//! must be well below it.
//!
//! Cost: 2R queries an answer, no clean samples. t⁻ⁿ ≈ e^c: a larger c makes the bar smaller and bears less wrong mass.
//! Beside `affine-ray`, whose queries are uniform as a mixture, this asks for more queries at the same bar and ε, since
//! 1 + e^c > 2; the defaults cost about as much and bear half the wrong mass. But it needs no more of K than points of it,
//! where `affine-ray` must know where rays leave.
use serde::{Deserialize, Serialize};

use super::super::local::{Estimate, Local, Premise, Sampler};
use super::super::rays::{body_of, caution, check_affine, check_inside, delta_of};
use super::super::repeat::{Repetition, Wanted};
use super::super::{Mitigator, Plan, Repaired, smudge};
use crate::access::{Lab, Oracle};
use crate::domain::ConvexBody;
use crate::error::{Error, Result};
use crate::population::World;
use crate::rng::Rng;

/// The name in errors.
const METHOD: &str = "affine-contract";

/// Parameters of `affine-contract`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffineContract {
    /// c of the contraction t = 1 − c/n: between 0 and n.
    pub contraction: f64,
    /// Largest mass ε of inputs on which the suspect may be wrong; ε (1 + t⁻ⁿ) must be below 1/2.
    pub bad_mass: f64,
    /// Wanted failure probability of one answer; the number of pairs follows from it.
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

impl Default for AffineContract {
    fn default() -> Self {
        Self {
            contraction: 1.0,
            bad_mass: 0.05,
            failure: 1e-3,
            queries: None,
            delta: None,
            smudge: None,
        }
    }
}

impl AffineContract {
    fn repetition(&self, n: usize) -> Result<Repetition> {
        let Self { bad_mass, failure, queries, .. } = *self;
        let spoilt = Contraction::spoilt(self.contraction, bad_mass, n)?;
        Repetition::of(&Wanted { bad_mass, spoilt, failure, queries, per_estimate: 2, groups: 1 })
    }

    fn premise(&self, world: &World) -> Result<Premise> {
        let Self { bad_mass, smudge, .. } = *self;
        let delta = delta_of(self.delta, world)?;
        Ok(Premise { delta, bad_mass, smudge, file: "affine_contract.rs" })
    }
}

impl Mitigator for AffineContract {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        self.plan(world).map(drop)
    }

    fn plan(&self, world: &World) -> Result<Option<Plan>> {
        body_of(METHOD, world)?;
        check_affine(METHOD, world)?;
        smudge::check(self.smudge)?;
        let n = world.domain.n();
        let made = self.repetition(n)?;
        let amplification = Contraction::amplification(self.contraction, n);
        let plan = Plan {
            steps: format!("the median of {} pairs of a point and its contraction", made.size),
            queries: 2 * made.size as u64,
            failure_probability: Some(made.failure),
            error_bar: self.premise(world)?.delta.map(|delta| amplification * delta),
            amplification: Some(amplification),
            ..Plan::default()
        };
        Ok(Some(smudge::widen(plan, self.smudge)))
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let plan = self.plan(&lab.world)?.unwrap_or_default();
        let n = lab.world.domain.n();
        let repetition = self.repetition(n)?;
        let premise = self.premise(&lab.world)?;
        let mut notes = vec![format!(
            "{} pairs, {} queries an answer, for a failure probability of {:.2e}",
            repetition.size, plan.queries, repetition.failure
        )];
        notes.extend(caution(&lab.world));
        notes.extend(premise.note());
        let body = body_of(METHOD, &lab.world)?;
        let t = Contraction::share(self.contraction, n);
        let (seed, ledger, smudge) = (lab.seed, lab.ledger, self.smudge);
        let sampler = Contraction { method: METHOD, body, t };
        let local = Local { suspect, sampler, repetition, smudge, seed, ledger };
        Ok(Repaired {
            guarantee: premise.guarantee(&plan),
            assumptions: premise.assumption().into_iter().collect(),
            notes,
            ..Repaired::unclaimed(local)
        })
    }
}

/// Least contraction in units of n: below it 1 − t loses its digits.
const LEAST_CONTRACTION: f64 = 1e-6;

/// A uniform point and the same contracted towards the input, and the affine combination of them that is the input.
pub(super) struct Contraction {
    pub(super) method: &'static str,
    pub(super) body: Box<dyn ConvexBody>,
    /// What is left of the way from the input.
    pub(super) t: f64,
}

impl Contraction {
    /// t = 1 − c/n.
    pub(super) fn share(contraction: f64, n: usize) -> f64 {
        1.0 - contraction / n as f64
    }

    /// (1 + t)/(1 − t) = 2n/c − 1.
    pub(super) fn amplification(contraction: f64, n: usize) -> f64 {
        2.0 * n as f64 / contraction - 1.0
    }

    /// The probability that a pair has a point in a set of mass `bad_mass`, at most.
    pub(super) fn spoilt(contraction: f64, bad_mass: f64, n: usize) -> Result<f64> {
        if !(contraction >= LEAST_CONTRACTION * n as f64 && contraction < n as f64) {
            let want = format!(
                "a number below n = {n} and at least {LEAST_CONTRACTION:e} of it is needed"
            );
            return Err(Error::parameter("contraction", contraction, want));
        }
        if !(0.0..1.0).contains(&bad_mass) {
            return Err(Error::parameter(
                "bad_mass",
                bad_mass,
                "a mass from 0 to below 1 is needed",
            ));
        }
        if bad_mass <= 0.0 {
            return Ok(0.0);
        }
        Ok((bad_mass * (1.0 + Self::share(contraction, n).powf(-(n as f64)))).min(1.0))
    }
}

impl Sampler for Contraction {
    fn queries(&self) -> usize {
        2
    }

    /// The contracted point (3n), the combination (3), and the sample where it takes more than a few operations a coordinate.
    fn flops(&self, n: usize) -> u64 {
        3 * n as u64 + self.body.sample_flops() + 3
    }

    fn admit(&self, star: &[f64], row: usize) -> Result<()> {
        check_inside(self.method, &*self.body, star, row)
    }

    fn draw(&self, star: &[f64], rng: &mut Rng, to: Estimate<'_>) {
        let (y, z) = to.points.split_at_mut(star.len());
        self.body.sample_into(rng, y, to.room);
        for ((z, y), x) in z.iter_mut().zip(y).zip(star) {
            *z = x + self.t * (*y - x);
        }
        // (f(z) − t f(y)) / (1 − t); the points are y and z.
        to.weights.copy_from_slice(&[-self.t, 1.0]);
        *to.divisor = 1.0 - self.t;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::binomial_tail;

    #[test]
    fn the_plan_has_the_closed_forms_of_the_theorem() {
        // n = 4, c = 1: t = 3/4, t⁻⁴ = 256/81, so p = 0.05 · 337/81; bar (1 + 3/4)/(1/4) = 7 δ.
        let method = AffineContract { bad_mass: 0.05, ..AffineContract::default() };
        assert!((Contraction::amplification(1.0, 4) - 7.0).abs() < 1e-12);
        let p = 0.05 * 337.0 / 81.0;
        assert!((Contraction::spoilt(1.0, 0.05, 4).unwrap() - p).abs() < 1e-12);
        let made = method.repetition(4).unwrap();
        let m = made.size as u64;
        assert!((made.failure - binomial_tail(m, p, m.div_ceil(2))).abs() < 1e-15);
        assert!(made.failure <= 1e-3 && binomial_tail(m - 2, p, (m - 2).div_ceil(2)) > 1e-3);
    }

    #[test]
    fn wrong_parameters_are_named() {
        let said = |method: AffineContract, n: usize| method.repetition(n).unwrap_err().to_string();
        let at = |contraction, bad_mass| AffineContract {
            contraction,
            bad_mass,
            ..AffineContract::default()
        };
        assert!(said(at(0.0, 0.1), 4).contains("contraction = 0"));
        assert!(said(at(4.0, 0.1), 4).contains("contraction = 4"));
        // So little that 1 − t would have no digits left; and t⁻ⁿ beyond all numbers is harmless where no mass is wrong.
        assert!(said(at(1e-17, 0.0), 4).contains("contraction = "));
        assert!(Contraction::spoilt(63.999_999_9, 0.0, 64).unwrap() <= 0.0);
        // 0.125 · (1 + 256/81) = 0.52.
        assert!(said(at(1.0, 0.125), 4).contains("bad_mass = 0.125"));
        assert!(said(at(1.0, -0.1), 4).contains("bad_mass = -0.1"));
        assert!(said(at(1.0, f64::NAN), 4).contains("bad_mass = NaN"));
    }
}
