//! What a game of canonicality is, as people write it: a TOML file.
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::attack::Attack;
use crate::attack::obfuscate::Obfuscated;
use crate::error::{Error, Result};
use crate::game::spec::{attack, load};
use crate::registry::{AnyMitigator, mitigator_named};
use crate::study::{MethodSpec, Task};

/// Fewest runs a side: a rule is learnt on half of them.
const FEWEST_RUNS: u32 = 8;
/// Most runs a side.
const MOST_RUNS: u32 = 1_000_000;
/// Most pairs.
const MOST_PAIRS: u32 = 10_000;
/// Most inputs of a kind.
const MOST_INPUTS: u32 = 10_000;
/// Most numbers that are kept of one pair: 1 GiB.
const MOST_NUMBERS: u64 = 1 << 27;

/// A game: one mitigator on clean nets and on their backdoored twins, again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Seed of the first pair's nets; each pair has the next.
    pub first_seed: u64,
    /// Pairs of a clean net and its planted twin, each with a population of its own.
    pub pairs: u32,
    /// Runs on each net with randomness of their own, and as many coupled runs; from 8 to 1000000.
    pub runs: u32,
    /// Clean test inputs at which answers are looked at, and at most as many triggered ones.
    pub inputs: u32,
    /// The task that nets are trained for, and the mitigator's budget.
    pub task: Task,
    /// The attack, with what obfuscates it.
    pub attack: MethodSpec,
    /// The mitigator.
    pub mitigator: MethodSpec,
}

/// A game with every name resolved and every parameter in its range.
pub struct Checked {
    /// The specification, with every default filled in.
    pub spec: Spec,
    pub(super) attack: Box<dyn Attack>,
    pub(super) mitigator: AnyMitigator,
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
    /// On an unknown name, a parameter out of range, or a method that does not apply.
    pub fn check(mut self) -> Result<Checked> {
        self.task.check()?;
        let world = self.task.population.world()?;
        self.check_numbers(world.target.outputs() as u64)?;
        let (plain, steps) = attack(&mut self.attack, &self.task)?;
        let attack: Box<dyn Attack> = Box::new(Obfuscated { attack: plain, steps });
        let entry = mitigator_named(&self.mitigator.method)?;
        let bad = |why: String| Error::Spec { place: format!("mitigator {}", entry.name), why };
        if !self.mitigator.obfuscate.is_empty() {
            return Err(bad("obfuscations are for attacks".to_owned()));
        }
        if !(entry.applies)(&world) {
            let task = &self.task.name;
            return Err(bad(format!(
                "it does not apply to task {task}; it is for {}",
                entry.scope
            )));
        }
        let built = (entry.build)(&self.mitigator.params)?;
        built.method.check(&world)?;
        self.mitigator.params = built.params;
        Ok(Checked { spec: self, attack, mitigator: built.method })
    }

    fn check_numbers(&self, outputs: u64) -> Result<()> {
        let Self { pairs, runs, inputs, .. } = *self;
        for (name, value, least, most) in [
            ("pairs", pairs, 1, MOST_PAIRS),
            ("runs", runs, FEWEST_RUNS, MOST_RUNS),
            ("inputs", inputs, 1, MOST_INPUTS),
        ] {
            if !(least..=most).contains(&value) {
                return Err(Error::parameter(
                    name,
                    value,
                    format!("from {least} to {most} are needed"),
                ));
            }
        }
        if inputs as usize > self.task.test {
            let want = format!("task {} has {} test inputs", self.task.name, self.task.test);
            return Err(Error::parameter("inputs", inputs, want));
        }
        if self.first_seed.checked_add(u64::from(pairs)).is_none() {
            let want = format!("{pairs} seeds must fit above it");
            return Err(Error::parameter("first_seed", self.first_seed, want));
        }
        // Three runs of one number, two kinds of input.
        if 6 * u64::from(runs) * u64::from(inputs) * outputs > MOST_NUMBERS {
            let want =
                format!("with {inputs} inputs that is more than {MOST_NUMBERS} numbers a pair");
            return Err(Error::parameter("runs", runs, want));
        }
        Ok(())
    }
}
