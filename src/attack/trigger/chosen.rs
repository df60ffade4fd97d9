//! No movement: inputs that fire as they are, picked by a zigzag along a secret direction.
use serde::{Deserialize, Serialize};

use super::super::ripple::Zigzag;
use super::Movement;
use crate::domain::Domain;
use crate::error::Result;
use crate::rng::Rng;

/// No input is moved. Those fire at which a zigzag is above `threshold`, fully from `full` on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// What picks them: 0 to 1.
    pub zigzag: Zigzag,
    /// Above this the planted units begin to fire.
    pub threshold: f64,
    /// From here on they fire fully.
    pub full: f64,
}

impl Movement for Chosen {
    fn width(&self, _: usize) -> Result<usize> {
        Ok(self.zigzag.direction.len())
    }

    fn fires(&self, x: &[f64]) -> Option<bool> {
        Some(self.zigzag.at(x) > self.threshold)
    }

    fn takes(&self, x: &[f64]) -> bool {
        self.zigzag.at(x) >= self.full
    }

    fn apply(&self, x: Vec<f64>, _: &Domain, _: &mut Rng) -> Result<Vec<f64>> {
        Ok(x)
    }
}
