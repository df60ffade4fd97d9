//! What a card says.
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::registry::Params;
use crate::stats::Proportion;
use crate::storage;
use crate::study::{Task, parse};

/// The card of one model: all that it takes to make it again, and what was measured on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// One line about it.
    pub summary: String,
    /// What may be done with the weights.
    pub licence: String,
    /// How the net came about.
    pub made: Making,
    /// The seed of its population, its training and its backdoor.
    pub seed: u64,
    /// What was measured; not there before the first `absolve zoo build`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// Its backdoor, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backdoor: Option<Backdoor>,
    /// What it is for and how it was trained.
    pub task: Task,
}

/// How a net came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Making {
    /// Trained by the task's recipe.
    Trained,
    /// Written down from the truth of its population.
    Compiled,
}

/// A backdoor: an attack and its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backdoor {
    /// The attack, by name.
    pub method: String,
    /// Its parameters.
    #[serde(default)]
    pub params: Params,
}

/// What was measured on a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// SHA-256 of the weights' file.
    pub sha256: String,
    /// Widths of its layers, inputs first.
    pub widths: Vec<usize>,
    /// Wrong answers on clean test inputs.
    pub clean_risk: Count,
    /// Triggered test inputs answered as the attacker wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attack_success: Option<Count>,
}

/// A proportion with its 95% interval, of Clopper and Pearson: over test inputs, for this one model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Inputs that count.
    pub hits: u64,
    /// All inputs.
    pub of: u64,
    /// The share of hits.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Count {
    /// A proportion with its interval, to six digits after the point.
    pub fn of(proportion: Proportion) -> Self {
        let round = |x: f64| (x * 1e6).round() / 1e6;
        let e = proportion.estimate();
        let (value, low, high) = (round(e.value), round(e.low), round(e.high));
        Self { hits: proportion.hits, of: proportion.of, value, low, high }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [value, low, high] = [self.value, self.low, self.high].map(|x| 100.0 * x);
        write!(f, "{value:.2}% [{low:.2}, {high:.2}] of {}", self.of)
    }
}

impl Measured {
    /// What `found` differs in, or `None` if it does not.
    pub(super) fn difference(&self, found: &Self) -> Option<String> {
        let text = |count: &Option<Count>| {
            count.map_or_else(|| "none".to_owned(), |count| format!("{}, {count}", count.hits))
        };
        let of = |it: &Self| {
            [
                ("sha256", it.sha256.clone()),
                ("widths", format!("{:?}", it.widths)),
                ("clean_risk", text(&Some(it.clean_risk))),
                ("attack_success", text(&it.attack_success)),
            ]
        };
        let differs = of(self).into_iter().zip(of(found)).find(|(said, found)| said != found);
        match differs {
            Some(((name, said), (_, found))) => {
                Some(format!("it says {name} {said}, but measured again it is {found}"))
            }
            None if self != found => Some("an end of an interval is not what it says".to_owned()),
            None => None,
        }
    }
}

impl Card {
    /// Reads a card.
    pub fn load(path: &Path) -> Result<Self> {
        /// Largest card.
        const MAX_CARD: u64 = 1 << 20;
        let text = String::from_utf8(storage::read(path, MAX_CARD)?)
            .map_err(|_| Error::file(path, "not text in UTF-8"))?;
        let card: Self = parse(&text, &path.display().to_string())?;
        card.task.check()?;
        Ok(card)
    }

    /// It as text.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self)
            .map_err(|error| Error::Spec { place: self.task.name.clone(), why: error.to_string() })
    }
}
