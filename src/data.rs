//! Batches of inputs and answers, and what answers mean.
use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Rows of numbers: inputs or answers, one a row.
///
/// Always `f64`, whatever the precision of the net that reads it: a net of `f32` rounds on the way in.
pub type Batch = Array2<f64>;

/// Widths of a model's inputs and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Width of an input row.
    pub inputs: usize,
    /// Width of an answer row.
    pub outputs: usize,
}

/// What answers mean, and so when one is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// One of so many classes: an answer row holds a score a class, a label row is one-hot.
    Classes(usize),
    /// A label of −1 or +1: an answer row holds one number, and its sign decides.
    Sign,
    /// A real number.
    Real,
}

impl Target {
    /// Width of an answer row.
    pub fn outputs(self) -> usize {
        match self {
            Self::Classes(k) => k,
            Self::Sign | Self::Real => 1,
        }
    }

    /// The class that an answer or label row decides for, or `None` for real targets.
    ///
    /// Ties go to the first class, a score of exactly 0 to −1, which is class 0 of a sign target.
    pub fn decide(self, row: &[f64]) -> Option<usize> {
        match self {
            Self::Classes(_) => Some(argmax(row)),
            Self::Sign => Some(usize::from(row[0] > 0.0)),
            Self::Real => None,
        }
    }

    /// The label row of class `class`.
    ///
    /// # Panics
    /// On a real target, which has no classes: a bug in the caller.
    pub fn label_of(self, class: usize) -> Vec<f64> {
        match self {
            Self::Classes(k) => (0..k).map(|i| f64::from(u8::from(i == class))).collect(),
            Self::Sign => vec![if class == 1 { 1.0 } else { -1.0 }],
            Self::Real => panic!("a real target has no classes"),
        }
    }

    /// How many classes there are, or `None` for real targets.
    pub fn n_classes(self) -> Option<usize> {
        match self {
            Self::Classes(k) => Some(k),
            Self::Sign => Some(2),
            Self::Real => None,
        }
    }
}

/// The place of the largest number, the first of equals.
pub fn argmax(row: &[f64]) -> usize {
    let mut best = 0;
    for (i, x) in row.iter().enumerate() {
        if *x > row[best] {
            best = i;
        }
    }
    best
}

/// Inputs with their labels, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Labeled {
    /// Inputs.
    pub xs: Batch,
    /// Labels, as answers would be: one-hot, a sign or a number.
    pub ys: Batch,
}

impl Labeled {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.xs.nrows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows numbered `rows`, in that order.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self { xs: self.xs.select(Axis(0), rows), ys: self.ys.select(Axis(0), rows) }
    }

    /// Splits off the last `n` rows: `(the rest, the last n)`.
    pub fn split_last(&self, n: usize) -> (Self, Self) {
        let cut = self.len() - n.min(self.len());
        let rows: Vec<usize> = (0..self.len()).collect();
        (self.select(&rows[..cut]), self.select(&rows[cut..]))
    }
}

/// The numbers of row `i`, which must lie side by side, as they do in every batch built here.
pub fn row(batch: &Batch, i: usize) -> Vec<f64> {
    batch.row(i).to_vec()
}

/// Builds a batch of rows that all have the same width.
///
/// # Panics
/// If they have not: a bug in the caller.
pub fn stack(width: usize, rows: impl IntoIterator<Item = Vec<f64>>) -> Batch {
    wide(width, rows.into_iter().flatten().collect())
}

/// A batch of rows of one width from all their numbers, row by row.
///
/// # Panics
/// If the last row is not whole: a bug in the caller.
pub fn wide(width: usize, numbers: Vec<f64>) -> Batch {
    let n = numbers.len() / width.max(1);
    Batch::from_shape_vec((n, width), numbers).expect("whole rows")
}

/// Most numbers that one batch may hold: 2 GiB of them.
const MOST_NUMBERS: usize = 1 << 28;

/// Checks that a batch of `rows` rows of `width` numbers can be thought of, before memory is asked for it.
pub fn check_size(name: &'static str, rows: usize, width: usize) -> Result<()> {
    match rows.checked_mul(width.max(1)) {
        Some(numbers) if numbers <= MOST_NUMBERS => Ok(()),
        _ => {
            let want = format!(
                "at most {} rows of {width} numbers are accepted",
                MOST_NUMBERS / width.max(1)
            );
            Err(Error::parameter(name, rows, want))
        }
    }
}

/// A batch of one column.
pub fn column(values: Vec<f64>) -> Batch {
    Array1::from(values).insert_axis(Axis(1))
}

/// Numbers below which a look is not worth spreading over threads.
const MANY: usize = 1 << 16;

/// Checks that every row of `batch` has `width` finite numbers.
pub fn check(what: &'static str, batch: &Batch, width: usize) -> Result<()> {
    if batch.ncols() != width {
        return Err(Error::Width { what, want: width, got: batch.ncols() });
    }
    let finite = match batch.as_slice() {
        Some(numbers) if numbers.len() >= MANY => numbers.par_chunks(MANY).all(all_finite),
        Some(numbers) => all_finite(numbers),
        None => false,
    };
    if finite {
        return Ok(());
    }
    match batch.indexed_iter().find(|(_, x)| !x.is_finite()) {
        Some(((row, column), value)) => {
            Err(Error::NotFinite { what: what.to_owned(), value: *value, row, column })
        }
        None => Ok(()),
    }
}

/// Whether all numbers are finite: the sum of `0 x` is 0 if they are, and NaN if they are not. Lanes of sums, so that it
/// takes no longer than reading them.
fn all_finite(numbers: &[f64]) -> bool {
    let (lanes, rest) = numbers.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for lane in lanes {
        for (sum, x) in sums.iter_mut().zip(lane) {
            *sum += 0.0 * x;
        }
    }
    rest.iter().chain(&sums).all(|x| x.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_the_largest_score_or_the_sign() {
        assert_eq!(Target::Classes(3).decide(&[0.1, 0.7, 0.7]), Some(1));
        assert_eq!(Target::Sign.decide(&[-0.2]), Some(0));
        assert_eq!(Target::Sign.decide(&[0.2]), Some(1));
        assert_eq!(Target::Real.decide(&[0.2]), None);
        assert_eq!(Target::Sign.label_of(0), vec![-1.0]);
    }

    #[test]
    fn a_nan_is_refused_with_its_place() {
        let batch = ndarray::array![[0.0, 1.0], [f64::NAN, 2.0]];
        let error = check("inputs", &batch, 2).unwrap_err();
        assert!(matches!(error, Error::NotFinite { row: 1, column: 0, .. }), "{error}");
    }
}
