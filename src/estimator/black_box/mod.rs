//! Estimators that sample answers.
mod sampled_mean;

pub use sampled_mean::SampledMean;
