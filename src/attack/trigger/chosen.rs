//! No movement: inputs that fire as they are, picked by a zigzag along a secret direction.
use serde::{Deserialize, Serialize};

use super::super::ripple::{Zigzag, check_tents};
use super::Movement;
use crate::domain::Domain;
use crate::error::Result;
use crate::net::Precision;
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
        // A key from a file may ask for any number of them.
        check_tents(self.zigzag.tents, Precision::F64)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_more_tents_than_numbers_carry_is_refused_and_not_computed() {
        let zigzag = Zigzag { direction: vec![1.0], low: 0.0, high: 1.0, tents: usize::MAX };
        let chosen = Chosen { zigzag, threshold: 0.5, full: 0.6 };
        assert!(chosen.width(1).unwrap_err().to_string().contains("1 to 48"));
    }
}
