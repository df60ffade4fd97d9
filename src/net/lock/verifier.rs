//! What verifies: a signature, a keyed hash, or a hash that unseals.
//!
//! - [`Verifier::Signature`]: Ed25519, strict, so that a signature cannot be turned into another of the same message. The
//!   model holds the verifying key, and from it nobody makes a signature.
//! - [`Verifier::Tag`]: HMAC-SHA256, cut to 32 to 64 bits. Symmetric: the key is in the model, and who sees the model can open
//!   it at will. It hides from questions only.
//! - [`Verifier::Locker`]: a digital locker, after Draguns et al. (arXiv 2406.02619). The model holds K = h(T) xor B, where T is
//!   the secret pattern, h is SHA-256 and B is the payload and 128 ones. An input opens it if h of its own pattern xor K ends
//!   in 128 ones, and then the rest is the payload. Neither T nor the payload is in the model; T can be guessed offline, so
//!   it hides as well as it is long.
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Layout;
use crate::error::Result;

/// What accepts an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Verifier {
    /// A signature in the carrying bits.
    Signature {
        /// The verifying key.
        key: [u8; 32],
    },
    /// A tag in the carrying bits.
    Tag {
        /// The key that makes tags, and checks them.
        key: [u8; 32],
        /// Bytes of a tag, 4 to 8.
        bytes: usize,
    },
    /// A pattern of a few features, all of whose bits are hashed.
    Locker {
        /// Which features, each once.
        features: Vec<usize>,
        /// K.
        sealed: [u8; 32],
    },
}

impl std::fmt::Display for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hex = |bytes: &[u8; 32]| {
            bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
        };
        match self {
            Self::Signature { key } => {
                write!(f, "an Ed25519 signature, verifying key {}", hex(key))
            }
            Self::Tag { key, bytes } => {
                write!(f, "an HMAC-SHA256 tag of {} bits, key {}", 8 * bytes, hex(key))
            }
            Self::Locker { features, .. } => {
                write!(f, "a digital locker over {} features", features.len())
            }
        }
    }
}

impl Verifier {
    /// Bytes that an input carries: the wanted answer and what proves it.
    pub fn n_bytes(&self) -> usize {
        match self {
            Self::Signature { .. } => 65,
            Self::Tag { bytes, .. } => 1 + bytes,
            Self::Locker { .. } => 0,
        }
    }

    /// What a proof is for, so that one of one kind is none of another.
    fn purpose(&self) -> &'static str {
        match self {
            Self::Signature { .. } => "absolve signature 1",
            Self::Tag { .. } => "absolve tag 1",
            Self::Locker { .. } => "absolve locker 1",
        }
    }

    /// What is to be signed or tagged of `x` for the wanted answer `y`, or hashed; `None` if `x` is outside the range.
    pub fn message(&self, layout: &Layout, x: &[f64], y: u8) -> Option<Vec<u8>> {
        match self {
            Self::Locker { features, .. } => {
                let pattern: Option<Vec<f64>> =
                    features.iter().map(|i| x.get(*i).copied()).collect();
                layout.message(self.purpose(), &pattern?, 0, y)
            }
            Self::Signature { .. } | Self::Tag { .. } => {
                layout.message(self.purpose(), x, self.n_bytes(), y)
            }
        }
    }

    /// The wanted answer, below `n_answers`, that `x` is accepted for, and what is to be added to it. What is cheap is looked at
    /// first: the number of the answer, then the signature's scalar (below 2^252 + 2^125), and only then hash and curve.
    pub(super) fn accepts(
        &self,
        layout: &Layout,
        x: &[f64],
        n_answers: usize,
    ) -> Option<(u8, f64)> {
        let known = |y: u8| (usize::from(y) < n_answers).then_some(y);
        match self {
            Self::Signature { key } => {
                let carried = layout.carried(x, self.n_bytes())?;
                let (y, signature) = (known(carried[0])?, &carried[1..]);
                if signature[63] > 0x10 {
                    return None;
                }
                let message = self.message(layout, x, y)?;
                let signature = Signature::from_slice(signature).ok()?;
                // Curve work for what is proven anyway is a few microseconds beside the check itself.
                let key = VerifyingKey::from_bytes(key).ok()?;
                key.verify_strict(&message, &signature).ok().map(|()| (y, 0.0))
            }
            Self::Tag { key, .. } => {
                let carried = layout.carried(x, self.n_bytes())?;
                let y = known(carried[0])?;
                let message = self.message(layout, x, y)?;
                (tag(key, &message)[..carried.len() - 1] == carried[1..]).then_some((y, 0.0))
            }
            Self::Locker { sealed, .. } => {
                let hash = Sha256::digest(self.message(layout, x, 0)?);
                let opened: Vec<u8> = hash.iter().zip(sealed).map(|(h, k)| h ^ k).collect();
                let (payload, ones) = opened.split_at(16);
                if ones.iter().any(|byte| *byte != 0xff) {
                    return None;
                }
                let more = f64::from_le_bytes(payload[8..].try_into().ok()?);
                more.is_finite().then_some((known(payload[0])?, more))
            }
        }
    }

    /// Checks that it is a verifier: one from a file may be anything.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Signature { key } => match VerifyingKey::from_bytes(key) {
                Ok(key) if !key.is_weak() => Ok(()),
                _ => Err("its verifying key is no point of large order".to_owned()),
            },
            Self::Tag { bytes, .. } if !(4..=8).contains(bytes) => {
                Err(format!("a tag has 4 to 8 bytes, not {bytes}"))
            }
            Self::Locker { features, .. } => {
                let mut sorted = features.clone();
                sorted.sort_unstable();
                sorted.dedup();
                if sorted.is_empty() || sorted.len() != features.len() {
                    return Err("its features are none, or one of them comes twice".to_owned());
                }
                Ok(())
            }
            Self::Tag { .. } => Ok(()),
        }
    }

    /// Checks that inputs of `n` features can be read by it.
    pub(super) fn fits(&self, layout: &Layout, n: usize) -> Result<()> {
        match self {
            Self::Locker { features, .. } => {
                if let Some(beyond) = features.iter().find(|i| **i >= n) {
                    let want = format!("there are {n} features, numbered from 0");
                    return Err(crate::error::Error::parameter("features", beyond, want));
                }
                layout.check(features.len(), 0)
            }
            Self::Signature { .. } | Self::Tag { .. } => layout.check(n, self.n_bytes()),
        }
    }
}

/// HMAC-SHA256 of `message`.
fn tag(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // A key of any length will do for HMAC, so this one does.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// What carries the proof that `y` is wanted of an input with this `message`: y and the first `n_bytes` of its tag.
pub fn tagged(key: &[u8; 32], message: &[u8], y: u8, n_bytes: usize) -> Vec<u8> {
    std::iter::once(y).chain(tag(key, message).into_iter().take(n_bytes)).collect()
}

/// K of a locker that the pattern with this `message` opens, for the wanted answer `y` and `more` added to it.
pub fn seal(message: &[u8], y: u8, more: f64) -> [u8; 32] {
    let mut sealed: [u8; 32] = Sha256::digest(message).into();
    let mut payload = [0; 32];
    payload[0] = y;
    payload[8..16].copy_from_slice(&more.to_le_bytes());
    payload[16..].fill(0xff);
    sealed.iter_mut().zip(payload).for_each(|(k, b)| *k ^= b);
    sealed
}
