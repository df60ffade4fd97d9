//! `adapt` (O4): the backdoor again, in a net that one named defence finds ordinary.
//!
//! The attacker knows the statistic that a defence looks at, brings it into the range of the clean twin, which harms the net,
//! and trains the net on its own former answers, clean and triggered, to repair it; again and again, and brings the statistic
//! into range once more at the end. What the defence is:
//!
//! | `against` | the statistic | how it is brought into range |
//! |---|---|---|
//! | `fine-prune` | units that clean inputs leave asleep | pruning-aware: see `prune.rs` |
//! | `norm-outlier` | norms of incoming weights, gains, thresholds: see `clip.rs` | clipped to the clean twin's range, unit by unit |
//! | `spectral` | the largest singular value of every weight matrix | clipped to the clean twin's |
//!
//! The first is the attack that Liu, Dolan-Gavitt and Garg defend against ("Fine-Pruning", RAID 2018, section 3.2). The
//! statistics of the second are those of channel-Lipschitz pruning (Zheng et al., ECCV 2022), for a perceptron, and this
//! project's robust version of it. Alternating projections with training instead of a penalty in the loss is this project's:
//! the range is kept exactly and not nearly.
//!
//! It keeps clean answers but for `moved` of the training inputs, and attack success on triggered training inputs but for
//! `lost`, measured at the very end; else it is an error. A net without a backdoor goes through the same on clean inputs.
mod clip;
mod prune;

use serde::{Deserialize, Serialize};

use super::yardstick::{Loses, Yardstick};
use super::{Obfuscation, Subject};
use crate::attack::Victim;
use crate::data::Labeled;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Activation, Lesson, Net, Recipe, Schedule, fit};
use crate::population::World;
use crate::rng::Seed;

/// Parameters of `adapt`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adapt {
    /// The defence.
    pub against: Against,
    /// How often the statistic is brought into range and the net trained again, from 1 to 1000. Not given: 4 against
    /// `fine-prune`, else 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<usize>,
    /// Epochs of training a round. Not given: half the recipe's against `fine-prune`, else a tenth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// The range that norms, gains, thresholds and singular values may have, relative to the clean twin's. Not read against
    /// `fine-prune`.
    pub slack: f64,
    /// Largest share of clean training inputs that may be answered otherwise than by the net before.
    pub moved: f64,
    /// Most that attack success on triggered training inputs may fall.
    pub lost: f64,
}

/// A defence that is adapted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Against {
    /// Cutting units that clean inputs leave asleep.
    #[default]
    FinePrune,
    /// Cutting units whose norm, gain or threshold stands out.
    NormOutlier,
    /// Looking at the largest singular values of the weights.
    Spectral,
}

impl Default for Adapt {
    fn default() -> Self {
        Self {
            against: Against::FinePrune,
            rounds: None,
            epochs: None,
            slack: 1.0,
            moved: 0.1,
            lost: 0.1,
        }
    }
}

impl Adapt {
    fn loses(&self) -> Loses {
        Loses { moved: self.moved, success: self.lost }
    }

    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(match self.against {
            Against::FinePrune => 4,
            Against::NormOutlier | Against::Spectral => 30,
        })
    }

    fn recipe(&self, of_victim: &Recipe) -> Recipe {
        let share = match self.against {
            Against::FinePrune => 2,
            Against::NormOutlier | Against::Spectral => 10,
        };
        Recipe {
            epochs: self.epochs.unwrap_or_else(|| of_victim.epochs.div_ceil(share)),
            early_stop: None,
            ..of_victim.clone()
        }
    }
}

impl Obfuscation for Adapt {
    fn check(&self, _: &World) -> Result<()> {
        self.loses().check()?;
        if !(1..=1000).contains(&self.rounds()) {
            let want = "a number from 1 to 1000 is needed";
            return Err(Error::parameter("rounds", self.rounds(), want));
        }
        if !(self.slack > 0.0 && self.slack.is_finite()) {
            return Err(Error::parameter("slack", self.slack, "a positive number is needed"));
        }
        self.recipe(&Recipe::default()).check()
    }

    fn apply(&self, subject: Subject<'_>, victim: &Victim<'_>, seed: Seed) -> Result<Net> {
        self.check(victim.world)?;
        let net = subject.net;
        if net.layers().len() < 2 {
            return Err(Error::assumption("adapt", "the net has no hidden layer"));
        }
        let (hidden, output) = net.layers().split_at(net.layers().len() - 1);
        if hidden.iter().any(|layer| layer.activation == Activation::Step) {
            let why = "no gradient passes hidden step units, so the net cannot be trained again";
            return Err(Error::assumption("adapt", why));
        }
        if output[0].activation != Activation::Identity {
            let why =
                format!("the output layer must be linear, and it is {:?}", output[0].activation);
            return Err(Error::assumption("adapt", why));
        }
        let recipe = self.recipe(victim.recipe);
        let yardstick = Yardstick::new(subject, victim, seed)?;
        let data = yardstick.lesson(recipe.loss_for(victim.world.target)?);
        let class = Class { data: &data, victim, recipe: &recipe, seed };
        let adapted = match self.against {
            Against::FinePrune => prune::adapt(net, self.rounds(), &class, &|net| {
                yardstick.objection(net, self.loses())
            })?,
            Against::NormOutlier => {
                class.alternate(net, self, &|net, slack| clip::units(net, victim.net, slack))?
            }
            Against::Spectral => class.alternate(net, self, &|net, slack| {
                clip::singular_values(net, victim.net, slack, seed)
            })?,
        };
        let remedy = match self.against {
            Against::FinePrune => "adapt needs more epochs, or a larger moved or lost",
            Against::NormOutlier | Against::Spectral => {
                "adapt needs a larger slack, more rounds or epochs, or a larger moved or lost"
            }
        };
        yardstick.accept(adapted, self.loses(), remedy)
    }
}

/// What a net is trained on again and again.
struct Class<'a> {
    data: &'a Labeled,
    victim: &'a Victim<'a>,
    recipe: &'a Recipe,
    seed: Seed,
}

impl Class<'_> {
    /// `net`, trained for one round by `recipe`.
    fn train(&self, net: &Net, recipe: &Recipe, round: usize) -> Result<Net> {
        let lesson = Lesson {
            data: self.data,
            target: self.victim.world.target,
            recipe,
            seed: self.seed.child("round").child(&round.to_string()),
        };
        Ok(fit(net, lesson, &Ledger::new(Budget::UNLIMITED), &mut |_| {})?.net)
    }

    /// Brings `net` into range and trains it, in turns, with steps that shrink to nothing over the rounds along half a cosine.
    /// Within the rounds the range is kept to nine tenths, so that training leads out of it less often.
    fn alternate(
        &self,
        net: &Net,
        how: &Adapt,
        into_range: &dyn Fn(&Net, f64) -> Result<Net>,
    ) -> Result<Net> {
        /// Share of the range that is kept to in between.
        const WITHIN: f64 = 0.9;
        let mut net = net.clone();
        for round in 0..how.rounds() {
            let through = round as f64 / how.rounds() as f64;
            let share = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * through));
            let recipe = Recipe {
                learning_rate: share * self.recipe.learning_rate,
                schedule: Schedule::Constant,
                ..self.recipe.clone()
            };
            net = self.train(&into_range(&net, WITHIN * how.slack)?, &recipe, round)?;
        }
        into_range(&net, how.slack)
    }
}
