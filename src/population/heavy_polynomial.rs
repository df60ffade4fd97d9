//! A polynomial truth that is heavy in the orthonormal basis of its domain: a sum of few products, none of them light.
use serde::{Deserialize, Serialize};

use super::regression::{Regression, check};
use super::{Monomial, Noise, Polynomial, Population, Promise, Truth, World};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::fourier::{Polynomials, ProductSum, ProductTerm, all_degrees, n_products, total};
use crate::rng::{RngExt, Seed, permutation, sign};

/// A sum of `terms` products of Legendre's polynomials on the box [−1, 1]^n, or of Hermite's under normal inputs, each scaled to
/// variance 1, with coefficients of random sign and a size uniform on [1/2, 1].
///
/// The products are drawn from those of degree 1 to `degree`, one of full degree among them. The world promises the degree, that
/// coefficients are 0 or at least 1/2, and a root mean square of at most √`terms`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeavyPolynomialFamily {
    /// A box, or normal inputs.
    pub domain: Domain,
    /// The largest degree of a product, from 1 to 8.
    pub degree: u32,
    /// How many products.
    pub terms: usize,
    /// Label noise.
    pub noise: Noise,
    /// Error beyond which an answer is scored as wrong.
    pub cutoff: f64,
}

impl Default for HeavyPolynomialFamily {
    fn default() -> Self {
        let domain = Domain::Box { n: 4 };
        Self { domain, degree: 2, terms: 3, noise: 0.01.into(), cutoff: 0.1 }
    }
}

/// Most products that are drawn from.
const MOST_PRODUCTS: u64 = 1 << 16;
/// Largest degree.
const MOST_DEGREE: u32 = 8;
/// Least coefficient.
const LEAST: f64 = 0.5;

impl HeavyPolynomialFamily {
    pub(super) fn world(&self) -> Result<World> {
        check(&self.domain, &self.noise, self.cutoff, self.cutoff)?;
        self.basis()?;
        if self.degree == 0 || self.degree > MOST_DEGREE {
            let want = format!("a degree from 1 to {MOST_DEGREE} is needed");
            return Err(Error::parameter("degree", self.degree, want));
        }
        let all = n_products(self.domain.n(), self.degree);
        if all > MOST_PRODUCTS {
            let want = format!(
                "in {} coordinates {all} products have at most that degree, and {MOST_PRODUCTS} are the most",
                self.domain.n()
            );
            return Err(Error::parameter("degree", self.degree, want));
        }
        if self.terms == 0 || self.terms as u64 >= all {
            let want = format!("from 1 to {} different products are drawn", all - 1);
            return Err(Error::parameter("terms", self.terms, want));
        }
        let promise = Promise::Characters {
            degree: self.degree,
            tau: LEAST,
            bound: (self.terms as f64).sqrt(),
        };
        let (domain, cutoff) = (self.domain.clone(), self.cutoff);
        Ok(World { domain, target: Target::Real, promise, cutoff })
    }

    pub(super) fn build(&self, seed: Seed) -> Result<Box<dyn Population>> {
        let world = self.world()?;
        let terms = self.sum(seed)?.monomials().into_iter();
        let terms = terms.map(|(powers, value)| Monomial { powers, value }).collect();
        let truth = Polynomial::new(vec![0.0; self.domain.n()], terms)?;
        Ok(Box::new(Regression::new(world, Truth::Polynomial(truth), self.noise.clone())))
    }

    fn basis(&self) -> Result<Polynomials> {
        match self.domain {
            Domain::Gauss { .. } => Ok(Polynomials::Hermite),
            Domain::Box { .. } => Ok(Polynomials::Legendre),
            _ => {
                let want = "box or gauss is needed, where products of polynomials are a basis";
                Err(Error::parameter("domain", format!("{:?}", self.domain), want))
            }
        }
    }

    fn sum(&self, seed: Seed) -> Result<ProductSum> {
        let mut rng = seed.stream("truth");
        let mut listed = all_degrees(self.domain.n(), self.degree);
        // The constant comes first.
        listed.remove(0);
        let order = permutation(listed.len(), &mut rng);
        let first = order.iter().copied().find(|&i| total(&listed[i]) == self.degree);
        let rest = order.iter().copied().filter(|&i| Some(i) != first);
        let mut chosen: Vec<usize> = first.into_iter().chain(rest).take(self.terms).collect();
        chosen.sort_unstable();
        let term = |i: usize| ProductTerm {
            degrees: listed[i].clone(),
            value: sign(&mut rng) * rng.random_range(LEAST..=1.0),
        };
        Ok(ProductSum::new(self.basis()?, chosen.into_iter().map(term).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fourier::Function;
    use crate::population::Family;

    #[test]
    fn truths_are_as_heavy_low_and_small_as_promised() {
        for domain in [Domain::Box { n: 4 }, Domain::Gauss { n: 4 }, Domain::Gauss { n: 1 }] {
            for (degree, terms) in [(1, 1), (3, 3), (8, 2)] {
                let family = HeavyPolynomialFamily {
                    domain: domain.clone(),
                    degree,
                    terms,
                    ..HeavyPolynomialFamily::default()
                };
                let sum = family.sum(Seed::new(7)).unwrap();
                assert_eq!(sum.terms().len(), terms);
                let sizes: Vec<f64> = sum.terms().iter().map(|term| term.value.abs()).collect();
                assert!(sizes.iter().all(|size| (0.5..=1.0).contains(size)));
                assert!(sum.supports().iter().any(|degrees| total(degrees) == degree));
                // Written as monomials and back it has the same products, and values but for rounding.
                let population = Family::HeavyPolynomial(family).build(Seed::new(7)).unwrap();
                let back = population.truth().unwrap().function(&domain).unwrap();
                let Function::Products(back) = back else { panic!("products") };
                assert_eq!(back.supports(), sum.supports(), "{domain:?} {degree}");
                let pairs = back.terms().iter().zip(sum.terms());
                assert!(pairs.into_iter().all(|(a, b)| (a.value - b.value).abs() < 1e-8));
                // Parseval: the mean square over the domain, by its exact moments.
                let Some(Truth::Polynomial(polynomial)) = population.truth() else { panic!() };
                let variance = polynomial.variance(&domain).unwrap();
                let squares: f64 = sizes.iter().map(|size| size * size).sum();
                assert!((variance - squares).abs() < 1e-6, "{domain:?} {degree}: {variance}");
            }
        }
    }

    #[test]
    fn impossible_truths_are_refused_by_name() {
        let good = HeavyPolynomialFamily::default();
        for (bad, want) in [
            (HeavyPolynomialFamily { degree: 0, ..good.clone() }, "degree = 0"),
            (HeavyPolynomialFamily { degree: 9, ..good.clone() }, "degree = 9"),
            (HeavyPolynomialFamily { terms: 15, ..good.clone() }, "terms = 15"),
            (
                HeavyPolynomialFamily { domain: Domain::Ball { n: 3 }, ..good.clone() },
                "domain = Ball",
            ),
            (HeavyPolynomialFamily { domain: Domain::Box { n: 1000 }, ..good }, "degree = 2"),
        ] {
            let said = bad.world().unwrap_err().to_string();
            assert!(said.contains(want), "{said}; wanted: {want}");
        }
    }
}
