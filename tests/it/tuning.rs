//! Methods that tune weights on clean samples: what they cost, when they change nothing, and the distil pair. Which backdoors die:
//! `tuning_backdoors.rs` and experiments/mitigators/tuning.md.
use absolve::access::{LabSeeds, Oracle, Suspect};
use absolve::data::Batch;
use absolve::ledger::{Budget, Cost};
use absolve::mitigate::Repaired;
use absolve::net::Net;
use absolve::registry::{Built, mitigator_named};
use absolve::study::{Model, Spec};

use crate::support::{TINY, mitigate, params, plant, publish, some_inputs, task};

/// Those that hold some clean samples out and stop by them.
const WITH_TRIAL: &[&str] = &[
    "fine-tune",
    "ft-sam",
    "nad",
    "truncate-spectrum",
    "noise-retrain",
    "reinit-last",
    "average-weights",
];

/// 64-16-10, by 4 epochs of batches of 64 with Adam: F = 2 (64·16 + 16·10) and 1,210 weights.
fn small() -> Model {
    let spec = Spec::parse(TINY, "tiny").unwrap();
    Model::train(&spec.tasks[0], 3, &mut |_| {}).unwrap()
}

const F: u64 = 2368;
const P: u64 = 1210;

/// What a method costs on the small model with 100 clean samples.
fn cost_of(model: &Model, name: &str, toml: &str) -> Cost {
    let suspect = publish(model.net.clone(), 100);
    mitigate(&suspect, model, name, toml, |repaired| drop(repaired.unwrap()));
    suspect.spent()
}

#[test]
fn every_method_costs_what_the_hand_counts() {
    let model = small();
    // 50 to tune on, 50 held out. A batch is a tenth of 50, so 10 steps an epoch; two epochs. Every change is accepted, so the
    // first rung of every ladder is all that is tried. SGD takes 6 a weight and step.
    let toml = "max_drop = 1.0\ntuning = { epochs = 2 }";
    let judged = 2 * F * 50;
    let tuned = 2 * (3 * F * 50 + 6 * P * 10);
    let flops = |name: &str, toml: &str| {
        let cost = cost_of(&model, name, toml);
        assert_eq!((cost.queries, cost.gradients, cost.clean_labels), (0, 0, 100), "{name}");
        cost.flops
    };
    assert_eq!(flops("fine-tune", toml), judged + tuned);
    assert_eq!(flops("noise-retrain", toml), judged + 4 * P + tuned);
    assert_eq!(flops("reinit-last", toml), judged + tuned);
    // Two slopes a row, 7 a weight for the way up.
    assert_eq!(flops("ft-sam", toml), judged + 2 * (6 * F * 50 + 13 * P * 10));
    // A teacher of one epoch, its attention over 16 hidden units, and 17 a unit and row in the student.
    let nad = 3 * F * 50 + 6 * P * 10 + (F + 5 * 16) * 50;
    let student = 2 * ((3 * F + 17 * 16) * 50 + 6 * P * 10);
    let one = "teacher_epochs = 1\nmax_drop = 1.0\ntuning = { epochs = 2 }";
    assert_eq!(flops("nad", one), judged + nad + student);
    // The recipe's 4 epochs of one step by Adam, 15 a weight; the likeness of 16 units; sums of it; 3 a weight for the mean. Scans
    // of 7 · 16: at least one a unit, at most 16 each.
    let known = judged + 4 * (3 * F * 50 + 15 * P) + 2 * 16 * 16 * (64 + 1 + 10) + 2 * 16 + 3 * P;
    let scans = flops("average-weights", "max_drop = 1.0") - known;
    assert!(scans.is_multiple_of(112) && (16..=256).contains(&(scans / 112)), "{scans}");
    // 64×16: 120 pairs of 12 · 64 + 6 · 16 + 10; 10×16, as 16×10: 45 pairs of 12 · 16 + 6 · 10 + 10; lengths; the term of rank 1.
    let known = judged + 2 * 1024 + 2 * 160 + 2 * 1024 + 2 * 160;
    let sweeps = flops("truncate-spectrum", "max_drop = 1.0") - known;
    let fits = |a: u64| {
        sweeps
            .checked_sub(104_880 * a)
            .is_some_and(|rest| rest.is_multiple_of(11_790) && (3..13).contains(&(rest / 11_790)))
    };
    assert!((3..13).any(fits), "{sweeps}");
    // A query a sample, four operations an answer's number, 4 epochs of 2 steps on all 100.
    let pair = Cost {
        queries: 100,
        clean_labels: 100,
        flops: F * 100 + 4 * 1000 + 4 * (3 * F * 100 + 15 * P * 2),
        ..Cost::default()
    };
    assert_eq!(cost_of(&model, "distil-from-weights", ""), pair);
    assert_eq!(cost_of(&model, "distil", ""), pair);
}

#[test]
fn a_ladder_is_charged_rung_by_rung_until_one_is_accepted() {
    let model = small();
    let flops = |toml: &str| cost_of(&model, "noise-retrain", toml).flops;
    // Noise of a million root mean squares leaves nothing right but by chance; a thousandth moves no digit. No training.
    let none = "tuning = { epochs = 0 }\nmax_drop = 0.04\n";
    let both = flops(&format!("{none}sigma = [1e6, 0.001]"));
    assert_eq!(both, F * 50 + 2 * (4 * P + F * 50));
    assert_eq!(flops(&format!("{none}sigma = [0.001]")), F * 50 + 4 * P + F * 50);
    let suspect = publish(model.net.clone(), 100);
    mitigate(
        &suspect,
        &model,
        "noise-retrain",
        &format!("{none}sigma = [1e6, 0.001]"),
        |repaired| {
            let Repaired { notes, net, .. } = repaired.unwrap();
            assert!(
                notes[0].contains("σ = 1000000 (") && notes[1].starts_with("σ = 0.001"),
                "{notes:?}"
            );
            let distance = |a: &Net, b: &Net| -> f64 {
                let square = |m: &ndarray::Array2<f64>| m.iter().map(|w| w * w).sum::<f64>();
                let (a, b) = (&a.layers()[0].weight, &b.layers()[0].weight);
                (square(&(a - b)) / square(b)).sqrt()
            };
            // A chi-square of 1,024 degrees over 1,024 lies within 1 ± 0.25 but with probability below 1e-6; its root then within 0.14.
            let ratio = distance(&net.unwrap(), &model.net) / 0.001;
            assert!((ratio - 1.0).abs() < 0.14, "{ratio}");
        },
    );
}

#[test]
fn without_clean_samples_or_with_a_change_that_ruins_it_the_suspect_stays_as_it_is() {
    let model = small();
    let xs = some_inputs(&model, 50);
    let untouched = publish(model.net.clone(), 0).query(&xs).unwrap();
    for name in WITH_TRIAL.iter().chain(&["distil-from-weights"]) {
        for labels in [0, 1] {
            if labels == 1 && *name == "distil-from-weights" {
                continue;
            }
            let suspect = publish(model.net.clone(), labels);
            mitigate(&suspect, &model, name, "", |repaired| {
                let repaired = repaired.unwrap();
                assert!(repaired.notes.iter().any(|note| note.contains("stays")), "{name}");
                assert_eq!(suspect.spent(), Cost::default(), "{name}");
                assert_eq!(repaired.oracle.query(&xs).unwrap(), untouched, "{name}");
            });
        }
    }
    // Steps of 30, which diverge or leave a constant; and no drop is allowed.
    let ruin = "max_drop = 0.0\ntuning = { learning_rate = 30.0 }";
    for name in WITH_TRIAL {
        let suspect = publish(model.net.clone(), 100);
        mitigate(&suspect, &model, name, ruin, |repaired| {
            let repaired = repaired.unwrap();
            assert!(repaired.net.is_none(), "{name}: {:?}", repaired.notes);
            assert!(repaired.notes.iter().any(|note| note.contains("stays")), "{name}");
            assert_eq!(repaired.oracle.query(&xs).unwrap(), untouched, "{name}");
        });
    }
}

#[test]
fn a_clean_net_loses_no_more_than_is_allowed_and_chance() {
    // Held-out risk rises by at most max_drop, by the rule. On fresh inputs: both risks are within √(ln(4k/β)/(2n)) of the true ones
    // for all k nets that may be tried, and so are the two shares on m test inputs. β = 1e-6 over the seven methods, k ≤ 63, n = 150,
    // m = 497: 2 · 0.27 + 2 · 0.15. The measured loss, up to 0.03, is far below; the bound is what is proved.
    let model = Model::train(&task("digits"), 811, &mut |_| {}).unwrap();
    let test = model.test().unwrap();
    let risk = |oracle: &dyn Oracle| {
        let answers = oracle.query(&test.xs).unwrap();
        let world = model.world();
        let wrong = (0..test.len())
            .filter(|&i| !world.is_right(&answers.row(i).to_vec(), &test.ys.row(i).to_vec()));
        wrong.count() as f64 / test.len() as f64
    };
    let before = risk(&publish(model.net.clone(), 0));
    let slack = |n: f64| 2.0 * ((4.0_f64 * 63.0 * 7.0 / 1e-6).ln() / (2.0 * n)).sqrt();
    for name in WITH_TRIAL {
        let suspect = publish(model.net.clone(), 300);
        let after = mitigate(&suspect, &model, name, "", |r| risk(&*r.unwrap().oracle));
        assert!(after - before <= 0.04 + slack(150.0) + slack(497.0), "{name}: {before} {after}");
        // What this net measured, with a margin: nothing that passed its trial is ruined.
        assert!(after - before < 0.08, "{name}: {before} {after}");
    }
}

/// The net that a method of the pair gives back, and its cost, both from the same coins.
fn one_of_the_pair(model: &Model, name: &str, toml: &str) -> (Net, Cost) {
    let Built { method, .. } = (mitigator_named(name).unwrap().build)(&params(toml)).unwrap();
    let suspect = Suspect::publish(
        model.net.clone(),
        Budget { clean_labels: Some(100), ..Budget::UNLIMITED },
    );
    let seeds =
        LabSeeds { samples: model.seed().child("clean"), method: model.seed().child("pair") };
    let mut lab = suspect.lab(&*model.population, &model.task.recipe, seeds);
    let net = method.mitigate(&suspect, &mut lab).unwrap().net.unwrap();
    (net, suspect.spent())
}

#[test]
fn without_a_radius_or_attention_the_steps_are_those_of_fine_tuning() {
    // ft-sam and nad descend in 64 bits along slopes of their own; with ρ and β almost 0 these are the loss's, and net, order, rate, momentum
    // and decay are those of the trainer of record, which computes in 32 bits: 20 steps apart by rounding alone.
    let model = small();
    let tuned = |name: &str, more: &str| {
        let toml =
            format!("max_drop = 1.0\n{more}\ntuning = {{ epochs = 2, learning_rate = 0.1 }}");
        one_of_the_pair(&model, name, &toml).0.flat()
    };
    let plain = tuned("fine-tune", "");
    let largest =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0_f64, f64::max);
    assert!(largest(&plain, &model.net.flat()) > 0.02);
    for (name, more) in [("ft-sam", "rho = [1e-9]"), ("nad", "beta = [1e-9]")] {
        let off = largest(&plain, &tuned(name, more));
        assert!(off < 1e-4, "{name}: {off}");
    }
}

#[test]
fn the_distil_pair_differs_in_nothing_but_where_learning_sets_out() {
    let model = small();
    for labels in ["soft", "hard", "clean"] {
        let labels = format!("labels = '{labels}'");
        let (fresh, cost) = one_of_the_pair(&model, "distil", &labels);
        for layers in 0..=2 {
            let toml = format!("{labels}\nfresh_layers = {layers}");
            let (net, same) = one_of_the_pair(&model, "distil-from-weights", &toml);
            assert_eq!(same, cost, "{labels}, {layers} fresh");
            // All layers fresh: the same start, and so the same bits.
            assert_eq!(net == fresh, layers == 2, "{labels}, {layers} fresh");
        }
        let noisy = format!("{labels}\nnoise = 0.5");
        let (_, more) = one_of_the_pair(&model, "distil-from-weights", &noisy);
        assert_eq!(more - cost, Cost { flops: 4 * P, ..Cost::default() });
    }
    // True labels are not asked for.
    assert_eq!(one_of_the_pair(&model, "distil", "labels = 'clean'").1.queries, 0);
}

#[test]
fn a_lock_is_kept_and_goes_on_opening() {
    let model = Model::train(&task("digits"), 812, &mut |_| {}).unwrap();
    let planted = plant(&model, "signature", "");
    let xs = some_inputs(&model, 60);
    let domain = model.world().domain;
    let mut rng = model.seed().stream("activate");
    let triggered: Batch = planted.trigger.activate(&xs, &domain, &mut rng).unwrap();
    let opened = publish(planted.net.clone(), 0).query(&triggered).unwrap();
    let target = model.world().target;
    for name in WITH_TRIAL.iter().chain(&["distil-from-weights"]) {
        let suspect = publish(planted.net.clone(), 300);
        let answers =
            mitigate(&suspect, &model, name, "", |r| r.unwrap().oracle.query(&triggered).unwrap());
        let decided = |batch: &Batch, i: usize| target.decide(&batch.row(i).to_vec());
        let obey = (0..60).filter(|&i| decided(&answers, i) == decided(&opened, i)).count();
        assert_eq!(obey, 60, "{name}");
    }
}

#[test]
fn parameters_that_cannot_be_are_refused_by_name() {
    let world = small().world();
    for (name, toml, word) in [
        ("fine-tune", "samples = 1", "samples"),
        ("fine-tune", "max_drop = -0.1", "max_drop"),
        ("fine-tune", "tuning = { learning_rate = 0.0 }", "learning_rate"),
        ("fine-tune", "tuning = { batch = 0 }", "batch"),
        ("ft-sam", "rho = []", "rho"),
        ("ft-sam", "rho = [1.0, 2.0]", "rho"),
        ("nad", "beta = [nan]", "beta"),
        ("nad", "power = 0.5", "power"),
        ("noise-retrain", "sigma = [0.0]", "sigma"),
        ("reinit-last", "layers = 0", "layers"),
        ("average-weights", "shares = [0.9]", "shares"),
        ("distil-from-weights", "noise = inf", "noise"),
        ("distil-from-weights", "labels = 'clean'\nsynthetic = 5", "synthetic"),
    ] {
        let built = (mitigator_named(name).unwrap().build)(&params(toml));
        let error = built.and_then(|built| built.method.check(&world)).unwrap_err();
        assert!(error.to_string().contains(word), "{name} {toml}: {error}");
    }
}
