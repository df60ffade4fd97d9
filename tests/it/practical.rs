//! Practical black-box defences and baselines: rates against measurement, and each method where it wins and where it loses,
//! in worlds where both follow from its definition. How they fare on trained nets:
//! experiments/mitigators/practical.md.
use absolve::access::{LabSeeds, Oracle, Suspect};
use absolve::data::{Batch, Labeled, Shape, Target, stack};
use absolve::domain::Domain;
use absolve::error::Result;
use absolve::ledger::{Budget, Cost};
use absolve::mitigate::black_box::{Distil, LowDensityFilter, ScaleUp, Score, Strip};
use absolve::mitigate::{Fallback, Learner, Mitigator, Relearn, Repaired};
use absolve::net::{Activation, Net, Precision, Recipe};
use absolve::population::{Population, Table};
use absolve::rng::RngExt;
use absolve::stats::binomial_tail;
use absolve::study::Model;

use crate::support::{Function, mitigate, plant, publish, seed, task};

/// An oracle of several scores made of a function.
struct Scores<F> {
    shape: Shape,
    at: F,
}

impl<F: Fn(&[f64]) -> Vec<f64> + Send + Sync> Oracle for Scores<F> {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        Ok(stack(self.shape.outputs, xs.rows().into_iter().map(|x| (self.at)(&x.to_vec()))))
    }
}

/// A black-box mitigator, whichever.
type BlackBox = dyn Mitigator<Access = dyn Oracle>;

/// Runs `method` on `oracle` with clean samples of `population`, hands the result to `look`; and what its own work cost.
fn with<T>(
    (method, oracle): (&BlackBox, &(dyn Oracle + 'static)),
    population: &dyn Population,
    number: u64,
    look: impl FnOnce(Result<Repaired<'_>>) -> T,
) -> (T, Cost) {
    // A lab needs a suspect; nothing is asked of this one, and its ledger holds labels and work.
    let mut rng = seed(0).stream("unasked");
    let net = Net::random(&[1, 1], Activation::Relu, Precision::F64, &mut rng).unwrap();
    let unasked = Suspect::publish(net, Budget::UNLIMITED);
    let recipe = Recipe::default();
    let root = seed(number);
    let seeds = LabSeeds { samples: root.child("samples"), method: root.child("method") };
    let mut lab = unasked.lab(population, &recipe, seeds);
    let looked = look(method.mitigate(oracle, &mut lab));
    (looked, unasked.spent())
}

/// Small images: the first pixel, from ¼ to ½, says the class (above ⅜ or not); four are noise; the last stays below 0.4.
fn images(n: usize, number: u64) -> Labeled {
    let mut rng = seed(number).stream("images");
    let rows: Vec<Vec<f64>> = (0..n)
        .map(|_| {
            let mut x: Vec<f64> = (0..6).map(|_| rng.random::<f64>()).collect();
            x[0] = 0.25 + 0.25 * x[0];
            x[5] *= 0.4;
            x
        })
        .collect();
    let ys = rows.iter().map(|x| Target::Classes(3).label_of(usize::from(x[0] > 0.375)));
    let ys = stack(3, ys.collect::<Vec<_>>());
    Labeled { xs: stack(6, rows), ys }
}

fn table(data: Labeled) -> Table {
    let domain = Domain::Range { n: 6, low: 0.0, high: 1.0 };
    Table::new(data.xs, data.ys, domain, 3, Some(Target::Classes(3))).unwrap()
}

/// Scores of the two classes and of a third for bright images, which no clean one is.
fn honest(x: &[f64]) -> Vec<f64> {
    vec![8.0 * (0.375 - x[0]), 8.0 * (x[0] - 0.375), 16.0 * (x[0] - 0.5)]
}

/// The honest scores, but `planted` where `fires` says so of the last pixel.
fn suspect(fires: fn(f64) -> bool, planted: [f64; 3]) -> impl Oracle + 'static {
    let at = move |x: &[f64]| if fires(x[5]) { planted.to_vec() } else { honest(x) };
    Scores { shape: Shape { inputs: 6, outputs: 3 }, at }
}

/// The images with their last pixel set.
fn stamped(data: &Labeled, value: f64) -> Batch {
    let mut xs = data.xs.clone();
    xs.column_mut(5).fill(value);
    xs
}

/// How many of `xs` a detector lets the suspect answer, of answers that no prior gives.
fn passed(method: &BlackBox, oracle: &(dyn Oracle + 'static), xs: &Batch) -> usize {
    let clean = table(images(400, 1));
    let looked = with((method, oracle), &clean, 2, |repaired| {
        let answers = repaired.unwrap().oracle.query(xs).unwrap();
        let raw = oracle.query(xs).unwrap();
        (0..xs.nrows()).filter(|&i| answers.row(i) == raw.row(i)).count()
    });
    looked.0
}

fn prior() -> Fallback {
    Fallback::Prior
}

#[test]
fn every_detector_rejects_clean_inputs_exactly_as_often_as_it_says() {
    // 19 samples to calibrate on and a rate of 0.1: j = ⌊20 · 0.1⌋ = 2, so each of 1,200 fresh detectors rejects its one fresh input
    // with probability 0.1 exactly, independently. Two-sided binomial test, false alarm 2e-6 a detector. SPC takes few values
    // here, so the last one tries the coin that breaks ties.
    let strip = Strip { overlays: 4, false_positives: 0.1, fallback: prior(), ..Strip::default() };
    let density = LowDensityFilter {
        false_positives: 0.1,
        neighbours: 3,
        fallback: prior(),
        ..LowDensityFilter::default()
    };
    let knn = LowDensityFilter { score: Score::Knn, ..density };
    let scale = ScaleUp {
        samples: Some(19),
        false_positives: 0.1,
        fallback: prior(),
        ..ScaleUp::default()
    };
    let methods: [&BlackBox; 4] = [&strip, &density, &knn, &scale];
    let oracle = suspect(|_| false, [0.0; 3]);
    let n_trials = 1200;
    for (m, method) in methods.into_iter().enumerate() {
        let mut n_rejected = 0;
        for k in 0..n_trials {
            let data = images(39, 10_000 + k);
            let (clean, fresh) = data.split_last(1);
            let (rate, answer) = with((method, &oracle), &table(clean), k, |repaired| {
                let repaired = repaired.unwrap();
                let rate = repaired.guarantee.unwrap().failure_probability;
                (rate, repaired.oracle.query(&fresh.xs).unwrap())
            })
            .0;
            assert!((rate - 0.1).abs() < 1e-12, "{rate}");
            n_rejected += u64::from(answer != oracle.query(&fresh.xs).unwrap());
        }
        let many = binomial_tail(n_trials, 0.1, n_rejected);
        let few = 1.0 - binomial_tail(n_trials, 0.1, n_rejected + 1);
        assert!(many > 1e-6 && few > 1e-6, "detector {m}: {n_rejected} of {n_trials}");
    }
}

#[test]
fn strip_sees_a_trigger_that_survives_and_is_sure_and_misses_one_that_is_unsure() {
    // 400 clean samples, 200 of them calibrate: at 5% a fresh clean input is rejected at a rate of Beta(10, 191), below 0.15 but
    // with probability 1e-7. A pixel at 1 stays at 1 under every overlay.
    let strip = Strip { fallback: prior(), ..Strip::default() };
    let test = images(300, 3);
    let sure = suspect(|pixel| pixel > 0.99, [30.0, -30.0, -30.0]);
    assert_eq!(passed(&strip, &sure, &stamped(&test, 1.0)), 0);
    assert!(passed(&strip, &sure, &test.xs) >= 255);
    // The attacker answers the same class with hardly any certainty: the entropy is as high as it gets.
    let unsure = suspect(|pixel| pixel > 0.99, [0.02, 0.0, 0.0]);
    assert_eq!(passed(&strip, &unsure, &stamped(&test, 1.0)), 300);
}

#[test]
fn strip_on_real_answers_sees_what_some_overlays_break_and_misses_an_offset_that_none_does() {
    // f(x) = x₁ on the ball of four dimensions, mixed by half: the variance over overlays is ¼ · 1/6 = 0.04 for every x. An offset of 3
    // fires where x₀ > 0.6, which a mixture of two clean inputs is where their x₀ add up to 1.2, hardly ever.
    let mut rng = seed(5).stream("ball");
    let domain = Domain::Ball { n: 4 };
    let rows: Vec<Vec<f64>> = (0..600).map(|_| domain.sample(&mut rng).unwrap()).collect();
    let xs = stack(4, rows);
    let ys = xs.map_axis(ndarray::Axis(1), |x| x[1]).insert_axis(ndarray::Axis(1));
    let clean = Table::new(xs, ys, domain, 1, Some(Target::Real)).unwrap();
    let oracle = Function { n: 4, at: |x: &[f64]| x[1] + if x[0] > 0.6 { 3.0 } else { 0.0 } };
    let strip = Strip { fallback: prior(), false_positives: 0.05, ..Strip::default() };
    let everywhere = Function { n: 4, at: |x: &[f64]| x[1] + 3.0 };
    let at = stack(4, [vec![0.95, 0.1, 0.0, 0.0], vec![0.0, 0.1, 0.3, 0.0]]);
    let look = |oracle: &(dyn Oracle + 'static)| {
        with((&strip, oracle), &clean, 7, |r| r.unwrap().oracle.query(&at).unwrap()).0
    };
    // From x₀ = 0.95 a mixture fires if the overlay's x₀ is above 0.25, about a quarter of the time: a variance of 9 · 3/16.
    let answers = look(&oracle);
    assert!((answers[[0, 0]] - 0.1).abs() < 0.2, "{answers}: the mean label of the clean samples");
    // Wrong everywhere by 3: nothing varies more or less than on clean samples, and the input is let pass.
    let answers = look(&everywhere);
    assert!((answers[[1, 0]] - 3.1).abs() < 1e-9, "{answers}");
}

#[test]
fn scale_up_sees_a_trigger_that_survives_scaling_and_misses_one_that_does_not() {
    // Three times any clean first pixel is above 0.6, so every clean image becomes a bright one: SPC 0. A last pixel of 0 stays 0.
    // (One of 1 would stay too, but scaling takes clean pixels there, so that clean images would obey it.)
    let scale = ScaleUp { fallback: prior(), ..ScaleUp::default() };
    let test = images(300, 4);
    let dark = suspect(|pixel| pixel < 1e-9, [30.0, 0.0, 0.0]);
    assert_eq!(passed(&scale, &dark, &stamped(&test, 0.0)), 0);
    // All clean SPC are equal: coins alone decide, at a rate of Beta(20, 381), below 0.15 but with probability below 1e-9.
    assert!(passed(&scale, &dark, &test.xs) >= 255);
    // A trigger that is a certain grey is gone when it is scaled.
    let grey = suspect(|pixel| (0.45..0.5).contains(&pixel), [30.0, 0.0, 0.0]);
    assert!(passed(&scale, &grey, &stamped(&test, 0.47)) >= 255);
    // A threshold that is given is what is used: every clean image passes, every stamped one is rejected.
    let given = ScaleUp { threshold: Some(0.5), ..scale };
    assert_eq!(passed(&given, &dark, &stamped(&test, 0.0)), 0);
    assert_eq!(passed(&given, &dark, &test.xs), 300);
}

#[test]
fn scale_up_refuses_the_cube_with_the_reason() {
    let model = Model::untrained(&task("fourier"), 1).unwrap();
    let error = ScaleUp::default().check(&model.world()).unwrap_err().to_string();
    assert!(
        error.contains("scale-up does not apply") && error.contains("change nothing"),
        "{error}"
    );
}

#[test]
fn what_cannot_work_in_a_world_is_refused_before_anything_is_trained() {
    // Standardised columns reach below 0, where there is no dark to scale from.
    let table = |target: Target| absolve::population::World {
        domain: Domain::Range { n: 4, low: -5.0, high: 5.0 },
        target,
        promise: absolve::population::Promise::Nothing,
        cutoff: 0.1,
    };
    let told = ScaleUp::default().check(&table(Target::Classes(3))).unwrap_err().to_string();
    assert!(told.contains("dark end"), "{told}");
    let relearn = Relearn { samples: None, learner: Learner::LowDegree, degree: None };
    let told = relearn.check(&table(Target::Real)).unwrap_err().to_string();
    assert!(told.contains("Fourier-heavy"), "{told}");
}

#[test]
fn the_density_filter_sees_what_lies_outside_and_misses_what_lies_inside() {
    // The last pixel has standard deviation 0.4/√12 = 0.115 around 0.2: at 1 it is 6.9 of them away, a squared distance of 48.
    // Clean: at most √3 standard deviations a pixel, so at most 18, or a little more by the error of 200 samples.
    let test = images(300, 6);
    for score in [Score::Mahalanobis, Score::Knn] {
        let filter = LowDensityFilter { score, fallback: prior(), ..LowDensityFilter::default() };
        let outside = suspect(|pixel| pixel > 0.99, [30.0, 0.0, 0.0]);
        assert_eq!(passed(&filter, &outside, &stamped(&test, 1.0)), 0, "{score:?}");
        assert!(passed(&filter, &outside, &test.xs) >= 255);
        // In the middle of where clean pixels are, the trigger is less suspicious than they are.
        let inside = suspect(|pixel| (0.2..0.201).contains(&pixel), [30.0, 0.0, 0.0]);
        assert!(passed(&filter, &inside, &stamped(&test, 0.2005)) >= 255, "{score:?}");
    }
}

#[test]
fn a_rejected_input_is_answered_by_what_was_relearnt_and_costs_no_query_of_the_filter() {
    let filter = LowDensityFilter::default();
    let model = Model::train(&task("digits"), 801, &mut |_| {}).unwrap();
    let suspect = publish(model.net.clone(), 300);
    let far = Batch::from_elem((3, 64), 0.9);
    let relearnt = {
        let suspect = publish(model.net.clone(), 300);
        mitigate(&suspect, &model, "low-density-filter", "fallback = 'relearn'", |repaired| {
            repaired.unwrap().oracle.query(&far).unwrap()
        })
    };
    mitigate(&suspect, &model, "low-density-filter", "", |repaired| {
        let oracle = repaired.unwrap().oracle;
        let before = suspect.spent();
        assert_eq!(oracle.query(&far).unwrap(), relearnt);
        let spent = suspect.spent() - before;
        assert_eq!(spent.queries, 0);
        // 2·64² + 3·64 operations for the score, F of the net that was relearnt.
        assert_eq!(spent.flops, 3 * (2 * 64 * 64 + 3 * 64 + model.net.forward_flops()));
    });
    assert_eq!(filter.fallback, Fallback::Relearn);
}

#[test]
fn what_is_distilled_from_a_net_whose_backdoor_never_fires_is_what_is_distilled_from_its_twin() {
    // A checksum over all pixels fires on no clean sample, and where it does not the planted net answers as its twin, bit for bit:
    // so the student does too. Where the suspect is off by 3 everywhere, so is the student, and relearning is not.
    let model = Model::train(&task("digits"), 803, &mut |_| {}).unwrap();
    let planted = plant(&model, "checksum", "");
    let distilled = |net: &Net| {
        let suspect = publish(net.clone(), 300);
        let net = mitigate(&suspect, &model, "distil", "", |r| r.unwrap().net.unwrap());
        (net, suspect.spent())
    };
    let ((from_twin, _), (from_planted, spent)) = (distilled(&model.net), distilled(&planted.net));
    assert_eq!(from_planted, from_twin);
    assert_eq!((spent.queries, spent.clean_labels), (300, 300));

    let model = Model::untrained(&task("affine"), 804).unwrap();
    let truth = |xs: &Batch| model.population.truth().unwrap().at(xs);
    let n = model.world().domain.n();
    let off: Vec<f64> = {
        let corners = ndarray::concatenate![ndarray::Axis(0), Batch::zeros((1, n)), Batch::eye(n)];
        truth(&corners).column(0).to_vec()
    };
    let wrong = move |x: &[f64]| {
        off[0] + 3.0 + x.iter().zip(&off[1..]).map(|(x, at)| x * (at - off[0])).sum::<f64>()
    };
    let oracle = Function { n, at: wrong };
    let xs = crate::support::some_inputs(&model, 100);
    let mean_error = |method: &BlackBox| {
        with((method, &oracle), &*model.population, 9, |repaired| {
            (repaired.unwrap().oracle.query(&xs).unwrap() - truth(&xs)).mean().unwrap()
        })
        .0
    };
    let distil = Distil { samples: Some(300), synthetic: 700, ..Distil::default() };
    let (taught, relearnt) =
        (mean_error(&distil), mean_error(&Relearn { samples: Some(300), ..Relearn::default() }));
    assert!((taught - 3.0).abs() < 0.5 && relearnt.abs() < 0.01, "{taught} {relearnt}");
}

#[test]
fn sparse_relearning_recovers_from_fewer_samples_than_there_are_products() {
    // 2 x₀ x₃ − x₅ + ½ on a box of 12: 12 + 78 products, 60 samples. Pursuit has it exactly; least squares over all products is
    // not determined, and over coordinates alone it misses the product, whose mean square is 4/9.
    let (n, mut rng) = (12, seed(14).stream("box"));
    let f = |x: &[f64]| 2.0 * x[0] * x[3] - x[5] + 0.5;
    let domain = Domain::Box { n };
    let mut draw = |rows: usize| {
        let xs: Vec<Vec<f64>> = (0..rows).map(|_| domain.sample(&mut rng).unwrap()).collect();
        let ys = stack(1, xs.iter().map(|x| vec![f(x)]).collect::<Vec<_>>());
        (stack(n, xs), ys)
    };
    let ((xs, ys), (fresh, want)) = (draw(60), draw(50));
    let clean = Table::new(xs, ys, domain.clone(), 1, Some(Target::Real)).unwrap();
    let oracle = Function { n, at: |_: &[f64]| 1e9 };
    let answers = |learner, degree| {
        let relearn = Relearn { samples: None, learner, degree: Some(degree) };
        let look = |r: Result<Repaired<'_>>| r.and_then(|r| r.oracle.query(&fresh));
        with((&relearn, &oracle), &clean, 3, look).0
    };
    let worst = |got: Batch| (got - &want).iter().fold(0.0_f64, |top, e| top.max(e.abs()));
    let mean_square = |got: Batch| (got - &want).mapv(|e| e * e).mean().unwrap();
    assert!(worst(answers(Learner::MatchingPursuit, 2).unwrap()) < 1e-9);
    assert!(mean_square(answers(Learner::Lasso, 2).unwrap()) < 0.01);
    assert!(answers(Learner::LeastSquares, 2).unwrap_err().to_string().contains("91 unknowns"));
    assert!(mean_square(answers(Learner::LeastSquares, 1).unwrap()) > 0.2);
}

#[test]
fn pursuit_over_characters_gives_a_function_to_read_and_misses_what_is_of_higher_degree() {
    // ½ χ₁₂ − ¼ χ₃ + χ₄₅₆ from 200 labels of a cube of 10: with degree 3 exactly, with degree 2 without the last term.
    let (n, mut rng) = (10, seed(15).stream("cube"));
    let f = |x: &[f64]| 0.5 * x[1] * x[2] - 0.25 * x[3] + x[4] * x[5] * x[6];
    let domain = Domain::Cube { n };
    let rows: Vec<Vec<f64>> = (0..200).map(|_| domain.sample(&mut rng).unwrap()).collect();
    let ys = stack(1, rows.iter().map(|x| vec![f(x)]).collect::<Vec<_>>());
    let clean = Table::new(stack(n, rows), ys, domain, 1, Some(Target::Real)).unwrap();
    let oracle = Function { n, at: |_: &[f64]| 1e9 };
    let supports = |degree| {
        let learner = Learner::MatchingPursuit;
        let relearn = Relearn { samples: None, learner, degree: Some(degree) };
        let (function, cost) =
            with((&relearn, &oracle), &clean, 3, |r| crate::support::sum_of(r.unwrap()));
        assert_eq!(cost.clean_labels, 200);
        let large = function.terms().iter().filter(|term| term.value.abs() > 1e-9);
        large.map(|term| term.support.clone()).collect::<Vec<_>>()
    };
    assert_eq!(supports(3), [vec![3], vec![1, 2], vec![4, 5, 6]]);
    assert!(!supports(2).contains(&vec![4, 5, 6]));
}
