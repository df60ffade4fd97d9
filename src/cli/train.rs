//! `absolve train`: one clean model of a task.
use std::io::IsTerminal;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Streams, task_with};
use crate::access::Owned;
use crate::error::Result;
use crate::ledger::{Budget, Ledger};
use crate::score::Exam;
use crate::study::{Model, Task};

/// Train a clean model of a task, as a study does
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A task by name (`absolve list populations`), or a TOML file with one
    task: String,
    /// Where to write the model
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Seed of its population, its data and its training; a study's model i has seed `first_seed` + i
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Override a part of the task, such as recipe.epochs=10 or train=5000
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Who takes the optimiser's steps: fused or candle
    #[arg(long, value_name = "TRAINER")]
    trainer: Option<String>,
    /// Where: cpu, or cuda:0 and so on in a build with the feature `cuda`, which implies candle
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Print the learning curve and the risk as one JSON document
    #[arg(long)]
    json: bool,
}

impl Args {
    /// All that changes the task; a graphics card comes with the one trainer that runs on it.
    fn overrides(&self) -> Vec<String> {
        let on_card = self.device.as_deref().is_some_and(|device| device != "cpu");
        let implied = on_card.then_some("candle");
        let trainer = self.trainer.as_deref().or(implied);
        let set = |key: &str, value: &str| format!("recipe.{key}={value:?}");
        let trainer = trainer.map(|trainer| set("trainer", trainer));
        let device = self.device.as_deref().map(|device| set("device", device));
        self.set.iter().cloned().chain(trainer).chain(device).collect()
    }

    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        let task = task_with(&Task::named_or_load(&self.task)?, &self.overrides())?;
        task.check()?;
        for note in task.population.notes()? {
            streams.say(&format!("note: {note}"));
        }
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::with_draw_target(
                Some(task.recipe.epochs as u64),
                ProgressDrawTarget::stderr(),
            )
        } else {
            ProgressBar::hidden()
        };
        let style = "{bar:40} epoch {pos}/{len}, about {eta} left{msg}";
        bar.set_style(
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let model = Model::train(&task, self.seed, &mut |epoch| {
            bar.set_position(epoch.number as u64);
            bar.set_message(format!(", loss {:.4}", epoch.loss));
        })?;
        bar.finish_and_clear();
        let mut unused = model.seed().stream("no trigger");
        let exam = Exam::new(&*model.population, model.test()?, None, &mut unused)?;
        let ledger = Ledger::new(Budget::UNLIMITED);
        let risk = exam.mark(&Owned { net: model.net.clone(), ledger: &ledger }, None)?.clean_risk;
        model.file(model.net.clone()).save(&self.out)?;
        if self.json {
            return streams.print_json(&serde_json::json!({
                "model": self.out,
                "sha256": model.net.sha256(),
                "task": task,
                "seed": self.seed,
                "curve": model.curve,
                "clean_risk": { "hits": risk.hits, "of": risk.of, "estimate": risk.estimate() },
            }));
        }
        let e = risk.estimate();
        let last = model.curve.last().map_or_else(
            || "not trained".to_owned(),
            |epoch| format!("last training loss {:.5}", epoch.loss),
        );
        streams.print(&format!(
            "{}: {} epochs, {last}, clean risk {:.2}% [{:.2}, {:.2}] on {} test inputs\n",
            self.out.display(),
            model.curve.len(),
            100.0 * e.value,
            100.0 * e.low,
            100.0 * e.high,
            risk.of
        ))
    }
}
