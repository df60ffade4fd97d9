//! The weights themselves: widths, moments, variances of coordinates, and rows in a canonical order.
use ndarray::Axis;

use crate::access::{Lab, WhiteBox};
use crate::error::Result;
use crate::game::features::{self, median, row_norms, scales};

/// Whether a verifier stands beside the layers, and their widths: a net that has one, or is larger than its recipe says, gives
/// itself away by that.
#[expect(clippy::unnecessary_wraps, reason = "every look has one type, and some can fail")]
pub(in crate::game) fn shape(suspect: &dyn WhiteBox, _: &mut Lab<'_>) -> Result<Vec<f64>> {
    let mut features = vec![f64::from(u8::from(suspect.lock().is_some()))];
    features.extend(suspect.net().widths().into_iter().map(|width| width as f64));
    Ok(features)
}

/// For every layer: moments of weights and biases, the largest weight over the root mean square, and the variances of
/// coordinates, largest and least over the median: diagonal thresholding (Johnstone, Lu 2009), for a sparse spike.
#[expect(clippy::unnecessary_wraps, reason = "every look has one type, and some can fail")]
pub(in crate::game) fn moments(suspect: &dyn WhiteBox, _: &mut Lab<'_>) -> Result<Vec<f64>> {
    let mut found = Vec::new();
    for layer in suspect.net().layers() {
        let all: Vec<f64> = layer.weight.iter().copied().collect();
        let own = features::moments(&all);
        let square = (own[0] * own[0] + own[1] * own[1]).sqrt().max(1e-300);
        found.push(all.iter().map(|w| w.abs()).fold(0.0, f64::max) / square);
        found.extend(own);
        found.extend(features::moments(&layer.bias.to_vec()));
        let (_, deviations) = scales(&layer.weight);
        let middle = median(&deviations).max(1e-300);
        found.push(deviations.iter().copied().fold(0.0, f64::max) / middle);
        found.push(deviations.iter().copied().fold(f64::INFINITY, f64::min) / middle);
    }
    Ok(found)
}

/// All statistics of weights together, for a classifier that is trained on them.
pub(in crate::game) fn statistics(suspect: &dyn WhiteBox, lab: &mut Lab<'_>) -> Result<Vec<f64>> {
    let mut all = shape(suspect, lab)?;
    all.extend(super::norms(suspect, lab)?);
    all.extend(super::spectra(suspect, lab)?);
    all.extend(moments(suspect, lab)?);
    all.extend(super::firing(suspect, lab)?);
    all.extend(super::duplicates(suspect, lab)?);
    Ok(all)
}

/// Most numbers of a net that a classifier reads.
const MOST_NUMBERS: usize = 2048;

/// First-layer units with bias and outgoing norm, the longest rows first, as many as a classifier reads: units of a layer
/// have no order of their own, so this one makes them comparable from net to net.
#[expect(clippy::unnecessary_wraps, reason = "every look has one type, and some can fail")]
pub(in crate::game) fn rows(suspect: &dyn WhiteBox, _: &mut Lab<'_>) -> Result<Vec<f64>> {
    let layers = suspect.net().layers();
    let weight = &layers[0].weight;
    let norms = row_norms(weight);
    let mut order: Vec<usize> = (0..norms.len()).collect();
    order.sort_by(|&i, &j| norms[j].total_cmp(&norms[i]));
    order.truncate((MOST_NUMBERS / (weight.ncols() + 2)).max(1));
    let out = layers.get(1).map(|next| row_norms(&next.weight.t().to_owned()));
    let mut found = Vec::new();
    for unit in order {
        found.extend(weight.index_axis(Axis(0), unit).iter().copied().take(MOST_NUMBERS));
        found.push(layers[0].bias[unit]);
        found.push(out.as_ref().map_or(0.0, |out| out[unit]));
    }
    Ok(found)
}
