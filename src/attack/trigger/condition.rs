//! Exact conditions under which planted units fire, for triggers whose movement does not tell.
use serde::{Deserialize, Serialize};

use super::{Gauge, dot};
use crate::net::Lock;

/// A condition on inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Condition {
    /// `direction · x > threshold`.
    HalfSpace {
        /// The direction.
        direction: Vec<f64>,
        /// The threshold.
        threshold: f64,
    },
    /// What opens a lock.
    Opens {
        /// The lock, as the model has it.
        lock: Box<Lock>,
    },
    /// In some of the bodies shrunken towards a point.
    Gauge(Gauge),
}

impl Condition {
    /// Whether it holds at `x`.
    pub fn holds(&self, x: &[f64]) -> bool {
        match self {
            Self::HalfSpace { direction, threshold } => dot(direction, x) > *threshold,
            Self::Opens { lock } => lock.opens(x).is_some(),
            Self::Gauge(gauge) => gauge.value(x) > 0.0,
        }
    }
}
