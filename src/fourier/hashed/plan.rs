//! How a certificate is planned: threshold, size and number of its pilots, from the failure probability that is asked for.
//!
//! The notation and the theorem are in [`super`]. Let `u = ‖ρ‖` be the norm of the residual, R a bound on its values, and let
//! some S of the truth's support be missing from the list. A fresh pilot of 2^m points *accepts* if none of its bins reaches θ
//! and its mean square is at most `q`. Four facts, each for one pilot:
//!
//! 1. *Spectral promise.* S's coefficient in ρ is at least 3τ/4. Its bin, times S's sign at the shift, is a mean of 2^m pairwise
//!    independent values of `ρ χ_S`, so it falls short of 3τ/4 by more than `δ = 3τ/4 − θ` with probability at most v/(1 + v),
//!    `v = u² / (2^m δ²)` (Cantelli).
//! 2. *Mean-square promise.* Fact 1 holds too, by Parseval. And: unless S meets another set of `supp h ∪ L` in its bin, which has
//!    probability at most `(N − 1)/2^m` for N of them, its bin is `ĥ(S)`, at least τ in size, plus a mean of 2^m values of
//!    `(g − h) χ_S`; this is off by more than δ to one side of its expectation, which is at most τ/4 in size, with probability
//!    at most v/(1 + v), `v = τ² / (16 · 2^m δ²)`.
//! 3. N is at most `|L| + B²/τ²`, and at most `|L| + 16u²/(9τ²)`: each missing set has a coefficient of at least 3τ/4 in ρ.
//! 4. If `u² > x`, the mean square is at most q < x with probability at most v/(1 + v), `v = R² / (2^m x (1 − q/x)²)` (Cantelli,
//!    since the mean of ρ⁴ is at most R² u², and this bound falls as u grows).
//!
//! So one pilot accepts with probability at most the larger of fact 4 and of fact 1 or 2 at `u² = x`, whatever u is; P
//! independent ones all do with at most its P-th power. The plan takes the x, θ, m and P that ask least, among those at which
//! noise of the size that was seen leaves an honest certificate shut in all but 2% of cases.
use super::Promised;

/// Chance that noise alone, were it normal, opens an honest certificate.
const FALSE_ALARM: f64 = 0.02;
/// Largest pilot: 2^22 answers are 32 MiB.
pub(super) const MOST_BITS: usize = 22;

/// What is known when a certificate is planned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) n: usize,
    pub(super) tau: f64,
    pub(super) bound: f64,
    /// Largest probability that a wrong list passes.
    pub(super) failure: f64,
    /// How many sets are in the list.
    pub(super) listed: usize,
    /// Sum of the sizes of their coefficients.
    pub(super) sizes: f64,
    /// Mean square of the residual, and mean fourth power, as the search saw them.
    pub(super) energy: f64,
    pub(super) fourth_power: f64,
    /// Variance of an answer's part that is spread over all bins.
    pub(super) noise2: f64,
}

/// Pilots to ask, and when they accept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    /// Each has 2^m points.
    pub(super) m: usize,
    pub(super) n_pilots: usize,
    /// No bin may reach this.
    pub(super) threshold: f64,
    /// The mean square may not pass this.
    pub(super) most_energy: f64,
    /// Proved bound on the probability that all accept a list with a gap.
    pub(super) failure: f64,
}

impl Plan {
    /// The cheapest plan under `promise`, if there is one of at most 2^[`MOST_BITS`] points a pilot.
    pub(super) fn cheapest(seen: &Seen, promise: Promised) -> Option<Self> {
        let mut best: Option<Self> = None;
        // On fewer than 2^n points: a coset of all of them would be the cube itself, again and again.
        for m in 2..=MOST_BITS.min(seen.n) {
            // A single pilot of this size is no cheaper.
            if best.is_some_and(|best| best.queries() <= 1 << m) {
                break;
            }
            for step in 0..=30 {
                let threshold = (0.3 + 0.01 * f64::from(step)) * seen.tau;
                let plan = Self::at(seen, promise, m, threshold);
                let less = |best: Self| plan.is_some_and(|plan| plan.queries() < best.queries());
                if best.is_none_or(less) {
                    best = plan.or(best);
                }
            }
        }
        best
    }

    /// Questions in all.
    pub(super) fn queries(&self) -> u64 {
        (self.n_pilots as u64) << self.m
    }

    /// The plan of this size and threshold with the best limits on the mean square.
    fn at(seen: &Seen, promise: Promised, m: usize, threshold: f64) -> Option<Self> {
        let n_points = (m as f64).exp2();
        // What an honest pilot will show: the mean so far and four standard deviations, which rounding must not pass.
        let spread = 4.0 * (seen.fourth_power / n_points).sqrt();
        let honest = seen.energy + spread + 1e-9 * seen.tau.powi(2);
        let range2 = (seen.bound + seen.sizes).powi(2);
        let least = honest.max(1e-3 * seen.tau.powi(2));
        // A limit far below x costs nothing, so it need not be as low as what is expected.
        let limit = |x: f64| honest.max(x / 16.0);
        let light = |x: f64| one_sided(range2 / (n_points * x * (1.0 - limit(x) / x).powi(2)));
        let hidden_at = |x: f64| hidden(seen, promise, (x, threshold), n_points);
        // As x grows fact 4's bound falls and the others' rise: the best x is where they meet, found by halving.
        let (mut low, mut high) = (least.ln(), least.ln() + 14.0);
        for _ in 0..20 {
            let middle = f64::midpoint(low, high);
            if light(middle.exp()) > hidden_at(middle.exp()) { low = middle } else { high = middle }
        }
        let x = high.exp();
        let (mut one, mut most_energy) = (hidden_at(x).max(light(x)), limit(x));
        let blind = hidden(seen, promise, (f64::INFINITY, threshold), n_points);
        if blind <= one {
            (one, most_energy) = (blind, f64::INFINITY);
        }
        if one >= 0.75 {
            return None;
        }
        let n_pilots = (seen.failure.ln() / one.ln()).ceil().max(1.0);
        let z = threshold * (n_points / seen.noise2.max(1e-300)).sqrt();
        // Twice the tail of the normal law, for every bin.
        let alarms = n_pilots * n_points * (-z * z / 2.0).exp() / (z / 1.25 + 1.0);
        let failure = one.powf(n_pilots);
        let plan = Self { m, n_pilots: n_pilots as usize, threshold, most_energy, failure };
        (alarms <= FALSE_ALARM).then_some(plan)
    }
}

/// Facts 1 to 3: the probability that a missing set's bin stays below the threshold, if u² is at most `x`.
fn hidden(seen: &Seen, promise: Promised, (x, threshold): (f64, f64), n_points: f64) -> f64 {
    let slack2 = (0.75 * seen.tau - threshold).powi(2);
    let in_spectrum = one_sided(x / (n_points * slack2));
    match promise {
        Promised::Spectrum => in_spectrum,
        Promised::MeanSquare => {
            let missing =
                (16.0 * x / (9.0 * seen.tau.powi(2))).min((seen.bound / seen.tau).powi(2));
            let meets = (seen.listed as f64 + missing - 1.0) / n_points;
            let off = one_sided(seen.tau.powi(2) / (16.0 * slack2 * n_points));
            in_spectrum.min(meets + off)
        }
    }
}

/// The inequality of Cantelli: a deviation to one side by d has probability at most v/(1 + v), for a variance v d².
fn one_sided(v: f64) -> f64 {
    if v.is_finite() { v / (1.0 + v) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen {
            n: 100,
            tau: 0.5,
            bound: 1.0,
            failure: 1e-3,
            listed: 4,
            sizes: 2.0,
            energy: 0.0,
            fourth_power: 0.0,
            noise2: 0.0,
        }
    }

    #[test]
    fn a_plan_is_what_the_facts_say_by_hand() {
        // Blind, θ = 0.35 τ: (4 + 4 − 1)/2^m, and v = 1/(16 · 0.4² · 2^m) = 0.390625/2^m. At m = 5 that is 0.21875 + 0.01206, and
        // ln 1e-3 over its logarithm is 4.71: five pilots. At m = 4 it is 0.4613 and 8.93: nine, 144 questions, fewer than 160.
        let plan = Plan::at(&seen(), Promised::MeanSquare, 5, 0.35 * 0.5).unwrap();
        assert_eq!((plan.n_pilots, plan.queries()), (5, 160));
        let v: f64 = 0.390_625 / 32.0;
        assert!((plan.failure - (0.218_75 + v / (1.0 + v)).powi(5)).abs() < 1e-12);
        let best = Plan::cheapest(&seen(), Promised::MeanSquare).unwrap();
        assert!(best.queries() <= 144 && best.failure <= 1e-3, "{best:?}");
    }

    #[test]
    fn the_number_of_pilots_follows_from_the_failure_probability() {
        for promise in [Promised::MeanSquare, Promised::Spectrum] {
            let queries = [1e-2, 1e-4, 1e-8].map(|failure| {
                let plan = Plan::cheapest(&Seen { failure, ..seen() }, promise).unwrap();
                assert!(plan.failure <= failure);
                plan.queries()
            });
            assert!(queries[0] < queries[1] && queries[1] < queries[2], "{queries:?}");
        }
    }

    #[test]
    fn noise_that_no_pilot_of_this_size_sees_through_has_no_plan() {
        let loud = Seen { energy: 1e5, fourth_power: 1e10, noise2: 1e5, ..seen() };
        assert_eq!(Plan::cheapest(&loud, Promised::Spectrum), None);
    }
}
