//! Mitigators that read the weights.
mod affine_exact_ray;
mod anp;
mod clp;
mod consensus;
mod fine_prune;
mod i_bau;
mod masks;
mod rnp;
mod shift;

pub use affine_exact_ray::AffineExactRay;
pub use anp::Anp;
pub use clp::{Clp, Rule, Statistic};
pub use consensus::Consensus;
pub use fine_prune::FinePrune;
pub use i_bau::IBau;
pub use rnp::Rnp;
