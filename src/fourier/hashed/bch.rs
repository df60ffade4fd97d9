//! Reading a set of few coordinates from its syndromes: the code of Bose, Chaudhuri and Hocquenghem.
//!
//! Coordinate i is the power `α^i` of a generator of the field of 2^b elements, 2^b > n. The delays ask for the bits of
//! `Σ_{i∈S} α^{ij}` for j = 1, 3, 5: 3 b signs determine a set of at most three coordinates, where n bits would be asked for
//! any set. It is found by the algorithm of Berlekamp and Massey and a search for the roots among n.

/// Largest set that is read.
pub(super) const DEGREE: usize = 3;
/// Largest dimension that has a field here.
pub(super) const MOST: usize = 4095;
/// Primitive polynomials of degree 3, 4, …, 12.
const POLYNOMIALS: [u32; 10] =
    [0b1011, 0b10011, 0x25, 0x43, 0x89, 0x11d, 0x211, 0x409, 0x805, 0x1053];

/// A field of 2^b elements by powers and logarithms of its generator.
#[derive(Clone, Debug)]
pub(super) struct Field {
    n: usize,
    bits: usize,
    powers: Vec<u32>,
    logs: Vec<usize>,
}

impl Field {
    /// The smallest field for n ≤ [`MOST`] coordinates.
    pub(super) fn of(n: usize) -> Self {
        let bits = (3..12).find(|bits| (1 << bits) > n).unwrap_or(12);
        let polynomial = POLYNOMIALS[bits - 3];
        let (order, mut element) = ((1_usize << bits) - 1, 1_u32);
        let (mut powers, mut logs) = (vec![0; order], vec![0; order + 1]);
        for (i, power) in powers.iter_mut().enumerate() {
            *power = element;
            logs[element as usize] = i;
            element <<= 1;
            if element >> bits == 1 {
                element ^= polynomial;
            }
        }
        Self { n, bits, powers, logs }
    }

    /// The coordinates whose parity each sign asks for: bit `b` of `α^{ij}`, for j = 1, 3, 5.
    pub(super) fn checks(&self) -> Vec<Vec<usize>> {
        let mut all = Vec::with_capacity(DEGREE * self.bits);
        for j in (1..2 * DEGREE).step_by(2) {
            for bit in 0..self.bits {
                let asked = |i: &usize| self.power(i * j) >> bit & 1 == 1;
                all.push((0..self.n).filter(asked).collect());
            }
        }
        all
    }

    /// The set of at most three coordinates with these parities, if there is one.
    pub(super) fn decode(&self, parities: &[bool]) -> Option<Vec<usize>> {
        let mut syndromes = [0_u32; 2 * DEGREE + 1];
        for j in 1..=2 * DEGREE {
            syndromes[j] = if j % 2 == 1 {
                let bits = &parities[j / 2 * self.bits..][..self.bits];
                bits.iter().enumerate().map(|(b, odd)| u32::from(*odd) << b).sum()
            } else {
                self.times(syndromes[j / 2], syndromes[j / 2])
            };
        }
        let (locator, degree) = self.locator(&syndromes);
        if degree > DEGREE {
            return None;
        }
        let value = |i: usize| {
            // At the inverse of α^i, where the locator vanishes for i in the set.
            let inverse = self.powers.len() - i;
            (0..=degree).fold(0, |sum, d| sum ^ self.times(locator[d], self.power(inverse * d)))
        };
        let roots: Vec<usize> = (0..self.n).filter(|&i| value(i) == 0).take(degree + 1).collect();
        (roots.len() == degree).then_some(roots)
    }

    /// The shortest recurrence of the syndromes, and its length (Berlekamp and Massey).
    fn locator(&self, syndromes: &[u32]) -> ([u32; 4 * DEGREE], usize) {
        let (mut now, mut before) = ([0_u32; 4 * DEGREE], [0_u32; 4 * DEGREE]);
        (now[0], before[0]) = (1, 1);
        let (mut length, mut gap, mut last) = (0, 1, 1);
        for k in 0..2 * DEGREE {
            let sum = (1..=length).fold(0, |sum, i| sum ^ self.times(now[i], syndromes[k + 1 - i]));
            let discrepancy = syndromes[k + 1] ^ sum;
            if discrepancy == 0 {
                gap += 1;
                continue;
            }
            let factor = self.times(discrepancy, self.inverse(last));
            let kept = now;
            for i in 0..4 * DEGREE - gap {
                now[i + gap] ^= self.times(factor, before[i]);
            }
            if 2 * length <= k {
                length = k + 1 - length;
                (before, last, gap) = (kept, discrepancy, 1);
            } else {
                gap += 1;
            }
        }
        (now, length)
    }

    fn power(&self, exponent: usize) -> u32 {
        self.powers[exponent % self.powers.len()]
    }

    fn times(&self, a: u32, b: u32) -> u32 {
        if a == 0 || b == 0 {
            return 0;
        }
        self.power(self.logs[a as usize] + self.logs[b as usize])
    }

    fn inverse(&self, a: u32) -> u32 {
        self.power(self.powers.len() - self.logs[a as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parities of a set, check by check.
    fn parities(field: &Field, set: &[usize]) -> Vec<bool> {
        let shared = |check: &Vec<usize>| check.iter().filter(|&i| set.contains(i)).count();
        field.checks().iter().map(|check| shared(check) % 2 == 1).collect()
    }

    #[test]
    fn generators_generate() {
        for n in [1, 8, 20, 40, 70, 200, 300, 600, 1100, 3000, MOST] {
            let field = Field::of(n);
            let mut seen = field.powers.clone();
            seen.sort_unstable();
            assert!(seen.iter().enumerate().all(|(i, &power)| power == i as u32 + 1), "n = {n}");
            assert!(field.powers.len() >= n);
        }
    }

    #[test]
    fn every_set_of_at_most_three_comes_back_and_larger_ones_never_as_themselves() {
        let field = Field::of(14);
        for a in 0..14 {
            for b in a..14 {
                for c in b..14 {
                    let mut set = vec![a, b, c];
                    set.dedup();
                    assert_eq!(field.decode(&parities(&field, &set)), Some(set));
                }
            }
        }
        assert_eq!(field.decode(&parities(&field, &[])), Some(vec![]));
        let four = field.decode(&parities(&field, &[0, 3, 7, 12]));
        assert!(four.is_none_or(|set| set.len() <= 3));
        let large = Field::of(1000);
        assert_eq!(large.checks().len(), 30);
        assert_eq!(large.decode(&parities(&large, &[1, 500, 999])), Some(vec![1, 500, 999]));
    }
}
