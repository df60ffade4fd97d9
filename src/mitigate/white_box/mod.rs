//! Mitigators that read the weights.
mod affine_exact_ray;
mod consensus;
mod fine_prune;
mod fourier_advised;
mod fourier_pruned;

pub use affine_exact_ray::AffineExactRay;
pub use consensus::Consensus;
pub use fine_prune::FinePrune;
pub use fourier_advised::{
    Adviser, AdviserName, Desk, ExactTreeAdviser, FirstLayer, Flips, FourierAdvised,
    FourierOuterProduct, Given,
};
pub use fourier_pruned::FourierPruned;
