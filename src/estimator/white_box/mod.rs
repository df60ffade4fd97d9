//! Estimators that read the weights.
