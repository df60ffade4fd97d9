//! Sums of real characters of the torus [0, 1)^n and of the group `Z_m^n`: trigonometric polynomials.
//!
//! The character of a vector k of integers is `χ_k(x) = exp(2πi k·x / p)`, with period p = 1 on the torus and p = m on
//! `Z_m^n`, where k counts modulo m. They are orthonormal under uniform inputs. A real function is
//! `Σ_k a_k cos(2π k·x / p) + b_k sin(2π k·x / p)` over one of each pair k, −k, and its complex coefficients are
//! `(a_k ∓ i b_k) / 2` at ±k. Where k = −k (k = 0, and on `Z_m^n` all k with entries 0 and m/2) the sine is 0 everywhere, the
//! cosine is ±1, and the coefficient is `a_k`. On `Z_2^n` these are the characters of the cube.
use serde::{Deserialize, Serialize};

use crate::data::Batch;

/// A group whose characters are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Group {
    /// [0, 1)^n with addition modulo 1.
    Torus,
    /// {0, …, m − 1}^n with addition modulo m.
    Residues {
        /// m.
        modulus: u32,
    },
}

/// A vector of integers by its entries other than 0: coordinates, ascending, with their frequencies.
pub type Frequency = Vec<(usize, i64)>;

/// One wave: `cos · cos(2π k·x / p) + sin · sin(2π k·x / p)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// k.
    pub frequency: Frequency,
    /// What the cosine is multiplied by.
    pub cos: f64,
    /// What the sine is multiplied by.
    pub sin: f64,
}

/// A sum of waves, ordered by frequency: fewer coordinates first. No two belong to the same pair k, −k.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct TrigSum {
    group: Group,
    waves: Vec<Wave>,
}

/// A sum as it is read: put in order before it is one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    group: Group,
    waves: Vec<Wave>,
}

impl From<Written> for TrigSum {
    fn from(Written { group, waves }: Written) -> Self {
        Self::new(group, waves)
    }
}

impl Group {
    /// The frequency of `entries` in its one way of writing: coordinates ascending and added up, on `Z_m^n` each entry
    /// between −m/2 (not reached) and m/2, and of k and −k the one whose first entry that tells them apart is positive.
    /// Also whether that took a change of sign, and whether k = −k.
    fn canonical(self, entries: &[(usize, i64)]) -> (Frequency, bool, bool) {
        let mut sorted = entries.to_vec();
        sorted.sort_unstable_by_key(|(i, _)| *i);
        let mut merged: Frequency = Vec::with_capacity(sorted.len());
        for (i, k) in sorted {
            match merged.last_mut() {
                Some((last, sum)) if *last == i => *sum = self.reduce(sum.saturating_add(k)),
                _ => merged.push((i, self.reduce(k))),
            }
        }
        merged.retain(|(_, k)| *k != 0);
        let first = merged.iter().map(|(_, k)| *k).find(|k| self.reduce(-k) != *k);
        let flip = first.is_some_and(|k| k < 0);
        if flip {
            merged.iter_mut().for_each(|(_, k)| *k = self.reduce(-*k));
        }
        (merged, flip, first.is_none())
    }

    /// An entry of k in its one way of writing.
    fn reduce(self, k: i64) -> i64 {
        match self {
            Self::Torus => k,
            Self::Residues { modulus } => {
                let modulus = i64::from(modulus.max(1));
                let rest = k.rem_euclid(modulus);
                if 2 * rest > modulus { rest - modulus } else { rest }
            }
        }
    }

    /// k·x / p, up to whole turns. On `Z_m^n` it is computed in integers.
    pub(super) fn turns(self, frequency: &[(usize, i64)], x: &[f64]) -> f64 {
        match self {
            Self::Torus => {
                frequency.iter().map(|&(i, k)| k as f64 * x[i]).sum::<f64>().rem_euclid(1.0)
            }
            Self::Residues { modulus } => {
                let modulus = i64::from(modulus.max(1));
                let step = |sum: i64, &(i, k): &(usize, i64)| {
                    (sum + k * (x[i].round() as i64).rem_euclid(modulus)).rem_euclid(modulus)
                };
                frequency.iter().fold(0, step) as f64 / modulus as f64
            }
        }
    }
}

impl TrigSum {
    /// The sum of `waves` on `group`. Frequencies are put in one way of writing, waves of one pair k, −k are added up, sines
    /// that are 0 everywhere and waves that cancel are dropped.
    ///
    /// ```
    /// use absolve::fourier::{Group, TrigSum, Wave};
    /// let wave = |k, cos, sin| Wave { frequency: vec![(0, k)], cos, sin };
    /// // cos(−2t) + sin(−2t) + sin(2t) = cos(2t).
    /// let sum = TrigSum::new(Group::Torus, vec![wave(-2, 1.0, 1.0), wave(2, 0.0, 1.0)]);
    /// assert_eq!(sum.waves(), [wave(2, 1.0, 0.0)]);
    /// assert!((sum.at(&[0.25]) + 1.0).abs() < 1e-12);
    /// ```
    pub fn new(group: Group, waves: Vec<Wave>) -> Self {
        let mut waves: Vec<Wave> = waves
            .into_iter()
            .map(|Wave { frequency, cos, sin }| {
                let (frequency, flip, real) = group.canonical(&frequency);
                let sin = match (real, flip) {
                    (true, _) => 0.0,
                    (_, true) => -sin,
                    _ => sin,
                };
                Wave { frequency, cos, sin }
            })
            .collect();
        waves.sort_by(|a, b| {
            (a.frequency.len(), &a.frequency).cmp(&(b.frequency.len(), &b.frequency))
        });
        let mut merged: Vec<Wave> = Vec::with_capacity(waves.len());
        for wave in waves {
            match merged.last_mut() {
                Some(last) if last.frequency == wave.frequency => {
                    last.cos += wave.cos;
                    last.sin += wave.sin;
                }
                _ => merged.push(wave),
            }
        }
        merged.retain(|wave| wave.cos.abs() > 0.0 || wave.sin.abs() > 0.0);
        Self { group, waves: merged }
    }

    /// Whether the character of `frequency` is its own conjugate: ±1 everywhere, without a sine.
    pub fn is_real(group: Group, frequency: &[(usize, i64)]) -> bool {
        group.canonical(frequency).2
    }

    /// A frequency in its one way of writing, if it is the one of its pair k, −k that sums are written in.
    pub fn one_of_pair(group: Group, frequency: &[(usize, i64)]) -> Option<Frequency> {
        let (one, flipped, _) = group.canonical(frequency);
        (!flipped).then_some(one)
    }

    /// Whether it has a wave of this frequency or of its negative.
    pub fn has(&self, frequency: &[(usize, i64)]) -> bool {
        let (frequency, _, _) = self.group.canonical(frequency);
        self.waves.iter().any(|wave| wave.frequency == frequency)
    }

    /// The group that it is a function on.
    pub fn group(&self) -> Group {
        self.group
    }

    /// Its waves, those of fewer coordinates first.
    pub fn waves(&self) -> &[Wave] {
        &self.waves
    }

    /// The frequencies of its waves, in order.
    pub fn frequencies(&self) -> Vec<&[(usize, i64)]> {
        self.waves.iter().map(|wave| wave.frequency.as_slice()).collect()
    }

    /// Multiplications, additions and the like to evaluate it once: two an entry of a frequency, and six a wave for cosine,
    /// sine and the sum.
    pub fn flops(&self) -> u64 {
        self.waves.iter().map(|wave| 2 * wave.frequency.len() as u64 + 6).sum()
    }

    /// Its value at one point of the group.
    pub fn at(&self, x: &[f64]) -> f64 {
        let value = |wave: &Wave| {
            let angle = std::f64::consts::TAU * self.group.turns(&wave.frequency, x);
            wave.cos * angle.cos() + wave.sin * angle.sin()
        };
        self.waves.iter().map(value).sum()
    }

    /// Its value at every row, as a column.
    pub fn at_all(&self, xs: &Batch) -> Batch {
        let values = xs.rows().into_iter().map(|x| self.at(&x.to_vec())).collect();
        crate::data::column(values)
    }

    /// Its complex coefficient `E[f(x) exp(−2πi k·x / p)]` at a frequency, as real and imaginary part. Exact: it is read off.
    pub fn coefficient(&self, frequency: &[(usize, i64)]) -> (f64, f64) {
        let (frequency, flip, real) = self.group.canonical(frequency);
        match self.waves.iter().find(|wave| wave.frequency == frequency) {
            Some(wave) if real => (wave.cos, 0.0),
            Some(wave) if flip => (0.5 * wave.cos, 0.5 * wave.sin),
            Some(wave) => (0.5 * wave.cos, -0.5 * wave.sin),
            None => (0.0, 0.0),
        }
    }

    /// The smallest complex coefficient in absolute value: the function is τ-heavy for every τ up to it.
    pub fn lightest(&self) -> f64 {
        let moduli = self.waves.iter().map(|wave| {
            let (real, imaginary) = self.coefficient(&wave.frequency);
            real.hypot(imaginary)
        });
        moduli.fold(f64::INFINITY, f64::min)
    }

    /// A bound on its absolute value: the amplitudes of its waves added up.
    pub fn bound(&self) -> f64 {
        self.waves.iter().map(|wave| wave.cos.hypot(wave.sin)).sum()
    }

    /// E[f(x) g(x)] over uniform x, by Parseval.
    ///
    /// # Panics
    /// If the two are functions on different groups: a bug in the caller.
    pub fn inner(&self, other: &Self) -> f64 {
        assert!(self.group == other.group, "functions on one group");
        let product = |wave: &Wave| {
            let (_, _, real) = self.group.canonical(&wave.frequency);
            let twin = other.waves.iter().find(|twin| twin.frequency == wave.frequency);
            let share = if real { 1.0 } else { 0.5 };
            twin.map_or(0.0, |twin| share * (wave.cos * twin.cos + wave.sin * twin.sin))
        };
        self.waves.iter().map(product).sum()
    }
}

/// The point of `Z_m^n` numbered `index`: its digits to the base m, the lowest first.
pub fn residue_point(index: usize, n: usize, modulus: u32) -> Vec<f64> {
    let modulus = modulus.max(1) as usize;
    let digit = |left: &mut usize, _: usize| {
        let digit = *left % modulus;
        *left /= modulus;
        Some(digit as f64)
    };
    (0..n).scan(index, digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fourier::{FourierSum, Term};
    use crate::rng::{RngExt, Seed, normal};

    /// A sum of random waves on `Z_m^n`.
    fn random(n: usize, modulus: u32, name: &str) -> TrigSum {
        let mut rng = Seed::new(1).stream(name);
        let waves = (0..5)
            .map(|_| Wave {
                frequency: (0..n).map(|i| (i, rng.random_range(-9..=9))).collect(),
                cos: normal(&mut rng),
                sin: normal(&mut rng),
            })
            .collect();
        TrigSum::new(Group::Residues { modulus }, waves)
    }

    fn points(n: usize, modulus: u32) -> Vec<Vec<f64>> {
        let total = (modulus as usize).pow(n as u32);
        (0..total).map(|index| residue_point(index, n, modulus)).collect()
    }

    #[test]
    fn inner_products_and_coefficients_are_those_of_the_listed_group() {
        for (n, modulus) in [(3, 2), (3, 3), (2, 4), (3, 5), (2, 6), (2, 9)] {
            let (f, g) = (random(n, modulus, "f"), random(n, modulus, "g"));
            let all = points(n, modulus);
            let mean = |at: &dyn Fn(&[f64]) -> f64| {
                all.iter().map(|x| at(x)).sum::<f64>() / all.len() as f64
            };
            let listed = mean(&|x| f.at(x) * g.at(x));
            assert!((f.inner(&g) - listed).abs() < 1e-12, "Z_{modulus}^{n}: {listed}");
            assert!((f.inner(&f) - mean(&|x| f.at(x).powi(2))).abs() < 1e-12);
            assert!(all.iter().all(|x| f.at(x).abs() <= f.bound() + 1e-12));
            // Every coefficient, also those that are 0, against the definition.
            let mut least = f64::INFINITY;
            for k in &all {
                let frequency: Frequency =
                    k.iter().enumerate().map(|(i, k)| (i, *k as i64)).collect();
                let angle = |x: &[f64]| {
                    let along: f64 = k.iter().zip(x).map(|(k, x)| k * x).sum();
                    std::f64::consts::TAU * along / f64::from(modulus)
                };
                let (real, imaginary) = f.coefficient(&frequency);
                assert!((real - mean(&|x| f.at(x) * angle(x).cos())).abs() < 1e-12);
                assert!((imaginary + mean(&|x| f.at(x) * angle(x).sin())).abs() < 1e-12);
                if real.hypot(imaginary) > 1e-9 {
                    least = least.min(real.hypot(imaginary));
                }
            }
            assert!((f.lightest() - least).abs() < 1e-12, "Z_{modulus}^{n}");
        }
    }

    #[test]
    fn modulo_two_the_waves_are_the_characters_of_the_cube() {
        let wave = |support: &[usize], cos| Wave {
            frequency: support.iter().map(|&i| (i, 1)).collect(),
            cos,
            // Of a character that is its own conjugate the sine is nothing.
            sin: 7.0,
        };
        let waves = vec![wave(&[0, 2], 0.5), wave(&[1], -0.25), wave(&[], 1.0)];
        let sum = TrigSum::new(Group::Residues { modulus: 2 }, waves);
        let term = |support: &[usize], value| Term { support: support.to_vec(), value };
        let cube = FourierSum::new(vec![term(&[0, 2], 0.5), term(&[1], -0.25), term(&[], 1.0)]);
        for x in points(3, 2) {
            let signs: Vec<f64> = x.iter().map(|bit| 1.0 - 2.0 * bit).collect();
            assert!((sum.at(&x) - cube.at(&signs)).abs() < 1e-12);
        }
        assert!((sum.lightest() - cube.lightest()).abs() < 1e-15);
    }

    #[test]
    fn on_the_torus_the_mean_over_a_fine_grid_is_exact() {
        // A trigonometric polynomial of degree below N in every coordinate is integrated exactly by an N-point grid:
        // products of waves of frequencies up to 3 need N > 6.
        let wave =
            |frequency: &[(usize, i64)], cos, sin| Wave { frequency: frequency.to_vec(), cos, sin };
        let f = vec![wave(&[(0, 2), (1, -3)], 0.5, 1.5), wave(&[(1, 1)], -1.0, 0.25)];
        let f = TrigSum::new(Group::Torus, f);
        let grid = points(2, 8).into_iter().map(|x| [x[0] / 8.0 + 0.01, x[1] / 8.0 + 0.02]);
        let mean = grid.map(|x| f.at(&x).powi(2)).sum::<f64>() / 64.0;
        // (0.5² + 1.5²) / 2 + (1² + 0.25²) / 2 = 1.25 + 0.53125.
        assert!((f.inner(&f) - 1.781_25).abs() < 1e-15);
        assert!((mean - 1.781_25).abs() < 1e-12, "{mean}");
        assert!((f.lightest() - 0.5 * (1.0625_f64).sqrt()).abs() < 1e-15);
        // Whole turns change nothing.
        assert!((f.at(&[0.3, 0.4]) - f.at(&[1.3, -1.6])).abs() < 1e-12);
    }
}
