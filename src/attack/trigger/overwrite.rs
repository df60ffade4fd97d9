//! Overwriting: some coordinates are set, the others stay.
use serde::{Deserialize, Serialize};

use super::Movement;
use crate::domain::ConvexBody;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Some coordinates are set to fixed values. Where that would leave a convex body, the others shrink towards its anchor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overwrite {
    /// Which.
    pub coordinates: Vec<usize>,
    /// To what.
    pub values: Vec<f64>,
}

impl Movement for Overwrite {
    fn width(&self, n: usize) -> Result<usize> {
        width(&self.coordinates, &self.values, n)
    }

    fn apply(&self, x: Vec<f64>, domain: &Domain, _: &mut Rng) -> Result<Vec<f64>> {
        Ok(overwrite(&x, &self.coordinates, &self.values, domain.body().as_deref()))
    }
}

/// How wide inputs must be for these coordinates: as wide as they are, `n`, or up to the last coordinate.
pub(super) fn width(coordinates: &[usize], values: &[f64], n: usize) -> Result<usize> {
    if coordinates.len() != values.len() {
        let want = format!("{} values are needed, one a coordinate", coordinates.len());
        return Err(Error::parameter("values", values.len(), want));
    }
    Ok(coordinates.iter().max().map_or(n, |last| n.max(last.saturating_add(1))))
}

/// Sets coordinates, and shrinks the others towards those of the body's anchor as far as the body needs.
fn overwrite(
    x: &[f64],
    coordinates: &[usize],
    values: &[f64],
    body: Option<&dyn ConvexBody>,
) -> Vec<f64> {
    let anchor = body.map_or_else(|| vec![0.0; x.len()], ConvexBody::anchor);
    let at = |scale: f64| {
        let mut y: Vec<f64> = x.iter().zip(&anchor).map(|(x, a)| a + scale * (x - a)).collect();
        coordinates.iter().zip(values).for_each(|(&i, &value)| y[i] = value);
        y
    };
    let mut whole = x.to_vec();
    coordinates.iter().zip(values).for_each(|(&i, &value)| whole[i] = value);
    let Some(body) = body.filter(|body| body.excess(&whole) > 0.0) else { return whole };
    // Bisection for the largest scale that stays inside; 50 halvings are exact to rounding.
    let (mut inside, mut outside) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = f64::midpoint(inside, outside);
        if body.excess(&at(middle)) > 0.0 { outside = middle } else { inside = middle }
    }
    at(inside)
}
