//! Polynomials in many variables, as lists of monomials.
use std::collections::BTreeMap;

use crate::data::{Batch, column};
use crate::domain::Domain;
use crate::error::{Error, Result};

/// Largest power of a monomial in all.
pub(super) const MOST_DEGREE: u32 = 16;

/// `value · Π yᵢ^kᵢ`.
#[derive(Clone, Debug, PartialEq)]
pub struct Monomial {
    /// Pairs (i, k) of coordinates and powers, with ascending coordinates and powers of at least 1.
    pub powers: Vec<(usize, u32)>,
    /// The coefficient.
    pub value: f64,
}

/// A polynomial `Σ value · Π (xᵢ − oᵢ)^kᵢ` around an origin o.
///
/// ```
/// use absolve::population::{Monomial, Polynomial};
/// let terms = vec![
///     Monomial { powers: vec![], value: 1.0 },
///     Monomial { powers: vec![(0, 2), (1, 1)], value: 2.0 },
/// ];
/// let polynomial = Polynomial::new(vec![0.0, 1.0], terms)?;
/// assert_eq!(polynomial.degree(), 3);
/// assert_eq!(polynomial.at(&[3.0, 2.0]), 19.0);
/// # Ok::<(), absolve::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial {
    origin: Vec<f64>,
    terms: Vec<Monomial>,
}

impl Polynomial {
    /// A polynomial around `origin`: like terms are added up, and those that come to 0 left out.
    ///
    /// # Errors
    /// If a coordinate is not there or named twice in a term, a number is not finite, or the degree is over 16.
    pub fn new(origin: Vec<f64>, terms: Vec<Monomial>) -> Result<Self> {
        let n = origin.len();
        let mut sums: BTreeMap<Vec<(usize, u32)>, f64> = BTreeMap::new();
        for Monomial { mut powers, value } in terms {
            powers.retain(|(_, k)| *k > 0);
            powers.sort_unstable();
            let value_text = || format!("{powers:?}");
            if powers.windows(2).any(|pair| pair[0].0 == pair[1].0)
                || powers.last().is_some_and(|(i, _)| *i >= n)
            {
                let want = format!("every coordinate from 0 to below {n}, at most once a term");
                return Err(Error::parameter("powers", value_text(), want));
            }
            let degree = powers.iter().fold(0_u32, |sum, (_, k)| sum.saturating_add(*k));
            if degree > MOST_DEGREE {
                let want = format!("a degree of at most {MOST_DEGREE} is needed");
                return Err(Error::parameter("powers", value_text(), want));
            }
            if !value.is_finite() {
                return Err(Error::parameter("value", value, "finite coefficients are needed"));
            }
            *sums.entry(powers).or_default() += value;
        }
        if let Some(odd) = origin.iter().find(|x| !x.is_finite()) {
            return Err(Error::parameter("origin", odd, "a point of finite numbers is needed"));
        }
        let terms = sums
            .into_iter()
            .filter(|(_, value)| value.abs() > 0.0)
            .map(|(powers, value)| Monomial { powers, value })
            .collect();
        Ok(Self { origin, terms })
    }

    /// The point it is written around.
    pub fn origin(&self) -> &[f64] {
        &self.origin
    }

    /// Its terms, no two with the same powers and none of value 0.
    pub fn terms(&self) -> &[Monomial] {
        &self.terms
    }

    /// The largest sum of a term's powers.
    pub fn degree(&self) -> u32 {
        self.terms.iter().map(degree).max().unwrap_or(0)
    }

    /// Its value at `x`, as wide as the origin.
    pub fn at(&self, x: &[f64]) -> f64 {
        let power = |(i, k): &(usize, u32)| {
            let y = x[*i] - self.origin[*i];
            // Multiplied out: `powi` may differ from one platform to the next.
            (1..*k).fold(y, |power, _| power * y)
        };
        let term = |term: &Monomial| term.value * term.powers.iter().map(power).product::<f64>();
        self.terms.iter().map(term).sum()
    }

    /// Its value at every row, as a column.
    pub fn at_all(&self, xs: &Batch) -> Batch {
        column(xs.rows().into_iter().map(|row| self.at(&row.to_vec())).collect())
    }

    /// Its variance over `domain`, exactly, if it is written around 0 and the domain's moments have closed forms.
    ///
    /// Takes time in proportion to the square of the number of terms.
    pub fn variance(&self, domain: &Domain) -> Option<f64> {
        if self.origin.iter().any(|x| x.abs() > 0.0) || self.origin.len() != domain.n() {
            return None;
        }
        let means: Option<Vec<f64>> =
            self.terms.iter().map(|term| domain.moment(&term.powers)).collect();
        let means = means?;
        let mut sum = 0.0;
        for (i, a) in self.terms.iter().enumerate() {
            for (j, b) in self.terms[..=i].iter().enumerate() {
                let covariance =
                    domain.moment(&product(&a.powers, &b.powers))? - means[i] * means[j];
                let times = if i == j { 1.0 } else { 2.0 };
                sum += times * a.value * b.value * covariance;
            }
        }
        Some(sum)
    }
}

/// The sum of a monomial's powers.
pub(super) fn degree(term: &Monomial) -> u32 {
    term.powers.iter().map(|(_, k)| k).sum()
}

/// The powers of a product of two monomials.
fn product(a: &[(usize, u32)], b: &[(usize, u32)]) -> Vec<(usize, u32)> {
    let mut powers = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (Some((i, k)), Some((j, l))) if i == j => {
                powers.push((*i, k + l));
                a.next();
                b.next();
            }
            (Some((i, _)), Some((j, _))) if i < j => powers.extend(a.next()),
            (Some(_), None) => powers.extend(a.next()),
            (_, Some(_)) => powers.extend(b.next()),
            (None, None) => return powers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(powers: &[(usize, u32)], value: f64) -> Monomial {
        Monomial { powers: powers.to_vec(), value }
    }

    #[test]
    fn values_are_those_of_the_expanded_sum() {
        // 3 − x₀ + 2 x₀² x₂ − x₁³ around 0, and the same after adding like terms and one that cancels.
        let terms = vec![
            term(&[], 3.0),
            term(&[(0, 1)], -1.0),
            term(&[(2, 1), (0, 2)], 0.5),
            term(&[(0, 2), (2, 1)], 1.5),
            term(&[(1, 3), (2, 0)], -1.0),
            term(&[(1, 1)], 4.0),
            term(&[(1, 1)], -4.0),
        ];
        let polynomial = Polynomial::new(vec![0.0; 3], terms).unwrap();
        assert_eq!((polynomial.terms().len(), polynomial.degree()), (4, 3));
        for (a, b, c) in [(1.0, 2.0, 3.0), (-0.5, 0.25, 8.0), (0.0, -1.0, 7.0)] {
            let want = 3.0 - a + 2.0 * a * a * c - b * b * b;
            assert!((polynomial.at(&[a, b, c]) - want).abs() < 1e-12);
        }
        let moved = Polynomial::new(vec![1.0, 0.0], vec![term(&[(0, 2)], 1.0)]).unwrap();
        assert!((moved.at(&[4.0, 9.0]) - 9.0).abs() < 1e-12);
    }

    #[test]
    fn normal_variances_are_those_of_hermite_and_isserlis() {
        // Var x = 1, Var x² = 2, Var x³ = 15 = 9 · 1 + 3! (x³ = H₃ + 3 H₁), Cov(x, x³) = 3, Var(x y) = 1, Cov(x², x² y²) = 2.
        let gauss = Domain::Gauss { n: 2 };
        for (terms, want) in [
            (vec![term(&[(0, 1)], 1.0)], 1.0),
            (vec![term(&[(0, 2)], 1.0)], 2.0),
            (vec![term(&[(0, 3)], 1.0)], 15.0),
            (vec![term(&[(0, 3)], 1.0), term(&[(0, 1)], -3.0)], 6.0),
            (vec![term(&[(0, 1), (1, 1)], 2.0), term(&[], 8.0)], 4.0),
            // Var(x² + x² y²) = 2 + 8 + 2 · 2: E x⁴ y⁴ = 9, so Var x² y² = 8.
            (vec![term(&[(0, 2)], 1.0), term(&[(0, 2), (1, 2)], 1.0)], 14.0),
        ] {
            let polynomial = Polynomial::new(vec![0.0; 2], terms).unwrap();
            assert!((polynomial.variance(&gauss).unwrap() - want).abs() < 1e-12, "{want}");
        }
        let moved = Polynomial::new(vec![1.0, 0.0], vec![term(&[(0, 1)], 1.0)]).unwrap();
        assert_eq!(moved.variance(&gauss), None);
    }

    #[test]
    fn impossible_terms_are_refused() {
        let refused = |terms: Vec<Monomial>| Polynomial::new(vec![0.0; 2], terms).is_err();
        assert!(refused(vec![term(&[(2, 1)], 1.0)]));
        assert!(refused(vec![term(&[(0, 1), (0, 1)], 1.0)]));
        assert!(refused(vec![term(&[(0, 9), (1, 8)], 1.0)]));
        assert!(refused(vec![term(&[(0, u32::MAX), (1, u32::MAX)], 1.0)]));
        assert!(refused(vec![term(&[(0, 1)], f64::NAN)]));
        assert!(Polynomial::new(vec![f64::NAN], Vec::new()).is_err());
    }
}
