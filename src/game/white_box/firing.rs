//! Units on public inputs: how often each fires, which never do, and which are copies of each other.
use crate::access::{Lab, WhiteBox};
use crate::error::Result;
use crate::game::features::{inputs, moments, row_norms};

/// For every hidden layer: the least and largest firing rate, the shares of units below 5% and above 95%, and the moments
/// of the rates. A detector of a rare event sleeps on almost all inputs.
pub(in crate::game) fn firing(suspect: &dyn WhiteBox, lab: &mut Lab<'_>) -> Result<Vec<f64>> {
    let xs = inputs(lab)?;
    let layers = suspect.net().activations(&xs, lab.ledger)?;
    let mut features = Vec::new();
    for layer in layers.iter().take(layers.len() - 1) {
        let n = layer.nrows() as f64;
        let rates: Vec<f64> = layer
            .columns()
            .into_iter()
            .map(|unit| unit.iter().filter(|a| **a > 0.0).count() as f64 / n)
            .collect();
        let share = |which: &dyn Fn(&f64) -> bool| {
            rates.iter().filter(|rate| which(rate)).count() as f64 / rates.len() as f64
        };
        features.push(rates.iter().copied().fold(1.0, f64::min));
        features.push(rates.iter().copied().fold(0.0, f64::max));
        features.extend([share(&|r| *r < 0.05), share(&|r| *r > 0.95), share(&|r| *r <= 0.0)]);
        features.extend(moments(&rates));
    }
    Ok(features)
}

/// For every layer: the largest cosine between two rows, the least, and the share of rows that are all but 0.
pub(in crate::game) fn duplicates(suspect: &dyn WhiteBox, lab: &mut Lab<'_>) -> Result<Vec<f64>> {
    let mut features = Vec::new();
    for layer in suspect.net().layers() {
        let norms = row_norms(&layer.weight);
        let (m, n) = layer.weight.dim();
        lab.ledger.flops(2 * (m * m * n) as u64)?;
        let products = layer.weight.dot(&layer.weight.t());
        let (mut least, mut most) = (0.0_f64, 0.0_f64);
        for i in 0..m {
            for j in 0..i {
                let cosine = products[[i, j]] / (norms[i] * norms[j]).max(1e-300);
                (least, most) = (least.min(cosine), most.max(cosine));
            }
        }
        let dead = norms.iter().filter(|norm| **norm < 1e-6).count();
        features.extend([most, least, dead as f64 / m as f64]);
    }
    Ok(features)
}
