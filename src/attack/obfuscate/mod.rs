//! Obfuscations: what an attacker does to a planted net so that its weights tell less, one rung of the ladder a file.
//!
//! An operator takes any net and gives back a net that answers alike: exactly (O1), or as closely as its own file says.
//! It does not touch the trigger, so a planted net that was obfuscated keeps its key. Operators are applied in the order
//! in which they are given.
//!
//! The same operator can be applied to a net without a backdoor: a [`Subject`] without a trigger. A detector that is tried
//! on obfuscated planted nets must be tried on clean nets that went through the same operators, or it detects the operator.
//! The clean twin that an attack is measured against stays the victim's net (or the attack's own), not an obfuscated one:
//! what an operator moves counts as moved by the attack.
mod adapt;
mod clutter;
mod distil;
mod permute_rescale;
mod split;
mod yardstick;

pub use adapt::{Adapt, Against};
pub use clutter::Clutter;
pub use distil::Distil;
pub use permute_rescale::{PermuteRescale, Scales};
pub use split::Split;

use super::{Attack, Planted, Trigger, Victim};
use crate::error::Result;
use crate::net::Net;
use crate::population::World;
use crate::rng::Seed;

/// A way to make the weights of a net tell less.
pub trait Obfuscation: Send + Sync {
    /// Checks its parameters against a world, before anything is trained.
    fn check(&self, world: &World) -> Result<()>;

    /// A net that answers as `subject` does and, where there is a trigger, still fires.
    ///
    /// # Errors
    /// On impossible parameters, on a net that it cannot handle, and if what it promises to keep is not kept on the
    /// victim's training data.
    fn apply(&self, subject: Subject<'_>, victim: &Victim<'_>, seed: Seed) -> Result<Net>;
}

/// A net to be obfuscated.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The net.
    pub net: &'a Net,
    /// The key to its backdoor; `None` for a clean net.
    pub trigger: Option<&'a Trigger>,
}

/// An operator with its name, which also names its coins.
pub struct Step {
    /// Its name in the registry.
    pub name: String,
    /// The operator.
    pub method: Box<dyn Obfuscation>,
}

/// Applies `steps` one after the other. Where a verifier stands beside the net, the backdoor is not in the weights: these are
/// obfuscated as a clean net's, and the verifier is put back as it was.
///
/// # Errors
/// If one of them fails.
pub fn obfuscate(
    steps: &[Step],
    subject: Subject<'_>,
    victim: &Victim<'_>,
    seed: Seed,
) -> Result<Net> {
    let trigger = subject.trigger.filter(|_| subject.net.lock().is_none());
    let mut net = Net::new(subject.net.layers().to_vec(), subject.net.precision())?;
    for (number, step) in steps.iter().enumerate() {
        let seed = seed.child("obfuscate").child(&format!("{number} {}", step.name));
        net = step.method.apply(Subject { net: &net, trigger }, victim, seed)?;
    }
    net.locked_as(subject.net)
}

/// An attack whose planted net goes through operators before it is published.
pub struct Obfuscated {
    /// The attack.
    pub attack: Box<dyn Attack>,
    /// The operators, in the order in which they are applied.
    pub steps: Vec<Step>,
}

impl Attack for Obfuscated {
    fn check(&self, world: &World) -> Result<()> {
        self.attack.check(world)?;
        self.steps.iter().try_for_each(|step| step.method.check(world))
    }

    /// Plants with the coins that the attack alone would have, so that rungs of the ladder share one secret.
    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        let planted = self.attack.plant(victim, seed)?;
        let subject = Subject { net: &planted.net, trigger: Some(&planted.trigger) };
        // What is ordinary is what the net passes for.
        let victim = Victim { net: planted.twin(victim.net), ..*victim };
        let net = obfuscate(&self.steps, subject, &victim, seed)?;
        Ok(Planted { net, ..planted })
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Step").field(&self.name).finish()
    }
}

impl std::fmt::Debug for Obfuscated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Obfuscated").field("steps", &self.steps).finish_non_exhaustive()
    }
}
