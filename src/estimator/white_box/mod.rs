//! Estimators that read the weights.
mod certified_mass;

pub use certified_mass::{Certified, CertifiedMass, Search, Step};
