//! `absolve evaluate`: how a model answers clean and triggered test inputs.
use std::path::{Path, PathBuf};

use super::{Streams, origin};
use crate::access::Owned;
use crate::attack::Trigger;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::ModelFile;
use crate::score::{Exam, fire_mass};
use crate::stats::Proportion;
use crate::storage;
use crate::study::Model;

/// Measure clean risk and, with the key, attack success, recovered accuracy and the clean inputs that fire, with intervals
///
/// Where a theorem is about this kind of truth, whether the model meets its assumption too.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model
    model: PathBuf,
    /// Key of the backdoor
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Task that the model was trained for [default: what the file says]
    #[arg(long, value_name = "TASK")]
    population: Option<String>,
    /// Seed of the model's population [default: what the file says]
    #[arg(long)]
    seed: Option<u64>,
    /// Print the scores as one JSON document
    #[arg(long)]
    json: bool,
}

/// Largest key file that is read.
const MAX_KEY: u64 = 1 << 24;

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        let file = ModelFile::load(&self.model)?;
        let (task, number) = origin(&file, self.population.as_deref(), self.seed)?;
        let model = Model::untrained(&task, number)?;
        let trigger = self.key.as_deref().map(read_key).transpose()?;
        let mut rng = model.seed().stream("triggered test inputs");
        let exam = Exam::new(&*model.population, model.test()?, trigger.as_ref(), &mut rng)?;
        let ledger = Ledger::new(Budget::UNLIMITED);
        let theorems = model.theorems(&file.net)?;
        let scores = exam.mark(&Owned { net: file.net, ledger: &ledger }, None)?;
        let fire_mass = trigger.as_ref().and_then(|trigger| fire_mass(trigger, &exam.test.xs));
        if self.json {
            let with_interval = |p: Option<Proportion>| {
                p.map(
                    |p| serde_json::json!({ "hits": p.hits, "of": p.of, "estimate": p.estimate() }),
                )
            };
            return streams.print_json(&serde_json::json!({
                "clean_risk": with_interval(Some(scores.clean_risk)),
                "attack_success": with_interval(scores.attack_success),
                "recovered": with_interval(scores.recovered),
                "fire_mass": with_interval(fire_mass),
                "theorems": theorems,
                "clean_errors": scores.clean_errors,
                "triggered_errors": scores.triggered_errors,
            }));
        }
        let line = |name: &str, p: Option<Proportion>| match p {
            Some(p) => {
                let e = p.estimate();
                let [value, low, high] = [e.value, e.low, e.high].map(|x| 100.0 * x);
                format!("{name:<19}{value:6.2}% [{low:.2}, {high:.2}] of {}\n", p.of)
            }
            None => String::new(),
        };
        let mut text = line("clean risk", Some(scores.clean_risk));
        text += &line("attack success", scores.attack_success);
        text += &line("recovered accuracy", scores.recovered);
        text += &line("fire mass", fire_mass);
        for (name, errors) in
            [("clean errors", scores.clean_errors), ("triggered errors", scores.triggered_errors)]
        {
            if let Some(q) = errors {
                text += &format!(
                    "{name:<19}median {:.4}, 90% {:.4}, 99% {:.4}, largest {:.4}\n",
                    q.median, q.q90, q.q99, q.max
                );
            }
        }
        theorems.iter().for_each(|check| text += &super::verdict(check));
        streams.print(&text)
    }
}

pub(super) fn read_key(path: &Path) -> Result<Trigger> {
    serde_json::from_slice(&storage::read(path, MAX_KEY)?)
        .map_err(|error| Error::file(path, format!("not a key ({error})")))
}
