//! A function on the cube written out as characters and their values: something a person can read.
use serde::{Deserialize, Serialize};

use crate::data::Batch;

/// One character with its coefficient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// The coordinates of the character, ascending; none is the constant.
    pub support: Vec<usize>,
    /// Its coefficient.
    pub value: f64,
}

/// A sum of characters, ordered by support: shorter first, then by coordinates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FourierSum {
    terms: Vec<Term>,
}

impl FourierSum {
    /// The sum of `terms`. Supports are sorted, equal ones added up, and terms that cancel to exactly zero dropped.
    ///
    /// ```
    /// use absolve::fourier::{FourierSum, Term};
    /// let term = |support: &[usize], value| Term { support: support.to_vec(), value };
    /// let sum = FourierSum::new(vec![term(&[2, 1], 0.5), term(&[1, 2], 0.25), term(&[], 1.0)]);
    /// assert_eq!(sum.terms(), [term(&[], 1.0), term(&[1, 2], 0.75)]);
    /// assert!((sum.at(&[1.0, -1.0, 1.0]) - 0.25).abs() < 1e-12);
    /// ```
    pub fn new(mut terms: Vec<Term>) -> Self {
        terms.iter_mut().for_each(|term| term.support.sort_unstable());
        terms.sort_by(|a, b| (a.support.len(), &a.support).cmp(&(b.support.len(), &b.support)));
        let mut merged: Vec<Term> = Vec::with_capacity(terms.len());
        for term in terms {
            match merged.last_mut() {
                Some(last) if last.support == term.support => last.value += term.value,
                _ => merged.push(term),
            }
        }
        merged.retain(|term| term.value.abs() > 0.0);
        Self { terms: merged }
    }

    /// Its terms, shorter supports first.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The supports of its terms, in order.
    pub fn supports(&self) -> Vec<&[usize]> {
        self.terms.iter().map(|term| term.support.as_slice()).collect()
    }

    /// Its value at one vertex, given as −1 and +1.
    pub fn at(&self, x: &[f64]) -> f64 {
        self.terms.iter().map(|term| term.value * character(&term.support, x)).sum()
    }

    /// Its value at every row, as a column.
    pub fn at_all(&self, xs: &Batch) -> Batch {
        let values: Vec<f64> = xs.rows().into_iter().map(|x| self.at(&x.to_vec())).collect();
        crate::data::column(values)
    }

    /// The smallest coefficient in absolute value: the function is τ-heavy for every τ up to it.
    pub fn lightest(&self) -> f64 {
        self.terms.iter().map(|term| term.value.abs()).fold(f64::INFINITY, f64::min)
    }

    /// Multiplications and additions to evaluate it once.
    pub fn flops(&self) -> u64 {
        self.terms.iter().map(|term| term.support.len() as u64 + 1).sum()
    }
}

/// The character of `support` at the vertex `x`: the product of the coordinates in it.
pub fn character(support: &[usize], x: &[f64]) -> f64 {
    support.iter().map(|&i| x[i]).product()
}
