//! Bodies shrunken towards a point, and the shells between them, as `ReLU` units compute them.
use serde::{Deserialize, Serialize};

use super::dot;

/// A sum of bands in the gauge of a polytope K around a point p of its inside: the least r for which x is in p + r (K − p).
/// That gauge is the largest of `rows_j · x + starts_j`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gauge {
    /// One row a wall of K.
    pub rows: Vec<Vec<f64>>,
    /// One number a wall of K.
    pub starts: Vec<f64>,
    /// The bands, which are added.
    pub bands: Vec<Band>,
}

/// `sign · max(0, 1 − Σ_j relu(g_j − limit) / width)`: `sign` where no wall is passed, and 0 where the gauge is at least
/// `limit + width`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Up to this gauge it is whole.
    pub limit: f64,
    /// How far beyond it is gone.
    pub width: f64,
    /// +1 to add the shrunken body, −1 to take it away.
    pub sign: f64,
}

impl Gauge {
    /// The sum of the bands at `x`, 0 to 1 if they are nested.
    pub fn value(&self, x: &[f64]) -> f64 {
        let walls: Vec<f64> =
            self.rows.iter().zip(&self.starts).map(|(row, start)| dot(row, x) + start).collect();
        let band = |band: &Band| {
            let passed: f64 = walls.iter().map(|g| (g - band.limit).max(0.0)).sum();
            band.sign * (1.0 - passed / band.width).max(0.0)
        };
        self.bands.iter().map(band).sum()
    }
}
