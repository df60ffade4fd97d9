//! Which backdoors die when weights are tuned on clean samples, and which do not: each method where it wins and where it loses.
//! Trained nets with fixed seeds; margins are about half of what was measured. More nets: experiments/mitigators/tuning.md.
use absolve::access::{LabSeeds, Oracle, Suspect};
use absolve::attack::Planted;
use absolve::data::{Batch, Target, row};
use absolve::domain::Domain;
use absolve::ledger::Budget;
use absolve::net::{Activation, Layer, Net, Precision, Recipe};
use absolve::population::Table;
use absolve::registry::{Built, mitigator_named};
use absolve::rng::RngExt;
use absolve::score::Exam;
use absolve::study::{Model, Spec};
use ndarray::{Array1, Array2};

use crate::support::{mitigate, params, plant, publish, seed, task};

/// Digits nets, each with one backdoor.
pub(crate) struct Victims(Vec<(Model, Planted)>);

impl Victims {
    pub(crate) fn of(attack: &str, toml: &str) -> Self {
        let train = |number| {
            let model = Model::train(&task("digits"), number, &mut |_| {}).unwrap();
            let planted = plant(&model, attack, toml);
            (model, planted)
        };
        Self((821..827).map(train).collect())
    }

    /// Mean attack success after `name`, over the nets.
    pub(crate) fn after(&self, name: &str, toml: &str) -> f64 {
        let success = |(model, planted): &(Model, Planted)| {
            let mut rng = model.seed().stream("exam");
            let (test, trigger) = (model.test().unwrap(), Some(&planted.trigger));
            let exam = Exam::new(&*model.population, test, trigger, &mut rng).unwrap();
            let suspect = publish(planted.net.clone(), 300);
            let scores = mitigate(&suspect, model, name, toml, |repaired| {
                exam.mark(&*repaired.unwrap().oracle, None).unwrap()
            });
            scores.attack_success.unwrap().estimate().value
        };
        self.0.iter().map(success).sum::<f64>() / self.0.len() as f64
    }
}

const FAST: &str = "tuning = { learning_rate = 0.03 }";

#[test]
fn fine_tuning_weakens_badnets_more_than_blended_and_kills_neither() {
    let (badnets, blended) = (Victims::of("badnets", ""), Victims::of("blended", ""));
    for victims in [&badnets, &blended] {
        assert!(victims.after("nothing", "") > 0.95);
    }
    let (a, b) = (badnets.after("fine-tune", FAST), blended.after("fine-tune", FAST));
    assert!(a < b - 0.05, "{a} {b}");
    // By the recipe's Adam on all samples, which is fine-tuning with nothing held out.
    let all = "labels = 'clean'";
    let (a, b) =
        (badnets.after("distil-from-weights", all), blended.after("distil-from-weights", all));
    assert!(a < b - 0.05, "{a} {b}");
    assert!(a > 0.3, "{a}: BadNets does not die on these nets, as it does on large ones");
    assert!(badnets.after("fine-tune", "") > 0.8);
    // Sharpness, noise and a mean with another net do more.
    assert!(badnets.after("ft-sam", FAST) < 0.75);
    assert!(badnets.after("noise-retrain", "") < 0.9);
    assert!(badnets.after("average-weights", "") < 0.75);
    // The pair: the suspect's weights keep what a fresh net never learns.
    assert!(badnets.after("distil", "") < 0.15);
    assert!(badnets.after("distil-from-weights", "") > 0.95);
}

#[test]
fn what_fires_on_clean_samples_is_trained_away_and_what_sleeps_is_not() {
    let awake = Victims::of("half-space", "mass = 0.01");
    assert!(awake.after("nothing", "") > 0.99);
    for (method, most) in [("fine-tune", 0.7), ("ft-sam", 0.7), ("nad", 0.7)] {
        assert!(awake.after(method, FAST) < most, "{method}");
    }
    // dfba's unit never wakes on clean samples: its slopes are 0, and decay takes a quarter of a per cent.
    let asleep = Victims::of("dfba", "");
    for method in ["fine-tune", "ft-sam", "nad"] {
        assert!(asleep.after(method, "") > 0.99, "{method}");
    }
    // Noise in proportion leaves a loud unit at work, and half of it is enough; what reads it being drawn anew is not survived.
    assert!(asleep.after("noise-retrain", "") > 0.9);
    assert!(asleep.after("average-weights", "") > 0.6);
    assert!(asleep.after("reinit-last", "") < 0.7);
    assert!(asleep.after("distil-from-weights", "fresh_layers = 1") < 0.1);
    assert!(asleep.after("distil-from-weights", "labels = 'clean'") > 0.99);
}

#[test]
fn where_clean_samples_do_not_teach_the_task_again_drawing_layers_anew_is_refused() {
    // 150 samples of a net that was trained on 10,000; nets trained longer have features that are good enough.
    let spec = Spec::load("experiments/mitigators/tuning.toml".as_ref()).unwrap();
    let affine = spec.tasks.into_iter().find(|task| task.name == "affine").unwrap();
    let model = Model::train(&affine, 401, &mut |_| {}).unwrap();
    let planted = plant(&model, "dfba", "");
    let suspect = publish(planted.net.clone(), 300);
    mitigate(&suspect, &model, "reinit-last", "", |repaired| {
        let repaired = repaired.unwrap();
        assert!(repaired.net.is_none(), "{:?}", repaired.notes);
    });
}

/// Σ `out[i]` · relu(`scale[i]` · `x[i]`).
fn diagonal(scale: &[f64], out: &[f64]) -> Net {
    let n = scale.len();
    let hidden = Layer {
        weight: Array2::from_diag(&Array1::from(scale.to_vec())),
        bias: Array1::zeros(n),
        activation: Activation::Relu,
    };
    let output = Layer {
        weight: Array2::from_shape_vec((1, n), out.to_vec()).unwrap(),
        bias: Array1::zeros(1),
        activation: Activation::Identity,
    };
    Net::new(vec![hidden, output], Precision::F64).unwrap()
}

/// What `truncate-spectrum` makes of `net` answers to `x`, where clean inputs are uniform on `used` coordinates and 0 on the others.
fn truncated(net: &Net, used: &[usize], x: &[f64]) -> f64 {
    let n = net.shape().inputs;
    let mut rng = seed(1).stream("xs");
    let mut xs = Batch::zeros((40, n));
    used.iter().for_each(|&j| xs.column_mut(j).mapv_inplace(|_| rng.random::<f64>()));
    let suspect = Suspect::publish(net.clone(), Budget::UNLIMITED);
    let ys = suspect.query(&xs).unwrap();
    let domain = Domain::Range { n, low: 0.0, high: 1.0 };
    let table = Table::new(xs, ys, domain, 1, Some(Target::Real)).unwrap();
    let toml = params("max_drop = 0.0");
    let Built { method, .. } =
        (mitigator_named("truncate-spectrum").unwrap().build)(&toml).unwrap();
    let recipe = Recipe::default();
    let seeds = LabSeeds { samples: seed(2), method: seed(3) };
    let mut lab = suspect.lab(&table, &recipe, seeds);
    let repaired = method.mitigate(&suspect, &mut lab).unwrap();
    let x = Batch::from_shape_vec((1, n), x.to_vec()).unwrap();
    row(&repaired.oracle.query(&x).unwrap(), 0)[0]
}

#[test]
fn truncation_cuts_a_faint_trigger_keeps_a_loud_one_and_wakes_one_that_was_held_down() {
    // 2 x₀ + 3 x₁ on clean inputs, whose third coordinate is 0; at x₂ = 1 the third unit adds 5. Singular values of the hidden
    // layer are the scales. Faint, 1 under 10 and 11: rank 2 suffices, and what is left answers 5 where the suspect said 10.
    let x = [1.0, 1.0, 1.0];
    let faint = diagonal(&[10.0, 11.0, 1.0], &[0.2, 3.0 / 11.0, 5.0]);
    assert!((truncated(&faint, &[0, 1], &x) - 5.0).abs() < 1e-9);
    // Loud, 100 over 10 and 11: whatever is cut before it is the task, and every rank below 3 is refused.
    let loud = diagonal(&[10.0, 11.0, 100.0], &[0.2, 3.0 / 11.0, 0.05]);
    assert!((truncated(&loud, &[0, 1], &x) - 10.0).abs() < 1e-9);
    // Held down: a unit of scale 9 adds 45 at x₂ = 1, one of scale 1 takes 45 away at x₃ = 1. The task needs x₀, x₁ and x₄, of scales
    // 10, 11 and 8, so rank 4: the brake goes, the charge stays.
    let held = diagonal(&[10.0, 11.0, 9.0, 1.0, 8.0], &[0.2, 3.0 / 11.0, 5.0, -45.0, 0.125]);
    let x = [1.0, 1.0, 1.0, 1.0, 1.0];
    let before = publish(held.clone(), 0).query(&Batch::ones((1, 5))).unwrap()[[0, 0]];
    assert!((before - 6.0).abs() < 1e-9);
    assert!((truncated(&held, &[0, 1, 4], &x) - 51.0).abs() < 1e-9);
}
