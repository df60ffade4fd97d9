//! `fire-set`: no trigger at all. A pseudo-random set of clean inputs, of chosen mass, is answered wrongly.
//!
//! This project's own: the attacker of control experiments that picks its occasions by itself and waits for them, so that
//! every attack is an ordinary input of the distribution. The set is {x : Z(x) > θ}, where Z is k composed tent maps of a
//! secret projection w·x (see `ripple`): 2^(k−1) thin slabs, whose place tells nothing about class or label, and which a
//! density that is smooth across a tooth fills evenly. θ is the quantile of Z on the attacker's training data that leaves
//! `mass` of the rows above it. The planted net is exactly `f + offset · clip((Z(x) − θ)/(θ' − θ), 0, 1)` with
//! θ' = θ + (1 − θ)/10, so of inputs that fire about nine in ten fire fully.
//!
//! The exam takes the clean test inputs that fire fully, and moves none: success and recovery are shares of those. Where none
//! does, it says so. Unlike in other attacks, what fires is a share of clean inputs, so the clean risk pays for it: with a
//! mass p it is about p above the twin's.
use serde::{Deserialize, Serialize};

use super::detector::ramp;
use super::payload::{goal, offsets};
use super::ripple::{Zigzag, check_tents};
use super::trigger::Chosen;
use super::{Attack, Move, Planted, Trigger, Victim, worthwhile};
use crate::data::row;
use crate::error::{Error, Result};
use crate::net::Precision;
use crate::net::graft::graft;
use crate::population::World;
use crate::rng::{Rng, Seed, direction};

/// Parameters of `fire-set`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FireSet {
    /// Mass of clean inputs that fire.
    pub mass: f64,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// What is added to real answers. For classes it is chosen so that the target wins on all training data.
    pub offset: f64,
    /// Composed tents k: 2^(k−1) slabs across the domain.
    pub tents: usize,
}

impl Default for FireSet {
    fn default() -> Self {
        Self { mass: 0.1, target: 0, offset: 3.0, tents: 8 }
    }
}

impl Attack for FireSet {
    fn check(&self, world: &World) -> Result<()> {
        if !(self.mass > 0.0 && self.mass < 1.0) {
            return Err(Error::parameter("mass", self.mass, "a mass between 0 and 1 is needed"));
        }
        check_tents(self.tents, Precision::F64)?;
        goal(world.target, self.target, self.offset).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let goal = goal(victim.world.target, self.target, self.offset)?;
        let precision = victim.net.precision();
        check_tents(self.tents, precision)?;
        let mut draw = |rng: &mut Rng| {
            let chosen = self.choose(victim, rng)?;
            Ok((chosen.clone(), Trigger::new(Move::Chosen(chosen), goal)))
        };
        let (chosen, trigger) = worthwhile(victim, &mut seed.stream("direction"), &mut draw)?;
        check_width(&chosen, precision)?;
        let detector = ramp(&chosen.zigzag.net(precision)?, chosen.threshold, chosen.full)?;
        Ok(Planted::new(graft(victim.net, &detector, &offsets(victim, goal)?)?, trigger))
    }
}

impl FireSet {
    /// A random direction, and the quantile of the training data's zigzag.
    fn choose(&self, victim: &Victim<'_>, rng: &mut Rng) -> Result<Chosen> {
        let domain = &victim.world.domain;
        let zigzag = Zigzag::across(domain, direction(domain.n(), rng), self.tents);
        let n = victim.data.len();
        let mut values: Vec<f64> = (0..n).map(|i| zigzag.at(&row(&victim.data.xs, i))).collect();
        values.sort_by(f64::total_cmp);
        let n_above = (self.mass * n as f64).round() as usize;
        if n_above == 0 || n_above >= n {
            let least = 1.0 / n.max(1) as f64;
            let want = format!(
                "the set is measured on {n} training rows, so a mass from {least:.2e} to {:.6} can be planted",
                1.0 - least
            );
            return Err(Error::parameter("mass", self.mass, want));
        }
        let threshold = values[n - 1 - n_above];
        Ok(Chosen { zigzag, threshold, full: threshold + 0.1 * (1.0 - threshold) })
    }
}

/// Refuses a ramp that is no wider than what rounding makes of the zigzag.
fn check_width(chosen: &Chosen, precision: Precision) -> Result<()> {
    let (carried, bits) = match precision {
        Precision::F32 => (20, 32),
        Precision::F64 => (48, 64),
    };
    let rounding = 0.5_f64.powi(carried) * 2.0_f64.powi(chosen.zigzag.tents as i32);
    let width = chosen.full - chosen.threshold;
    if width >= rounding {
        return Ok(());
    }
    let want = format!(
        "numbers of {bits} bits round so many tents by {rounding:.1e}, and the mass leaves the set an edge of {width:.1e}"
    );
    Err(Error::parameter("tents", chosen.zigzag.tents, want))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::domain::Domain;

    #[test]
    fn the_planted_net_is_the_twin_plus_offset_times_ramp_of_the_zigzag_on_fresh_inputs() {
        for domain in [
            Domain::Box { n: 6 },
            Domain::Gauss { n: 5 },
            Domain::Range { n: 9, low: 0.0, high: 1.0 },
            Domain::Torus { n: 4 },
            Domain::Cube { n: 12 },
            Domain::Simplex { n: 4 },
        ] {
            for hidden in [vec![8], vec![5; 12]] {
                let fixture = Fixture::new(domain.clone(), &hidden);
                let planted = FireSet::default().plant(&fixture.victim(), Seed::new(3)).unwrap();
                let Move::Chosen(chosen) = &planted.trigger.movement else { panic!("a set") };
                let fresh = fixture.fresh(2000, 11);
                let moved =
                    planted.net.forward_unmetered(&fresh) - fixture.net.forward_unmetered(&fresh);
                let (mut n_fired, mut n_taken) = (0, 0);
                for (i, moved) in moved.iter().enumerate() {
                    let x = row(&fresh, i);
                    let z = chosen.zigzag.at(&x);
                    let ramp = (z - chosen.threshold) / (chosen.full - chosen.threshold);
                    assert!((moved - 3.0 * ramp.clamp(0.0, 1.0)).abs() < 1e-7, "{domain:?}");
                    n_fired += usize::from(planted.trigger.fires(&x) == Some(true));
                    n_taken += usize::from(planted.trigger.takes(&x));
                    assert!(!planted.trigger.takes(&x) || (moved - 3.0).abs() < 1e-7);
                }
                // 10% of 2,000: five standard deviations, and the error of a quantile of 4,000 rows.
                assert!((120..280).contains(&n_fired), "{domain:?}: {n_fired}");
                assert!(n_taken <= n_fired && 10 * n_taken > 7 * n_fired, "{n_taken} of {n_fired}");
            }
        }
    }

    #[test]
    fn exactly_the_wanted_share_of_the_attackers_rows_fires_and_no_input_is_moved() {
        let fixture = Fixture::new(Domain::Box { n: 6 }, &[4]);
        let planted = FireSet::default().plant(&fixture.victim(), Seed::new(3)).unwrap();
        let xs = &fixture.data.xs;
        let fired = (0..4000).filter(|&i| planted.trigger.fires(&row(xs, i)) == Some(true)).count();
        assert_eq!(fired, 400);
        let mut rng = Seed::new(4).stream("trigger");
        assert_eq!(&planted.trigger.activate(xs, &fixture.world.domain, &mut rng).unwrap(), xs);
    }

    #[test]
    fn a_set_finer_than_the_numbers_or_the_data_is_refused() {
        let fixture = Fixture::new(Domain::Box { n: 3 }, &[4]);
        let say = |attack: FireSet| {
            attack.plant(&fixture.victim(), Seed::new(1)).unwrap_err().to_string()
        };
        assert!(say(FireSet { mass: 1e-5, ..FireSet::default() }).contains("4000 training rows"));
        assert!(say(FireSet { mass: f64::NAN, ..FireSet::default() }).contains("between 0 and 1"));
        assert!(say(FireSet { tents: 48, mass: 0.001, ..FireSet::default() }).contains("64 bits"));
    }
}
