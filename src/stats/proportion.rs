//! Proportions, and the exact binomial interval of Clopper and Pearson (Biometrika 1934).
use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF};

use super::{CONFIDENCE, Estimate};

/// So many hits of so many trials.
///
/// ```
/// use absolve::stats::Proportion;
/// let p = Proportion { hits: 0, of: 100 }.estimate();
/// // No hit in n trials: the upper end is 1 − (0.025)^(1/n).
/// assert!((p.high - (1.0 - 0.025_f64.powf(0.01))).abs() < 1e-9);
/// assert!(p.low.abs() < 1e-12 && p.value.abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proportion {
    /// Trials that hit.
    pub hits: u64,
    /// All trials.
    pub of: u64,
}

impl Proportion {
    /// Counts how many of `trials` are true.
    pub fn count(trials: impl IntoIterator<Item = bool>) -> Self {
        let mut counted = Self { hits: 0, of: 0 };
        for hit in trials {
            counted.hits += u64::from(hit);
            counted.of += 1;
        }
        counted
    }

    /// The share of hits, or NaN of no trials.
    pub fn value(self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    /// The share of hits with its Clopper-Pearson interval; of no trials, NaN in [0, 1].
    pub fn estimate(self) -> Estimate {
        let (low, high) = clopper_pearson(self, CONFIDENCE);
        Estimate { value: self.value(), low, high }
    }
}

/// The exact two-sided interval for a proportion: it covers with at least `confidence`, whatever the truth.
pub fn clopper_pearson(p: Proportion, confidence: f64) -> (f64, f64) {
    let (hits, misses) = (p.hits as f64, (p.of - p.hits) as f64);
    let tail = (1.0 - confidence) / 2.0;
    let beta_quantile = |a: f64, b: f64, q: f64| match Beta::new(a, b) {
        Ok(beta) => beta.inverse_cdf(q),
        Err(_) => f64::NAN,
    };
    let low = if p.hits == 0 { 0.0 } else { beta_quantile(hits, misses + 1.0, tail) };
    let high = if p.hits == p.of { 1.0 } else { beta_quantile(hits + 1.0, misses, 1.0 - tail) };
    (low, high)
}

/// The probability that of `n` independent trials, each true with probability `p`, at least `k` are true.
pub fn binomial_tail(n: u64, p: f64, k: u64) -> f64 {
    match Binomial::new(p.clamp(0.0, 1.0), n) {
        _ if k == 0 => 1.0,
        Ok(binomial) => binomial.sf(k - 1),
        Err(_) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clopper_pearson_agrees_with_published_values() {
        // 10 of 100: [0.0490, 0.1762] (R: binom.test(10, 100)$conf.int, 0.04900469 0.17622260).
        let (low, high) = clopper_pearson(Proportion { hits: 10, of: 100 }, 0.95);
        assert!((low - 0.049_004_69).abs() < 1e-6, "{low}");
        assert!((high - 0.176_222_60).abs() < 1e-6, "{high}");
    }

    #[test]
    fn the_interval_covers_at_least_as_often_as_it_says() {
        // Exact coverage by summing the binomial over all counts, no simulation.
        for p in [0.02, 0.3, 0.5, 0.97] {
            let n = 40;
            let covered: f64 = (0..=n)
                .filter(|&hits| {
                    let (low, high) = clopper_pearson(Proportion { hits, of: n }, 0.95);
                    low <= p && p <= high
                })
                .map(|hits| binomial_tail(n, p, hits) - binomial_tail(n, p, hits + 1))
                .sum();
            assert!(covered >= 0.95, "coverage {covered} at {p}");
        }
    }

    #[test]
    fn the_binomial_tail_matches_a_hand_count() {
        // Three coins, at least two heads: (3 + 1) / 8.
        assert!((binomial_tail(3, 0.5, 2) - 0.5).abs() < 1e-12);
        assert!((binomial_tail(3, 0.2, 0) - 1.0).abs() < 1e-12);
        assert!(binomial_tail(3, 0.2, 4).abs() < 1e-12);
        assert!(binomial_tail(3, 0.0, 1).abs() < 1e-12);
    }
}
