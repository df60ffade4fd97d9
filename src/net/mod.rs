//! Multi-layer perceptrons: what they are, how they are trained, stored and restricted to lines.
//!
//! The only place that does tensor work. Everything that computes on a net charges a [`Ledger`](crate::ledger::Ledger).
mod activation;
mod candle;
pub mod compile;
mod file;
mod line;
mod mlp;
mod recipe;
mod train;

pub use activation::Activation;
pub use file::{ModelFile, Provenance};
pub use line::{Line, Piecewise};
pub use mlp::{Layer, Net, Precision};
pub use recipe::{EarlyStop, Loss, Optimizer, Recipe, Schedule};
pub use train::{Epoch, Fit, Lesson, fit};
