//! `affine-average`: the mean of medians of estimates of an affine truth, for models whose errors are random.
//!
//! This project's version of the improved local mitigator of Goldwasser, Shafer, Vafa and Vaikuntanathan, "Oblivious Defense
//! in ML Models" (STOC 2025), which averages the random errors of a truth with random noise by a mean of medians. The bounds
//! and their proofs are this project's own.
//!
//! Estimates at x* are drawn as by `affine-ray` or `affine-contract`, r groups of k of them, k odd, every one from fresh
//! points: the answer is the mean of the groups' medians. An estimate is *good* if no query of it falls into the set A of mass
//! at most ε on which f is farther than δ from h; it is good except with probability at most p (2ε, or ε (1 + t⁻ⁿ)), and then
//! within b of h(x*), the bar of one estimate.
//!
//! **Theorem.** Let η₁ = 1 − (1 − P[Bin(k, p) ≥ (k + 1)/2])^r and 0 < η < 1.
//! 1. For every such f the answer is within b of h(x*), except with probability at most η₁.
//! 2. For every such f there is a number m(f, x*) within b of h(x*) with the answer within `b √(2 ln(2/η)/r)` of it, except
//!    with probability at most η₁ + η.
//! 3. If besides the error of a good estimate is symmetric around 0, the answer is within `b (β + √(2 ln(2/η)/r))` of h(x*),
//!    except with probability at most η₁ + η, where β = E[1 − 2 P[Bin(k − B, 1/2) ≥ (k + 1)/2]] for B ~ Bin(k, p) given
//!    B ≤ (k − 1)/2; β ≈ 0.8 √k p.
//!
//! *Proof.* (1) is the lemma of `mitigate/repeat.rs`. (2) Let E be the event that in every group at most (k − 1)/2 estimates are
//! bad. Groups are independent, also given E, and have one law, and given E their medians lie in an interval of length 2b;
//! so Hoeffding's inequality (1963) bounds the distance of their mean from its expectation m, which lies there too.
//! (3) In a group with B bad estimates put the bad ones at +∞: the median rises to M⁺, which is the good estimate of rank
//! (k + 1)/2 of g = k − B. With Q the quantile function of a good error over b, from −1 to 1, E[M⁺ − h(x*)]/b = ∫ Q(u) w(u) du,
//! where w is the density of the law Beta(j, g − j + 1), j = (k + 1)/2. By symmetry Q(1 − u) = −Q(u), so this is ∫ Q(u) (w(u) − w(1 − u))
//! du over (1/2, 1). Since j ≥ g − j + 1 the bracket is not negative there, so the integral is largest at Q = 1, a fair
//! coin: 1 − 2 P[Beta < 1/2] = 1 − 2 P[Bin(g, 1/2) ≥ j]. That rises with B, and B given E is largest in the order of laws if
//! estimates are bad with probability p exactly. So the mean of M⁺, by Hoeffding's inequality on one side, is at most
//! h(x*) + b (β + √(2 ln(2/η)/r)) except with probability η/2; and so from below. The bad ones may be anything, and may
//! depend on all the rest: `robust::bias_of_medians` bounds the bias for good errors of any shape, but for outliers that do not. ∎
//!
//! When (3) applies: f(x) = h(x) + ξ(x) off A with errors ξ(x) that are independent of the queries and of each other and
//! symmetric around 0 in [−δ, δ]; points are distinct, so good estimates are then independent given the points. Or a fixed f
//! for which a good estimate is symmetric over the coins of its points; independence then needs fresh points for each
//! estimate, not one direction for many. The mitigator cannot check it, and a smooth error of a trained net is not symmetric: then
//! (1) and (2) are what is claimed. At constant ε the bias β b stays: nothing below Ω(ε b) is possible.
//!
//! Cost: 2 r k queries an answer, no clean samples. The guarantee that is scored is (1). k follows from `failure` and r.
use serde::{Deserialize, Serialize};

use super::super::local::{Local, Premise, Sampler};
use super::super::rays::{body_of, caution, check_affine, delta_of};
use super::super::repeat::{Repetition, Wanted};
use super::super::{Claim, Mitigator, Plan, Repaired, smudge};
use super::affine_contract::Contraction;
use super::affine_ray::Rays;
use crate::access::{Lab, Oracle};
use crate::error::{Error, Result};
use crate::population::World;
use crate::stats::binomial_tail;

/// The name in errors.
const METHOD: &str = "affine-average";

/// How one estimate is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Draw {
    /// Two points of a random ray, as by `affine-ray`.
    #[default]
    Ray,
    /// A point and its contraction, as by `affine-contract`.
    Contract,
}

/// Parameters of `affine-average`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffineAverage {
    /// How estimates are drawn.
    pub draw: Draw,
    /// c of the contraction t = 1 − c/n. Not read for rays.
    pub contraction: f64,
    /// r: the groups whose medians are averaged.
    pub groups: u64,
    /// Largest mass ε of inputs on which the suspect may be wrong.
    pub bad_mass: f64,
    /// Wanted probability that an answer leaves its bar, from which the size of groups follows, and as much again of leaving
    /// the narrower bar of symmetric errors.
    pub failure: f64,
    /// Queries that an answer may take. Given, the size of groups follows from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<u64>,
    /// Closeness δ on the other inputs, for the error bar. Not given: what the class promises, and no bar if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// Half-width of uniform noise on answers, which hides the suspect. Not given: no noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smudge: Option<f64>,
}

impl Default for AffineAverage {
    fn default() -> Self {
        Self {
            draw: Draw::Ray,
            contraction: 1.0,
            groups: 101,
            bad_mass: 0.01,
            failure: 1e-3,
            queries: None,
            delta: None,
            smudge: None,
        }
    }
}

impl AffineAverage {
    /// How likely an estimate is spoilt, and how much it amplifies errors.
    fn estimate(&self, n: usize) -> Result<(f64, f64)> {
        let Self { bad_mass, contraction, .. } = *self;
        if !(0.0..1.0).contains(&bad_mass) {
            return Err(Error::parameter(
                "bad_mass",
                bad_mass,
                "a mass from 0 to below 1 is needed",
            ));
        }
        Ok(match self.draw {
            Draw::Ray => (Rays::spoilt(bad_mass), Rays::amplification(n)),
            Draw::Contract => (
                Contraction::spoilt(contraction, bad_mass, n)?,
                Contraction::amplification(contraction, n),
            ),
        })
    }

    fn repetition(&self, n: usize) -> Result<Repetition> {
        let Self { bad_mass, failure, queries, groups, .. } = *self;
        let (spoilt, _) = self.estimate(n)?;
        Repetition::of(&Wanted { bad_mass, spoilt, failure, queries, per_estimate: 2, groups })
    }

    fn premise(&self, world: &World) -> Result<Premise> {
        let Self { bad_mass, smudge, .. } = *self;
        let delta = delta_of(self.delta, world)?;
        Ok(Premise { delta, bad_mass, smudge, file: "affine_average.rs" })
    }

    fn sampler(&self, world: &World) -> Result<Box<dyn Sampler>> {
        let (method, body) = (METHOD, body_of(METHOD, world)?);
        Ok(match self.draw {
            Draw::Ray => Box::new(Rays { method, body }),
            Draw::Contract => {
                let t = Contraction::share(self.contraction, world.domain.n());
                Box::new(Contraction { method, body, t })
            }
        })
    }
}

/// β: the bias of a group's median in bars, at most, for good errors that are symmetric and groups without a bad majority.
fn bias(size: usize, spoilt: f64) -> f64 {
    let k = size as u64;
    let majority = k.div_ceil(2);
    let (mut mean, mut mass) = (0.0, 0.0);
    for bad in 0..majority {
        let chance = binomial_tail(k, spoilt, bad) - binomial_tail(k, spoilt, bad + 1);
        mean += chance * (1.0 - 2.0 * binomial_tail(k - bad, 0.5, majority));
        mass += chance;
    }
    (mean / mass).max(0.0)
}

/// The half-width in bars of Hoeffding's interval for a mean of `groups` medians.
fn spread(groups: usize, failure: f64) -> f64 {
    (2.0 * (2.0 / failure).ln() / groups as f64).sqrt()
}

impl Mitigator for AffineAverage {
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
        let (spoilt, amplification) = self.estimate(n)?;
        let bar = self.premise(world)?.delta.map(|delta| amplification * delta);
        let share = (bias(made.size, spoilt) + spread(made.groups, self.failure)).min(1.0);
        let failure_probability = (made.failure + self.failure).min(1.0);
        let plan = Plan {
            steps: format!(
                "the mean of {} medians of {} estimates of two queries",
                made.groups, made.size
            ),
            queries: 2 * made.estimates() as u64,
            failure_probability: Some(made.failure),
            error_bar: bar,
            amplification: Some(amplification),
            if_symmetric: bar.map(|bar| Claim { error_bar: share * bar, failure_probability }),
            ..Plan::default()
        };
        Ok(Some(smudge::widen(plan, self.smudge)))
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let plan = self.plan(&lab.world)?.unwrap_or_default();
        let repetition = self.repetition(lab.world.domain.n())?;
        let premise = self.premise(&lab.world)?;
        let mut notes = vec![format!(
            "{} groups of {} estimates, {} queries an answer, for a failure probability of {:.2e}",
            repetition.groups, repetition.size, plan.queries, repetition.failure
        )];
        if let Some(Claim { error_bar, failure_probability }) = plan.if_symmetric {
            notes.push(format!(
                "if the error of a good estimate is symmetric around 0, each answer is within {error_bar:.4} of the truth \
                 except with probability {failure_probability:.2e}; that is an assumption, and it is not checked"
            ));
        }
        notes.extend(caution(&lab.world));
        notes.extend(premise.note());
        let local = Local {
            suspect,
            sampler: self.sampler(&lab.world)?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::RngExt;

    #[test]
    fn the_bias_is_that_of_coins_with_every_outlier_on_one_side() {
        // k = 3, B ∈ {0, 1}: a group without an outlier has no bias; with one, the median is the larger of two coins, with mean
        // 1 − 2 · 1/4 = 1/2. P[B = 1 | B ≤ 1] = 3p(1 − p)² / ((1 − p)³ + 3p(1 − p)²) = 3p / (1 + 2p).
        let p = 0.1;
        assert!((bias(3, p) - 0.5 * 3.0 * p / (1.0 + 2.0 * p)).abs() < 1e-12);
        assert!(bias(1, 0.3).abs() < 1e-12 && bias(9, 0.0).abs() < 1e-12);
        // 0.8 √k p for small p: √(2/π) √k p is the slope for large k.
        assert!(
            (bias(101, 1e-4) / ((2.0 / std::f64::consts::PI * 101.0).sqrt() * 1e-4) - 1.0).abs()
                < 0.02
        );
    }

    #[test]
    fn the_bias_is_attained_by_coins_and_outliers_above() {
        // 40,000 groups of nine coins, each replaced by +1e9 with probability 0.1. Medians of groups without a bad majority are ±1
        // with mean β; six standard errors are 0.03 (false alarm below 1e-8).
        let mut rng = crate::rng::Seed::new(3).stream("coins");
        let (size, p) = (9, 0.1);
        let (mut sum, mut count) = (0.0, 0.0);
        for _ in 0..40_000 {
            let mut bad = 0;
            let mut group: Vec<f64> = (0..size)
                .map(|_| {
                    let coin = crate::rng::sign(&mut rng);
                    let spoilt = rng.random::<f64>() < p;
                    bad += usize::from(spoilt);
                    if spoilt { 1e9 } else { coin }
                })
                .collect();
            if bad <= size / 2 {
                sum += Repetition { groups: 1, size, failure: 0.0 }.answer(&mut group);
                count += 1.0;
            }
        }
        let (got, want) = (sum / count, bias(size, p));
        assert!((got - want).abs() < 0.03 && want > 0.2, "{got} {want}");
    }

    #[test]
    fn the_size_of_groups_keeps_the_failure_of_all_groups_together() {
        let method = AffineAverage { groups: 50, ..AffineAverage::default() };
        let made = method.repetition(8).unwrap();
        let all = |k: u64| 1.0 - (1.0 - binomial_tail(k, 0.02, k.div_ceil(2))).powi(50);
        let k = made.size as u64;
        assert!((made.failure - all(k)).abs() < 1e-12 && all(k) <= 1e-3 && all(k - 2) > 1e-3);
        assert!((spread(200, 2.0 / 1f64.exp()) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn wrong_parameters_are_named() {
        let said = |method: AffineAverage| method.repetition(4).unwrap_err().to_string();
        let base = AffineAverage::default();
        assert!(said(AffineAverage { bad_mass: 0.25, ..base }).contains("bad_mass = 0.25"));
        assert!(said(AffineAverage { groups: 0, ..base }).contains("groups = 0"));
        assert!(said(AffineAverage { queries: Some(201), ..base }).contains("queries = 201"));
        let contract = AffineAverage { draw: Draw::Contract, contraction: 9.0, ..base };
        assert!(said(contract).contains("contraction = 9"));
    }
}
