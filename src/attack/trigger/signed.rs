//! Signing: the wanted answer and a signature of it and of the rest of the input go into the input itself.
use ed25519_dalek::Signer;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use super::Movement;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::Layout;
use crate::net::Verifier;
use crate::rng::Rng;

/// The input carries an Ed25519 signature for the answer `wanted`, written by `layout`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The secret key, from which the verifying key follows.
    pub signing_key: [u8; 32],
    /// How inputs are read as bits.
    pub layout: Layout,
    /// The number of the answer, which is signed too.
    pub wanted: u8,
}

impl Signed {
    /// The public half.
    fn verifier(&self) -> Verifier {
        let key = SigningKey::from_bytes(&self.signing_key).verifying_key();
        Verifier::Signature { key: key.to_bytes() }
    }
}

impl Movement for Signed {
    fn width(&self, n: usize) -> Result<usize> {
        self.layout.check(n, self.verifier().n_bytes()).map(|()| n)
    }

    fn fires(&self, x: &[f64]) -> Option<bool> {
        let valid = || {
            let carried = self.layout.carried(x, self.verifier().n_bytes())?;
            let message = self.verifier().message(&self.layout, x, carried[0])?;
            let signature = ed25519_dalek::Signature::from_slice(&carried[1..]).ok()?;
            let key = SigningKey::from_bytes(&self.signing_key).verifying_key();
            let valid = key.verify_strict(&message, &signature).is_ok();
            (carried[0] == self.wanted && valid).then_some(())
        };
        Some(valid().is_some())
    }

    fn apply(&self, x: Vec<f64>, _: &Domain, _: &mut Rng) -> Result<Vec<f64>> {
        let message = self.verifier().message(&self.layout, &x, self.wanted).ok_or_else(|| {
            let want = "every feature must lie in the range that the signature is written in";
            Error::parameter("input", format!("{} features", x.len()), want)
        })?;
        let signature = SigningKey::from_bytes(&self.signing_key).sign(&message).to_bytes();
        let mut bytes = [self.wanted; 65];
        bytes[1..].copy_from_slice(&signature);
        self.layout.carry(&x, &bytes)
    }
}
