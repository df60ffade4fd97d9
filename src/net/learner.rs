//! One optimiser step at a time: what the two trainers have in common.
use super::Net;
use crate::data::Labeled;
use crate::error::Result;

/// A net in training, with its data.
pub(super) trait Learner {
    /// One step on the rows numbered `rows` with step size `rate`; returns the loss before it.
    fn step(&mut self, rows: &[u32], rate: f64) -> Result<f64>;

    /// The loss on all of `data`, without a step.
    fn loss_on(&self, data: &Labeled) -> Result<f64>;

    /// The net as it is now.
    fn net(&self) -> Result<Net>;
}
