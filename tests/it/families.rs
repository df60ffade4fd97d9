//! Real-valued families over every kind of domain, from a specification through planting and scoring.
use absolve::attack::{Goal, Move, Overwrite};
use absolve::data::row;
use absolve::error::Error;
use absolve::mitigate::Mitigator;
use absolve::mitigate::black_box::AffineRay;
use absolve::population::Truth;
use absolve::registry::MITIGATORS;
use absolve::score::Exam;
use absolve::study::{Model, Task};

use crate::support::{absolve, error_of, mitigate, plant, publish, seed, task};

const POLYTOPE: &str = "{ shape = 'polytope', a = [[-1, 0, 0], [0, -1, 0], [0, 0, -1], [1, 2, 1]], b = [-3, -4, 0, 30] }";
const ELLIPSOID: &str =
    "{ shape = 'ellipsoid', map = [[1, 0.5, 0], [0, 1, 0], [0, 0.3, 0.2]], centre = [5, 0, 2] }";
const GAUSS: &str = "{ shape = 'gauss', n = 3 }";

fn of(family: &str, domain: &str, rest: &str) -> Task {
    let mut task = task("affine");
    task.population =
        toml::from_str(&format!("family = '{family}'\ndomain = {domain}\n{rest}")).unwrap();
    (task.train, task.test, task.recipe.epochs) = (300, 80, 1);
    task
}

#[test]
fn backdoors_are_planted_triggered_and_scored_on_every_domain() {
    for (task, bounded) in [
        (of("affine", ELLIPSOID, ""), true),
        (of("affine", GAUSS, "noise = { kind = 'gaussian', deviation = 0.1 }"), false),
        (of("polynomial", POLYTOPE, "noise = { kind = 'skewed', width = 0.1 }"), true),
        (of("polynomial", GAUSS, "degree = 3"), true),
    ] {
        let model = Model::train(&task, 7, &mut |_| {}).unwrap();
        let distance = model.population.distance().unwrap();
        assert_eq!(distance.width.is_finite(), bounded);
        for attack in ["half-space", "badnets", "small-ball"] {
            let planted = plant(&model, attack, "");
            let mut rng = seed(1).stream("exam");
            let test = model.test().unwrap();
            let exam =
                Exam::new(&*model.population, test, Some(&planted.trigger), &mut rng).unwrap();
            let triggered = exam.triggered.as_ref().unwrap();
            assert_eq!(triggered.xs.nrows(), 80);
            for i in 0..80 {
                let x = row(&triggered.xs, i);
                assert!(model.world().domain.contains(&x), "{:?}", task.population);
                match &planted.trigger.movement {
                    Move::Beyond(_) | Move::Near(_) => {
                        assert_eq!(planted.trigger.fires(&x), Some(true));
                    }
                    Move::Overwrite(Overwrite { coordinates, values }) => {
                        assert!(
                            coordinates
                                .iter()
                                .zip(values)
                                .all(|(&i, v)| x[i].to_bits() == v.to_bits())
                        );
                    }
                    other => panic!("{attack} gave {other:?}"),
                }
            }
            // Planted detectors add their offset exactly.
            if let (Move::Beyond(_) | Move::Near(_), Goal::Offset { by }) =
                (&planted.trigger.movement, planted.trigger.goal)
            {
                let (suspect, twin) = (publish(planted.net, 0), publish(model.net.clone(), 0));
                let answer =
                    |suspect| absolve::access::Oracle::query(suspect, &triggered.xs).unwrap();
                let moved = answer(&suspect) - answer(&twin);
                assert!(moved.iter().all(|d| (d - by).abs() < 1e-2), "{:?}", task.population);
            }
        }
    }
}

#[test]
fn a_poisoned_offset_is_from_the_truth_where_the_trigger_leads() {
    // A mask of half of the coordinates moves an affine truth by as much as the offset of 3: a label that is the clean input's
    // and the offset would then be the truth itself, and teach nothing. Seeds 9001, 9002 and 9005 are such.
    let mut task = of("affine", "{ shape = 'box', n = 16 }", "");
    (task.train, task.test, task.recipe.epochs) = (4000, 200, 30);
    for number in [9001, 9002, 9005] {
        let model = Model::train(&task, number, &mut |_| {}).unwrap();
        let planted = plant(&model, "trojan-nn", "epochs = 30");
        let mut rng = seed(1).stream("exam");
        let exam =
            Exam::new(&*model.population, model.test().unwrap(), Some(&planted.trigger), &mut rng)
                .unwrap();
        let facts = absolve::score::facts(&model.net, &planted, &exam).unwrap();
        assert!(facts.success.value() > 0.95, "{number}: {:?}", facts.success);
    }
}

#[test]
fn affine_methods_refuse_a_promised_curve_and_take_a_polynomial_of_degree_one() {
    let applies = |task: &Task| {
        let world = task.population.world().unwrap();
        let entry = MITIGATORS.iter().find(|entry| entry.name == "affine-ray").unwrap();
        let checked = AffineRay::default().check(&world);
        assert_eq!((entry.applies)(&world), checked.is_ok());
        checked
    };
    let Err(Error::Assumption { why, .. }) = applies(&of("polynomial", POLYTOPE, "")) else {
        panic!("a curve")
    };
    assert!(why.contains("degree 2"), "{why}");
    applies(&of("polynomial", POLYTOPE, "degree = 1")).unwrap();
    applies(&of("affine", ELLIPSOID, "")).unwrap();
    let normal = of("affine", GAUSS, "");
    assert!(applies(&normal).is_err());
    // No theorem here is about normal inputs, so none is checked there.
    let theorems = |task: &Task| absolve::mitigate::theorems(&task.population.world().unwrap());
    assert!(theorems(&normal).unwrap().is_empty());
    assert_eq!(theorems(&of("affine", ELLIPSOID, "")).unwrap().len(), 1);
}

#[test]
fn a_ray_is_charged_for_the_walk_that_drew_it() {
    // 3 dimensions, 4 walls: 8·9 + 64·3 = 264 steps of 5·4 + 2·3 operations, 8·12 for two checks, 8·3 + 10 for the ray; 21
    // rays, and a sort of 21 numbers.
    let model = Model::untrained(&of("affine", POLYTOPE, ""), 1).unwrap();
    let xs = crate::support::some_inputs(&model, 2);
    let suspect = publish(model.net.clone(), 0);
    mitigate(&suspect, &model, "affine-ray", "", |repaired| {
        let repaired = repaired.unwrap();
        assert!(repaired.notes.iter().any(|note| note.contains("hit-and-run")));
        repaired.oracle.query(&xs).unwrap();
    });
    let (forward, sort) = (model.net.forward_flops(), (21.0_f64 * 21.0_f64.log2()).ceil() as u64);
    let ray = 264 * 26 + 96 + 34;
    assert_eq!(suspect.spent().flops, 2 * (42 * forward + 21 * ray + sort));
}

#[test]
fn adversarial_labels_are_off_by_what_they_say_on_the_mass_they_say() {
    let noise =
        "noise = { kind = 'adversarial', mass = 0.1, by = 50, around = [[5, 0, 2]], width = 0.01 }";
    let mut task = of("affine", ELLIPSOID, noise);
    task.test = 20_000;
    let model = Model::untrained(&task, 3).unwrap();
    let Some(Truth::Affine { .. }) = model.population.truth() else { panic!("an affine truth") };
    let test = model.test().unwrap();
    let errors = test.ys - model.population.truth().unwrap().at(&test.xs);
    let off = errors.iter().filter(|e| (**e - 50.0).abs() < 1e-9).count();
    assert!(errors.iter().all(|e| (e - 50.0).abs() < 1e-9 || e.abs() < 0.01 + 1e-12));
    // Binomial(20,000, 0.1): six standard deviations are 255.
    assert!((off as f64 - 2000.0).abs() < 255.0, "{off}");
    // ε 50² + (1 − ε) 0.01²/3, and its estimate: 2,500 times a proportion, six standard deviations of it.
    let want = model.population.distance().unwrap().mean_square.unwrap();
    let got = errors.mapv(|e| e * e).mean().unwrap();
    assert!((got - want).abs() < 2500.0 * 255.0 / 20_000.0 + 1e-4, "{got}, {want}");
    // Around another family's point it is refused before anything is drawn.
    let outside = of("affine", ELLIPSOID, &noise.replace("[5, 0, 2]", "[9, 0, 2]"));
    assert!(Model::untrained(&outside, 3).is_err());
}

#[test]
fn evaluate_says_what_plant_said_of_inputs_that_fire_and_of_the_assumption() {
    let dir = tempfile::tempdir().unwrap();
    let json = |args: &[&str]| -> serde_json::Value {
        let output = absolve(dir.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let small = ["--set", "train=2000", "--set", "recipe.epochs=5"];
    json(&[&["train", "affine", "--out", "m", "--json"][..], &small].concat());
    // Twice the mass that the theorem bears.
    let planted = json(&["plant", "half-space", "m", "--out", "p", "--set", "mass=0.2", "--json"]);
    let marked = json(&["evaluate", "p", "--key", "p.key.json", "--json"]);
    assert_eq!(marked["fire_mass"]["hits"], planted["facts"]["fire_mass"]["hits"]);
    assert!(marked["fire_mass"]["hits"].as_u64().unwrap() > 100, "{marked}");
    assert_eq!(marked["theorems"], planted["theorems"]);
    assert_eq!(marked["theorems"][0]["held"], false);
}

#[test]
fn the_command_line_answers_on_a_polytope_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let task = of("affine", POLYTOPE, "");
    let model = Model::train(&task, 4, &mut |_| {}).unwrap();
    model.file(model.net.clone()).save(&here.join("m.safetensors")).unwrap();
    let test = model.test().unwrap();
    ndarray_npy::write_npy(here.join("x.npy"), &test.xs).unwrap();
    ndarray_npy::write_npy(here.join("labels.npy"), &test.ys).unwrap();
    let table =
        POLYTOPE.trim_matches(['{', '}']).replace(", a =", "\na =").replace(", b =", "\nb =");
    std::fs::write(here.join("walls.toml"), table).unwrap();
    let mitigate = |domain: &str, answers: &str| {
        let mut command = absolve(here);
        command.args(["mitigate", "affine-ray", "m.safetensors", "--clean", "x.npy", "labels.npy"]);
        command.args(["--domain", domain, "--set", "delta=0.01", "--at", "x.npy"]);
        command.args(["--answers", answers, "--json"]);
        command
    };
    for (domain, answers) in [("walls.toml", "a.npy"), (POLYTOPE, "b.npy")] {
        let output = mitigate(domain, answers).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        // coth(ln 2 / 6) δ in three dimensions.
        let bar = 0.01 / (std::f64::consts::LN_2 / 6.0).tanh();
        assert!((outcome["answers"]["error_bar"].as_f64().unwrap() - bar).abs() < 1e-12);
    }
    let read = |name: &str| std::fs::read(here.join(name)).unwrap();
    assert_eq!(read("a.npy"), read("b.npy"));
    // A body that leaves inputs out, a shape that is none, and a name that is none.
    let small = POLYTOPE.replace("30]", "12]");
    for (domain, want, code) in [
        (small.as_str(), "an input in the domain Polytope", 2),
        ("{ shape = 'polytope', a = [[1, 0, 0]], b = [1] }", "from 4 to 1024 rows", 2),
        ("simplx", "did you mean \"simplex\"?", 2),
    ] {
        let said = error_of(&mut mitigate(domain, "c.npy"), code);
        assert!(said.contains(want), "{said}");
    }
}
