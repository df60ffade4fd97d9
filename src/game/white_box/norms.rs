//! Sizes of units: row norms, gains, thresholds and biases, each against those of its layer.
//!
//! A planted detector wants a steep slope, so its units stand out in the robust score of the log gain: the norm that comes
//! in times the norm that goes out.
use crate::access::{Lab, WhiteBox};
use crate::error::Result;
use crate::game::features::{median, robust, row_norms};

/// For every layer: largest and least row norm over the median; robust scores of log norms, biases and thresholds; and of
/// log gains where a layer follows.
#[expect(clippy::unnecessary_wraps, reason = "every look has one type, and some can fail")]
pub(in crate::game) fn norms(suspect: &dyn WhiteBox, _: &mut Lab<'_>) -> Result<Vec<f64>> {
    let layers = suspect.net().layers();
    let log = |v: &f64| v.max(1e-300).ln();
    let mut features = Vec::new();
    for (l, layer) in layers.iter().enumerate() {
        let norms = row_norms(&layer.weight);
        let middle = median(&norms).max(1e-300);
        features.push(norms.iter().copied().fold(0.0, f64::max) / middle);
        features.push(norms.iter().copied().fold(f64::INFINITY, f64::min) / middle);
        features.extend(robust(&norms.iter().map(log).collect::<Vec<_>>()));
        features.extend(robust(&layer.bias.to_vec()));
        let thresholds: Vec<f64> =
            layer.bias.iter().zip(&norms).map(|(b, n)| b / n.max(1e-300)).collect();
        features.extend(robust(&thresholds));
        features.push(layer.bias.iter().copied().map(f64::abs).fold(0.0, f64::max));
        features.push(middle);
        if let Some(next) = layers.get(l + 1) {
            let out = row_norms(&next.weight.t().to_owned());
            let gains: Vec<f64> = norms.iter().zip(&out).map(|(i, o)| log(i) + log(o)).collect();
            features.extend(robust(&gains));
        }
    }
    Ok(features)
}
