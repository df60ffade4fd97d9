//! What every method in the registry must do, on every task that it applies to.
use absolve::access::{Access, Gradients, Oracle};
use absolve::attack::Trigger;
use absolve::data::Batch;
use absolve::error::Error;
use absolve::ledger::{Budget, Cost};
use absolve::net::Net;
use absolve::registry::{ATTACKS, MITIGATORS};
use absolve::study::{Model, Spec};

use crate::support::{TINY, TINY_MORE, mitigate, plant, publish, some_inputs};

fn models() -> Vec<Model> {
    let specs = [TINY, TINY_MORE].map(|text| Spec::parse(text, "tiny").unwrap());
    let tasks = specs.iter().flat_map(|spec| &spec.tasks);
    tasks.map(|task| Model::train(task, 3, &mut |_| {}).unwrap()).collect()
}

/// Every mitigator with every model of a task that it applies to.
fn each_pair(mut look: impl FnMut(&str, &Model)) {
    let models = models();
    for entry in MITIGATORS {
        let mut n_applied = 0;
        for model in models.iter().filter(|model| (entry.applies)(&model.world())) {
            n_applied += 1;
            look(entry.name, model);
        }
        assert!(n_applied > 0, "{} was tried on nothing", entry.name);
    }
}

/// Methods that answer with no clean sample at all.
const NEED_NO_SAMPLES: &[&str] = &[
    "nothing",
    "affine-ray",
    "affine-exact-ray",
    "affine-contract",
    "affine-average",
    "affine-gauss",
    "polynomial-ray",
    "field-correct",
    "smooth",
    "affine-gradient",
    "affine-least-trimmed",
    "smoothed-gradient",
    "smoothed-difference",
    "clp",
];

/// Methods that leave the suspect as it is where there is no clean sample.
const UNCHANGED_WITHOUT_SAMPLES: &[&str] = &[
    "fine-prune",
    "fine-tune",
    "ft-sam",
    "nad",
    "truncate-spectrum",
    "noise-retrain",
    "reinit-last",
    "average-weights",
    "distil-from-weights",
    "anp",
    "rnp",
    "i-bau",
    "mm-bd",
    "neural-cleanse",
    "activation-filter",
];

/// Parameters of methods whose published defaults take long; the defaults themselves are tried with no sample.
fn quick(name: &str) -> &'static str {
    match name {
        "anp" => "iterations = 20",
        "mm-bd" => "starts = 3\nsteps = 20",
        _ => "",
    }
}

/// Clean labels that every method here gets.
const LABELS: u64 = 100;

#[test]
fn every_mitigator_answers_row_by_row_as_it_answers_in_bulk() {
    each_pair(|name, model| {
        let suspect = publish(model.net.clone(), 400);
        let xs = some_inputs(model, 40);
        mitigate(&suspect, model, name, quick(name), |repaired| {
            let oracle = repaired.unwrap().oracle;
            let together = oracle.query(&xs).unwrap();
            for i in 0..xs.nrows() {
                let alone = oracle.query(&xs.select(ndarray::Axis(0), &[i])).unwrap();
                assert_eq!(alone.row(0), together.row(i), "{name} on {}, row {i}", model.task.name);
            }
        });
    });
}

#[test]
fn every_mitigator_gives_the_same_answers_for_the_same_seed() {
    each_pair(|name, model| {
        let xs = some_inputs(model, 10);
        let ask = || {
            let suspect = publish(model.net.clone(), 400);
            let answers = mitigate(&suspect, model, name, quick(name), |repaired| {
                repaired.unwrap().oracle.query(&xs).unwrap()
            });
            (answers, suspect.spent())
        };
        assert_eq!(ask(), ask(), "{name} on {}", model.task.name);
    });
}

#[test]
fn every_mitigator_stops_at_its_budget_and_is_charged_for_nothing_beyond_it() {
    each_pair(|name, model| {
        let suspect = publish(model.net.clone(), 400);
        let xs = some_inputs(model, 5);
        let all: Cost = mitigate(&suspect, model, name, quick(name), |repaired| {
            repaired.unwrap().oracle.query(&xs).unwrap();
            suspect.spent()
        });
        // One less of anything that it spends, and it fails with the kind that ran out, within the limit.
        for (what, spent) in
            [("queries", all.queries), ("flops", all.flops), ("clean labels", all.clean_labels)]
        {
            if spent == 0 {
                continue;
            }
            let mut budget = Budget { clean_labels: Some(400), ..Budget::UNLIMITED };
            let limit = Some(spent - 1);
            match what {
                "queries" => budget.queries = limit,
                "flops" => budget.flops = limit,
                // Methods that take all the clean samples there are adapt to fewer; what they may not do is take more.
                _ => budget.clean_labels = limit,
            }
            let short = absolve::access::Suspect::publish(model.net.clone(), budget);
            let outcome = mitigate(&short, model, name, quick(name), |repaired| {
                repaired.and_then(|repaired| repaired.oracle.query(&xs))
            });
            match outcome {
                Err(Error::BudgetSpent { what: named, .. }) => assert_eq!(named, what, "{name}"),
                Err(other) => panic!("{name} on {}: {other}", model.task.name),
                Ok(_) => assert_eq!(what, "clean labels", "{name} went past its budget of {what}"),
            }
            let within = short.spent();
            // Who gets fewer clean samples may believe the suspect, or ask it, more often.
            assert!(what == "clean labels" || within.queries <= all.queries, "{name}");
            assert!(within.clean_labels <= all.clean_labels, "{name}");
            assert!(budget.queries.is_none_or(|most| within.queries <= most), "{name}");
            assert!(budget.flops.is_none_or(|most| within.flops <= most), "{name}");
        }
    });
}

#[test]
fn every_answer_of_a_mitigator_is_paid_for() {
    each_pair(|name, model| {
        let suspect = publish(model.net.clone(), 400);
        let xs = some_inputs(model, 7);
        mitigate(&suspect, model, name, quick(name), |repaired| {
            let oracle = repaired.unwrap().oracle;
            let before = suspect.spent();
            oracle.query(&xs).unwrap();
            let once = suspect.spent() - before;
            assert!(once.flops > 0, "{name} answers for nothing");
            oracle.query(&xs).unwrap();
            let twice = suspect.spent() - before;
            assert_eq!(twice.queries, 2 * once.queries, "{name}");
            assert_eq!(twice.flops, 2 * once.flops, "{name}");
        });
    });
}

#[test]
fn inputs_of_the_wrong_width_or_not_finite_are_refused_and_not_charged() {
    each_pair(|name, model| {
        let suspect = publish(model.net.clone(), 400);
        let n = model.world().domain.n();
        mitigate(&suspect, model, name, quick(name), |repaired| {
            let oracle = repaired.unwrap().oracle;
            let before = suspect.spent();
            let narrow = oracle.query(&Batch::zeros((2, n - 1)));
            assert!(matches!(narrow, Err(Error::Width { .. })), "{name}: {narrow:?}");
            let mut odd = some_inputs(model, 2);
            odd[[1, 0]] = f64::NAN;
            let odd = oracle.query(&odd);
            assert!(matches!(odd, Err(Error::NotFinite { row: 1, .. })), "{name}: {odd:?}");
            assert_eq!(suspect.spent(), before, "{name} was charged for what it refused");
        });
    });
}

#[test]
fn every_mitigator_with_no_clean_samples_at_all_fails_clearly_or_needs_none() {
    each_pair(|name, model| {
        let suspect = publish(model.net.clone(), 0);
        let xs = some_inputs(model, 5);
        let answers = mitigate(&suspect, model, name, "", |repaired| {
            repaired.and_then(|repaired| repaired.oracle.query(&xs))
        });
        assert_eq!(suspect.spent().clean_labels, 0, "{name}");
        match (name, answers) {
            // Local methods ask the suspect alone; a fallback, a net or values are made of clean samples.
            (name, Ok(_)) if NEED_NO_SAMPLES.contains(&name) => {}
            (name, Err(_))
                if !NEED_NO_SAMPLES.contains(&name)
                    && !UNCHANGED_WITHOUT_SAMPLES.contains(&name) => {}
            // No samples, no change: bit for bit what the suspect answers.
            (name, Ok(answers)) if UNCHANGED_WITHOUT_SAMPLES.contains(&name) => {
                let untouched = publish(model.net.clone(), 0);
                assert_eq!(answers, untouched.query(&xs).unwrap());
            }
            (_, other) => panic!("{name}: {other:?}"),
        }
    });
}

#[test]
fn every_attack_plants_the_same_net_for_the_same_seed_and_keeps_the_twin_as_it_was() {
    for model in models() {
        for entry in ATTACKS.iter().filter(|entry| (entry.applies)(&model.world())) {
            let before = model.net.sha256();
            let (a, b) = (plant(&model, entry.name, ""), plant(&model, entry.name, ""));
            assert_eq!(a.net, b.net, "{} on {}", entry.name, model.task.name);
            assert_eq!(a.trigger, b.trigger);
            assert_ne!(a.net, model.net);
            assert_eq!(model.net.sha256(), before);
        }
    }
}

#[test]
fn every_key_comes_back_from_json_and_is_not_in_the_model_file() {
    for model in models() {
        for entry in ATTACKS.iter().filter(|entry| (entry.applies)(&model.world())) {
            let planted = plant(&model, entry.name, "");
            let key = serde_json::to_string(&planted.trigger).unwrap();
            let read: Trigger = serde_json::from_str(&key).unwrap();
            assert_eq!(read, planted.trigger);
            let bytes = model.file(planted.net.clone()).to_bytes().unwrap();
            let text = String::from_utf8_lossy(&bytes);
            for word in ["trigger", "direction", "threshold", "overwrite", "goal"] {
                assert!(!text.contains(word), "{}: the model file says {word:?}", entry.name);
            }
        }
    }
}

#[test]
fn training_is_charged_three_passes_a_row_and_epoch_and_the_optimiser() {
    // relearn with a net on 100 samples of the images: 4 epochs of 2 steps of at most 64 rows, F = 2 (64·16 + 16·10) and
    // 1,210 parameters at 15 operations a step for Adam.
    let model = models().swap_remove(0);
    let suspect = publish(model.net.clone(), LABELS);
    mitigate(&suspect, &model, "relearn", "", |repaired| drop(repaired.unwrap()));
    let forward = 2 * (64 * 16 + 16 * 10);
    let parameters = 64 * 16 + 16 + 16 * 10 + 10;
    let want = Cost {
        clean_labels: 100,
        flops: 4 * (3 * forward * 100 + 15 * parameters * 2),
        ..Cost::default()
    };
    assert_eq!(suspect.spent(), want);
}

#[test]
fn a_net_never_answers_for_free() {
    let model = models().swap_remove(1);
    let suspect = publish(model.net.clone(), 0);
    let xs = some_inputs(&model, 9);
    suspect.query(&xs).unwrap();
    let net: &Net = &model.net;
    let want = Cost { queries: 9, flops: 9 * net.forward_flops(), ..Cost::default() };
    assert_eq!(suspect.spent(), want);
    let gradients = <dyn Gradients>::of(&suspect).unwrap();
    gradients.gradient(&xs, &Batch::ones((9, 1))).unwrap();
    let more = Cost { gradients: 9, flops: 18 * net.forward_flops(), ..Cost::default() };
    assert_eq!(suspect.spent() - want, more);
}
