//! Where the numbers come from: plan, format, seeds, and the models under test by hash.
use std::collections::BTreeSet;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::study::record::{Outcome, Record};
use crate::study::summary::Summary;

/// Where the numbers come from.
#[derive(Serialize)]
pub(super) struct Provenance {
    plan: String,
    version: u32,
    n_records: usize,
    seeds: Vec<Seed>,
    models: Vec<Model>,
}

#[derive(Serialize)]
struct Seed {
    key: String,
    value: String,
}

/// A model under test. Mitigators share it, so it is listed once – or once a hash, should they ever disagree.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Model {
    task: String,
    attack: String,
    number: u32,
    widths: String,
    forward_flops: u64,
    sha256: String,
}

/// Collects the provenance; fails only where `spec` is not TOML.
pub(super) fn provenance(summary: &Summary, records: &[Record], spec: &str) -> Result<Provenance> {
    let spec: toml::Table = toml::from_str(spec).map_err(|error| Error::Spec {
        place: "the resolved specification".into(),
        why: error.message().to_owned(),
    })?;
    let mut seeds = Vec::new();
    collect_seeds("", &toml::Value::Table(spec), &mut seeds);
    let models: BTreeSet<Model> = records.iter().filter_map(model).collect();
    Ok(Provenance {
        plan: summary.plan.clone(),
        version: summary.version,
        n_records: records.len(),
        seeds,
        models: models.into_iter().collect(),
    })
}

/// Every key with "seed" in its name, with its path.
fn collect_seeds(path: &str, value: &toml::Value, seeds: &mut Vec<Seed>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if key.contains("seed") {
                    seeds.push(Seed { key: path, value: value.to_string() });
                } else {
                    collect_seeds(&path, value, seeds);
                }
            }
        }
        toml::Value::Array(values) => {
            for (i, value) in values.iter().enumerate() {
                collect_seeds(&format!("{path}[{i}]"), value, seeds);
            }
        }
        _ => {}
    }
}

fn model(record: &Record) -> Option<Model> {
    let Outcome::Done(measured) = &record.outcome else { return None };
    let widths: Vec<String> = measured.model.widths.iter().map(usize::to_string).collect();
    Some(Model {
        task: record.cell.task.clone(),
        attack: record.cell.attack.clone(),
        number: record.cell.model,
        widths: widths.join(" → "),
        forward_flops: measured.model.forward_flops,
        sha256: measured.model.sha256.clone(),
    })
}
