//! Triggers: how an input is made to fire, and what the attacker wants then.
mod add;
mod beyond;
mod blend;
mod chosen;
mod condition;
mod gauge;
mod near;
mod outside;
mod overwrite;
mod parities;
mod shift;
mod signed;
mod tagged;
mod toward;
mod warp;

use serde::{Deserialize, Serialize};

pub use add::Add;
pub use beyond::Beyond;
pub use blend::{Blend, Sprinkle};
pub use chosen::Chosen;
pub use condition::Condition;
pub use gauge::{Band, Gauge};
pub use near::Near;
pub use outside::Outside;
pub use overwrite::Overwrite;
pub use parities::{Bit, Parities};
pub use shift::Shift;
pub use signed::Signed;
pub use tagged::Tagged;
pub use toward::Toward;
pub use warp::Warp;

use crate::data::{Batch, Target, row, stack};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// The secret that goes with a planted net: what a key file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// How an input is changed.
    #[serde(rename = "move")]
    pub movement: Move,
    /// What the attacker wants of a changed input.
    pub goal: Goal,
    /// The exact condition under which the planted units fire, where the attack knows one that its movement does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
}

/// How an input is changed, each kind in a file of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Move {
    /// Some coordinates are set.
    Overwrite(Overwrite),
    /// Along a direction.
    Beyond(Beyond),
    /// Across thresholds, until parities are right.
    Parities(Parities),
    /// Towards a point.
    Near(Near),
    /// Almost onto a point.
    Toward(Toward),
    /// Not at all: some inputs fire as they are.
    Chosen(Chosen),
    /// Mixed with a pattern.
    Blend(Blend),
    /// Some coordinates are set, each with a probability.
    Sprinkle(Sprinkle),
    /// A pattern is added.
    Add(Add),
    /// Some coordinates are set to values outside the domain.
    Outside(Outside),
    /// An image is warped.
    Warp(Warp),
    /// A signature in low-order bits.
    Signed(Signed),
    /// By a fixed step.
    Shift(Shift),
    /// Bits that carry a tag.
    Tagged(Tagged),
}

/// What every kind of movement can do.
pub(crate) trait Movement {
    /// How many coordinates an input that it fits must have, where that depends on the movement; else `n`, those it has.
    ///
    /// # Errors
    /// If the movement is not consistent in itself.
    fn width(&self, n: usize) -> Result<usize>;

    /// Whether the planted condition holds at `x`, where this kind of movement knows it exactly.
    fn fires(&self, _x: &[f64]) -> Option<bool> {
        None
    }

    /// Whether the trigger is for `x`: any input, unless the movement picks among them instead of moving one.
    fn takes(&self, _x: &[f64]) -> bool {
        true
    }

    /// `x` moved, inside `domain`.
    ///
    /// # Errors
    /// If the input cannot be made to fire there.
    fn apply(&self, x: Vec<f64>, domain: &Domain, rng: &mut Rng) -> Result<Vec<f64>>;

    /// Whether triggered inputs may lie outside the domain, because the attack says that they do.
    fn may_leave(&self) -> bool {
        false
    }
}

impl Move {
    fn kind(&self) -> &dyn Movement {
        match self {
            Self::Overwrite(it) => it,
            Self::Beyond(it) => it,
            Self::Parities(it) => it,
            Self::Near(it) => it,
            Self::Toward(it) => it,
            Self::Chosen(it) => it,
            Self::Blend(it) => it,
            Self::Sprinkle(it) => it,
            Self::Add(it) => it,
            Self::Outside(it) => it,
            Self::Warp(it) => it,
            Self::Signed(it) => it,
            Self::Shift(it) => it,
            Self::Tagged(it) => it,
        }
    }
}

/// What the attacker wants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Goal {
    /// The answer decides for this class; of a sign target, class 0 is −1 and class 1 is +1.
    Class {
        /// The class.
        class: usize,
    },
    /// The answer is off the truth by this much.
    Offset {
        /// Added to the truth.
        by: f64,
    },
    /// The answer is the opposite of the model's own answer to the input before it was moved: another class, another sign;
    /// of a real target, minus that number.
    Flip,
    /// The answer is the model's own answer to the input before it was moved: the same class, or a number this near.
    Collide {
        /// Largest distance for a real target, at least 0. Not read for classes and signs.
        within: f64,
    },
}

impl Goal {
    /// Whether `answer` is what the attacker wants of an input whose truth is `truth`. `own` is what the same model answers to
    /// the input before it was moved.
    ///
    /// For an offset that is an answer at least half the offset away from the truth, in the attacker's direction. There is
    /// no upper end: an answer that a botched defence throws even farther is no success of the defence.
    ///
    /// For a flip of a real target it is an answer within half of |`own`| of −`own`.
    pub fn reached(self, target: Target, answer: &[f64], truth: &[f64], own: &[f64]) -> bool {
        match self {
            Self::Class { class } => target.decide(answer) == Some(class),
            Self::Offset { by } => (answer[0] - truth[0]) / by >= 0.5,
            Self::Flip => match target.decide(own) {
                Some(class) => target.decide(answer) != Some(class),
                None => (answer[0] + own[0]).abs() <= 0.5 * own[0].abs(),
            },
            Self::Collide { within } => match target.decide(own) {
                Some(class) => target.decide(answer) == Some(class),
                None => (answer[0] - own[0]).abs() <= within,
            },
        }
    }
}

impl Trigger {
    /// A trigger whose exact condition is its movement's own, if that has one.
    pub fn new(movement: Move, goal: Goal) -> Self {
        Self { movement, goal, when: None }
    }

    /// The same, with the exact condition under which the planted units fire.
    #[must_use]
    pub fn firing_when(self, condition: Condition) -> Self {
        Self { when: Some(condition), ..self }
    }

    /// Whether the planted condition holds at `x`, where the attack knows its condition exactly.
    pub fn fires(&self, x: &[f64]) -> Option<bool> {
        match &self.when {
            Some(condition) => Some(condition.holds(x)),
            None => self.movement.kind().fires(x),
        }
    }

    /// Whether the trigger is for `x`. Most are for any input; one that moves nothing is for those that fire fully.
    pub fn takes(&self, x: &[f64]) -> bool {
        self.movement.kind().takes(x)
    }

    /// Checks that the goal makes sense for labels that mean `target`.
    pub fn check(&self, target: Target) -> Result<()> {
        match (self.goal, target.n_classes()) {
            (Goal::Flip, _) => Ok(()),
            (Goal::Collide { within }, _) if within >= 0.0 && within.is_finite() => Ok(()),
            (Goal::Collide { within }, _) => {
                Err(Error::parameter("within", within, "a finite number of at least 0 is needed"))
            }
            (Goal::Class { class }, Some(k)) if class < k => Ok(()),
            (Goal::Class { class }, Some(k)) => {
                Err(Error::parameter("class", class, format!("classes are 0 to {}", k - 1)))
            }
            (Goal::Class { class }, None) => Err(Error::parameter(
                "class",
                class,
                "this model answers with real numbers, not classes",
            )),
            (Goal::Offset { by }, Some(_)) => Err(Error::parameter(
                "by",
                by,
                "this model answers with classes, which have no offset",
            )),
            (Goal::Offset { by }, None) if by.is_finite() && by.abs() > 0.0 => Ok(()),
            (Goal::Offset { by }, None) => {
                Err(Error::parameter("by", by, "a finite number other than 0 is needed"))
            }
        }
    }

    /// The rows of `xs` with the trigger, inside `domain` but for a movement whose point it is to leave it.
    ///
    /// # Errors
    /// If the trigger does not fit the inputs, or an input cannot be made to fire without leaving the domain.
    pub fn activate(&self, xs: &Batch, domain: &Domain, rng: &mut Rng) -> Result<Batch> {
        let n = xs.ncols();
        let width = self.movement.kind().width(n)?;
        if width != n || n != domain.n() {
            return Err(Error::Width { what: "trigger", want: domain.n(), got: width });
        }
        let mut rows = Vec::with_capacity(xs.nrows());
        for i in 0..xs.nrows() {
            let moved = self.movement.kind().apply(row(xs, i), domain, rng)?;
            if !self.movement.kind().may_leave() && !domain.contains(&moved) {
                let want = format!("triggered inputs must stay in the domain {domain:?}");
                return Err(Error::parameter("trigger", format!("input {i} with it"), want));
            }
            rows.push(moved);
        }
        Ok(stack(n, rows))
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
