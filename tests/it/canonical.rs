//! The game of canonicality from outside: the committed games and their records, and the command.
use std::fs;
use std::path::Path;

use absolve::game::canonical::Spec;

use crate::support::{absolve, error_of};

#[test]
fn every_committed_game_can_be_played_and_its_record_refutes_no_theorem() {
    let mut n_games = 0;
    for entry in fs::read_dir("experiments/game").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("canonical-") || path.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        n_games += 1;
        let game = Spec::load(&path).unwrap().check().unwrap();
        let record = fs::read_to_string(path.with_extension("json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["spec"]["runs"], game.spec.runs, "{name}");
        assert_eq!(record["spec"]["first_seed"], game.spec.first_seed, "{name}");
        assert_eq!(record["errors"], serde_json::json!([]), "{name}");
        for pair in record["pairs"].as_array().unwrap() {
            if pair["held"] != true {
                continue;
            }
            let Some(bound) = pair["theorem"].as_f64() else { continue };
            for unit in pair["units"].as_array().unwrap() {
                let least = unit["at_least"].as_f64().unwrap();
                assert!(least <= bound, "{name}: at least {least}, and the theorem says {bound}");
            }
        }
    }
    assert!(n_games >= 4, "{n_games} games");
}

/// A task that is learnt at once.
const TASK: &str = "name = 'line'\ntrain = 200\ntest = 40\nbudget = { clean_labels = 60 }\n\
                    population = { family = 'affine', domain = { shape = 'ball', n = 3 } }\n\
                    recipe = { hidden = [8], epochs = 2 }\n";

#[test]
fn the_command_plays_and_says_what_is_wrong_with_what_it_cannot_play() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("line.toml"), TASK).unwrap();
    let game = |method: &[&str]| {
        let mut command = absolve(dir.path());
        command.args(["game", "canonical"]).args(method);
        command.args(["--attack", "half-space", "--population", "line.toml"]);
        command.args(["--pairs", "2", "--runs", "60", "--inputs", "2"]);
        command
    };
    let output = game(&["relearn", "--out", "record.json"]).output().unwrap();
    let (said, told) = (String::from_utf8(output.stdout).unwrap(), output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("TV at most  0.000e0 by the theorem") && !said.contains("ERROR"));
    assert!(String::from_utf8(told).unwrap().contains("360 of 360 runs"));
    let record = fs::read_to_string(dir.path().join("record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["theorem"], 0.0);
    // Two pairs with sixty coupled runs each, all alike.
    for pair in record["pairs"].as_array().unwrap() {
        assert_eq!(pair["units"][0]["identical"], serde_json::json!({ "hits": 60, "of": 60 }));
    }
    let json = game(&["nothing", "--json"]).output().unwrap().stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert!(json["at_least"].as_f64().unwrap() > 0.0 && json["theorem"].is_null());

    let said = error_of(&mut game(&["fourier-globe"]), 2);
    assert!(said.contains("did you mean \"fourier-global\"?"), "{said}");
    let said = error_of(&mut game(&["fourier-global"]), 2);
    assert!(said.contains("does not apply to task line"), "{said}");
    let said = error_of(&mut game(&["affine-ray", "--set", "bad_mass=0.3"]), 2);
    assert!(said.contains("below 1/4"), "{said}");
    let said = error_of(&mut game(&["relearn", "--attack-set", "mass=2"]), 2);
    assert!(said.contains("mass"), "{said}");
    let spec = Path::new("no-such-game.toml").to_str().unwrap();
    let said = error_of(absolve(dir.path()).args(["game", "canonical", "--spec", spec]), 1);
    assert!(said.contains("no-such-game.toml"), "{said}");
}
