//! Small nets that say how far an input is inside a region, for attacks that plant them.
//!
//! A region is `{x : Σ_j s_j relu(a_j·x + b_j) < limit}`: one `ReLU` unit for each j, and one linear sum. A ramp on top makes of
//! it a number between 0 and 1.
use ndarray::{Array1, Array2};

use crate::error::Result;
use crate::net::graft::then;
use crate::net::{Activation, Layer, Net, Precision};

/// The net with one output `sums · relu(weight x + bias)`.
pub(super) fn hinges(
    weight: Array2<f64>,
    bias: Vec<f64>,
    sums: &[f64],
    precision: Precision,
) -> Result<Net> {
    let n = sums.len();
    let units = Layer { weight, bias: Array1::from(bias), activation: Activation::Relu };
    let sum = Layer {
        weight: Array2::from_shape_fn((1, n), |(_, j)| sums[j]),
        bias: Array1::zeros(1),
        activation: Activation::Identity,
    };
    Net::new(vec![units, sum], precision)
}

/// `clip((t − start) / (full − start), 0, 1)` of the one output t of `level`, by two units: 0 up to `start`, 1 from `full`,
/// which may lie on either side of `start`.
pub(super) fn ramp(level: &Net, start: f64, full: f64) -> Result<Net> {
    let slope = (full - start).recip();
    let first = -slope * start;
    let pair = Layer {
        weight: Array2::from_elem((2, 1), slope),
        bias: Array1::from(vec![first, first - 1.0]),
        activation: Activation::Relu,
    };
    let difference = Layer {
        weight: Array2::from_shape_fn((1, 2), |(_, unit)| 1.0 - 2.0 * unit as f64),
        bias: Array1::zeros(1),
        activation: Activation::Identity,
    };
    then(level, &Net::new(vec![pair, difference], level.precision())?)
}
