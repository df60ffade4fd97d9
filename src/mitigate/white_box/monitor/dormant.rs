//! s10: what units that sleep on clean inputs contribute.
//!
//! This project's own, on the premise of Liu et al. 2018 (Fine-Pruning): Σ |`v_k`| |`a_k`| over hidden units k that fire (a ≠ 0) on at most 1%
//! of the clean samples, |`v_k`| the length of their outgoing weights. Defeated by detectors of units that clean inputs wake. Fit: F a sample, a comparison a
//! sample and unit, 2 a weight behind hidden layers and a root a unit. An input: F, and 3 a sleeping unit.
use super::{Monitor, hidden};
use crate::data::Batch;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::net::Net;

/// The share of clean samples on which a sleeping unit may fire.
const RATE: f64 = 0.01;

/// The sleeping units.
pub(in crate::mitigate::white_box) struct Dormant<'a> {
    net: &'a Net,
    /// Layer, unit, length of its outgoing weights.
    asleep: Vec<(usize, usize, f64)>,
}

impl<'a> Dormant<'a> {
    pub(in crate::mitigate::white_box) fn fit(
        net: &'a Net,
        xs: &Batch,
        ledger: &Ledger,
    ) -> Result<Self> {
        let mut asleep = Vec::new();
        for (number, acts) in hidden(net, xs, ledger)?.iter().enumerate() {
            let out = &net.layers()[number + 1].weight;
            ledger.flops((acts.len() + 2 * out.len() + acts.ncols()) as u64)?;
            for (unit, acts) in acts.columns().into_iter().enumerate() {
                let fires = acts.iter().filter(|a| **a != 0.0).count();
                if fires as f64 <= RATE * xs.nrows() as f64 {
                    let length = out.column(unit).iter().map(|w| w * w).sum::<f64>().sqrt();
                    asleep.push((number, unit, length));
                }
            }
        }
        Ok(Self { net, asleep })
    }
}

impl Monitor for Dormant<'_> {
    fn score(&self, x: &Batch, ledger: &Ledger) -> Result<f64> {
        let acts = hidden(self.net, x, ledger)?;
        ledger.flops(3 * self.asleep.len() as u64)?;
        Ok(self.asleep.iter().map(|(layer, unit, v)| v * acts[*layer][[0, *unit]].abs()).sum())
    }

    fn note(&self) -> Option<String> {
        let none = "no unit sleeps on clean inputs: all suspicions are 0, and rejection is by coin";
        self.asleep.is_empty().then(|| none.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::super::tests::net;
    use super::*;
    use crate::ledger::Budget;

    #[test]
    fn a_sleeping_unit_counts_by_its_weight_and_one_that_is_awake_does_not() {
        let (net, ledger) = (net(), Ledger::new(Budget::UNLIMITED));
        let fit = Dormant::fit(&net, &array![[1.0, 0.0], [2.0, 0.5]], &ledger).unwrap();
        assert_eq!(ledger.spent().flops, 2 * 12 + 4 + 4 + 2);
        assert!((fit.score(&array![[9.0, 4.0]], &ledger).unwrap() - 6.0).abs() < 1e-12);
        assert_eq!(ledger.spent().flops, 34 + 12 + 3);
        // It loses where a clean input wakes the unit.
        let awake = Dormant::fit(&net, &array![[1.0, 0.0], [2.0, 1.5]], &ledger).unwrap();
        assert!((awake.score(&array![[9.0, 4.0]], &ledger).unwrap() - 0.0).abs() < 1e-12);
        assert!(awake.note().is_some() && fit.note().is_none());
    }
}
