//! What randomised smoothing certifies: how far noise moves probabilities, at worst.
//!
//! Let G(x) be x under noise, and let an event have probability p at x. At an x' at distance r it has probability at least
//! `least(p, r)`, by the lemma of Neyman and Pearson: the worst event is filled in the order of the likelihood ratio of
//! G(x') to G(x), least first.
//!
//! - **Gaussian**, G(x) = x + σ z, r in the Euclidean norm: the ratio grows along x' − x, so the worst event is a
//!   half-space, and `least(p, r) = Φ(Φ⁻¹(p) − r/σ)` (Cohen, Rosenfeld, Kolter, "Certified Adversarial Robustness via
//!   Randomized Smoothing", ICML 2019).
//! - **Bit flips** on the cube, each coordinate with probability β < ½, r in coordinates: the ratio depends on G only
//!   through the number w of the r coordinates that look like x', and is ((1 − β)/β)^(2w − r). So the worst event is filled
//!   with small w first; w is Bin(r, β) at x and Bin(r, 1 − β) at x' (Lee, Yuan, Chang, Jaakkola, "Tight Certificates of
//!   Adversarial Robustness for Randomly Smoothed Classifiers", `NeurIPS` 2019).
//!
//! **Classes.** If the suspect gives class A to G(x) with probability at least p > ½, it is the most frequent class at
//! every x' with `least(p, r) > ½`. With p a lower Clopper-Pearson limit at 1 − α that is certain but for a probability of
//! at most α.
//!
//! **Numbers** (Chiang et al., "Detection as Regression: Certified Object Detection by Median Smoothing", `NeurIPS` 2020).
//! Let m(x') be the median of the answers to G(x'), and h(q) the q-quantile at x. Then h(q) ≤ m(x') ≤ h(1 − q) with q =
//! `least(½, r)`. *Proof.* If y < h(q), then P[f(G(x)) ≤ y] < q, so at x' it is below ½, because the largest probability
//! there and the least one here are inverse to each other: hence m(x') > y. The other side is the same with signs turned. ∎
//! Of M answers, sorted, the l-th is at most h(q) unless fewer than l of them are: l is the largest with P[Bin(M, q) < l] ≤
//! α/2, and by symmetry the (M + 1 − l)-th is at least h(1 − q).
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::factorial::ln_binomial;

use crate::stats::{Proportion, binomial_tail, clopper_pearson};

/// Noise that a certificate is known for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Noise {
    /// A normal number on every coordinate.
    Gaussian {
        /// Its standard deviation σ.
        sigma: f64,
    },
    /// A change of sign of every coordinate on the cube.
    Flips {
        /// Its probability β, below ½.
        probability: f64,
    },
}

impl Noise {
    /// The least probability, at distance `r`, of an event that has probability `p` here.
    ///
    /// ```
    /// use absolve::mitigate::Noise;
    /// // One coordinate: with p ≤ 1 − β the worst event is part of "it was not flipped", p β/(1 − β).
    /// let flips = Noise::Flips { probability: 0.1 };
    /// assert!((flips.least(0.45, 1.0) - 0.05).abs() < 1e-12);
    /// ```
    pub fn least(self, p: f64, r: f64) -> f64 {
        if r <= 0.0 {
            return p;
        }
        match self {
            Self::Gaussian { sigma } => {
                let normal = Normal::standard();
                normal.cdf(normal.inverse_cdf(p.clamp(0.0, 1.0)) - r / sigma)
            }
            Self::Flips { probability } => {
                let r = r.floor() as u64;
                let (hit, miss) = (probability.ln(), (1.0 - probability).ln());
                let (mut left, mut sum) = (p, 0.0);
                for w in 0..=r {
                    let (like, unlike) = (w as f64, (r - w) as f64);
                    let ways = ln_binomial(r, w);
                    let here = (ways + like * hit + unlike * miss).exp();
                    let there = (ways + unlike * hit + like * miss).exp();
                    if here >= left {
                        return sum + there * left / here;
                    }
                    left -= here;
                    sum += there;
                }
                sum.min(1.0)
            }
        }
    }

    /// How far around an input a class stays the most frequent one, if it has probability at least `p` there; `None` up to ½.
    ///
    /// Of flips, a whole number of at most `n` coordinates.
    pub fn radius(self, p: f64, n: usize) -> Option<f64> {
        if p <= 0.5 {
            return None;
        }
        match self {
            Self::Gaussian { sigma } => Some(sigma * Normal::standard().inverse_cdf(p)),
            Self::Flips { .. } => {
                let beyond = (1..=n).find(|r| self.least(p, *r as f64) <= 0.5);
                Some(beyond.map_or(n, |r| r - 1) as f64)
            }
        }
    }
}

/// A lower limit for a proportion that is above it with probability at most `alpha`: one-sided, after Clopper and Pearson.
pub(super) fn lower_limit(p: Proportion, alpha: f64) -> f64 {
    clopper_pearson(p, 1.0 - 2.0 * alpha).0
}

/// Which of `n` sorted answers, counted from 1 and from either end, bounds the median at distance `r`; `None` if none does.
pub(super) fn rank(noise: Noise, n: u64, r: f64, alpha: f64) -> Option<u64> {
    let q = noise.least(0.5, r);
    // P[Bin(n, q) ≥ l] falls with l.
    // P[Bin(n, q) < l] as an upper tail of the failures, so that small ones are not lost in a difference from 1.
    let enough = |l: u64| binomial_tail(n, 1.0 - q, n - l + 1) <= alpha / 2.0;
    let mut l = 0;
    while l < n && enough(l + 1) {
        l += 1;
    }
    (l > 0).then_some(l)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_claims_no_more_than_the_tail_however_small() {
        // At this distance q = 0.4. Of 256 the largest l with P[Bin(256, 0.4) < l] at most α/2, summed in exact arithmetic: 39 at
        // α = 1e-17, 36 at 1e-19. A difference from 1 has no such digits left.
        let r = 0.253_347_103_135_799_8;
        let noise = Noise::Gaussian { sigma: 1.0 };
        assert_eq!(rank(noise, 256, r, 1e-17), Some(39));
        assert_eq!(rank(noise, 256, r, 1e-19), Some(36));
    }

    #[test]
    fn gaussian_certificates_are_the_closed_form() {
        let noise = Noise::Gaussian { sigma: 0.5 };
        // Φ⁻¹(0.975) = 1.959964.
        assert!((noise.radius(0.975, 3).unwrap() - 0.979_982).abs() < 1e-6);
        assert!((noise.least(0.975, 0.979_982) - 0.5).abs() < 1e-6);
        assert_eq!(noise.radius(0.5, 3), None);
        // All of 1,000 copies at α = 0.001: the limit is α^(1/1000).
        let limit = lower_limit(Proportion { hits: 1000, of: 1000 }, 0.001);
        assert!((limit - 0.001_f64.powf(0.001)).abs() < 1e-9, "{limit}");
    }

    #[test]
    fn flips_at_two_coordinates_are_filled_by_hand() {
        // β = 0.2, r = 2. Here P[w] = 0.64, 0.32, 0.04 and there 0.04, 0.32, 0.64. For p = 0.8: all of w = 0, half of w = 1.
        let noise = Noise::Flips { probability: 0.2 };
        assert!((noise.least(0.8, 2.0) - 0.2).abs() < 1e-12);
        assert!((noise.least(1.0, 2.0) - 1.0).abs() < 1e-12);
        // One coordinate: 0.8 here is 0.2 there, and 0.9 is 0.2 + 0.1 · 4 = 0.6: radius 1. Two: 0.04 + 0.26 = 0.3, not above ½.
        assert_eq!(noise.radius(0.9, 9), Some(1.0));
        assert_eq!(noise.radius(0.8, 9), Some(0.0));
    }

    #[test]
    fn what_a_parity_and_a_coordinate_lose_is_never_more_than_the_certificate_says() {
        // T_ρ maps χ_S to ρ^|S| χ_S, ρ = 1 − 2β. The event "the parity of S is what it is at x" has p = (1 + ρ^|S|)/2 at x,
        // and (1 − ρ^|S|)/2 where one coordinate of S is turned.
        let beta = 0.1;
        let noise = Noise::Flips { probability: beta };
        for size in 1..6_i32 {
            let kept = (1.0 - 2.0 * beta).powi(size);
            let (here, there) = (f64::midpoint(1.0, kept), f64::midpoint(1.0, -kept));
            assert!(noise.least(here, 1.0) <= there + 1e-12);
            // A single coordinate is the worst event itself: equality.
            if size == 1 {
                assert!((noise.least(here, 1.0) - there).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn least_falls_with_distance_and_is_undone_by_going_back() {
        for noise in [Noise::Gaussian { sigma: 1.0 }, Noise::Flips { probability: 0.15 }] {
            for p in [0.2, 0.5, 0.9] {
                let mut last = p;
                for r in 1..5 {
                    let now = noise.least(p, f64::from(r));
                    assert!(now < last);
                    last = now;
                    // The largest probability there is one less the least of the complement; from `now` it comes back to p.
                    let back = 1.0 - noise.least(1.0 - now, f64::from(r));
                    // Φ⁻¹ is not right to the last digits far out.
                    assert!((back - p).abs() < 1e-6, "{noise:?} {p} {r}: {back}");
                }
            }
        }
    }

    #[test]
    fn ranks_are_the_largest_that_keep_their_half_of_alpha() {
        let noise = Noise::Gaussian { sigma: 1.0 };
        let (n, alpha, r) = (200, 0.01, 0.25);
        let q = noise.least(0.5, r);
        let l = rank(noise, n, r, alpha).unwrap();
        assert!(1.0 - binomial_tail(n, q, l) <= alpha / 2.0);
        assert!(1.0 - binomial_tail(n, q, l + 1) > alpha / 2.0);
        assert_eq!(rank(noise, 10, 5.0, alpha), None);
    }
}
