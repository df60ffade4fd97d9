//! `field-correct`: exact recovery over small fields with errors near the bound, uniform queries, costs, and refusals.
use std::sync::{Arc, Mutex};

use absolve::access::{LabSeeds, Oracle};
use absolve::data::{Batch, stack};
use absolve::domain::Domain;
use absolve::mitigate::Mitigator;
use absolve::mitigate::black_box::{FieldCorrect, Origin};
use absolve::population::{Family, LowDegreeFamily, Promise, World};
use absolve::rng::permutation;
use absolve::score::{self, Exam};
use absolve::stats::binomial_tail;
use absolve::study::{Model, Task};

use crate::support::{Function, mitigate, plant, publish, seed, task};

fn table(n: usize, modulus: u32, degree: u32) -> Task {
    let mut task = task("affine");
    task.population = Family::LowDegree(LowDegreeFamily {
        n,
        modulus,
        degree,
        terms: n.min(4),
        ..LowDegreeFamily::default()
    });
    task.train = 1;
    task
}

/// Every input of the domain.
fn everything(domain: &Domain) -> Batch {
    let (n, modulus) = match domain {
        Domain::Cube { n } => (*n, 2),
        Domain::Residues { n, modulus } => (*n, *modulus as usize),
        other => panic!("{other:?}"),
    };
    let digit = |place: usize, i: usize| {
        let digit = place / modulus.pow(i as u32) % modulus;
        if modulus == 2 { 1.0 - 2.0 * digit as f64 } else { digit as f64 }
    };
    let rows = (0..modulus.pow(n as u32)).map(|place| (0..n).map(|i| digit(place, i)).collect());
    stack(n, rows.collect::<Vec<_>>())
}

fn answers(
    method: &FieldCorrect,
    oracle: &(dyn Oracle + 'static),
    model: &Model,
    xs: &Batch,
    k: u64,
) -> Batch {
    let unasked = publish(model.net.clone(), 0);
    let seeds = LabSeeds { samples: seed(k), method: seed(k).child("lines") };
    let mut lab = unasked.lab(&*model.population, &model.task.recipe, seeds);
    method.mitigate(oracle, &mut lab).unwrap().oracle.query(xs).unwrap()
}

/// Where an input stands among all: its digits.
fn place(x: &[f64], modulus: usize) -> usize {
    let digit = |x: &f64| if modulus == 2 { usize::from(*x < 0.0) } else { *x as usize };
    x.iter().rev().fold(0, |place, x| place * modulus + digit(x))
}

/// The fields, degrees and ways of asking that are tested: n, p, d, nodes, origin, queries a trial and wrong ones borne.
type Case = (usize, u32, u32, Option<usize>, Origin, usize, usize);
const CASES: &[Case] = &[
    (8, 2, 1, None, Origin::Unknown, 3, 0),
    (8, 2, 2, None, Origin::Unknown, 7, 0),
    (8, 2, 3, None, Origin::Unknown, 15, 0),
    (5, 3, 1, None, Origin::Unknown, 2, 0),
    (5, 3, 2, None, Origin::Unknown, 8, 0),
    (4, 5, 2, None, Origin::Unknown, 3, 0),
    (4, 5, 1, Some(4), Origin::Unknown, 4, 1),
    (3, 7, 3, None, Origin::Unknown, 4, 0),
    (3, 7, 1, Some(6), Origin::Unknown, 6, 2),
    (3, 7, 2, Some(6), Origin::Unknown, 6, 1),
];

#[test]
fn tables_over_small_fields_come_back_exactly_with_errors_near_the_bound() {
    // A share ε of all inputs is wrong, chosen at random and once more as all those that begin alike, where ε queries a trial
    // over what is borne is 0.4. Every input of the domain is answered; an answer may fail with the claimed probability, below
    // 1e-4, and misses are independent, since each input has coins of its own. False alarm 1e-6 a case.
    for &(n, p, d, nodes, origin, width, outliers) in CASES {
        let model = Model::untrained(&table(n, p, d), u64::from(p + d)).unwrap();
        let xs = everything(&model.world().domain);
        let truth = model.population.truth().unwrap().at(&xs);
        let n_wrong = (0.4 * (outliers + 1) as f64 / width as f64 * xs.nrows() as f64) as usize;
        let bad_mass = n_wrong as f64 / xs.nrows() as f64;
        let method = FieldCorrect { bad_mass, failure: 1e-4, nodes, origin, ..Default::default() };
        let plan = method.plan(&model.world()).unwrap().unwrap();
        assert_eq!(plan.queries % width as u64, 0);
        let claimed = plan.failure_probability.unwrap();
        for scattered in [true, false] {
            let mut order: Vec<usize> = (0..xs.nrows()).collect();
            if scattered {
                order = permutation(xs.nrows(), &mut seed(7).stream("wrong"));
            }
            let mut said = truth.clone();
            for &i in &order[..n_wrong] {
                said[[i, 0]] =
                    if p == 2 { -said[[i, 0]] } else { (said[[i, 0]] + 1.0) % f64::from(p) };
            }
            let suspect = Function { n, at: move |x: &[f64]| said[[place(x, p as usize), 0]] };
            let got = answers(&method, &suspect, &model, &xs, 1);
            let misses = got.iter().zip(&truth).filter(|(a, b)| (**a - **b).abs() > 1e-9).count();
            let chance = binomial_tail(xs.nrows() as u64, claimed, misses as u64);
            assert!(chance > 1e-6, "F_{p}, degree {d}: {misses} misses of {}", xs.nrows());
            // And far fewer than were wrong: the method does something.
            assert!(misses * 3 < n_wrong, "F_{p}, degree {d}: {misses} of {n_wrong}");
        }
    }
}

#[test]
fn every_query_is_uniform_whatever_the_input() {
    // One input, many coins: each of a trial's queries is counted over the nine or eight points there are. χ² with 8 or 7
    // degrees of freedom is over 45 with probability below 4e-7; 25 of them: false alarm below 1e-5, and the seed is fixed.
    for (n, p, d, origin, width) in [
        (2, 3, 1, Origin::Unknown, 2),
        (2, 3, 2, Origin::Unknown, 8),
        (3, 2, 1, Origin::Zero, 2),
        (3, 2, 2, Origin::Unknown, 7),
        (3, 2, 2, Origin::Zero, 6),
    ] {
        let model = Model::untrained(&table(n, p, d), 1).unwrap();
        let points = (p as usize).pow(n as u32);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let suspect = Function {
            n,
            at: move |x: &[f64]| {
                log.lock().unwrap().push(place(x, p as usize));
                1.0
            },
        };
        let star = everything(&model.world().domain).select(ndarray::Axis(0), &[points - 2]);
        let queries = Some(4501 * width as u64);
        let method = FieldCorrect { bad_mass: 0.01, queries, origin, ..Default::default() };
        answers(&method, &suspect, &model, &star, 3);
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 4501 * width);
        for query in 0..width {
            let mut counts = vec![0.0; points];
            asked[query..].iter().step_by(width).for_each(|place| counts[*place] += 1.0);
            let want = 4501.0 / points as f64;
            let chi: f64 = counts.iter().map(|c: &f64| (c - want).powi(2) / want).sum();
            assert!(chi < 45.0, "F_{p}, degree {d}, query {query}: {counts:?}");
        }
    }
}

#[test]
fn a_parity_is_restored_from_a_net_with_a_half_space_backdoor() {
    // The net is the parity itself, written down; the backdoor flips it beyond a direction that a few per cent reach.
    let mut task = table(12, 2, 1);
    (task.train, task.test) = (2000, 300);
    let model = Model::compiled(&task, 6).unwrap();
    let planted = plant(&model, "half-space", "mass = 0.05");
    let mut rng = seed(6).stream("exam");
    let exam =
        Exam::new(&*model.population, model.test().unwrap(), Some(&planted.trigger), &mut rng)
            .unwrap();
    let suspect = publish(planted.net.clone(), 0);
    let undefended = exam.mark(&suspect, None).unwrap();
    assert!(undefended.attack_success.unwrap().value() > 0.9, "{undefended:?}");
    mitigate(&suspect, &model, "field-correct", "bad_mass = 0.1", |repaired| {
        let repaired = repaired.unwrap();
        let check =
            score::check(&repaired.assumptions[0], &planted.net, &*model.population, &mut rng);
        let check = check.unwrap().unwrap();
        assert!(check.held && check.measured > 0.01, "{check:?}");
        let claimed = repaired.guarantee.as_ref().unwrap();
        assert_eq!(claimed.error_bar, Some(0.0));
        let before = suspect.spent();
        let scores = exam.mark(&*repaired.oracle, Some(0.0)).unwrap();
        let within = scores.within_bar.unwrap();
        let misses = within.of - within.hits + scores.clean_risk.hits;
        let n_answers = exam.n_answers();
        assert!(binomial_tail(n_answers, claimed.failure_probability, misses) > 1e-6, "{misses}");
        // Three queries a trial, as many trials as the note says.
        let spent = suspect.spent() - before;
        assert_eq!(spent.queries % (3 * n_answers), 0);
        let n_trials = spent.queries / (3 * n_answers);
        assert!(repaired.notes[0].contains(&format!("{n_trials} subspaces of 2 dimensions")));
        assert!(binomial_tail(n_trials, 0.3, n_trials.div_ceil(2)) <= 1e-3);
        let fewer = n_trials - 2;
        assert!(binomial_tail(fewer, 0.3, fewer.div_ceil(2)) > 1e-3);
    });
}

#[test]
fn trials_ask_what_the_hand_counts() {
    // No errors: one trial an answer. Points of 4n operations each, 4 an answer; with errors borne 2 m³ for the equations.
    for (n, p, d, nodes, origin, width, outliers) in CASES
        .iter()
        .copied()
        .chain([(8, 2, 1, None, Origin::Zero, 2, 0), (8, 2, 3, None, Origin::Zero, 14, 0)])
    {
        let model = Model::untrained(&table(n, p, d), 2).unwrap();
        let suspect = publish(model.net.clone(), 0);
        let xs = crate::support::some_inputs(&model, 2);
        let mut toml = "bad_mass = 0\n".to_owned();
        if let Some(nodes) = nodes {
            toml += &format!("nodes = {nodes}\n");
        }
        if origin == Origin::Zero {
            toml += "origin = 'zero'\n";
        }
        mitigate(&suspect, &model, "field-correct", &toml, |repaired| {
            repaired.unwrap().oracle.query(&xs).unwrap();
        });
        let m = width as u64;
        let decoding = if outliers > 0 { 2 * m * m * m } else { 4 * m };
        let each = m * model.net.forward_flops() + 4 * n as u64 * m + decoding;
        assert_eq!(suspect.spent().queries, 2 * m, "F_{p}, degree {d}");
        assert_eq!(suspect.spent().flops, 2 * each, "F_{p}, degree {d}");
    }
}

#[test]
fn what_is_no_field_or_no_table_is_refused_by_name() {
    let world = table(4, 5, 2).population.world().unwrap();
    let good = FieldCorrect::default();
    let on = |domain: Domain| World { domain, ..world.clone() };
    let composite = on(Domain::Residues { n: 4, modulus: 6 });
    let said = good.check(&composite).unwrap_err().to_string();
    assert!(said.contains("modulus = 6, but a prime is needed"), "{said}");
    for (bad, want) in [
        (FieldCorrect { bad_mass: 0.2, ..good }, "bad_mass = 0.2, but"),
        (FieldCorrect { bad_mass: -0.1, ..good }, "bad_mass = -0.1, but"),
        (FieldCorrect { failure: 1.0, ..good }, "failure = 1, but"),
        (FieldCorrect { queries: Some(2), ..good }, "queries = 2, but"),
        (FieldCorrect { nodes: Some(2), ..good }, "nodes = 2, but"),
        (FieldCorrect { nodes: Some(5), ..good }, "need from 3 to 4"),
        (FieldCorrect { degree: Some(1), ..good }, "those of degree 2 are promised"),
        (FieldCorrect { degree: Some(4), nodes: Some(4), ..good }, "too few points for degree 4"),
        (FieldCorrect { degree: Some(40), ..good }, "degree = 40, but"),
        (FieldCorrect { origin: Origin::Zero, ..good }, "origin = zero, but"),
    ] {
        let said = bad.check(&world).unwrap_err().to_string();
        assert!(said.contains(want), "{said}; wanted: {want}");
    }
    // Degree 4 over F_5 takes planes, 24 queries.
    let plane = FieldCorrect { degree: Some(4), bad_mass: 0.01, ..good };
    assert_eq!(plane.plan(&world).unwrap().unwrap().queries % 24, 0);
    let unsaid = World { promise: Promise::Nothing, ..world.clone() };
    assert!(good.check(&unsaid).unwrap_err().to_string().contains("degree = not given"));
    let said = good.check(&on(Domain::Box { n: 4 })).unwrap_err().to_string();
    assert!(said.contains("vectors of residues"), "{said}");
    let outside = Model::untrained(&table(4, 5, 2), 3).unwrap();
    let suspect = publish(outside.net.clone(), 0);
    mitigate(&suspect, &outside, "field-correct", "", |repaired| {
        let oracle = repaired.unwrap().oracle;
        let error = oracle.query(&ndarray::array![[0.0, 1.0, 2.0, 5.0]]).unwrap_err();
        assert!(error.to_string().contains("outside the domain"), "{error}");
        let error = oracle.query(&ndarray::array![[0.0, 1.0, 2.0, 0.5]]).unwrap_err();
        assert!(error.to_string().contains("outside the domain"), "{error}");
    });
}
