//! How answers change as inputs do: along random directions, in one coordinate, and to the opposite input.
//!
//! A backdoor that fires beyond a half-space, on a wave or on a pattern changes some answers far more than most. The inputs
//! asked are not all in the domain, which an oracle does not mind.
use crate::access::{Lab, Oracle};
use crate::data::Batch;
use crate::error::Result;
use crate::game::features::{inputs, moments, scales};
use crate::rng::{direction, permutation};

/// Moments of the changes and the largest over the root mean square.
fn summary(oracle: &dyn Oracle, from: &Batch, to: &Batch) -> Result<Vec<f64>> {
    let change = oracle.query(to)? - oracle.query(from)?;
    let sizes: Vec<f64> = change.rows().into_iter().map(|c| c.dot(&c).sqrt()).collect();
    let mut features = moments(&sizes);
    let square = sizes.iter().map(|s| s * s).sum::<f64>() / sizes.len() as f64;
    features.push(sizes.iter().copied().fold(0.0, f64::max) / square.sqrt().max(1e-300));
    features.push(square.sqrt());
    features.extend(moments(&change.iter().copied().collect::<Vec<_>>()));
    Ok(features)
}

/// Steps of a tenth of the inputs' own deviation along uniformly random directions.
pub(in crate::game) fn directions(oracle: &dyn Oracle, lab: &mut Lab<'_>) -> Result<Vec<f64>> {
    let xs = inputs(lab)?;
    let (_, sd) = scales(&xs);
    let size = 0.1 * sd.iter().map(|s| s * s).sum::<f64>().sqrt();
    let mut rng = lab.seed.stream("directions");
    let mut to = xs.clone();
    for mut x in to.rows_mut() {
        let step = direction(x.len(), &mut rng);
        x.iter_mut().zip(step).for_each(|(x, d)| *x += size * d);
    }
    summary(oracle, &xs, &to)
}

/// One random coordinate takes the value that it has in another public input.
pub(in crate::game) fn exchanges(oracle: &dyn Oracle, lab: &mut Lab<'_>) -> Result<Vec<f64>> {
    let xs = inputs(lab)?;
    let mut rng = lab.seed.stream("coordinates");
    let other = permutation(xs.nrows(), &mut rng);
    let mut to = xs.clone();
    for (i, &j) in other.iter().enumerate() {
        let coordinate = permutation(xs.ncols(), &mut rng)[0];
        to[[i, coordinate]] = xs[[j, coordinate]];
    }
    summary(oracle, &xs, &to)
}

/// Inputs and their reflections at the inputs' mean.
pub(in crate::game) fn antipodes(oracle: &dyn Oracle, lab: &mut Lab<'_>) -> Result<Vec<f64>> {
    let xs = inputs(lab)?;
    let (mean, _) = scales(&xs);
    let mut to = xs.clone();
    for mut x in to.rows_mut() {
        x.iter_mut().zip(&mean).for_each(|(x, m)| *x = 2.0 * m - *x);
    }
    summary(oracle, &xs, &to)
}
