//! Tables that are polynomials of low degree over a finite field: parities and Reed-Muller words on the cube, and their like
//! over the residues modulo a prime.
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::field_polynomial::{FieldPolynomial, Powers};
use super::{Cursor, Distance, Part, Population, Promise, Truth, World};
use crate::data::{Labeled, Target, stack};
use crate::domain::{Domain, PrimeField};
use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt, Seed, permutation};

/// A random polynomial of degree exactly `degree` over the field of `modulus` elements, with a random constant.
///
/// For modulus 2 inputs are vertices of the cube and labels signs; for an odd prime inputs are residues and labels the numbers
/// 0, …, p − 1. A term has a random degree from 1 to `degree`, the first of them the full one, its factors drawn one by one
/// among the coordinates that may still be multiplied in, and a random coefficient other than 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LowDegreeFamily {
    /// Dimension.
    pub n: usize,
    /// A prime.
    pub modulus: u32,
    /// Its degree, from 1 to 64.
    pub degree: u32,
    /// Number of its terms beside the constant, from 1 to n.
    pub terms: usize,
    /// Probability that a label is another one, drawn afresh each time.
    pub noise: f64,
}

impl Default for LowDegreeFamily {
    fn default() -> Self {
        Self { n: 8, modulus: 5, degree: 2, terms: 4, noise: 0.0 }
    }
}

/// Largest degree.
const MOST_DEGREE: u32 = 64;
/// Labels are whole numbers: closer than this is right, and rounds to the label.
const CUTOFF: f64 = 0.49;

impl LowDegreeFamily {
    pub(super) fn world(&self) -> Result<World> {
        let field = PrimeField::new(self.modulus)?;
        let (domain, target) = match self.modulus {
            2 => (Domain::Cube { n: self.n }, Target::Sign),
            modulus => (Domain::Residues { n: self.n, modulus }, Target::Real),
        };
        domain.check()?;
        let most = (self.n as u64).saturating_mul(field.order() - 1).min(u64::from(MOST_DEGREE));
        if self.degree == 0 || u64::from(self.degree) > most {
            let want = format!("a degree from 1 to {most} is possible");
            return Err(Error::parameter("degree", self.degree, want));
        }
        // Degree 1 alone has n terms; a table whose full degree has a single term has at least as many below it.
        if self.terms == 0 || self.terms > self.n {
            let want = format!("from 1 to {} terms are drawn", self.n);
            return Err(Error::parameter("terms", self.terms, want));
        }
        if !(self.noise >= 0.0 && self.noise < 0.5) {
            let want = "a probability from 0 to below 1/2 is needed";
            return Err(Error::parameter("noise", self.noise, want));
        }
        let promise = Promise::LowDegree { degree: self.degree };
        Ok(World { domain, target, promise, cutoff: CUTOFF })
    }

    pub(super) fn build(&self, seed: Seed) -> Result<Box<dyn Population>> {
        let world = self.world()?;
        let field = PrimeField::new(self.modulus)?;
        let mut rng = seed.stream("truth");
        let mut chosen = BTreeSet::from([self.powers(self.degree, &mut rng)]);
        while chosen.len() < self.terms {
            let degree = rng.random_range(1..=self.degree);
            chosen.insert(self.powers(degree, &mut rng));
        }
        let constant = (Vec::new(), rng.random_range(0..field.order()));
        let terms = chosen.into_iter().map(|powers| (powers, rng.random_range(1..field.order())));
        let terms: Vec<_> = terms.chain([constant]).collect();
        let truth = Truth::Field(FieldPolynomial::new(field, self.n, terms)?);
        Ok(Box::new(Tables { world, truth, order: field.order(), noise: self.noise }))
    }

    /// A product of `degree` factors, none to the p-th power.
    fn powers(&self, degree: u32, rng: &mut Rng) -> Powers {
        let mut room: Vec<(usize, u32)> =
            permutation(self.n, rng).into_iter().map(|i| (i, 0)).collect();
        for _ in 0..degree {
            let open: Vec<usize> = (0..self.n).filter(|i| room[*i].1 + 1 < self.modulus).collect();
            room[open[rng.random_range(0..open.len())]].1 += 1;
        }
        let mut powers: Powers = room.into_iter().filter(|(_, k)| *k > 0).collect();
        powers.sort_unstable();
        powers
    }
}

#[derive(Debug)]
struct Tables {
    world: World,
    truth: Truth,
    order: u64,
    noise: f64,
}

impl Population for Tables {
    fn world(&self) -> &World {
        &self.world
    }

    fn draw(&self, _part: Part, n: usize, cursor: &mut Cursor) -> Result<Labeled> {
        let mut rows = Vec::with_capacity(n);
        let mut shifts = Vec::with_capacity(n);
        for _ in 0..n {
            rows.push(self.world.domain.sample(&mut cursor.rng)?);
            let wrong = cursor.rng.random::<f64>() < self.noise;
            let shift = cursor.rng.random_range(1..self.order);
            shifts.push(if wrong { shift } else { 0 });
        }
        cursor.drawn += n;
        let xs = stack(self.world.domain.n(), rows);
        let mut ys = self.truth.at(&xs);
        for (y, shift) in ys.iter_mut().zip(shifts) {
            *y = match self.world.target {
                Target::Sign if shift > 0 => -*y,
                Target::Sign => *y,
                _ => (*y + shift as f64) % self.order as f64,
            };
        }
        Ok(Labeled { xs, ys })
    }

    fn available(&self, _part: Part) -> Option<usize> {
        None
    }

    fn truth(&self) -> Option<&Truth> {
        Some(&self.truth)
    }

    /// Any label may be wrong, by as much as labels differ. The mean square of flipped signs is 4 times their share; of other
    /// labels it depends on the truth.
    fn distance(&self) -> Option<Distance> {
        if self.noise <= 0.0 {
            return Some(Distance::ZERO);
        }
        let signs = self.world.target == Target::Sign;
        let width = if signs { 2.0 } else { (self.order - 1) as f64 };
        Some(Distance { mass: 0.0, width, mean_square: signs.then_some(4.0 * self.noise) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truths_have_their_degree_and_terms_and_labels_are_wrong_as_often_as_said() {
        const DRAWS: usize = 20_000;
        for (modulus, degree) in [(2, 1), (2, 3), (3, 2), (5, 2), (7, 4), (2, 8)] {
            let family =
                LowDegreeFamily { modulus, degree, noise: 0.1, ..LowDegreeFamily::default() };
            let population = family.build(Seed::new(5)).unwrap();
            let Some(Truth::Field(truth)) = population.truth() else { panic!("a polynomial") };
            assert_eq!(truth.degree(), degree, "{family:?}");
            assert!([4, 5].contains(&truth.terms().len()), "{family:?}");
            let mut cursor = Cursor::new(Seed::new(6).stream("draw"));
            let drawn = population.draw(Part::Test, DRAWS, &mut cursor).unwrap();
            let clean = truth.at_all(&drawn.xs);
            let wrong =
                (0..DRAWS).filter(|i| (drawn.ys[[*i, 0]] - clean[[*i, 0]]).abs() > 0.49).count();
            // Binomial(20,000, 0.1): six standard deviations are 255.
            assert!(wrong.abs_diff(2000) < 255, "{family:?}: {wrong}");
            let label = |y: &f64| match modulus {
                2 => (y.abs() - 1.0).abs() < 1e-12,
                _ => (y - y.round()).abs() < 1e-12 && (0.0..f64::from(modulus)).contains(y),
            };
            assert!(drawn.ys.iter().all(label));
        }
    }

    #[test]
    fn impossible_tables_are_refused_by_name() {
        let good = LowDegreeFamily::default();
        for (bad, want) in [
            (LowDegreeFamily { modulus: 6, ..good.clone() }, "modulus = 6, but a prime"),
            (LowDegreeFamily { degree: 0, ..good.clone() }, "degree = 0"),
            (LowDegreeFamily { modulus: 2, degree: 9, ..good.clone() }, "degree = 9"),
            (LowDegreeFamily { terms: 9, ..good.clone() }, "terms = 9"),
            (LowDegreeFamily { noise: 0.5, ..good }, "noise = 0.5"),
        ] {
            let said = bad.world().unwrap_err().to_string();
            assert!(said.contains(want), "{said}; wanted: {want}");
        }
    }
}
