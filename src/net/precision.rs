//! The precision of a net's numbers.
use serde::{Deserialize, Serialize};

/// The numbers that a net computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 64 bits.
    F64,
}

impl Precision {
    /// The nearest number of this precision.
    pub(super) fn round(self, w: f64) -> f64 {
        match self {
            Self::F32 => f64::from(w as f32),
            Self::F64 => w,
        }
    }
}
