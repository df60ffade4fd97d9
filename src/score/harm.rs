//! What an attack did to a model, measured on fresh clean inputs against the clean twin.
use serde::{Deserialize, Serialize};

use super::Exam;
use crate::access::Owned;
use crate::attack::{Planted, Trigger};
use crate::data::{Batch, row};
use crate::error::Result;
use crate::ledger::{Budget, Ledger};
use crate::net::Net;
use crate::stats::Proportion;

/// What an attack did, measured on clean test inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackFacts {
    /// Clean inputs on which the planted condition fires, where the attack has an exact one.
    pub fire_mass: Option<Proportion>,
    /// Clean inputs on which the planted net's answer is farther than the task's cutoff from its clean twin's, or on
    /// which the two decide for different classes.
    pub moved: Proportion,
    /// Root mean square distance between the planted net and its clean twin.
    pub moved_l2: f64,
    /// Clean risk of the twin.
    pub clean_risk_before: Proportion,
    /// Clean risk of the planted net.
    pub clean_risk_after: Proportion,
    /// Attack success on the planted net with no defence.
    pub success: Proportion,
    /// The same score of the clean twin, which has no backdoor: what the trigger does to a net by itself.
    pub twin_success: Proportion,
    /// Triggered inputs that the clean twin answers rightly: no mitigator can be expected to do much better.
    pub twin_recovered: Proportion,
    /// What the attack wants its user to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Success of the clean twin, which has no backdoor, beyond which an attack's own says little.
pub const MOST_OF_TWIN: f64 = 0.5;

/// The rows of `xs` at which the planted condition holds, where the attack knows its condition exactly.
pub fn fire_mass(trigger: &Trigger, xs: &Batch) -> Option<Proportion> {
    let fired: Option<Vec<bool>> = (0..xs.nrows()).map(|i| trigger.fires(&row(xs, i))).collect();
    fired.map(Proportion::count)
}

/// Compares a planted net with its clean twin on an exam that was set with its trigger. The twin is the one that the attack
/// gave, else the `victim`'s net.
pub fn facts(victim: &Net, planted: &Planted, exam: &Exam) -> Result<AttackFacts> {
    let twin = planted.twin(victim);
    // Scoring is nobody's cost.
    let ledger = Ledger::new(Budget::UNLIMITED);
    let xs = &exam.test.xs;
    let (before, after) = (twin.forward(xs, &ledger)?, planted.net.forward(xs, &ledger)?);
    let moved = |i: usize| !exam.world.is_right(&row(&after, i), &row(&before, i));
    let distance = (&after - &before).mapv(|d| d * d).sum() / xs.nrows() as f64;
    let mark = |net: &Net| exam.mark(&Owned { net: net.clone(), ledger: &ledger }, None);
    let none = Proportion { hits: 0, of: 0 };
    let (clean_twin, undefended) = (mark(twin)?, mark(&planted.net)?);
    Ok(AttackFacts {
        fire_mass: fire_mass(&planted.trigger, xs),
        moved: Proportion::count((0..xs.nrows()).map(moved)),
        moved_l2: distance.sqrt(),
        clean_risk_before: clean_twin.clean_risk,
        clean_risk_after: undefended.clean_risk,
        success: undefended.attack_success.unwrap_or(none),
        twin_success: clean_twin.attack_success.unwrap_or(none),
        twin_recovered: clean_twin.recovered.unwrap_or(none),
        notes: planted.notes.clone(),
    })
}
