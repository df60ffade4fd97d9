//! Attacks: ways to plant a backdoor, one paper a file.
//!
//! An attacker controls everything about the model: the training data, the recipe, the weights. It returns the planted net
//! and, apart from it, the trigger: the secret that turns an input into one that fires.
mod badnets;
mod half_space;
mod trigger;

pub use badnets::BadNets;
pub use half_space::HalfSpace;
pub use trigger::{Goal, Move, Trigger};

use crate::data::Labeled;
use crate::error::Result;
use crate::net::{Net, Recipe};
use crate::population::World;
use crate::rng::Seed;

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

/// A net with a backdoor, and the key to it.
#[derive(Clone, Debug)]
pub struct Planted {
    /// The net, as it is published.
    pub net: Net,
    /// The secret.
    pub trigger: Trigger,
}
