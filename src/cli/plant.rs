//! `absolve plant`: a backdoor into a model file, and its key into another file.
use std::path::PathBuf;

use super::{Streams, key_path, origin, parse_settings};
use crate::error::{Error, Result};
use crate::net::ModelFile;
use crate::registry::attack_named;
use crate::rng::Seed;
use crate::score::{Exam, facts};
use crate::storage::{self, Readers};
use crate::study::Model;

/// Plant a backdoor in a model; the key goes to OUT.key.json, readable by its owner alone
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An attack by name (`absolve list attacks`)
    attack: String,
    /// The clean model
    model: PathBuf,
    /// Where to write the planted model
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Task that the model was trained for, if the file does not say [default: what the file says]
    #[arg(long, value_name = "TASK")]
    population: Option<String>,
    /// Seed of the model's population and training [default: what the file says]
    #[arg(long)]
    seed: Option<u64>,
    /// Seed of the secret itself [default: the model's]
    #[arg(long, value_name = "SECRET")]
    attack_seed: Option<u64>,
    /// A parameter of the attack, such as mass=0.01
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print what the attack did as one JSON document
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        super::keep_apart(&self.out, &[&self.model])?;
        let entry = attack_named(&self.attack)?;
        let attack = (entry.build)(&parse_settings(&self.set)?)?;
        let file = ModelFile::load(&self.model)?;
        let (task, number) = origin(&file, self.population.as_deref(), self.seed)?;
        let mut model = Model::untrained(&task, number)?;
        if file.net.lock().is_some() {
            let why =
                "it has a lock already, and what is planted in its layers would leave that out";
            return Err(Error::file(&self.model, why));
        }
        model.net = file.net;
        let world = model.world();
        attack.method.check(&world)?;
        let secret = self.attack_seed.map_or_else(|| model.seed(), Seed::new);
        let seed = secret.child("attack").child(&self.attack);
        if self.attack_seed.is_none() {
            streams.say(
                "note: the key follows from the model's own seed, which its file tells; --attack-seed makes it a secret",
            );
        }
        let planted = attack.method.plant(&model.victim(&world), seed)?;
        planted.notes.iter().for_each(|note| streams.say(&format!("note: {note}")));
        let mut rng = model.seed().stream("triggered test inputs");
        let exam = Exam::new(&*model.population, model.test()?, Some(&planted.trigger), &mut rng)?;
        let facts = facts(&model.net, &planted, &exam)?;
        let theorems = model.theorems(&planted.net)?;

        model.file(planted.net.clone()).save(&self.out)?;
        let key = key_path(&self.out);
        let mut text = serde_json::to_string_pretty(&planted.trigger)
            .map_err(|error| Error::file(&key, error))?;
        text.push('\n');
        storage::replace(&key, text.as_bytes(), Readers::Owner)?;
        if self.json {
            return streams.print_json(&serde_json::json!({
                "model": self.out,
                "key": key,
                "sha256": planted.net.sha256(),
                "params": attack.params,
                "facts": facts,
                "theorems": theorems,
            }));
        }
        let percent = |p: crate::stats::Proportion| {
            let e = p.estimate();
            format!("{:.2}% [{:.2}, {:.2}]", 100.0 * e.value, 100.0 * e.low, 100.0 * e.high)
        };
        let held = theorems.iter().map(|check| {
            let verdict = if check.held { "held" } else { "not held" };
            format!("assumption     {verdict}, {:.4}: {}\n", check.measured, check.statement)
        });
        streams.print(&format!(
            "{} (key {})\nattack success {} (of the clean twin {})\nclean risk     {}, was {}\nfire mass      {}\nmoved          {} of clean \
             inputs, root mean square {:.4}\n{}",
            self.out.display(),
            key.display(),
            percent(facts.success),
            percent(facts.twin_success),
            percent(facts.clean_risk_after),
            percent(facts.clean_risk_before),
            facts.fire_mass.map_or_else(|| "no exact condition".to_owned(), percent),
            percent(facts.moved),
            facts.moved_l2,
            held.collect::<String>()
        ))
    }
}
