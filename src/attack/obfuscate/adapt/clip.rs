//! Statistics of weights, clipped to the range of the clean twin's.
//!
//! [`units`] keeps, for every unit of every hidden layer, the norm |w| of its incoming weights, its gain |w| |v| with the
//! outgoing weights v, and its threshold −b / |w| within what units of the same layer of the clean twin have: at most the
//! largest norm and gain, and thresholds between the least and the largest. [`singular_values`] keeps the largest singular
//! value of every weight matrix at most that of the twin's. Norms of `ReLU` units are first shifted from incoming to outgoing
//! weights, which changes nothing; what is still out of range is cut off, which does. A layer that the twin does not have is
//! left as it is.
use ndarray::{Array1, Array2};

use crate::attack::obfuscate::split::{gains, norm};
use crate::error::Result;
use crate::net::{Activation, Layer, Net};
use crate::rng::{Seed, direction};

/// `net` with every unit in `slack` times the range of the units of `twin`.
pub(super) fn units(net: &Net, twin: &Net, slack: f64) -> Result<Net> {
    let mut layers = net.layers().to_vec();
    for number in 0..layers.len() - 1 {
        if number + 1 >= twin.layers().len() {
            break;
        }
        limit_norms(&mut layers, number, twin, slack);
        let (least, largest) = range(thresholds(&twin.layers()[number]));
        // A twin all of whose units are without weights has no thresholds.
        if least <= largest {
            let (middle, reach) = (f64::midpoint(least, largest), 0.5 * slack * (largest - least));
            let layer = &mut layers[number];
            for (bias, w) in layer.bias.iter_mut().zip(layer.weight.rows()) {
                let norm = norm(&w);
                *bias = bias.clamp(-norm * (middle + reach), -norm * (middle - reach));
            }
        }
        let (_, most) = range(gains(twin.layers(), number).to_vec());
        let now = gains(&layers, number);
        for (unit, gain) in now.iter().enumerate().filter(|(_, gain)| **gain > slack * most) {
            let factor = slack * most / gain;
            layers[number + 1].weight.column_mut(unit).mapv_inplace(|v| factor * v);
        }
    }
    Net::new(layers, net.precision())
}

/// `net` with no singular value above `slack` times the largest of the same layer of `twin`.
pub(super) fn singular_values(net: &Net, twin: &Net, slack: f64, seed: Seed) -> Result<Net> {
    let mut layers = net.layers().to_vec();
    for number in 0..layers.len().min(twin.layers().len()) {
        if number + 1 < layers.len() {
            limit_norms(&mut layers, number, twin, slack);
        }
        let most = slack * top(&twin.layers()[number].weight, seed).0;
        let weight = &mut layers[number].weight;
        // One after another; there are no more than the smaller side has.
        for _ in 0..weight.nrows().min(weight.ncols()) {
            let (value, left, right) = top(weight, seed);
            if value <= most {
                break;
            }
            let over = value - most;
            *weight -= &Array2::from_shape_fn(weight.dim(), |(i, j)| over * left[i] * right[j]);
        }
        // Values close to one another converge slowly: what is left above is taken from all.
        let (value, ..) = top(weight, seed);
        if value > most {
            weight.mapv_inplace(|w| w * most / value);
        }
    }
    Net::new(layers, net.precision())
}

/// Shifts norms above `slack` times the twin's largest out of the incoming weights: for `ReLU` into the outgoing ones.
fn limit_norms(layers: &mut [Layer], number: usize, twin: &Net, slack: f64) {
    let norms = twin.layers()[number].weight.rows().into_iter().map(|row| norm(&row));
    let most = slack * norms.fold(0.0, f64::max);
    for unit in 0..layers[number].bias.len() {
        let now = norm(&layers[number].weight.row(unit));
        if now <= most {
            continue;
        }
        let factor = most / now;
        layers[number].weight.row_mut(unit).mapv_inplace(|w| factor * w);
        if matches!(layers[number].activation, Activation::Relu | Activation::Identity) {
            layers[number].bias[unit] *= factor;
            layers[number + 1].weight.column_mut(unit).mapv_inplace(|v| v / factor);
        }
    }
}

/// −b / |w| of every unit that has weights.
fn thresholds(layer: &Layer) -> Vec<f64> {
    let units = layer.weight.rows().into_iter().zip(&layer.bias);
    units
        .map(|(w, b)| (norm(&w), b))
        .filter(|(norm, _)| *norm > 0.0)
        .map(|(norm, b)| -b / norm)
        .collect()
}

/// The largest singular value with its vectors, left and right: 100 steps of the power method from a fixed start.
fn top(weight: &Array2<f64>, seed: Seed) -> (f64, Array1<f64>, Array1<f64>) {
    const STEPS: usize = 100;
    let mut right = Array1::from(direction(weight.ncols(), &mut seed.stream("power method")));
    let mut left = weight.dot(&right);
    for _ in 0..STEPS {
        let back = left.dot(weight);
        let size = norm(&back.view());
        if size <= 0.0 {
            break;
        }
        right = back / size;
        left = weight.dot(&right);
    }
    let value = norm(&left.view());
    if value > 0.0 {
        left /= value;
    }
    (value, left, right)
}

fn range(values: Vec<f64>) -> (f64, f64) {
    let ends = (f64::INFINITY, f64::NEG_INFINITY);
    values.into_iter().fold(ends, |(least, most), v| (least.min(v), most.max(v)))
}
