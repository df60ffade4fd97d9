//! One model's cells: train it once, plant every attack, run every mitigator, score. A pure function of plan and seed.
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::model::Model;
use super::picture;
use super::plan::{Plan, TaskPlan};
use super::record::{CLEAN_TWIN, Cell, Measured, ModelFacts, Outcome, Record, Spending, VERSION};
use super::spec::MethodSpec;
use super::summary::NOTHING;
use crate::access::{LabSeeds, Owned, Suspect};
use crate::attack::{Planted, Trigger};
use crate::error::{Error, Result};
use crate::fourier::Function;
use crate::ledger::{Budget, Ledger};
use crate::mitigate::{Assumption, Repaired, theorems};
use crate::net::Net;
use crate::registry::AnyMitigator;
use crate::score::{self, AssumptionCheck, AttackFacts, Exam};
use crate::stats::Proportion;

/// Runs the cells of model `model` of `task` that `wanted` asks for, and hands each record to `keep` as soon as it is there.
///
/// What fails becomes a record that says so; an error is returned only if `keep` fails.
pub(super) fn run_model(
    plan: &Plan,
    task: &TaskPlan,
    model: u32,
    wanted: &dyn Fn(&Cell) -> bool,
    keep: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<()> {
    let name = &task.task.name;
    let attacks: Vec<&str> =
        std::iter::once(CLEAN_TWIN).chain(task.attacks.iter().map(|(a, _)| a.as_str())).collect();
    let cell = |attack: &str, mitigator: &str| Cell {
        task: name.clone(),
        attack: attack.to_owned(),
        mitigator: mitigator.to_owned(),
        model,
    };
    let record = |cell: Cell, access: &str, outcome: Outcome| Record {
        version: VERSION,
        plan: plan.hash.clone(),
        cell,
        access: access.to_owned(),
        outcome,
    };
    let all_there = |attack: &&str| !task.mitigators.iter().any(|(m, _)| wanted(&cell(attack, m)));
    if attacks.iter().all(all_there) {
        return Ok(());
    }
    let made = Model::train(&task.task, plan.seed_of(model), &mut |_| {});
    for attack in attacks {
        let missing: Vec<&(String, AnyMitigator)> =
            task.mitigators.iter().filter(|(m, _)| wanted(&cell(attack, m))).collect();
        if missing.is_empty() {
            continue;
        }
        let subject = match &made {
            Ok(made) => Subject::new(plan, task, made, attack),
            Err(error) => Err(Outcome::Failed { why: format!("training: {error}") }),
        };
        for (mitigator, method) in missing {
            let outcome = match &subject {
                Ok(subject) => {
                    match caught(|| subject.measure(task, mitigator, method, model == 0)) {
                        Ok(measured) if survives_json(&measured) => {
                            Outcome::Done(Box::new(measured))
                        }
                        Ok(_) => {
                            Outcome::Failed { why: "a measured number is not finite".to_owned() }
                        }
                        Err(error) => Outcome::Failed { why: error.to_string() },
                    }
                }
                Err(outcome) => outcome.clone(),
            };
            keep(record(cell(attack, mitigator), method.access(), outcome))?;
        }
    }
    Ok(())
}

/// Runs `work`; a panic in it is a bug, and costs this cell and not the study.
fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::Training(
            "the program has a bug here: it panicked (see standard error)".to_owned(),
        ))
    })
}

/// Largest recovered function that is kept in a record; a larger one is none that a person could read.
const MOST_TERMS: usize = 256;

/// Whether a record can be read back: JSON has no infinities, and one of them would lose the whole file.
fn survives_json(measured: &Measured) -> bool {
    let text = serde_json::to_string(measured);
    text.is_ok_and(|text| {
        serde_json::from_str::<Measured>(&text).is_ok_and(|read| read == *measured)
    })
}

/// Training inputs on which an attack is tried, to see whether it took hold: test inputs decide nothing.
const N_TRIED: usize = 500;

/// A net to be published, with the exam that is set for it.
struct Subject<'a> {
    made: &'a Model,
    net: Net,
    trigger: Option<Trigger>,
    facts: Option<AttackFacts>,
    theorems: Vec<AssumptionCheck>,
    exam: Exam,
}

impl<'a> Subject<'a> {
    /// Plants `attack`; the clean twin is published as it is. An attack that does not take hold is an outcome of its own.
    fn new(plan: &Plan, task: &TaskPlan, made: &'a Model, attack: &str) -> Result<Self, Outcome> {
        // A trigger that changes nothing, or that leaves nothing to score, is an attack that did not take hold.
        let failed = |error: Error| match error {
            Error::Training(why) if attack != CLEAN_TWIN => Outcome::AttackFailed { why },
            error => Outcome::Failed { why: format!("planting: {error}") },
        };
        let spec = plan.spec.attacks.iter().find(|spec| spec.label() == attack);
        let coins = spec.map_or(attack, MethodSpec::coins);
        let seed = made.seed().child("attack").child(coins);
        let planted: Option<Planted> = match task.attacks.iter().find(|(name, _)| name == attack) {
            Some((_, method)) => {
                let world = made.world();
                Some(method.plant(&made.victim(&world), seed).map_err(failed)?)
            }
            None => None,
        };
        let trigger = planted.as_ref().map(|planted| planted.trigger.clone());
        if let Some(planted) = &planted {
            let least = plan.spec.min_attack_success;
            let (got, twin) = took_hold(made, planted).map_err(failed)?;
            if let Some(why) = doubt(got, twin, least) {
                return Err(Outcome::AttackFailed { why });
            }
        }
        let test = made.test().map_err(failed)?;
        let mut rng = made.seed().stream("triggered test inputs");
        let exam =
            Exam::new(&*made.population, test, trigger.as_ref(), &mut rng).map_err(failed)?;
        let facts = match &planted {
            Some(planted) => Some(score::facts(&made.net, planted, &exam).map_err(failed)?),
            None => None,
        };
        let net = planted.map_or_else(|| made.net.clone(), |planted| planted.net);
        let theorems = made.theorems(&net).map_err(failed)?;
        Ok(Self { made, net, trigger, facts, theorems, exam })
    }

    /// Runs one mitigator and scores what it gives back.
    ///
    /// The method's randomness and its clean samples do not depend on the attack, so a planted net and its clean twin are
    /// mitigated with the same coins: what differs in the result is due to the net.
    fn measure(
        &self,
        task: &TaskPlan,
        name: &str,
        mitigator: &AnyMitigator,
        with_picture: bool,
    ) -> Result<Measured> {
        let seed = self.made.seed();
        let suspect = Suspect::publish(self.net.clone(), task.task.budget);
        let seeds =
            LabSeeds { samples: seed.child("clean"), method: seed.child("mitigator").child(name) };
        let mut lab = suspect.lab(&*self.made.population, &self.made.task.recipe, seeds);
        let repaired = mitigator.mitigate(&suspect, &mut lab)?;
        let prepare = suspect.spent();
        let n_answers = self.exam.n_answers();
        suspect.allow_answers(task.task.per_answer, n_answers);
        let scores =
            self.exam.mark_each(&*repaired.oracle, &|x| Some(repaired.claim_at(x)?.error_bar))?;
        let answers = suspect.spent() - prepare;
        let Repaired { guarantee, assumptions, function, notes, .. } = repaired;
        let assumptions = checks(&assumptions, &self.net, self.made)?;
        let domain = &self.made.population.world().domain;
        let written = |_: &Function| self.made.population.truth()?.function(domain);
        let truth = function.as_ref().and_then(written);
        let support_exact = match (&function, &truth) {
            (Some(function), Some(truth)) => function.same_support(truth),
            _ => None,
        };
        // Spectra are for methods that looked at the suspect's: those with an assumption about it.
        let found = function.as_ref().filter(|_| !assumptions.is_empty());
        let picture = (with_picture && (found.is_some() || name == NOTHING))
            .then(|| {
                let cube = |of: Option<&'_ Function>| of.and_then(Function::cube).cloned();
                let (found, truth) = (cube(found), cube(truth.as_ref()));
                picture::of(&self.net, &self.exam, found.as_ref(), truth.as_ref())
            })
            .flatten();
        debug_assert_eq!(self.trigger.is_some(), scores.attack_success.is_some());
        Ok(Measured {
            model: ModelFacts {
                sha256: self.net.sha256(),
                widths: self.net.widths(),
                forward_flops: self.net.forward_flops(),
                theorems: self.theorems.clone(),
                curve: if self.facts.is_none() { self.made.curve.clone() } else { Vec::new() },
            },
            attack: self.facts.clone(),
            scores,
            spent: Spending { prepare, answers, n_answers },
            assumptions,
            guarantee,
            notes,
            support_exact,
            function: function.filter(|function| function.n_terms() <= MOST_TERMS),
            picture,
        })
    }
}

impl Model {
    /// The assumptions of the theorems about this kind of truth, at their default parameters, checked on `net`: none where there
    /// is no theorem, or the truth is not known.
    ///
    /// # Errors
    /// If `net` does not fit the population.
    pub fn theorems(&self, net: &Net) -> Result<Vec<AssumptionCheck>> {
        checks(&theorems(&self.world())?, net, self)
    }
}

/// Checks assumptions about `net` against the truth of its population.
fn checks(assumptions: &[Assumption], net: &Net, made: &Model) -> Result<Vec<AssumptionCheck>> {
    let mut checks = Vec::new();
    for assumption in assumptions {
        let mut rng = made.seed().stream("assumptions");
        checks.extend(score::check(assumption, net, &*made.population, &mut rng)?);
    }
    Ok(checks)
}

/// Why an attack that succeeds on a share `got` of triggered inputs, and on its clean twin on `twin`, did not take hold; where
/// no success is asked for, every attack did.
fn doubt(got: f64, twin: f64, least: f64) -> Option<String> {
    if got < least {
        return Some(format!(
            "success on triggered training inputs without a defence is {got:.3}, at least {least} is needed"
        ));
    }
    (least > 0.0 && twin > score::MOST_OF_TWIN).then(|| {
        format!(
            "the clean twin, which has no backdoor, gives the attacker's answer on {twin:.3} of triggered training inputs, at most {} are accepted",
            score::MOST_OF_TWIN
        )
    })
}

/// Attack success with no defence on triggered training inputs, of the planted net and of the clean twin.
fn took_hold(made: &Model, planted: &Planted) -> Result<(f64, f64)> {
    let rows: Vec<usize> = (0..made.data.len().min(N_TRIED)).collect();
    let mut rng = made.seed().stream("triggered training inputs");
    let tried = made.data.select(&rows);
    let exam = Exam::new(&*made.population, tried, Some(&planted.trigger), &mut rng)?;
    let ledger = Ledger::new(Budget::UNLIMITED);
    let success = |net: &Net| -> Result<f64> {
        let scores = exam.mark(&Owned { net: net.clone(), ledger: &ledger }, None)?;
        Ok(scores.attack_success.map_or(0.0, Proportion::value))
    };
    Ok((success(&planted.net)?, success(planted.twin(&made.net))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_takes_hold_if_it_succeeds_and_its_clean_twin_does_not() {
        assert_eq!(doubt(0.8, 0.5, 0.8), None);
        assert!(doubt(0.79, 0.0, 0.8).unwrap().contains("0.790, at least 0.8"));
        assert!(doubt(1.0, 0.51, 0.8).unwrap().contains("clean twin"));
        assert_eq!(doubt(0.0, 1.0, 0.0), None);
    }
}
