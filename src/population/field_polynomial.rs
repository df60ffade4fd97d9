//! Polynomials over the field of residues modulo a prime, with values as labels.
use std::collections::BTreeMap;

use crate::data::{Batch, column};
use crate::domain::PrimeField;
use crate::error::{Error, Result};
use crate::fourier::{FourierSum, Term};

/// A polynomial over `F_p`, reduced: no power is over p − 1.
///
/// For p = 2 inputs are vertices of the cube and the value a sign, −1 for the bit 1; else inputs are residues and the value is
/// one of 0, …, p − 1.
///
/// ```
/// use absolve::domain::PrimeField;
/// use absolve::population::FieldPolynomial;
/// // 1 + 2 x₀² x₁ over F_5.
/// let terms = vec![(vec![], 1), (vec![(0, 2), (1, 1)], 2)];
/// let polynomial = FieldPolynomial::new(PrimeField::new(5)?, 2, terms)?;
/// assert_eq!(polynomial.degree(), 3);
/// assert_eq!(polynomial.at(&[3.0, 4.0]), 3.0);
/// # Ok::<(), absolve::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FieldPolynomial {
    field: PrimeField,
    n: usize,
    terms: Vec<(Powers, u64)>,
}

/// Coordinates with their powers.
pub type Powers = Vec<(usize, u32)>;

impl FieldPolynomial {
    /// A polynomial in `n` variables: like terms are added up, and those that come to 0 left out.
    ///
    /// # Errors
    /// If a coordinate is not there or named twice in a term, or a power is not between 1 and p − 1.
    pub fn new(field: PrimeField, n: usize, terms: Vec<(Powers, u64)>) -> Result<Self> {
        let mut sums: BTreeMap<Powers, u64> = BTreeMap::new();
        for (mut powers, value) in terms {
            powers.sort_unstable();
            let twice = powers.windows(2).any(|pair| pair[0].0 == pair[1].0);
            let fine = |(i, k): &(usize, u32)| *i < n && *k > 0 && u64::from(*k) < field.order();
            if twice || !powers.iter().all(fine) {
                let want = format!(
                    "every coordinate from 0 to below {n}, at most once a term, with a power from 1 to {}",
                    field.order() - 1
                );
                return Err(Error::parameter("powers", format!("{powers:?}"), want));
            }
            let sum = sums.entry(powers).or_default();
            *sum = field.plus(*sum, value % field.order());
        }
        let terms = sums.into_iter().filter(|(_, value)| *value > 0).collect();
        Ok(Self { field, n, terms })
    }

    /// The largest sum of a term's powers.
    pub fn degree(&self) -> u32 {
        let degree = |(powers, _): &(Powers, u64)| powers.iter().map(|(_, k)| k).sum();
        self.terms.iter().map(degree).max().unwrap_or(0)
    }

    /// Its terms, no two with the same powers and none of value 0.
    pub fn terms(&self) -> &[(Powers, u64)] {
        &self.terms
    }

    /// Its value at `x` as a label.
    pub fn at(&self, x: &[f64]) -> f64 {
        let signs = self.field.order() == 2;
        let residue = |x: f64| if signs { u64::from(x < 0.0) } else { x.round().max(0.0) as u64 };
        let value = self.terms.iter().fold(0, |sum, (powers, value)| {
            let power = |product, (i, k): &(usize, u32)| {
                self.field.times(product, self.field.power(residue(x[*i]), u64::from(*k)))
            };
            self.field.plus(sum, powers.iter().fold(*value, power))
        });
        if signs { 1.0 - 2.0 * value as f64 } else { value as f64 }
    }

    /// Its value at every row, as a column.
    pub fn at_all(&self, xs: &Batch) -> Batch {
        column(xs.rows().into_iter().map(|row| self.at(&row.to_vec())).collect())
    }

    /// It as a sum of characters on the cube, where it is one character: over `F_2`, of degree 1.
    pub fn spectrum(&self) -> Option<FourierSum> {
        if self.field.order() != 2 || self.degree() > 1 {
            return None;
        }
        let support = self.terms.iter().filter_map(|(powers, _)| powers.first()).map(|(i, _)| *i);
        let value = self.at(&vec![1.0; self.n]);
        Some(FourierSum::new(vec![Term { support: support.collect(), value }]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_expanded_sum() {
        // 2 + x₀ x₁² + 2 x₁ over F_3 (after 3 x₀, which is nothing), at all nine points.
        let field = PrimeField::new(3).unwrap();
        let terms =
            vec![(vec![], 2), (vec![(1, 2), (0, 1)], 1), (vec![(1, 1)], 2), (vec![(0, 1)], 3)];
        let polynomial = FieldPolynomial::new(field, 2, terms).unwrap();
        assert_eq!((polynomial.terms().len(), polynomial.degree()), (3, 3));
        for a in 0..3_u32 {
            for b in 0..3_u32 {
                let want = f64::from((2 + a * b * b + 2 * b) % 3);
                let got = polynomial.at(&[f64::from(a), f64::from(b)]);
                assert!((got - want).abs() < 1e-12, "{a} {b}");
            }
        }
        assert_eq!(polynomial.spectrum(), None);
    }

    #[test]
    fn over_two_elements_a_product_of_bits_is_an_and_and_degree_one_is_a_character() {
        let field = PrimeField::new(2).unwrap();
        let and = FieldPolynomial::new(field, 3, vec![(vec![(0, 1), (2, 1)], 1)]).unwrap();
        assert_eq!(
            and.at_all(&ndarray::array![[-1.0, 1.0, -1.0], [1.0, -1.0, -1.0]]),
            ndarray::array![[-1.0], [1.0]]
        );
        assert_eq!(and.spectrum(), None);
        let terms = vec![(vec![], 1), (vec![(0, 1)], 1), (vec![(2, 1)], 1)];
        let parity = FieldPolynomial::new(field, 3, terms).unwrap();
        let sum = parity.spectrum().unwrap();
        let x = ndarray::array![[-1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]];
        assert_eq!(parity.at_all(&x), sum.at_all(&x));
        assert_eq!(parity.at_all(&x), ndarray::array![[1.0], [-1.0]]);
    }

    #[test]
    fn terms_that_are_not_reduced_are_refused() {
        let field = PrimeField::new(3).unwrap();
        for powers in [vec![(0, 3)], vec![(2, 1)], vec![(0, 1), (0, 1)], vec![(0, 0)]] {
            assert!(FieldPolynomial::new(field, 2, vec![(powers, 1)]).is_err());
        }
    }
}
