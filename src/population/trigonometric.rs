//! Real sums of random characters of the torus and of `Z_m^n`.
use serde::{Deserialize, Serialize};

use super::{Cursor, Distance, Part, Population, Promise, Truth, World};
use crate::data::{Labeled, Target, column, stack};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::fourier::{Frequency, Group, TrigSum, Wave};
use crate::rng::{Rng, RngExt, Seed, permutation};

/// A random trigonometric polynomial on the torus [0, 1)^n, real-valued.
///
/// It is a sum of `terms` waves `A cos(2π k·x + φ)` of different frequencies k ≠ 0 with `Σ |k_i| ≤ degree`, amplitudes A
/// uniform on [1/2, 1] and phases φ uniform. So its complex coefficients are 0 or at least 1/4.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrigonometricFamily {
    /// Dimension of the torus.
    pub n: usize,
    /// How many waves.
    pub terms: usize,
    /// Largest `Σ |k_i|` of a frequency.
    pub degree: u32,
    /// Largest label noise; it is uniform on [−noise, noise].
    pub noise: f64,
    /// Error beyond which an answer is scored as wrong.
    pub cutoff: f64,
}

/// A random sum of characters of `Z_m^n`, real-valued: as [`TrigonometricFamily`], with waves `A cos(2π k·x / m + φ)`.
///
/// Entries of k count modulo m, and `|k_i|` the shorter way round. Of a frequency that is its own negative the phase is 0 or π
/// and the coefficient A or −A; other complex coefficients are at least 1/4.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResiduesFamily {
    /// Dimension.
    pub n: usize,
    /// m.
    pub modulus: u32,
    /// How many waves.
    pub terms: usize,
    /// Largest `Σ |k_i|` of a frequency.
    pub degree: u32,
    /// Largest label noise; it is uniform on [−noise, noise].
    pub noise: f64,
    /// Error beyond which an answer is scored as wrong.
    pub cutoff: f64,
}

impl Default for TrigonometricFamily {
    fn default() -> Self {
        Self { n: 4, terms: 3, degree: 2, noise: 0.01, cutoff: 0.1 }
    }
}

impl Default for ResiduesFamily {
    fn default() -> Self {
        Self { n: 4, modulus: 5, terms: 3, degree: 2, noise: 0.01, cutoff: 0.1 }
    }
}

/// Most waves of a random sum.
const MOST_TERMS: usize = 256;
/// Largest degree of a random sum.
const MOST_DEGREE: u32 = 64;
/// Least amplitude of a wave.
const LEAST_AMPLITUDE: f64 = 0.5;

impl TrigonometricFamily {
    pub(super) fn world(&self) -> Result<World> {
        self.waves().world(Domain::Torus { n: self.n })
    }

    pub(super) fn build(&self, seed: Seed) -> Result<Box<dyn Population>> {
        Ok(self.waves().build(Group::Torus, self.world()?, seed))
    }

    fn waves(&self) -> Waves {
        let Self { terms, degree, noise, cutoff, .. } = *self;
        Waves { terms, degree, largest: MOST_DEGREE, noise, cutoff }
    }
}

impl ResiduesFamily {
    pub(super) fn world(&self) -> Result<World> {
        self.waves().world(Domain::Residues { n: self.n, modulus: self.modulus })
    }

    pub(super) fn build(&self, seed: Seed) -> Result<Box<dyn Population>> {
        let group = Group::Residues { modulus: self.modulus };
        Ok(self.waves().build(group, self.world()?, seed))
    }

    fn waves(&self) -> Waves {
        let Self { modulus, terms, degree, noise, cutoff, .. } = *self;
        Waves { terms, degree, largest: modulus / 2, noise, cutoff }
    }
}

/// What the two families have in common.
struct Waves {
    terms: usize,
    degree: u32,
    /// Largest entry of a frequency.
    largest: u32,
    noise: f64,
    cutoff: f64,
}

impl Waves {
    fn world(&self, domain: Domain) -> Result<World> {
        domain.check()?;
        if self.degree == 0 || self.degree > MOST_DEGREE {
            let want = format!("a degree from 1 to {MOST_DEGREE} is needed");
            return Err(Error::parameter("degree", self.degree, want));
        }
        // Frequencies along one axis alone are so many, so there is room for them.
        let room = domain.n().saturating_mul(self.degree.min(self.largest) as usize);
        if self.terms == 0 || self.terms > room.min(MOST_TERMS) {
            let want = format!("from 1 to {} different waves are drawn", room.min(MOST_TERMS));
            return Err(Error::parameter("terms", self.terms, want));
        }
        if !(self.noise >= 0.0 && self.noise.is_finite()) {
            return Err(Error::parameter("noise", self.noise, "a number of at least 0 is needed"));
        }
        if !(self.cutoff > 0.0 && self.cutoff.is_finite()) {
            return Err(Error::parameter("cutoff", self.cutoff, "a positive number is needed"));
        }
        let promise = Promise::Characters {
            degree: self.degree,
            tau: 0.5 * LEAST_AMPLITUDE,
            bound: self.terms as f64,
        };
        Ok(World { domain, target: Target::Real, promise, cutoff: self.cutoff })
    }

    fn build(&self, group: Group, world: World, seed: Seed) -> Box<dyn Population> {
        let mut rng = seed.stream("truth");
        let n = world.domain.n();
        let mut sum = TrigSum::new(group, Vec::new());
        while sum.waves().len() < self.terms {
            let Some(frequency) = self.frequency(n, &mut rng) else { continue };
            let amplitude = rng.random_range(LEAST_AMPLITUDE..=1.0);
            let phase = std::f64::consts::TAU * rng.random::<f64>();
            // A frequency drawn before is drawn again; one that is its own negative has no sine.
            if sum.has(&frequency) {
                continue;
            }
            let wave = if TrigSum::is_real(group, &frequency) {
                Wave { frequency, cos: amplitude * phase.cos().signum(), sin: 0.0 }
            } else {
                Wave { frequency, cos: amplitude * phase.cos(), sin: -amplitude * phase.sin() }
            };
            sum = TrigSum::new(group, sum.waves().iter().cloned().chain([wave]).collect());
        }
        Box::new(Smooth { world, truth: Truth::Trigonometric(sum), noise: self.noise })
    }

    /// A random frequency of degree 1 to `degree`: so many coordinates, each with a share of the degree, and random signs.
    /// `None` where that is more coordinates than there are, or an entry too large to be written so.
    fn frequency(&self, n: usize, rng: &mut Rng) -> Option<Frequency> {
        let degree = rng.random_range(1..=self.degree as usize);
        let n_coordinates = rng.random_range(1..=degree);
        if n_coordinates > n {
            return None;
        }
        // The parts between n_coordinates − 1 different cuts of the degree are a uniform way to share it.
        let mut cuts: Vec<usize> = permutation(degree - 1, rng);
        cuts.truncate(n_coordinates - 1);
        cuts.sort_unstable();
        let ends = cuts.into_iter().map(|cut| cut + 1).chain([degree]);
        let coordinates = permutation(n, rng);
        let mut last = 0;
        let mut frequency = Vec::with_capacity(n_coordinates);
        for (end, i) in ends.zip(coordinates) {
            let entry = end - last;
            last = end;
            if entry > self.largest as usize {
                return None;
            }
            frequency.push((i, if rng.random() { entry as i64 } else { -(entry as i64) }));
        }
        Some(frequency)
    }
}

#[derive(Debug)]
struct Smooth {
    world: World,
    truth: Truth,
    noise: f64,
}

impl Population for Smooth {
    fn world(&self) -> &World {
        &self.world
    }

    fn draw(&self, _part: Part, n: usize, cursor: &mut Cursor) -> Result<Labeled> {
        let mut noises = Vec::with_capacity(n);
        let mut rows = Vec::with_capacity(n);
        for _ in 0..n {
            rows.push(self.world.domain.sample(&mut cursor.rng)?);
            noises.push(self.noise * cursor.rng.random_range(-1.0..=1.0));
        }
        cursor.drawn += n;
        let xs = stack(self.world.domain.n(), rows);
        let ys = self.truth.at(&xs) + column(noises);
        Ok(Labeled { xs, ys })
    }

    fn available(&self, _part: Part) -> Option<usize> {
        None
    }

    fn truth(&self) -> Option<&Truth> {
        Some(&self.truth)
    }

    fn distance(&self) -> Option<Distance> {
        let mean_square = Some(self.noise * self.noise / 3.0);
        Some(Distance { mass: 0.0, width: self.noise, mean_square })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::Family;

    fn families() -> Vec<Family> {
        let torus = TrigonometricFamily { noise: 0.25, ..TrigonometricFamily::default() };
        let mut all = vec![
            Family::Trigonometric(TrigonometricFamily { n: 1000, terms: 20, degree: 5, ..torus }),
            Family::Trigonometric(torus),
            // As many waves as fit on one circle.
            Family::Trigonometric(TrigonometricFamily {
                n: 1,
                terms: 7,
                degree: 7,
                ..TrigonometricFamily::default()
            }),
        ];
        for modulus in [2, 3, 4, 12] {
            all.push(Family::Residues(ResiduesFamily { modulus, ..ResiduesFamily::default() }));
        }
        all
    }

    #[test]
    fn truths_are_as_heavy_low_and_bounded_as_promised() {
        for family in families() {
            let Promise::Characters { degree, tau, bound } = family.world().unwrap().promise else {
                panic!("a promise of characters")
            };
            for number in 0..10 {
                let population = family.build(Seed::new(number)).unwrap();
                let Some(Truth::Trigonometric(sum)) = population.truth() else { panic!("waves") };
                assert_eq!(sum.waves().len(), bound as usize, "{family:?}");
                assert!(sum.lightest() >= tau && sum.bound() <= bound, "{family:?}");
                let degree_of = |wave: &Wave| wave.frequency.iter().map(|(_, k)| k.abs()).sum();
                let degrees: Vec<i64> = sum.waves().iter().map(degree_of).collect();
                assert!(degrees.iter().all(|d| (1..=i64::from(degree)).contains(d)), "{degrees:?}");
            }
        }
    }

    #[test]
    fn labels_keep_the_distance_and_the_energy_that_are_said() {
        const DRAWS: usize = 20_000;
        for family in families() {
            let population = family.build(Seed::new(3)).unwrap();
            let mut cursor = Cursor::new(Seed::new(4).stream("draw"));
            let n = if family.world().unwrap().domain.n() > 100 { 500 } else { DRAWS };
            let drawn = population.draw(Part::Test, n, &mut cursor).unwrap();
            let truth = population.truth().unwrap().at(&drawn.xs);
            let off = &drawn.ys - &truth;
            let Distance { mass, width, mean_square } = population.distance().unwrap();
            assert!(mass <= 0.0);
            assert!(off.iter().all(|e| e.abs() <= width + 1e-12), "{family:?}");
            // Squares of uniform noise have mean w²/3 and standard deviation 0.3 w²: six standard errors.
            let error = 6.0 * 0.3 * width * width / (n as f64).sqrt();
            let mean = off.mapv(|e| e * e).mean().unwrap();
            assert!((mean - mean_square.unwrap()).abs() < error, "{family:?}: {mean}");
            // Parseval: squares of the truth are at most bound², and their mean is the inner product.
            let Some(Truth::Trigonometric(sum)) = population.truth() else { panic!("waves") };
            let energy = truth.mapv(|y| y * y).mean().unwrap();
            let error = 6.0 * sum.bound() * sum.inner(sum).sqrt() / (n as f64).sqrt();
            assert!((energy - sum.inner(sum)).abs() < error, "{family:?}: {energy}");
        }
    }

    #[test]
    fn impossible_sums_are_refused() {
        let good = ResiduesFamily::default();
        for (bad, want) in [
            (ResiduesFamily { modulus: 1, ..good.clone() }, "modulus = 1"),
            (ResiduesFamily { modulus: 2, terms: 5, ..good.clone() }, "terms = 5"),
            (ResiduesFamily { degree: 0, ..good.clone() }, "degree = 0"),
            (ResiduesFamily { degree: u32::MAX, ..good.clone() }, "degree = 4294967295"),
            (ResiduesFamily { noise: f64::NAN, ..good.clone() }, "noise = NaN"),
            (ResiduesFamily { cutoff: 0.0, ..good.clone() }, "cutoff = 0"),
            (ResiduesFamily { n: 1 << 20, ..good.clone() }, "n = 1048576"),
        ] {
            let said = bad.world().unwrap_err().to_string();
            assert!(said.contains(want), "{said}; wanted: {want}");
        }
        // On Z_2^4 there are four frequencies along the axes, and all of them fit.
        assert!(ResiduesFamily { modulus: 2, terms: 4, ..good }.world().is_ok());
    }
}
