//! Sums of products of orthonormal polynomials: Hermite's under normal inputs, Legendre's on the box [−1, 1]^n.
//!
//! For one coordinate the polynomials `p_0 = 1, p_1, p_2, …` with `E[p_j p_k] = 1` if j = k and 0 otherwise obey
//! `x p_j = a_{j+1} p_{j+1} + a_j p_{j−1}`, with `a_j = √j` for Hermite's and `a_j = j/√(4j² − 1)` for Legendre's. Products
//! `Π p_{k_i}(x_i)` are orthonormal under independent coordinates, and those of total degree at most d span the polynomials
//! of degree at most d: there are C(n + d, d).
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::Batch;

/// Degrees of a product by coordinate: pairs (i, k) with ascending coordinates and k of at least 1; none is the constant.
pub type Degrees = Vec<(usize, u32)>;

/// The polynomials of one coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Polynomials {
    /// Hermite's, scaled to variance 1: orthonormal under the standard normal distribution.
    Hermite,
    /// Legendre's, scaled to variance 1: orthonormal under the uniform distribution on [−1, 1].
    Legendre,
}

/// One product with its coefficient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductTerm {
    /// The degrees of its factors.
    pub degrees: Degrees,
    /// Its coefficient.
    pub value: f64,
}

/// A sum of products, ordered by total degree, then by coordinates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductSum {
    basis: Polynomials,
    terms: Vec<ProductTerm>,
}

impl Polynomials {
    /// `a_j`, what couples degree j to degree j − 1; 0 for j = 0, which there is nothing below.
    fn coupling(self, j: u32) -> f64 {
        let j = f64::from(j);
        match self {
            _ if j < 1.0 => 0.0,
            Self::Hermite => j.sqrt(),
            Self::Legendre => j / (4.0 * j * j - 1.0).sqrt(),
        }
    }

    /// `p_0(x), …, p_degree(x)`.
    pub fn up_to(self, degree: u32, x: f64) -> Vec<f64> {
        let mut values = Vec::with_capacity(degree as usize + 1);
        self.append_up_to(degree, x, &mut values);
        values
    }

    /// Appends `p_0(x), …, p_degree(x)` to `values`.
    pub(super) fn append_up_to(self, degree: u32, x: f64, values: &mut Vec<f64>) {
        let (mut before, mut at) = (0.0, 1.0);
        values.push(at);
        for j in 0..degree {
            let next = (x * at - self.coupling(j) * before) / self.coupling(j + 1);
            (before, at) = (at, next);
            values.push(at);
        }
    }

    /// `p_degree` as a polynomial: the coefficients of 1, x, x², ….
    pub fn powers(self, degree: u32) -> Vec<f64> {
        let (mut before, mut at) = (Vec::new(), vec![1.0]);
        for j in 0..degree {
            let mut next = vec![0.0; at.len() + 1];
            at.iter().enumerate().for_each(|(k, c)| next[k + 1] += c);
            before.iter().enumerate().for_each(|(k, c)| next[k] -= self.coupling(j) * c);
            next.iter_mut().for_each(|c| *c /= self.coupling(j + 1));
            before = std::mem::replace(&mut at, next);
        }
        at
    }

    /// `x^power` in the basis: the coefficients of `p_0, p_1, …`.
    fn of_power(self, power: u32) -> Vec<f64> {
        let mut at = vec![1.0];
        for _ in 0..power {
            let mut next = vec![0.0; at.len() + 1];
            for (j, c) in at.iter().enumerate() {
                next[j + 1] += c * self.coupling(j as u32 + 1);
                if j > 0 {
                    next[j - 1] += c * self.coupling(j as u32);
                }
            }
            at = next;
        }
        at
    }
}

impl ProductSum {
    /// The sum of `terms`. Degrees are sorted, equal ones added up, and terms that cancel to exactly zero dropped.
    ///
    /// ```
    /// use absolve::fourier::{Polynomials, ProductSum, ProductTerm};
    /// let terms = vec![ProductTerm { degrees: vec![(1, 2)], value: 3.0 }];
    /// let sum = ProductSum::new(Polynomials::Hermite, terms);
    /// // The second is (x² − 1)/√2.
    /// assert!((sum.at(&[9.0, 2.0]) - 9.0 / 2.0_f64.sqrt()).abs() < 1e-12);
    /// ```
    pub fn new(basis: Polynomials, terms: Vec<ProductTerm>) -> Self {
        let mut sums: BTreeMap<(u32, Degrees), f64> = BTreeMap::new();
        for ProductTerm { mut degrees, value } in terms {
            degrees.retain(|(_, k)| *k > 0);
            degrees.sort_unstable();
            *sums.entry((total(&degrees), degrees)).or_default() += value;
        }
        let terms = sums
            .into_iter()
            .filter(|(_, value)| value.abs() > 0.0)
            .map(|((_, degrees), value)| ProductTerm { degrees, value })
            .collect();
        Self { basis, terms }
    }

    /// A polynomial, given as monomials, in the basis. Coefficients that are 0 up to rounding are left out: those below 1e-12
    /// of the sum of what they were made of.
    pub fn of_monomials<'a>(
        basis: Polynomials,
        monomials: impl IntoIterator<Item = (&'a [(usize, u32)], f64)>,
    ) -> Self {
        const ROUNDING: f64 = 1e-12;
        let mut sums: BTreeMap<Degrees, (f64, f64)> = BTreeMap::new();
        for (powers, value) in monomials {
            let expanded = expand(powers, value, |power| basis.of_power(power));
            for (degrees, value) in expanded {
                let (sum, size) = sums.entry(degrees).or_default();
                *sum += value;
                *size += value.abs();
            }
        }
        let kept = sums.into_iter().filter(|(_, (sum, size))| sum.abs() > ROUNDING * size);
        let terms = kept.map(|(degrees, (value, _))| ProductTerm { degrees, value }).collect();
        Self::new(basis, terms)
    }

    /// It as monomials: powers by coordinate, with values. Like terms are not added up.
    pub fn monomials(&self) -> Vec<(Degrees, f64)> {
        let expand = |term: &ProductTerm| {
            expand(&term.degrees, term.value, |degree| self.basis.powers(degree))
        };
        self.terms.iter().flat_map(expand).collect()
    }

    /// Its basis.
    pub fn basis(&self) -> Polynomials {
        self.basis
    }

    /// Its terms, those of lower degree first.
    pub fn terms(&self) -> &[ProductTerm] {
        &self.terms
    }

    /// The degrees of its terms, in order.
    pub fn supports(&self) -> Vec<&[(usize, u32)]> {
        self.terms.iter().map(|term| term.degrees.as_slice()).collect()
    }

    /// Its value at one point.
    pub fn at(&self, x: &[f64]) -> f64 {
        self.terms.iter().map(|term| term.value * product(self.basis, &term.degrees, x)).sum()
    }

    /// Its value at every row, as a column.
    pub fn at_all(&self, xs: &Batch) -> Batch {
        crate::data::column(xs.rows().into_iter().map(|x| self.at(&x.to_vec())).collect())
    }

    /// Multiplications, additions and the like to evaluate it once: five a degree of each factor, by the recurrence.
    pub fn flops(&self) -> u64 {
        self.terms.iter().map(|term| 5 * u64::from(total(&term.degrees)) + 2).sum()
    }
}

/// A product multiplied out, each factor (i, k) being `Σ factors(k)[j]` times the j-th function of coordinate i.
fn expand(
    product: &[(usize, u32)],
    value: f64,
    factors: impl Fn(u32) -> Vec<f64>,
) -> Vec<(Degrees, f64)> {
    let mut all = vec![(Vec::new(), value)];
    for &(i, k) in product {
        let sum = factors(k);
        let mut more = Vec::with_capacity(all.len() * sum.len());
        for (degrees, value) in &all {
            for (j, c) in sum.iter().enumerate().filter(|(_, c)| c.abs() > 0.0) {
                let mut degrees = degrees.clone();
                degrees.extend((j > 0).then_some((i, j as u32)));
                more.push((degrees, value * c));
            }
        }
        all = more;
    }
    all
}

/// The sum of degrees.
pub fn total(degrees: &[(usize, u32)]) -> u32 {
    degrees.iter().fold(0, |sum, (_, k)| sum.saturating_add(*k))
}

/// The product with these degrees at `x`.
pub fn product(basis: Polynomials, degrees: &[(usize, u32)], x: &[f64]) -> f64 {
    degrees.iter().map(|&(i, k)| basis.up_to(k, x[i])[k as usize]).product()
}

/// All products of total degree at most `degree` in `n` coordinates, those of lower degree first.
pub fn all_degrees(n: usize, degree: u32) -> Vec<Degrees> {
    let mut all: Vec<Degrees> = vec![Vec::new()];
    let mut last: Vec<Degrees> = vec![Vec::new()];
    for _ in 0..degree {
        let mut next = Vec::new();
        for degrees in &last {
            let highest = degrees.last().map_or(0, |(i, _)| *i);
            for i in highest..n {
                let mut more = degrees.clone();
                match more.last_mut() {
                    Some((last, k)) if *last == i => *k += 1,
                    _ => more.push((i, 1)),
                }
                next.push(more);
            }
        }
        all.extend(next.iter().cloned());
        last = next;
    }
    all
}

/// How many products [`all_degrees`] lists, C(n + degree, degree), or the largest number.
pub fn n_products(n: usize, degree: u32) -> u64 {
    let count = (1..=u128::from(degree)).try_fold(1_u128, |count, k| {
        // C(n + k, k) from C(n + k − 1, k − 1), which divides.
        count.checked_mul(n as u128 + k).map(|product| product / k)
    });
    count.and_then(|count| u64::try_from(count).ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Domain;

    const BOTH: [Polynomials; 2] = [Polynomials::Hermite, Polynomials::Legendre];

    #[test]
    fn polynomials_are_orthonormal_by_the_exact_moments_of_their_domain() {
        for basis in BOTH {
            let domain = match basis {
                Polynomials::Hermite => Domain::Gauss { n: 1 },
                Polynomials::Legendre => Domain::Box { n: 1 },
            };
            let all: Vec<Vec<f64>> = (0..=6).map(|k| basis.powers(k)).collect();
            for (j, a) in all.iter().enumerate() {
                for (k, b) in all.iter().enumerate() {
                    let mut mean = 0.0;
                    for (p, a) in a.iter().enumerate() {
                        for (q, b) in b.iter().enumerate() {
                            mean += a * b * domain.moment(&[(0, (p + q) as u32)]).unwrap();
                        }
                    }
                    let want = f64::from(u8::from(j == k));
                    assert!((mean - want).abs() < 1e-9, "{basis:?} {j} {k}: {mean}");
                }
            }
            // The recurrence and the written-out polynomials agree.
            for x in [-1.0_f64, -0.3, 0.7, 1.0] {
                let by_powers = |c: &Vec<f64>| c.iter().rev().fold(0.0, |sum, c| sum * x + c);
                let values = basis.up_to(6, x);
                assert!(all.iter().zip(values).all(|(c, v)| (by_powers(c) - v).abs() < 1e-12));
            }
        }
        // The largest values of Legendre's are √(2k + 1), at 1.
        let ends = Polynomials::Legendre.up_to(4, 1.0);
        let want = |k: usize| (2.0 * k as f64 + 1.0).sqrt();
        assert!(ends.iter().enumerate().all(|(k, v)| (v - want(k)).abs() < 1e-12));
    }

    #[test]
    fn monomials_and_products_are_the_same_functions_both_ways() {
        let term =
            |degrees: &[(usize, u32)], value| ProductTerm { degrees: degrees.to_vec(), value };
        for basis in BOTH {
            let sum = ProductSum::new(
                basis,
                vec![term(&[(0, 3), (2, 1)], 0.5), term(&[(1, 2)], -0.75), term(&[], 0.25)],
            );
            let monomials = sum.monomials();
            let borrowed = monomials.iter().map(|(powers, value)| (powers.as_slice(), *value));
            let back = ProductSum::of_monomials(basis, borrowed);
            // x² − c + c: what cancels does not stay as rounding.
            assert_eq!(back.supports(), sum.supports(), "{basis:?}");
            for x in [[0.3_f64, -0.2, 0.9], [1.0, 0.5, -1.0]] {
                let power = |(i, k): &(usize, u32)| x[*i].powi(*k as i32);
                let direct: f64 =
                    monomials.iter().map(|(p, v)| v * p.iter().map(power).product::<f64>()).sum();
                assert!((sum.at(&x) - direct).abs() < 1e-12);
                assert!((back.at(&x) - direct).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn products_are_listed_once_each() {
        for (n, degree, want) in [(4, 2, 15), (3, 4, 35), (1, 5, 6), (8, 0, 1), (8, 3, 165)] {
            let mut all = all_degrees(n, degree);
            assert_eq!(all.len() as u64, n_products(n, degree));
            assert_eq!(all.len(), want);
            all.sort();
            all.dedup();
            assert_eq!(all.len(), want);
        }
        assert_eq!(n_products(1 << 16, 16), u64::MAX);
    }
}
