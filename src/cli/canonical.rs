//! `absolve game canonical`: whether what a mitigator gives back depends on the backdoor, as a table.
use std::path::PathBuf;

use super::game::{interval, save, watched};
use super::{Streams, parse_settings};
use crate::error::{Error, Result};
use crate::game::canonical::{Played, Spec, play};
use crate::study::{MethodSpec, Task};

/// Does a mitigator's output depend on the backdoor? Runs it again and again on clean nets and on their planted twins, and bounds the
/// total variation distance of the two laws from both sides
///
/// At least: what the best of several distinguishers achieves, learnt on half of the runs and scored on the other, as an exact
/// lower limit at 95% for all of the game at once. At most: what the method's theorem says, and, whatever the method, how often
/// runs with the same samples and coins differ. A method that gives back a net or a function is judged by that; a local one
/// answer by answer. A theorem that is refuted though its assumption held is an error, and the exit code is 1.
#[derive(Debug, clap::Args)]
pub(super) struct Canonical {
    /// A mitigator by name (`absolve list mitigators`)
    #[arg(required_unless_present = "spec")]
    method: Option<String>,
    /// A game from a TOML file, as in experiments/game
    #[arg(long, value_name = "FILE", conflicts_with_all = ["method", "attack", "population", "set", "attack_set"])]
    spec: Option<PathBuf>,
    /// An attack by name (`absolve list attacks`)
    #[arg(long, required_unless_present = "spec")]
    attack: Option<String>,
    /// A task by name, or from a TOML file
    #[arg(long, value_name = "TASK", required_unless_present = "spec")]
    population: Option<String>,
    /// A parameter of the mitigator, such as tau=0.25
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A parameter of the attack, such as mass=0.01
    #[arg(long, value_name = "KEY=VALUE")]
    attack_set: Vec<String>,
    /// Clean nets, each with its planted twin [default: what the file says, else 4]
    #[arg(long)]
    pairs: Option<u32>,
    /// Runs on each net, and as many coupled ones [default: what the file says, else 200]
    #[arg(long)]
    runs: Option<u32>,
    /// Clean inputs to look at, and triggered ones [default: what the file says, else 8]
    #[arg(long)]
    inputs: Option<u32>,
    /// Seed of the first pair [default: what the file says, else 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
    /// Write the result as JSON to a file too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Canonical {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        if let (Some(out), Some(spec)) = (&self.out, &self.spec) {
            super::keep_apart(out, &[spec])?;
        }
        let method = |method: Option<String>, settings: &[String]| -> Result<MethodSpec> {
            Ok(MethodSpec {
                method: method.unwrap_or_default(),
                name: None,
                tasks: None,
                params: parse_settings(settings)?,
                obfuscate: Vec::new(),
            })
        };
        let mut spec = match &self.spec {
            Some(path) => Spec::load(path)?,
            None => Spec {
                first_seed: 1,
                pairs: 4,
                runs: 200,
                inputs: 8,
                task: Task::named_or_load(&self.population.unwrap_or_default())?,
                attack: method(self.attack, &self.attack_set)?,
                mitigator: method(self.method, &self.set)?,
            },
        };
        spec.pairs = self.pairs.unwrap_or(spec.pairs);
        spec.runs = self.runs.unwrap_or(spec.runs);
        spec.inputs = self.inputs.unwrap_or(spec.inputs);
        spec.first_seed = self.seed.unwrap_or(spec.first_seed);
        let game = spec.check()?;
        let n = 3 * u64::from(game.spec.runs) * u64::from(game.spec.pairs);
        let played = watched(streams, n, "runs", |watch| play(&game, watch))?;
        if let Some(out) = &self.out {
            save(out, &played)?;
        }
        if self.json {
            streams.print_json(&played)?;
        } else {
            streams.print(&table(&played))?;
        }
        match played.errors.len() {
            0 => Ok(()),
            n => Err(Error::Training(format!(
                "the theorem of {} is refuted though its assumption held, {n} times; first: {}",
                played.spec.mitigator.label(),
                played.errors[0]
            ))),
        }
    }
}

fn table(played: &Played) -> String {
    let Played { spec, pairs, .. } = played;
    let mut text = String::new();
    for error in &played.errors {
        text += &format!("ERROR: REFUTED THOUGH THE ASSUMPTION HELD: {error}\n");
    }
    text += &format!(
        "{} on {} under {}: {} pairs of nets, {} left out (no hold), {} runs on each net\n",
        spec.mitigator.label(),
        spec.task.name,
        spec.attack.label(),
        pairs.len(),
        played.left_out,
        spec.runs
    );
    if let Some(success) = played.attack_success {
        text += &format!("attack success without a defence {}\n", interval(success).trim());
    }
    text += &format!(
        "\n{:<10} {:<14} {:<31} {:>8}\n",
        "seen", "distinguisher", "advantage, mean over pairs, 95%", "TV >="
    );
    for row in &played.rows {
        text += &format!(
            "{:<10} {:<14} {:<31} {:>8.4}\n",
            row.observed.name(),
            row.distinguisher,
            interval(row.advantage),
            row.at_least
        );
    }
    text += &format!(
        "\n{:<10} {:<31} {:>8} {:>12} {:>12}  {}\n",
        "coupled", "same bits, mean over pairs, 95%", "TV <=", "differ by", "both bars", "beyond"
    );
    for row in &played.coupled {
        let bars = row.beyond_bars.map_or_else(
            || format!("{:>12}  –", "–"),
            |(bars, beyond)| format!("{bars:>12.4}  {} of {}", beyond.hits, beyond.of),
        );
        text += &format!(
            "{:<10} {:<31} {:>8.4} {:>12.4e} {bars}\n",
            row.observed.name(),
            interval(row.identical),
            row.at_most,
            row.largest_difference
        );
    }
    text += &summary(played);
    text
}

/// The two bounds in words.
fn summary(played: &Played) -> String {
    let Played { pairs, held, .. } = played;
    let units = pairs.iter().flat_map(|pair| pair.units.iter().map(move |unit| (pair, unit)));
    let worst = units.reduce(|a, b| if b.1.at_least > a.1.at_least { b } else { a });
    let place = match worst {
        Some((pair, unit)) if unit.at_least > 0.0 => {
            let best =
                unit.verdicts.iter().reduce(|a, b| if b.at_least > a.at_least { b } else { a });
            let by = best.map_or("", |verdict| verdict.distinguisher);
            format!(": pair {}, {}, by {by}", pair.seed, unit.place())
        }
        _ => String::new(),
    };
    let mut text = format!(
        "\nTV at least {:.4} on the worst, {:.4} on the mean pair (95% for all of it at once){place}\n",
        played.at_least, played.mean_at_least
    );
    text += &match played.theorem {
        Some(bound) => {
            format!("TV at most  {bound:.3e} by the theorem where its assumption holds; ")
        }
        None if held.of > held.hits => {
            "TV at most  1: no theorem bounds it where its assumption fails; ".to_owned()
        }
        None => "TV at most  1: no theorem bounds it; ".to_owned(),
    };
    text += &match held.of {
        0 => "its assumption could not be checked, or nothing is claimed\n".to_owned(),
        of => format!("assumptions held on {} of {of} pairs\n", held.hits),
    };
    for note in &played.notes {
        text += &format!("note: {note}\n");
    }
    text
}
