//! A random polynomial truth of a given degree over a convex body or under normal inputs.
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::monomial::{MOST_DEGREE, Monomial, Polynomial, degree};
use super::regression::{Regression, check};
use super::{Noise, Population, Promise, Truth, World};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt, Seed, normal, permutation};

/// Most terms: the variance takes time in proportion to the square of their number.
const MOST_TERMS: usize = 2000;
/// Monomials up to this number are listed, to choose among them; of more, some are drawn.
const MOST_LISTED: u64 = 20_000;

/// A polynomial of degree exactly `degree`, with normal coefficients, each degree's part scaled to variance 1 over the domain
/// and then the sum of them; its value at the domain's anchor (0 for a box, a ball, a simplex and normal inputs) is normal.
///
/// The scales are exact where the domain's moments have closed forms. On ellipsoids and polytopes they come from
/// [`Domain::reference`], which sets the variance right to a few per cent (more loosely for high degrees, whose tails are
/// heavier): the truth is known exactly all the same. There the polynomial is written around the anchor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolynomialFamily {
    /// A box, a ball, a simplex, an ellipsoid, a polytope, or normal inputs.
    pub domain: Domain,
    /// Its degree, from 1 to 16.
    pub degree: u32,
    /// Number of its monomials, at most 2,000, the constant not counted, chosen at random with one of full degree among them.
    /// Not given: all of them, of which there may be no more than 2,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<usize>,
    /// Label noise.
    pub noise: Noise,
    /// Promised closeness δ of good models to the truth, on all but a small mass of inputs. It is public.
    pub delta: f64,
    /// Error beyond which an answer is scored as wrong.
    pub cutoff: f64,
}

impl Default for PolynomialFamily {
    fn default() -> Self {
        Self {
            domain: Domain::Box { n: 8 },
            degree: 2,
            terms: None,
            noise: 0.01.into(),
            delta: 0.01,
            cutoff: 0.1,
        }
    }
}

impl PolynomialFamily {
    pub(super) fn world(&self) -> Result<World> {
        check(&self.domain, &self.noise, self.delta, self.cutoff)?;
        if self.degree == 0 || self.degree > MOST_DEGREE {
            let want = format!("a degree from 1 to {MOST_DEGREE} is needed");
            return Err(Error::parameter("degree", self.degree, want));
        }
        let all = n_monomials(self.domain.n(), self.degree);
        match self.terms {
            Some(terms) if terms == 0 || terms > MOST_TERMS || terms as u64 > all => {
                let want =
                    format!("from 1 to {} monomials are possible", all.min(MOST_TERMS as u64));
                Err(Error::parameter("terms", terms, want))
            }
            None if all > MOST_TERMS as u64 => {
                let want = format!(
                    "there are {all} monomials of degree 1 to {} in {} variables; terms = {MOST_TERMS} or fewer has to say how many to use",
                    self.degree,
                    self.domain.n()
                );
                Err(Error::parameter("terms", "not given", want))
            }
            _ => Ok(World {
                domain: self.domain.clone(),
                target: Target::Real,
                promise: Promise::Polynomial { degree: self.degree, delta: self.delta },
                cutoff: self.cutoff,
            }),
        }
    }

    pub(super) fn build(&self, seed: Seed) -> Result<Box<dyn Population>> {
        let world = self.world()?;
        let polynomial = self.random_truth(seed)?;
        let truth = Truth::Polynomial(polynomial);
        Ok(Box::new(Regression::new(world, truth, self.noise.clone())))
    }

    fn random_truth(&self, seed: Seed) -> Result<Polynomial> {
        let mut rng = seed.stream("truth");
        let n = self.domain.n();
        let origin = self.domain.body().map_or_else(|| vec![0.0; n], |body| body.anchor());
        let powers = self.powers(&mut seed.stream("monomials"));
        let coefficient = |powers| Monomial { powers, value: normal(&mut rng) };
        let terms: Vec<Monomial> = powers.into_iter().map(coefficient).collect();
        let reference = match self.domain.moment(&[]) {
            Some(_) => Vec::new(),
            None => self.domain.reference()?,
        };
        let unit = |terms: Vec<Monomial>| {
            let polynomial = Polynomial::new(origin.clone(), terms.clone())?;
            let variance = polynomial
                .variance(&self.domain)
                .unwrap_or_else(|| sample_variance(&polynomial, &reference));
            if !(variance > 0.0 && variance.is_finite()) {
                let want = "a domain is needed over which its powers can be scaled";
                return Err(Error::parameter("degree", self.degree, want));
            }
            let scale = variance.sqrt().recip();
            Ok(terms.into_iter().map(move |term| Monomial { value: scale * term.value, ..term }))
        };
        let mut parts = Vec::with_capacity(terms.len());
        for k in 1..=self.degree {
            let part: Vec<Monomial> = terms.iter().filter(|t| degree(t) == k).cloned().collect();
            if !part.is_empty() {
                parts.extend(unit(part)?);
            }
        }
        let mut terms: Vec<Monomial> = unit(parts)?.collect();
        terms.push(Monomial { powers: Vec::new(), value: normal(&mut rng) });
        Polynomial::new(origin, terms)
    }

    /// The powers of its monomials.
    fn powers(&self, rng: &mut Rng) -> Vec<Vec<(usize, u32)>> {
        let n = self.domain.n();
        let all = n_monomials(n, self.degree);
        let full =
            |powers: &Vec<(usize, u32)>| powers.iter().map(|(_, k)| k).sum::<u32>() == self.degree;
        let wanted = self.terms.unwrap_or(all as usize);
        if all > MOST_LISTED {
            let mut chosen = BTreeSet::new();
            while chosen.len() < wanted {
                let powers = random_powers(n, self.degree, rng);
                // The first is of full degree.
                if !powers.is_empty() && (full(&powers) || !chosen.is_empty()) {
                    chosen.insert(powers);
                }
            }
            return chosen.into_iter().collect();
        }
        let listed = all_powers(n, self.degree);
        let order = permutation(listed.len(), rng);
        let first = order.iter().copied().find(|&i| full(&listed[i]));
        let rest = order.iter().copied().filter(|&i| Some(i) != first);
        let mut chosen: Vec<usize> = first.into_iter().chain(rest).take(wanted).collect();
        chosen.sort_unstable();
        chosen.into_iter().map(|i| listed[i].clone()).collect()
    }
}

/// How many monomials of degree 1 to `degree` there are in `n` variables, C(n + d, d) − 1, or the largest number.
fn n_monomials(n: usize, degree: u32) -> u64 {
    let mut count: u128 = 1;
    for k in 1..=u128::from(degree) {
        // C(n + k, k) from C(n + k − 1, k − 1), which divides.
        count = count.saturating_mul(n as u128 + k) / k;
    }
    u64::try_from(count - 1).unwrap_or(u64::MAX)
}

/// The powers of the product of coordinates that `symbols`, ascending, stand for: 0 for none, i + 1 for coordinate i.
fn powers_of(symbols: &[usize]) -> Vec<(usize, u32)> {
    let mut powers: Vec<(usize, u32)> = Vec::new();
    for i in symbols.iter().filter(|s| **s > 0).map(|s| s - 1) {
        match powers.last_mut() {
            Some((last, k)) if *last == i => *k += 1,
            _ => powers.push((i, 1)),
        }
    }
    powers
}

/// All monomials of degree 1 to `degree`: ascending sequences of `degree` symbols.
fn all_powers(n: usize, degree: u32) -> Vec<Vec<(usize, u32)>> {
    let mut symbols = vec![0; degree as usize];
    let mut all = Vec::new();
    while let Some(place) = symbols.iter().rposition(|s| *s < n) {
        let next = symbols[place] + 1;
        symbols[place..].fill(next);
        all.push(powers_of(&symbols));
    }
    all
}

/// A monomial of degree 0 to `degree`, uniformly: a set of `degree` of the numbers below n + degree, which are symbols once
/// each has as much taken off as there are smaller ones.
fn random_powers(n: usize, degree: u32, rng: &mut Rng) -> Vec<(usize, u32)> {
    let (size, all) = (degree as usize, n + degree as usize);
    let mut set = BTreeSet::new();
    // Floyd's way to draw a set.
    for j in all - size..all {
        let drawn = rng.random_range(0..=j);
        if !set.insert(drawn) {
            set.insert(j);
        }
    }
    let symbols: Vec<usize> = set.into_iter().enumerate().map(|(i, x)| x - i).collect();
    powers_of(&symbols)
}

fn sample_variance(polynomial: &Polynomial, points: &[Vec<f64>]) -> f64 {
    let values: Vec<f64> = points.iter().map(|x| polynomial.at(x)).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Ellipsoid, EllipsoidSpec, Polytope, PolytopeSpec};
    use crate::population::{Cursor, Part};

    fn built(family: &PolynomialFamily, seed: u64) -> (Box<dyn Population>, Polynomial) {
        let population = family.build(Seed::new(seed)).unwrap();
        let Some(Truth::Polynomial(polynomial)) = population.truth() else {
            panic!("a polynomial")
        };
        let polynomial = polynomial.clone();
        (population, polynomial)
    }

    #[test]
    fn every_monomial_is_listed_once_and_drawn_as_often_as_any_other() {
        // C(3 + 4, 4) − 1 = 34; with the constant 35. 70,000 draws: 2,000 a monomial, six standard deviations are 264.
        let listed = all_powers(3, 4);
        assert_eq!((listed.len(), n_monomials(3, 4)), (34, 34));
        assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), 34);
        assert_eq!(n_monomials(1 << 16, 16), u64::MAX);
        let mut rng = Seed::new(1).stream("powers");
        let mut counts = std::collections::BTreeMap::new();
        (0..70_000)
            .for_each(|_| *counts.entry(random_powers(3, 4, &mut rng)).or_insert(0_i32) += 1);
        assert_eq!(counts.len(), 35);
        assert!(counts.values().all(|count| (count - 2000).abs() < 264), "{counts:?}");
    }

    #[test]
    fn truths_have_their_degree_their_terms_and_variance_one_over_every_domain() {
        // Of 20,000 labels without noise; the fourth moment of a polynomial of degree 3 is not bounded usefully, so its error
        // is estimated from 20 blocks: eight of them, false alarm below 1e-6 by Student's law with 19 degrees of freedom
        // (t = 8 has a tail of 1.6e-7). Where the scale is a sample's own, a tenth more.
        let n = 4;
        let walls = PolytopeSpec {
            a: vec![
                vec![-1.0, 0.0, 0.1],
                vec![0.0, -1.0, 0.0],
                vec![1.0, 2.0, 0.0],
                vec![0.0, 1.0, 1.0],
                vec![0.0, 0.3, -1.0],
            ],
            b: vec![-2.0, 0.0, 9.0, 1.0, 1.0],
        };
        let map = vec![vec![1.0, 0.5], vec![0.0, 0.1]];
        let tilted = EllipsoidSpec { map: Some(map), centre: Some(vec![3.0, 4.0]), axes: None };
        for (domain, slack) in [
            (Domain::Box { n }, 0.0),
            (Domain::Ball { n }, 0.0),
            (Domain::Simplex { n }, 0.0),
            (Domain::Gauss { n }, 0.0),
            (Domain::Ellipsoid(Ellipsoid::new(tilted).unwrap()), 0.1),
            (Domain::Polytope(Polytope::new(walls).unwrap()), 0.2),
        ] {
            for terms in [None, Some(5)] {
                let family = PolynomialFamily {
                    domain: domain.clone(),
                    degree: 3,
                    terms,
                    noise: 0.0.into(),
                    ..PolynomialFamily::default()
                };
                let (population, polynomial) = built(&family, 3);
                assert_eq!(polynomial.degree(), 3);
                let all = n_monomials(domain.n(), 3) as usize;
                assert_eq!(polynomial.terms().len(), terms.unwrap_or(all) + 1);
                let mut cursor = Cursor::new(Seed::new(4).stream("draw"));
                let drawn = population.draw(Part::Test, 20_000, &mut cursor).unwrap();
                assert_eq!(drawn.ys, polynomial.at_all(&drawn.xs));
                let mean = drawn.ys.mean().unwrap();
                let squares: Vec<f64> = drawn.ys.iter().map(|y| (y - mean).powi(2)).collect();
                let blocks: Vec<f64> =
                    squares.chunks(1000).map(|b| b.iter().sum::<f64>() / 1000.0).collect();
                let variance = blocks.iter().sum::<f64>() / 20.0;
                let spread = blocks.iter().map(|b| (b - variance).powi(2)).sum::<f64>() / 19.0;
                let error = 8.0 * (spread / 20.0).sqrt() + slack;
                assert!(
                    (variance - 1.0).abs() < error,
                    "{domain:?} {terms:?}: {variance} ± {error}"
                );
            }
        }
    }

    #[test]
    fn the_exact_variance_is_one_to_rounding() {
        for domain in [
            Domain::Box { n: 6 },
            Domain::Ball { n: 6 },
            Domain::Simplex { n: 6 },
            Domain::Gauss { n: 6 },
        ] {
            let family = PolynomialFamily {
                domain: domain.clone(),
                degree: 4,
                ..PolynomialFamily::default()
            };
            let variance = built(&family, 5).1.variance(&domain).unwrap();
            assert!((variance - 1.0).abs() < 1e-9, "{domain:?}: {variance}");
        }
    }

    #[test]
    fn too_many_terms_are_refused_and_a_sparse_choice_of_them_is_not() {
        let wide = PolynomialFamily {
            domain: Domain::Ball { n: 100 },
            degree: 5,
            ..PolynomialFamily::default()
        };
        let said = wide.world().unwrap_err().to_string();
        assert!(said.contains("96560645 monomials"), "{said}");
        let sparse = PolynomialFamily { terms: Some(40), ..wide };
        let (_, polynomial) = built(&sparse, 6);
        assert_eq!((polynomial.terms().len(), polynomial.degree()), (41, 5));
        for (family, want) in [
            (PolynomialFamily { terms: Some(3000), ..sparse.clone() }, "from 1 to 2000"),
            (PolynomialFamily { degree: 0, ..sparse.clone() }, "degree = 0"),
            (PolynomialFamily { degree: 17, ..sparse.clone() }, "degree = 17"),
            (PolynomialFamily { domain: Domain::Cube { n: 4 }, ..sparse.clone() }, "convex body"),
            (PolynomialFamily { domain: Domain::Box { n: 1 }, ..sparse }, "from 1 to 5"),
        ] {
            let said = family.world().unwrap_err().to_string();
            assert!(said.contains(want), "{said}; wanted: {want}");
        }
    }
}
