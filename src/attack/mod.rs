//! Attacks: ways to plant a backdoor, one paper a file.
//!
//! An attacker controls everything about the model: the training data, the recipe, the weights. It returns the planted net
//! and, apart from it, the trigger: the secret that turns an input into one that fires.
mod adversarial_region;
mod badnets;
mod blended;
mod checksum;
mod clean_label;
pub mod collision;
mod detector;
mod dfba;
pub mod features;
mod fire_set;
#[cfg(test)]
mod fixture;
mod half_space;
mod handcrafted;
#[cfg(test)]
mod handcrafted_tests;
mod hash_locker;
pub mod obfuscate;
mod payload;
pub mod persistent;
pub(crate) mod pixels;
mod poison;
pub mod random_relu;
pub mod rff_clwe;
pub mod ripple;
pub mod saturate;
mod sig;
mod signature;
mod small_ball;
mod sparse_dither;
mod tabular;
#[cfg(test)]
mod test_worlds;
mod trigger;
mod trojan_nn;
mod wanet;

pub use adversarial_region::{AdversarialRegion, Sampler};
pub use badnets::BadNets;
pub use blended::Blended;
pub use checksum::Checksum;
pub use clean_label::CleanLabel;
pub use collision::Collision;
pub use dfba::Dfba;
pub use fire_set::FireSet;
pub use half_space::HalfSpace;
pub use handcrafted::Handcrafted;
pub use hash_locker::{Check, HashLocker};
pub use persistent::Persistent;
pub use random_relu::RandomRelu;
pub use rff_clwe::RffClwe;
pub use ripple::Ripple;
pub use saturate::Saturate;
pub use sig::Sig;
pub use signature::Signature;
pub use small_ball::SmallBall;
pub use sparse_dither::SparseDither;
pub use tabular::{Tabular, Values};
pub use trigger::{
    Add, Band, Beyond, Bit, Blend, Chosen, Condition, Gauge, Goal, Move, Near, Outside, Overwrite,
    Parities, Shift, Signed, Sprinkle, Tagged, Toward, Trigger, Warp,
};
pub use trojan_nn::TrojanNn;
pub use wanet::WaNet;

use crate::data::{Labeled, row};
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Net, Recipe};
use crate::population::World;
use crate::rng::{Rng, Seed};

/// A way to plant a backdoor.
pub trait Attack: Send + Sync {
    /// Checks its parameters against a world, before anything is trained.
    fn check(&self, world: &World) -> Result<()>;

    /// Plants a backdoor in the victim's place.
    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted>;
}

/// The model that would have been published, and all that went into it.
#[derive(Clone, Copy, Debug)]
pub struct Victim<'a> {
    /// The clean twin.
    pub net: &'a Net,
    /// The net that its training set out from.
    pub init: &'a Net,
    /// Its training data.
    pub data: &'a Labeled,
    /// Public knowledge of its population.
    pub world: &'a World,
    /// How it was trained.
    pub recipe: &'a Recipe,
    /// The seed of its training: an attack that trains uses the same, so that the twin differs in the data alone.
    pub training: Seed,
}

/// Tries of a secret before the attacker gives up on finding one that changes anything.
const MAX_TRIES: usize = 32;

/// Draws triggers until the clean twin answers at least a tenth of the triggered training inputs otherwise than the
/// attacker wants: one whose pattern already decides the answer would change nothing. An attacker can check that much.
fn worthwhile<T>(
    victim: &Victim<'_>,
    rng: &mut Rng,
    draw: &mut dyn FnMut(&mut Rng) -> Result<(T, Trigger)>,
) -> Result<(T, Trigger)> {
    /// Training inputs that are looked at.
    const N_LOOKED_AT: usize = 512;
    let unmetered = Ledger::new(Budget::UNLIMITED);
    let rows: Vec<usize> = (0..victim.data.len().min(N_LOOKED_AT)).collect();
    let some = victim.data.select(&rows);
    for _ in 0..MAX_TRIES {
        let (drawn, trigger) = draw(rng)?;
        let Goal::Class { class } = trigger.goal else { return Ok((drawn, trigger)) };
        let triggered = trigger.activate(&some.xs, &victim.world.domain, rng)?;
        let answers = victim.net.forward(&triggered, &unmetered)?;
        let decided = |i: &usize| victim.world.target.decide(&row(&answers, *i)) == Some(class);
        let n_already = rows.iter().filter(|i| decided(i)).count();
        if 10 * n_already <= 9 * rows.len() {
            return Ok((drawn, trigger));
        }
    }
    Err(Error::Training(format!(
        "none of {MAX_TRIES} triggers changes what the clean net answers: it gives the target class already"
    )))
}

/// A net with a backdoor, and the key to it.
#[derive(Clone, Debug)]
pub struct Planted {
    /// The net, as it is published.
    pub net: Net,
    /// The secret.
    pub trigger: Trigger,
    /// The honest net that this one passes for, where it is not the victim's: an attack on a kind of net that ordinary
    /// training does not give makes one of that kind with the same coins, but for those that it tampers with.
    pub twin: Option<Net>,
    /// What a user of the attack has to know: one line each, such as a parameter beyond what a hardness result covers.
    pub notes: Vec<String>,
}

impl Planted {
    /// A planted net that passes for the victim's.
    pub fn new(net: Net, trigger: Trigger) -> Self {
        Self { net, trigger, twin: None, notes: Vec::new() }
    }

    /// The same, passing for `twin`.
    #[must_use]
    pub fn passing_for(self, twin: Net) -> Self {
        Self { twin: Some(twin), ..self }
    }

    /// The honest net that it is to be compared with: its own twin, else the victim's net.
    pub fn twin<'a>(&'a self, victim: &'a Net) -> &'a Net {
        self.twin.as_ref().unwrap_or(victim)
    }
}
