//! A fixed step: the input is scaled and moved by the same secret vector wherever it is. In a range, its ends cut it off.
use serde::{Deserialize, Serialize};

use super::Movement;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// The input becomes `keep x + by`; in a range, cut off at its ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// What it is moved by.
    pub by: Vec<f64>,
    /// What is left of the input, above 0 and at most 1.
    pub keep: f64,
}

impl Movement for Shift {
    fn width(&self, _: usize) -> Result<usize> {
        if !(self.keep > 0.0 && self.keep <= 1.0) {
            let want = "a number above 0 and at most 1 is needed";
            return Err(Error::parameter("keep", self.keep, want));
        }
        match self.by.iter().find(|by| !by.is_finite()) {
            Some(by) => Err(Error::parameter("by", by, "finite numbers are needed")),
            None => Ok(self.by.len()),
        }
    }

    fn apply(&self, x: Vec<f64>, domain: &Domain, _: &mut Rng) -> Result<Vec<f64>> {
        let moved = x.iter().zip(&self.by).map(|(x, by)| self.keep * x + by);
        Ok(match *domain {
            Domain::Range { low, high, .. } => moved.map(|x| x.max(low).min(high)).collect(),
            _ => moved.collect(),
        })
    }
}
