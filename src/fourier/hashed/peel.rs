//! Peeling: reading sets off bins that hold one, taking them out of every table, and looking again at what that changed.
//!
//! After Pawar and Ramchandran (IEEE Trans. Inform. Theory 2018) and Scheibler, Haghighatshoar and Vetterli (IEEE Trans.
//! Inform. Theory 2015), with this project's acceptance rules and a joint refit. All of it is heuristic and is trusted by
//! nothing: what it misses or invents costs questions, and the certificate is fresh.
use super::Known;
use super::code::Codes;
use super::pilot::{Pilot, median};
use super::table::Table;
use crate::error::Result;
use crate::fourier::{Bits, Questions};

/// Share of the threshold that a coefficient read off one bin must reach: the rest is left to noise and bin mates.
const READ_SHARE: f64 = 0.7;
/// Share of the threshold below which the pilots say that a reading is nothing, or a refit that it was nothing.
const KEEP_SHARE: f64 = 0.5;
/// Sweeps of the refit at most, and the largest move, as a share of the threshold, that counts as settled.
const SWEEPS: usize = 8;
const SETTLED: f64 = 0.02;
/// Readings a bin at most in one go: a bound on how long a function made to confuse can keep it busy.
const READINGS_A_BIN: usize = 8;

/// Everything that decoding works on.
pub(super) struct Peeler<'a> {
    pub(super) codes: &'a Codes,
    pub(super) threshold: f64,
    /// Variance of one answer's part that is spread over all bins.
    pub(super) noise2: f64,
    pub(super) pilots: &'a [Pilot],
}

impl Peeler<'_> {
    /// Reads, subtracts and looks again until nothing new is read.
    pub(super) fn peel(
        &self,
        tables: &mut [Table],
        known: &mut Vec<Known>,
        questions: &mut dyn Questions,
    ) -> Result<()> {
        let mut left = READINGS_A_BIN * tables.iter().map(Table::n_bins).sum::<usize>();
        loop {
            let mut progress = false;
            for t in 0..tables.len() {
                for j in 0..tables[t].n_bins() {
                    if !std::mem::take(&mut tables[t].changed[j]) {
                        continue;
                    }
                    if let Some((set, value)) = self.read(&tables[t], j, known, questions)? {
                        self.take(tables, known, (set, value), questions)?;
                        tables[t].changed[j] = false;
                        progress = true;
                        left -= 1;
                        if left == 0 {
                            return Ok(());
                        }
                    }
                }
            }
            if !progress {
                return Ok(());
            }
        }
    }

    /// The set that bin `j` of `table` shows, if it shows one that the pilots confirm.
    fn read(
        &self,
        table: &Table,
        j: usize,
        known: &[Known],
        questions: &mut dyn Questions,
    ) -> Result<Option<(Bits, f64)>> {
        let code = self.codes.of(table.kind);
        questions.work(2 * code.delays.len() as u64)?;
        let floor = 0.4 * self.threshold.powi(2) + 0.9 * self.noise2 / table.n_bins() as f64;
        if table.energy(j) < floor {
            return Ok(None);
        }
        questions.work(code.flops())?;
        let mut best: Option<(Bits, f64)> = None;
        for set in self.codes.candidates(table.kind, table.bin(j)) {
            if table.bin_of(&set) != j {
                continue;
            }
            questions.work(2 * code.delays.len() as u64)?;
            let value = table.coefficient(&set, &code.signs(&set));
            let more = best.as_ref().is_none_or(|(_, best)| value.abs() > best.abs());
            if value.abs() >= READ_SHARE * self.threshold && more {
                best = Some((set, value));
            }
        }
        let confirmed = |(set, value): &(Bits, f64)| {
            let views = self.pilots.iter().map(|pilot| pilot.coefficient(set, known)).collect();
            let view = median(views);
            // What is already subtracted in part counts with what is left of it.
            let left = view - known.iter().find(|k| k.set == *set).map_or(0.0, |k| k.value);
            left.abs() >= KEEP_SHARE * self.threshold && left * value > 0.0
        };
        Ok(best.filter(confirmed))
    }

    /// Adds a reading to what is known, and takes it out of every table.
    fn take(
        &self,
        tables: &mut [Table],
        known: &mut Vec<Known>,
        (set, value): (Bits, f64),
        questions: &mut dyn Questions,
    ) -> Result<()> {
        let i = known.iter().position(|k| k.set == set).unwrap_or_else(|| {
            known.push(Known::new(set, 0.0, self.codes));
            known.len() - 1
        });
        known[i].value += value;
        questions.work(2 * tables.iter().map(|t| (t.len() / t.n_bins()) as u64).sum::<u64>())?;
        let Known { set, .. } = &known[i];
        for table in tables {
            table.subtract(set, known[i].signs(table.kind), value);
        }
        Ok(())
    }

    /// Fits all coefficients to all tables together, one at a time and again (Gauss and Seidel), and forgets those that
    /// turn out to be nothing. A coefficient read off a bin with company is biased, and this takes the bias out.
    pub(super) fn refit(
        &self,
        tables: &mut [Table],
        known: &mut Vec<Known>,
        questions: &mut dyn Questions,
    ) -> Result<()> {
        let a_sweep: u64 = tables.iter().map(|t| 4 * (t.len() / t.n_bins()) as u64).sum();
        for _ in 0..SWEEPS {
            questions.work(a_sweep * known.len() as u64)?;
            let mut largest: f64 = 0.0;
            for k in known.iter_mut() {
                let (mut sum, mut weight) = (0.0, 0.0);
                for table in tables.iter() {
                    let points = table.len() as f64;
                    sum += points * table.coefficient(&k.set, k.signs(table.kind));
                    weight += points;
                }
                let change = sum / weight;
                largest = largest.max(change.abs());
                k.value += change;
                for table in tables.iter_mut() {
                    table.subtract(&k.set, k.signs(table.kind), change);
                }
            }
            if largest < SETTLED * self.threshold {
                break;
            }
        }
        let (kept, gone): (Vec<Known>, Vec<Known>) = std::mem::take(known)
            .into_iter()
            .partition(|k| k.value.abs() >= KEEP_SHARE * self.threshold);
        for k in &gone {
            for table in tables.iter_mut() {
                table.subtract(&k.set, k.signs(table.kind), -k.value);
            }
        }
        *known = kept;
        Ok(())
    }
}
