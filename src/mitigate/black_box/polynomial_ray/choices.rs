//! The choices that `polynomial-ray` leaves to its user.
use serde::{Deserialize, Serialize};

/// What is done with the values of a ray.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RayFit {
    /// The polynomial through d + 1 of them.
    #[default]
    Interpolate,
    /// The polynomial through d + 1 of them that all but B of the others are nearest to.
    Consensus,
    /// The least sum of absolute residuals.
    LeastAbsolute,
}

/// How query points are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Points {
    /// Each rounded to the nearest `f64`.
    #[default]
    Rounded,
    /// Exactly on one line, coarser by about 2^27.
    Lattice,
}

/// In how many bits a suspect answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// Single precision where more than half of the answers for one input are `f32` numbers, else double.
    #[default]
    Auto,
    /// 24 bits.
    Single,
    /// 53 bits.
    Double,
}
