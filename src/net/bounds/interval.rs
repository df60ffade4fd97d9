//! Intervals whose ends are rounded outwards, and what rounding to nearest can do to a sum.
//!
//! Every number here is computed in 64 bits, rounded to nearest, and then moved outwards. Two rules are used, both proved.
//!
//! **One operation.** If y is the rounded result of one operation whose exact result is r, then r ≤ `y.next_up()`: y is a
//! number nearest to r, so no number lies strictly between y and r. This holds below the smallest normal number too.
//!
//! **A sum.** Let s = Σ t over N terms, each a number or a product of two, be computed in any order, in any tree, with or
//! without fused multiply-adds, with unit roundoff u = 2⁻ᵖ. Each term passes at most one rounding of its own product and N
//! − 1 of additions, so for γₖ = ku/(1 − ku) and ku < 1 the computed ŝ obeys |ŝ − s| ≤ `γ_N` Σ|t| + N η: the first by
//! Higham, *Accuracy and Stability of Numerical Algorithms* (2nd ed., 2002), Lemma 3.1 and section 4.2; the second because
//! a product that underflows is off by at most η/2, half the least positive number, grown by at most 1 + `γ_N` ≤ 2 (sums of
//! numbers never underflow). Nothing may overflow; that is checked by the caller on Σ|t|. So nothing here depends on how
//! the kernel or a library orders a sum.
use super::super::Precision;

/// All numbers between two, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    low: f64,
    high: f64,
}

impl Interval {
    /// Everything, NaN included: what is said where a number may overflow.
    pub const ENTIRE: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };

    /// The interval from `low` to `high`; [`Self::ENTIRE`] where an end is NaN, since then nothing is known.
    ///
    /// # Panics
    /// If `low` is above `high`: a bug in the caller.
    pub fn new(low: f64, high: f64) -> Self {
        if low.is_nan() || high.is_nan() {
            return Self::ENTIRE;
        }
        assert!(low <= high, "an interval from {low} to {high} is none");
        Self { low, high }
    }

    /// The interval of one number.
    pub fn point(x: f64) -> Self {
        Self::new(x, x)
    }

    /// Its lower end.
    pub fn low(self) -> f64 {
        self.low
    }

    /// Its upper end.
    pub fn high(self) -> f64 {
        self.high
    }

    /// The largest absolute value in it.
    ///
    /// ```
    /// use absolve::net::Interval;
    /// assert_eq!(Interval::new(-3.0, 2.0).magnitude(), 3.0);
    /// ```
    pub fn magnitude(self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// How wide it is, rounded up.
    pub fn width(self) -> f64 {
        up(self.high - self.low)
    }

    /// Whether both ends are finite.
    pub fn is_bounded(self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }

    /// Whether `x` is in it. NaN is in [`Self::ENTIRE`] alone.
    pub fn contains(self, x: f64) -> bool {
        (self.low <= x && x <= self.high) || (x.is_nan() && self == Self::ENTIRE)
    }

    /// What is in both, of two that both hold one number.
    pub(super) fn meet(self, other: Self) -> Self {
        Self::new(self.low.max(other.low), self.high.min(other.high))
    }

    /// The least interval that holds both.
    pub(super) fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// All differences of a number of this and one of `other`.
    pub(super) fn minus(self, other: Self) -> Self {
        Self::new(down(self.low - other.high), up(self.high - other.low))
    }

    /// All numbers at most `by` away from it.
    pub(super) fn widened(self, by: f64) -> Self {
        Self::new(down(self.low - by), up(self.high + by))
    }

    /// A number near its middle, and a radius around it that holds all. Eight operations.
    pub(super) fn ball(self) -> (f64, f64) {
        let centre = 0.5 * self.low + 0.5 * self.high;
        (centre, up(self.high - centre).max(up(centre - self.low)))
    }
}

/// At least the exact result of the operation that gave `x`.
pub(super) fn up(x: f64) -> f64 {
    x.next_up()
}

/// At most the exact result of the operation that gave `x`.
pub(super) fn down(x: f64) -> f64 {
    x.next_down()
}

/// The arithmetic of one precision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arithmetic {
    /// Unit roundoff u.
    pub(super) unit: f64,
    /// The least positive number η.
    pub(super) tiny: f64,
    /// Sums of absolute values up to here overflow in no order: half the largest number, since 1 + γ ≤ 2.
    pub(super) most: f64,
}

/// The arithmetic that bounds are computed in.
pub(super) const WIDE: Arithmetic =
    Arithmetic { unit: f64::EPSILON / 2.0, tiny: 5e-324, most: f64::MAX / 4.0 };

impl Arithmetic {
    /// What nets of `precision` compute in.
    pub(super) fn of(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self {
                unit: f64::from(f32::EPSILON) / 2.0,
                tiny: f64::from(f32::from_bits(1)),
                most: f64::from(f32::MAX) / 2.0,
            },
            Precision::F64 => WIDE,
        }
    }

    /// γₖ = ku/(1 − ku), rounded up; infinity from ku = 1/2 on, where the rule of sums is of no use.
    pub(super) fn gamma(self, k: usize) -> f64 {
        // Both exact: multiples of u below 1.
        let ku = k as f64 * self.unit;
        if ku < 0.5 { up(ku / (1.0 - ku)) } else { f64::INFINITY }
    }

    /// How far a sum of `n` terms, whose absolute values add up to `size`, may come out from what it is. Four operations.
    pub(super) fn error(self, n: usize, size: f64) -> f64 {
        up(up(self.gamma(n) * size) + n as f64 * self.tiny)
    }
}

/// At least the exact sum of `n` numbers or products, none negative, whose computed sum in 64 bits is `sum`. Four
/// operations.
pub(super) fn at_least(n: usize, sum: f64) -> f64 {
    // s (1 − γ) − nη ≤ ŝ, and 1/(1 − γ) ≤ 1 + 2γ for γ ≤ 1/2.
    up(up(sum + n as f64 * WIDE.tiny) * up(1.0 + 2.0 * WIDE.gamma(n)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gamma_is_the_closed_form_rounded_up() {
        // u = 2⁻⁵³, k = 2⁵²: ku = 1/2, past use. k = 1: u/(1 − u) = u + u² + …, so one step above u.
        assert!(WIDE.gamma(1 << 52).is_infinite());
        let u = 2.0_f64.powi(-53);
        assert!(WIDE.gamma(1) > u && WIDE.gamma(1) < u * (1.0 + 1e-15));
        assert!(Arithmetic::of(Precision::F32).gamma(1 << 22) > 1.0 / 3.0 - 1e-9);
    }

    #[test]
    fn a_ball_holds_its_interval_and_operations_round_outwards() {
        // 1 + 2⁻⁶⁰ lies between 1 and the next number: the rounded sum is 1, and one step up is above it.
        assert!(up(1.0 + 2.0_f64.powi(-60)) > 1.0);
        for (low, high) in [(0.1, 0.3), (-1e-320, 5e-324), (-f64::MAX, f64::MAX), (2.0, 2.0)] {
            let (centre, radius) = Interval::new(low, high).ball();
            assert!(centre - radius <= low && high <= centre + radius, "{low} {high}");
        }
        let difference = Interval::new(1.0, 2.0).minus(Interval::new(0.1, 0.7));
        assert!(difference.low() < 0.3 + 1e-15 && difference.high() > 1.9);
    }

    #[test]
    fn what_is_not_a_number_is_everything() {
        assert_eq!(Interval::new(f64::NAN, 1.0), Interval::ENTIRE);
        assert!(Interval::ENTIRE.contains(f64::NAN) && !Interval::point(0.0).contains(f64::NAN));
    }
}
