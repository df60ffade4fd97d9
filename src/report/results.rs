//! The results table of the page, and the remarks below it: what failed, what was not met, what a mitigator noted.
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::format::{cost, human, of, points, share};
use super::group::by_task_and_attack;
use super::scatter::ACCESS_STYLES;
use super::table::models;
use crate::study::record::{AssumptionCheck, Outcome, Record};
use crate::study::summary::{Row, Summary};

/// The rows of one (task, attack), as text.
#[derive(Serialize)]
pub(super) struct GroupView {
    task: String,
    attack: String,
    rows: Vec<RowView>,
}

impl GroupView {
    /// How many of its rows are to be read with their remarks.
    pub(super) fn n_doubtful(&self) -> usize {
        self.rows.iter().filter(|row| row.doubtful).count()
    }
}

#[derive(Serialize)]
struct RowView {
    mitigator: String,
    access: String,
    sign: &'static str,
    colour: &'static str,
    models: String,
    clean_risk: String,
    harm: String,
    attack_success: String,
    recovered: String,
    queries: String,
    queries_before: String,
    passes: String,
    passes_before: String,
    labels: String,
    held: String,
    /// Whether a model failed or an assumption did not hold: the numbers are not to be read without the remark.
    doubtful: bool,
    /// The number of the remark below the table.
    remark: Option<usize>,
}

/// What has to be said about a row, or about several of which the same is true.
#[derive(Serialize)]
pub(super) struct Remark {
    number: usize,
    rows: Vec<String>,
    sentences: Vec<String>,
}

/// The results as text, with numbered remarks.
pub(super) fn results(summary: &Summary, records: &[Record]) -> (Vec<GroupView>, Vec<Remark>) {
    let mut remarks = Vec::new();
    let mut view = |row: &Row| row_view(row, remark(row, records, &mut remarks));
    let groups = by_task_and_attack(&summary.rows)
        .into_iter()
        .map(|group| GroupView {
            task: group.task.to_owned(),
            attack: group.attack.to_owned(),
            rows: group.rows.into_iter().map(&mut view).collect(),
        })
        .collect();
    (groups, remarks)
}

/// The number of the remark on a row; one that says the same of another row already is shared.
fn remark(row: &Row, records: &[Record], remarks: &mut Vec<Remark>) -> Option<usize> {
    let sentences = sentences(row, records);
    if sentences.is_empty() {
        return None;
    }
    let name = format!("{} · {} · {}", row.task, row.attack, row.mitigator);
    if let Some(same) = remarks.iter_mut().find(|remark| remark.sentences == sentences) {
        same.rows.push(name);
        return Some(same.number);
    }
    let number = remarks.len() + 1;
    remarks.push(Remark { number, rows: vec![name], sentences });
    Some(number)
}

fn row_view(row: &Row, remark: Option<usize>) -> RowView {
    let style = ACCESS_STYLES.iter().find(|style| style.access == row.access);
    RowView {
        mitigator: row.mitigator.clone(),
        access: row.access.clone(),
        sign: style.map_or("", |style| style.sign),
        colour: style.map_or("inherit", |style| style.colour),
        models: models(row),
        clean_risk: share(row.clean_risk),
        harm: points(row.harm),
        attack_success: share(row.attack_success),
        recovered: share(row.recovered),
        queries: cost(row.queries_per_answer),
        queries_before: cost(row.queries_before),
        passes: cost(row.passes_per_answer),
        passes_before: cost(row.passes_before),
        labels: cost(row.clean_labels),
        held: of(row.assumptions_held),
        doubtful: row.n_failed > 0
            || row.n_attack_failed > 0
            || row.assumptions_held.is_some_and(|held| held.hits < held.of),
        remark,
    }
}

/// Different notes of a row that are printed: beyond that they are one note with other numbers for every model.
const MOST_NOTES: usize = 2;

/// What there is to say about a row, each with the models that it is true of.
fn sentences(row: &Row, records: &[Record]) -> Vec<String> {
    let mut said: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let mut noted: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let mut unmet: BTreeMap<&str, Vec<(u32, &AssumptionCheck)>> = BTreeMap::new();
    let of_row = records.iter().filter(|record| {
        let cell = &record.cell;
        cell.task == row.task && cell.attack == row.attack && cell.mitigator == row.mitigator
    });
    for record in of_row {
        let model = record.cell.model;
        let mut say = |sentence: String| {
            said.entry(sentence).or_default().insert(model);
        };
        match &record.outcome {
            Outcome::Failed { why } => say(format!("Failed: {why}")),
            Outcome::AttackFailed { why } => say(format!("The attack did not take hold: {why}")),
            Outcome::Done(measured) => {
                for note in &measured.notes {
                    noted.entry(format!("Noted: {note}")).or_default().insert(model);
                }
                for check in measured.assumptions.iter().filter(|check| !check.held) {
                    unmet.entry(&check.statement).or_default().push((model, check));
                }
            }
        }
    }
    for (statement, checks) in unmet {
        let models = checks.iter().map(|(model, _)| *model).collect();
        let sentence = format!("Assumption not met: {statement} ({})", measured(&checks));
        said.insert(sentence, models);
    }
    let sentence =
        |(text, models): (String, BTreeSet<u32>)| format!("{text} – {}.", named(&models));
    let n_more = noted.len().saturating_sub(MOST_NOTES);
    let mut sentences: Vec<String> = said.into_iter().map(sentence).collect();
    sentences.extend(noted.into_iter().take(MOST_NOTES).map(sentence));
    if n_more > 0 {
        sentences.push(format!("The records hold {n_more} more notes like these."));
    }
    sentences
}

/// What was measured against what limit: "measured 0.25, limit 0.1", or "measured 0.2 to 0.3, …" of several models.
fn measured(checks: &[(u32, &AssumptionCheck)]) -> String {
    let span = |of: fn(&AssumptionCheck) -> f64| {
        let values = || checks.iter().map(|(_, check)| of(check));
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let (low, high) = (human(low), human(high));
        if low == high { low } else { format!("{low} to {high}") }
    };
    format!("measured {}, limit {}", span(|check| check.measured), span(|check| check.limit))
}

/// "model 3", or "models 0–2, 5".
pub(super) fn named(models: &BTreeSet<u32>) -> String {
    let numbers: Vec<u32> = models.iter().copied().collect();
    let run = |run: &[u32]| match run {
        [one] => one.to_string(),
        [first, .., last] if last - first > 1 => format!("{first}–{last}"),
        several => several.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
    };
    let runs: Vec<String> = numbers.chunk_by(|a, b| a + 1 == *b).map(run).collect();
    format!("model{} {}", if numbers.len() == 1 { "" } else { "s" }, runs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_in_a_row_are_named_by_their_ends() {
        assert_eq!(named(&BTreeSet::from([3])), "model 3");
        assert_eq!(named(&BTreeSet::from([0, 1, 2, 5, 7, 8])), "models 0–2, 5, 7, 8");
    }
}
