//! Tables of what is measured beside the main scores: what each attack did to its models, and how far real answers are off.
use serde::Serialize;

use super::format::{NOTHING_MEASURED, human, share};
use crate::stats::{
    Estimate, Proportion, Quantiles, mean_over_models, mean_proportion_over_models,
};
use crate::study::record::{AssumptionCheck, AttackFacts, Measured, Outcome, Record};
use crate::study::summary::{NOTHING, Summary};

/// What one attack did, over models.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct AttackView {
    task: String,
    attack: String,
    n_models: usize,
    success: String,
    twin_success: String,
    twin_recovered: String,
    fire_mass: String,
    moved: String,
    moved_l2: String,
    from_class: String,
    risk_before: String,
    risk_after: String,
}

/// Errors of real answers of one (task, attack, mitigator), over models.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct ErrorView {
    task: String,
    attack: String,
    mitigator: String,
    /// Median, 90%, 99% quantile and largest, on clean and on triggered inputs.
    clean: Vec<String>,
    triggered: Vec<String>,
}

/// What the attacks did, read off the cells in which nothing was done about them.
pub(super) fn attacks(summary: &Summary, records: &[Record]) -> Vec<AttackView> {
    let rows = summary.rows.iter().filter(|row| row.mitigator == NOTHING);
    rows.filter_map(|row| {
        let cells: Vec<&Measured> = done(records, &row.task, &row.attack, &row.mitigator).collect();
        let facts: Vec<&AttackFacts> =
            cells.iter().filter_map(|measured| measured.attack.as_ref()).collect();
        let over = |of: fn(&AttackFacts) -> Option<Proportion>| {
            let each: Vec<Proportion> = facts.iter().filter_map(|facts| of(facts)).collect();
            share(mean_proportion_over_models(&each))
        };
        let distances: Vec<f64> = facts.iter().map(|facts| facts.moved_l2).collect();
        (!facts.is_empty()).then(|| AttackView {
            task: row.task.clone(),
            attack: row.attack.clone(),
            n_models: facts.len(),
            success: over(|facts| Some(facts.success)),
            twin_success: over(|facts| Some(facts.twin_success)),
            twin_recovered: over(|facts| Some(facts.twin_recovered)),
            fire_mass: over(|facts| facts.fire_mass),
            moved: over(|facts| Some(facts.moved)),
            moved_l2: mean(&distances),
            from_class: from_class(&cells),
            risk_before: over(|facts| Some(facts.clean_risk_before)),
            risk_after: over(|facts| Some(facts.clean_risk_after)),
        })
    })
    .collect()
}

/// Error quantiles of tasks with real answers.
pub(super) fn errors(summary: &Summary, records: &[Record]) -> Vec<ErrorView> {
    let view = |row: &crate::study::summary::Row| {
        let each: Vec<&Measured> = done(records, &row.task, &row.attack, &row.mitigator).collect();
        let over = |of: fn(&Measured) -> Option<Quantiles>| -> Vec<String> {
            let quantiles: Vec<Quantiles> = each.iter().filter_map(|m| of(m)).collect();
            let parts: [fn(&Quantiles) -> f64; 4] = [|q| q.median, |q| q.q90, |q| q.q99, |q| q.max];
            parts.iter().map(|part| mean(&quantiles.iter().map(part).collect::<Vec<_>>())).collect()
        };
        each.iter().any(|m| m.scores.clean_errors.is_some()).then(|| ErrorView {
            task: row.task.clone(),
            attack: row.attack.clone(),
            mitigator: row.mitigator.clone(),
            clean: over(|m| m.scores.clean_errors),
            triggered: over(|m| m.scores.triggered_errors),
        })
    };
    summary.rows.iter().filter_map(view).collect()
}

/// How far the models are from the class of their truth, against what the theorems allow: "0.06 of 0.125, held 20/20".
fn from_class(cells: &[&Measured]) -> String {
    let checks: Vec<&AssumptionCheck> =
        cells.iter().filter_map(|measured| measured.model.theorems.first()).collect();
    let Some(first) = checks.first() else { return NOTHING_MEASURED.to_owned() };
    let worst = checks.iter().map(|check| check.measured).fold(0.0, f64::max);
    let held = Proportion::count(checks.iter().map(|check| check.held));
    format!("{}/{} worst {} of {}", held.hits, held.of, human(worst), human(first.limit))
}

fn done<'a>(
    records: &'a [Record],
    task: &'a str,
    attack: &'a str,
    mitigator: &'a str,
) -> impl Iterator<Item = &'a Measured> {
    records.iter().filter_map(move |record| {
        let cell = &record.cell;
        let wanted = cell.task == task && cell.attack == attack && cell.mitigator == mitigator;
        match &record.outcome {
            Outcome::Done(measured) if wanted => Some(&**measured),
            _ => None,
        }
    })
}

/// A mean over models with its interval, in three digits.
fn mean(values: &[f64]) -> String {
    match mean_over_models(values) {
        Some(Estimate { value, low, high }) if low.is_finite() => {
            format!("{} [{}, {}]", human(value), human(low.max(0.0)), human(high))
        }
        Some(Estimate { value, .. }) => format!("{} [n=1]", human(value)),
        None => NOTHING_MEASURED.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// A cell of `mitigator` whose attack fired on `hits` of 100 inputs.
    fn fired(mitigator: &str, model: u32, hits: u64) -> Record {
        let facts = AttackFacts {
            fire_mass: Some(Proportion { hits, of: 100 }),
            moved: Proportion { hits: 0, of: 100 },
            moved_l2: 1.0 + f64::from(model),
            clean_risk_before: Proportion { hits: 1, of: 100 },
            clean_risk_after: Proportion { hits: 2, of: 100 },
            success: Proportion { hits: 100, of: 100 },
            twin_success: Proportion { hits: 1, of: 100 },
            twin_recovered: Proportion { hits: 90, of: 100 },
            notes: Vec::new(),
        };
        let mut record = fixture::done("task", "half-space", mitigator, model);
        if let Outcome::Done(measured) = &mut record.outcome {
            measured.attack = Some(facts);
        }
        record
    }

    #[test]
    fn an_attack_is_described_once_whatever_the_number_of_mitigators() {
        let rows = [NOTHING, "relearn"].map(|m| fixture::row("task", "half-space", m)).to_vec();
        let summary = Summary { rows, ..fixture::summary() };
        let records = [
            fired(NOTHING, 0, 4),
            fired(NOTHING, 1, 6),
            fired("relearn", 0, 4),
            fired("relearn", 1, 6),
        ];
        let views = attacks(&summary, &records);
        assert_eq!(views.len(), 1);
        assert_eq!(views[0].n_models, 2);
        assert!(views[0].fire_mass.starts_with("5.0% ["), "{}", views[0].fire_mass);
        // Distances 1 and 2: mean 1.5, half width 12.7 · 0.5.
        assert_eq!(views[0].moved_l2, "1.5 [0, 7.85]");
    }

    #[test]
    fn means_carry_their_interval_and_one_model_says_so() {
        // Two values 1 and 3: mean 2, standard error 1, t quantile of one degree of freedom 12.7.
        assert_eq!(mean(&[1.0, 3.0]), "2 [0, 14.7]");
        assert_eq!(mean(&[1.0]), "1 [n=1]");
    }
}
