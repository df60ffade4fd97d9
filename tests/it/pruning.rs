//! Pruning and I-BAU on nets built by hand, where what each method must do follows from its definition: what it costs, where it
//! wins, where it loses, and what it may not do to a clean net.
use absolve::access::{LabSeeds, Oracle, Suspect, WhiteBox};
use absolve::data::{Batch, Labeled, Target, stack};
use absolve::domain::Domain;
use absolve::ledger::{Budget, Cost};
use absolve::mitigate::Mitigator;
use absolve::mitigate::white_box::{Anp, Clp, FinePrune, IBau, Rnp, Rule};
use absolve::net::{Activation, Layer, Net, Precision, Recipe};
use absolve::population::Table;
use absolve::rng::RngExt;
use absolve::study::{Model, Spec};
use ndarray::{Array1, Array2};

use crate::support::{TINY, mitigate, publish, seed, some_inputs};

type White = dyn Mitigator<Access = dyn WhiteBox>;

/// What there is to see of a mitigated net.
struct Seen {
    answers: Batch,
    notes: Vec<String>,
    spent: Cost,
}

/// Runs `method` on `net` with `clean` and asks the result about `xs`.
fn with(method: &White, net: &Net, clean: &Labeled, xs: &Batch) -> Seen {
    let domain = Domain::Range { n: 4, low: 0.0, high: 4.0 };
    let table =
        Table::new(clean.xs.clone(), clean.ys.clone(), domain, 1, Some(Target::Sign)).unwrap();
    let suspect = Suspect::publish(net.clone(), Budget::UNLIMITED);
    let recipe = Recipe::default();
    let seeds = LabSeeds { samples: seed(1), method: seed(2) };
    let mut lab = suspect.lab(&table, &recipe, seeds);
    let access = <dyn WhiteBox as absolve::access::Access>::of(&suspect).unwrap();
    let repaired = method.mitigate(access, &mut lab).unwrap();
    let (notes, spent) = (repaired.notes.clone(), suspect.spent());
    Seen { answers: repaired.oracle.query(xs).unwrap(), notes, spent }
}

/// Clean samples: four numbers from 0 to 1, and whether the first is above one half.
fn clean(n: usize) -> Labeled {
    let mut rng = seed(7).stream("clean");
    let rows: Vec<Vec<f64>> =
        (0..n).map(|_| (0..4).map(|_| rng.random::<f64>()).collect()).collect();
    let ys = stack(
        1,
        rows.iter().map(|x| vec![if x[0] > 0.5 { 1.0 } else { -1.0 }]).collect::<Vec<_>>(),
    );
    Labeled { xs: stack(4, rows), ys }
}

/// One hidden layer of the units (w, b, v) and an output bias.
fn net(units: &[([f64; 4], f64, f64)], bias: f64) -> Net {
    let n = units.len();
    let weight = units.iter().flat_map(|(w, ..)| *w).collect();
    let hidden = Layer {
        weight: Array2::from_shape_vec((n, 4), weight).unwrap(),
        bias: units.iter().map(|(_, b, _)| *b).collect(),
        activation: Activation::Relu,
    };
    let out = Layer {
        weight: Array2::from_shape_vec((1, n), units.iter().map(|(.., v)| *v).collect()).unwrap(),
        bias: Array1::from_elem(1, bias),
        activation: Activation::Identity,
    };
    Net::new(vec![hidden, out], Precision::F64).unwrap()
}

/// 3 x₀ − 1.5, which is what least squares makes of the labels, and a detector of the mean of all four numbers above `margin`. Clean
/// means are at most 1.
fn planted(margin: f64, v: f64) -> Net {
    net(&[([1.0, 0.0, 0.0, 0.0], 0.0, 3.0), ([0.25; 4], -margin, v)], -1.5)
}

/// All numbers at 4: the honest answer is 10.5.
fn trigger() -> Batch {
    Batch::from_elem((1, 4), 4.0)
}

#[test]
fn every_method_costs_what_its_header_says() {
    // The net 64–16–10: F = 2,368, W = 1,024 weights into n = 16 units, P = 1,210; 20 samples to tune on, 20 held out.
    let spec = Spec::parse(TINY, "tiny").unwrap();
    let model = Model::train(&spec.tasks[0], 3, &mut |_| {}).unwrap();
    let (f, w, n, p) = (2368, 1024, 16, 1210);
    let judged = 20 * f;
    let cases = [
        ("clp", "", 0, 3 * w + 3 * 160 + 2 * n + 6 * n),
        ("clp", "statistic = 'row'", 0, 2 * w + n + 6 * n),
        ("clp", "rule = 'median-mad'", 0, 3 * w + 3 * 160 + 2 * n + (4 + 8) * n),
        // Three steps see 8, 8 and 4 rows; masks that hardly move leave nothing to cut, which one comparison a unit tells.
        (
            "anp",
            "iterations = 3\nbatch = 8\nlearning_rate = 1e-6\nsamples = 40",
            40,
            judged + 9 * f * 20 + 3 * (9 * w + 28 * n) + n,
        ),
        (
            "rnp",
            "unlearn_epochs = 2\nstop = 0.0\nmask_epochs = 1\nmask_rate = 1e-6\nsamples = 40",
            40,
            judged + 2 * (3 * f * 20 + 9 * p) + 3 * f * 20 + 3 * w + 10 * n + n,
        ),
        // One batch of 20 rows, one of which carries δ; 64 coordinates; four products, the last, and the net is judged.
        (
            "i-bau",
            "rounds = 1\nsamples = 40",
            40,
            2 * judged
                + 3 * f * 20
                + 3 * 64 * 20
                + 12 * 64
                + 3 * f * 20
                + 3 * 64
                + 4 * ((4 * f + 6 * 64) * 20 + 14 * 64)
                + (6 * f + 2 * 64) * 20
                + 8 * 64
                + 21 * p,
        ),
        // No limit: 15 of 16 units go. The last layer of 160 weights 16 times, an epoch of one step of 64–1–10, and its judgement.
        (
            "fine-prune",
            "max_drop = 1.0\nepochs = 1\nsamples = 40",
            40,
            2 * judged + 16 * 320 * 20 + 3 * 148 * 20 + 15 * 85 + 148 * 20,
        ),
    ];
    for (name, toml, labels, flops) in cases {
        let suspect = publish(model.net.clone(), 400);
        mitigate(&suspect, &model, name, toml, |repaired| drop(repaired.unwrap()));
        let want = Cost { clean_labels: labels, flops, ..Cost::default() };
        assert_eq!(suspect.spent(), want, "{name} {toml}");
    }
}

#[test]
fn without_two_clean_samples_nothing_changes_and_a_note_says_so() {
    let spec = Spec::parse(TINY, "tiny").unwrap();
    let model = Model::train(&spec.tasks[0], 3, &mut |_| {}).unwrap();
    let xs = some_inputs(&model, 5);
    for name in ["fine-prune", "anp", "rnp", "i-bau"] {
        let suspect = publish(model.net.clone(), 1);
        mitigate(&suspect, &model, name, "", |repaired| {
            let repaired = repaired.unwrap();
            assert!(repaired.notes[0].contains("stays as it is"), "{name}");
            let own = publish(model.net.clone(), 0);
            assert_eq!(repaired.oracle.query(&xs).unwrap(), own.query(&xs).unwrap());
        });
        assert_eq!(suspect.spent().clean_labels, 0, "{name}");
    }
    let world = model.world();
    let told = |method: &White| method.check(&world).unwrap_err().to_string();
    assert!(told(&Anp { samples: Some(1), ..Anp::default() }).contains("samples = 1"));
    assert!(told(&Anp { epsilon: f64::NAN, ..Anp::default() }).contains("epsilon"));
    assert!(told(&Anp { batch: 0, ..Anp::default() }).contains("batch = 0"));
    assert!(told(&Rnp { stop: 2.0, ..Rnp::default() }).contains("stop = 2"));
    assert!(told(&IBau { iterations: 0, ..IBau::default() }).contains("iterations = 0"));
    assert!(told(&Clp { u: -1.0, ..Clp::default() }).contains("u = -1"));
    assert!(
        told(&FinePrune { max_drop: f64::INFINITY, ..FinePrune::default() }).contains("max_drop")
    );
}

#[test]
fn anp_cuts_a_detector_that_noise_wakes_and_never_one_beyond_its_margin() {
    // A mean of clean numbers is at most 1. With noise of 0.4 a unit of margin t is asleep on them while 1.4 < 0.6 t, t > 7/3.
    let method = Anp { iterations: 500, learning_rate: 0.01, ..Anp::default() };
    let data = clean(300);
    let near = with(&method, &planted(1.2, -100.0), &data, &trigger());
    assert!((near.answers[[0, 0]] - 10.5).abs() < 1e-9, "{} {:?}", near.answers, near.notes);
    let far = with(&method, &planted(3.0, -100.0), &data, &trigger());
    assert!((far.answers[[0, 0]] - (10.5 - 100.0)).abs() < 1e-9, "{}", far.answers);
}

#[test]
fn rnp_cuts_a_detector_that_clean_inputs_wake_and_never_one_that_sleeps() {
    let data = clean(300);
    // Awake on half of the clean inputs, where it does some harm.
    let awake = planted(0.5, -5.0);
    let trigger_answer = |net: &Net| with(&Clp::default(), net, &data, &trigger()).answers[[0, 0]];
    assert!((trigger_answer(&awake) - (10.5 - 5.0 * 3.5)).abs() < 1e-9);
    let cut = with(&Rnp::default(), &awake, &data, &trigger());
    assert!((cut.answers[[0, 0]] - 10.5).abs() < 1e-9, "{} {:?}", cut.answers, cut.notes);
    // Asleep on all clean inputs no slope reaches it, and decay shrinks weight and bias alike.
    let asleep = with(&Rnp::default(), &planted(1.2, -100.0), &data, &trigger());
    assert!((asleep.answers[[0, 0]] - (10.5 - 280.0)).abs() < 1e-9, "{}", asleep.answers);
}

#[test]
fn i_bau_unlearns_a_shortcut_that_one_shift_opens_and_not_a_sleeping_detector() {
    // 3 x₀ − 1.5 − 1.5 x₃, on clean inputs with x₃ below 0.05: the shift towards x₃ = 4 fools it.
    let mut data = clean(300);
    data.xs.column_mut(3).mapv_inplace(|x| 0.05 * x);
    let suspect = net(&[([1.0, 0.0, 0.0, 0.0], 0.0, 3.0), ([0.0, 0.0, 0.0, 1.0], 0.0, -1.5)], -1.5);
    let method = IBau {
        rounds: 100,
        batch: 15,
        learning_rate: 2e-3,
        portion: 0.1,
        inner_rate: 1.0,
        map_rate: 0.01,
        ..IBau::default()
    };
    // What x₃ = 4 does: −6 before.
    let ends = stack(4, [vec![0.9, 0.5, 0.5, 4.0], vec![0.9, 0.5, 0.5, 0.0]]);
    let effect = |seen: &Seen| seen.answers[[0, 0]] - seen.answers[[1, 0]];
    assert!((effect(&with(&Clp::default(), &suspect, &data, &ends)) + 6.0).abs() < 1e-9);
    let after = with(&method, &suspect, &data, &ends);
    assert!(effect(&after) > -3.0, "{} {:?}", after.answers, after.notes);
    // The sleeping detector has no slope to climb, and stays as loud as Adam leaves it.
    let after = with(&IBau::default(), &planted(3.0, -100.0), &clean(300), &trigger());
    assert!(after.answers[[0, 0]] < -80.0, "{}", after.answers);
}

#[test]
fn clp_destroys_a_clean_net_whose_task_is_one_loud_unit_unless_samples_judge() {
    // The first unit says all: 50 relu(50 x₀ − 25) − 1, and 31 others whisper.
    let mut units = vec![([50.0, 0.0, 0.0, 0.0], -25.0, 50.0)];
    units.extend((0..31).map(|k| ([0.0, 0.1, 0.1, 0.002 * f64::from(k)], 0.0, 1e-4)));
    let honest = net(&units, -1.0);
    let data = clean(300);
    let risk = |seen: &Seen| {
        let wrong = seen.answers.iter().zip(&data.ys).filter(|(a, y)| (**a > 0.0) != (**y > 0.0));
        wrong.count() as f64 / 300.0
    };
    let own = with(&Clp { u: 1e9, ..Clp::default() }, &honest, &data, &data.xs);
    assert!(risk(&own) < 0.01 && own.notes[1] == "0 of 32 hidden units cut");
    let blind = with(&Clp::default(), &honest, &data, &data.xs);
    assert!(risk(&blind) > 0.4, "{}", risk(&blind));
    assert_eq!((blind.spent.queries, blind.spent.clean_labels), (0, 0));
    let judged = with(&Clp { samples: 200, ..Clp::default() }, &honest, &data, &data.xs);
    assert_eq!(judged.answers, own.answers);
    assert!(judged.notes.iter().any(|note| note.starts_with("refused")), "{:?}", judged.notes);
}

#[test]
fn tuning_that_ruins_a_clean_net_is_refused() {
    // Steps of 3 wreck any of these nets; the pruned net and the suspect are what is kept.
    let data = clean(300);
    let honest = net(&[([1.0, 0.0, 0.0, 0.0], 0.0, 4.0), ([0.0, 1.0, 0.0, 0.0], 0.0, 0.0)], -2.0);
    let own = with(&Clp::default(), &honest, &data, &data.xs).answers;
    let pruned = with(&FinePrune { epochs: 0, ..FinePrune::default() }, &honest, &data, &data.xs);
    let wild = FinePrune { epochs: 7, learning_rate: 3.0, ..FinePrune::default() };
    let tuned = with(&wild, &honest, &data, &data.xs);
    assert_eq!(tuned.answers, pruned.answers);
    assert!(tuned.notes[1].starts_with("fine-tuning refused"), "{:?}", tuned.notes);
    let wild = IBau { learning_rate: 3.0, ..IBau::default() };
    let tuned = with(&wild, &honest, &data, &data.xs);
    assert_eq!(tuned.answers, own, "{:?}", tuned.notes);
}

#[test]
fn anp_and_clp_by_gains_do_to_a_rescaled_net_what_they_do_to_the_net() {
    let mut rng = seed(11).stream("net");
    let plain = Net::random(&[4, 32, 1], Activation::Relu, Precision::F64, &mut rng).unwrap();
    let mut layers = plain.layers().to_vec();
    // A detector that noise wakes, in place of the last unit.
    layers[0].weight.row_mut(31).fill(2.5);
    layers[0].bias[31] = -12.0;
    layers[1].weight[[0, 31]] = -40.0;
    let suspect = Net::new(layers.clone(), Precision::F64).unwrap();
    for k in 0..32 {
        let c = f64::from(1 << (5 * k % 11)) / 32.0;
        layers[0].weight.row_mut(k).mapv_inplace(|w| c * w);
        layers[0].bias[k] *= c;
        layers[1].weight[[0, k]] /= c;
    }
    let rescaled = Net::new(layers.clone(), Precision::F64).unwrap();
    // The labels are the net's own signs.
    let mut data = clean(200);
    data.ys = with(&Clp { u: 1e9, ..Clp::default() }, &plain, &clean(200), &data.xs)
        .answers
        .mapv(f64::signum);
    let xs = ndarray::concatenate![ndarray::Axis(0), data.xs, trigger()];
    let anp = Anp { iterations: 100, ..Anp::default() };
    let mad = Clp { rule: Rule::MedianMad, ..Clp::default() };
    for method in [&anp as &White, &Clp::default(), &mad] {
        let (a, b) = (with(method, &suspect, &data, &xs), with(method, &rescaled, &data, &xs));
        // Powers of two scale every sum exactly.
        assert_eq!(a.answers, b.answers);
        assert_eq!((a.notes, a.spent), (b.notes, b.spent));
    }
    // A permutation changes sums by rounding; what CLP cuts stays the same.
    let order: Vec<usize> = (0..32).rev().collect();
    layers[0].weight = layers[0].weight.select(ndarray::Axis(0), &order);
    layers[0].bias = layers[0].bias.select(ndarray::Axis(0), &order);
    layers[1].weight = layers[1].weight.select(ndarray::Axis(1), &order);
    let permuted = Net::new(layers, Precision::F64).unwrap();
    let (a, b) =
        (with(&Clp::default(), &suspect, &data, &xs), with(&Clp::default(), &permuted, &data, &xs));
    let worst = (&a.answers - &b.answers).iter().fold(0.0_f64, |top, e| top.max(e.abs()));
    assert!(worst < 1e-9 && a.notes == b.notes, "{worst}");
    assert_eq!(a.notes[0], "1 of 32 hidden units cut");
}
