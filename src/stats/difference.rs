//! Two independent proportions: the interval of their difference, the exact test that they are equal, and many such tests.
//!
//! The interval is method 10 of Newcombe (Statistics in Medicine 17, 1998, 873-890): the score limits of Wilson (1927) for
//! each proportion, put together as squares. The test is Fisher's, one-sided. The adjustment is Holm's (Scandinavian
//! Journal of Statistics 6, 1979, 65-70), which holds whatever the tests have to do with each other.
use statrs::distribution::{ContinuousCDF, DiscreteCDF, Hypergeometric, Normal};

use super::{Estimate, Proportion};

/// The two-sided quantile of the standard normal distribution that goes with `confidence`, between 0 and 1.
fn z(confidence: f64) -> f64 {
    Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence))
}

/// Wilson's score interval for a proportion of at least one trial.
pub fn wilson(p: Proportion, confidence: f64) -> (f64, f64) {
    let (n, value, z) = (p.of as f64, p.value(), z(confidence));
    let centre = value + z * z / (2.0 * n);
    let half = z * (value * (1.0 - value) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0))
}

/// `a` − `b` with Newcombe's interval at `confidence`; both of at least one trial.
///
/// ```
/// use absolve::stats::{Proportion, newcombe};
/// // Newcombe 1998, table II, contrast (a), method 10: 56/70 − 48/80 is 0.2, from 0.0524 to 0.3339.
/// let d = newcombe(Proportion { hits: 56, of: 70 }, Proportion { hits: 48, of: 80 }, 0.95);
/// assert!((d.low - 0.0524).abs() < 1e-4 && (d.high - 0.3339).abs() < 1e-4);
/// ```
pub fn newcombe(a: Proportion, b: Proportion, confidence: f64) -> Estimate {
    let (pa, pb) = (a.value(), b.value());
    let ((la, ua), (lb, ub)) = (wilson(a, confidence), wilson(b, confidence));
    let value = pa - pb;
    Estimate {
        value,
        low: value - (pa - la).hypot(ub - pb),
        high: value + (ua - pa).hypot(pb - lb),
    }
}

/// Fisher's exact test: the probability of at least so many hits in `a` if both proportions are one, given all hits.
pub fn fisher_greater(a: Proportion, b: Proportion) -> f64 {
    match Hypergeometric::new(a.of + b.of, a.hits + b.hits, a.of) {
        _ if a.hits == 0 => 1.0,
        Ok(law) => law.sf(a.hits - 1).clamp(0.0, 1.0),
        Err(_) => f64::NAN,
    }
}

/// Holm's adjusted p-values, in the order of `p`: rejecting those of at most α is wrong anywhere with probability at most α.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    let mut adjusted = vec![1.0; p.len()];
    let mut least: f64 = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        least = least.max(((p.len() - rank) as f64 * p[i]).min(1.0));
        adjusted[i] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_of_all_and_none_has_the_published_interval() {
        // Newcombe 1998, table II, contrast (h), method 10: 10/10 − 0/10 is 1, from 0.6075 to 1.
        let d = newcombe(Proportion { hits: 10, of: 10 }, Proportion { hits: 0, of: 10 }, 0.95);
        assert!((d.low - 0.6075).abs() < 1e-4 && (d.high - 1.0).abs() < 1e-12, "{d:?}");
    }

    #[test]
    fn the_lady_who_tasted_tea_has_her_p_value() {
        // Fisher 1935: three of four cups right, 17/70; all four right, 1/70.
        let p =
            |hits| fisher_greater(Proportion { hits, of: 4 }, Proportion { hits: 4 - hits, of: 4 });
        assert!((p(3) - 17.0 / 70.0).abs() < 1e-9 && (p(4) - 1.0 / 70.0).abs() < 1e-9);
        assert!((p(0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn holm_steps_down() {
        // By hand: 4·0.005, 3·0.01, 2·0.03, then 1·0.04, which may not be below the 0.06 before it.
        let got = holm(&[0.01, 0.04, 0.03, 0.005]);
        let want = [0.03, 0.06, 0.06, 0.02];
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-12), "{got:?}");
    }
}
