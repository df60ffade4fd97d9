//! The law of the answers on public inputs: moments of each output, and how often each class is decided for.
use crate::access::{Lab, Oracle};
use crate::error::Result;
use crate::game::features::{inputs, moments};

/// Mean, deviation, skewness, kurtosis and extremes of the answers, pooled over outputs; then the share of each decision.
pub(in crate::game) fn answers(oracle: &dyn Oracle, lab: &mut Lab<'_>) -> Result<Vec<f64>> {
    let xs = inputs(lab)?;
    let ys = oracle.query(&xs)?;
    let all: Vec<f64> = ys.iter().copied().collect();
    let mut features = moments(&all);
    features.push(all.iter().copied().fold(f64::INFINITY, f64::min));
    features.push(all.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    let decided: Vec<Option<usize>> =
        ys.rows().into_iter().map(|y| lab.world.target.decide(&y.to_vec())).collect();
    for class in 0..lab.world.target.n_classes().unwrap_or(0) {
        let n = decided.iter().filter(|d| **d == Some(class)).count();
        features.push(n as f64 / ys.nrows() as f64);
    }
    Ok(features)
}
