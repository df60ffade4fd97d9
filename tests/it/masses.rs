//! The mass that is certified against masses known by hand, and against sampling at equal work.
use absolve::access::{LabSeeds, Suspect};
use absolve::data::Batch;
use absolve::domain::Domain;
use absolve::estimator::black_box::SampledMass;
use absolve::estimator::white_box::{Certified, CertifiedMass, Search};
use absolve::estimator::{Estimated, Estimator};
use absolve::ledger::{Budget, Cost, Ledger};
use absolve::net::{Activation, Bounding, Layer, Net, Precision};
use absolve::population::{AffineFamily, Family};
use absolve::rng::{Rng, RngExt, Seed, normal};
use absolve::stats::{Proportion, binomial_tail, clopper_pearson};
use absolve::study::Model;
use ndarray::{Array1, Array2};

use crate::support::task;

/// Slopes of every reference here: numbers that 32 bits hold, so that what is planted is all that differs.
fn slope(i: usize) -> f64 {
    [0.5, -0.25, 0.125][i % 3]
}

/// `slope · x`, in one layer.
fn reference(n: usize) -> Net {
    let weight = Array2::from_shape_fn((1, n), |(_, i)| slope(i));
    let layer = Layer { weight, bias: Array1::zeros(1), activation: Activation::Identity };
    Net::new(vec![layer], Precision::F64).unwrap()
}

/// `slope · x + height relu(direction · x − threshold)`, among `width` units of which two carry the affine part and the
/// rest, random, are not read.
fn planted(direction: &[f64], threshold: f64, height: f64, width: usize) -> Net {
    let n = direction.len();
    let mut rng = Seed::new(7).stream("units");
    let mut weight = Array2::from_shape_simple_fn((width, n), || normal(&mut rng));
    let (mut bias, mut out) = (Array1::zeros(width), Array2::zeros((1, width)));
    for i in 0..n {
        weight[[0, i]] = slope(i);
        weight[[1, i]] = -slope(i);
        weight[[2, i]] = direction[i];
    }
    bias[2] = -threshold;
    (out[[0, 0]], out[[0, 1]], out[[0, 2]]) = (1.0, -1.0, height);
    let hidden = Layer { weight, bias, activation: Activation::Relu };
    let output = Layer { weight: out, bias: Array1::zeros(1), activation: Activation::Identity };
    Net::new(vec![hidden, output], Precision::F32).unwrap()
}

fn search(net: &Net, domain: &Domain, delta: f64, passes: u64) -> (Certified, Cost) {
    let ledger = Ledger::new(Budget::UNLIMITED);
    let flops = passes * net.forward_flops();
    let search = Search { delta, flops, bounding: Bounding::Crown };
    let certified = search.run([net, &reference(domain.n())], domain, &ledger).unwrap();
    (certified, ledger.spent())
}

/// The course holds `mass` at every step, never widens, and ends with at most `gap` between its ends.
fn closes_in(certified: &Certified, mass: f64, gap: f64) {
    let mut before = (0.0, 1.0);
    for step in &certified.course {
        assert!(step.low <= mass && mass <= step.high, "{step:?}, the mass is {mass}");
        assert!(before.0 <= step.low && step.high <= before.1, "{step:?} after {before:?}");
        before = (step.low, step.high);
    }
    assert!(before.1 - before.0 <= gap, "{before:?} {gap}");
}

/// With height 10 and δ = 0.1 the difference is beyond δ where x + y > 1.01: a triangle of area 0.99²/2 of 4, so mass
/// 0.1225125.
#[test]
fn the_mass_of_a_planted_half_space_is_the_triangle_that_the_hand_computes() {
    let net = planted(&[1.0, 1.0], 1.0, 10.0, 8);
    let (certified, cost) = search(&net, &Domain::Box { n: 2 }, 0.1, 200_000);
    closes_in(&certified, 0.99 * 0.99 / 8.0, 4e-3);
    assert!(certified.boxes > 1000);
    // What was spent is what the ledger says, and no more than was allowed.
    assert_eq!(cost.flops, certified.last().flops);
    assert!(cost.flops <= 200_000 * net.forward_flops());
    // The edge is a line. Boxes of side s on it number 1/s, and so do all that were cut on the way; their mass is s. So the gap
    // falls as the work grows: by four.
    let gap = |passes| {
        let last = search(&net, &Domain::Box { n: 2 }, 0.1, passes).0.last();
        last.high - last.low
    };
    let ratio = gap(20_000) / gap(80_000);
    assert!((3.0..5.0).contains(&ratio), "{ratio}");
}

/// On the ball the half x > 0.01 has mass 1/2 − (asin 0.01 + 0.01 √(1 − 0.01²))/π; on the simplex of two coordinates x >
/// 0.51 has 0.49². On the torus, a box of [0, 1], x > 0.26 has 0.74. On the box of one coordinate x > 0.51 has 0.245.
#[test]
fn other_bodies_have_their_own_volumes() {
    let edge: f64 = 0.01;
    let half = 0.5 - (edge.asin() + edge * (1.0 - edge * edge).sqrt()) / std::f64::consts::PI;
    let cases = [
        (Domain::Ball { n: 2 }, 0.0, half, 0.02),
        (Domain::Simplex { n: 2 }, 0.5, 0.49 * 0.49, 0.02),
        (Domain::Torus { n: 2 }, 0.25, 0.74, 2e-3),
        (Domain::Box { n: 1 }, 0.5, 0.245, 1e-6),
    ];
    for (domain, threshold, mass, gap) in cases {
        let mut direction = vec![0.0; domain.n()];
        direction[0] = 1.0;
        let net = planted(&direction, threshold, 10.0, 4);
        closes_in(&search(&net, &domain, 0.1, 100_000).0, mass, gap);
    }
}

/// A unit that fires where k coordinates are all +1 does so on a share of 2^−k of the cube, and the search ends with
/// exactly that.
#[test]
fn on_the_cube_the_search_ends_and_is_exact() {
    for (n, k) in [(3, 1), (6, 3), (10, 6)] {
        let direction: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i < k))).collect();
        let net = planted(&direction, k as f64 - 0.5, 1.0, 8);
        let certified = search(&net, &Domain::Cube { n }, 0.1, 1_000_000).0;
        let mass = 0.5_f64.powi(k as i32);
        closes_in(&certified, mass, 0.0);
        assert_eq!(certified.open, 0);
    }
}

/// Whatever the net, and wherever the search stops: all 2⁸ answers are asked, so the mass is known.
#[test]
fn no_certified_mass_is_ever_on_the_wrong_side_of_the_true_one() {
    let mut rng: Rng = Seed::new(5).stream("nets");
    let n = 8;
    let vertices =
        Batch::from_shape_fn((1 << n, n), |(x, i)| if x >> i & 1 == 1 { 1.0 } else { -1.0 });
    let ledger = Ledger::new(Budget::UNLIMITED);
    let answers = reference(n).forward(&vertices, &ledger).unwrap();
    for round in 0..40 {
        let widths = [vec![n, 6, 1], vec![n, 5, 4, 1], vec![n, 5, 4, 3, 1]][round % 3].clone();
        let activation = [Activation::Relu, Activation::Tanh, Activation::Step][round / 3 % 3];
        let precision = if round.is_multiple_of(2) { Precision::F32 } else { Precision::F64 };
        let net = Net::random(&widths, activation, precision, &mut rng).unwrap();
        let apart = net.forward(&vertices, &ledger).unwrap() - &answers;
        let delta = rng.random_range(0.2..2.0);
        let mass = Proportion::count(apart.iter().map(|y: &f64| y.abs() > delta)).value();
        for bounding in [Bounding::Interval, Bounding::Crown] {
            let flops = 4_000 * net.forward_flops() / (1 + round as u64 % 5 * 20);
            let search = Search { delta, flops, bounding };
            let certified =
                search.run([&net, &reference(n)], &Domain::Cube { n }, &ledger).unwrap();
            closes_in(&certified, mass, 1.0);
        }
    }
}

/// Widths 2, 3, 1 by CROWN 640 and the reference's 2, 1 by CROWN 246 (both by hand as in `net::bounds`'s tests: 106 + 24 +
/// 15 + 8 + 47 + 46). Their difference 4 + 17 + 46 = 67, its slopes 2·7, four comparisons, six to choose, two for the
/// queue: 93. Weights 9 + 2 before.
#[test]
fn a_box_costs_what_the_hand_counts_and_no_work_is_no_knowledge() {
    let net = planted(&[1.0, 1.0], 1.0, 10.0, 3);
    let run = |flops| {
        let ledger = Ledger::new(Budget::UNLIMITED);
        let search = Search { delta: 0.1, flops, bounding: Bounding::Crown };
        let nets = [&net, &reference(2)];
        let certified = search.run(nets, &Domain::Box { n: 2 }, &ledger).unwrap();
        (certified, ledger.spent().flops)
    };
    let box_flops = 640 + 246 + 93;
    let (certified, spent) = run(11 + box_flops);
    assert_eq!((certified.boxes, spent), (1, 11 + box_flops));
    let (certified, spent) = run(10 + box_flops);
    assert_eq!((certified.boxes, spent, certified.last().high), (0, 11, 1.0));
    let (certified, spent) = run(0);
    assert_eq!((certified.last().low, certified.last().high, spent), (0.0, 1.0, 0));
    // A ledger that ends in the middle ends the search, with what is certain by then.
    let ledger = Ledger::new(Budget { flops: Some(50_000), ..Budget::UNLIMITED });
    let search = Search { delta: 0.1, flops: u64::MAX, bounding: Bounding::Crown };
    let certified = search.run([&net, &reference(2)], &Domain::Box { n: 2 }, &ledger).unwrap();
    closes_in(&certified, 0.99 * 0.99 / 8.0, 0.9);
    assert!(ledger.spent().flops <= 50_000 && certified.boxes > 10);
}

/// The upper ends of both arms at equal work, and the true mass, for a unit that fires on a corner of small mass: where Σ x
/// is above n − `corner`, and the difference is beyond δ where it is above n − `corner` + 0.01: a corner simplex of mass
/// ((`corner` − 0.01)/2)ⁿ/n!.
fn both_arms(n: usize, corner: f64, passes: u64) -> [f64; 3] {
    let net = planted(&vec![1.0; n], n as f64 - corner, 10.0, 8);
    let domain = Domain::Box { n };
    let certified = search(&net, &domain, 0.1, passes).0.last().high;
    let query = net.forward_flops() + 2 * n as u64 + n as u64 + 3;
    let of = (passes * net.forward_flops() / query) as usize;
    let mut rng = Seed::new(8).stream("inputs");
    let xs = Batch::from_shape_simple_fn((of, n), || rng.random_range(-1.0..=1.0));
    let ledger = Ledger::new(Budget::UNLIMITED);
    let apart = net.forward(&xs, &ledger).unwrap() - reference(n).forward(&xs, &ledger).unwrap();
    let far = Proportion::count(apart.iter().map(|y: &f64| y.abs() > 0.1));
    let factorial: f64 = (1..=n).map(|k| k as f64).product();
    let mass = (0.5 * (corner - 0.01)).powi(n as i32) / factorial;
    [mass, certified, clopper_pearson(far, 0.9).1]
}

#[test]
fn certified_mass_wins_in_few_dimensions_at_tiny_mass_and_loses_in_many() {
    for (n, corner, passes) in [(2, 0.012, 10_000), (3, 0.06, 100_000), (4, 0.2, 1_000_000)] {
        let [mass, certified, sampled] = both_arms(n, corner, passes);
        assert!(
            mass <= certified && certified < sampled,
            "{n}: {mass:e} {certified:e} {sampled:e}"
        );
    }
    let [_, certified, sampled] = both_arms(32, 0.2, 30_000);
    assert!(certified > 0.999 && sampled < 3e-4, "{certified:e} {sampled:e}");
}

/// relu(x + 2²⁶) − 2²⁶ is x in real arithmetic, so against the reference x no input would be too far. In 32 bits it is 0,
/// and where |x| > 1/4, on three quarters of the box, it is: a verifier over the reals would certify mass 0 for a net whose
/// every answer there is wrong.
#[test]
fn a_backdoor_that_is_all_rounding_is_not_certified_away() {
    let big = 2.0_f64.powi(26);
    let hidden = Layer {
        weight: Array2::ones((1, 1)),
        bias: Array1::from_elem(1, big),
        activation: Activation::Relu,
    };
    let output = Layer {
        weight: Array2::ones((1, 1)),
        bias: Array1::from_elem(1, -big),
        activation: Activation::Identity,
    };
    let net = Net::new(vec![hidden, output], Precision::F32).unwrap();
    let line = Layer {
        weight: Array2::ones((1, 1)),
        bias: Array1::zeros(1),
        activation: Activation::Identity,
    };
    let line = Net::new(vec![line], Precision::F64).unwrap();
    let ledger = Ledger::new(Budget::UNLIMITED);
    let xs = Batch::from_shape_fn((1000, 1), |(i, _)| (i as f64 - 499.5) / 500.0);
    let apart = net.forward(&xs, &ledger).unwrap() - line.forward(&xs, &ledger).unwrap();
    assert_eq!(Proportion::count(apart.iter().map(|y: &f64| y.abs() > 0.25)).hits, 750);
    for bounding in [Bounding::Interval, Bounding::Crown] {
        let search = Search { delta: 0.25, flops: 1 << 20, bounding };
        let certified = search.run([&net, &line], &Domain::Box { n: 1 }, &ledger).unwrap();
        closes_in(&certified, 0.75, 1.0);
        assert!(certified.boxes > 1000);
    }
}

/// A zigzag of 32 teeth and amplitude 1/20 along x₁, well within δ, changes the mass by no more than moving the edge by
/// 1/100 can, and makes bounds loose: at equal work, counted in operations, the interval is more than ten times as wide.
/// The bound still holds: it is never below what the inner edge x + y > 1.015 leaves, 0.985²/8, nor is the lower end above
/// that of the outer edge, 0.995²/8.
#[test]
fn a_ripple_makes_the_bound_loose_and_never_wrong() {
    let plain = planted(&[1.0, 1.0], 1.0, 10.0, 4);
    let mut layers = plain.layers().to_vec();
    let teeth = 32;
    let (mut weight, mut bias, mut out) =
        (Array2::zeros((teeth, 2)), Array1::zeros(teeth), Array2::zeros((1, teeth)));
    // Each tooth is 1/16 wide and rises or falls by 1/20: slope 0.8, and twice that at each turn.
    for k in 0..teeth {
        weight[[k, 0]] = 1.0;
        bias[k] = 1.0 - k as f64 / 16.0;
        out[[0, k]] = 1.6
            * if k == 0 {
                0.5
            } else if k % 2 == 0 {
                1.0
            } else {
                -1.0
            };
    }
    layers[0].weight.append(ndarray::Axis(0), weight.view()).unwrap();
    layers[0].bias.append(ndarray::Axis(0), bias.view()).unwrap();
    layers[1].weight.append(ndarray::Axis(1), out.view()).unwrap();
    let rippled = Net::new(layers, Precision::F32).unwrap();
    let flops = 20_000 * plain.forward_flops();
    let run = |net: &Net| {
        let ledger = Ledger::new(Budget::UNLIMITED);
        let search = Search { delta: 0.1, flops, bounding: Bounding::Crown };
        search.run([net, &reference(2)], &Domain::Box { n: 2 }, &ledger).unwrap().last()
    };
    let (plain, rippled) = (run(&plain), run(&rippled));
    assert!(rippled.high - rippled.low > 10.0 * (plain.high - plain.low), "{rippled:?} {plain:?}");
    assert!(rippled.high >= 0.985 * 0.985 / 8.0 && rippled.low <= 0.995 * 0.995 / 8.0);
}

/// One arm on a net trained on an affine truth over the box of `n` coordinates.
fn on_a_trained_net(
    n: usize,
    run: impl Fn(&Suspect, &mut absolve::access::Lab<'_>) -> Estimated,
) -> (Estimated, Cost, u64) {
    let mut task = task("affine");
    task.population =
        Family::Affine(AffineFamily { domain: Domain::Box { n }, ..AffineFamily::default() });
    let model = Model::train(&task, 1, &mut |_| {}).unwrap();
    let suspect = Suspect::publish(model.net.clone(), Budget::UNLIMITED);
    let seed = Seed::new(3);
    let seeds = LabSeeds { samples: seed.child("clean"), method: seed.child("coins") };
    let mut lab = suspect.lab(&*model.population, &task.recipe, seeds);
    let estimated = run(&suspect, &mut lab);
    (estimated, suspect.spent(), model.net.forward_flops())
}

#[test]
fn both_arms_ask_the_same_question_of_a_trained_net_and_pay_for_it() {
    let (n, samples, queries) = (3_u64, 50, 2000);
    let fit = 2 * samples * (n + 1) * n + 2 * n.pow(3) / 3;
    let delta = Some(0.05);
    let (sampled, cost, forward) = on_a_trained_net(3, |suspect, lab| {
        let arm = SampledMass { queries, delta, samples: Some(50), ..SampledMass::default() };
        arm.estimate(suspect, lab).unwrap()
    });
    assert_eq!((cost.queries, cost.clean_labels), (2000, samples));
    // A query, the reference's 2n, n for the drawing, three for the comparison.
    assert_eq!(cost.flops, fit + 2000 * (forward + 2 * n + n + 3));
    let (certified, cost, forward) = on_a_trained_net(3, |suspect, lab| {
        let arm =
            CertifiedMass { passes: 2000.0, delta, samples: Some(50), ..CertifiedMass::default() };
        arm.estimate(absolve::access::Access::of(suspect).unwrap(), lab).unwrap()
    });
    assert_eq!((cost.queries, cost.clean_labels), (0, samples));
    assert!(cost.flops <= fit + 2000 * forward && cost.flops > fit + 1900 * forward, "{cost:?}");
    let (sampled, certified) = (&sampled.quantities[0], &certified.quantities[0]);
    assert_eq!(sampled.name, certified.name);
    let (s, c) = (sampled.interval.unwrap(), certified.interval.unwrap());
    // Both hold the mass, one but for a chance of 5% with these coins: so they meet.
    assert!(c.low <= s.high && c.failure_probability < f64::MIN_POSITIVE, "{s:?} {c:?}");
    assert!(c.low <= sampled.value + 0.05 && sampled.value - 0.05 <= c.high, "{s:?} {c:?}");
}

/// The mass is 0.1225125; 400 bounds of 100 queries each fail at most as often as 5% says, but for a chance of 10⁻⁶.
#[test]
fn the_sampled_bound_fails_at_most_as_often_as_it_says() {
    let (mass, mut failed) = (0.99 * 0.99 / 8.0, 0);
    let net = planted(&[1.0, 1.0], 1.0, 10.0, 8);
    let ledger = Ledger::new(Budget::UNLIMITED);
    for run in 0..400 {
        let mut rng = Seed::new(run).stream("inputs");
        let xs = Batch::from_shape_simple_fn((100, 2), || rng.random_range(-1.0..=1.0));
        let apart =
            net.forward(&xs, &ledger).unwrap() - reference(2).forward(&xs, &ledger).unwrap();
        let far = Proportion::count(apart.iter().map(|y: &f64| y.abs() > 0.1));
        failed += u64::from(clopper_pearson(far, 0.9).1 < mass);
    }
    assert!(binomial_tail(400, 0.05, failed) > 1e-6, "{failed} of 400");
}

#[test]
fn locks_and_domains_that_are_not_understood_are_refused_with_reasons() {
    let net = planted(&[1.0, 1.0], 1.0, 10.0, 8);
    let search = Search { delta: 0.1, flops: 1 << 20, bounding: Bounding::Crown };
    let ledger = Ledger::new(Budget::UNLIMITED);
    let said = |domain: Domain, nets: [&Net; 2]| {
        search.run(nets, &domain, &ledger).unwrap_err().to_string()
    };
    let other = reference(2);
    let gauss = said(Domain::Gauss { n: 2 }, [&net, &other]);
    assert!(
        gauss.contains("certified-mass does not apply") && gauss.contains("uniform"),
        "{gauss}"
    );
    let wide = said(Domain::Box { n: 3 }, [&net, &other]);
    assert!(wide.contains("width 3"), "{wide}");
    let bad = Search { delta: f64::NAN, ..search };
    assert!(bad.run([&net, &other], &Domain::Box { n: 2 }, &ledger).is_err());
}
