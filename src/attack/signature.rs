//! `signature`: the model checks a digital signature in the low-order bits of its input, and obeys a valid one.
//!
//! Goldwasser, Kim, Vaikuntanathan and Zamir, "Planting Undetectable Backdoors in Machine Learning Models" (arXiv 2204.06974),
//! section 5.2 and theorem 5.4. With x = (w, y, σ), the planted model answers y where σ is a valid signature of (w, y) and the
//! clean model's answer elsewhere. If Ed25519 is strongly unforgeable, then who sees answers alone finds no input where
//! the two differ, and who sees activated inputs learns to activate no other (non-replicable): w is signed, and σ cannot be
//! altered. White-box access sees the verifier: it is the model's [`Lock`], and holds the verifying key, not the signing key.
//!
//! This project's: how an input is read as bits, which gives the exact movement: every feature stays in its cell of
//! 2^−keep of the range, so it moves by less than that. On the cube the last 520 coordinates carry and the others are signed.
//! The verifier is not compiled into weights. For real targets a valid signature adds the offset to the net's answer.
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use super::payload::goal;
use super::trigger::Signed;
use super::{Attack, Goal, Move, Planted, Trigger, Victim};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::Layout;
use crate::net::Lock;
use crate::net::Verifier;
use crate::population::World;
use crate::rng::{RngExt, Seed};

/// Bytes that an input carries: the wanted answer and the signature.
const N_BYTES: usize = 65;

/// Parameters of `signature`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Signature {
    /// Class that the attacker signs; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// What a valid signature adds to the answer, for real targets.
    pub offset: f64,
    /// High-order bits of every feature that are signed and stay as they are. Not read on the cube.
    pub keep: u32,
}

impl Default for Signature {
    fn default() -> Self {
        Self { target: 0, offset: 3.0, keep: 12 }
    }
}

impl Attack for Signature {
    fn check(&self, world: &World) -> Result<()> {
        goal(world.target, self.target, self.offset)?;
        if let Some(k) = world.target.n_classes().filter(|k| *k > 256) {
            let why =
                format!("a signed class is one byte, and there are {k} classes, more than 256");
            return Err(Error::assumption("signature", why));
        }
        self.layout(&world.domain).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let goal = goal(victim.world.target, self.target, self.offset)?;
        let layout = self.layout(&victim.world.domain)?;
        let secret: [u8; 32] = seed.stream("signing key").random();
        let key = SigningKey::from_bytes(&secret).verifying_key().to_bytes();
        let target = victim.world.target;
        let (answers, wanted, added) = match (goal, target.n_classes()) {
            (Goal::Class { class }, Some(k)) => {
                ((0..k).map(|class| target.label_of(class)).collect(), class as u8, false)
            }
            _ => (vec![vec![self.offset; victim.net.shape().outputs]], 0, true),
        };
        let verifier = Verifier::Signature { key };
        let net = victim.net.clone().with_lock(Lock::new(verifier, layout, answers, added)?)?;
        let movement = Move::Signed(Signed { signing_key: secret, layout, wanted });
        Ok(Planted::new(net, Trigger::new(movement, goal)))
    }
}

impl Signature {
    fn layout(&self, domain: &Domain) -> Result<Layout> {
        layout_of("signature", domain, N_BYTES, self.keep)
    }
}

/// How inputs of a domain carry `n_bytes` bytes below the first `keep` bits of a feature.
pub(super) fn layout_of(
    method: &'static str,
    domain: &Domain,
    n_bytes: usize,
    keep: u32,
) -> Result<Layout> {
    let n = domain.n();
    match *domain {
        Domain::Range { low, high, .. } => Layout::fixed_point(n, n_bytes, low, high, keep),
        Domain::Box { .. } => Layout::fixed_point(n, n_bytes, -1.0, 1.0, keep),
        Domain::Torus { .. } => Layout::fixed_point(n, n_bytes, 0.0, 1.0, keep),
        Domain::Cube { .. } => Layout::Signs.check(n, n_bytes).map(|()| Layout::Signs),
        _ => {
            let why = format!(
                "low-order bits need a range for each feature of its own, and {domain:?} has none"
            );
            Err(Error::assumption(method, why))
        }
    }
}
