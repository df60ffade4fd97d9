//! Estimators that sample answers.
mod kink_search;
mod sampled_mass;
mod sampled_moments;

pub use kink_search::KinkSearch;
pub use sampled_mass::SampledMass;
pub use sampled_moments::SampledMoments;
