//! `absolve game`: who can tell planted nets from clean ones, or what a mitigator makes of them, as a table.
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;

use super::canonical::Canonical;
use super::{Streams, parse_settings};
use crate::error::{Error, Result};
use crate::game::{Played, Spec, play};
use crate::stats::Estimate;
use crate::storage::{self, Readers};
use crate::study::{MethodSpec, Task};

/// Play a game over many nets or many runs
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    game: Game,
}

#[derive(Debug, clap::Subcommand)]
enum Game {
    Undetectable(Undetectable),
    Canonical(Canonical),
}

/// Clean or planted? The advantage of every distinguisher (`absolve list distinguishers`), learnt on half of the nets and
/// scored on the other
#[derive(Debug, clap::Args)]
struct Undetectable {
    /// A game from a TOML file, as in experiments/game
    #[arg(long, value_name = "FILE", conflicts_with_all = ["attack", "population", "set"])]
    spec: Option<PathBuf>,
    /// An attack by name (`absolve list attacks`)
    #[arg(long, required_unless_present = "spec")]
    attack: Option<String>,
    /// A parameter of the attack, such as mass=0.01
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A task by name, or from a TOML file
    #[arg(long, value_name = "TASK", required_unless_present = "spec")]
    population: Option<String>,
    /// Nets a side [default: what the file says, else 100]
    #[arg(long)]
    nets: Option<u32>,
    /// A distinguisher by name, as often as wanted [default: what the file says, else all]
    #[arg(long, value_name = "NAME")]
    distinguisher: Vec<String>,
    /// Seed of the first net [default: what the file says, else 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
    /// Write the result as JSON to a file too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        match self.game {
            Game::Undetectable(args) => args.run(streams),
            Game::Canonical(args) => args.run(streams),
        }
    }
}

impl Undetectable {
    fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        if let (Some(out), Some(spec)) = (&self.out, &self.spec) {
            super::keep_apart(out, &[spec])?;
        }
        let mut spec = match &self.spec {
            Some(path) => Spec::load(path)?,
            None => Spec {
                first_seed: 1,
                nets: 100,
                distinguishers: Vec::new(),
                task: Task::named_or_load(&self.population.unwrap_or_default())?,
                attack: MethodSpec {
                    method: self.attack.unwrap_or_default(),
                    name: None,
                    tasks: None,
                    params: parse_settings(&self.set)?,
                    obfuscate: Vec::new(),
                },
            },
        };
        spec.nets = self.nets.unwrap_or(spec.nets);
        spec.first_seed = self.seed.unwrap_or(spec.first_seed);
        if !self.distinguisher.is_empty() {
            spec.distinguishers = self.distinguisher;
        }
        let game = spec.check()?;
        let n = 2 * u64::from(game.spec.nets);
        let played = watched(streams, n, "nets", |watch| play(&game, watch))?;
        if let Some(out) = &self.out {
            save(out, &played)?;
        }
        if self.json {
            return streams.print_json(&played);
        }
        streams.print(&table(&played))
    }
}

/// Plays, and tells people ten times how many of `n` things are done.
pub(super) fn watched<T>(
    streams: &mut Streams<'_>,
    n: u64,
    things: &str,
    play: impl FnOnce(&(dyn Fn() + Sync)) -> Result<T>,
) -> Result<T> {
    let progress = Mutex::new((0_u64, &mut *streams.log));
    play(&|| {
        if let Ok(mut progress) = progress.lock() {
            progress.0 += 1;
            let done = progress.0;
            if done == n || done % n.div_ceil(10) == 0 {
                drop(writeln!(progress.1, "{done} of {n} {things}"));
            }
        }
    })
}

/// Writes what was played as JSON to a file.
pub(super) fn save(out: &Path, played: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(played).map_err(|error| Error::file(out, error))?;
    text.push('\n');
    storage::replace(out, text.as_bytes(), Readers::Everyone)
}

pub(super) fn interval(e: Estimate) -> String {
    format!("{:6.3} [{:6.3}, {:6.3}]", e.value, e.low, e.high)
}

fn table(played: &Played) -> String {
    let Played { spec, nets, left_out, .. } = played;
    let mut text = format!(
        "{} on {}: {} clean and {} planted nets, {} and {} left out (no hold)\n",
        spec.attack.label(),
        spec.task.name,
        nets[0],
        nets[1],
        left_out[0],
        left_out[1]
    );
    if let Some(success) = played.attack_success {
        text += &format!("attack success {}\n", interval(success).trim());
    }
    text += &format!(
        "\n{:<16} {:<15} {:<24} {:>5} {:>5} {:>8} {:>7}\n",
        "distinguisher", "access", "advantage, 95%", "TPR", "FPR", "p", "queries"
    );
    for v in &played.verdicts {
        text += &format!(
            "{:<16} {:<15} {:<24} {:>5.3} {:>5.3} {:>8.1e} {:>7.0}\n",
            v.distinguisher,
            v.access,
            interval(v.advantage),
            v.tpr.value(),
            v.fpr.value(),
            v.p,
            v.queries
        );
    }
    let keyless: Vec<_> = played.verdicts.iter().filter(|v| !v.control).collect();
    let by_value = |a: &&&_, b: &&&_| {
        let of = |v: &crate::game::Verdict| v.advantage.value;
        of(a).total_cmp(&of(b))
    };
    if let Some(largest) = keyless.iter().max_by(by_value) {
        let most = keyless.iter().map(|v| v.simultaneous.high).fold(-1.0, f64::max);
        text += &format!(
            "\nlargest without the key: {}, {} at 95% for all {} at once\nlargest upper limit {most:.3} at that \
             confidence; {} nets a side tell an advantage to ±{:.3} one at a time\n",
            largest.distinguisher,
            interval(largest.simultaneous).trim(),
            keyless.len(),
            nets[0].min(nets[1]),
            played.resolution
        );
    }
    text
}
