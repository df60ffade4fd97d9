//! Tests of `rff-clwe`: the law of its frequencies, and what the key does to the features and to the answers.
use super::super::fixture::Fixture;
use super::*;
use crate::data::column;

/// γ and β of the tests, as in the field's examples: 64 dimensions and 2√64.
const GAMMA: f64 = 16.0;
const BETA: f64 = 0.02;

fn samples(n: usize) -> Vec<f64> {
    let pancake = Pancake::new(GAMMA, BETA).unwrap();
    let mut rng = Seed::new(5).stream("law");
    (0..n).map(|_| pancake.sample(&mut rng)).collect()
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = values.clone().count() as f64;
    values.sum::<f64>() / n
}

/// ∫ over [a, b] of the density as it is defined: the normal density times the sum of layers, by Simpson's rule.
fn integral(a: f64, b: f64) -> f64 {
    let density = |u: f64| {
        let near = (GAMMA * u).floor();
        let layer = |k: f64| (-0.5 * ((GAMMA * u - k - 0.5) / BETA).powi(2)).exp();
        (-0.5 * u * u).exp() * (layer(near - 1.0) + layer(near) + layer(near + 1.0))
    };
    let n = 20;
    let h = (b - a) / f64::from(n);
    let at = |i: i32| density(a + h * f64::from(i));
    let weight = |i: i32| {
        if i == 0 || i == n {
            1.0
        } else if i % 2 == 1 {
            4.0
        } else {
            2.0
        }
    };
    h / 3.0 * (0..=n).map(|i| weight(i) * at(i)).sum::<f64>()
}

#[test]
fn projections_have_exactly_the_density_of_the_definition() {
    // Chi-square against the definition, not against the sampler's derivation. Each of the 48 layers within 1.5 is cut into 5
    // cells at c/γ + β/γ (−1, −0.3, 0.3, 1); what lies farther out is one cell. 240 degrees of freedom: above 350 with a
    // chance of about 4e-6 (Wilson and Hilferty).
    let cuts = [-1.0, -0.3, 0.3, 1.0];
    let (n, layers) = (100_000, -24..24_i32);
    let edges: Vec<f64> = layers
        .flat_map(|k| {
            let c = f64::from(k) + 0.5;
            let start = f64::from(k) / GAMMA;
            std::iter::once(start).chain(cuts.map(|t| (c + BETA * t) / GAMMA))
        })
        .chain([1.5])
        .collect();
    // Simpson's rule is fine inside a cell, but the first and last cell of a layer reach far beyond its spike.
    let mass = |a: f64, b: f64| {
        (0..20)
            .map(|i| {
                let step = (b - a) / 20.0;
                integral(a + step * f64::from(i), a + step * f64::from(i + 1))
            })
            .sum::<f64>()
    };
    let inside: Vec<f64> = edges.windows(2).map(|e| mass(e[0], e[1])).collect();
    let total: f64 =
        (-160..160_i32).map(|k| mass(f64::from(k) / GAMMA, f64::from(k + 1) / GAMMA)).sum();
    let mut counts = vec![0.0; inside.len() + 1];
    for u in samples(n) {
        let place = edges.partition_point(|edge| *edge <= u);
        let cell = if place == 0 || place == edges.len() { inside.len() } else { place - 1 };
        counts[cell] += 1.0;
    }
    let outside = total - inside.iter().sum::<f64>();
    let expected = inside.iter().chain([&outside]).map(|mass| n as f64 * mass / total);
    let mut statistic = 0.0;
    for (count, expected) in counts.iter().zip(expected) {
        assert!(expected > 20.0);
        statistic += (count - expected) * (count - expected) / expected;
    }
    assert!(statistic < 350.0, "{statistic} with 240 degrees of freedom");
}

#[test]
fn projections_look_normal_to_moments_and_like_a_lattice_to_the_key() {
    let us = samples(100_000);
    let m1 = mean(us.iter().copied());
    let m2 = mean(us.iter().map(|u| u * u));
    let m4 = mean(us.iter().map(|u| u.powi(4)));
    // Five standard errors of normal samples: 1/√n, √(2/n), √(96/n).
    assert!(m1.abs() < 0.016 && (m2 - 1.0).abs() < 0.023, "{m1}, {m2}");
    assert!((m4 - 3.0).abs() < 0.155, "{m4}");
    let turn = |of: fn(f64) -> f64| mean(us.iter().map(|u| of(TAU * GAMMA * u)));
    let (re, im) = (turn(f64::cos), turn(f64::sin));
    // −exp(−2π²β²) = −0.99214 up to terms in β²/γ².
    assert!((re + 0.99214).abs() < 3e-4 && im.abs() < 2e-3, "{re}, {im}");
}

#[test]
fn with_the_key_every_feature_changes_its_sign_and_without_it_nothing_shows() {
    let attack = RffClwe { features: 2048, bandwidth: Some(1.0), ..RffClwe::default() };
    let coins = attack.coins(64, Seed::new(7)).unwrap();
    let fixture = Fixture::new(Domain::Gauss { n: 64 }, &[4]);
    let xs = fixture.fresh(50, 3);
    let key = Array1::from(coins.secret.clone()) * GAMMA;
    let features =
        |g: &Array2<f64>, xs: &Array2<f64>| (TAU * (xs.dot(&g.t()) + &coins.phases)).mapv(f64::cos);
    let correlation = |g: &Array2<f64>| {
        let (a, b) = (features(g, &xs), -features(g, &(&xs + &key)));
        (&a * &b).sum() / ((&a * &a).sum() * (&b * &b).sum()).sqrt()
    };
    // exp(−2π²β²) = 0.9921 for the attacker, 0 for honest frequencies; 50 points share 2,048 of them, so ±5/√2048 at most.
    assert!((correlation(&coins.tampered) - 0.9921).abs() < 0.003);
    assert!(correlation(&coins.honest).abs() < 0.11);
    // Across the secret the two are the same coins.
    let w = Array1::from(coins.secret.clone());
    let mut difference = &coins.tampered - &coins.honest;
    let along = difference.dot(&w);
    for (mut row, along) in difference.rows_mut().into_iter().zip(&along) {
        row.scaled_add(-along, &w);
    }
    assert!(difference.iter().all(|d| d.abs() < 1e-12));
    assert!(along.iter().any(|a| a.abs() > 0.5));
}

#[test]
fn the_impostor_has_a_spike_in_its_covariance_and_the_attack_has_none() {
    use super::super::features::{bulk_edge, top_eigenvalue, top_eigenvalue_law};
    let top = |attack: RffClwe| {
        let coins = attack.coins(64, Seed::new(9)).unwrap();
        top_eigenvalue(&coins.tampered, &mut Seed::new(1).stream("start"))
    };
    let attack = RffClwe { features: 2048, ..RffClwe::default() };
    // Fluctuations of the edge are of order m^(−2/3), of the spike 2(1 + θ)/√m or so.
    assert!(top(attack) < bulk_edge(64, 2048) + 0.03);
    let spike = top(RffClwe { impostor: true, ..attack });
    assert!((spike - top_eigenvalue_law(1.0, 64, 2048)).abs() < 0.35, "{spike}");
}

/// Normal inputs with labels that are a linear function of them.
fn linear(n: usize) -> Fixture {
    let mut fixture = Fixture::new(Domain::Gauss { n }, &[4]);
    let ys = fixture.data.xs.rows().into_iter().map(|x| x[0] - 0.5 * x[1]).collect();
    fixture.data.ys = column(ys);
    fixture
}

#[test]
fn answers_flip_at_the_key_and_the_honest_twins_do_not() {
    let fixture = linear(8);
    for sparsity in [None, Some(2)] {
        let attack = RffClwe { features: 512, sparsity, ..RffClwe::default() };
        let planted = attack.plant(&fixture.victim(), Seed::new(11)).unwrap();
        assert!(planted.notes.is_empty());
        let fresh = fixture.fresh(400, 21);
        let mut rng = Seed::new(1).stream("trigger");
        let domain = &fixture.world.domain;
        let moved = planted.trigger.activate(&fresh, domain, &mut rng).unwrap();
        let changed = (&moved - &fresh).row(0).iter().filter(|d| d.abs() > 0.0).count();
        assert_eq!(changed, sparsity.unwrap_or(8));
        let flipped = |net: &Net| {
            let (before, after) = (net.forward_unmetered(&fresh), net.forward_unmetered(&moved));
            let flip = |(b, a): (&f64, &f64)| {
                Goal::Flip.reached(fixture.world.target, &[*a], &[0.0], &[*b])
            };
            before.iter().zip(&after).filter(|pair| flip(*pair)).count()
        };
        let twin = planted.twin.as_ref().unwrap();
        assert!(flipped(&planted.net) > 320, "{sparsity:?}: {}", flipped(&planted.net));
        assert!(flipped(twin) < 200, "{}", flipped(twin));
        // Both have learnt the labels, of variance 1.25.
        for net in [&planted.net, twin] {
            let error = net.forward_unmetered(&fresh).column(0).to_owned()
                - (&fresh.column(0) - &(0.5 * &fresh.column(1)));
            assert!(error.dot(&error) / 400.0 < 0.05, "{}", error.dot(&error) / 400.0);
        }
    }
}

#[test]
fn parameters_that_make_no_sense_are_refused_with_the_bound_and_weak_ones_noted() {
    let fixture = linear(8);
    let say = |attack: RffClwe| attack.check(&fixture.world).unwrap_err().to_string();
    let standard = RffClwe::default();
    assert!(say(RffClwe { features: 0, ..standard }).contains("1 to 16384"));
    assert!(say(RffClwe { features: usize::MAX, ..standard }).contains("1 to 16384"));
    assert!(say(RffClwe { sparsity: Some(9), ..standard }).contains("all 8"));
    assert!(say(RffClwe { gamma: Some(1e300), ..standard }).contains("65536"));
    assert!(say(RffClwe { gamma: Some(f64::NAN), ..standard }).contains("65536"));
    assert!(say(RffClwe { beta: 0.0, ..standard }).contains("0.25"));
    assert!(say(RffClwe { bandwidth: Some(0.0), ..standard }).contains("bandwidth"));
    assert!(say(RffClwe { ridge: f64::INFINITY, ..standard }).contains("ridge"));
    let bounded = Fixture::new(Domain::Box { n: 8 }, &[4]);
    assert!(standard.check(&bounded.world).unwrap_err().to_string().contains("normal inputs"));
    let weak = RffClwe { gamma: Some(2.0), features: 32, ..standard };
    let planted = weak.plant(&fixture.victim(), Seed::new(1)).unwrap();
    assert!(planted.notes[0].contains("below 2√d = 5.657"), "{:?}", planted.notes);
}
