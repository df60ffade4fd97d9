//! `affine-gauss`: the value of an affine truth at one input where inputs are normal, from three queries an estimate.
//!
//! This project's own, after the remark of the design notes that normal inputs reach an amplification of √n, where bodies
//! take n. It differs from the pair c x* ± √(1 − c²) g of those notes: queries are shifted and not shrunken, for then the worst
//! set is known exactly, and the shift has one length for all inputs.
//!
//! To answer at x*: with a shift s > 0 let c = min(1, s/|x*|) and v = c x*; draw g ~ N(0, I); ask f at g + v, g − v and v − g;
//!
//! `e = a f(g + v) + (1/2 − a) f(g − v) + f(v − g)/2` with `a = 1/(2c)`.
//!
//! The answer is the median of e over R independent draws, R odd.
//!
//! **Theorem.** Let h be affine and let f be within δ of h except on a set A of N(0, I)-mass at most ε. Let
//! `p = 3 Φ(Φ⁻¹(ε) + min(s, |x*|)) < 1/2`. Then for every x* the answer is within `max(1, |x*|/s) · δ` of h(x*), except with
//! probability at most `P[Bin(R, p) ≥ (R + 1)/2]`.
//!
//! *Proof.* The weights sum to 1, and a (g + v) + (1/2 − a)(g − v) + (v − g)/2 = 2a v = x* for every g; so e is h(x*) if f is
//! h, and off by at most δ (a + (a − 1/2) + 1/2) = 2a δ = δ/c if no query is in A. Each query has the law N(±v, I). By the lemma of Neyman
//! and Pearson the sets of a given mass under N(0, I) that N(v, I) gives most are the half-spaces across v, so each query is in A
//! with probability at most Φ(Φ⁻¹(ε) + |v|), and |v| = min(s, |x*|). Add the three. Draws are independent, and a median is off
//! only if at least (R + 1)/2 of them are. ∎
//!
//! So |x*| ≤ r √n gives a bar of r √n δ/s at a cost that does not depend on n, and there is a claim at every x*: the bar grows
//! with |x*|, and comes with each answer, as does the failure probability, which is smaller where |x*| < s. The density
//! ratio of the shrunken pair with c = κ/√n is bounded by Cauchy and Schwarz: p ≤ 2 √(ε e^{κ²}) (1 − c⁴)^{−n/4} + 2ε for
//! |x*| = √n; at ε = 0.01 and κ = 1, where the bar is (2 √n − 1) δ, that is 0.35. Here s = 1/2 gives a bar of 2 √n δ and p = 0.10.
//!
//! Cost: 3R queries an answer, no clean samples.
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::super::local::{Estimate, Local, Premise, Sampler};
use super::super::rays::{check_affine, delta_of};
use super::super::repeat::{Repetition, Wanted};
use super::super::{Assumption, Claim, Guarantee, Mitigator, Plan, Repaired, smudge};
use crate::access::{Lab, Oracle};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;
use crate::rng::{Rng, normal};
use crate::stats::binomial_tail;

/// The name in errors.
const METHOD: &str = "affine-gauss";

/// Parameters of `affine-gauss`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffineGauss {
    /// s: how far queries are shifted, in standard deviations of a coordinate. A larger one makes the bar smaller and bears
    /// less wrong mass.
    pub shift: f64,
    /// Largest mass ε of inputs on which the suspect may be wrong; 3 Φ(Φ⁻¹(ε) + s) must be below 1/2.
    pub bad_mass: f64,
    /// Wanted failure probability of one answer; the number of draws follows from it.
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

impl Default for AffineGauss {
    fn default() -> Self {
        Self { shift: 0.5, bad_mass: 0.02, failure: 1e-3, queries: None, delta: None, smudge: None }
    }
}

/// p: the probability that one of three queries is in a set of mass `bad_mass`, at most, when they are shifted by `shift`.
fn spoilt(bad_mass: f64, shift: f64) -> f64 {
    if bad_mass <= 0.0 {
        return 0.0;
    }
    let normal = Normal::standard();
    (3.0 * normal.cdf(normal.inverse_cdf(bad_mass) + shift)).min(1.0)
}

fn length(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

impl AffineGauss {
    fn repetition(&self) -> Result<Repetition> {
        let Self { shift, bad_mass, failure, queries, .. } = *self;
        if !(shift > 0.0 && shift.is_finite()) {
            return Err(Error::parameter("shift", shift, "a positive number is needed"));
        }
        if !(0.0..1.0).contains(&bad_mass) {
            return Err(Error::parameter(
                "bad_mass",
                bad_mass,
                "a mass from 0 to below 1 is needed",
            ));
        }
        let spoilt = spoilt(bad_mass, shift);
        Repetition::of(&Wanted { bad_mass, spoilt, failure, queries, per_estimate: 3, groups: 1 })
    }

    fn premise(&self, world: &World) -> Result<Premise> {
        let Self { bad_mass, smudge, .. } = *self;
        let delta = delta_of(self.delta, world)?;
        Ok(Premise { delta, bad_mass, smudge, file: "affine_gauss.rs" })
    }

    /// What is claimed of the answer at `x`, from `size` draws.
    fn claim(&self, delta: f64, size: usize, x: &[f64]) -> Claim {
        let length = length(x);
        let (m, p) = (size as u64, spoilt(self.bad_mass, self.shift.min(length)));
        Claim {
            error_bar: (length / self.shift).max(1.0) * delta
                + self.smudge.map_or(0.0, smudge::growth),
            failure_probability: binomial_tail(m, p, m.div_ceil(2)),
        }
    }
}

impl Mitigator for AffineGauss {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        self.plan(world).map(drop)
    }

    fn plan(&self, world: &World) -> Result<Option<Plan>> {
        if world.target != Target::Real {
            let why = "it restores real values, and these labels are classes or signs";
            return Err(Error::assumption(METHOD, why));
        }
        if !matches!(world.domain, Domain::Gauss { .. }) {
            let why = "inputs must be independent standard normal numbers (domain gauss); on a convex body affine-ray applies";
            return Err(Error::assumption(METHOD, why));
        }
        check_affine(METHOD, world)?;
        smudge::check(self.smudge)?;
        self.premise(world)?;
        let made = self.repetition()?;
        Ok(Some(Plan {
            steps: format!(
                "the median of {} draws of three queries, with an error bar of max(1, |x|/{}) δ{} at x",
                made.size,
                self.shift,
                smudge::addend(self.smudge)
            ),
            queries: 3 * made.size as u64,
            failure_probability: Some(made.failure),
            ..Plan::default()
        }))
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let plan = self.plan(&lab.world)?.unwrap_or_default();
        let repetition = self.repetition()?;
        let premise = self.premise(&lab.world)?;
        let mut notes = vec![format!(
            "{} draws, {} queries an answer, for a failure probability of {:.2e}",
            repetition.size, plan.queries, repetition.failure
        )];
        notes.extend(premise.note());
        if let (Some(width), Some(delta)) = (self.smudge, premise.delta) {
            let far = self.shift * width / delta;
            notes.push(format!(
                "the laws of an answer at x on any two such suspects are within η + (1 − η) min(1, max(1, |x|/{}) δ/{width}) in \
                 total variation (η: the failure probability): nothing from |x| = {far:.3} on",
                self.shift
            ));
        }
        let method = *self;
        let local = Local {
            suspect,
            sampler: Shifted { shift: self.shift },
            repetition,
            smudge: self.smudge,
            seed: lab.seed,
            ledger: lab.ledger,
        };
        Ok(Repaired {
            guarantee: premise.delta.map(|delta| Guarantee {
                statement: format!(
                    "each answer at x is within max(1, |x|/{}) δ{} of the truth (δ = {delta}), if the suspect is within δ of an \
                     affine truth but for a mass of at most {} of inputs (proof: mitigate/black_box/affine_gauss.rs)",
                    self.shift,
                    smudge::addend(self.smudge),
                    self.bad_mass
                ),
                error_bar: None,
                failure_probability: repetition.failure,
            }),
            assumptions: premise.assumption().into_iter().collect::<Vec<Assumption>>(),
            claims: Some(Box::new(move |x| {
                premise.delta.map(|delta| method.claim(delta, repetition.size, x))
            })),
            notes,
            ..Repaired::unclaimed(local)
        })
    }
}

/// Three points around a normal one, and the affine combination of them that is the input.
struct Shifted {
    shift: f64,
}

impl Sampler for Shifted {
    fn queries(&self) -> usize {
        3
    }

    /// The length of the input (2n), the shift (n), three points (3n), weights and combination (8).
    fn flops(&self, n: usize) -> u64 {
        6 * n as u64 + 8
    }

    /// The theorem holds at every input whose length is a number.
    fn admit(&self, star: &[f64], row: usize) -> Result<()> {
        if length(star).is_finite() {
            return Ok(());
        }
        Err(Error::assumption(METHOD, format!("input {row} is too far from 0 to have a length")))
    }

    fn draw(&self, star: &[f64], rng: &mut Rng, to: Estimate<'_>) {
        // c = min(1, s/|x*|), and 1 at x* = 0.
        let c = (self.shift / length(star)).min(1.0);
        let (ahead, rest) = to.points.split_at_mut(star.len());
        let (behind, mirrored) = rest.split_at_mut(star.len());
        for (((ahead, behind), mirrored), x) in ahead.iter_mut().zip(behind).zip(mirrored).zip(star)
        {
            let (g, v) = (normal(rng), c * x);
            *ahead = g + v;
            *behind = g - v;
            *mirrored = v - g;
        }
        let a = 0.5 / c;
        to.weights.copy_from_slice(&[a, 0.5 - a, 0.5]);
        *to.divisor = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn three_points_combine_to_the_input_with_weights_that_sum_to_one() {
        let mut rng = Seed::new(1).stream("points");
        for (star, sizes) in [([3.0, 4.0], 10.0), ([0.3, 0.4], 1.0), ([0.0, 0.0], 1.0)] {
            let (mut points, mut weights, mut divisor) = ([0.0; 6], [0.0; 3], 0.0);
            let (points, weights) = (&mut points, &mut weights);
            let (divisor, room) = (&mut divisor, &mut Vec::new());
            let to = Estimate { points, weights, divisor, room };
            Shifted { shift: 0.5 }.draw(&star, &mut rng, to);
            for (i, x) in star.iter().enumerate() {
                let sum: f64 = (0..3).map(|k| weights[k] * points[2 * k + i]).sum();
                assert!((sum - x).abs() < 1e-12);
            }
            assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            // max(1, |x|/s): lengths 5, 1/2 and 0.
            assert!((weights.iter().map(|w| w.abs()).sum::<f64>() - sizes).abs() < 1e-12);
        }
    }

    #[test]
    fn the_mass_of_a_shifted_half_space_is_the_closed_form() {
        // Φ⁻¹(Φ(−1)) + 1/2 = −1/2, and Φ(−1) = 0.158655, Φ(−1/2) = 0.308538.
        assert!((spoilt(0.158_655_253_931_457, 0.5) - 3.0 * 0.308_537_538_725_987).abs() < 1e-9);
        assert!(spoilt(0.0, 3.0).abs() < 1e-12 && (spoilt(0.5, 1.0) - 1.0).abs() < 1e-12);
    }
}
