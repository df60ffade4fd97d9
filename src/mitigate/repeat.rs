//! Amplification: how many independent estimates an answer needs for the failure probability that was asked for, or what
//! failure probability the queries that it may ask allow.
//!
//! An estimate is *spoilt* with probability at most p < 1/2, whatever the suspect; one that is not lies in a bar around the
//! truth. In a group of k estimates, k odd, the median lies in the bar unless (k + 1)/2 or more are spoilt. The number of
//! spoilt ones is at most binomial, in the order of laws, because estimates are independent; so with r groups of fresh estimates
//!
//! `P[any group's median is outside the bar] ≤ 1 − (1 − P[Bin(k, p) ≥ (k + 1)/2])^r`,
//!
//! and their mean lies in the bar with them, because a bar is convex. These are exact tails: Chernoff's bound
//! (4p(1 − p))^{k/2}, which is proved for the same event, asks for about twice as many estimates at p = 1/4.
use crate::error::{Error, Result};
use crate::robust::{bad_majority, median};

/// Estimates a group that are never exceeded: far beyond any useful failure probability.
const MOST_IN_A_GROUP: u64 = 10_001;
/// Estimates an answer that are never exceeded.
const MOST: u64 = 10_000_001;

/// What is asked of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Mass of inputs on which the suspect may be wrong; for errors.
    pub(super) bad_mass: f64,
    /// Probability p that an estimate is spoilt, which follows from it.
    pub(super) spoilt: f64,
    /// Failure probability of an answer.
    pub(super) failure: f64,
    /// Queries that an answer may take; given, it decides, and `failure` does not.
    pub(super) queries: Option<u64>,
    /// Queries an estimate.
    pub(super) per_estimate: usize,
    /// Groups, whose medians are averaged.
    pub(super) groups: u64,
}

/// How often estimates are drawn for an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Repetition {
    /// Number of groups.
    pub(super) groups: usize,
    /// Estimates in a group, an odd number.
    pub(super) size: usize,
    /// Probability that some group's median is outside the bar, at most.
    pub(super) failure: f64,
}

impl Repetition {
    /// The fewest estimates that keep the wanted failure probability, or as many as the queries allow.
    pub(super) fn of(wanted: &Wanted) -> Result<Self> {
        let Wanted { bad_mass, spoilt, failure, queries, per_estimate, groups } = *wanted;
        if !(failure > 0.0 && failure < 1.0) {
            let want = "a probability between 0 and 1 is needed";
            return Err(Error::parameter("failure", failure, want));
        }
        if !(0.0..0.5).contains(&spoilt) {
            let want = format!(
                "with the method's other parameters an estimate is then spoilt with a probability of up to {spoilt:.3}, and a median needs it below 1/2"
            );
            return Err(Error::parameter("bad_mass", bad_mass, want));
        }
        if groups == 0 || groups > MOST {
            let want = format!("from 1 to {MOST} groups are needed");
            return Err(Error::parameter("groups", groups, want));
        }
        let most = MOST_IN_A_GROUP.min(MOST / groups);
        let made = |size: u64| Self {
            groups: groups as usize,
            size: size as usize,
            failure: any_of(groups, bad_majority(size as usize, spoilt)),
        };
        if let Some(queries) = queries {
            let each = groups.saturating_mul(per_estimate as u64);
            let fits = queries / each;
            if fits == 0 || fits > most {
                let want = format!(
                    "an answer takes at least {each} and at most {} queries",
                    most.saturating_mul(each)
                );
                return Err(Error::parameter("queries", queries, want));
            }
            // The largest odd size that fits.
            return Ok(made(fits - (fits + 1) % 2));
        }
        (1..=most).step_by(2).map(made).find(|made| made.failure <= failure).ok_or_else(|| {
            let want = format!("with bad_mass {bad_mass} that takes over {most} estimates a group");
            Error::parameter("failure", failure, want)
        })
    }

    /// Estimates an answer.
    pub(super) fn estimates(&self) -> usize {
        self.groups * self.size
    }

    /// Operations of the median of every group, as a sort, and of their mean.
    pub(super) fn flops(&self) -> u64 {
        let size = self.size as f64;
        let sorts = self.groups as u64 * (size * size.log2()).ceil() as u64;
        if self.groups > 1 { sorts + self.groups as u64 } else { sorts }
    }

    /// The mean of the groups' medians; `estimates` come back in another order, and nothing is allocated.
    pub(super) fn answer(&self, estimates: &mut [f64]) -> f64 {
        let medians = estimates.chunks_exact_mut(self.size).map(median);
        if self.groups == 1 {
            return medians.sum();
        }
        medians.sum::<f64>() / self.groups as f64
    }
}

/// The probability that any of `n` independent events of probability `p` happens, without loss of digits.
fn any_of(n: u64, p: f64) -> f64 {
    if n == 1 { p } else { -(n as f64 * (-p).ln_1p()).exp_m1() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::binomial_tail;

    fn wanted(spoilt: f64, groups: u64) -> Wanted {
        Wanted {
            bad_mass: spoilt / 2.0,
            spoilt,
            failure: 1e-3,
            queries: None,
            per_estimate: 2,
            groups,
        }
    }

    #[test]
    fn the_size_is_the_least_odd_one_that_keeps_the_failure_probability() {
        for groups in [1, 7, 200] {
            let made = Repetition::of(&wanted(0.2, groups)).unwrap();
            let tail =
                |k: u64| 1.0 - (1.0 - binomial_tail(k, 0.2, k.div_ceil(2))).powi(groups as i32);
            let k = made.size as u64;
            assert!(k % 2 == 1 && (made.failure - tail(k)).abs() < 1e-12 && made.failure <= 1e-3);
            assert!(tail(k - 2) > 1e-3, "{made:?}");
        }
        assert_eq!(Repetition::of(&wanted(0.0, 1)).unwrap().size, 1);
    }

    #[test]
    fn a_budget_gives_the_largest_odd_size_and_the_failure_probability_that_follows() {
        // Three groups of two queries an estimate: 6, 12, 18 … queries for sizes 1, 2, 3.
        for (queries, size) in [(6, 1), (17, 1), (18, 3), (29, 3), (30, 5)] {
            let made =
                Repetition::of(&Wanted { queries: Some(queries), ..wanted(0.2, 3) }).unwrap();
            assert_eq!(made.size, size, "{queries}");
        }
        // Three estimates, two of them spoilt: 3 · 0.04 · 0.8 + 0.008 by hand.
        let made = Repetition::of(&Wanted { queries: Some(6), ..wanted(0.2, 1) }).unwrap();
        assert!((made.failure - 0.104).abs() < 1e-12);
        for queries in [0, 5, 10_u64.pow(12)] {
            let error = Repetition::of(&Wanted { queries: Some(queries), ..wanted(0.2, 3) });
            assert!(error.unwrap_err().to_string().contains("queries = "));
        }
    }

    #[test]
    fn what_no_repetition_helps_is_refused_with_the_parameter_named() {
        let said = |wanted: Wanted| Repetition::of(&wanted).unwrap_err().to_string();
        assert!(said(wanted(0.5, 1)).contains("bad_mass = 0.25"));
        assert!(said(wanted(0.499_99, 1)).contains("failure = 0.001"));
        assert!(said(wanted(0.2, 0)).contains("groups = 0"));
        assert!(said(Wanted { failure: 1.0, ..wanted(0.2, 1) }).contains("failure = 1"));
    }

    #[test]
    fn the_mean_of_medians_forgets_one_outlier_a_group() {
        let made = Repetition { groups: 2, size: 3, failure: 0.0 };
        // Medians 2 and 5.
        assert!((made.answer(&mut [1.0, 1e9, 2.0, -1e9, 5.0, 6.0]) - 3.5).abs() < 1e-15);
        assert_eq!((made.estimates(), made.flops()), (6, 2 * 5 + 2));
    }
}
