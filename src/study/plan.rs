//! A checked study: every name resolved, every parameter in its range, every cell known before the first model is trained.
use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::record::{CLEAN_TWIN, Cell, VERSION};
use super::spec::{MethodSpec, Spec, StepSpec, Task};
use super::summary::NOTHING;
use crate::attack::Attack;
use crate::attack::obfuscate::{Obfuscated, Step};
use crate::error::{Error, Result};
use crate::population::World;
use crate::registry::{AnyMitigator, attack_named, mitigator_named, obfuscation_named};

/// Most models a task.
const MOST_MODELS: u32 = 100_000;

/// A study that can be run.
#[derive(Debug)]
pub struct Plan {
    /// The specification, with every default filled in.
    pub spec: Spec,
    /// The tasks with what runs on them.
    pub tasks: Vec<TaskPlan>,
    /// SHA-256 of the filled-in specification, the content of data files, the record format and the version of this crate.
    pub hash: String,
}

/// One task with the attacks and mitigators that run on it.
pub struct TaskPlan {
    /// The task.
    pub task: Task,
    /// Attacks by their names in the study.
    pub attacks: Vec<(String, Box<dyn Attack>)>,
    /// Mitigators by their names in the study.
    pub mitigators: Vec<(String, AnyMitigator)>,
}

impl std::fmt::Debug for TaskPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let attacks: Vec<&String> = self.attacks.iter().map(|(name, _)| name).collect();
        let mitigators: Vec<&String> = self.mitigators.iter().map(|(name, _)| name).collect();
        f.debug_struct("TaskPlan")
            .field("task", &self.task)
            .field("attacks", &attacks)
            .field("mitigators", &mitigators)
            .finish()
    }
}

impl Plan {
    /// Checks `spec` and fills in its defaults.
    ///
    /// # Errors
    /// On an unknown name (with the nearest one), an impossible parameter, a name used twice, or a method named for a task
    /// that it does not apply to.
    pub fn new(mut spec: Spec) -> Result<Self> {
        if spec.models == 0 || spec.models > MOST_MODELS {
            let want =
                format!("at least one model is needed and at most {MOST_MODELS} are accepted");
            return Err(Error::parameter("models", spec.models, want));
        }
        for (kind, none) in
            [("task", spec.tasks.is_empty()), ("mitigator", spec.mitigators.is_empty())]
        {
            if none {
                let why = format!("at least one {kind} is needed");
                return Err(Error::Spec { place: spec.name.clone(), why });
            }
        }
        if spec.first_seed.checked_add(u64::from(spec.models)).is_none() {
            let want = format!("{} models must fit above it", spec.models);
            return Err(Error::parameter("first_seed", spec.first_seed, want));
        }
        if !(0.0..=1.0).contains(&spec.min_attack_success) {
            let want = "a share from 0 to 1 is needed";
            return Err(Error::parameter("min_attack_success", spec.min_attack_success, want));
        }
        unique("task", spec.tasks.iter().map(|task| task.name.as_str()))?;
        unique("attack", spec.attacks.iter().map(MethodSpec::label).chain([CLEAN_TWIN]))?;
        unique("mitigator", spec.mitigators.iter().map(MethodSpec::label))?;
        let known: Vec<String> = spec.tasks.iter().map(|task| task.name.clone()).collect();
        if let Some(other) =
            spec.mitigators.iter().find(|m| m.label() == NOTHING && m.method != NOTHING)
        {
            let why = format!(
                "only the method \"{NOTHING}\" may have that name: others are compared with it"
            );
            return Err(Error::Spec { place: format!("mitigator {}", other.method), why });
        }
        for method in spec.attacks.iter().chain(&spec.mitigators) {
            for named in method.tasks.iter().flatten() {
                if !known.contains(named) {
                    return Err(Error::unknown("task", named, known.iter().map(String::as_str)));
                }
            }
        }
        for method in &mut spec.attacks {
            method.params = (attack_named(&method.method)?.build)(&method.params)?.params;
            for step in &mut method.obfuscate {
                step.params = (obfuscation_named(&step.method)?.build)(&step.params)?.params;
            }
        }
        if let Some(other) = spec.mitigators.iter().find(|m| !m.obfuscate.is_empty()) {
            let why = "only attacks can be obfuscated".to_owned();
            return Err(Error::Spec { place: format!("mitigator {}", other.label()), why });
        }
        for method in &mut spec.mitigators {
            method.params = (mitigator_named(&method.method)?.build)(&method.params)?.params;
        }
        let tasks = spec.tasks.iter().map(|task| plan_task(&spec, task)).collect::<Result<_>>()?;
        let hash = hash_of(&spec)?;
        Ok(Self { spec, tasks, hash })
    }

    /// The seed of model `model`.
    pub fn seed_of(&self, model: u32) -> u64 {
        self.spec.first_seed + u64::from(model)
    }

    /// Every cell, in the order of the records.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for task in &self.tasks {
            for attack in
                std::iter::once(CLEAN_TWIN).chain(task.attacks.iter().map(|(a, _)| a.as_str()))
            {
                for (mitigator, _) in &task.mitigators {
                    for model in 0..self.spec.models {
                        cells.push(Cell {
                            task: task.task.name.clone(),
                            attack: attack.to_owned(),
                            mitigator: mitigator.clone(),
                            model,
                        });
                    }
                }
            }
        }
        cells
    }
}

fn plan_task(spec: &Spec, task: &Task) -> Result<TaskPlan> {
    task.check().map_err(|error| within("task", &task.name, &error))?;
    let world = task.population.world()?;
    let mut attacks = Vec::new();
    for method in &spec.attacks {
        let entry = attack_named(&method.method)?;
        if wanted(method, task, &world, entry.applies, entry.scope)? {
            let built = obfuscated((entry.build)(&method.params)?.method, method)?;
            built.check(&world).map_err(|error| within("attack", method.label(), &error))?;
            attacks.push((method.label().to_owned(), built));
        }
    }
    let mut mitigators = Vec::new();
    for method in &spec.mitigators {
        let entry = mitigator_named(&method.method)?;
        if wanted(method, task, &world, entry.applies, entry.scope)? {
            let built = (entry.build)(&method.params)?.method;
            built.check(&world).map_err(|error| within("mitigator", method.label(), &error))?;
            mitigators.push((method.label().to_owned(), built));
        }
    }
    Ok(TaskPlan { task: task.clone(), attacks, mitigators })
}

/// The attack with its obfuscations, if it has any.
fn obfuscated(attack: Box<dyn Attack>, method: &MethodSpec) -> Result<Box<dyn Attack>> {
    if method.obfuscate.is_empty() {
        return Ok(attack);
    }
    let step = |step: &StepSpec| {
        let built = (obfuscation_named(&step.method)?.build)(&step.params)?;
        Ok(Step { name: step.method.clone(), method: built.method })
    };
    let steps = method.obfuscate.iter().map(step).collect::<Result<_>>()?;
    Ok(Box::new(Obfuscated { attack, steps }))
}

/// Whether `method` runs on `task`: named for it, or named for none in particular and applicable.
fn wanted(
    method: &MethodSpec,
    task: &Task,
    world: &World,
    applies: fn(&World) -> bool,
    scope: &str,
) -> Result<bool> {
    match &method.tasks {
        None => Ok(applies(world)),
        Some(tasks) if !tasks.contains(&task.name) => Ok(false),
        Some(_) if applies(world) => Ok(true),
        Some(_) => Err(Error::Spec {
            place: format!("method {}", method.label()),
            why: format!("it does not apply to task {}; it is for {scope}", task.name),
        }),
    }
}

fn within(kind: &str, name: &str, error: &Error) -> Error {
    Error::Spec { place: format!("{kind} {name}"), why: error.to_string() }
}

fn unique<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if name.is_empty() || !seen.insert(name) {
            let why = if name == CLEAN_TWIN {
                format!("\"{CLEAN_TWIN}\" names the clean twin, which is always there")
            } else {
                "every name must be given once and not be empty; use `name = …` to tell two apart"
                    .to_owned()
            };
            return Err(Error::Spec { place: format!("{kind} \"{name}\""), why });
        }
    }
    Ok(())
}

fn hash_of(spec: &Spec) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(format!("absolve {} records {VERSION}\n", env!("CARGO_PKG_VERSION")));
    hash.update(spec.to_toml()?);
    for task in &spec.tasks {
        if let Some(fingerprint) = task.population.fingerprint()? {
            hash.update(format!("data of {}: {fingerprint}\n", task.name));
        }
    }
    Ok(crate::digest::hex(hash))
}
