//! M-estimators: the root in θ of a sum of bounded, or nearly bounded, pulls of the values.
//!
//! Both sums fall in θ, so bisection finds the root whatever the values are; nothing here can fail to converge.
use super::order::{middle, number};

/// Scales the median absolute deviation to the standard deviation of normal values: 1 / Φ⁻¹(3/4).
pub(super) const MAD_SCALE: f64 = 1.482_602_218_505_602;

/// Halvings of an interval of 2cs: to 2⁻⁵⁶ of it.
const HUBER_STEPS: u64 = 56;

/// Operations a value and step: difference, quotient, two comparisons, sum.
const HUBER_STEP: u64 = 5;

/// Operations a value and step: difference, product, modulus, polynomial, logarithm, sign, sum.
const CATONI_STEP: u64 = 9;

/// Steps that Catoni's estimator is charged for: from a range of 2¹⁰ deviations to a part in 10¹³ of one.
const CATONI_STEPS: u64 = 53;

pub(super) fn huber_flops(n: u64) -> u64 {
    // Deviations from the median, then the steps.
    2 * n + HUBER_STEPS * HUBER_STEP * n
}

pub(super) fn catoni_flops(n: u64) -> u64 {
    2 * n + CATONI_STEPS * CATONI_STEP * n
}

/// Huber's estimator. The root is within c s of the median: there, half of the values pull back with full force.
pub(super) fn huber(values: &mut [f64], tuning: f64) -> f64 {
    let centre = middle(values);
    let mut away: Vec<f64> = values.iter().map(|v| (v - centre).abs()).collect();
    // The difference of two infinities of a sign: the centre itself is infinite then, and so is the answer.
    number(&mut away);
    let reach = tuning * MAD_SCALE * middle(&mut away);
    if !(centre.is_finite() && reach.is_finite()) || reach <= 0.0 {
        return centre;
    }
    // Away from the centre, so that a far centre does not cost digits.
    let pull = |shift: f64| {
        let force = |v: &f64| (v - centre - shift).clamp(-reach, reach);
        values.iter().map(force).sum::<f64>()
    };
    let (mut low, mut high) = (-reach, reach);
    for _ in 0..HUBER_STEPS {
        let half = f64::midpoint(low, high);
        let force = pull(half);
        if force > 0.0 {
            low = half;
        } else if force < 0.0 {
            high = half;
        } else {
            return centre + half;
        }
    }
    centre + f64::midpoint(low, high)
}

/// Values that Catoni's estimator needs: over 2 ln(2/η).
pub(super) fn fewest(failure: f64) -> usize {
    (2.0 * (2.0 / failure).ln()).floor() as usize + 1
}

/// Catoni's scale α, with ln(1/ε) of his proposition 2.4 for ε = η/2.
fn catoni_scale(n: f64, deviation: f64, failure: f64) -> f64 {
    let log = (2.0 / failure).ln();
    (2.0 * log * (1.0 - 2.0 * log / n) / n).sqrt() / deviation
}

/// The bound of his proposition 2.4 for values that have a standard deviation of at most `deviation`.
pub(super) fn catoni_bound(n: usize, deviation: f64, failure: f64) -> f64 {
    let log = (2.0 / failure).ln();
    deviation * (2.0 * log / (n as f64 - 2.0 * log)).sqrt()
}

/// The widest influence function: ln(1 + x + x²/2) and its odd continuation.
fn influence(x: f64) -> f64 {
    let size = x.abs();
    // Far out x²/2 would overflow: 2 ln x − ln 2 is the same to the last digit.
    let value = if size > 1e150 {
        2.0 * size.ln() - std::f64::consts::LN_2
    } else {
        (size + 0.5 * size * size).ln_1p()
    };
    value.copysign(x)
}

/// Catoni's estimator, to a part in 10¹³ of `deviation`. Infinite values of one sign carry it there; of both, it is NaN.
pub(super) fn catoni(values: &[f64], deviation: f64, failure: f64) -> f64 {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !(least.is_finite() && most.is_finite()) {
        return if least.is_finite() {
            most
        } else if most.is_finite() {
            least
        } else {
            least + most
        };
    }
    let scale = catoni_scale(values.len() as f64, deviation, failure);
    let pull = |at: f64| values.iter().map(|v| influence(scale * (v - at))).sum::<f64>();
    let (mut low, mut high) = (least, most);
    while high - low > 1e-13 * deviation {
        let half = f64::midpoint(low, high);
        if half <= low || half >= high {
            break;
        }
        if pull(half) > 0.0 {
            low = half;
        } else {
            high = half;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huber_is_the_mean_of_near_values_and_a_far_one_pulls_with_force_c() {
        // Median 0, deviations 0, 1, 1, 2, 2: MAD 1, s = 1.4826. With c = 10 no value is clipped: the mean, 0.
        assert!(huber(&mut [-2.0, -1.0, 0.0, 1.0, 2.0], 10.0).abs() < 1e-14);
        // With the last at 1e9 (MAD still 1, c = 1.345, c s = 1.9941): the four others, no longer clipped at a shift below
        // 1, balance it at Σ (xᵢ − θ) + c s = 0, θ = (c s − 2)/4, if −2 − θ ≥ −c s, which holds for θ ≤ −0.0059.
        // At θ = (c s − 2)/4 = −0.0015 the −2 is within reach only just not: −2 + 0.0015 = −1.9985 < −1.9941, so it is
        // clipped: −c s + (−1 − θ) + (0 − θ) + (1 − θ) + c s = 0 gives θ = 0.
        assert!(huber(&mut [-2.0, -1.0, 0.0, 1.0, 1e9], 1.345).abs() < 1e-12);
        // Values −1.5, −1, 0, 1, 1e9: MAD 1; −1.5 is not clipped: (−1.5 − 1 + 0 + 1 + c s)/4.
        let want = (1.345 * MAD_SCALE - 1.5) / 4.0;
        assert!((huber(&mut [-1.5, -1.0, 0.0, 1.0, 1e9], 1.345) - want).abs() < 1e-12);
    }

    #[test]
    fn where_most_values_agree_huber_is_the_median() {
        assert!((huber(&mut [5.0, 5.0, 5.0, 9.0, -1e30], 1.345) - 5.0).abs() < 1e-15);
        assert!((huber(&mut [7.0], 1.345) - 7.0).abs() < 1e-15);
    }

    #[test]
    fn catoni_balances_two_values_in_the_middle_and_solves_its_equation() {
        let values = [0.0, 10.0];
        // Symmetric, so the root is 5 at any scale; 2 ln(2/0.99) = 1.41 < 2 values.
        assert!((catoni(&values, 1.0, 0.99) - 5.0).abs() < 1e-12);
        let values: Vec<f64> = (0..40).map(|i| f64::from(i * i)).collect();
        let root = catoni(&values, 300.0, 0.1);
        let scale = catoni_scale(40.0, 300.0, 0.1);
        let pull: f64 = values.iter().map(|v| influence(scale * (v - root))).sum();
        assert!(pull.abs() < 1e-9, "{pull}");
        // A far value pulls by the logarithm of its distance, at any distance.
        let far = [values.as_slice(), &[1e300]].concat();
        let moved = catoni(&far, 300.0, 0.1) - root;
        assert!(moved > 300.0 && moved.is_finite(), "{moved}");
    }

    #[test]
    fn infinities_carry_catoni_away_and_not_huber() {
        let infinity = f64::INFINITY;
        let values = [0.0, 1.0, 2.0, infinity];
        assert!(catoni(&values, 1.0, 0.9).is_infinite());
        assert!(catoni(&[-infinity, 0.0, 1.0, infinity], 1.0, 0.9).is_nan());
        assert!(huber(&mut [0.0, 1.0, 2.0, infinity, -infinity], 1.345).is_finite());
        assert!(huber(&mut [0.0, infinity, infinity], 1.345).is_infinite());
    }
}
