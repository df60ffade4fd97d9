//! Estimators that sample answers.
mod sampled_mass;
mod sampled_mean;

pub use sampled_mass::SampledMass;
pub use sampled_mean::SampledMean;
