//! `absolve study`: the main job.
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Streams;
use crate::error::Result;
use crate::report;
use crate::study::{Plan, Spec, run};

/// Train, backdoor, mitigate, score and report; without a file, the embedded default study
///
/// A folder that holds records of the same plan is gone on with: finished cells are not run again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The study, a TOML file [default: the embedded default study]
    file: Option<PathBuf>,
    /// Folder for records, summary and report
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the summary as one JSON document
    #[arg(long)]
    json: bool,
}

/// Seconds between lines of progress where there is no terminal to draw a bar on.
const QUIET: Duration = Duration::from_secs(10);

impl Args {
    pub(super) fn run(self, jobs: usize, streams: &mut Streams<'_>) -> Result<()> {
        let spec = match &self.file {
            Some(path) => Spec::load(path)?,
            None => Spec::default_study()?,
        };
        let plan = Plan::new(spec)?;
        let n_cells = plan.cells().len();
        streams.say(&format!(
            "study \"{}\": {} tasks, {} models each, {n_cells} cells, plan {}",
            plan.spec.name,
            plan.tasks.len(),
            plan.spec.models,
            &plan.hash[..12]
        ));
        for task in &plan.tasks {
            for note in task.task.population.notes()? {
                streams.say(&format!("note on {}: {note}", task.task.name));
            }
        }
        let summary = if std::io::stderr().is_terminal() {
            let bar =
                ProgressBar::with_draw_target(Some(n_cells as u64), ProgressDrawTarget::stderr());
            let style = "{bar:40} {pos}/{len} cells, {elapsed} gone, about {eta} left";
            bar.set_style(
                ProgressStyle::with_template(style)
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.enable_steady_tick(Duration::from_millis(200));
            let summary = run(&plan, &self.out, jobs, &|done, _| bar.set_position(done as u64))?;
            bar.finish_and_clear();
            summary
        } else {
            let lines = Lines::new();
            let log = Mutex::new(&mut *streams.log);
            run(&plan, &self.out, jobs, &|done, of| {
                if let (Some(line), Ok(mut log)) = (lines.next(done, of), log.lock()) {
                    drop(writeln!(log, "{line}"));
                }
            })?
        };
        let page = report::write(&self.out, &plan, &summary)?;
        streams.say(&format!("report: {}", page.display()));
        if self.json {
            streams.print_json(&summary)
        } else {
            streams.print(&report::table(&summary))
        }
    }
}

/// Lines of progress, not too many.
struct Lines {
    state: Mutex<(Option<usize>, Instant)>,
    start: Instant,
}

impl Lines {
    fn new() -> Self {
        let start = Instant::now();
        Self { state: Mutex::new((None, start)), start }
    }

    /// A line if it is time for one.
    fn next(&self, done: usize, of: usize) -> Option<String> {
        let mut state = self.state.lock().ok()?;
        let Some(first) = state.0 else {
            state.0 = Some(done);
            return (done > 0).then(|| format!("{done}/{of} cells were there already"));
        };
        if state.1.elapsed() < QUIET && done < of {
            return None;
        }
        state.1 = Instant::now();
        let gone = self.start.elapsed();
        let fresh = done.saturating_sub(first).max(1);
        let left = gone.mul_f64((of - done) as f64 / fresh as f64);
        let ahead =
            if done < of { format!(", about {} left", HumanDuration(left)) } else { String::new() };
        Some(format!("{done}/{of} cells, {} gone{ahead}", HumanDuration(gone)))
    }
}
