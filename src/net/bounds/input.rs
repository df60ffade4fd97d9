//! Boxes of inputs.
use super::super::Precision;
use super::interval::{Arithmetic, Interval, up};
use crate::error::{Error, Result};

/// A box of inputs: an interval a coordinate, each with finite ends.
#[derive(Clone, Debug, PartialEq)]
pub struct InputBox {
    sides: Vec<Interval>,
}

impl InputBox {
    /// The box from `low` to `high`, coordinate by coordinate. A side may be one point.
    ///
    /// # Errors
    /// If there are no coordinates, numbers of them differ, or an end is not finite or below its other end.
    pub fn new(low: &[f64], high: &[f64]) -> Result<Self> {
        if low.len() != high.len() || low.is_empty() {
            let want =
                format!("as many as upper ends and at least one are needed, got {}", high.len());
            return Err(Error::parameter("low", format!("{} ends", low.len()), want));
        }
        let mut sides = Vec::with_capacity(low.len());
        for (i, (low, high)) in low.iter().zip(high).enumerate() {
            if !(low.is_finite() && high.is_finite() && low <= high) {
                let want = format!("finite ends in their order are needed in coordinate {i}");
                return Err(Error::parameter("box", format!("[{low}, {high}]"), want));
            }
            sides.push(Interval::new(*low, *high));
        }
        Ok(Self { sides })
    }

    /// The box [low, high]^n.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn cube(n: usize, low: f64, high: f64) -> Result<Self> {
        Self::new(&vec![low; n], &vec![high; n])
    }

    /// How many coordinates it has.
    pub fn n(&self) -> usize {
        self.sides.len()
    }

    /// Its sides.
    pub fn sides(&self) -> &[Interval] {
        &self.sides
    }

    /// The same box with coordinate `i` between `low` and `high`.
    ///
    /// # Panics
    /// If there is no coordinate `i`, or the ends are not finite and in their order: a bug in the caller.
    pub fn with(&self, i: usize, low: f64, high: f64) -> Self {
        assert!(low.is_finite() && high.is_finite(), "a side from {low} to {high}");
        let mut sides = self.sides.clone();
        sides[i] = Interval::new(low, high);
        Self { sides }
    }

    /// The point that all inputs in it are, if they are one.
    pub fn point(&self) -> Option<Vec<f64>> {
        let low: Vec<f64> = self.sides.iter().map(|side| side.low()).collect();
        self.sides.iter().zip(&low).all(|(side, low)| side.high() <= *low).then_some(low)
    }

    /// What a net of `precision` reads of it: rounding to nearest is monotone, so the ends round to the ends.
    pub(super) fn read(&self, precision: Precision) -> Vec<Interval> {
        self.sides
            .iter()
            .map(|side| Interval::new(precision.round(side.low()), precision.round(side.high())))
            .collect()
    }

    /// How far what a net of `precision` reads may be from each coordinate. Three operations a coordinate.
    pub(super) fn misread(&self, precision: Precision) -> Vec<f64> {
        let Arithmetic { unit, tiny, .. } = Arithmetic::of(precision);
        let error = |side: &Interval| match precision {
            Precision::F32 => up(up(unit * side.magnitude()) + tiny),
            Precision::F64 => 0.0,
        };
        self.sides.iter().map(error).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_that_are_none_are_refused_by_coordinate() {
        let said = |low: &[f64], high: &[f64]| InputBox::new(low, high).unwrap_err().to_string();
        assert!(said(&[0.0, 1.0], &[1.0, 0.5]).contains("[1, 0.5]"));
        assert!(said(&[f64::NAN], &[1.0]).contains("coordinate 0"));
        assert!(said(&[0.0], &[f64::INFINITY]).contains("finite"));
        assert!(said(&[], &[]).contains("at least one"));
        assert_eq!(InputBox::new(&[1.0, 2.0], &[1.0, 2.0]).unwrap().point(), Some(vec![1.0, 2.0]));
        assert_eq!(InputBox::cube(2, 0.0, 1.0).unwrap().point(), None);
    }

    #[test]
    fn what_is_read_holds_every_rounded_input() {
        let sides = InputBox::new(&[0.1, 1e300], &[0.2, 1e300]).unwrap();
        let read = sides.read(Precision::F32);
        assert!(read[0].contains(f64::from(0.1_f32)) && read[0].contains(f64::from(0.2_f32)));
        assert!(!read[1].is_bounded());
        let misread = sides.misread(Precision::F32)[0];
        assert!((f64::from(0.2_f32) - 0.2).abs() <= misread && misread < 2e-8);
    }
}
