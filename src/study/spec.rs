//! What a study is, as people write it: a TOML file.
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data;
use crate::error::{Error, Result};
use crate::ledger::Budget;
use crate::net::Recipe;
use crate::population::{Family, Part};
use crate::registry::Params;
use crate::storage;

/// The study that runs when none is named.
const DEFAULT: &str = include_str!("default.toml");
/// Largest specification that is read.
const MAX_BYTES: u64 = 1 << 20;

/// A study: every task under every attack with every mitigator, over independently trained models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// The question it asks.
    pub question: String,
    /// Seed of model 0; model i has seed `first_seed + i`. Everything random in a model's cells follows from its seed.
    pub first_seed: u64,
    /// Independently trained models a task.
    pub models: u32,
    /// Attack success without a defence below which an attack counts as failed on a model, and its cells are left out.
    pub min_attack_success: f64,
    /// The tasks.
    #[serde(rename = "task")]
    pub tasks: Vec<Task>,
    /// The attacks. Clean twins are always there.
    #[serde(rename = "attack", default)]
    pub attacks: Vec<MethodSpec>,
    /// The mitigators.
    #[serde(rename = "mitigator")]
    pub mitigators: Vec<MethodSpec>,
}

/// A population, how nets are trained on it, and what mitigators may spend on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Training samples a model.
    pub train: usize,
    /// Test inputs a model.
    pub test: usize,
    /// Where inputs and labels come from.
    pub population: Family,
    /// How nets are built and trained.
    #[serde(default)]
    pub recipe: Recipe,
    /// The most that a mitigator may spend before its first answer.
    #[serde(default)]
    pub budget: Budget,
    /// The most that it may spend on each answer, on average over all answers.
    #[serde(default)]
    pub per_answer: Budget,
}

/// An attack or a mitigator in a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodSpec {
    /// Its name in the registry.
    pub method: String,
    /// Its name in this study, where one method stands twice with other parameters. Not given: the method's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tasks it is for. Not given: all to which it applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<String>>,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub params: Params,
    /// What is done to a planted net before it is published, in this order; attacks only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obfuscate: Vec<StepSpec>,
}

/// An obfuscation of a planted net in a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// Its name in the registry.
    pub method: String,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub params: Params,
}

impl MethodSpec {
    /// Its name in this study.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.method)
    }

    /// What an attack's coins are named after: one that is obfuscated plants as the plain one does, so that the rungs of
    /// the ladder differ in nothing else.
    pub(super) fn coins(&self) -> &str {
        if self.obfuscate.is_empty() { self.label() } else { &self.method }
    }
}

impl Spec {
    /// The default study.
    pub fn default_study() -> Result<Self> {
        Self::parse(DEFAULT, "the embedded default study")
    }

    /// Reads a study from a file.
    pub fn load(path: &Path) -> Result<Self> {
        Self::parse(&text_of(path)?, &path.display().to_string())
    }

    /// Reads a study from text; `place` names it in errors.
    pub fn parse(text: &str, place: &str) -> Result<Self> {
        parse(text, place)
    }

    /// The study as text, with every default filled in.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self)
            .map_err(|error| Error::Spec { place: self.name.clone(), why: error.to_string() })
    }
}

impl Task {
    /// A task of the default study by name, or else a task from a TOML file.
    pub fn named_or_load(name: &str) -> Result<Self> {
        let known = Spec::default_study()?.tasks;
        if let Some(found) = known.iter().find(|task| task.name == name) {
            return Ok(found.clone());
        }
        let path = Path::new(name);
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"))
            || path.is_file()
        {
            return parse(&text_of(path)?, name);
        }
        Err(Error::unknown("task", name, known.iter().map(|task| task.name.as_str())))
    }

    /// Checks that the task can be carried out.
    pub fn check(&self) -> Result<()> {
        let world = self.population.world()?;
        self.recipe.check()?;
        self.recipe.loss_for(world.target)?;
        self.population.check_available(Part::Train, self.train)?;
        self.population.check_available(Part::Test, self.test)?;
        let shape = world.shape();
        for (name, rows) in [("train", self.train), ("test", self.test)] {
            if rows == 0 {
                return Err(Error::parameter(name, rows, "at least one row is needed"));
            }
            data::check_size(name, rows, shape.inputs)?;
        }
        self.recipe.check_size(shape)?;
        Ok(())
    }
}

fn text_of(path: &Path) -> Result<String> {
    String::from_utf8(storage::read(path, MAX_BYTES)?)
        .map_err(|_| Error::file(path, "not text in UTF-8"))
}

/// Reads TOML; `place`, with the line, says in errors where it is wrong.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(text: &str, place: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
        let place = match line {
            Some(line) => format!("{place}, line {line}"),
            None => place.to_owned(),
        };
        Error::Spec { place, why: error.message().to_owned() }
    })
}
