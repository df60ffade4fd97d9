//! `absolve zoo`: models with cards, made again and measured again.
use std::path::PathBuf;

use clap::Subcommand;

use super::Streams;
use crate::error::{Error, Result};
use crate::zoo;

/// Make the models of a zoo again from their cards, or measure every number on the cards again
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Train and plant again what the cards say; writes weights, keys, the cards' numbers and README.md
    Build(Zoo),
    /// Measure again what the cards say; fails if a number or a hash differs
    Check(Zoo),
    /// Show the cards
    List(Zoo),
}

#[derive(Debug, clap::Args)]
struct Zoo {
    /// Models by name [default: all]
    names: Vec<String>,
    /// The zoo's folder: in it a folder a model, with a card.toml
    #[arg(long, value_name = "FOLDER", default_value = "models")]
    dir: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        match self.what {
            What::Build(zoo) => {
                let built = zoo.each(streams, |dir, name| {
                    zoo::build(dir, name)?
                        .measured
                        .ok_or_else(|| Error::Training("nothing was measured".to_owned()))
                });
                built.and(zoo::write_readme(&zoo.dir).map(drop))
            }
            What::Check(zoo) => {
                let checked = zoo.each(streams, zoo::check);
                if zoo.names.is_empty() {
                    checked.and(zoo::check_readme(&zoo.dir))
                } else {
                    checked
                }
            }
            What::List(zoo) => {
                let cards = zoo::cards(&zoo.dir, &zoo.chosen()?)?;
                if zoo.json {
                    let cards: Vec<_> = cards
                        .iter()
                        .map(|(name, card)| serde_json::json!({ "name": name, "card": card }))
                        .collect();
                    return streams.print_json(&cards);
                }
                let line =
                    |(name, card): &(String, zoo::Card)| format!("{name:<24} {}\n", card.summary);
                streams.print(&cards.iter().map(line).collect::<String>())
            }
        }
    }
}

impl Zoo {
    /// The models that were asked for.
    fn chosen(&self) -> Result<Vec<String>> {
        let known = zoo::names(&self.dir)?;
        if let Some(name) = self.names.iter().find(|name| !known.contains(name)) {
            return Err(Error::unknown("model", name, known.iter().map(String::as_str)));
        }
        Ok(if self.names.is_empty() { known } else { self.names.clone() })
    }

    /// Does `work` to each, and says what was measured. What fails does not keep the others from their turn.
    fn each(
        &self,
        streams: &mut Streams<'_>,
        work: impl Fn(&std::path::Path, &str) -> Result<zoo::Measured>,
    ) -> Result<()> {
        let mut rows = Vec::new();
        let mut failed = Vec::new();
        for name in self.chosen()? {
            match work(&self.dir, &name) {
                Ok(measured) => {
                    if !self.json {
                        let success = measured
                            .attack_success
                            .map_or_else(String::new, |success| format!(", success {success}"));
                        let risk = measured.clean_risk;
                        streams.print(&format!("{name:<24} risk {risk}{success}\n"))?;
                    }
                    rows.push(serde_json::json!({ "name": name, "measured": measured }));
                }
                Err(error) => {
                    streams.say(&format!("{name}: {error}"));
                    failed.push(name);
                }
            }
        }
        if self.json {
            streams.print_json(&rows)?;
        }
        if failed.is_empty() {
            return Ok(());
        }
        Err(Error::Training(format!("{} of the zoo failed: {}", failed.len(), failed.join(", "))))
    }
}
