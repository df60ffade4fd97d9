//! `absolve obfuscate`: a model file into another whose weights tell less.
use std::path::PathBuf;

use super::evaluate::read_key;
use super::{Streams, key_path, origin, parse_settings};
use crate::access::Owned;
use crate::attack::obfuscate::{Step, Subject, obfuscate};
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{ModelFile, Net};
use crate::registry::obfuscation_named;
use crate::rng::Seed;
use crate::score::{Exam, Scores};
use crate::stats::Proportion;
use crate::storage::{self, Readers};
use crate::study::Model;

/// Make the weights of a model tell less: `absolve list obfuscations`; with its key, a planted model goes on firing
///
/// The key, which stays what it is, is written to OUT.key.json too. Run it again on OUT to put one on top of another.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An obfuscation by name
    method: String,
    /// The model, planted or clean
    model: PathBuf,
    /// Key of its backdoor; without one the model counts as clean
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where to write the obfuscated model
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The clean model that the backdoor was planted in [default: trained again from the task and the seed]
    #[arg(long, value_name = "FILE")]
    twin: Option<PathBuf>,
    /// Task that the model was trained for, if the file does not say [default: what the file says]
    #[arg(long, value_name = "TASK")]
    population: Option<String>,
    /// Seed of the model's population and training [default: what the file says]
    #[arg(long)]
    seed: Option<u64>,
    /// Seed of the obfuscation itself [default: the model's]
    #[arg(long, value_name = "SECRET")]
    attack_seed: Option<u64>,
    /// A parameter of the obfuscation, such as octaves=5
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print what it did as one JSON document
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        let read = [Some(&self.model), self.key.as_ref(), self.twin.as_ref()];
        let read: Vec<_> = read.into_iter().flatten().map(PathBuf::as_path).collect();
        let key_out = key_path(&self.out);
        super::keep_apart(&self.out, &read)?;
        super::keep_apart(&key_out, &read)?;
        let entry = obfuscation_named(&self.method)?;
        let built = (entry.build)(&parse_settings(&self.set)?)?;
        let file = ModelFile::load(&self.model)?;
        let trigger = self.key.as_deref().map(read_key).transpose()?;
        let (task, number) = origin(&file, self.population.as_deref(), self.seed)?;
        let model = match &self.twin {
            Some(path) => {
                let twin = ModelFile::load(path)?;
                origin(&twin, self.population.as_deref(), Some(number))?;
                let mut model = Model::untrained(&task, number)?;
                model.net = twin.net;
                model
            }
            None => Model::train(&task, number, &mut |_| {})?,
        };
        let world = model.world();
        built.method.check(&world)?;
        let secret = self.attack_seed.map_or_else(|| model.seed(), Seed::new);
        let steps = [Step { name: self.method.clone(), method: built.method }];
        let subject = Subject { net: &file.net, trigger: trigger.as_ref() };
        let net = obfuscate(&steps, subject, &model.victim(&world), secret)?;

        let mut rng = model.seed().stream("triggered test inputs");
        let exam = Exam::new(&*model.population, model.test()?, trigger.as_ref(), &mut rng)?;
        let ledger = Ledger::new(Budget::UNLIMITED);
        let mark = |net: &Net| exam.mark(&Owned { net: net.clone(), ledger: &ledger }, None);
        let (before, after) = (mark(&file.net)?, mark(&net)?);
        let sha256 = net.sha256();
        model.file(net).save(&self.out)?;
        if let Some(trigger) = &trigger {
            let mut text = serde_json::to_string_pretty(trigger)
                .map_err(|error| Error::file(&key_out, error))?;
            text.push('\n');
            storage::replace(&key_out, text.as_bytes(), Readers::Owner)?;
        }
        if self.json {
            return streams.print_json(&serde_json::json!({
                "model": self.out,
                "key": trigger.is_some().then_some(key_out),
                "sha256": sha256,
                "params": built.params,
                "before": before,
                "after": after,
            }));
        }
        let line =
            |name: &str, of: fn(&Scores) -> Option<Proportion>| match (of(&after), of(&before)) {
                (Some(is), Some(was)) => {
                    let percent = |p: Proportion| 100.0 * p.value();
                    format!("{name:<15}{:.2}%, was {:.2}%\n", percent(is), percent(was))
                }
                _ => String::new(),
            };
        streams.print(&format!(
            "{}\n{}{}",
            self.out.display(),
            line("clean risk", |scores| Some(scores.clean_risk)),
            line("attack success", |scores| scores.attack_success),
        ))
    }
}
