//! The figures of the page: heat maps and cost panels by task, examples with and without trigger, spectra.
use serde::Serialize;

use super::format::human;
use super::group::{by_task_and_attack, first_appearances, tasks};
use super::heat::{BLUES, HeatMap, ORANGES, Ramp};
use super::pictures::{changed, image};
use super::scatter::panel;
use super::spectrum;
use crate::stats::Estimate;
use crate::study::record::{CLEAN_TWIN, Example, Outcome, Picture, Record};
use crate::study::summary::{Row, Summary};

/// The darkest colour of a clean-risk map is the first of these that no cell passes.
const RISK_SCALES: [f64; 5] = [0.05, 0.1, 0.2, 0.5, 1.0];

/// The most examples shown for one record.
const MOST_EXAMPLES: usize = 8;

/// The figures of one task.
#[derive(Serialize)]
pub(super) struct TaskView {
    name: String,
    maps: Vec<MapView>,
    panels: Vec<PanelView>,
}

#[derive(Serialize)]
struct MapView {
    title: &'static str,
    svg: String,
    gradient: String,
    darkest: String,
}

#[derive(Serialize)]
struct PanelView {
    attack: String,
    svg: String,
}

/// Examples of one record.
#[derive(Serialize)]
pub(super) struct ImagesView {
    task: String,
    attack: String,
    model: u32,
    examples: Vec<ExampleView>,
}

#[derive(Serialize)]
struct ExampleView {
    plain: String,
    triggered: String,
    label: usize,
    answer_plain: usize,
    answer_triggered: usize,
    n_changed: usize,
    n_pixels: usize,
}

/// The spectrum of one record.
#[derive(Serialize)]
pub(super) struct SpectrumView {
    task: String,
    attack: String,
    mitigator: String,
    model: u32,
    svg: String,
    tau: String,
    n_left_out: usize,
}

/// The figures by task.
pub(super) fn by_task(summary: &Summary) -> Vec<TaskView> {
    let groups = by_task_and_attack(&summary.rows);
    let view = |task: &str| {
        let rows: Vec<&Row> = summary.rows.iter().filter(|row| row.task == task).collect();
        let largest = |of: fn(&Row) -> Option<Estimate>| {
            rows.iter().filter_map(|row| of(row)).map(|e| e.value).fold(0.0, f64::max)
        };
        let risk = largest(|row| row.clean_risk);
        let scale = RISK_SCALES.into_iter().find(|&scale| risk <= scale).unwrap_or(1.0);
        let maps = [
            map(&rows, "Attack success", |row| row.attack_success, (1.0, ORANGES)),
            map(&rows, "Clean risk", |row| row.clean_risk, (scale, BLUES)),
        ];
        let panels = groups.iter().filter(|group| group.task == task).filter_map(|group| {
            let label = format!(
                "Attack success against work an answer: {} on {task}, by mitigator",
                group.attack
            );
            Some(PanelView { attack: group.attack.to_owned(), svg: panel(&group.rows, &label)? })
        });
        TaskView {
            name: task.to_owned(),
            maps: maps.into_iter().flatten().collect(),
            panels: panels.collect(),
        }
    };
    tasks(&summary.rows).into_iter().map(view).collect()
}

/// The map of one share, with a column for each attack that has it at all, or `None` where there is none.
fn map(
    rows: &[&Row],
    title: &'static str,
    of: fn(&Row) -> Option<Estimate>,
    (darkest, ramp): (f64, Ramp),
) -> Option<MapView> {
    let mitigators = first_appearances(rows.iter().map(|row| row.mitigator.as_str()));
    let with_value = rows.iter().filter(|row| of(row).is_some());
    let attacks = first_appearances(with_value.map(|row| row.attack.as_str()));
    let task = &rows.first().filter(|_| !attacks.is_empty())?.task;
    let cell = |mitigator: &str, attack: &str| {
        let row = rows.iter().find(|row| row.mitigator == mitigator && row.attack == attack)?;
        of(row)
    };
    let cells = mitigators
        .iter()
        .map(|mitigator| attacks.iter().map(|attack| cell(mitigator, attack)).collect())
        .collect();
    let columns = attacks.iter().map(|&a| if a == CLEAN_TWIN { "clean twin" } else { a }).collect();
    let label = format!("{title} on {task}, a mitigator a row, an attack a column");
    let heat = HeatMap { label, rows: mitigators, columns, cells, darkest, ramp };
    Some(MapView {
        title,
        svg: heat.svg(),
        gradient: ramp.css(),
        darkest: format!("{:.0}%", 100.0 * darkest),
    })
}

/// The examples in the records: those of the first record of each (task, attack) that has any.
pub(super) fn images(records: &[Record]) -> Vec<ImagesView> {
    let mut views: Vec<ImagesView> = Vec::new();
    for record in records {
        let cell = &record.cell;
        let Some(Picture::Images { width, examples, .. }) = picture(record) else { continue };
        if views.iter().any(|view| view.task == cell.task && view.attack == cell.attack) {
            continue;
        }
        views.push(ImagesView {
            task: cell.task.clone(),
            attack: cell.attack.clone(),
            model: cell.model,
            examples: examples.iter().take(MOST_EXAMPLES).map(|e| example(e, *width)).collect(),
        });
    }
    views
}

fn example(example: &Example, width: usize) -> ExampleView {
    let changed = changed(&example.plain, &example.triggered);
    let label = |kind: &str, answer: usize| {
        format!("{kind}: true class {}, answered {answer}", example.label)
    };
    ExampleView {
        plain: image(&example.plain, &[], width, &label("Clean input", example.answer_plain)),
        triggered: image(
            &example.triggered,
            &changed,
            width,
            &label("The same with the trigger", example.answer_triggered),
        ),
        label: example.label,
        answer_plain: example.answer_plain,
        answer_triggered: example.answer_triggered,
        n_changed: changed.iter().filter(|&&changed| changed).count(),
        n_pixels: changed.len(),
    }
}

/// The spectra in the records.
pub(super) fn spectra(records: &[Record]) -> Vec<SpectrumView> {
    let view = |record: &Record| {
        let Some(Picture::Spectrum { truth, suspect, recovered, tau }) = picture(record) else {
            return None;
        };
        let cell = &record.cell;
        let label = format!(
            "Fourier coefficients on {} under {}: truth, suspect, and recovered by {}",
            cell.task, cell.attack, cell.mitigator
        );
        let drawn = spectrum::draw([truth, suspect, recovered], *tau, &label);
        Some(SpectrumView {
            task: cell.task.clone(),
            attack: cell.attack.clone(),
            mitigator: cell.mitigator.clone(),
            model: cell.model,
            svg: drawn.svg,
            tau: human(*tau),
            n_left_out: drawn.n_left_out,
        })
    };
    records.iter().filter_map(view).collect()
}

fn picture(record: &Record) -> Option<&Picture> {
    match &record.outcome {
        Outcome::Done(measured) => measured.picture.as_ref(),
        Outcome::Failed { .. } | Outcome::AttackFailed { .. } => None,
    }
}
