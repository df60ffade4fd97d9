//! A table of hashed answers: one coset at every delay of a code, and the characters found so far subtracted.
use super::asker::Asker;
use super::code::{Code, Kind};
use super::{Coset, Known};
use crate::error::Result;
use crate::fourier::Bits;
use crate::rng::Rng;

/// The bins of one coset at every delay, bin by bin.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) kind: Kind,
    coset: Coset,
    n_delays: usize,
    values: Vec<f64>,
    /// Bins that changed since they were last looked at.
    pub(super) changed: Vec<bool>,
}

impl Table {
    /// Asks a fresh coset of 2^m points at every delay of `code`. All shifts are uniform: each is the common one, which
    /// is, times a delay.
    pub(super) fn ask(code: &Code, m: usize, asker: &mut Asker<'_>, rng: &mut Rng) -> Result<Self> {
        let coset = Coset::random(asker.n, m, rng);
        let (n_bins, n_delays) = (coset.len(), code.delays.len());
        let mut values = vec![0.0; n_bins * n_delays];
        for (d, delay) in code.delays.iter().enumerate() {
            for (j, value) in asker.transform(&coset.delayed(delay))?.into_iter().enumerate() {
                values[j * n_delays + d] = value;
            }
        }
        Ok(Self { kind: code.kind, coset, n_delays, values, changed: vec![true; n_bins] })
    }

    /// How many numbers it holds.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// How many bins it has.
    pub(super) fn n_bins(&self) -> usize {
        self.changed.len()
    }

    /// The bin that `set` falls into.
    pub(super) fn bin_of(&self, set: &Bits) -> usize {
        self.coset.bin(set)
    }

    /// The values of one bin, delay by delay.
    pub(super) fn bin(&self, j: usize) -> &[f64] {
        &self.values[j * self.n_delays..][..self.n_delays]
    }

    /// Mean square of a bin over the delays.
    pub(super) fn energy(&self, j: usize) -> f64 {
        self.bin(j).iter().map(|v| v * v).sum::<f64>() / self.n_delays as f64
    }

    /// Sum of all squares times the number of bins: by Parseval that over the number of values is the mean square at its
    /// points of what is not yet subtracted.
    pub(super) fn squares(&self) -> f64 {
        self.values.iter().map(|v| v * v).sum::<f64>() * self.n_bins() as f64
    }

    /// Variance of an answer's part that is spread over all bins: from the bin at the lower quartile, which those that still
    /// hold a character do not move.
    pub(super) fn noise2(&self) -> f64 {
        let mut energies: Vec<f64> = (0..self.n_bins()).map(|j| self.energy(j)).collect();
        let quarter = energies.len() / 4;
        *energies.select_nth_unstable_by(quarter, f64::total_cmp).1 * self.n_bins() as f64
    }

    /// The coefficient that a set with these signs has here, as far as it is not yet subtracted.
    pub(super) fn coefficient(&self, set: &Bits, signs: &[f64]) -> f64 {
        let sum: f64 = self.bin(self.bin_of(set)).iter().zip(signs).map(|(v, s)| v * s).sum();
        sum / self.n_delays as f64 * self.coset.sign(set)
    }

    /// Subtracts `value` times the character of a set with these signs.
    pub(super) fn subtract(&mut self, set: &Bits, signs: &[f64], value: f64) {
        let j = self.bin_of(set);
        let value = value * self.coset.sign(set);
        let bin = &mut self.values[j * self.n_delays..][..self.n_delays];
        bin.iter_mut().zip(signs).for_each(|(v, s)| *v -= value * s);
        self.changed[j] = true;
    }

    /// Subtracts all of a list.
    pub(super) fn subtract_all(&mut self, known: &[Known]) {
        known.iter().for_each(|k| self.subtract(&k.set, k.signs(self.kind), k.value));
    }
}
