//! `absolve estimate`: experiments about one number each, as a table, a record and a figure.
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Streams, estimator};
use crate::error::Result;
use crate::estimate::breaking_point::{self, Swept};
use crate::estimate::robust_mean::{self, Measured};
use crate::estimate::{Law, Outliers};
use crate::report::lines::Chart;
use crate::stats::Proportion;
use crate::storage::{self, Readers};

/// Measure one quantity beside what is predicted of it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    RobustMean(RobustMean),
    BreakingPoint(BreakingPoint),
    Suspect(estimator::Args),
}

/// Errors of robust means under outliers: where the median of means fails, where the mean of medians holds, and where that
/// fails too
#[derive(Debug, clap::Args)]
struct RobustMean {
    /// Law of the good values, as often as wanted: uniform, coin, bernoulli, beta, exponential [default: all but beta]
    #[arg(long, value_name = "NAME")]
    law: Vec<String>,
    /// Where outliers stand, as often as wanted: far, far-two-sided, edge [default: all]
    #[arg(long, value_name = "NAME")]
    outliers: Vec<String>,
    /// Share of outliers, as often as wanted [default: 0, 0.01, 0.02, 0.05, 0.1, 0.2, 1/3, 0.4]
    #[arg(long)]
    share: Vec<f64>,
    /// Values in a sample [default: 3000]
    #[arg(long)]
    n: Option<usize>,
    /// Samples of each kind [default: 200]
    #[arg(long)]
    repetitions: Option<u32>,
    /// Failure probability that tuned estimators aim at [default: 1e-6]
    #[arg(long)]
    failure: Option<f64>,
    /// Where all randomness comes from [default: 1]
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    output: Output,
}

/// Failures of a mitigator while what its theorem assumes of a suspect is swept through its limit
#[derive(Debug, clap::Args)]
struct BreakingPoint {
    /// A sweep from a TOML file, as in experiments/breaking
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    /// Models [default: what the file says]
    #[arg(long)]
    models: Option<u32>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, clap::Args)]
struct Output {
    /// Print the record as one JSON document
    #[arg(long)]
    json: bool,
    /// Write the record as JSON to a file too
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Write the figure to a file, as SVG
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        match self.what {
            What::RobustMean(args) => args.run(streams),
            What::BreakingPoint(args) => args.run(streams),
            What::Suspect(args) => args.run(streams),
        }
    }
}

impl Output {
    /// Refuses files that are read.
    fn check(&self, inputs: &[&Path]) -> Result<()> {
        self.record.iter().chain(&self.out).try_for_each(|out| super::keep_apart(out, inputs))
    }

    /// Writes files, then prints the record or the table.
    fn write(
        &self,
        streams: &mut Streams<'_>,
        record: &impl Serialize,
        (chart, table): (&Chart, &str),
    ) -> Result<()> {
        if let Some(path) = &self.record {
            let mut text = serde_json::to_string_pretty(record)
                .map_err(|error| crate::error::Error::file(path, error))?;
            text.push('\n');
            storage::replace(path, text.as_bytes(), Readers::Everyone)?;
        }
        if let Some(path) = &self.out {
            storage::replace(path, chart.svg().as_bytes(), Readers::Everyone)?;
        }
        if self.json { streams.print_json(record) } else { streams.print(table) }
    }
}

impl RobustMean {
    fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        let mut spec = robust_mean::Spec::default();
        if !self.law.is_empty() {
            spec.laws = self.law.iter().map(|name| Law::named(name)).collect::<Result<_>>()?;
        }
        if !self.outliers.is_empty() {
            let named = self.outliers.iter().map(|name| Outliers::named(name));
            spec.outliers = named.collect::<Result<_>>()?;
        }
        if !self.share.is_empty() {
            spec.shares = self.share;
        }
        spec.n = self.n.unwrap_or(spec.n);
        spec.repetitions = self.repetitions.unwrap_or(spec.repetitions);
        spec.failure = self.failure.unwrap_or(spec.failure);
        spec.seed = self.seed.unwrap_or(spec.seed);
        self.output.check(&[])?;
        let measured = robust_mean::measure(&spec)?;
        let chart = robust_mean::figure(&measured);
        self.output.write(streams, &measured, (&chart, &table_of_means(&measured)))
    }
}

impl BreakingPoint {
    fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        self.output.check(&[&self.spec])?;
        let mut spec = breaking_point::Spec::load(&self.spec)?;
        spec.models = self.models.unwrap_or(spec.models);
        let swept = breaking_point::sweep(&spec)?;
        swept.violations().iter().for_each(|line| streams.say(&format!("above its bound: {line}")));
        let chart = breaking_point::figure(&swept);
        self.output.write(streams, &swept, (&chart, &table_of_points(&swept)))
    }
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"))
}

fn rate(p: Proportion) -> String {
    let e = p.estimate();
    format!("{:.3} [{:.3}, {:.3}]", e.value, e.low, e.high)
}

fn table_of_means(measured: &Measured) -> String {
    let spec = &measured.spec;
    let mut text = format!(
        "{} samples of {} values each; errors in bars; bounds at failure probability {}\n",
        spec.repetitions, spec.n, spec.failure
    );
    let mut kind = None;
    for cell in &measured.cells {
        let this = (cell.law, cell.outliers, cell.share);
        if kind != Some(this) {
            kind = Some(this);
            text += &format!(
                "\n{}, {:.2}% outliers, {}\n{:<34} {:>9} {:>9} {:>9} {:>9}  {:<22} {:>9}\n",
                cell.law.name(),
                100.0 * cell.share,
                cell.outliers.name(),
                "estimator",
                "RMS",
                "bound",
                "bias",
                "predicted",
                "P[error > 1], 95%",
                "predicted"
            );
        }
        text += &format!(
            "{:<34} {:>9.3} {:>9} {:>9.3} {:>9}  {:<22} {:>9}\n",
            cell.name,
            cell.rms,
            optional(cell.bound),
            cell.bias,
            optional(cell.predicted_bias),
            rate(cell.outside),
            optional(cell.predicted_outside)
        );
    }
    text
}

fn table_of_points(swept: &Swept) -> String {
    let spec = &swept.spec;
    let mut text = format!(
        "{}: {} against an adversary, {} models\n\n{:>10} {:>10} {:>7}  {:<24} {:>10} {:>10} {:>9} {:>10}\n",
        spec.name,
        spec.mitigator.label(),
        spec.models,
        "value",
        spec.axis.name().split(' ').next_back().unwrap_or_default(),
        "inside",
        "failed, 95%",
        "claimed",
        "predicted",
        "declined",
        "queries"
    );
    let short = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.2e}"));
    for point in &swept.points {
        text += &format!(
            "{:>10.4} {:>10.4} {:>7}  {:<24} {:>10} {:>10} {:>9} {:>10.0}\n",
            point.value,
            point.at,
            if point.inside { "yes" } else { "no" },
            rate(point.failed),
            short(point.claimed),
            short(point.predicted),
            format!("{}/{}", point.declined.hits, point.declined.of),
            point.queries
        );
    }
    text + &format!("\nassumed: {} of at most {}\n", spec.axis.name(), swept.limit)
}
