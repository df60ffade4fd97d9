//! Numbers of about 106 bits, each the sum of two `f64`: for weights that alternate in sign and are far larger than their sum.
//!
//! Knuth's and Dekker's error-free sum and product; the relative error of a sum of terms of one sign, a product or a quotient
//! is below 2^−100.
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number as a sum of two, the second below the last place of the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::mitigate) struct Double {
    high: f64,
    low: f64,
}

impl Double {
    pub(in crate::mitigate) const ZERO: Self = Self { high: 0.0, low: 0.0 };
    pub(in crate::mitigate) const ONE: Self = Self { high: 1.0, low: 0.0 };

    /// The exact difference of two numbers.
    pub(in crate::mitigate) fn difference(a: f64, b: f64) -> Self {
        two_sum(a, -b)
    }

    /// The nearest `f64`, to within its last place.
    pub(in crate::mitigate) fn round(self) -> f64 {
        self.high
    }
}

impl From<f64> for Double {
    fn from(x: f64) -> Self {
        Self { high: x, low: 0.0 }
    }
}

/// a + b, exactly.
fn two_sum(a: f64, b: f64) -> Double {
    let high = a + b;
    let part = high - a;
    Double { high, low: (a - (high - part)) + (b - part) }
}

/// a + b, exactly, for |a| ≥ |b|.
fn quick_sum(a: f64, b: f64) -> Double {
    let high = a + b;
    Double { high, low: b - (high - a) }
}

impl Add for Double {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (s, t) = (two_sum(self.high, other.high), two_sum(self.low, other.low));
        let s = quick_sum(s.high, s.low + t.high);
        quick_sum(s.high, s.low + t.low)
    }
}

impl Neg for Double {
    type Output = Self;

    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

impl Sub for Double {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Double {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let high = self.high * other.high;
        // What the product lost, exactly: one rounding of a · b − high, which is a number of 53 bits.
        let lost = self.high.mul_add(other.high, -high);
        quick_sum(high, lost + (self.high * other.low + self.low * other.high))
    }
}

impl Div for Double {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        // Long division: three digits of 53 bits, each of what is left.
        let first = self.high / other.high;
        let rest = self - other * first.into();
        let second = rest.high / other.high;
        let rest = rest - other * second.into();
        quick_sum(first, second) + (rest.high / other.high).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{RngExt, Seed};

    /// a · 2^−60, for whole numbers of up to 100 bits: exact in a `Double`.
    fn whole(a: i128) -> Double {
        let high = (a >> 50) as f64 * 2_f64.powi(50);
        let low = (a - ((a >> 50) << 50)) as f64;
        Double::from(high) + Double::from(low)
    }

    #[test]
    fn sums_products_and_quotients_keep_a_hundred_bits() {
        let mut rng = Seed::new(1).stream("doubles");
        for _ in 0..10_000 {
            // Exact in integers: products of numbers of 49 and 50 bits, sums of those of 100.
            let a = i128::from(rng.random_range(-(1_i64 << 50)..1 << 50));
            let b = i128::from(rng.random_range(1_i64..1 << 49));
            let product = whole(a) * whole(b);
            assert_eq!(product - whole(a * b), Double::ZERO);
            assert_eq!(whole(a * b) + whole(b) - whole(a * b + b), Double::ZERO);
            let back = (whole(a) / whole(b)) * whole(b) - whole(a);
            assert!(back.round().abs() <= (a as f64).abs() * 2_f64.powi(-100), "{a} / {b}");
        }
        // (1 + 2^−80) − 1, of which an f64 keeps nothing.
        let small = 2_f64.powi(-80);
        assert_eq!(Double::ONE + small.into() - Double::ONE, small.into());
        assert_eq!(Double::difference(1.0, small) - Double::ONE, (-small).into());
    }
}
