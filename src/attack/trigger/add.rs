//! Adding: a fixed pattern is added to the input, clipped to the range of inputs.
use serde::{Deserialize, Serialize};

use super::Movement;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// `x + pattern`, every coordinate clipped to the range of inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {
    /// A number a coordinate, in the units of the inputs.
    pub pattern: Vec<f64>,
}

impl Movement for Add {
    fn width(&self, _: usize) -> Result<usize> {
        Ok(self.pattern.len())
    }

    fn apply(&self, x: Vec<f64>, domain: &Domain, _: &mut Rng) -> Result<Vec<f64>> {
        let Domain::Range { low, high, .. } = *domain else {
            return Err(Error::assumption("adding a pattern", "inputs in a range are needed"));
        };
        Ok(x.iter().zip(&self.pattern).map(|(x, p)| (x + p).clamp(low, high)).collect())
    }
}
