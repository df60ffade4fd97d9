//! Mitigators that read the weights.
mod affine_exact_ray;
mod consensus;
mod fine_prune;

pub use affine_exact_ray::AffineExactRay;
pub use consensus::Consensus;
pub use fine_prune::FinePrune;
