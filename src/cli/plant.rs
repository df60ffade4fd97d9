//! `absolve plant`: a backdoor into a model file, and its key into another file.
use std::path::PathBuf;

use super::{Streams, key_path, origin, parse_settings};
use crate::data::Target;
use crate::error::{Error, Result};
use crate::net::ModelFile;
use crate::registry::attack_named;
use crate::rng::Seed;
use crate::score::{AttackFacts, Exam, MOST_OF_TWIN, facts};
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
        doubts(&facts).iter().for_each(|doubt| streams.say(&format!("note: {doubt}")));
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
        let held = theorems.iter().map(super::verdict);
        streams.print(&format!(
            "{} (key {})\nattack success {} (of the clean twin {})\nclean risk     {}, was {}\nfire mass      {}\nmoved          {} of clean \
             inputs{}, root mean square {:.4}\n{}",
            self.out.display(),
            key.display(),
            percent(facts.success),
            percent(facts.twin_success),
            percent(facts.clean_risk_after),
            percent(facts.clean_risk_before),
            facts.fire_mass.map_or_else(|| "no exact condition".to_owned(), percent),
            percent(facts.moved),
            if world.target == Target::Real {
                format!(" by more than {}", world.cutoff)
            } else {
                " to another class".to_owned()
            },
            facts.moved_l2,
            held.collect::<String>()
        ))
    }
}

/// Least success of an attack that took hold, as the built-in study has it.
const LEAST_SUCCESS: f64 = 0.8;

/// Why what was planted is hardly a backdoor, if it is so.
fn doubts(facts: &AttackFacts) -> Vec<String> {
    let mut doubts = Vec::new();
    let percent = |p: crate::stats::Proportion| format!("{:.1}%", 100.0 * p.value());
    if facts.success.value() < LEAST_SUCCESS {
        doubts.push(format!(
            "the attack did not take hold: it succeeds on {} of triggered test inputs, and a study with min_attack_success = {LEAST_SUCCESS} leaves such a model out",
            percent(facts.success)
        ));
    }
    if facts.twin_success.value() > MOST_OF_TWIN {
        doubts.push(format!(
            "on {} of triggered test inputs the clean twin, which has no backdoor, answers as the attacker wants: success says little here",
            percent(facts.twin_success)
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Proportion;

    #[test]
    fn what_does_not_fire_and_what_fires_without_a_backdoor_is_said() {
        let of = |hits| Proportion { hits, of: 100 };
        let facts = |success, twin| AttackFacts {
            fire_mass: None,
            moved: of(0),
            moved_l2: 0.0,
            clean_risk_before: of(3),
            clean_risk_after: of(3),
            success: of(success),
            twin_success: of(twin),
            twin_recovered: of(90),
            notes: Vec::new(),
        };
        assert!(doubts(&facts(80, 50)).is_empty());
        let weak = doubts(&facts(7, 0));
        assert!(weak.len() == 1 && weak[0].contains("7.0%") && weak[0].contains("did not take"));
        let vacuous = doubts(&facts(100, 78));
        assert!(vacuous.len() == 1 && vacuous[0].contains("78.0%"), "{vacuous:?}");
    }
}
