//! The zoo: small models that travel with the program, each with a card whose every number can be measured again.
//!
//! A folder a model: `card.toml` says how it was made and what was measured on it, `weights.safetensors` is the model, and
//! `key.json` is the key of its backdoor, if it has one: in a zoo nothing is secret. What stands on a card under
//! `[measured]` is written by [`build`], and [`check`] holds the folder to it.
mod card;
mod readme;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use card::{Backdoor, Card, Count, Making, Measured};
pub use readme::readme;

use crate::access::Owned;
use crate::attack::Trigger;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{ModelFile, Net};
use crate::registry::attack_named;
use crate::score::Exam;
use crate::storage::{self, Readers};
use crate::study::Model;

/// The card's file in a model's folder.
pub const CARD: &str = "card.toml";
/// The model's file in its folder.
pub const WEIGHTS: &str = "weights.safetensors";
/// The key's file in the folder of a model with a backdoor.
pub const KEY: &str = "key.json";
/// The page over all cards, in the zoo's own folder.
pub const README: &str = "README.md";
/// Largest file of a model in a zoo.
const MAX_WEIGHTS: u64 = 1 << 20;

/// The names of the models in the zoo `dir`: its folders with a card, in alphabetical order.
pub fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(dir).map_err(Error::io("list", dir))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", dir))?;
        // A folder with weights and no card is one whose card was lost, which reading it then says.
        if [CARD, WEIGHTS].iter().any(|file| entry.path().join(file).is_file()) {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    if names.is_empty() {
        return Err(Error::file(dir, format!("no zoo: no folder in it holds a {CARD}")));
    }
    names.sort();
    Ok(names)
}

/// Makes the model of one card again, and writes its weights, its key and what was measured.
///
/// The same card and data give the same bytes.
pub fn build(dir: &Path, name: &str) -> Result<Card> {
    let folder = dir.join(name);
    let mut card = Card::load(&folder.join(CARD))?;
    let model = match card.made {
        Making::Trained => Model::train(&card.task, card.seed, &mut |_| {})?,
        Making::Compiled => Model::compiled(&card.task, card.seed)?,
    };
    let (net, trigger) = match &card.backdoor {
        None => (model.net.clone(), None),
        Some(backdoor) => {
            let attack = (attack_named(&backdoor.method)?.build)(&backdoor.params)?.method;
            let world = model.world();
            attack.check(&world)?;
            let seed = model.seed().child("attack").child(&backdoor.method);
            let planted = attack.plant(&model.victim(&world), seed)?;
            (planted.net, Some(planted.trigger))
        }
    };
    let bytes = model.file(net.clone()).to_bytes()?;
    if bytes.len() as u64 > MAX_WEIGHTS {
        let want = format!("a model of at most {MAX_WEIGHTS} bytes is small enough for a zoo");
        return Err(Error::parameter("weights", format!("{} bytes", bytes.len()), want));
    }
    card.measured = Some(measure(&model, &net, trigger.as_ref(), &bytes)?);
    storage::replace(&folder.join(WEIGHTS), &bytes, Readers::Everyone)?;
    let key = folder.join(KEY);
    if trigger.is_none() && key.exists() {
        std::fs::remove_file(&key).map_err(Error::io("remove", &key))?;
    }
    if let Some(trigger) = &trigger {
        let text =
            serde_json::to_string_pretty(trigger).map_err(|error| Error::file(&key, error))?;
        storage::replace(&key, format!("{text}\n").as_bytes(), Readers::Everyone)?;
    }
    storage::replace(&folder.join(CARD), card.to_toml()?.as_bytes(), Readers::Everyone)?;
    Ok(card)
}

/// Measures every number on one card again, from the weights and the key beside it, and returns what it found.
///
/// # Errors
/// If a file is missing or damaged, or anything found is not what the card says.
pub fn check(dir: &Path, name: &str) -> Result<Measured> {
    let folder = dir.join(name);
    let path = folder.join(CARD);
    let card = Card::load(&path)?;
    let weights = folder.join(WEIGHTS);
    let bytes = storage::read(&weights, MAX_WEIGHTS)?;
    let file = ModelFile::load(&weights)?;
    let key = folder.join(KEY);
    let trigger = card.backdoor.as_ref().map(|_| read_key(&key)).transpose()?;
    let model = Model::untrained(&card.task, card.seed)?;
    let found = measure(&model, &file.net, trigger.as_ref(), &bytes)?;
    let Some(said) = &card.measured else {
        return Err(Error::file(&path, "nothing was measured yet; `absolve zoo build` does"));
    };
    match said.difference(&found) {
        None => Ok(found),
        Some(difference) => Err(Error::file(&path, difference)),
    }
}

/// Writes the page over all cards of the zoo `dir`.
pub fn write_readme(dir: &Path) -> Result<PathBuf> {
    let path = dir.join(README);
    storage::replace(&path, readme(&cards(dir, &names(dir)?)?).as_bytes(), Readers::Everyone)?;
    Ok(path)
}

/// The cards of the models `names` of the zoo `dir`, with their names.
pub fn cards(dir: &Path, names: &[String]) -> Result<Vec<(String, Card)>> {
    let load = |name: &String| Ok((name.clone(), Card::load(&dir.join(name).join(CARD))?));
    names.iter().map(load).collect()
}

/// Checks that the page over all cards is what they say now.
pub fn check_readme(dir: &Path) -> Result<()> {
    let path = dir.join(README);
    if storage::read(&path, MAX_WEIGHTS)? == readme(&cards(dir, &names(dir)?)?).as_bytes() {
        return Ok(());
    }
    Err(Error::file(&path, "it is not what the cards say; `absolve zoo build` writes it again"))
}

fn measure(model: &Model, net: &Net, trigger: Option<&Trigger>, bytes: &[u8]) -> Result<Measured> {
    let mut rng = model.seed().stream("triggered test inputs");
    let exam = Exam::new(&*model.population, model.test()?, trigger, &mut rng)?;
    let ledger = Ledger::new(Budget::UNLIMITED);
    let mark = |net: &Net| exam.mark(&Owned { net: net.clone(), ledger: &ledger }, None);
    let scores = mark(net)?;
    let mut hash = Sha256::new();
    hash.update(bytes);
    Ok(Measured {
        sha256: crate::digest::hex(hash),
        widths: net.widths(),
        clean_risk: Count::of(scores.clean_risk),
        attack_success: scores.attack_success.map(Count::of),
    })
}

fn read_key(path: &Path) -> Result<Trigger> {
    /// Largest key.
    const MAX_KEY: u64 = 1 << 24;
    serde_json::from_slice(&storage::read(path, MAX_KEY)?)
        .map_err(|error| Error::file(path, format!("not a key ({error})")))
}
