//! `absolve compile`: a net that is a task's truth exactly, written down instead of trained.
use std::path::PathBuf;

use super::{Streams, task_with};
use crate::error::Result;
use crate::study::{Model, Task};

/// Write the net that is a task's truth itself: for affine, fourier and decision-tree populations
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A task by name (`absolve list populations`), or a TOML file with one
    task: String,
    /// Where to write the model
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Seed of its population; a study's model i has seed `first_seed` + i
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Override a part of the task, such as population.n=20
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print the facts as one JSON document
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        let task = task_with(&Task::named_or_load(&self.task)?, &self.set)?;
        let model = Model::compiled(&task, self.seed)?;
        model.file(model.net.clone()).save(&self.out)?;
        if self.json {
            return streams.print_json(&serde_json::json!({
                "model": self.out,
                "sha256": model.net.sha256(),
                "task": task,
                "seed": self.seed,
                "widths": model.net.widths(),
                "distance": model.population.distance(),
            }));
        }
        streams.print(&format!(
            "{}: the truth of {} with seed {}, widths {:?}\n",
            self.out.display(),
            task.name,
            self.seed,
            model.net.widths()
        ))
    }
}
