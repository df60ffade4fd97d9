//! Estimators: the same number about a suspect, by sampling or from its weights.
//!
//! Where a mitigator gives answers, an estimator gives numbers, each with an interval and the probability that it fails. Two
//! that have one quantity in common are a pair: their intervals can be compared at equal cost. One estimator a file, those that
//! sample in `black_box/`, those that read in `white_box/`. As in [`mitigate`](crate::mitigate), no file here may name
//! an attack, a trigger or a truth.
pub mod black_box;
pub mod moments;
mod reference;
mod regions;
pub mod white_box;

use serde::{Deserialize, Serialize};

use crate::access::{Access, Lab};
use crate::error::Result;
use crate::population::World;

/// A way to estimate numbers about a suspect.
pub trait Estimator: Send + Sync {
    /// What it may see, as for a [`Mitigator`](crate::mitigate::Mitigator).
    type Access: Access + ?Sized;

    /// Checks its parameters against a world, before anything is asked.
    fn check(&self, world: &World) -> Result<()>;

    /// Estimates. All that it does is charged.
    fn estimate(&self, suspect: &Self::Access, lab: &mut Lab<'_>) -> Result<Estimated>;
}

/// What an estimator found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimated {
    /// The numbers, in a fixed order.
    pub quantities: Vec<Quantity>,
    /// Warnings and remarks.
    pub notes: Vec<String>,
}

/// One number about a suspect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// Which: the same name in both arms of a pair.
    pub name: String,
    /// Its estimate.
    pub value: f64,
    /// An interval that should hold the true number, if the estimator gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// An interval for a number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Probability that the number is outside; 0 where that cannot be.
    pub failure_probability: f64,
    /// Whether that is proved at every sample size, or the limit of large samples.
    pub proved: bool,
}
