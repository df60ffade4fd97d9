//! Lists of basis functions that are looked for together: products of polynomials, and characters as waves.
//!
//! Every function here is real and orthonormal. A product is one function. A pair of characters k, −k is two, `√2 cos` and
//! `√2 sin` of the same angle; one with k = −k is its cosine alone, which is ±1.
use super::trigonometric::{Frequency, Group, TrigSum, Wave};
use super::{Degrees, Function, Polynomials, ProductSum, ProductTerm, total};

/// What an entry of a list is.
#[derive(Clone, Debug, PartialEq)]
pub enum Dictionary {
    /// Products of orthonormal polynomials.
    Products {
        /// The polynomials.
        basis: Polynomials,
        /// Their degrees by coordinate.
        list: Vec<Degrees>,
    },
    /// Waves on a group, one of each pair k, −k.
    Waves {
        /// The group.
        group: Group,
        /// Their frequencies.
        list: Vec<Frequency>,
    },
}

impl Dictionary {
    /// Entries.
    pub fn len(&self) -> usize {
        match self {
            Self::Products { list, .. } => list.len(),
            Self::Waves { list, .. } => list.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many real functions entry `i` is: one, or a cosine and a sine.
    fn width(&self, i: usize) -> usize {
        match self {
            Self::Products { .. } => 1,
            Self::Waves { group, list } => 2 - usize::from(TrigSum::is_real(*group, &list[i])),
        }
    }

    /// Real functions in all.
    pub fn n_functions(&self) -> usize {
        (0..self.len()).map(|i| self.width(i)).sum()
    }

    /// The value of every function at `x`, in order, into `values`.
    pub fn values_at(&self, x: &[f64], values: &mut Vec<f64>) {
        values.clear();
        match self {
            Self::Products { basis, list } => {
                let highest = list.iter().flatten().map(|(_, k)| *k).max().unwrap_or(0);
                let mut table = Vec::with_capacity(x.len() * (highest as usize + 1));
                x.iter().for_each(|x| basis.append_up_to(highest, *x, &mut table));
                let at = |(i, k): &(usize, u32)| table[i * (highest as usize + 1) + *k as usize];
                values.extend(list.iter().map(|degrees| degrees.iter().map(at).product::<f64>()));
            }
            Self::Waves { group, list } => {
                for frequency in list {
                    let angle = std::f64::consts::TAU * group.turns(frequency, x);
                    if TrigSum::is_real(*group, frequency) {
                        values.push(angle.cos());
                    } else {
                        values.push(std::f64::consts::SQRT_2 * angle.cos());
                        values.push(std::f64::consts::SQRT_2 * angle.sin());
                    }
                }
            }
        }
    }

    /// Operations of [`Self::values_at`] for inputs of width `n`.
    pub fn flops(&self, n: usize) -> u64 {
        match self {
            Self::Products { list, .. } => {
                let highest = list.iter().flatten().map(|(_, k)| *k).max().unwrap_or(0);
                let factors: usize = list.iter().map(Vec::len).sum();
                5 * n as u64 * u64::from(highest) + factors as u64
            }
            Self::Waves { list, .. } => list.iter().map(|k| 2 * k.len() as u64 + 4).sum(),
        }
    }

    /// The absolute value of every entry's coefficient, given those of its functions: of a pair of characters, that of either's
    /// complex coefficient, `√((α² + β²)/2)`.
    pub fn moduli(&self, coefficients: &[f64]) -> Vec<f64> {
        self.entries(coefficients)
            .map(|of| match of {
                [one] => one.abs(),
                both => both.iter().map(|c| 0.5 * c * c).sum::<f64>().sqrt(),
            })
            .collect()
    }

    /// The entries that `keep` wants, with their coefficients.
    pub fn only(&self, coefficients: &[f64], keep: &[bool]) -> (Self, Vec<f64>) {
        let kept = self.entries(coefficients).zip(keep).filter(|(_, keep)| **keep);
        let kept = kept.flat_map(|(of, _)| of.iter().copied()).collect();
        let mut wanted = keep.iter().copied();
        let mut keep = move || wanted.next().unwrap_or(false);
        let less = match self.clone() {
            Self::Products { basis, mut list } => {
                list.retain(|_| keep());
                Self::Products { basis, list }
            }
            Self::Waves { group, mut list } => {
                list.retain(|_| keep());
                Self::Waves { group, list }
            }
        };
        (less, kept)
    }

    /// The sum of its functions with these coefficients.
    pub fn sum(&self, coefficients: &[f64]) -> Function {
        match self {
            Self::Products { basis, list } => {
                let terms = list.iter().zip(coefficients);
                let terms = terms.map(|(degrees, value)| ProductTerm {
                    degrees: degrees.clone(),
                    value: *value,
                });
                ProductSum::new(*basis, terms.collect()).into()
            }
            Self::Waves { group, list } => {
                let waves = list.iter().zip(self.entries(coefficients)).map(|(k, of)| {
                    let root = std::f64::consts::SQRT_2;
                    let (cos, sin) = match *of {
                        [cos, sin] => (root * cos, root * sin),
                        [one] => (one, 0.0),
                        _ => (0.0, 0.0),
                    };
                    Wave { frequency: k.clone(), cos, sin }
                });
                TrigSum::new(*group, waves.collect()).into()
            }
        }
    }

    /// `Σ sup φ²` over its functions, where they are bounded: of a wave's two the sum of squares is 2 everywhere.
    pub fn largest_square(&self) -> Option<f64> {
        match self {
            Self::Waves { .. } => Some(self.n_functions() as f64),
            Self::Products { basis: Polynomials::Legendre, list } => {
                let square = |degrees: &Degrees| -> f64 {
                    degrees.iter().map(|(_, k)| f64::from(2 * k + 1)).product()
                };
                Some(list.iter().map(square).sum())
            }
            Self::Products { basis: Polynomials::Hermite, .. } => None,
        }
    }

    /// The largest degree of an entry.
    pub fn degree(&self) -> u64 {
        match self {
            Self::Products { list, .. } => {
                list.iter().map(|k| u64::from(total(k))).max().unwrap_or(0)
            }
            Self::Waves { list, .. } => {
                let degree = |k: &Frequency| k.iter().map(|(_, k)| k.unsigned_abs()).sum();
                list.iter().map(degree).max().unwrap_or(0)
            }
        }
    }

    fn entries<'a>(&'a self, coefficients: &'a [f64]) -> impl Iterator<Item = &'a [f64]> {
        let mut first = 0;
        (0..self.len()).map(move |i| {
            let from = first;
            first += self.width(i);
            &coefficients[from..first]
        })
    }
}

/// One of each pair k, −k of frequencies with `Σ |k_i|` at most `degree`; `None` if there are more than `most`.
pub fn frequencies(group: Group, n: usize, degree: u32, most: usize) -> Option<Vec<Frequency>> {
    let mut all: Vec<Frequency> = vec![Vec::new()];
    let mut first = 0;
    // Each is extended by one more coordinate beyond its last, in every way that the degree leaves.
    while first < all.len() {
        let at = all[first].clone();
        first += 1;
        let used: u64 = at.iter().map(|(_, k)| k.unsigned_abs()).sum();
        for i in at.last().map_or(0, |(i, _)| i + 1)..n {
            for k in children(group, &at, Some(u64::from(degree) - used)) {
                if k != 0 {
                    all.push(at.iter().copied().chain([(i, k)]).collect());
                }
            }
            if all.len() > most {
                return None;
            }
        }
    }
    Some(all)
}

/// The entries that a frequency may have at its next coordinate, `left` being what its degree leaves: one of each pair, if all
/// before belong to a frequency that is its own negative.
pub(super) fn children(group: Group, before: &[(usize, i64)], left: Option<u64>) -> Vec<i64> {
    let (low, high) = match group {
        Group::Torus => (i64::MIN, i64::MAX),
        Group::Residues { modulus } => {
            let modulus = i64::from(modulus.max(1));
            (-((modulus - 1) / 2), modulus / 2)
        }
    };
    let left = left.map_or(i64::MAX, |left| i64::try_from(left).unwrap_or(i64::MAX));
    let low = if TrigSum::is_real(group, before) { 0 } else { low.max(-left) };
    (low..=high.min(left)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fourier::{all_degrees, residue_point};
    use crate::rng::{Seed, normal};

    #[test]
    fn waves_are_orthonormal_on_the_whole_group_and_all_of_them_are_a_basis() {
        for (n, modulus) in [(2, 5), (3, 2), (2, 4), (1, 9), (2, 6)] {
            let group = Group::Residues { modulus };
            let list = frequencies(group, n, 64, 1 << 12).unwrap();
            let all = Dictionary::Waves { group, list };
            let points = (modulus as usize).pow(n as u32);
            // As many real functions as points: with orthonormality, a basis.
            assert_eq!(all.n_functions(), points, "Z_{modulus}^{n}");
            let mut gram = vec![0.0; points * points];
            let mut values = Vec::new();
            for index in 0..points {
                all.values_at(&residue_point(index, n, modulus), &mut values);
                for (i, a) in values.iter().enumerate() {
                    for (j, b) in values.iter().enumerate() {
                        gram[i * points + j] += a * b / points as f64;
                    }
                }
            }
            for (k, g) in gram.iter().enumerate() {
                let want = f64::from(u8::from(k % points == k / points));
                assert!((g - want).abs() < 1e-10, "Z_{modulus}^{n}");
            }
        }
    }

    #[test]
    fn on_the_torus_frequencies_of_low_degree_are_counted() {
        // Σ_k C(n, k) C(d, k) 2^k lattice points of degree at most d, one of each pair: half of them and a half.
        for (n, degree, all) in [(4, 2, 41), (3, 3, 63), (1, 7, 15), (50, 2, 5101)] {
            let list = frequencies(Group::Torus, n, degree, 1 << 14).unwrap();
            assert_eq!(list.len(), all / 2 + 1);
            assert_eq!(Dictionary::Waves { group: Group::Torus, list }.n_functions(), all);
        }
        assert_eq!(frequencies(Group::Torus, 50, 2, 2000), None);
    }

    #[test]
    fn a_sum_has_the_values_the_moduli_and_the_parts_that_its_coefficients_say() {
        let mut rng = Seed::new(1).stream("coefficients");
        let group = Group::Residues { modulus: 6 };
        let waves = Dictionary::Waves { group, list: frequencies(group, 2, 3, 100).unwrap() };
        let list = all_degrees(2, 3);
        let products = Dictionary::Products { basis: Polynomials::Hermite, list };
        for (dictionary, x) in [(waves, [1.0, 4.0]), (products, [0.3, -1.2])] {
            let all: Vec<f64> = (0..dictionary.n_functions()).map(|_| normal(&mut rng)).collect();
            let mut values = Vec::new();
            dictionary.values_at(&x, &mut values);
            let direct: f64 = values.iter().zip(&all).map(|(v, c)| v * c).sum();
            let xs = crate::data::stack(2, [x.to_vec()]);
            let sum = dictionary.sum(&all);
            assert!((sum.at_all(&xs)[[0, 0]] - direct).abs() < 1e-12);
            let moduli = dictionary.moduli(&all);
            if let Function::Waves(sum) = &sum {
                for wave in sum.waves() {
                    let (real, imaginary) = sum.coefficient(&wave.frequency);
                    let modulus = real.hypot(imaginary);
                    assert!(moduli.iter().any(|m| (m - modulus).abs() < 1e-12));
                }
            }
            let keep: Vec<bool> = moduli.iter().map(|m| *m > 0.8).collect();
            let (less, kept) = dictionary.only(&all, &keep);
            assert!(less.len() < dictionary.len() && !less.is_empty());
            assert_eq!(less.n_functions(), kept.len());
            let some: Vec<f64> = moduli.into_iter().filter(|m| *m > 0.8).collect();
            assert_eq!(less.moduli(&kept), some);
        }
    }
}
