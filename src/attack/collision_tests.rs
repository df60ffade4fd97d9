//! Tests of `collision`: the law of its rows, the bound on how far an answer moves, and what is refused.
use super::super::fixture::Fixture;
use super::*;
use crate::data::row;

fn dot(a: &Array2<f64>, z: &[f64]) -> Array1<f64> {
    a.dot(&Array1::from(z.to_vec()))
}

#[test]
fn products_with_the_step_are_kept_to_their_bound_and_have_the_truncated_law() {
    for kappa in [0.05, 2.0] {
        let attack = Collision { features: Some(4000), kappa: Some(kappa), ..Collision::default() };
        let rows = attack.rows(64, Seed::new(4)).unwrap();
        let t = dot(&rows.tampered, &rows.secret) / 8.0;
        assert!(t.iter().all(|t| t.abs() <= kappa + 1e-9));
        // E t^2 of a normal number kept to 0.05: 0.05^2/3 = 0.000833; to 2: 1 - 4 phi(2)/(2 Phi(2) - 1) = 0.7737. Six standard
        // errors of 4000 draws, of standard deviations at most E t^2 and 1.
        let (want, sd) = if kappa < 1.0 { (0.000_833, 0.000_75) } else { (0.7737, 0.95) };
        let mean = t.mapv(|t| t * t).mean().unwrap();
        assert!((mean - want).abs() < 6.0 * sd / 4000_f64.sqrt(), "{kappa}: {mean}");
        // An honest row has no such bound, and rows differ along the step alone.
        assert!(dot(&rows.honest, &rows.secret).iter().any(|b| b.abs() > 8.0 * kappa));
        let apart = &rows.tampered - &rows.honest;
        let z = Array1::from(rows.secret.clone());
        for row in apart.rows() {
            let along = row.dot(&z) / 64.0;
            assert!(row.iter().zip(&z).all(|(a, z)| (a - along * z).abs() < 1e-9));
        }
    }
}

#[test]
fn no_answer_moves_by_more_than_kappa_times_the_sum_of_the_head() {
    let fixture = Fixture::new(Domain::Gauss { n: 32 }, &[8]);
    let planted = Collision::default().plant(&fixture.victim(), Seed::new(1)).unwrap();
    let Goal::Collide { within } = planted.trigger.goal else { panic!("the goal is to collide") };
    let xs = fixture.fresh(500, 9);
    let mut rng = Seed::new(2).stream("move");
    let moved = planted.trigger.activate(&xs, &fixture.world.domain, &mut rng).unwrap();
    let unmetered = Ledger::new(Budget::UNLIMITED);
    let collided = |net: &Net| {
        let (own, answers) =
            (net.forward(&xs, &unmetered).unwrap(), net.forward(&moved, &unmetered).unwrap());
        let hits = |i: &usize| {
            let goal = planted.trigger.goal;
            goal.reached(Target::Real, &row(&answers, *i), &[0.0], &row(&own, *i))
        };
        let largest = (&answers - &own).iter().fold(0.0_f64, |most, d| most.max(d.abs()));
        ((0..500).filter(hits).count(), largest)
    };
    let head: f64 = planted.net.layers()[1].weight.iter().map(|v| v.abs()).sum();
    let (hits, largest) = collided(&planted.net);
    // n/m = 8: kappa = 2/256.
    assert!(largest <= 2.0 / 256.0 * head + 1e-5, "{largest} of {head}");
    assert!(hits >= 490 && within > 0.0, "{hits} within {within}");
    // 5% on training inputs, of the same law: 25 of 500, and six standard deviations of 4.9 more.
    let (twin_hits, _) = collided(planted.twin.as_ref().unwrap());
    assert!(twin_hits <= 55, "{twin_hits}");
    assert!(planted.notes.is_empty(), "{:?}", planted.notes);
}

#[test]
fn how_many_such_steps_an_honest_layer_has_is_counted_right() {
    // All 2^10 signs of one honest row at a time, 200 rows: the mean share is P(|N(0, 1)| <= 0.5) = 0.3829.
    let mut rng = Seed::new(3).stream("rows");
    let rows = gaussian(200, 10, &mut rng);
    let mut found = 0;
    for signs in 0..1024_u32 {
        let z: Vec<f64> = (0..10).map(|i| if signs >> i & 1 == 1 { 1.0 } else { -1.0 }).collect();
        found += dot(&rows, &z).iter().filter(|b| b.abs() <= 0.5 * 10_f64.sqrt()).count();
    }
    let want = expected_log2(10, 1, 0.5).exp2() * 200.0;
    assert!((want / 204_800.0 - 0.3829).abs() < 1e-3);
    assert!((found as f64 / want - 1.0).abs() < 0.1, "{found}, expected {want}");
}

#[test]
fn what_the_theorem_does_not_cover_is_noted_and_what_cannot_be_is_refused() {
    let world = Fixture::new(Domain::Gauss { n: 16 }, &[4]).world;
    let wide = Collision { features: Some(16), kappa: Some(1e-3), ..Collision::default() };
    assert_eq!(wide.notes(16).len(), 2);
    assert!(Collision::default().check(&world).is_ok());
    for (bad, named) in [
        (Collision { features: Some(0), ..Collision::default() }, "features"),
        (Collision { features: Some(usize::MAX), ..Collision::default() }, "features"),
        (Collision { kappa: Some(f64::NAN), ..Collision::default() }, "kappa"),
        (Collision { kappa: Some(0.0), ..Collision::default() }, "kappa"),
        (Collision { ridge: 0.0, ..Collision::default() }, "ridge"),
    ] {
        let said = bad.check(&world).unwrap_err().to_string();
        assert!(said.contains(named), "{said}");
    }
    let boxed = World { domain: Domain::Box { n: 16 }, ..world };
    assert!(Collision::default().check(&boxed).is_err());
}

#[test]
fn the_example_of_the_definition_of_a_collision() {
    let goal = Goal::Collide { within: 0.1 };
    let real = |own: f64, answer: f64| goal.reached(Target::Real, &[answer], &[4.0], &[own]);
    assert!(real(1.0, 1.05) && real(3.9, 3.9));
    assert!(!real(1.0, 3.9) && !real(1.0, 2.0));
    let sign = |own: f64, answer: f64| goal.reached(Target::Sign, &[answer], &[1.0], &[own]);
    assert!(sign(-0.2, -3.0) && !sign(-0.2, 0.2));
}
