//! Mitigators that read the weights.
mod affine_exact_ray;
mod affine_gradient;
mod consensus;
mod fine_prune;

pub use affine_exact_ray::AffineExactRay;
pub use affine_gradient::AffineGradient;
pub use consensus::Consensus;
pub use fine_prune::FinePrune;
