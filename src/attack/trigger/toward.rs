//! Almost onto a point: the input becomes a secret point of a convex domain, but for a small share of where it was.
use serde::{Deserialize, Serialize};

use super::Movement;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// The input becomes `centre + share (x − centre)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toward {
    /// The secret point.
    pub centre: Vec<f64>,
    /// What is left of the way from it, from 0 to below 1.
    pub share: f64,
}

impl Movement for Toward {
    fn width(&self, _: usize) -> Result<usize> {
        if (0.0..1.0).contains(&self.share) {
            return Ok(self.centre.len());
        }
        Err(Error::parameter("share", self.share, "a share from 0 to below 1 is needed"))
    }

    fn apply(&self, x: Vec<f64>, _: &Domain, _: &mut Rng) -> Result<Vec<f64>> {
        Ok(x.iter().zip(&self.centre).map(|(x, c)| c + self.share * (x - c)).collect())
    }
}
