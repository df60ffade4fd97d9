//! Multi-layer perceptrons: what they are, how they are trained, stored and restricted to lines.
//!
//! The only place that does tensor work. Everything that computes on a net charges a [`Ledger`](crate::ledger::Ledger).
mod activation;
mod bounds;
mod candle;
pub mod compile;
mod exchange;
mod file;
mod fused;
pub mod graft;
mod kernel;
mod learner;
mod line;
mod lock;
mod mlp;
mod piece;
mod precision;
mod recipe;
mod stepper;
mod tape;
mod train;

pub use activation::Activation;
pub use bounds::{Bounder, Bounding, Bounds, InputBox, Interval};
pub use exchange::{Activations, Imported, import, sequential, state_dict};
pub use file::{ModelFile, Provenance};
pub use line::{Line, Piecewise};
pub use lock::{Layout, Lock, Verifier, seal, tagged};
pub use mlp::{Layer, Net};
pub use piece::piece_lengths;
pub use precision::Precision;
pub use recipe::{Device, EarlyStop, Loss, Optimizer, Recipe, Schedule, Trainer};
pub use stepper::{Stepper, loss_gradient};
pub use tape::{LayerSlopes, Slopes, Tape};
pub use train::{Epoch, Fit, Lesson, fit};
