//! How far labels lie from the truth: the exact (ε, δ)-closeness of a population to its class.
use serde::{Deserialize, Serialize};

/// How far the labels of a population lie from its truth, known exactly because the population was made that way.
///
/// Outside a set of inputs of mass `mass`, a label is surely within `width` of the truth. Noise that a deterministic cut
/// places (the worst ε of the mass) counts towards `mass`, noise that any input may get towards `width`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distance {
    /// Largest mass ε of the inputs whose labels `width` does not bound; 0 if it bounds all.
    pub mass: f64,
    /// Largest |label − truth| on all other inputs; infinite if the noise is not bounded.
    pub width: f64,
    /// E (label − truth)², exactly, where it has a closed form.
    pub mean_square: Option<f64>,
}

impl Distance {
    /// Labels that are the truth.
    pub const ZERO: Self = Self { mass: 0.0, width: 0.0, mean_square: Some(0.0) };
}
