//! s7: the squared Mahalanobis distance of hidden activations from those of clean samples, by width, the mean over layers.
//!
//! After Lee et al. 2018 (`NeurIPS`, section 2), without their classes; the covariance is shrunk (`mitigate/covariance.rs`). `relative`
//! takes off the same distance without correlations, so that only what is oddly *combined* counts. It assumes that a trigger moves activations far from
//! clean ones; defeated by a unit that is asleep elsewhere and next to its trigger (small-ball), which is one activation of many. Fit: F a sample, 2 N d² + 8d³/3 a
//! layer. An input: F, and 2d² + 3d + 2 a layer; `relative` 4d + 1 more.
use super::{Monitor, hidden};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::mitigate::covariance::Gaussian;
use crate::net::Net;

/// A normal law a hidden layer.
pub(in crate::mitigate::white_box) struct Mahalanobis<'a> {
    net: &'a Net,
    layers: Vec<Gaussian>,
    relative: bool,
}

impl<'a> Mahalanobis<'a> {
    pub(in crate::mitigate::white_box) fn fit(
        net: &'a Net,
        xs: &Batch,
        relative: bool,
        ledger: &Ledger,
    ) -> Result<Self> {
        let law = |acts: &Batch| {
            Gaussian::fit(acts, ledger)?.ok_or_else(|| {
                let why = "a hidden layer answers all clean samples alike, so nothing is unlike them by any measure";
                Error::assumption(super::METHOD, why)
            })
        };
        let layers = hidden(net, xs, ledger)?.iter().map(law).collect::<Result<_>>()?;
        Ok(Self { net, layers, relative })
    }
}

impl Monitor for Mahalanobis<'_> {
    fn score(&self, x: &Batch, ledger: &Ledger) -> Result<f64> {
        let acts = hidden(self.net, x, ledger)?;
        let mut sum = 0.0;
        for (law, acts) in self.layers.iter().zip(&acts) {
            let d = acts.ncols();
            let more = if self.relative { 4 * d as u64 + 1 } else { 0 };
            ledger.flops(Gaussian::flops(d) + 2 + more)?;
            let apart = if self.relative { law.distance_apart(&acts.row(0)) } else { 0.0 };
            sum += (law.distance(&acts.row(0)) - apart) / d as f64;
        }
        Ok(sum / self.layers.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::super::tests::net;
    use super::*;
    use crate::ledger::Budget;

    #[test]
    fn uncorrelated_activations_are_as_far_together_as_apart() {
        // Activations (1, 1), (3, 1), (1, 3), (3, 3): mean (2, 2), covariance the identity whatever the share. At (4, 3): 4 + 1 over 2.
        let xs = array![[1.0, 2.0], [3.0, 2.0], [1.0, 4.0], [3.0, 4.0]];
        let (net, ledger) = (net(), Ledger::new(Budget::UNLIMITED));
        let fit = Mahalanobis::fit(&net, &xs, false, &ledger).unwrap();
        // F = 12; 4·12 + 2·4·4 + ⌊64/3⌋.
        assert_eq!(ledger.spent().flops, 48 + 32 + 21);
        assert!((fit.score(&array![[4.0, 4.0]], &ledger).unwrap() - 2.5).abs() < 1e-12);
        assert_eq!(ledger.spent().flops, 101 + 12 + 14 + 2);
        let relative = Mahalanobis { relative: true, ..fit };
        assert!(relative.score(&array![[4.0, 4.0]], &ledger).unwrap().abs() < 1e-12);
        assert_eq!(ledger.spent().flops, 129 + 12 + 16 + 9);
    }
}
