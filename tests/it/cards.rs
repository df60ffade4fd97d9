//! The zoo that travels with the program: every number on every card, measured again from the shipped weights.
use std::fs;
use std::path::Path;

use absolve::zoo::{self, Card};
use rayon::prelude::*;

use crate::support::absolve;

fn models() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/models"))
}

#[expect(clippy::print_stderr, reason = "what a test did not look at should be said")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Cards whose data are on this machine; the others are named on standard error.
fn at_hand() -> Vec<String> {
    let names = zoo::names(models()).unwrap();
    assert!(names.len() >= 10, "{names:?}");
    let (here, away): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| {
        // A card is read only with the data of its task; only those of Fashion-MNIST may be missing.
        Card::load(&models().join(name).join(zoo::CARD)).is_ok()
    });
    for name in &away {
        assert!(name.starts_with("fashion-mnist"), "{name}: its card is not read");
        say(&format!("{name} skipped: its data are not on this machine"));
    }
    here
}

#[test]
fn every_number_on_every_card_is_what_the_shipped_weights_give() {
    at_hand().par_iter().for_each(|name| {
        zoo::check(models(), name).unwrap_or_else(|error| panic!("{name}: {error}"));
    });
}

#[test]
fn there_is_a_card_for_every_family_clean_and_under_two_attacks_and_for_every_attack() {
    let cards: Vec<Card> = at_hand()
        .iter()
        .map(|name| Card::load(&models().join(name).join(zoo::CARD)).unwrap())
        .collect();
    for (name, family) in absolve::population::Family::defaults() {
        let kind = std::mem::discriminant(&family);
        let of = |card: &&Card| std::mem::discriminant(&card.task.population) == kind;
        let methods: Vec<Option<&str>> = cards
            .iter()
            .filter(of)
            .map(|card| card.backdoor.as_ref().map(|backdoor| backdoor.method.as_str()))
            .collect();
        // Data from files may not be here, and then nor are their cards.
        if methods.is_empty() && family.fingerprint().map_or(true, |digest| digest.is_some()) {
            continue;
        }
        assert!(methods.contains(&None), "no clean model of the family {name}");
        for attack in ["badnets", "half-space"] {
            assert!(methods.contains(&Some(attack)), "no {attack} on {name}");
        }
    }
    for attack in absolve::registry::ATTACKS {
        let of = |card: &&Card| card.backdoor.as_ref().is_some_and(|b| b.method == attack.name);
        assert!(cards.iter().any(|card| of(&card)), "no model under {}", attack.name);
    }
    for card in &cards {
        assert!(!card.licence.is_empty() && card.measured.is_some());
    }
}

#[test]
fn the_page_over_the_cards_is_written_from_them() {
    if at_hand().len() < zoo::names(models()).unwrap().len() {
        say("skipped: not every card's data are on this machine");
        return;
    }
    let page = fs::read_to_string(models().join(zoo::README)).unwrap();
    assert_eq!(
        page,
        zoo::readme(&zoo::cards(models(), &zoo::names(models()).unwrap()).unwrap()),
        "run `absolve zoo build`"
    );
}

#[test]
fn a_zoo_built_again_is_the_same_bytes_and_a_damaged_one_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["digits-half-space", "fourier-exact"] {
        fs::create_dir(dir.path().join(name)).unwrap();
        let card = models().join(name).join(zoo::CARD);
        fs::copy(card, dir.path().join(name).join(zoo::CARD)).unwrap();
    }
    let zoo = |command: &str| {
        let mut program = absolve(dir.path());
        program.args(["zoo", command, "--dir"]).arg(dir.path());
        program
    };
    zoo("check").assert().failure().code(1);
    zoo("build").assert().success();
    zoo("check").assert().success();
    for name in ["digits-half-space", "fourier-exact"] {
        for file in [zoo::CARD, zoo::WEIGHTS] {
            let (again, shipped) =
                (dir.path().join(name).join(file), models().join(name).join(file));
            assert_eq!(fs::read(again).unwrap(), fs::read(shipped).unwrap(), "{name}/{file}");
        }
    }
    // One weight moved a little: the digest tells. One number on the card changed: measuring tells.
    let weights = dir.path().join("digits-half-space").join(zoo::WEIGHTS);
    let mut bytes = fs::read(&weights).unwrap();
    let last = bytes.len() - 4;
    bytes[last] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let card = dir.path().join("fourier-exact").join(zoo::CARD);
    let text = fs::read_to_string(&card).unwrap();
    assert!(text.contains("hits = 0\n"));
    fs::write(&card, text.replace("hits = 0\n", "hits = 1\n")).unwrap();
    let told = zoo("check").assert().failure().code(1);
    let told = String::from_utf8_lossy(&told.get_output().stderr).into_owned();
    assert!(told.contains("it says sha256"), "{told}");
    assert!(told.contains("it says clean_risk 1, "), "{told}");
}
