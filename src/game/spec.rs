//! What a game is, as people write it: a TOML file.
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Attack, DISTINGUISHERS, Distinguisher, Error, Result, Task, distinguisher_named};
use crate::attack::obfuscate::Step;
use crate::registry::{attack_named, obfuscation_named};
use crate::storage;
use crate::study::{self, MethodSpec};

/// Fewest nets a side: a rule is learnt on half of them.
const FEWEST: u32 = 8;
/// Most nets a side.
const MOST: u32 = 100_000;
/// Largest specification that is read.
const MAX_BYTES: u64 = 1 << 20;

/// A game: an attack on nets of one task, and who looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Seed of the first net; 2 · `nets` seeds are used.
    pub first_seed: u64,
    /// Nets a side, from 8 to 100000.
    pub nets: u32,
    /// Distinguishers by name. None: all.
    #[serde(default)]
    pub distinguishers: Vec<String>,
    /// The task that nets are trained for.
    pub task: Task,
    /// The attack, with what obfuscates it.
    pub attack: MethodSpec,
}

/// A game with every name resolved and every parameter in its range.
pub struct Checked {
    /// The specification, with every default filled in.
    pub spec: Spec,
    pub(super) attack: Box<dyn Attack>,
    /// What obfuscates the nets of both sides.
    pub(super) steps: Vec<Step>,
    pub(super) distinguishers: Vec<&'static Distinguisher>,
}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checked").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Spec {
    /// Reads a game from a file.
    ///
    /// # Errors
    /// If it cannot be read, or is no game; the error names the line.
    pub fn load(path: &Path) -> Result<Self> {
        load(path)
    }

    /// Resolves names, checks parameters and fills in defaults, before anything is trained.
    ///
    /// # Errors
    /// On an unknown name, a distinguisher named twice, a parameter out of range, or an attack that does not apply.
    pub fn check(mut self) -> Result<Checked> {
        if !(FEWEST..=MOST).contains(&self.nets) {
            let want = format!("from {FEWEST} to {MOST} nets a side are needed");
            return Err(Error::parameter("nets", self.nets, want));
        }
        if self.first_seed.checked_add(2 * u64::from(self.nets)).is_none() {
            let want = format!("{} seeds must fit above it", 2 * u64::from(self.nets));
            return Err(Error::parameter("first_seed", self.first_seed, want));
        }
        if self.distinguishers.is_empty() {
            self.distinguishers = DISTINGUISHERS.iter().map(|d| d.name.to_owned()).collect();
        }
        let mut distinguishers: Vec<&'static Distinguisher> = Vec::new();
        for name in &self.distinguishers {
            let found = distinguisher_named(name)?;
            if distinguishers.iter().any(|other| other.name == found.name) {
                return Err(Error::parameter("distinguishers", name, "each may be named once"));
            }
            distinguishers.push(found);
        }
        self.task.check()?;
        let (attack, steps) = attack(&mut self.attack, &self.task)?;
        Ok(Checked { spec: self, attack, steps, distinguishers })
    }
}

/// Makes an attack on nets of `task` and what obfuscates it, and fills in their parameters.
pub(super) fn attack(method: &mut MethodSpec, task: &Task) -> Result<(Box<dyn Attack>, Vec<Step>)> {
    let world = task.population.world()?;
    let entry = attack_named(&method.method)?;
    if !(entry.applies)(&world) {
        let why = format!("it does not apply to task {}; it is for {}", task.name, entry.scope);
        return Err(Error::Spec { place: format!("attack {}", entry.name), why });
    }
    let built = (entry.build)(&method.params)?;
    method.params = built.params;
    let attack = built.method;
    let mut steps = Vec::new();
    for step in &mut method.obfuscate {
        let built = (obfuscation_named(&step.method)?.build)(&step.params)?;
        step.params = built.params;
        steps.push(Step { name: step.method.clone(), method: built.method });
    }
    attack.check(&world)?;
    steps.iter().try_for_each(|step| step.method.check(&world))?;
    Ok((attack, steps))
}

/// Reads a game from a file.
pub(super) fn load<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = String::from_utf8(storage::read(path, MAX_BYTES)?)
        .map_err(|_| Error::file(path, "not text in UTF-8"))?;
    study::parse(&text, &path.display().to_string())
}
