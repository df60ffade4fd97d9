//! Sets of coordinates, and vertices of the cube, as bits: 64 to a word.
//!
//! A vertex is the set of its −1 coordinates, so the character of `S` at `x` is −1 where `S` and `x` share an odd number of
//! coordinates, and the product of two characters is that of the symmetric difference.
use crate::rng::{Rng, RngExt};

/// A set of coordinates, and a vertex as the set of its −1 coordinates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// The empty set of `n` coordinates; the vertex of all +1.
    ///
    /// ```
    /// use absolve::fourier::Bits;
    /// let set = Bits::of(70, &[0, 69]);
    /// assert_eq!(set.members(), [0, 69]);
    /// assert!(set.odd_overlap(&Bits::of(70, &[69, 3])));
    /// assert_eq!(set.xor(&set), Bits::empty(70));
    /// ```
    pub fn empty(n: usize) -> Self {
        Self(vec![0; n.div_ceil(64)])
    }

    /// The set of these coordinates of `n`.
    pub fn of(n: usize, members: &[usize]) -> Self {
        let mut set = Self::empty(n);
        members.iter().for_each(|&i| set.insert(i));
        set
    }

    /// A uniformly random set of `n` coordinates.
    pub fn random(n: usize, rng: &mut Rng) -> Self {
        let mut set = Self((0..n.div_ceil(64)).map(|_| rng.random()).collect());
        set.keep_below(n);
        set
    }

    /// The same set with coordinate `i` in it.
    pub fn with(&self, i: usize) -> Self {
        let mut more = self.clone();
        more.insert(i);
        more
    }

    /// Puts coordinate `i` in.
    pub fn insert(&mut self, i: usize) {
        self.0[i / 64] |= 1 << (i % 64);
    }

    /// Takes every coordinate from `level` on out.
    pub fn keep_below(&mut self, level: usize) {
        for (word, bits) in self.0.iter_mut().enumerate() {
            let first = 64 * word;
            if level <= first {
                *bits = 0;
            } else if level - first < 64 {
                *bits &= (1 << (level - first)) - 1;
            }
        }
    }

    /// The symmetric difference; of vertices, their product.
    pub fn xor(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a ^ b).collect())
    }

    /// Replaces this set by its symmetric difference with `other`.
    pub fn toggle(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a ^= b);
    }

    /// Whether the two share an odd number of coordinates.
    pub fn odd_overlap(&self, other: &Self) -> bool {
        let shared: u64 = self.0.iter().zip(&other.0).fold(0, |sum, (a, b)| sum ^ (a & b));
        shared.count_ones() % 2 == 1
    }

    /// The character of this set at the vertex `x`: −1 or +1.
    pub fn character(&self, x: &Self) -> f64 {
        if self.odd_overlap(x) { -1.0 } else { 1.0 }
    }

    /// Whether coordinate `i` is in it.
    pub fn has(&self, i: usize) -> bool {
        self.0[i / 64] >> (i % 64) & 1 == 1
    }

    /// Its coordinates, ascending.
    pub fn members(&self) -> Vec<usize> {
        (0..64 * self.0.len()).filter(|&i| self.has(i)).collect()
    }

    /// The vertex of `n` coordinates as numbers −1 and +1.
    pub fn signs(&self, n: usize) -> impl Iterator<Item = f64> {
        (0..n).map(|i| if self.has(i) { -1.0 } else { 1.0 })
    }
}
