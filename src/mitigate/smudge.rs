//! Smudging: noise on an answer that hides which suspect gave it.
//!
//! An answer in its bar may still be steered inside it by whoever made the suspect. So add noise: with S uniform on
//! [−W, W], from coins that nothing else has used, the answer becomes A + S.
//!
//! **Theorem.** Let A and A' be the answers at one input on two suspects, each within b of the same number v except with
//! probability η. Then the laws of A + S and A' + S are within `η + (1 − η) min(1, b/W)` of each other in total variation, and
//! each is within `η + (1 − η) min(1, b/2W)` of the law of v + S, which depends on no suspect.
//!
//! *Proof.* The law of A is (1 − η) P + η Q with P on the bar [v − b, v + b] (some of what lies in the bar goes to Q, if A fails
//! with less than η), and that of A' is (1 − η) P' + η Q'. Total variation is jointly convex, so it is at most η + (1 − η)
//! TV(P + S, P' + S), and with any coupling of B ~ P and B' ~ P' that is at most E TV(B + S, B' + S) = E min(1, |B − B'| / 2W).
//! Two numbers in the bar are at most 2b apart, one of them and v at most b. ∎
//!
//! The bar grows to b + W. A bound of 2⁻ˢ takes W = 2ˢ b: cheap only to polynomial precision. The law is that of one answer over
//! the coins; answers at different inputs have independent coins, so the bounds of several add. Asking the same input again
//! gives the same answer. The noise has 53 bits: the laws are those of numbers as computed, up to rounding of A + S.
use super::{Claim, Plan};
use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt};

/// Operations of the noise: a product and a sum.
pub(super) const FLOPS: u64 = 2;

/// Checks a width, if one is given.
pub(super) fn check(width: Option<f64>) -> Result<()> {
    match width {
        Some(width) if !(width > 0.0 && width.is_finite()) => {
            let want = "a positive half-width of the noise is needed";
            Err(Error::parameter("smudge", width, want))
        }
        _ => Ok(()),
    }
}

/// What is added to an answer.
pub(super) fn noise(width: f64, rng: &mut Rng) -> f64 {
    width * rng.random_range(-1.0..=1.0)
}

/// A plan with noise on its answers, if there is any: wider bars, and answers on different suspects close in law.
pub(super) fn widen(plan: Plan, width: Option<f64>) -> Plan {
    let (Some(width), Some(bar), Some(failure)) = (width, plan.error_bar, plan.failure_probability)
    else {
        return plan;
    };
    Plan {
        error_bar: Some(bar + width),
        if_symmetric: plan
            .if_symmetric
            .map(|claim| Claim { error_bar: claim.error_bar + width, ..claim }),
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
    failure + (1.0 - failure) * (bar / width).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_attained_by_answers_at_both_ends_of_the_bar() {
        // Answers −b and +b, and failures −10 and +10 with probability η: [−W − b, W − b] and [−W + b, W + b] share a
        // share 1 − b/W of each.
        let (bar, width, failure) = (0.5, 2.0, 0.1);
        let (overlap, length) = (2.0 * width - 2.0 * bar, 2.0 * width);
        let want = 1.0 - (1.0 - failure) * overlap / length;
        assert!((total_variation(bar, width, failure) - want).abs() < 1e-12);
        assert!((total_variation(3.0, 2.0, 0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_width_that_is_none_is_refused() {
        for width in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(check(Some(width)).unwrap_err().to_string().contains("smudge"));
        }
        check(None).unwrap();
    }
}
