//! Spectra of the layers against the law of Marchenko and Pastur (1967).
//!
//! If the m rows of a layer are independent with covariance σ² I in n dimensions, the largest eigenvalue of `WᵀW` / (m σ²)
//! tends to (1 + √(n/m))². Spiked by a factor 1 + θ in one direction it leaves that edge once θ > √(n/m) (Baik, Ben Arous,
//! Péché 2005): below, the spectrum alone tells nothing in the limit.
use ndarray::Array2;

use crate::access::{Lab, WhiteBox};
use crate::error::Result;
use crate::game::features::leading;

/// For every layer: the largest eigenvalue over the edge, the gap to the next, the least over its edge, the scale σ.
pub(in crate::game) fn spectra(suspect: &dyn WhiteBox, lab: &mut Lab<'_>) -> Result<Vec<f64>> {
    let mut features = Vec::new();
    for layer in suspect.net().layers() {
        let (m, n) = layer.weight.dim();
        let gram = if m < n {
            layer.weight.dot(&layer.weight.t())
        } else {
            layer.weight.t().dot(&layer.weight)
        };
        let side = gram.nrows();
        lab.ledger.flops(2 * (m * n * side + 4 * 200 * side * side) as u64)?;
        let square = gram.diag().sum() / (m * n) as f64;
        let scale = (square * m as f64).max(1e-300);
        let mut rng = lab.seed.stream("spectra");
        let top = leading(&gram, 2, &mut rng);
        let edge = (1.0 + (n as f64 / m as f64).sqrt()).powi(2);
        let first = top[0].0;
        features.push(first / scale / edge);
        features.push(top.get(1).map_or(1.0, |second| first / second.0.max(1e-300 * first)));
        // The least eigenvalue is the largest of what is left below a bound.
        let turned = Array2::eye(side) * first - &gram;
        let least = first - leading(&turned, 1, &mut rng)[0].0;
        let low = (m as f64).sqrt() - (n as f64).sqrt();
        features.push(least.max(0.0) / (square * low * low).max(1e-300 + 1e-6 * scale));
        features.push(square.sqrt());
    }
    Ok(features)
}
