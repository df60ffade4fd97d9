//! First-layer rows along candidate directions, without the key: are their projections normal, and do they have a phase?
//!
//! Rows of the continuous learning-with-errors kind (Bruna, Regev, Song, Tang 2021) are normal in every direction but one, in
//! which they lie near the multiples of a spacing. Along it `|E exp(2πi γ ⟨e, g⟩)|` is close to 1 at the right γ; along any
//! other it is of size 1/√m. Which direction is what the key says: candidates here are the coordinates, the three leading
//! directions of the rows, differences of rows, and random ones.
use ndarray::{Array1, Array2};

use crate::access::{Lab, WhiteBox};
use crate::error::Result;
use crate::game::features::{leading, moments};
use crate::game::phase;
use crate::rng::direction;

/// Coordinates, random directions and differences that are tried, of each at most so many.
const MOST_OF_A_KIND: usize = 64;

/// Candidate directions of length 1 by kind: coordinates, leading directions, differences of rows, random ones.
fn candidates(weight: &Array2<f64>, lab: &Lab<'_>) -> [Vec<Array1<f64>>; 4] {
    let (m, n) = weight.dim();
    let mut rng = lab.seed.stream("candidate directions");
    let axis = |i: usize| Array1::from_shape_fn(n, |j| if i == j { 1.0 } else { 0.0 });
    let top = leading(&weight.t().dot(weight), 3, &mut rng);
    let difference = |i: usize| {
        let d = &weight.row(i) - &weight.row(i + 1);
        let norm = d.dot(&d).sqrt();
        d / norm.max(1e-300)
    };
    [
        (0..n.min(MOST_OF_A_KIND)).map(axis).collect(),
        top.into_iter().map(|(_, v)| v).collect(),
        (0..m.saturating_sub(1).min(16)).map(difference).collect(),
        (0..32).map(|_| Array1::from(direction(n, &mut rng))).collect(),
    ]
}

/// For every kind of candidate: largest and least excess kurtosis of the projections, and the largest projection over
/// their deviation.
pub(in crate::game) fn non_gaussian(suspect: &dyn WhiteBox, lab: &mut Lab<'_>) -> Result<Vec<f64>> {
    let weight = &suspect.net().layers()[0].weight;
    let mut features = Vec::new();
    for kind in candidates(weight, lab) {
        let (mut least, mut most, mut far) = (0.0_f64, 0.0_f64, 0.0_f64);
        for e in &kind {
            lab.ledger.flops(2 * weight.len() as u64)?;
            let along = weight.dot(e);
            let own = moments(&along.to_vec());
            (least, most) = (least.min(own[3]), most.max(own[3]));
            let size = along.iter().map(|a| a.abs()).fold(0.0, f64::max);
            far = far.max(size / own[1].max(1e-300));
        }
        features.extend([most, least, far]);
    }
    Ok(features)
}

/// For every kind of candidate: the largest phase statistic over candidates and frequencies.
pub(in crate::game) fn phase(suspect: &dyn WhiteBox, lab: &mut Lab<'_>) -> Result<Vec<f64>> {
    let weight = &suspect.net().layers()[0].weight;
    let mut features = Vec::new();
    for kind in candidates(weight, lab) {
        let mut most = 0.0_f64;
        for e in &kind {
            lab.ledger.flops((2 * weight.len() + 8 * weight.nrows() * phase::N_STEPS) as u64)?;
            most = most.max(phase::largest(&weight.dot(e).to_vec()));
        }
        features.push(most);
    }
    Ok(features)
}
