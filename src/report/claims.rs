//! What mitigators claimed about their answers, against what was measured.
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::format::{NOTHING_MEASURED, human, of, share};
use super::results::named;
use crate::study::record::{Guarantee, Outcome, Record};
use crate::study::summary::{Row, Summary};

/// One claim of one row, and the row's measurements.
#[derive(Serialize)]
pub(super) struct ClaimView {
    task: String,
    attack: String,
    mitigator: String,
    statement: String,
    models: String,
    failure_probability: String,
    error_bar: String,
    within_bar: String,
    held: String,
    support_exact: String,
    /// Whether even the upper end of the measured interval is below what was claimed.
    missed: bool,
}

/// All claims, in the order of the rows; one claim made for several models is one line.
pub(super) fn claims(summary: &Summary, records: &[Record]) -> Vec<ClaimView> {
    let mut views = Vec::new();
    for row in &summary.rows {
        let mut claims: BTreeMap<&str, Vec<(u32, &Guarantee)>> = BTreeMap::new();
        for record in records {
            let cell = &record.cell;
            let same = (&cell.task, &cell.attack, &cell.mitigator)
                == (&row.task, &row.attack, &row.mitigator);
            if let (true, Outcome::Done(measured)) = (same, &record.outcome)
                && let Some(guarantee) = &measured.guarantee
            {
                let made = claims.entry(&guarantee.statement).or_default();
                made.push((cell.model, guarantee));
            }
        }
        views.extend(claims.into_iter().map(|(statement, made)| view(row, statement, &made)));
    }
    views
}

fn view(row: &Row, statement: &str, made: &[(u32, &Guarantee)]) -> ClaimView {
    let models: BTreeSet<u32> = made.iter().map(|(model, _)| *model).collect();
    let failure = made.iter().map(|(_, g)| g.failure_probability).fold(0.0, f64::max);
    ClaimView {
        task: row.task.clone(),
        attack: row.attack.clone(),
        mitigator: row.mitigator.clone(),
        statement: statement.to_owned(),
        models: named(&models),
        failure_probability: span(made.iter().map(|(_, g)| g.failure_probability)),
        error_bar: span(made.iter().filter_map(|(_, g)| g.error_bar)),
        within_bar: share(row.within_bar),
        held: of(row.assumptions_held),
        support_exact: of(row.support_exact),
        missed: row.within_bar.is_some_and(|measured| measured.high < 1.0 - failure),
    }
}

/// A number, or from the smallest to the largest where they differ.
fn span(values: impl Iterator<Item = f64> + Clone) -> String {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    match (human(low), human(high)) {
        (low, _) if low == NOTHING_MEASURED => low,
        (low, high) if low == high => low,
        (low, high) => format!("{low} to {high}"),
    }
}
