//! Products of few coordinates, as what a regression is over: characters on the cube, monomials elsewhere.
use crate::access::{Lab, Oracle};
use crate::data::{Batch, Shape};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::fourier::{FourierSum, Term};
use crate::ledger::Ledger;
use crate::net::{Activation, Layer, Net, Precision};

use super::Repaired;

/// Most products, and most numbers in a table of them.
const MOST_PRODUCTS: usize = 1 << 14;
const MOST_NUMBERS: usize = 1 << 25;

/// All products of one up to `degree` coordinates. On the cube, where a square is 1, of distinct ones.
pub(super) struct Dictionary {
    supports: Vec<Vec<usize>>,
    n: usize,
    is_cube: bool,
}

/// `constant + Σ coefficients · product`, a number an output; products by their number in the dictionary.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Linear {
    pub(super) constant: Vec<f64>,
    pub(super) terms: Vec<(usize, Vec<f64>)>,
}

impl Dictionary {
    /// The products of degree at most `degree` in `domain`.
    ///
    /// # Errors
    /// If there are none or too many.
    pub(super) fn new(domain: &Domain, degree: usize) -> Result<Self> {
        let (n, is_cube) = (domain.n(), matches!(domain, Domain::Cube { .. }));
        if degree == 0 {
            return Err(Error::parameter("degree", 0, "a degree of at least 1 is needed"));
        }
        let mut supports: Vec<Vec<usize>> = (0..n).map(|i| vec![i]).collect();
        let mut longest = 0..supports.len();
        for _ in 1..degree {
            let before = supports.len();
            for k in longest.clone() {
                let last = supports[k][supports[k].len() - 1];
                for i in last + usize::from(is_cube)..n {
                    let mut longer = supports[k].clone();
                    longer.push(i);
                    supports.push(longer);
                }
                if supports.len() > MOST_PRODUCTS {
                    let want =
                        format!("at most {MOST_PRODUCTS} products of {n} coordinates are tried");
                    return Err(Error::parameter("degree", degree, want));
                }
            }
            longest = before..supports.len();
        }
        Ok(Self { supports, n, is_cube })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.supports.len()
    }

    /// The products at every row of `xs`. Charges a multiplication a factor beyond the first.
    pub(super) fn features(&self, xs: &Batch, ledger: &Ledger) -> Result<Batch> {
        if xs.nrows().saturating_mul(self.len()) > MOST_NUMBERS {
            let want = format!(
                "a table of at most {MOST_NUMBERS} products is made; fewer, or a smaller degree"
            );
            return Err(Error::parameter("samples", xs.nrows(), want));
        }
        let factors: usize = self.supports.iter().map(|support| support.len() - 1).sum();
        ledger.flops((factors * xs.nrows()) as u64)?;
        let product = |(i, k): (usize, usize)| -> f64 {
            self.supports[k].iter().map(|&j| xs[[i, j]]).product()
        };
        Ok(Batch::from_shape_fn((xs.nrows(), self.len()), product))
    }

    /// A fit over these products as what answers: a readable function on the cube, a net where it is affine.
    pub(super) fn repaired<'a>(&self, fit: Linear, lab: &Lab<'a>) -> Result<Repaired<'a>> {
        let support = |k: usize| self.supports[k].clone();
        if self.is_cube && fit.constant.len() == 1 {
            let mut terms = vec![Term { support: Vec::new(), value: fit.constant[0] }];
            terms.extend(fit.terms.iter().map(|(k, c)| Term { support: support(*k), value: c[0] }));
            return Ok(Repaired::recovered(FourierSum::new(terms), lab));
        }
        if self.supports.iter().all(|support| support.len() == 1) {
            let mut weight = Batch::zeros((fit.constant.len(), self.n));
            for (k, coefficients) in &fit.terms {
                weight.column_mut(self.supports[*k][0]).assign(&ndarray::aview1(coefficients));
            }
            let bias = fit.constant.into();
            let layer = Layer { weight, bias, activation: Activation::Identity };
            return Ok(Repaired::owned(Net::new(vec![layer], Precision::F64)?, lab.ledger));
        }
        let terms = fit.terms.into_iter().map(|(k, c)| (support(k), c)).collect();
        let (shape, ledger) = (lab.world.shape(), lab.ledger);
        Ok(Repaired::unclaimed(Expansion { constant: fit.constant, terms, shape, ledger }))
    }
}

/// A sum of products that answers.
struct Expansion<'a> {
    constant: Vec<f64>,
    terms: Vec<(Vec<usize>, Vec<f64>)>,
    shape: Shape,
    ledger: &'a Ledger,
}

impl Oracle for Expansion<'_> {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        crate::data::check("inputs", xs, self.shape.inputs)?;
        let of_term = |(support, _): &(Vec<usize>, _)| support.len() + 2 * self.shape.outputs;
        let flops = self.shape.outputs + self.terms.iter().map(of_term).sum::<usize>();
        self.ledger.flops((flops * xs.nrows()) as u64)?;
        Ok(crate::data::stack(
            self.shape.outputs,
            xs.rows().into_iter().map(|x| {
                let mut answer = self.constant.clone();
                for (support, coefficients) in &self.terms {
                    let product: f64 = support.iter().map(|&i| x[i]).product();
                    answer.iter_mut().zip(coefficients).for_each(|(a, c)| *a += c * product);
                }
                answer
            }),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_products_as_the_binomials_say() {
        // On the cube C(5,1) + C(5,2) + C(5,3); elsewhere C(5 + 3, 3) − 1.
        let count = |domain: &Domain| Dictionary::new(domain, 3).unwrap().len();
        assert_eq!(count(&Domain::Cube { n: 5 }), 5 + 10 + 10);
        assert_eq!(count(&Domain::Box { n: 5 }), 55);
        assert!(Dictionary::new(&Domain::Box { n: 1000 }, 3).is_err());
        assert!(Dictionary::new(&Domain::Box { n: 5 }, 0).is_err());
    }
}
