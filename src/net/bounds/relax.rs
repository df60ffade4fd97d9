//! What activations do to intervals, and lines between which their graphs lie there.
//!
//! A line is sound on [l, u] if it is above (below) what the net computes at every sum in [l, u]. Slopes are whatever
//! rounding makes of them; offsets are then chosen so that the line is sound *for that slope*, with ends rounded outwards.
//!
//! * A convex function is below a line on [l, u] if it is below it at l and u. So for a `ReLU` with l < 0 < u the upper
//!   line has the slope u/(u − l), and the lower line is z or 0: z where u ≥ −l (CROWN's adaptive choice: Zhang, Weng,
//!   Chen, Hsieh, Daniel, "Efficient Neural Network Robustness Certification with General Activation Functions", `NeurIPS`
//!   2018, section 3.3). On either side of 0 a `ReLU` is linear and both lines are it.
//! * A function with |σ″| ≤ K is within K (u − l)²/8 of its chord (the error of linear interpolation). That makes both
//!   lines for tanh, GELU and cosine, K = 0.77, 0.798, 1; where the constant ends of the range are closer together they are
//!   taken instead. This project's choice: the paper's tangents are tighter, and this needs no search for the point of
//!   contact.
//! * A step has the constant ends of its range.
//!
//! **Evaluation.** `ReLU`, identity and step are computed exactly. Of tanh, GELU and cosine the computed value is *assumed*
//! to be within [`FUNCTION_UNITS`] units of roundoff, of 1 (cosine), of the value's bound min(1, |z|) (tanh) or of |z|
//! (GELU). It is not proved here. Measured once: 2.8 units at most for tanh in 32 bits, over every 13th number; against
//! another library in 64 bits, over 20 million numbers, 4.3 for tanh and 1 for cosine, and 2.0 for GELU over 200,000. A
//! test measures tanh in 32 bits again.
//!
//! **Differences.** For two sums with difference t = z − z′ in [dl, du], σ(z) − σ(z′) is between the least and the most of
//! m t and M t if all slopes of σ between them are in [m, M] (mean value theorem). The most is convex in t and the least
//! concave, so chords bound them.
use super::super::{Activation, Precision};
use super::interval::{Arithmetic, Interval, down, up};

/// Units of roundoff that the library's functions are taken to be right to.
pub(super) const FUNCTION_UNITS: f64 = 8.0;

/// Operations that a pair of lines of one unit is charged, whatever they turn out to be: of a `ReLU` across 0 they take 18.
pub(super) const LINES: u64 = 24;

/// Operations that a unit's range is charged; of a `ReLU` it takes two.
pub(super) const RANGE: u64 = 8;

/// `slope · z + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) slope: f64,
    pub(super) offset: f64,
}

impl Line {
    const NOTHING: Self = Self { slope: 0.0, offset: 0.0 };
    pub(super) const SAME: Self = Self { slope: 1.0, offset: 0.0 };

    fn constant(offset: f64) -> Self {
        Self { slope: 0.0, offset }
    }

    fn middle(self, z: Interval) -> f64 {
        self.slope * (0.5 * z.low() + 0.5 * z.high()) + self.offset
    }
}

/// A line below and one above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lines {
    pub(super) low: Line,
    pub(super) high: Line,
}

impl Lines {
    pub(super) const SAME: Self = Self { low: Line::SAME, high: Line::SAME };
    const NOTHING: Self = Self { low: Line::NOTHING, high: Line::NOTHING };

    /// The constant ends of `range`.
    fn constant(range: Interval) -> Self {
        Self { low: Line::constant(range.low()), high: Line::constant(range.high()) }
    }

    /// Line by line, whichever of two is closer to the other end in the middle of `z`.
    fn or_closer(self, other: Self, z: Interval) -> Self {
        Self {
            low: if other.low.middle(z) > self.low.middle(z) { other.low } else { self.low },
            high: if other.high.middle(z) < self.high.middle(z) { other.high } else { self.high },
        }
    }
}

/// A line that is at least `left` at the lower end of `z` and at least `right` at the upper one, and close to both.
fn above(z: Interval, left: f64, right: f64) -> Line {
    let rise = (right - left) / (z.high() - z.low());
    let slope = if rise.is_finite() { rise } else { 0.0 };
    let needs = |end: f64, value: f64| up(value - down(slope * end));
    Line { slope, offset: needs(z.low(), left).max(needs(z.high(), right)) }
}

/// The mirror image of [`above`].
fn below(z: Interval, left: f64, right: f64) -> Line {
    let Line { slope, offset } = above(z, -left, -right);
    Line { slope: -slope, offset: -offset }
}

impl Activation {
    /// How far a value that a net of `precision` computes at a sum in `z` may be from the function's.
    pub(super) fn misvalue(self, z: Interval, precision: Precision) -> f64 {
        let Arithmetic { unit, tiny, .. } = Arithmetic::of(precision);
        let scale = match self {
            Self::Relu | Self::Identity | Self::Step => return 0.0,
            Self::Tanh => z.magnitude().min(1.0),
            Self::Cos => 1.0,
            Self::Gelu => z.magnitude(),
        };
        up(up(FUNCTION_UNITS * unit * scale) + tiny)
    }

    /// All values that a net of `precision` may compute at sums in `z`.
    pub(super) fn range(self, z: Interval, precision: Precision) -> Interval {
        if !z.is_bounded() {
            return Interval::ENTIRE;
        }
        let exact = match self {
            Self::Relu => return Interval::new(z.low().max(0.0), z.high().max(0.0)),
            Self::Identity => return z,
            Self::Step => return Interval::new(self.at(z.low()), self.at(z.high())),
            Self::Tanh => Interval::new(self.at(z.low()), self.at(z.high())),
            Self::Gelu => gelu_range(z),
            Self::Cos => cosine_range(z),
        };
        exact.widened(up(self.misvalue(z, Precision::F64) + self.misvalue(z, precision)))
    }

    /// Lines around what a net of `precision` computes at sums in `z`.
    pub(super) fn lines(self, z: Interval, precision: Precision) -> Lines {
        let (low, high) = (z.low(), z.high());
        match self {
            Self::Identity => Lines::SAME,
            Self::Relu if low >= 0.0 => Lines::SAME,
            Self::Relu if high <= 0.0 => Lines::NOTHING,
            Self::Relu => Lines {
                low: if high >= -low { Line::SAME } else { Line::NOTHING },
                high: above(z, 0.0, high),
            },
            Self::Step => Lines::constant(self.range(z, precision)),
            Self::Tanh | Self::Gelu | Self::Cos => {
                let ends = up(self.misvalue(z, Precision::F64) + self.misvalue(z, precision));
                let side = z.width();
                let off = up(ends + up(up(self.curvature() * up(side * side)) / 8.0));
                let (left, right) = (self.at(low), self.at(high));
                let band = Lines {
                    low: below(z, down(left - off), down(right - off)),
                    high: above(z, up(left + off), up(right + off)),
                };
                band.or_closer(Lines::constant(self.range(z, precision)), z)
            }
        }
    }

    /// At least all |σ″|: of tanh 4/(3√3) = 0.7698, of GELU 2/√(2π) = 0.79789 (at 0, since σ″ = (2 − z²) φ(z)), of cosine
    /// 1.
    fn curvature(self) -> f64 {
        match self {
            Self::Tanh => 0.77,
            Self::Gelu => 0.798,
            Self::Relu | Self::Cos | Self::Step | Self::Identity => 1.0,
        }
    }

    /// An interval of all slopes at sums in `z`; none for the step, which has none at 0.
    ///
    /// GELU's are between Φ(−√2) − √2 φ(√2) = −0.12890 and 1 minus that.
    fn slopes(self, z: Interval) -> Option<(f64, f64)> {
        match self {
            Self::Identity => Some((1.0, 1.0)),
            Self::Relu if z.low() >= 0.0 => Some((1.0, 1.0)),
            Self::Relu if z.high() <= 0.0 => Some((0.0, 0.0)),
            Self::Relu | Self::Tanh => Some((0.0, 1.0)),
            Self::Gelu => Some((-0.1290, 1.1290)),
            Self::Cos => Some((-1.0, 1.0)),
            Self::Step => None,
        }
    }
}

/// Two sums and their difference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) first: Interval,
    pub(super) second: Interval,
    pub(super) difference: Interval,
}

impl Pair {
    /// All differences of the two values, and lines around them as functions of the difference of the sums.
    pub(super) fn through(self, activation: Activation, precision: Precision) -> (Interval, Lines) {
        let Self { first, second, difference: t } = self;
        if t == Interval::point(0.0) {
            // The same sum has the same value.
            return (t, Lines::NOTHING);
        }
        let apart = activation.range(first, precision).minus(activation.range(second, precision));
        let Some((least, most)) = activation.slopes(first.hull(second)) else {
            return (apart, Lines::constant(apart));
        };
        if most <= 0.0 && least >= 0.0 {
            return (Interval::point(0.0), Lines::NOTHING);
        }
        // Slopes of 0, 1 and −1 multiply exactly; others are rounded outwards.
        let high = |end: f64| up_product(least, end).max(up_product(most, end));
        let low = |end: f64| -high(-end);
        let misvalue =
            up(activation.misvalue(first, precision) + activation.misvalue(second, precision));
        let steep =
            Interval::new(low(t.low()).min(low(t.high())), high(t.low()).max(high(t.high())));
        if misvalue <= 0.0 {
            let range = steep.meet(apart);
            let lines = if least >= 1.0 && most <= 1.0 {
                Lines::SAME
            } else {
                Lines {
                    low: below(t, low(t.low()), low(t.high())),
                    high: above(t, high(t.low()), high(t.high())),
                }
            };
            return (range, lines.or_closer(Lines::constant(range), t));
        }
        let range = steep.widened(misvalue).meet(apart);
        let lines = Lines {
            low: below(t, down(low(t.low()) - misvalue), down(low(t.high()) - misvalue)),
            high: above(t, up(high(t.low()) + misvalue), up(high(t.high()) + misvalue)),
        };
        (range, lines.or_closer(Lines::constant(range), t))
    }
}

/// `a b`, rounded up where it is not exact: of slopes that are whole, 0 and ±1 are all.
fn up_product(a: f64, b: f64) -> f64 {
    if a.fract().abs() > 0.0 { up(a * b) } else { a * b }
}

/// Values of GELU, which falls until somewhere in [−0.7518, −0.7517], where it is above −0.16998, and rises from there.
fn gelu_range(z: Interval) -> Interval {
    let (left, right) = (Activation::Gelu.at(z.low()), Activation::Gelu.at(z.high()));
    let least = if z.high() <= -0.7518 || z.low() >= -0.7517 { left.min(right) } else { -0.169_98 };
    Interval::new(least.min(left).min(right), left.max(right))
}

/// Values of the cosine: its ends', and ±1 where a multiple of π lies in `z` or too close to tell.
fn cosine_range(z: Interval) -> Interval {
    /// Beyond it multiples of π are not told apart.
    const FAR: f64 = 1e6;
    /// More than rounding moves a multiple of π below [`FAR`]: 10⁶ · 2⁻⁵² with room.
    const CLOSE: f64 = 1e-8;
    use std::f64::consts::PI;
    if z.magnitude() > FAR || z.width() >= 2.0 * PI {
        return Interval::new(-1.0, 1.0);
    }
    let (left, right) = (libm::cos(z.low()), libm::cos(z.high()));
    let (first, last) = (((z.low() - CLOSE) / PI).ceil(), ((z.high() + CLOSE) / PI).floor());
    let (mut low, mut high) = (left.min(right), left.max(right));
    let mut k = first;
    while k <= last {
        if k.rem_euclid(2.0) < 0.5 {
            high = 1.0;
        } else {
            low = -1.0;
        }
        k += 1.0;
    }
    Interval::new(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{RngExt, Seed, normal};

    const ALL: [Activation; 6] = [
        Activation::Relu,
        Activation::Tanh,
        Activation::Gelu,
        Activation::Cos,
        Activation::Step,
        Activation::Identity,
    ];

    #[test]
    fn lines_of_a_relu_are_the_papers() {
        // On [−1, 3]: slope 3/4, through (−1, 0): offset 3/4; 3 ≥ 1, so the lower line is z. On [−3, 1] it is 0.
        let lines = Activation::Relu.lines(Interval::new(-1.0, 3.0), Precision::F64);
        assert!(
            (lines.high.slope - 0.75).abs() < 1e-15 && (lines.high.offset - 0.75).abs() < 1e-14
        );
        assert_eq!(lines.low, Line::SAME);
        let lines = Activation::Relu.lines(Interval::new(-3.0, 1.0), Precision::F64);
        assert!((lines.high.offset - 0.75).abs() < 1e-14);
        assert_eq!(lines.low, Line::NOTHING);
        for (z, want) in [((0.0, 2.0), Lines::SAME), ((-2.0, 0.0), Lines::NOTHING)] {
            let lines = Activation::Relu.lines(Interval::new(z.0, z.1), Precision::F64);
            assert_eq!(lines, want);
        }
    }

    #[test]
    fn no_value_leaves_its_range_or_its_lines() {
        let mut rng = Seed::new(1).stream("relax");
        for _ in 0..4000 {
            let scale = 10.0_f64.powf(rng.random_range(-3.0..2.0));
            let (a, b) = (scale * normal(&mut rng), scale * normal(&mut rng));
            let z = Interval::new(a.min(b), a.max(b));
            for activation in ALL {
                let (range, lines) =
                    (activation.range(z, Precision::F64), activation.lines(z, Precision::F64));
                for share in [0.0, 1.0, rng.random(), rng.random()] {
                    let at = (a + share * (b - a)).clamp(z.low(), z.high());
                    let value = activation.at(at);
                    assert!(range.contains(value), "{activation:?} {z:?} at {at}");
                    let slack = 1e-12 * (1.0 + at.abs() + value.abs());
                    let (low, high) = (lines.low, lines.high);
                    assert!(
                        low.slope * at + low.offset <= value + slack,
                        "{activation:?} {z:?} {at}"
                    );
                    assert!(
                        high.slope * at + high.offset >= value - slack,
                        "{activation:?} {z:?} {at}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_difference_leaves_its_range_or_its_lines() {
        let mut rng = Seed::new(2).stream("pairs");
        for _ in 0..4000 {
            let scale = 10.0_f64.powf(rng.random_range(-2.0..1.5));
            let mut interval = || {
                let (a, b) = (scale * normal(&mut rng), scale * normal(&mut rng));
                Interval::new(a.min(b), a.max(b))
            };
            let (first, second) = (interval(), interval());
            let pair = Pair { first, second, difference: first.minus(second) };
            let within = |z: Interval, share: f64| z.low() + share * (z.high() - z.low());
            for activation in ALL {
                let (range, lines) = pair.through(activation, Precision::F64);
                for _ in 0..4 {
                    let (z, w) = (within(first, rng.random()), within(second, rng.random()));
                    let (t, value) = (z - w, activation.at(z) - activation.at(w));
                    let slack = 1e-12 * (1.0 + z.abs() + w.abs());
                    assert!(range.widened(slack).contains(value), "{activation:?} {pair:?}");
                    assert!(lines.low.slope * t + lines.low.offset <= value + slack);
                    assert!(lines.high.slope * t + lines.high.offset >= value - slack);
                }
            }
        }
    }

    #[test]
    fn the_librarys_functions_are_as_right_as_assumed_in_32_bits() {
        // Every 4,099th number of 32 bits, both signs; the function in 64 bits stands for the truth.
        for bits in (0..f32::INFINITY.to_bits()).step_by(4099) {
            for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
                let z = Interval::point(f64::from(x));
                let bound = Activation::Tanh.misvalue(z, Precision::F32) / 2.0;
                let error = (f64::from(libm::tanhf(x)) - libm::tanh(f64::from(x))).abs();
                assert!(error <= bound, "tanh {x:e}: {error:e}");
            }
        }
    }
}
