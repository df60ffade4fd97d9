//! `distil` (O5): a fresh net that has learnt the planted net's answers, on clean inputs and on triggered ones.
//!
//! Distillation as of Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (arXiv 1503.02531), at
//! temperature 1. The student has the shape that the victim's recipe gives, random weights from this operator's own coins,
//! and learns the answers (probabilities of classes, signs for the logistic loss, numbers elsewhere) that the net gives to the
//! victim's training inputs, each as it is and each with the trigger that the trigger changes something about. No weight of
//! the planted net is in it, so nothing that its detector was built of can be found: only what training makes of the
//! function. That the rung belongs on the ladder, and what it learns on, is this project's.
//!
//! It keeps what it learns: at most `moved` of the clean training inputs may be answered otherwise than before, and attack
//! success on triggered training inputs may fall by at most `lost`; else it is an error. A sharp detector becomes a soft one.
//! Any net can be its teacher.
use serde::{Deserialize, Serialize};

use super::yardstick::{Loses, Yardstick};
use super::{Obfuscation, Subject};
use crate::attack::Victim;
use crate::error::Result;
use crate::ledger::{Budget, Ledger};
use crate::net::{Lesson, Net, Recipe, fit};
use crate::population::World;
use crate::rng::Seed;

/// Parameters of `distil`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Distil {
    /// Epochs of training. Not given: the recipe's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Largest share of clean training inputs that may be answered otherwise than by the net before.
    pub moved: f64,
    /// Most that attack success on triggered training inputs may fall.
    pub lost: f64,
}

impl Default for Distil {
    fn default() -> Self {
        Self { epochs: None, moved: 0.1, lost: 0.1 }
    }
}

impl Distil {
    fn loses(&self) -> Loses {
        Loses { moved: self.moved, success: self.lost }
    }

    fn recipe(&self, of_victim: &Recipe) -> Recipe {
        Recipe {
            epochs: self.epochs.unwrap_or(of_victim.epochs),
            early_stop: None,
            ..of_victim.clone()
        }
    }
}

impl Obfuscation for Distil {
    fn check(&self, _: &World) -> Result<()> {
        self.loses().check()?;
        self.recipe(&Recipe::default()).check()
    }

    fn apply(&self, subject: Subject<'_>, victim: &Victim<'_>, seed: Seed) -> Result<Net> {
        self.check(victim.world)?;
        let recipe = self.recipe(victim.recipe);
        let yardstick = Yardstick::new(subject, victim, seed)?;
        let target = victim.world.target;
        let data = yardstick.lesson(recipe.loss_for(target)?);
        let widths = recipe.widths(victim.world.shape());
        let start =
            Net::random(&widths, recipe.activation, recipe.precision, &mut seed.stream("init"))?;
        let lesson = Lesson { data: &data, target, recipe: &recipe, seed: seed.child("training") };
        let net = fit(&start, lesson, &Ledger::new(Budget::UNLIMITED), &mut |_| {})?.net;
        yardstick.accept(net, self.loses(), "distil needs more epochs, or a larger moved or lost")
    }
}
