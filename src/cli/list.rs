//! `absolve list`: the tables of what there is.
use clap::ValueEnum;

use super::Streams;
use crate::error::{Error, Result};
use crate::game::DISTINGUISHERS;
use crate::population::Family;
use crate::registry::{ATTACKS, ESTIMATORS, MITIGATORS, OBFUSCATIONS, Params};
use crate::study::Spec;

/// List what there is: populations (with their tasks), attacks, obfuscations, mitigators, estimators, distinguishers
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of what kind
    kind: Kind,
    /// Print as one JSON document, with every parameter and its default
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Populations,
    Attacks,
    Obfuscations,
    Mitigators,
    Estimators,
    Distinguishers,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        let rows: Vec<serde_json::Value> = match self.kind {
            Kind::Populations => populations()?,
            Kind::Attacks => ATTACKS
                .iter()
                .map(|entry| Ok(serde_json::json!({
                    "name": entry.name, "summary": entry.summary, "source": entry.source,
                    "scope": entry.scope, "params": (entry.build)(&Params::new())?.params,
                })))
                .collect::<Result<_>>()?,
            Kind::Obfuscations => OBFUSCATIONS
                .iter()
                .map(|entry| Ok(serde_json::json!({
                    "name": entry.name, "summary": entry.summary, "rung": entry.rung,
                    "preserves": entry.preserves, "source": entry.source, "scope": entry.scope,
                    "params": (entry.build)(&Params::new())?.params,
                })))
                .collect::<Result<_>>()?,
            Kind::Mitigators => MITIGATORS
                .iter()
                .map(|entry| {
                    let built = (entry.build)(&Params::new())?;
                    Ok(serde_json::json!({
                        "name": entry.name, "access": built.method.access(), "summary": entry.summary,
                        "source": entry.source, "scope": entry.scope, "guarantee": entry.guarantee,
                        "params": built.params,
                    }))
                })
                .collect::<Result<_>>()?,
            Kind::Estimators => ESTIMATORS
                .iter()
                .map(|entry| {
                    let built = (entry.build)(&Params::new())?;
                    Ok(serde_json::json!({
                        "name": entry.name, "access": built.method.access(), "summary": entry.summary,
                        "source": entry.source, "scope": entry.scope, "params": built.params,
                    }))
                })
                .collect::<Result<_>>()?,
            Kind::Distinguishers => DISTINGUISHERS
                .iter()
                .map(|entry| serde_json::json!({
                    "name": entry.name, "summary": entry.summary, "access": entry.look.access(),
                }))
                .collect(),
        };
        if self.json {
            return streams.print_json(&rows);
        }
        let mut text = String::new();
        for row in rows {
            let field = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            text += &format!("{:<17} {}\n", field("name"), field("summary"));
            for name in ["rung", "preserves", "access", "scope", "guarantee", "source"] {
                if row.get(name).is_some() {
                    text += &format!("{:<17}   {name}: {}\n", "", field(name));
                }
            }
            if let Some(params) = row.get("params").and_then(serde_json::Value::as_object)
                && !params.is_empty()
            {
                let params: Vec<String> =
                    params.iter().map(|(k, v)| format!("{k} = {v}")).collect();
                text += &format!("{:<17}   parameters: {}\n", "", params.join(", "));
            }
        }
        streams.print(&text)
    }
}

/// Families that are nothing without the files that they read.
const FROM_FILES: [(&str, &str); 3] = [
    ("idx", "family = 'idx'\nfolder = 'FOLDER'"),
    ("csv", "family = 'csv'\npath = 'FILE.csv'\ntarget = 'COLUMN'"),
    ("npy", "family = 'npy'\nxs = 'X.npy'\nys = 'Y.npy'"),
];

/// The tasks of the default study, then the families that none of them uses, at their defaults.
fn populations() -> Result<Vec<serde_json::Value>> {
    let tasks = Spec::default_study()?.tasks;
    let mut rows: Vec<serde_json::Value> = tasks
        .iter()
        .map(|task| {
            Ok(serde_json::json!({
                "name": task.name,
                "summary": task.population.summary(),
                "world": task.population.world()?,
                "task": task,
            }))
        })
        .collect::<Result<_>>()?;
    for (name, family) in Family::defaults() {
        let kind = std::mem::discriminant(&family);
        if tasks.iter().any(|task| std::mem::discriminant(&task.population) == kind) {
            continue;
        }
        rows.push(serde_json::json!({
            "name": name,
            "summary": family.summary(),
            "scope": "a family without a task of its own: name it in the population of a study's task",
            // What is known of a data set is in its files, which may not be here.
            "world": family.world().ok(),
            "population": family,
        }));
    }
    for (name, population) in FROM_FILES {
        let family: Family = toml::from_str(population).map_err(|error| Error::Spec {
            place: name.to_owned(),
            why: error.message().to_owned(),
        })?;
        rows.push(serde_json::json!({
            "name": name,
            "summary": family.summary(),
            "scope": "a family without a task of its own: name it, and its files, in the population of a study's task",
            "population": family,
        }));
    }
    Ok(rows)
}
