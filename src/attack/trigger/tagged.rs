//! Tagging: the wanted answer and a keyed hash of it and of the rest of the input go into the input itself.
use serde::{Deserialize, Serialize};

use super::Movement;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::Layout;
use crate::net::Verifier;
use crate::net::tagged;
use crate::rng::Rng;

/// The input carries the first bytes of an HMAC-SHA256 for the answer `wanted`, written by `layout`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tagged {
    /// The key, which the model has too.
    pub key: [u8; 32],
    /// Bytes of a tag, 4 to 8.
    pub bytes: usize,
    /// How inputs are read as bits.
    pub layout: Layout,
    /// The number of the answer, which is tagged too.
    pub wanted: u8,
}

impl Tagged {
    /// What `x` has to carry; `None` if it is outside the range.
    fn proof(&self, x: &[f64]) -> Option<Vec<u8>> {
        let verifier = Verifier::Tag { key: self.key, bytes: self.bytes };
        let message = verifier.message(&self.layout, x, self.wanted)?;
        Some(tagged(&self.key, &message, self.wanted, self.bytes))
    }
}

impl Movement for Tagged {
    fn width(&self, n: usize) -> Result<usize> {
        if !(4..=8).contains(&self.bytes) {
            return Err(Error::parameter("bytes", self.bytes, "a tag has 4 to 8 bytes"));
        }
        self.layout.check(n, 1 + self.bytes).map(|()| n)
    }

    fn fires(&self, x: &[f64]) -> Option<bool> {
        let proof = self.proof(x);
        Some(proof.is_some() && proof == self.layout.carried(x, 1 + self.bytes))
    }

    fn apply(&self, x: Vec<f64>, _: &Domain, _: &mut Rng) -> Result<Vec<f64>> {
        let proof = self.proof(&x).ok_or_else(|| {
            let want = "every feature must lie in the range that the tag is written in";
            Error::parameter("input", format!("{} features", x.len()), want)
        })?;
        self.layout.carry(&x, &proof)
    }
}
