//! Fourier-heavy truths on the cube: every coefficient is 0 or at least τ.
use serde::{Deserialize, Serialize};

use super::signs::Signs;
use super::{Flips, Population, Promise, Truth as AnyTruth, World};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::fourier::{FourierSum, Term, spectrum, walsh_hadamard};
use crate::rng::{Rng, RngExt, Seed, permutation, sign};

/// A Fourier-heavy function on {−1, +1}^n with uniform inputs, some of whose labels are flipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FourierFamily {
    /// Dimension of the cube.
    pub n: usize,
    /// Which truth.
    pub truth: Truth,
    /// Which labels are flipped: a probability, or the worst of them.
    pub noise: Flips,
}

/// Which Fourier-heavy function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Truth {
    /// The majority of three parities of `degree` random coordinates each: τ = 1/2.
    Majority {
        /// Coordinates a parity.
        degree: usize,
    },
    /// A random decision tree of depth `depth` with ±1 leaves: τ = 2^−depth.
    Tree {
        /// Depth of every leaf.
        depth: usize,
    },
    /// A random table of ±1 over `coordinates` random coordinates: τ = 2^{1−k} for k of them, since a coefficient is a sum
    /// of 2^k signs, which is even, over 2^k.
    Junta {
        /// Coordinates that the function reads, at most.
        coordinates: usize,
    },
    /// Exactly these terms. Labels are signs if every value of the sum is ±1 (or nearly), else real numbers are refused.
    Explicit {
        /// The terms.
        terms: Vec<Term>,
    },
}

/// Most coordinates of a junta: it may have as many terms as its table has entries, 4,096.
const MOST_OF_JUNTA: usize = 12;

impl Default for FourierFamily {
    fn default() -> Self {
        Self { n: 16, truth: Truth::Majority { degree: 2 }, noise: 0.0.into() }
    }
}

impl FourierFamily {
    pub(super) fn world(&self) -> Result<World> {
        let domain = Domain::Cube { n: self.n };
        domain.check()?;
        self.noise.check(self.n)?;
        let tau = match &self.truth {
            Truth::Majority { degree } => {
                if *degree == 0 || *degree > self.n / 3 {
                    let want = format!("3 · degree must be between 3 and n = {}", self.n);
                    return Err(Error::parameter("degree", degree, want));
                }
                0.5
            }
            Truth::Tree { depth } => {
                if *depth == 0 || *depth > self.n || *depth > 8 {
                    let want = format!("a depth between 1 and {} is needed", self.n.min(8));
                    return Err(Error::parameter("depth", depth, want));
                }
                0.5_f64.powi(*depth as i32)
            }
            Truth::Junta { coordinates } => {
                let most = MOST_OF_JUNTA.min(self.n);
                if *coordinates == 0 || *coordinates > most {
                    let want = format!("from 1 to {most} coordinates are needed");
                    return Err(Error::parameter("coordinates", coordinates, want));
                }
                0.5_f64.powi(*coordinates as i32 - 1)
            }
            Truth::Explicit { terms } => {
                let sum = self.explicit(terms)?;
                sum.lightest()
            }
        };
        let promise = Promise::FourierHeavy { tau, bound: 1.0 };
        Ok(World { domain, target: Target::Sign, promise, cutoff: 0.5 })
    }

    pub(super) fn build(&self, seed: Seed) -> Result<Box<dyn Population>> {
        let world = self.world()?;
        let mut rng = seed.stream("truth");
        let sum = match &self.truth {
            Truth::Majority { degree } => majority(self.n, *degree, &mut rng),
            Truth::Tree { depth } => tree(self.n, *depth, &mut rng),
            Truth::Junta { coordinates } => junta(self.n, *coordinates, &mut rng),
            Truth::Explicit { terms } => self.explicit(terms)?,
        };
        Ok(Box::new(Signs::new(world, AnyTruth::Fourier(sum), &self.noise, seed)))
    }

    /// Checks an explicit list: coordinates inside the cube, finite values, and ±1 wherever all its variables point.
    fn explicit(&self, terms: &[Term]) -> Result<FourierSum> {
        let mut variables: Vec<usize> = terms.iter().flat_map(|t| t.support.clone()).collect();
        variables.sort_unstable();
        variables.dedup();
        if let Some(&outside) = variables.iter().find(|&&i| i >= self.n) {
            let want = format!("coordinates of an n = {} cube are 0 to {}", self.n, self.n - 1);
            return Err(Error::parameter("support", outside, want));
        }
        if variables.len() > 20 {
            let want = "an explicit truth may use at most 20 coordinates, so that its values can be checked";
            return Err(Error::parameter(
                "terms",
                format!("{} coordinates", variables.len()),
                want,
            ));
        }
        for term in terms {
            // Coefficients of a sign function on k coordinates are multiples of 2^(1−k).
            let size = term.value.abs();
            if !(size <= 1.0 && (size >= 0.5_f64.powi(20) || size <= 0.0)) {
                let want = "a coefficient of a sign function on at most 20 coordinates is 0, or from 2^−19 to 1 in size";
                return Err(Error::parameter("value", term.value, want));
            }
            let mut support = term.support.clone();
            support.sort_unstable();
            if support.windows(2).any(|pair| pair[0] == pair[1]) {
                let want = "a support lists each coordinate once";
                return Err(Error::parameter("support", format!("{support:?}"), want));
            }
        }
        let sum = FourierSum::new(terms.to_vec());
        // The transform of the coefficients is the table of values.
        let mut values = vec![0.0; 1 << variables.len()];
        for Term { support, value } in sum.terms() {
            let place = |i: &usize| variables.binary_search(i).expect("a variable of a term");
            values[support.iter().fold(0, |set, i| set | 1 << place(i))] += value;
        }
        walsh_hadamard(&mut values);
        if let Some(value) = values.iter().find(|v| (v.abs() - 1.0).abs() > 1e-9 || v.is_nan()) {
            let want = "an explicit truth must take the values −1 and +1 only";
            return Err(Error::parameter(
                "terms",
                format!("a sum that is {value} somewhere"),
                want,
            ));
        }
        Ok(sum)
    }
}

/// MAJ(a, b, c) = (a + b + c − abc) / 2 for parities a, b, c over disjoint sets, with random signs.
fn majority(n: usize, degree: usize, rng: &mut Rng) -> FourierSum {
    let coordinates = permutation(n, rng);
    let parities: Vec<(Vec<usize>, f64)> =
        (0..3).map(|i| (coordinates[i * degree..(i + 1) * degree].to_vec(), sign(rng))).collect();
    let mut terms: Vec<Term> = parities
        .iter()
        .map(|(support, sign)| Term { support: support.clone(), value: 0.5 * sign })
        .collect();
    terms.push(Term {
        support: parities.iter().flat_map(|(support, _)| support.clone()).collect(),
        value: -0.5 * parities.iter().map(|(_, sign)| sign).product::<f64>(),
    });
    FourierSum::new(terms)
}

/// A complete decision tree of the given depth; no path asks for a coordinate twice, leaves are random signs with both
/// signs below every lowest node, so that no question is idle.
fn tree(n: usize, depth: usize, rng: &mut Rng) -> FourierSum {
    // The indicator of a leaf is Π (1 ± x_i)/2 over its path.
    fn grow(
        path: &mut Vec<(usize, f64)>,
        n: usize,
        depth: usize,
        leaf: f64,
        rng: &mut Rng,
    ) -> Vec<Term> {
        if depth == 0 {
            return (0..1_usize << path.len())
                .map(|subset| {
                    let chosen = || path.iter().enumerate().filter(|(j, _)| subset >> j & 1 == 1);
                    let signs: f64 = chosen().map(|(_, (_, sign))| sign).product();
                    let support = chosen().map(|(_, (i, _))| *i).collect();
                    Term { support, value: leaf * signs * 0.5_f64.powi(path.len() as i32) }
                })
                .collect();
        }
        let question = loop {
            let i = rng.random_range(0..n);
            if path.iter().all(|(asked, _)| *asked != i) {
                break i;
            }
        };
        let first = sign(rng);
        let mut terms = Vec::new();
        for (branch, leaf) in [(1.0, first), (-1.0, -first)] {
            path.push((question, branch));
            terms.extend(grow(path, n, depth - 1, leaf, rng));
            path.pop();
        }
        terms
    }
    let first = sign(rng);
    // Coefficients are multiples of 2^−depth, so sums in floating point are exact and cancelled ones are exactly zero.
    FourierSum::new(grow(&mut Vec::new(), n, depth, first, rng))
}

/// A random table over the first `k` of the coordinates in random order. Coefficients are sums of signs over 2^k: exact.
fn junta(n: usize, k: usize, rng: &mut Rng) -> FourierSum {
    let mut coordinates = permutation(n, rng);
    coordinates.truncate(k);
    let values = (0..1_usize << k).map(|_| sign(rng)).collect();
    let table = spectrum(values, 0.5_f64.powi(k as i32));
    let lift = |term: &Term| Term {
        support: term.support.iter().map(|&i| coordinates[i]).collect(),
        value: term.value,
    };
    FourierSum::new(table.terms().iter().map(lift).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fourier::vertex;
    use crate::population::{Around, Cursor, Part};

    fn truth_of(family: &FourierFamily, seed: u64) -> FourierSum {
        match family.build(Seed::new(seed)).unwrap().truth() {
            Some(AnyTruth::Fourier(sum)) => sum.clone(),
            _ => panic!("a Fourier truth"),
        }
    }

    #[test]
    fn truths_are_signs_and_heavy_as_promised() {
        let kinds = [
            Truth::Majority { degree: 2 },
            Truth::Tree { depth: 2 },
            Truth::Tree { depth: 3 },
            Truth::Junta { coordinates: 1 },
            Truth::Junta { coordinates: 6 },
        ];
        for truth in kinds {
            let family = FourierFamily { n: 9, truth, noise: 0.0.into() };
            let Promise::FourierHeavy { tau, .. } = family.world().unwrap().promise else {
                panic!("a heavy promise")
            };
            for seed in 0..20 {
                let sum = truth_of(&family, seed);
                let values: Vec<f64> = (0..512).map(|i| sum.at(&vertex(i, 9))).collect();
                assert!(values.iter().all(|v| (v.abs() - 1.0).abs() < 1e-12), "{family:?}");
                assert!(sum.lightest() >= tau - 1e-12, "{family:?}: {}", sum.lightest());
                // The list of terms is the whole spectrum.
                assert_eq!(spectrum(values, 1e-9).supports(), sum.supports());
            }
        }
    }

    #[test]
    fn labels_flip_as_often_as_the_noise_says() {
        let family = FourierFamily { noise: 0.1.into(), ..FourierFamily::default() };
        let population = family.build(Seed::new(5)).unwrap();
        let mut cursor = Cursor::new(Seed::new(6).stream("draw"));
        let drawn = population.draw(Part::Train, 20_000, &mut cursor).unwrap();
        let truth = population.truth().unwrap().at(&drawn.xs);
        let flipped = truth.iter().zip(&drawn.ys).filter(|(t, y)| *t * *y < 0.0).count();
        // Binomial(20,000, 0.1): six standard deviations are 255.
        assert!((flipped as f64 - 2000.0).abs() < 255.0, "{flipped}");
    }

    /// The majority of three coordinates, written out.
    fn majority_of(i: usize, j: usize, k: usize) -> Vec<Term> {
        let term = |support: Vec<usize>, value| Term { support, value };
        let singles = [i, j, k].map(|i| term(vec![i], 0.5));
        singles.into_iter().chain([term(vec![i, j, k], -0.5)]).collect()
    }

    #[test]
    fn on_large_cubes_labels_are_the_sign_of_the_truth_and_as_far_from_it_as_said() {
        let adversary = Flips::Adversarial { mass: 0.05, around: Around::Random(1) };
        for (n, truth, noise) in [
            (1000, Truth::Majority { degree: 333 }, adversary.clone()),
            (1000, Truth::Tree { depth: 8 }, 0.1.into()),
            (1000, Truth::Junta { coordinates: 7 }, adversary),
            (1000, Truth::Explicit { terms: majority_of(999, 0, 500) }, 0.0.into()),
            (1 << 16, Truth::Majority { degree: 3 }, 0.0.into()),
        ] {
            let family = FourierFamily { n, truth, noise };
            let population = family.build(Seed::new(1)).unwrap();
            let n_draws = if n > 1000 { 50 } else { 2000 };
            let mut cursor = Cursor::new(Seed::new(2).stream("draw"));
            let drawn = population.draw(Part::Test, n_draws, &mut cursor).unwrap();
            let truth = population.truth().unwrap().at(&drawn.xs);
            assert!(truth.iter().all(|y| (y.abs() - 1.0).abs() < 1e-12), "{family:?}");
            let square = (&truth - &drawn.ys).mapv(|d| d * d).mean().unwrap();
            let distance = population.distance().unwrap();
            let want = distance.mean_square.unwrap();
            // Squares are 0 or 4: six standard errors, false alarm below 1e-8.
            let error = 6.0 * (want * (4.0 - want) / n_draws as f64).sqrt();
            assert!((square - want).abs() <= error, "{family:?}: {square}, {want}");
            // The ball is not far lighter than it may be: 1,000 coordinates have a fine scale of radii.
            if distance.mass > 0.0 {
                assert!(distance.mass <= 0.05 && distance.mass > 0.045, "{distance:?}");
            }
        }
    }

    #[test]
    fn an_explicit_coefficient_that_is_no_number_or_too_small_to_be_one_is_refused() {
        for odd in [f64::NAN, 1e-10, f64::INFINITY] {
            let term = |i, value| Term { support: vec![i], value };
            let truth = Truth::Explicit { terms: vec![term(0, 1.0), term(1, odd)] };
            let family = FourierFamily { truth, ..FourierFamily::default() };
            assert!(family.world().unwrap_err().to_string().contains("value = "), "{odd}");
        }
    }

    #[test]
    fn an_explicit_truth_that_is_not_a_sign_is_refused() {
        let terms = vec![Term { support: vec![0], value: 0.5 }];
        let family = FourierFamily { truth: Truth::Explicit { terms }, ..FourierFamily::default() };
        assert!(family.world().unwrap_err().to_string().contains("−1 and +1"));
        let terms = vec![Term { support: vec![16], value: 1.0 }];
        let family = FourierFamily { truth: Truth::Explicit { terms }, ..FourierFamily::default() };
        assert!(family.world().unwrap_err().to_string().contains("0 to 15"));
    }
}
