//! Seeds and the named streams of random numbers that are drawn from them.
//!
//! Every random number in a run comes from one seed through a path of names, so adding a stream never shifts another,
//! and the order in which threads run never matters. A stream is `ChaCha8` keyed with SHA-256 of the path: the same on
//! every platform.
use sha2::{Digest, Sha256};

pub use rand::{RngExt, SeedableRng};

/// A stream of random numbers.
pub type Rng = rand_chacha::ChaCha8Rng;

/// Where a run's randomness comes from.
///
/// ```
/// use absolve::rng::{RngExt, Seed};
/// let seed = Seed::new(7);
/// let draw = |name: &str| seed.stream(name).random::<u64>();
/// assert_eq!(draw("init"), draw("init"));
/// assert_ne!(draw("init"), draw("shuffle"));
/// assert_ne!(seed.child("model 0").stream("init").random::<u64>(), draw("init"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// The root seed numbered `number`.
    pub fn new(number: u64) -> Self {
        Self(Sha256::digest(number.to_le_bytes()).into())
    }

    /// The seed below this one that is called `name`.
    pub fn child(self, name: &str) -> Self {
        self.mix(0, name.as_bytes())
    }

    /// The stream called `name`.
    pub fn stream(self, name: &str) -> Rng {
        Rng::from_seed(self.mix(1, name.as_bytes()).0)
    }

    /// The stream that belongs to one input: equal rows get equal streams.
    ///
    /// A method that answers with fresh randomness for every input draws from here, so that its answers are a function
    /// of the input and do not depend on the order or the grouping in which inputs are asked.
    pub fn stream_for_row(self, row: &[f64]) -> Rng {
        let mut bytes = Vec::with_capacity(row.len() * 8);
        // Adding 0 makes −0 the 0 that it equals.
        row.iter().for_each(|x| bytes.extend_from_slice(&(x + 0.0).to_le_bytes()));
        Rng::from_seed(self.mix(2, &bytes).0)
    }

    fn mix(self, kind: u8, bytes: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update([kind]);
        hash.update(bytes);
        Self(hash.finalize().into())
    }
}

/// Draws a seed from a stream, for a method that needs streams of its own.
pub fn fork(rng: &mut Rng) -> Seed {
    Seed(rng.random())
}

/// A permutation of `0..n`, uniformly at random.
pub fn permutation(n: usize, rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    shuffle(&mut order, rng);
    order
}

/// Puts `items` in uniformly random order (Fisher and Yates).
pub fn shuffle<T>(items: &mut [T], rng: &mut Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, rng.random_range(0..=i));
    }
}

/// A standard normal number.
pub fn normal(rng: &mut Rng) -> f64 {
    rng.sample(rand_distr::StandardNormal)
}

/// +1 or −1 with equal probability.
pub fn sign(rng: &mut Rng) -> f64 {
    if rng.random() { 1.0 } else { -1.0 }
}

/// A direction in `n` dimensions, uniform on the unit sphere.
pub fn direction(n: usize, rng: &mut Rng) -> Vec<f64> {
    let mut out = vec![0.0; n];
    direction_into(&mut out, rng);
    out
}

/// A direction in as many dimensions as `out` has places, uniform on the unit sphere.
pub fn direction_into(out: &mut [f64], rng: &mut Rng) {
    loop {
        out.iter_mut().for_each(|x| *x = normal(rng));
        let norm = out.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 1e-12 {
            out.iter_mut().for_each(|x| *x /= norm);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_get_equal_streams_whatever_the_sign_of_zero() {
        let draw = |row: &[f64]| Seed::new(1).stream_for_row(row).random::<u64>();
        assert_eq!(draw(&[0.0, 1.0]), draw(&[-0.0, 1.0]));
        assert_ne!(draw(&[0.0, 1.0]), draw(&[1.0, 0.0]));
    }
}
