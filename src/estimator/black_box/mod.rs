//! Estimators that sample answers.
mod sampled_mass;
mod sampled_moments;

pub use sampled_mass::SampledMass;
pub use sampled_moments::SampledMoments;
