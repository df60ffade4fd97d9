//! The ladder of obfuscations: what each rung keeps of a planted net, on fresh inputs.
use std::sync::LazyLock;

use absolve::attack::Planted;
use absolve::attack::obfuscate::{Step, Subject, obfuscate};
use absolve::data::{Batch, row};
use absolve::error::{Error, Result};
use absolve::ledger::{Budget, Ledger};
use absolve::net::{Activation, Net, Precision};
use absolve::registry::{OBFUSCATIONS, obfuscation_named};
use absolve::rng::{RngExt, Seed};
use absolve::score::Exam;
use absolve::study::{Model, Plan, Spec};

use crate::support::{TINY, params, plant, task};

/// A trained model with one backdoor in it, and test inputs that nothing was tuned on.
struct Lot {
    name: String,
    model: Model,
    planted: Planted,
    exam: Exam,
}

/// Digits, an affine truth and a cube, each with a trained and with a planted backdoor.
static LOTS: LazyLock<Vec<Lot>> = LazyLock::new(|| {
    let mut lots = Vec::new();
    for name in ["digits", "affine", "fourier"] {
        let task = task(name);
        for attack in ["badnets", "half-space"] {
            let model = Model::train(&task, 7, &mut |_| {}).unwrap();
            let planted = plant(&model, attack, "");
            let test = model.test().unwrap();
            let mut rng = Seed::new(9).stream("triggered");
            let exam =
                Exam::new(&*model.population, test, Some(&planted.trigger), &mut rng).unwrap();
            lots.push(Lot { name: format!("{attack} on {name}"), model, planted, exam });
        }
    }
    lots
});

impl Lot {
    fn apply(&self, names: &[&str], toml: &str) -> Result<Net> {
        self.apply_to(&self.planted.net, names, toml)
    }

    fn apply_to(&self, net: &Net, names: &[&str], toml: &str) -> Result<Net> {
        let subject = Subject { net, trigger: Some(&self.planted.trigger) };
        let world = self.model.world();
        obfuscate(&steps(names, toml), subject, &self.model.victim(&world), Seed::new(21))
    }

    /// Share of fresh clean inputs on which two nets decide otherwise, or are farther apart than the cutoff.
    fn moved(&self, a: &Net, b: &Net) -> f64 {
        let xs = &self.exam.test.xs;
        let (a, b) = (answers(a, xs), answers(b, xs));
        let world = self.model.world();
        let moved = |i: &usize| !world.is_right(&row(&a, *i), &row(&b, *i));
        (0..xs.nrows()).filter(moved).count() as f64 / xs.nrows() as f64
    }

    /// Attack success of `net` on fresh triggered inputs.
    fn success(&self, net: &Net) -> f64 {
        let ledger = Ledger::new(Budget::UNLIMITED);
        let owned = absolve::access::Owned { net: net.clone(), ledger: &ledger };
        self.exam.mark(&owned, None).unwrap().attack_success.unwrap().value()
    }
}

fn steps(names: &[&str], toml: &str) -> Vec<Step> {
    let step = |name: &&str| {
        let built = (obfuscation_named(name).unwrap().build)(&params(toml)).unwrap();
        Step { name: (*name).to_owned(), method: built.method }
    };
    names.iter().map(step).collect()
}

fn answers(net: &Net, xs: &Batch) -> Batch {
    net.forward(xs, &Ledger::new(Budget::UNLIMITED)).unwrap()
}

fn largest(xs: &Batch) -> f64 {
    xs.iter().fold(0.0, |most, x| most.max(x.abs()))
}

/// The most that the sizes of the numbers added up in an answer of `net` come to: what rounding is relative to.
fn largest_sum(net: &Net, xs: &Batch) -> f64 {
    let ledger = Ledger::new(Budget::UNLIMITED);
    let layers = net.layers();
    let hidden = net.activations(xs, &ledger).unwrap().swap_remove(layers.len() - 2);
    let last = &layers[layers.len() - 1].weight;
    let terms = (0..hidden.ncols()).map(|unit| {
        largest(&hidden.select(ndarray::Axis(1), &[unit]))
            * largest(&last.select(ndarray::Axis(1), &[unit]))
    });
    terms.sum()
}

#[test]
fn permuting_and_rescaling_keeps_answers_to_a_millionth_and_every_decision() {
    for scales in ["powers-of-two", "any"] {
        for lot in LOTS.iter() {
            let net = lot.apply(&["permute-rescale"], &format!("scales = '{scales}'")).unwrap();
            assert_ne!(net, lot.planted.net);
            let triggered = &lot.exam.triggered.as_ref().unwrap().xs;
            for xs in [&lot.exam.test.xs, triggered] {
                let apart = largest(&(answers(&net, xs) - answers(&lot.planted.net, xs)));
                let scale = largest_sum(&lot.planted.net, xs);
                assert!(apart <= 1e-6 * scale, "{scales}, {}: {apart} of {scale}", lot.name);
            }
            let name = &lot.name;
            assert!(
                lot.moved(&net, &lot.planted.net) <= 0.0,
                "{scales}, {name}: one decision changed"
            );
            assert!((lot.success(&net) - lot.success(&lot.planted.net)).abs() <= 0.0, "{name}");
        }
    }
}

#[test]
fn every_symmetry_keeps_the_function_of_a_net_with_its_activation() {
    let lot = &LOTS[0];
    let mut rng = Seed::new(3).stream("nets");
    let xs = Batch::from_shape_simple_fn((60, 5), || 2.0 * rng.random::<f64>() - 1.0);
    for activation in [
        Activation::Relu,
        Activation::Tanh,
        Activation::Gelu,
        Activation::Cos,
        Activation::Step,
        Activation::Identity,
    ] {
        let net = Net::random(&[5, 9, 7, 2], activation, Precision::F64, &mut rng).unwrap();
        let other = lot.apply_to(&net, &["permute-rescale"], "scales = 'any'").unwrap();
        let apart = largest(&(answers(&other, &xs) - answers(&net, &xs)));
        assert!(apart < 1e-12, "{activation:?}: {apart}");
        assert_ne!(other.layers()[0], net.layers()[0], "{activation:?}");
    }
}

#[test]
fn a_defender_who_scales_units_to_norm_one_and_sorts_them_undoes_permuting_and_rescaling() {
    let canonical = |net: &Net| -> Vec<Vec<f64>> {
        let (hidden, out) = (&net.layers()[0], &net.layers()[1]);
        let unit = |unit: usize| {
            let row = hidden.weight.row(unit);
            let norm = row.dot(&row).sqrt();
            let outgoing = out.weight.column(unit).mapv(|v| v * norm);
            let all = row.iter().map(|w| w / norm).chain([hidden.bias[unit] / norm]);
            all.chain(outgoing).collect::<Vec<f64>>()
        };
        let mut units: Vec<_> = (0..hidden.bias.len()).map(unit).collect();
        units.sort_by(|a, b| {
            a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|o| o.is_ne()).unwrap()
        });
        units
    };
    let lot = &LOTS[2];
    let net = lot.apply(&["permute-rescale"], "").unwrap();
    let (was, is) = (canonical(&lot.planted.net), canonical(&net));
    for (a, b) in was.iter().flatten().zip(is.iter().flatten()) {
        assert!((a - b).abs() <= 1e-12 * a.abs().max(1.0), "{a} {b}");
    }
}

#[test]
fn splitting_keeps_clean_answers_and_success_and_lowers_gains() {
    for lot in LOTS.iter() {
        let net = lot.apply(&["split"], "").unwrap();
        // One in a hundred training inputs may move; on 497 to 2,000 fresh ones that is at most 3% but once in a million.
        let (moved, success) = (lot.moved(&net, &lot.planted.net), lot.success(&net));
        let before = lot.success(&lot.planted.net);
        assert!(moved <= 0.03, "{}: {moved} moved", lot.name);
        assert!(success >= before - 0.03, "{}: {success}, was {before}", lot.name);
        let (was, is) = (gains(&lot.planted.net), gains(&net));
        let largest = |gains: &[f64]| gains.iter().copied().fold(0.0, f64::max);
        // A unit above the clean quantile has at least two copies with shares of at most 3/4 and noise of at most 5%.
        assert!(largest(&is) < 0.8 * largest(&was), "{}", lot.name);
        // Sixteen copies with shares of at most 1.5 / (16 · 0.5): the loudest of a planted pair falls by more than five.
        if lot.name.starts_with("half-space") {
            assert!(largest(&is) < 0.2 * largest(&was), "{}", lot.name);
            assert_eq!(net.widths()[1] >= lot.planted.net.widths()[1] + 30, true);
        }
        let norms = |net: &Net| -> Vec<f64> {
            net.layers()[0].weight.rows().into_iter().map(|w| w.dot(&w).sqrt()).collect()
        };
        // Incoming norms: every unit that was loud has the norm of a clean unit now.
        let clean = norms(&lot.model.net);
        let most = clean.iter().copied().fold(0.0, f64::max);
        if lot.name.starts_with("half-space") {
            assert!(
                norms(&lot.planted.net).iter().any(|norm| *norm > 2.0 * most)
                    || lot.name.contains("fourier")
            );
            assert!(norms(&net).iter().all(|norm| *norm <= 1.001 * most), "{}", lot.name);
        }
    }
}

/// |w| |v| of every unit of the first hidden layer.
fn gains(net: &Net) -> Vec<f64> {
    let (hidden, next) = (&net.layers()[0].weight, &net.layers()[1].weight);
    let norm = |v: ndarray::ArrayView1<'_, f64>| v.dot(&v).sqrt();
    (0..hidden.nrows()).map(|unit| norm(hidden.row(unit)) * norm(next.column(unit))).collect()
}

#[test]
fn without_noise_copies_are_exact_for_every_activation() {
    let lot = &LOTS[0];
    let mut rng = Seed::new(5).stream("nets");
    for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu, Activation::Cos] {
        let widths = lot.model.net.widths();
        let net =
            Net::random(&[widths[0], 20, 9, 10], activation, Precision::F64, &mut rng).unwrap();
        let other =
            lot.apply_to(&net, &["split"], "noise = 0.0\nquantile = 0.0\nlost = 1.0").unwrap();
        assert!(other.widths()[1] > 20 && other.widths()[2] > 9);
        let xs = &lot.exam.test.xs;
        let apart = largest(&(answers(&other, xs) - answers(&net, xs)));
        assert!(apart < 1e-9, "{activation:?}: {apart}");
    }
}

#[test]
fn clutter_moves_no_answer_by_more_than_half_the_ripple() {
    for lot in LOTS.iter() {
        for (toml, height) in
            [("ripple = 0.0", 0.0), ("", 0.01), ("ripple = 0.05\nteeth = 3", 0.05)]
        {
            let net = lot.apply(&["clutter"], toml).unwrap();
            let triggered = &lot.exam.triggered.as_ref().unwrap().xs;
            for xs in [&lot.exam.test.xs, triggered] {
                let apart = largest(&(answers(&net, xs) - answers(&lot.planted.net, xs)));
                let rounding = 1e-6 * largest_sum(&net, xs);
                assert!(apart <= 0.5 * height + rounding, "{} {toml}: {apart}", lot.name);
                assert!(apart >= 0.45 * height, "{} {toml}: {apart}", lot.name);
            }
            // A quarter dead, a quarter twice, an eighth in pairs, and 2 teeth + 1 hinges.
            let width = lot.planted.net.widths()[1] as f64;
            let share = |of: f64| (of * width).round() as usize;
            let hinges = if toml.is_empty() {
                17
            } else if height > 0.0 {
                7
            } else {
                0
            };
            let want = width as usize + 2 * share(0.25) + 2 * share(0.125) + hinges;
            assert_eq!(net.widths()[1], want);
        }
    }
}

#[test]
fn dead_units_sleep_on_the_whole_domain_and_a_tooth_is_where_it_should_be() {
    for lot in &LOTS[2..6] {
        let only_dead = "dead = 0.5\nduplicates = 0.0\ncancelling = 0.0\nripple = 0.0";
        let net = lot.apply(&["clutter"], only_dead).unwrap();
        let width = lot.planted.net.widths()[1];
        let xs = &lot.exam.test.xs;
        let first = &net.layers()[0];
        for unit in width..net.widths()[1] {
            let w = first.weight.row(unit);
            // Both domains are within [−1, 1]^n, where w·x is largest at the signs of w.
            let most = w.iter().map(|w| w.abs()).sum::<f64>();
            assert!(most + first.bias[unit] < 0.0);
            assert!(xs.dot(&w).iter().all(|z| z + first.bias[unit] < 0.0));
        }
        assert_eq!(answers(&net, xs).dim(), answers(&lot.planted.net, xs).dim());
    }
}

#[test]
fn a_distilled_net_has_the_recipes_shape_and_goes_on_firing() {
    for lot in LOTS.iter() {
        let net = lot.apply(&["distil"], "").unwrap();
        assert_eq!(net.widths(), lot.model.net.widths(), "{}", lot.name);
        // It may lose 0.1 of each on training inputs; fresh ones are given as much again.
        let (moved, success) = (lot.moved(&net, &lot.planted.net), lot.success(&net));
        let before = lot.success(&lot.planted.net);
        assert!(moved <= 0.2, "{}: {moved} moved", lot.name);
        assert!(success >= before - 0.2, "{}: {success}, was {before}", lot.name);
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
    let (plain, other) = (facts("half-space"), facts("half-space O1"));
    assert_eq!(plain.len(), 6);
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
