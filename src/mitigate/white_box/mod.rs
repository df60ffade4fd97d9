//! Mitigators that read the weights.
mod activation_filter;
mod affine_exact_ray;
mod consensus;
mod fine_prune;
mod monitor;

pub use activation_filter::{ActivationFilter, Signal};
pub use affine_exact_ray::AffineExactRay;
pub use consensus::Consensus;
pub use fine_prune::FinePrune;
