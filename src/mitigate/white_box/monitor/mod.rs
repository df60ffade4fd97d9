//! Scores of how unlike clean inputs an input moves a net: fitted on clean samples, then a function of one row.
mod beatrix;
mod dormant;
mod finetune_kl;
mod input_gradient;
mod mahalanobis;
mod region_size;

pub(super) use beatrix::Beatrix;
pub(super) use dormant::Dormant;
pub(super) use finetune_kl::FinetuneKl;
pub(super) use input_gradient::InputGradient;
pub(super) use mahalanobis::Mahalanobis;
pub(super) use region_size::RegionSize;

use crate::data::Batch;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::net::Net;

/// The name in errors.
const METHOD: &str = "activation-filter";

/// A fitted score.
pub(super) trait Monitor: Send + Sync {
    /// The suspicion of the one row of `x`, charged.
    fn score(&self, x: &Batch, ledger: &Ledger) -> Result<f64>;

    /// What a user has to know of this fit.
    fn note(&self) -> Option<String> {
        None
    }
}

/// Activations of the hidden layers for each row of `xs`. Charges F a row.
fn hidden(net: &Net, xs: &Batch, ledger: &Ledger) -> Result<Vec<Batch>> {
    if net.layers().len() < 2 {
        return Err(Error::assumption(
            METHOD,
            "the net has no hidden layer, which this score reads",
        ));
    }
    let mut all = net.activations(xs, ledger)?;
    all.pop();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use crate::net::{Activation, Layer, Net, Precision};

    /// Inputs (a, b), hidden relu(a), relu(b − 1), one answer: their sum, the second twice.
    pub(super) fn net() -> Net {
        let layer = |weight, bias, activation| Layer { weight, bias, activation };
        let layers = vec![
            layer(array![[1.0, 0.0], [0.0, 1.0]], array![0.0, -1.0], Activation::Relu),
            layer(array![[1.0, 2.0]], array![0.0], Activation::Identity),
        ];
        Net::new(layers, Precision::F64).unwrap()
    }
}
