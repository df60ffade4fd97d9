//! A random basis of the space of sets, in which the generic codes ask for a set's bits.
//!
//! The matrix is a product of a lower and an upper triangular one with ones on the diagonal and uniform bits beside it, so it
//! has an inverse, and a set is read off its n overlaps by two triangular solutions, n² bit operations each.
use crate::fourier::Bits;
use crate::rng::Rng;

/// The basis, and its triangular factors.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    lower: Vec<Bits>,
    upper: Vec<Bits>,
    /// The rows: bit i of a set is whether it has an odd overlap with row i.
    pub(super) rows: Vec<Bits>,
}

impl Basis {
    /// A random one of n rows.
    pub(super) fn random(n: usize, rng: &mut Rng) -> Self {
        let (mut lower, mut upper) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for i in 0..n {
            let mut row = Bits::random(n, rng);
            row.keep_below(i);
            lower.push(row.with(i));
            let row = Bits::random(n, rng);
            let mut low = row.clone();
            low.keep_below(i);
            upper.push(row.xor(&low).with(i));
        }
        let product = |row: &Bits| {
            let mut sum = Bits::empty(n);
            (0..n).filter(|&j| row.has(j)).for_each(|j| sum.toggle(&upper[j]));
            sum
        };
        let rows = lower.iter().map(product).collect();
        Self { lower, upper, rows }
    }

    /// The set whose overlaps with the rows have these parities.
    pub(super) fn set_of(&self, overlaps: &Bits) -> Bits {
        let n = self.rows.len();
        let mut between = Bits::empty(n);
        for i in 0..n {
            if self.lower[i].odd_overlap(&between) != overlaps.has(i) {
                between.insert(i);
            }
        }
        let mut set = Bits::empty(n);
        for i in (0..n).rev() {
            if self.upper[i].odd_overlap(&set) != between.has(i) {
                set.insert(i);
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn every_set_comes_back_from_its_overlaps() {
        let mut rng = Seed::new(1).stream("basis");
        for n in [1, 5, 63, 64, 65, 200] {
            let basis = Basis::random(n, &mut rng);
            for _ in 0..20 {
                let set = Bits::random(n, &mut rng);
                let mut overlaps = Bits::empty(n);
                for i in (0..n).filter(|&i| basis.rows[i].odd_overlap(&set)) {
                    overlaps.insert(i);
                }
                assert_eq!(basis.set_of(&overlaps), set, "n = {n}");
            }
        }
    }
}
