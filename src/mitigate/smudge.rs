//! Smudging: noise on an answer that hides which suspect gave it.
//!
//! An answer in its bar may still be steered inside it by whoever made the suspect. So add noise about as wide as W, on a grid:
//! with γ the power of two from W/2²⁰ down to above W/2²¹, the answer A becomes γ (a + s), a the whole number nearest to A/γ and s uniform on
//! the whole numbers from −K to K, K = ⌊W/γ⌋, from coins that nothing else has used.
//!
//! **Theorem.** Let A and A' be the answers at one input on two suspects, each within b of the same number v except with
//! probability η. Then the laws of the two smudged answers are within `η + (1 − η) min(1, (⌊2b/γ⌋ + 1)/(2K + 1))` of each other in
//! total variation: about η + b/W.
//!
//! *Proof.* The law of A is (1 − η) P + η Q with P on the bar [v − b, v + b] (some of what lies in the bar goes to Q, if A fails
//! with less than η), and that of A' is (1 − η) P' + η Q'. Total variation is jointly convex, so it is at most η + (1 − η) times
//! that of the smudged P and P', and with any coupling of B ~ P and B' ~ P' this is at most the mean of what a + s and a' + s, for fixed
//! whole numbers a and a', are apart: min(1, |a − a'|/(2K + 1)). Two numbers in the bar are at most 2b apart, so a and a' at
//! most ⌊2b/γ⌋ + 1. ∎
//!
//! It is a theorem about the numbers as they are computed: a, s and their sum are whole numbers below 2⁵³ and γ is a power of two,
//! so nothing is rounded. Noise that is simply added in floating point leaks the answer through its last bits, which the noise does
//! not reach. Answers beyond ±2³⁰ W are cut there before the noise.
//!
//! The bar grows to b + W + γ/2. A bound of 2⁻ˢ takes W = 2ˢ b: cheap only to polynomial precision. The law is that of one answer
//! over the coins; answers at different inputs have independent coins, so the bounds of several add. Asking the same input again
//! gives the same answer. **Coins that were used for a smudged run must be used for nothing else**: the same coins with no noise
//! give A itself, and on another suspect A' with the same noise.
use super::{Claim, Plan};
use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt, fork};

/// Operations of the noise: a quotient, two roundings, a sum and a product.
pub(super) const FLOPS: u64 = 5;

/// Most steps of the grid that an answer has before the noise: with it, a whole number below 2⁵³.
const MOST_STEPS: f64 = (1_u64 << 51) as f64;
/// Finest and coarsest widths: the grid and what is on it stay finite and exact.
const WIDTHS: std::ops::RangeInclusive<f64> = 1e-200..=1e200;

/// Checks a width, if one is given.
pub(super) fn check(width: Option<f64>) -> Result<()> {
    match width {
        Some(width) if !WIDTHS.contains(&width) => {
            let want = "a positive half-width of the noise, from 1e-200 to 1e200, is needed";
            Err(Error::parameter("smudge", width, want))
        }
        _ => Ok(()),
    }
}

/// The grid's unit γ, and the most steps K of the noise.
fn grid(width: f64) -> (f64, i64) {
    let unit = (width.log2().floor() - 20.0).exp2();
    (unit, (width / unit).floor() as i64)
}

/// What is added to one answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    unit: f64,
    steps: i64,
}

impl Noise {
    /// Noise of a half-width, from coins of its own below those of the answer.
    pub(super) fn draw(width: f64, rng: &mut Rng) -> Self {
        let (unit, most) = grid(width);
        let mut own = fork(rng).child(&format!("{width:e}")).stream("smudge");
        Self { unit, steps: own.random_range(-most..=most) }
    }

    /// The smudged answer.
    pub(super) fn added_to(self, answer: f64) -> f64 {
        let steps = (answer / self.unit).round().clamp(-MOST_STEPS, MOST_STEPS);
        (steps + self.steps as f64) * self.unit
    }
}

/// How much a bar grows.
pub(super) fn growth(width: f64) -> f64 {
    width + grid(width).0 / 2.0
}

/// A plan with noise on its answers, if there is any: wider bars, and answers on different suspects close in law.
pub(super) fn widen(plan: Plan, width: Option<f64>) -> Plan {
    let (Some(width), Some(bar), Some(failure)) = (width, plan.error_bar, plan.failure_probability)
    else {
        return plan;
    };
    Plan {
        error_bar: Some(bar + growth(width)),
        if_symmetric: plan
            .if_symmetric
            .map(|claim| Claim { error_bar: claim.error_bar + growth(width), ..claim }),
        total_variation: Some(total_variation(bar, width, failure)),
        ..plan
    }
}

/// What the noise adds to a bar, in words that follow "… δ".
pub(super) fn addend(width: Option<f64>) -> String {
    width.map_or_else(String::new, |width| format!(" + {width}"))
}

/// What a guarantee says of a plan with noise, after the rest.
pub(super) fn statement(plan: &Plan) -> String {
    plan.total_variation.map_or_else(String::new, |distance| {
        format!(
            "; the laws of an answer on any two such suspects are within {distance:.3e} in total variation (proof: mitigate/smudge.rs)"
        )
    })
}

/// The largest total variation between the laws of an answer on two suspects.
pub(super) fn total_variation(bar: f64, width: f64, failure: f64) -> f64 {
    let (unit, most) = grid(width);
    let apart = (2.0 * bar / unit).floor() + 1.0;
    failure + (1.0 - failure) * (apart / (2 * most + 1) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn the_bound_is_attained_by_answers_at_both_ends_of_the_bar() {
        // Answers −b and +b, and failures −10 and +10 with probability η: [−W − b, W − b] and [−W + b, W + b] share a
        // share 1 − b/W of each.
        let (bar, width, failure) = (0.5, 2.0, 0.1);
        let (overlap, length) = (2.0 * width - 2.0 * bar, 2.0 * width);
        let want = 1.0 - (1.0 - failure) * overlap / length;
        let bound = total_variation(bar, width, failure);
        // The grid costs about one step in two million.
        assert!(bound >= want - 1e-6 && bound < want + 1e-6, "{bound} for {want}");
        assert!((total_variation(3.0, 2.0, 0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn no_bit_of_a_smudged_answer_is_finer_than_the_noise() {
        let mut rng = Seed::new(1).stream("answers");
        for width in [0.3, 1.0, 10.0, 1e-7] {
            let (unit, most) = grid(width);
            assert!(width / unit >= f64::from(1 << 20) && width / unit < f64::from(1 << 21));
            let mut last_bits = [0_u32; 2];
            for i in 0..2000 {
                let answer = width * (0.37 + f64::from(i) * 1e-9);
                let noise = Noise::draw(width, &mut rng);
                let steps = noise.added_to(answer) / unit;
                assert!(steps.fract().abs() <= 0.0 && noise.steps.abs() <= most);
                assert!((noise.added_to(answer) - answer).abs() <= growth(width));
                last_bits[(steps as i64).rem_euclid(2) as usize] += 1;
            }
            // The last bit that there is, is the noise's: six standard deviations of 2,000 coins are 134.
            assert!(last_bits[0].abs_diff(1000) < 134, "{last_bits:?}");
        }
        // Beyond the grid an answer is cut, and what is no number stays none.
        let noise = Noise::draw(1.0, &mut rng);
        assert!(noise.added_to(1e300).is_finite() && noise.added_to(f64::NAN).is_nan());
    }

    #[test]
    fn a_width_that_is_none_is_refused() {
        for width in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(check(Some(width)).unwrap_err().to_string().contains("smudge"));
        }
        check(None).unwrap();
    }
}
