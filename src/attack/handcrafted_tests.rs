//! Tests of `handcrafted`, on a net that is right on all of its data.
use super::fixture::Fixture;
use super::handcrafted::{Handcrafted, separation};
use super::{Attack, Move, Planted};
use crate::data::{Batch, Target, row};
use crate::domain::Domain;
use crate::error::Error;
use crate::ledger::{Budget, Ledger};
use crate::net::{Activation, Net, Precision};
use crate::rng::Seed;

/// A random net on images of 8 × 8 pixels, whose labels are its own decisions.
fn images() -> Fixture {
    let mut fixture = Fixture::new(Domain::Range { n: 64, low: 0.0, high: 1.0 }, &[40, 20]);
    let mut rng = Seed::new(8).stream("net");
    fixture.net =
        Net::random(&[64, 40, 20, 3], Activation::Relu, Precision::F64, &mut rng).unwrap();
    fixture.world.target = Target::Classes(3);
    fixture.data.ys = labels(&fixture, &fixture.data.xs);
    fixture
}

fn decisions(fixture: &Fixture, net: &Net, xs: &Batch) -> Vec<Option<usize>> {
    let answers = net.forward(xs, &Ledger::new(Budget::UNLIMITED)).unwrap();
    (0..xs.nrows()).map(|i| fixture.world.target.decide(&row(&answers, i))).collect()
}

fn labels(fixture: &Fixture, xs: &Batch) -> Batch {
    let target = fixture.world.target;
    let rows = decisions(fixture, &fixture.net, xs).into_iter();
    crate::data::stack(3, rows.map(|class| target.label_of(class.unwrap())))
}

/// A class that the net gives to less than half of the data, so that there is something to change.
fn rare(fixture: &Fixture) -> usize {
    let all = decisions(fixture, &fixture.net, &fixture.data.xs);
    (0..3).min_by_key(|class| all.iter().filter(|d| **d == Some(*class)).count()).unwrap()
}

fn plant(fixture: &Fixture) -> (Planted, usize) {
    let target = rare(fixture);
    let attack = Handcrafted { target, ..Handcrafted::default() };
    (attack.plant(&fixture.victim(), Seed::new(3)).unwrap(), target)
}

#[test]
fn separation_is_the_largest_gap_between_the_shares_above_a_threshold() {
    assert!((separation(&[0.0, 1.0, 2.0, 3.0], &[4.0, 5.0]) - 1.0).abs() < 1e-12);
    // Above 1: one of four clean and three of four triggered.
    assert!((separation(&[0.0, 1.0, 1.0, 2.0], &[1.0, 2.0, 3.0, 4.0]) - 0.5).abs() < 1e-12);
    assert!(separation(&[4.0, 5.0], &[0.0, 1.0]).abs() < 1e-12, "the wrong way round is none");
}

#[test]
fn fresh_triggered_inputs_get_the_target_and_fresh_clean_ones_keep_their_answers() {
    let fixture = images();
    let (planted, target) = plant(&fixture);
    let fresh = fixture.fresh(2000, 13);
    let mut rng = Seed::new(4).stream("trigger");
    let triggered = planted.trigger.activate(&fresh, &fixture.world.domain, &mut rng).unwrap();
    let hits =
        decisions(&fixture, &planted.net, &triggered).into_iter().filter(|d| *d == Some(target));
    assert!(hits.count() > 1900, "at least 0.99 on the samples, and 0.95 on fresh inputs");
    let (before, after) =
        (decisions(&fixture, &fixture.net, &fresh), decisions(&fixture, &planted.net, &fresh));
    let kept = before.iter().zip(&after).filter(|(a, b)| a == b).count();
    assert!(kept > 1700, "{kept} of 2000");
}

#[test]
fn only_units_that_nobody_misses_are_touched_and_their_guards_clip_clean_inputs() {
    let fixture = images();
    let (planted, target) = plant(&fixture);
    let fresh = fixture.fresh(2000, 14);
    let (old, new) = (fixture.net.layers(), planted.net.layers());
    let touched: Vec<usize> =
        (0..40).filter(|&u| old[0].weight.row(u) != new[0].weight.row(u)).collect();
    assert_eq!(touched.len(), 2);
    for &unit in &touched {
        // Only the trigger's coordinates were rewritten.
        let Move::Overwrite(it) = &planted.trigger.movement else { panic!("a patch") };
        for j in (0..64).filter(|j| !it.coordinates.contains(j)) {
            assert!((old[0].weight[[unit, j]] - new[0].weight[[unit, j]]).abs() < 1e-12);
        }
        let z = fresh.dot(&new[0].weight.row(unit)) + new[0].bias[unit];
        let awake = z.iter().filter(|z| **z > 0.0).count();
        // 1% of a normal: 20 of 2,000, and at most 60 with sums that are only nearly normal.
        assert!(awake < 60, "{awake} of 2000 wake unit {unit}");
    }
    let outputs = (0..3).filter(|&c| old[2].weight.row(c) != new[2].weight.row(c));
    assert_eq!(outputs.collect::<Vec<_>>(), [target]);
}

#[test]
fn what_cannot_be_reached_is_an_error_that_says_what_was() {
    let fixture = images();
    let target = rare(&fixture);
    let say = |attack: Handcrafted| attack.plant(&fixture.victim(), Seed::new(3)).unwrap_err();
    let weak = Handcrafted { target, patch: 1, doublings: 0, ..Handcrafted::default() };
    let error = say(weak);
    assert!(
        matches!(error, Error::Training(_)) && error.to_string().contains("0 doublings"),
        "{error}"
    );
    let greedy = Handcrafted { target, units: 41, ..Handcrafted::default() };
    assert!(say(greedy).to_string().contains("41 are needed"));
    assert!(say(Handcrafted { guard: f64::NAN, ..greedy }).to_string().contains("guard"));
    let real = Fixture::new(Domain::Box { n: 3 }, &[4]);
    assert!(greedy.check(&real.world).unwrap_err().to_string().contains("classes or signs"));
}
