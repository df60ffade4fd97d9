//! Records of many models, put together: one row a (task, attack, mitigator).
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::{Measured, Outcome, Record};
use crate::stats::{Estimate, Proportion, mean_over_models, mean_proportion_over_models};

/// The name of the mitigator that does nothing: what every other is compared with.
pub const NOTHING: &str = "nothing";

/// A study in numbers. Every estimate is a mean over independently trained models with its 95% interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this format, that of the records.
    pub version: u32,
    /// SHA-256 of the plan.
    pub plan: String,
    /// Name of the study.
    pub name: String,
    /// The question it asks.
    pub question: String,
    /// One row a (task, attack, mitigator), in plan order.
    pub rows: Vec<Row>,
}

/// One (task, attack, mitigator) over all models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Task.
    pub task: String,
    /// Attack, or "none" for clean twins.
    pub attack: String,
    /// Mitigator.
    pub mitigator: String,
    /// Its access.
    pub access: String,
    /// Models measured.
    pub n_models: u64,
    /// Models on which the mitigator or the scorer failed.
    pub n_failed: u64,
    /// Models left out because the attack did not take hold.
    pub n_attack_failed: u64,
    /// Wrong answers on clean inputs.
    pub clean_risk: Option<Estimate>,
    /// Clean risk less that of `nothing` on the same model: what the mitigator costs in accuracy.
    pub harm: Option<Estimate>,
    /// Triggered inputs answered as the attacker wants.
    pub attack_success: Option<Estimate>,
    /// Triggered inputs answered rightly.
    pub recovered: Option<Estimate>,
    /// Triggered inputs answered within the claimed error bar.
    pub within_bar: Option<Estimate>,
    /// Queries before the first answer.
    pub queries_before: Option<Estimate>,
    /// Queries an answer.
    pub queries_per_answer: Option<Estimate>,
    /// Work before the first answer, in forward passes of the suspect.
    pub passes_before: Option<Estimate>,
    /// Work an answer, in forward passes of the suspect.
    pub passes_per_answer: Option<Estimate>,
    /// Clean labelled samples used.
    pub clean_labels: Option<Estimate>,
    /// Models for which every assumption of the mitigator's theorem held, of those where one was checked.
    pub assumptions_held: Option<Proportion>,
    /// Models for which the support of the recovered function was exactly the truth's.
    pub support_exact: Option<Proportion>,
}

/// Puts records together, in the order in which their (task, attack, mitigator) first appear.
pub fn rows(records: &[Record]) -> Vec<Row> {
    let mut order = Vec::new();
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&Record>> = BTreeMap::new();
    let mut undefended: BTreeMap<(&str, &str, u32), f64> = BTreeMap::new();
    for record in records {
        let cell = &record.cell;
        let key = (cell.task.as_str(), cell.attack.as_str(), cell.mitigator.as_str());
        groups.entry(key).or_insert_with(|| {
            order.push(key);
            Vec::new()
        });
        groups.entry(key).and_modify(|group| group.push(record));
        if let (NOTHING, Outcome::Done(measured)) = (key.2, &record.outcome) {
            undefended.insert((key.0, key.1, cell.model), measured.scores.clean_risk.value());
        }
    }
    let row_of = |key: &(&str, &str, &str)| row(&groups[key], &undefended);
    order.iter().map(row_of).collect()
}

fn row(group: &[&Record], undefended: &BTreeMap<(&str, &str, u32), f64>) -> Row {
    let cell = &group[0].cell;
    let done: Vec<(u32, &Measured)> = group
        .iter()
        .filter_map(|record| match &record.outcome {
            Outcome::Done(measured) => Some((record.cell.model, &**measured)),
            Outcome::Failed { .. } | Outcome::AttackFailed { .. } => None,
        })
        .collect();
    let count = |wanted: fn(&Outcome) -> bool| {
        group.iter().filter(|record| wanted(&record.outcome)).count() as u64
    };
    let proportion = |of: fn(&Measured) -> Option<Proportion>| {
        let each: Vec<Proportion> = done.iter().filter_map(|(_, m)| of(m)).collect();
        mean_proportion_over_models(&each)
    };
    let mean = |of: fn(&Measured) -> f64| {
        mean_over_models(&done.iter().map(|(_, m)| of(m)).collect::<Vec<_>>())
    };
    let share = |of: fn(&Measured) -> Option<bool>| {
        let each: Vec<bool> = done.iter().filter_map(|(_, m)| of(m)).collect();
        (!each.is_empty()).then(|| Proportion::count(each))
    };
    let harm: Vec<f64> = done
        .iter()
        .filter_map(|(model, m)| {
            let before = undefended.get(&(cell.task.as_str(), cell.attack.as_str(), *model))?;
            Some(m.scores.clean_risk.value() - before)
        })
        .collect();
    Row {
        task: cell.task.clone(),
        attack: cell.attack.clone(),
        mitigator: cell.mitigator.clone(),
        access: group[0].access.clone(),
        n_models: done.len() as u64,
        n_failed: count(|outcome| matches!(outcome, Outcome::Failed { .. })),
        n_attack_failed: count(|outcome| matches!(outcome, Outcome::AttackFailed { .. })),
        clean_risk: proportion(|m| Some(m.scores.clean_risk)),
        harm: mean_over_models(&harm),
        attack_success: proportion(|m| m.scores.attack_success),
        recovered: proportion(|m| m.scores.recovered),
        within_bar: proportion(|m| m.scores.within_bar),
        queries_before: mean(|m| m.spent.prepare.queries as f64),
        queries_per_answer: mean(|m| per_answer(m, m.spent.answers.queries)),
        passes_before: mean(|m| m.spent.prepare.flops as f64 / m.model.forward_flops as f64),
        passes_per_answer: mean(|m| {
            per_answer(m, m.spent.answers.flops) / m.model.forward_flops as f64
        }),
        clean_labels: mean(|m| {
            (m.spent.prepare.clean_labels + m.spent.answers.clean_labels) as f64
        }),
        assumptions_held: share(|m| {
            (!m.assumptions.is_empty()).then(|| m.assumptions.iter().all(|check| check.held))
        }),
        support_exact: share(|m| m.support_exact),
    }
}

fn per_answer(measured: &Measured, total: u64) -> f64 {
    total as f64 / measured.spent.n_answers as f64
}
