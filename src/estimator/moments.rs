//! What the pair of moment estimators has in common: which numbers they are about, by name.
//!
//! For outputs f and inputs x as the domain spreads them: E f; with `slopes` also E f₀ xᵢ, whose value over E xᵢ² is the best linear
//! coefficient of the answer; with `threshold` the mass where f₀ > t, which is how often a planted offset fires.
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Which moments are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// Also the means of output 0 times each input.
    pub slopes: bool,
    /// Also the mass where output 0 is above this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

impl Wanted {
    pub(super) fn check(self) -> Result<()> {
        match self.threshold {
            Some(t) if !t.is_finite() => {
                Err(Error::parameter("threshold", t, "a finite number is needed"))
            }
            _ => Ok(()),
        }
    }
}

/// The name of the mean of output k.
pub(super) fn mean(k: usize) -> String {
    format!("mean of output {k}")
}

/// The name of the mean of output 0 times input i.
pub(super) fn slope(i: usize) -> String {
    format!("mean of output 0 times input {i}")
}

/// The name of the mass above t.
pub(super) fn above(t: f64) -> String {
    format!("mass of output 0 above {t}")
}
