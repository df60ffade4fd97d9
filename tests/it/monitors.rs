//! White-box suspicion scores: every one keeps its rate and its ledger, wins somewhere and loses somewhere.
use absolve::data::Batch;
use absolve::net::{Activation, Layer, Net, Precision};
use absolve::study::Model;

use crate::support::{mitigate, publish, some_inputs, task};
use crate::tuning_backdoors::Victims;

const SCORES: [&str; 7] = [
    "mahalanobis",
    "relative-mahalanobis",
    "beatrix",
    "dormant",
    "region-size",
    "finetune-kl",
    "input-gradient",
];

/// The digits net with one more hidden unit, relu(64 bias + Σ x), that adds 100 a unit to class 0.
fn with_unit(net: &Net, bias: f64) -> Net {
    let [hidden, output] = net.layers() else { panic!("one hidden layer") };
    let (n, d, k) = (hidden.weight.ncols(), hidden.bias.len(), output.bias.len());
    let mut weight = ndarray::Array2::ones((d + 1, n));
    weight.slice_mut(ndarray::s![..d, ..]).assign(&hidden.weight);
    let mut biases = ndarray::Array1::from_elem(d + 1, bias);
    biases.slice_mut(ndarray::s![..d]).assign(&hidden.bias);
    let mut out = ndarray::Array2::zeros((k, d + 1));
    out.slice_mut(ndarray::s![.., ..d]).assign(&output.weight);
    out[[0, d]] = 100.0;
    let layers = vec![
        Layer { weight, bias: biases, activation: Activation::Relu },
        Layer { weight: out, bias: output.bias.clone(), activation: output.activation },
    ];
    Net::new(layers, Precision::F64).unwrap()
}

#[test]
fn every_score_rejects_few_clean_inputs_and_is_charged_alike_for_every_input() {
    let model = Model::train(&task("digits"), 802, &mut |_| {}).unwrap();
    let xs = some_inputs(&model, 200);
    for score in SCORES {
        let suspect = publish(model.net.clone(), 300);
        let toml = format!("score = \"{score}\"\nfallback = \"prior\"");
        mitigate(&suspect, &model, "activation-filter", &toml, |repaired| {
            let repaired = repaired.unwrap();
            let rate = repaired.guarantee.as_ref().unwrap().failure_probability;
            assert!((rate - 7.0 / 151.0).abs() < 1e-12, "{score}: {rate}");
            let before = suspect.spent();
            let answers = repaired.oracle.query(&xs).unwrap();
            let spent = suspect.spent() - before;
            let same = model
                .net
                .forward(&xs, &absolve::ledger::Ledger::new(absolve::ledger::Budget::UNLIMITED))
                .unwrap();
            let changed = (0..200).filter(|&i| answers.row(i) != same.row(i)).count();
            // The count of 200 given the 150 is beta-binomial (7, 144): above 45 with probability below 1e-6.
            assert!(changed <= 45, "{score}: {changed} of 200 clean inputs rejected");
            assert_eq!(spent.queries, 200 - changed as u64, "{score}");
        });
    }
}

#[test]
fn a_sleeping_unit_is_seen_and_one_that_clean_inputs_wake_is_not() {
    let model = Model::train(&task("digits"), 802, &mut |_| {}).unwrap();
    let bright = Batch::ones((5, 64));
    let asked = |bias: f64| {
        let suspect = publish(with_unit(&model.net, bias), 300);
        let toml = "score = \"dormant\"\nfallback = \"prior\"";
        mitigate(&suspect, &model, "activation-filter", toml, |repaired| {
            let oracle = repaired.unwrap().oracle;
            let before = suspect.spent().queries;
            oracle.query(&bright).unwrap();
            suspect.spent().queries - before
        })
    };
    // No digit is so bright that its 64 pixels sum to 60; white ones sum to 64: all five are rejected unasked.
    assert_eq!(asked(-60.0), 0);
    // Every digit wakes the unit without a bias, so its share is no longer counted.
    let suspect = publish(with_unit(&model.net, 0.0), 300);
    let plain = publish(model.net.clone(), 300);
    let answers = |suspect: &absolve::access::Suspect| {
        mitigate(suspect, &model, "activation-filter", "score = \"dormant\"", |repaired| {
            drop(repaired.unwrap().oracle.query(&bright).unwrap());
            suspect.spent().queries
        })
    };
    assert_eq!(answers(&suspect), answers(&plain));
}

#[test]
fn each_other_score_sees_one_backdoor_and_misses_another() {
    // Six nets; margins are about half of what experiments/mitigators/monitors.md measured on other seeds.
    let badnets = Victims::of("badnets", "");
    let blended = Victims::of("blended", "");
    let ball = Victims::of("small-ball", "mass = 0.01");
    for (score, seen, at_most, missed) in [
        ("mahalanobis", &blended, 0.1, &ball),
        ("relative-mahalanobis", &blended, 0.1, &ball),
        ("beatrix", &badnets, 0.85, &blended),
        ("region-size", &ball, 0.4, &badnets),
        ("finetune-kl", &ball, 0.2, &blended),
        ("input-gradient", &badnets, 0.6, &blended),
    ] {
        let toml = format!("score = \"{score}\"");
        let seen = seen.after("activation-filter", &toml);
        let missed = missed.after("activation-filter", &toml);
        assert!(seen < at_most && missed > 0.85, "{score}: {seen} {missed}");
    }
}

#[test]
fn impossible_parameters_are_named() {
    let model = Model::train(&task("digits"), 802, &mut |_| {}).unwrap();
    for (toml, name) in [
        ("lines = 0", "lines"),
        ("false_positives = 1.0", "false_positives"),
        ("samples = 4", "samples"),
    ] {
        let suspect = publish(model.net.clone(), 300);
        mitigate(&suspect, &model, "activation-filter", toml, |repaired| {
            let said = repaired.err().unwrap().to_string();
            assert!(said.contains(name), "{said}");
        });
    }
}
