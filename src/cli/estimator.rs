//! `absolve estimate suspect`: one estimator on one model file or program.
use std::path::PathBuf;

use serde::Serialize;

use super::program::ProgramArgs;
use super::source::{Setting, SourceArgs};
use super::{Streams, parse_settings};
use crate::error::Result;
use crate::estimator::{Estimated, Interval};
use crate::ledger::Cost;
use crate::net::ModelFile;
use crate::registry::{Params, estimator_named};

/// Numbers about a suspect, by sampling or from its weights, each with its interval and what it cost
///
/// Pairs of estimators give the same quantity at different access: compare their intervals at equal cost. Domain, clean samples and
/// budget come from the model's own task, from --population, or (with no budget) from --clean and --domain.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An estimator by name (`absolve list estimators`)
    estimator: String,
    /// The suspect
    #[arg(required_unless_present = "suspect_command")]
    model: Option<PathBuf>,
    #[command(flatten)]
    program: ProgramArgs,
    #[command(flatten)]
    source: SourceArgs,
    /// A parameter of the estimator, such as queries=2000
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome<'a> {
    estimator: &'a str,
    access: &'a str,
    params: &'a Params,
    suspect: String,
    forward_flops: Option<u64>,
    spent: Cost,
    #[serde(flatten)]
    estimated: Estimated,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        let built = (estimator_named(&self.estimator)?.build)(&parse_settings(&self.set)?)?;
        let access = built.method.access();
        self.program.admit(&self.estimator, access)?;
        let file = self.model.as_deref().map(ModelFile::load).transpose()?;
        let Setting { population, recipe, budget, number, .. } =
            self.source.setting(file.as_ref(), &self.program)?;
        built.method.check(population.world())?;
        let suspect = self.program.publish(file.as_ref(), population.world().shape(), budget)?;
        let seeds = self.source.seeds(number, &self.estimator);
        let mut lab = suspect.lab(&*population, &recipe, seeds);
        let mut estimated = built.method.estimate(&suspect, &mut lab)?;
        suspect.end()?;
        estimated.notes.extend(self.source.cautions(file.is_some(), &self.program));
        let command = || self.program.command().unwrap_or_default().to_owned();
        let outcome = Outcome {
            estimator: &self.estimator,
            access,
            params: &built.params,
            suspect: file.as_ref().map_or_else(command, |file| file.net.sha256()),
            forward_flops: file.as_ref().map(|file| file.net.forward_flops()),
            spent: suspect.spent(),
            estimated,
        };
        if self.json { streams.print_json(&outcome) } else { streams.print(&describe(&outcome)) }
    }
}

fn describe(outcome: &Outcome<'_>) -> String {
    let Cost { queries, gradients, clean_labels, flops } = outcome.spent;
    let passes = match outcome.forward_flops {
        Some(forward) => format!("{:.1} forward passes of work", flops as f64 / forward as f64),
        None => format!("{flops} operations beside the suspect's own"),
    };
    let mut text = format!(
        "{} ({})\nspent        {queries} queries, {gradients} gradients, {clean_labels} clean labels, {passes}\n",
        outcome.estimator, outcome.access
    );
    for quantity in &outcome.estimated.quantities {
        let interval = quantity.interval.map_or_else(String::new, interval);
        text += &format!("{:<28} {:.6}{interval}\n", quantity.name, quantity.value);
    }
    for note in &outcome.estimated.notes {
        text += &format!("note         {note}\n");
    }
    text
}

fn interval(Interval { low, high, failure_probability, proved }: Interval) -> String {
    let chance = if failure_probability > 0.0 {
        format!("outside with probability {failure_probability:.2e}")
    } else {
        "cannot be outside".to_owned()
    };
    let how = if proved { "proved" } else { "in the limit of large samples" };
    format!("  [{low:.6}, {high:.6}], {chance}, {how}")
}
