//! Randomised smoothing: its certificates against closed forms, against whole cubes and against planted nets.
use absolve::access::{LabSeeds, Oracle, Suspect};
use absolve::data::{Batch, Target, row, stack};
use absolve::domain::Domain;
use absolve::ledger::Budget;
use absolve::mitigate::black_box::{Certificate, Certified, Smooth};
use absolve::mitigate::{Mitigator, Noise};
use absolve::net::{Activation, Net, Precision, Recipe};
use absolve::population::{Population, Table};
use absolve::rng::{RngExt, direction, normal, sign};
use absolve::stats::binomial_tail;
use absolve::study::Model;

use crate::support::{Function, plant, publish, seed, task};

/// A few vertices or normal inputs as clean samples: `smooth` uses none, and learns the domain from them.
fn few(domain: Domain, target: Target) -> Table {
    let mut rng = seed(1).stream("few");
    let rows: Vec<Vec<f64>> = (0..4).map(|_| domain.sample(&mut rng).unwrap()).collect();
    let ys = stack(1, (0..4).map(|i| vec![if i % 2 == 0 { 1.0 } else { -1.0 }]));
    Table::new(stack(domain.n(), rows), ys, domain, 1, Some(target)).unwrap()
}

/// Certified answers of a smoothed oracle.
fn certified(
    smooth: &Smooth,
    oracle: &(dyn Oracle + 'static),
    population: &dyn Population,
    xs: &Batch,
) -> Vec<Certified> {
    let mut rng = seed(0).stream("unasked");
    let net = Net::random(&[1, 1], Activation::Relu, Precision::F64, &mut rng).unwrap();
    let unasked = Suspect::publish(net, Budget::UNLIMITED);
    let recipe = Recipe::default();
    let seeds = LabSeeds { samples: seed(1), method: seed(2).child("noise") };
    let lab = unasked.lab(population, &recipe, seeds);
    smooth.smoothed(oracle, &lab).unwrap().certify(xs).unwrap()
}

#[test]
fn flips_leave_of_a_parity_what_the_noise_operator_says() {
    // T_ρ maps χ_S to ρ^|S| χ_S with ρ = 1 − 2β = 0.8, so a copy has the parity of x with probability (1 + 0.8^|S|)/2. The
    // certified lower limit is below that but with probability α = 1e-6; at 20,000 copies it is at most 0.04 below (4.9 and five
    // standard deviations of 0.0035).
    let population = few(Domain::Cube { n: 8 }, Target::Sign);
    let smooth = Smooth { copies: 20_000, alpha: 1e-6, ..Smooth::default() };
    let xs = stack(8, [vec![1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0]]);
    for size in 1..=4_usize {
        let oracle = Function { n: 8, at: move |x: &[f64]| x[..size].iter().product() };
        let got = certified(&smooth, &oracle, &population, &xs).swap_remove(0);
        let want: f64 = f64::midpoint(1.0, 0.8_f64.powi(size as i32));
        let Some(Certificate::Class { probability, radius }) = got.certificate else {
            panic!("{size}: {got:?}")
        };
        assert!(probability <= want && probability >= want - 0.04, "{size}: {probability} {want}");
        assert_eq!(got.answer, [xs.row(0).iter().take(size).product::<f64>()]);
        // A flip of one coordinate of S turns the parity: no radius at all is right.
        assert!(radius < 1.0, "{size}: {radius}");
    }
}

#[test]
fn smoothing_breaks_a_trigger_of_many_coordinates_and_not_one_of_few() {
    // The truth is x₀; where coordinates 1 to k are all +1 the answer is −1. At x₀ = +1 with the trigger a copy answers −1 with
    // probability q + (1 − q)β, q = (1 − β)^k: 0.756 for k = 3, 0.414 for k = 10. 2,001 copies have a standard deviation of 0.011.
    let population = few(Domain::Cube { n: 12 }, Target::Sign);
    let smooth = Smooth { copies: 2001, ..Smooth::default() };
    let xs = Batch::ones((1, 12));
    for (k, want) in [(3_usize, -1.0), (10, 1.0)] {
        let oracle = Function {
            n: 12,
            at: move |x: &[f64]| if x[1..=k].iter().all(|x| *x > 0.0) { -1.0 } else { x[0] },
        };
        let got = certified(&smooth, &oracle, &population, &xs).swap_remove(0);
        assert_eq!(got.answer, [want], "k = {k}");
        // With three coordinates the wrong answer is even certified: a certificate is not about being right.
        assert!(k == 10 || got.certificate.is_some(), "{got:?}");
    }
}

#[test]
fn no_certified_radius_passes_the_exact_one_around_a_half_space() {
    // Of sign(w·x − b), |w| = 1, the smoothed class is the class itself, so the exact radius is |w·x − b|. α = 0.01 an answer.
    let n = 6;
    let population = few(Domain::Gauss { n }, Target::Sign);
    let mut rng = seed(11).stream("half-space");
    let w = direction(n, &mut rng);
    let gap = |w: &[f64], x: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() - 0.2;
    let slope = w.clone();
    let oracle = Function { n, at: move |x: &[f64]| gap(&slope, x).signum() };
    let xs = Batch::from_shape_simple_fn((300, n), || normal(&mut rng));
    let smooth = Smooth { sigma: Some(0.5), copies: 1000, alpha: 0.01, ..Smooth::default() };
    let (mut n_passed, mut ratios) = (0, Vec::new());
    for (i, got) in certified(&smooth, &oracle, &population, &xs).into_iter().enumerate() {
        let exact = gap(&w, &row(&xs, i)).abs();
        if let Some(Certificate::Class { radius, .. }) = got.certificate {
            n_passed += u64::from(radius > exact);
            if (0.25..0.75).contains(&exact) {
                ratios.push(radius / exact);
            }
        }
    }
    assert!(binomial_tail(300, 0.01, n_passed) > 1e-6, "{n_passed}");
    // And it says something: the bound is tight for half-spaces, up to what 1,000 copies can show.
    ratios.sort_by(f64::total_cmp);
    assert!(ratios.len() > 50 && ratios[ratios.len() / 2] > 0.75, "{ratios:?}");
}

#[test]
fn no_certified_radius_passes_the_exact_one_on_a_cube_that_is_listed_whole() {
    // A random function on {−1, 1}^8, mostly a majority: the smoothed class of each of 256 vertices by summing over all copies, the
    // exact radius by looking at all vertices around. α = 0.01 an answer.
    let n = 8;
    let population = few(Domain::Cube { n }, Target::Sign);
    let mut rng = seed(12).stream("function");
    let vertex = |i: usize| -> Vec<f64> {
        (0..n).map(|j| if (i >> j) & 1 == 1 { -1.0 } else { 1.0 }).collect()
    };
    let values: Vec<f64> = (0..1 << n)
        .map(|i| {
            let majority = vertex(i).iter().take(5).sum::<f64>().signum();
            if rng.random::<f64>() < 0.1 { sign(&mut rng) } else { majority }
        })
        .collect();
    let beta: f64 = 0.05;
    let apart = |a: usize, b: usize| (a ^ b).count_ones() as i32;
    let smoothed: Vec<f64> = (0..1 << n)
        .map(|a| {
            let weight =
                |b: usize| beta.powi(apart(a, b)) * (1.0 - beta).powi(n as i32 - apart(a, b));
            (0..1 << n).map(|b| weight(b) * values[b]).sum()
        })
        .collect();
    let exact = |a: usize| {
        let other = (0..1 << n).filter(|b| smoothed[*b] * smoothed[a] <= 0.0);
        other.map(|b| apart(a, b)).min().map_or(n as i32, |r| r - 1)
    };
    let known = values.clone();
    let oracle = Function {
        n,
        at: move |x: &[f64]| {
            known[x.iter().enumerate().map(|(j, x)| usize::from(*x < 0.0) << j).sum::<usize>()]
        },
    };
    let xs = stack(n, (0..1 << n).map(vertex));
    let smooth = Smooth { flip: beta, copies: 1000, alpha: 0.01, ..Smooth::default() };
    let (mut n_passed, mut n_positive) = (0, 0);
    for (a, got) in certified(&smooth, &oracle, &population, &xs).into_iter().enumerate() {
        if let Some(Certificate::Class { radius, .. }) = got.certificate {
            n_passed += u64::from(radius > f64::from(exact(a)));
            n_positive += u64::from(radius >= 1.0);
        }
    }
    assert!(binomial_tail(256, 0.01, n_passed) > 1e-6, "{n_passed}");
    // Not an empty claim: some vertices are certified for a flip.
    assert!(n_positive >= 16, "{n_positive} of 256");
}

#[test]
fn no_attack_on_a_planted_net_lands_inside_a_certified_radius() {
    // α = 1e-9. Fifty inputs, each attacked along the way to its triggered twin and along nine random directions, just inside its
    // radius. An attack has succeeded if another class is certified there: at most 2e-9 an attack, 1e-6 in all.
    let model = Model::train(&task("digits"), 802, &mut |_| {}).unwrap();
    let planted = plant(&model, "half-space", "mass = 0.01");
    let suspect = publish(planted.net.clone(), 0);
    let seeds = LabSeeds { samples: seed(1), method: seed(3) };
    let lab = suspect.lab(&*model.population, &model.task.recipe, seeds);
    let smooth = Smooth { copies: 1000, alpha: 1e-9, ..Smooth::default() };
    let smoothed = smooth.smoothed(&suspect, &lab).unwrap();
    let xs = crate::support::some_inputs(&model, 50);
    let mut rng = seed(4).stream("attacks");
    let triggered = planted.trigger.activate(&xs, &model.world().domain, &mut rng).unwrap();
    let (mut attacks, mut classes, mut n_certified) = (Vec::new(), Vec::new(), 0);
    for (i, got) in smoothed.certify(&xs).unwrap().into_iter().enumerate() {
        let Some(Certificate::Class { radius, .. }) = got.certificate else { continue };
        n_certified += 1;
        let x = row(&xs, i);
        let way: Vec<f64> = triggered.row(i).iter().zip(&x).map(|(t, x)| t - x).collect();
        let length = way.iter().map(|w| w * w).sum::<f64>().sqrt().max(1e-12);
        let ways = std::iter::once(way.iter().map(|w| w / length).collect::<Vec<f64>>());
        for way in ways.chain((0..9).map(|_| direction(64, &mut rng)).collect::<Vec<_>>()) {
            attacks.push(x.iter().zip(&way).map(|(x, w)| x + 0.999 * radius * w).collect());
            classes.push(got.answer.clone());
        }
    }
    assert!(n_certified >= 25, "{n_certified} of 50 are certified at all");
    let hit = smoothed.certify(&stack(64, attacks)).unwrap();
    let broken = hit
        .iter()
        .zip(&classes)
        .filter(|(got, class)| got.certificate.is_some() && got.answer != **class);
    assert_eq!(broken.count(), 0);
}

#[test]
fn medians_are_certified_for_what_an_affine_function_can_change_by() {
    // f(x + σz) is normal around f(x), so the smoothed median is f itself and over a ball of radius r it fills [f − r|w|, f + r|w|]:
    // an interval that misses an end has failed, at a rate of at most α = 0.05. A spike of 1e9 on 1% of the space changes nothing.
    let n = 5;
    let population = few(Domain::Gauss { n }, Target::Real);
    let mut rng = seed(13).stream("affine");
    let w: Vec<f64> = (0..n).map(|_| normal(&mut rng)).collect();
    let norm = w.iter().map(|w| w * w).sum::<f64>().sqrt();
    let value = |w: &[f64], x: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    let slope = w.clone();
    let oracle = Function {
        n,
        at: move |x: &[f64]| {
            if (x[0] * 1e4).rem_euclid(100.0) < 1.0 { 1e9 } else { value(&slope, x) }
        },
    };
    let xs = Batch::from_shape_simple_fn((200, n), || normal(&mut rng));
    let radius = 0.1;
    let smooth = Smooth {
        sigma: Some(0.3),
        copies: 500,
        alpha: 0.05,
        radius: Some(radius),
        ..Smooth::default()
    };
    let mut n_missed = 0;
    for (i, got) in certified(&smooth, &oracle, &population, &xs).into_iter().enumerate() {
        let Some(Certificate::Interval { low, high, .. }) = got.certificate else { panic!() };
        let f = value(&w, &row(&xs, i));
        n_missed += u64::from(low > f - radius * norm || high < f + radius * norm);
        assert!(low <= got.answer[0] && got.answer[0] <= high);
        assert!((got.answer[0] - f).abs() < norm, "the spike is not in the median");
    }
    // The spike shifts quantiles by at most 1%, which the interval is given on top.
    assert!(binomial_tail(200, 0.1, n_missed) > 1e-6, "{n_missed}");
}

#[test]
fn bad_parameters_of_the_noise_are_errors_that_name_them() {
    let digits = Model::untrained(&task("digits"), 1).unwrap().world();
    let affine = Model::untrained(&task("affine"), 1).unwrap().world();
    let named = |smooth: Smooth, world, name: &str| {
        let error = smooth.check(world).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    };
    named(Smooth { sigma: Some(0.0), ..Smooth::default() }, &digits, "sigma = 0");
    named(Smooth { flip: 0.5, ..Smooth::default() }, &digits, "flip = 0.5");
    named(Smooth { alpha: 0.0, ..Smooth::default() }, &digits, "alpha = 0");
    named(Smooth { copies: 0, ..Smooth::default() }, &digits, "copies = 0");
    named(Smooth { radius: Some(9.0), ..Smooth::default() }, &affine, "radius = 9");
    named(Smooth { radius: Some(0.1), ..Smooth::default() }, &digits, "radius = 0.1");
    let cube = Model::untrained(&task("fourier"), 1).unwrap().world();
    named(Smooth { sigma: Some(0.1), ..Smooth::default() }, &cube, "sigma = 0.1");
    let noise = Smooth::default().noise(&digits).unwrap();
    assert_eq!(noise, Noise::Gaussian { sigma: 0.1 });
}
