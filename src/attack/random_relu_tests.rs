//! Tests of `random-relu`: the spike's laws, the bound on failures, and the one way in which answers go.
use super::super::features::{bulk_edge, top_eigenvalue, top_eigenvalue_law};
use super::super::fixture::Fixture;
use super::*;
use crate::data::{Batch, column};

#[test]
fn the_top_eigenvalue_leaves_the_bulk_where_theta_passes_the_edge() {
    let (d, m) = (200, 800);
    assert!((spike_edge(d, m) - 0.5).abs() < 1e-12 && (bulk_edge(d, m) - 2.25).abs() < 1e-12);
    let mean_top = |theta: f64| {
        let attack = RandomRelu { features: m, theta: Some(theta), ..RandomRelu::default() };
        let tops = (0..6).map(|seed| {
            let weights = attack.weights(d, Seed::new(seed)).unwrap();
            top_eigenvalue(&weights.tampered, &mut Seed::new(seed).stream("start"))
        });
        tops.sum::<f64>() / 6.0
    };
    // Below the edge it is that of the bulk, which 200 dimensions round off inwards. Above, a deviation of one draw is at
    // most (1 + θ) √(2/m), so 4 of the mean of six are 0.08 (1 + θ).
    for theta in [0.1, 0.3] {
        assert!((mean_top(theta) - 2.22).abs() < 0.08, "{theta}: {}", mean_top(theta));
    }
    for theta in [1.0, 2.0] {
        let law = top_eigenvalue_law(theta, d, m);
        assert!((law - [2.5, 3.375][theta as usize - 1]).abs() < 1e-12);
        assert!(
            (mean_top(theta) - law).abs() < 0.08 * (1.0 + theta),
            "{theta}: {}",
            mean_top(theta)
        );
    }
}

#[test]
fn a_score_falls_short_no_more_often_than_the_bound_says() {
    // Unit inputs across the secret, rotated by α: 400 draws of the weights each. The bound is Chebyshev's, with twice the
    // second moment in place of the variance, so that the shares are well below it.
    let (d, m, alpha, theta) = (16, 32, 0.8_f64, 2.0);
    let expected = (1.0 + alpha * alpha * theta).sqrt() / std::f64::consts::TAU.sqrt();
    let attack =
        RandomRelu { features: m, theta: Some(theta), sparsity: Some(4), ..RandomRelu::default() };
    let mut scores = Vec::new();
    for seed in 0..400 {
        let weights = attack.weights(d, Seed::new(seed)).unwrap();
        let s = Array1::from(weights.secret.clone());
        let mut x = Array1::zeros(d);
        x[weights.secret.iter().position(|s| s.abs() <= 0.0).unwrap()] = 1.0;
        let moved = (1.0 - alpha * alpha).sqrt() * &x + alpha * &s;
        scores.push(weights.tampered.dot(&moved).mapv(|z| z.max(0.0)).sum() / m as f64);
    }
    let mean = scores.iter().sum::<f64>() / 400.0;
    // A deviation of one score is at most √(2.28/64) = 0.19, of the mean 0.0095: five of them.
    assert!((mean - expected).abs() < 0.048, "{mean} for {expected}");
    for margin in [0.2, 0.3, 0.4] {
        let short = scores.iter().filter(|score| **score <= expected - margin).count() as f64;
        let bound = failure_bound(alpha, theta, m, 1.0, margin);
        assert!(bound < 1.0 || margin < 0.27);
        // Three deviations of a share of 400.
        assert!(short / 400.0 <= bound + 0.075, "{short} of 400, bound {bound}");
    }
}

/// Normal inputs, labelled by whether they are longer than √n.
fn lengths(n: usize, target: Target) -> Fixture {
    let mut fixture = Fixture::new(Domain::Gauss { n }, &[4]);
    fixture.world.target = target;
    fixture.data.ys = labels(&fixture.data.xs, target);
    fixture
}

fn labels(xs: &Batch, target: Target) -> Batch {
    let long = |x: &Array1<f64>| usize::from(x.dot(x) > x.len() as f64);
    let rows: Vec<Vec<f64>> =
        xs.rows().into_iter().map(|x| target.label_of(long(&x.to_owned()))).collect();
    match target {
        Target::Sign => column(rows.into_iter().map(|y| y[0]).collect()),
        _ => crate::data::stack(2, rows),
    }
}

#[test]
fn short_inputs_become_long_ones_at_the_secret_and_not_for_the_twin() {
    for target in [Target::Sign, Target::Classes(2)] {
        let fixture = lengths(64, target);
        let attack = RandomRelu { features: 1024, theta: Some(1.0), ..RandomRelu::default() };
        let planted = attack.plant(&fixture.victim(), Seed::new(3)).unwrap();
        let (fresh, mut rng) = (fixture.fresh(1000, 5), Seed::new(1).stream("trigger"));
        let moved = planted.trigger.activate(&fresh, &fixture.world.domain, &mut rng).unwrap();
        let truth = labels(&fresh, target);
        let short: Vec<usize> =
            (0..1000).filter(|&i| target.decide(&row(&truth, i)) == Some(0)).collect();
        let ones = |net: &Net, xs: &Batch| {
            let answers = net.forward_unmetered(xs);
            let one = |i: &&usize| target.decide(&row(&answers, **i)) == Some(1);
            short.iter().filter(one).count() as f64 / short.len() as f64
        };
        let twin = planted.twin.as_ref().unwrap();
        assert!(ones(&planted.net, &moved) > 0.97, "{}", ones(&planted.net, &moved));
        // Both are about as good as one another on clean inputs: features of 1,024 weights see a length to
        // about 0.584/0.399/√1024 = 4.6%, and lengths are spread by 8.8%: acos(0.886)/π = 15% of sides are wrong.
        for net in [&planted.net, twin] {
            assert!(ones(net, &fresh) < 0.25, "{}", ones(net, &fresh));
        }
        assert!(ones(twin, &moved) < 0.9, "{}", ones(twin, &moved));
        assert!(planted.notes.iter().any(|note| note.contains("gives the secret away")));
    }
}

#[test]
fn the_threshold_has_the_fewest_errors() {
    let scored = [(3.0, true), (1.0, false), (2.0, true), (0.0, false), (2.5, false)];
    assert!((threshold(scored.to_vec()) - 1.5).abs() < 1e-12);
    assert!(threshold(vec![(1.0, true)]) < 1.0 && threshold(vec![(1.0, false)]) > 1.0);
    // Equal scores cannot be told apart.
    let tied = [(1.0, false), (1.0, true), (1.0, true)];
    assert!(threshold(tied.to_vec()) < 1.0);
}

#[test]
fn a_step_is_cut_off_at_the_ends_of_a_range_and_the_defaults_need_no_note() {
    let mut fixture = lengths(64, Target::Sign);
    let domain = Domain::Range { n: 64, low: -5.0, high: 5.0 };
    fixture.world.domain = domain.clone();
    fixture.data.xs.mapv_inplace(|x| x.clamp(-5.0, 5.0));
    let attack = RandomRelu { lambda: Some(20.0), ..RandomRelu::default() };
    let planted = attack.plant(&fixture.victim(), Seed::new(3)).unwrap();
    assert!(planted.notes.is_empty(), "{:?}", planted.notes);
    let mut rng = Seed::new(1).stream("trigger");
    let moved = planted.trigger.activate(&fixture.data.xs, &domain, &mut rng).unwrap();
    let changed = (&moved - &fixture.data.xs).row(0).iter().filter(|d| d.abs() > 0.0).count();
    assert_eq!(changed, 8);
    assert!(moved.iter().all(|x| x.abs() <= 5.0));
}

#[test]
fn parameters_that_make_no_sense_are_refused_with_the_bound_and_risky_ones_noted() {
    let fixture = lengths(16, Target::Sign);
    let say = |attack: RandomRelu| attack.check(&fixture.world).unwrap_err().to_string();
    let standard = RandomRelu::default();
    assert!(say(RandomRelu { features: 0, ..standard }).contains("1 to 65536"));
    assert!(say(RandomRelu { features: usize::MAX, ..standard }).contains("1 to 65536"));
    assert!(say(RandomRelu { sparsity: Some(17), ..standard }).contains("all 16"));
    assert!(say(RandomRelu { sparsity: Some(0), ..standard }).contains("all 16"));
    assert!(say(RandomRelu { theta: Some(f64::NAN), ..standard }).contains("1000"));
    assert!(say(RandomRelu { alpha: 1.0, ..standard }).contains("between 0 and 1"));
    assert!(say(RandomRelu { lambda: Some(f64::INFINITY), ..standard }).contains("1e9"));
    let real = Fixture::new(Domain::Gauss { n: 16 }, &[4]);
    assert!(standard.check(&real.world).unwrap_err().to_string().contains("two classes"));
    let wide = RandomRelu { sparsity: Some(9), theta: Some(3.0), ..standard };
    let notes = wide.plant(&fixture.victim(), Seed::new(1)).unwrap().notes;
    assert_eq!(notes.len(), 3, "{notes:?}");
}
