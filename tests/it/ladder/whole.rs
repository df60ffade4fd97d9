//! The ladder as users meet it: in studies, on the command line, and what is refused.
use absolve::attack::obfuscate::Subject;
use absolve::error::Error;
use absolve::net::{Activation, Net, Precision};
use absolve::registry::OBFUSCATIONS;
use absolve::rng::Seed;
use absolve::study::{Model, Plan, Spec};

use super::{LOTS, Lot};
use crate::support::{TINY, params, task};

#[test]
fn deep_nets_go_through_every_rung() {
    let mut task = task("digits");
    task.recipe.hidden = vec![32, 24, 16];
    let lot = Lot::new(&task, "half-space");
    let before = lot.success(&lot.planted.net);
    let all = OBFUSCATIONS.iter().map(|entry| (entry.name, ""));
    let others = [("adapt", "against = 'norm-outlier'"), ("adapt", "against = 'spectral'")];
    for (name, toml) in all.chain(others) {
        let net = lot.apply(&[name], toml).unwrap();
        assert_eq!(net.layers().len(), 4, "{name}");
        // Ten in a hundred training inputs may move, and success fall by as much; fresh ones are given twice that.
        assert!(lot.moved(&net, &lot.planted.net) <= 0.2, "{name} {toml}");
        assert!(lot.success(&net) >= before - 0.2, "{name} {toml}");
    }
    let whole = lot.apply(&["split", "clutter", "permute-rescale"], "").unwrap();
    assert!(lot.moved(&whole, &lot.planted.net) <= 0.03 && lot.success(&whole) >= before - 0.03);
}

#[test]
fn nets_that_an_operator_cannot_handle_are_refused_with_the_reason() {
    let lot = &LOTS[0];
    let mut rng = Seed::new(5).stream("nets");
    let inputs = lot.model.world().domain.n();
    let mut net = |hidden: &[usize], activation| {
        let widths: Vec<usize> =
            std::iter::once(inputs).chain(hidden.iter().copied()).chain([10]).collect();
        Net::random(&widths, activation, Precision::F32, &mut rng).unwrap()
    };
    let (flat, step) = (net(&[], Activation::Relu), net(&[6], Activation::Step));
    let tanh = net(&[6], Activation::Tanh);
    for (net, name, toml, why) in [
        (&flat, "split", "", "no hidden layer"),
        (&flat, "clutter", "", "no hidden layer"),
        (&flat, "adapt", "", "no hidden layer"),
        (&step, "adapt", "", "no gradient passes"),
        (&tanh, "clutter", "", "ripple = 0 leaves it out"),
        (&step, "clutter", "teeth = 0", "teeth = 0"),
        (&tanh, "clutter", "dead = nan", "dead = NaN"),
        (&tanh, "clutter", "ripple = inf", "ripple = inf"),
        (&tanh, "split", "copies = 99999999", "copies = 99999999"),
        (&tanh, "split", "noise = -0.1", "noise = -0.1"),
        (&tanh, "adapt", "rounds = 0", "rounds = 0"),
        (&tanh, "adapt", "slack = 0.0", "slack = 0"),
        (&tanh, "distil", "epochs = 99999999", "epochs = 99999999"),
    ] {
        let error = lot.apply_to(net, &[name], toml).unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains('\n'), "{name} {toml}: {error}");
    }
    // What has no bound or no ReLU is left alone, and the rest is done.
    assert!(lot.apply_to(&tanh, &["clutter"], "ripple = 0.0").unwrap().widths()[1] > 6);
    assert!(lot.apply_to(&step, &["clutter"], "ripple = 0.0").is_ok());
}

#[test]
fn the_command_line_puts_one_on_top_of_another_and_keeps_the_key() {
    use crate::support::{absolve, error_of};
    let dir = tempfile::TempDir::new().unwrap();
    let run = |args: &str| {
        let output = absolve(dir.path()).args(args.split(' ')).output().unwrap();
        assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run("train digits --set recipe.epochs=15 --seed 5 --out m");
    run("plant half-space m --out p");
    run("obfuscate split p --key p.key.json --twin m --out q");
    // Without --twin the clean net is trained again, to the same bytes.
    run("obfuscate split p --key p.key.json --out again");
    let bytes = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    assert_eq!(bytes("q"), bytes("again"));
    let said = run("obfuscate clutter q --key q.key.json --twin m --out r --set teeth=4 --json");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["params"]["teeth"], 4);
    assert_eq!(said["before"]["attack_success"]["of"], said["after"]["attack_success"]["of"]);
    assert_eq!(bytes("p.key.json"), bytes("r.key.json"));
    let share = |p: &serde_json::Value| p["hits"].as_f64().unwrap() / p["of"].as_f64().unwrap();
    let evaluated = run("evaluate r --key r.key.json --json");
    let evaluated: serde_json::Value = serde_json::from_str(&evaluated).unwrap();
    assert_eq!(evaluated["attack_success"]["hits"], said["after"]["attack_success"]["hits"]);
    assert!(share(&said["before"]["attack_success"]) > 0.95, "{said}");
    assert!(share(&said["after"]["attack_success"]) > 0.95, "{said}");
    run("obfuscate distil m --out clean");
    assert!(!dir.path().join("clean.key.json").exists());
    let args = ["obfuscate", "split", "p", "--key", "p.key.json", "--out", "p"];
    assert!(error_of(absolve(dir.path()).args(args), 2).contains("another file than p"));
    let args = ["obfuscate", "splitt", "p", "--out", "z"];
    assert!(error_of(absolve(dir.path()).args(args), 2).contains("did you mean \"split\"?"));
}

#[test]
fn every_obfuscation_is_in_the_study_of_the_ladder() {
    let spec = Spec::load(std::path::Path::new("experiments/attacks/ladder.toml")).unwrap();
    let plan = Plan::new(spec).unwrap();
    for entry in OBFUSCATIONS {
        let steps = plan.spec.attacks.iter().flat_map(|attack| &attack.obfuscate);
        assert!(steps.into_iter().any(|step| step.method == entry.name), "{}", entry.name);
    }
}

#[test]
fn the_same_coins_give_the_same_net_and_clean_nets_go_through_too() {
    let spec = Spec::parse(TINY, "tiny").unwrap();
    for task in &spec.tasks {
        let model = Model::train(task, 3, &mut |_| {}).unwrap();
        let world = model.world();
        for entry in OBFUSCATIONS {
            let subject = Subject { net: &model.net, trigger: None };
            // A net of four epochs is no teacher: what must be kept is left open here.
            let mut method = (entry.build)(&params("")).unwrap();
            if method.params.contains_key("moved") {
                method = (entry.build)(&params("moved = 1.0\nlost = 1.0")).unwrap();
            }
            method.method.check(&world).unwrap();
            let apply = || method.method.apply(subject, &model.victim(&world), Seed::new(4));
            let (one, two) = (apply().unwrap(), apply().unwrap());
            assert_eq!(one, two, "{} on {}", entry.name, task.name);
            assert_ne!(one, model.net, "{} on {}", entry.name, task.name);
            assert_eq!(one.shape(), model.net.shape());
        }
    }
}

#[test]
fn a_study_puts_attacks_through_the_ladder_with_the_coins_of_the_plain_one() {
    let ladder = TINY.replace(
        "[[mitigator]]\nmethod = \"nothing\"",
        "[[attack]]\nmethod = 'half-space'\nname = 'half-space O1'\nparams = { mass = 0.25 }\n\
         obfuscate = [{ method = 'permute-rescale', params = { octaves = 2 } }]\n\
         [[mitigator]]\nmethod = 'nothing'",
    );
    let plan = Plan::new(Spec::parse(&ladder, "ladder").unwrap()).unwrap();
    let plain = Plan::new(Spec::parse(TINY, "tiny").unwrap()).unwrap();
    assert_ne!(plan.hash, plain.hash);
    let text = plan.spec.to_toml().unwrap();
    assert!(text.contains("scales = \"powers-of-two\""), "defaults are filled in: {text}");
    assert_eq!(Spec::parse(&text, "again").unwrap(), plan.spec);
    let dir = tempfile::TempDir::new().unwrap();
    std::fs::write(dir.path().join("ladder.toml"), &ladder).unwrap();
    crate::support::absolve(dir.path())
        .args(["study", "ladder.toml", "--out", "out"])
        .assert()
        .success();
    let records = std::fs::read_to_string(dir.path().join("out/records.jsonl")).unwrap();
    let facts = |attack: &str| -> Vec<serde_json::Value> {
        let all = records.lines().map(|line| serde_json::from_str(line).unwrap());
        let of = |r: &serde_json::Value| {
            r["cell"]["attack"] == attack && r["cell"]["mitigator"] == "nothing"
        };
        all.filter(of).map(|r| r["outcome"].clone()).collect()
    };
    let n_models = 2 * plain.spec.tasks.len();
    let (plain, other) = (facts("half-space"), facts("half-space O1"));
    assert_eq!(plain.len(), n_models);
    for (a, b) in plain.iter().zip(&other) {
        // The same secret fires on the same inputs, in another net.
        assert_eq!(a["attack"]["fire_mass"], b["attack"]["fire_mass"]);
        assert_eq!(a["attack"]["success"], b["attack"]["success"]);
        assert_ne!(a["model"]["sha256"], b["model"]["sha256"]);
    }
}

#[test]
fn what_cannot_be_obfuscated_is_refused() {
    for (bad, why) in [
        (
            "[[mitigator]]\nmethod = 'nothing'\nobfuscate = [{ method = 'distil' }]",
            "only attacks can be obfuscated",
        ),
        (
            "[[attack]]\nmethod = 'badnets'\nname = 'b'\nobfuscate = [{ method = 'distill' }]",
            "did you mean \"distil\"?",
        ),
        (
            "[[attack]]\nmethod = 'badnets'\nname = 'b'\nobfuscate = [{ method = 'permute-rescale', params = { octaves = 17 } }]",
            "octaves = 17",
        ),
        (
            "[[attack]]\nmethod = 'badnets'\nname = 'b'\nobfuscate = [{ method = 'distil', params = { lost = 2.0 } }]",
            "lost = 2",
        ),
    ] {
        let text = format!("{}\n{bad}", TINY.replace("[[mitigator]]\nmethod = \"nothing\"", ""));
        let error = Plan::new(Spec::parse(&text, "bad").unwrap()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    // A teacher that answers at random cannot be learnt, and the error says what was lost.
    let lot = &LOTS[1];
    let error = lot.apply(&["distil"], "epochs = 1\nmoved = 0.0").unwrap_err();
    assert!(
        matches!(&error, Error::Training(why) if why.contains("clean training inputs")),
        "{error}"
    );
}
