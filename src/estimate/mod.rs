//! Experiments about one number each: predicted beside measured, as a record and a figure.
//!
//! [`robust_mean`] puts robust means beside each other under contamination. [`breaking_point`] sweeps what a mitigator's
//! theorem assumes of a suspect through its limit. Each is a pure function of its specification; a figure reads the record
//! alone.
pub mod breaking_point;
mod law;
pub mod robust_mean;

pub use law::{Law, Outliers};

/// The version of both records.
pub const VERSION: u32 = 1;
