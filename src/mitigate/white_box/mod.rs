//! Mitigators that read the weights.
mod affine_exact_ray;
mod consensus;
mod exact_rays;
mod fine_prune;
mod ray_fit;

pub use affine_exact_ray::AffineExactRay;
pub use consensus::Consensus;
pub use fine_prune::FinePrune;
pub use ray_fit::LineFit;
