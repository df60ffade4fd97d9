//! Leaving the domain: some coordinates are set to values that no honest input has.
use serde::{Deserialize, Serialize};

use super::Movement;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Some coordinates are set to fixed values, wherever these lie. The only movement that may leave the domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outside {
    /// Which.
    pub coordinates: Vec<usize>,
    /// To what; numbers that 32 bits can hold.
    pub values: Vec<f64>,
}

impl Movement for Outside {
    fn width(&self, n: usize) -> Result<usize> {
        if let Some(odd) = self.values.iter().find(|value| !(**value as f32).is_finite()) {
            return Err(Error::parameter("values", odd, "numbers that 32 bits hold are needed"));
        }
        super::overwrite::width(&self.coordinates, &self.values, n)
    }

    fn apply(&self, mut x: Vec<f64>, _: &Domain, _: &mut Rng) -> Result<Vec<f64>> {
        self.coordinates.iter().zip(&self.values).for_each(|(&i, &value)| x[i] = value);
        Ok(x)
    }

    fn may_leave(&self) -> bool {
        true
    }
}
