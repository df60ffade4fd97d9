//! Estimators that read the weights.
mod certified_mass;
mod propagated_moments;
mod region_size;

pub use certified_mass::{Certified, CertifiedMass, Search, Step};
pub use propagated_moments::PropagatedMoments;
pub use region_size::RegionSize;
