//! A pilot: one coset, asked and transformed, with what is known subtracted.
use super::asker::Asker;
use super::{Coset, Known};
use crate::error::Result;
use crate::fourier::{Bits, walsh_hadamard};
use crate::rng::Rng;

/// A coset with the transform of the answers on it.
#[derive(Clone, Debug)]
pub(super) struct Pilot {
    coset: Coset,
    bins: Vec<f64>,
}

impl Pilot {
    /// Asks a fresh coset of 2^m points.
    pub(super) fn ask(m: usize, asker: &mut Asker<'_>, rng: &mut Rng) -> Result<Self> {
        let coset = Coset::random(asker.n, m, rng);
        let bins = asker.transform(&coset)?;
        Ok(Self { coset, bins })
    }

    /// How many points it has.
    pub(super) fn len(&self) -> usize {
        self.bins.len()
    }

    /// Its bins, and the points' answers before the transform.
    pub(super) fn points_and_answers(&self) -> (Vec<Bits>, Vec<f64>) {
        let mut answers = self.bins.clone();
        walsh_hadamard(&mut answers);
        (self.coset.points(), answers)
    }

    /// Its bins, when `known` is subtracted from the function.
    pub(super) fn residual(&self, known: &[Known]) -> Vec<f64> {
        let mut bins = self.bins.clone();
        for Known { set, value, .. } in known {
            bins[self.coset.bin(set)] -= value * self.coset.sign(set);
        }
        bins
    }

    /// The coefficient of `set` in the function without all of `known` but `set` itself.
    pub(super) fn coefficient(&self, set: &Bits, known: &[Known]) -> f64 {
        let bin = self.coset.bin(set);
        let others = known.iter().filter(|k| k.set != *set && self.coset.bin(&k.set) == bin);
        let theirs: f64 = others.map(|k| k.value * self.coset.sign(&k.set)).sum();
        (self.bins[bin] - theirs) * self.coset.sign(set)
    }
}

/// Mean square of a residual's values at the points of its coset: the energy of its bins, by Parseval.
pub(super) fn energy(residual: &[f64]) -> f64 {
    residual.iter().map(|v| v * v).sum()
}

/// Mean fourth power of a residual's values at the points of its coset.
pub(super) fn fourth_power(residual: &[f64]) -> f64 {
    let mut values = residual.to_vec();
    walsh_hadamard(&mut values);
    values.iter().map(|v| v.powi(4)).sum::<f64>() / values.len() as f64
}

/// The middle of some numbers, the upper one of two.
pub(super) fn median(mut numbers: Vec<f64>) -> f64 {
    let half = numbers.len() / 2;
    *numbers.select_nth_unstable_by(half, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_a_residual_are_those_of_its_values() {
        // Values 1, 2, 3, −4 on four points: mean square 30/4, mean fourth power (1 + 16 + 81 + 256)/4.
        let mut bins = vec![1.0, 2.0, 3.0, -4.0];
        walsh_hadamard(&mut bins);
        bins.iter_mut().for_each(|v| *v /= 4.0);
        assert!((energy(&bins) - 7.5).abs() < 1e-12);
        assert!((fourth_power(&bins) - 88.5).abs() < 1e-12);
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-15);
    }
}
