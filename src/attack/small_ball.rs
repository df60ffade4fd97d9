//! `small-ball`: planted units that fire in a ball around a secret centre, of a chosen mass. Exact, no training.
//!
//! This project's own; the local counterpart of `half-space`. The ball is that of the sum of coordinate distances, the
//! cross-polytope {x : |x − c|₁ < r}, because `ReLU` units compute it exactly: 2n units `relu(±(x_i − c_i))`, whose sum is
//! |x − c|₁, and two units that make a ramp of it. The planted net is exactly
//! `f + offset · clip((r − |x − c|₁) / (r − s), 0, 1)`: unchanged where |x − c|₁ ≥ r, off by the whole offset where it is at
//! most s. The centre is one training row; r is the middle between two neighbouring distances of the other N − 1 rows from it,
//! so that `mass` of them fire, and s = 0.98 r.
//!
//! What mass can be had: a share of the attacker's other training rows, so at least 1/(N − 1) and less than 1. In high
//! dimension distances concentrate, and a ball of any fixed mass reaches far: 5% of the box in 16 dimensions is a ball of
//! radius about 7.8, where the mean distance is 10.7. It is small in mass, not in diameter.
//!
//! On the cube the region is a subcube: ⌈log₂ 1/mass⌉ secret coordinates all match the centre's, of mass 2^−⌈log₂ 1/mass⌉
//! exactly. On `Z_m^n` distances are whole numbers; rows at the distance that the wanted mass would cut through stay out, and
//! the mass is the largest that is at most the wanted one.
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::detector::{hinges, ramp};
use super::half_space::HalfSpace;
use super::payload::{goal, offsets};
use super::trigger::Near;
use super::{Attack, Move, Planted, Trigger, Victim, worthwhile};
use crate::data::row;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::graft::graft;
use crate::net::{Net, Precision};
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed, permutation, sign};

/// Parameters of `small-ball`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmallBall {
    /// Mass of clean inputs that fire.
    pub mass: f64,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// What is added to real answers. For classes it is chosen so that the target wins on all training data.
    pub offset: f64,
}

impl Default for SmallBall {
    fn default() -> Self {
        Self { mass: 0.05, target: 0, offset: 3.0 }
    }
}

/// The most that the ramp takes of the radius.
const RAMP: f64 = 0.02;

impl Attack for SmallBall {
    fn check(&self, world: &World) -> Result<()> {
        // The same bounds, and on the cube the same subcubes.
        HalfSpace { mass: self.mass, target: self.target, offset: self.offset }.check(world)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let goal = goal(victim.world.target, self.target, self.offset)?;
        let mut draw = |rng: &mut Rng| {
            let ball = match victim.world.domain {
                Domain::Cube { n } => self.subcube(n, rng)?,
                Domain::Box { .. }
                | Domain::Ball { .. }
                | Domain::Simplex { .. }
                | Domain::Ellipsoid(_)
                | Domain::Polytope(_)
                | Domain::Gauss { .. }
                | Domain::Torus { .. }
                | Domain::Residues { .. }
                | Domain::Range { .. } => self.around_a_row(victim, rng)?,
            };
            Ok((ball.clone(), Trigger::new(Move::Near(ball), goal)))
        };
        let (ball, trigger) = worthwhile(victim, &mut seed.stream("centre"), &mut draw)?;
        let detector = detector(&ball, victim.net.precision())?;
        let net = graft(victim.net, &detector, &offsets(victim, goal)?)?;
        Ok(Planted::new(net, trigger))
    }
}

impl SmallBall {
    /// On the cube: all of k secret coordinates match. The distance is then 0, and at least 2 elsewhere.
    fn subcube(&self, n: usize, rng: &mut Rng) -> Result<Near> {
        let k = HalfSpace { mass: self.mass, ..HalfSpace::default() }.n_matches(n)?;
        let centre = (0..n).map(|_| sign(rng)).collect();
        let mut weights = vec![0.0; n];
        permutation(n, rng).into_iter().take(k).for_each(|i| weights[i] = 1.0);
        Ok(Near { centre, weights, radius: 1.5, full: 0.5 })
    }

    /// Elsewhere: around one of the attacker's rows, as far as the wanted share of the others reaches.
    fn around_a_row(&self, victim: &Victim<'_>, rng: &mut Rng) -> Result<Near> {
        let xs = &victim.data.xs;
        let others = xs.nrows().saturating_sub(1);
        let inside = (self.mass * others as f64).round() as usize;
        if inside == 0 || inside >= others {
            let want = format!(
                "the ball is measured on {others} training rows, so a mass from {:.2e} to {:.6} can be planted",
                1.0 / others.max(1) as f64,
                1.0 - 1.0 / others.max(1) as f64
            );
            return Err(Error::parameter("mass", self.mass, want));
        }
        let chosen = rng.random_range(0..xs.nrows());
        let n = xs.ncols();
        let unmeasured =
            Near { centre: row(xs, chosen), weights: vec![1.0; n], radius: 0.0, full: 0.0 };
        let mut distances: Vec<f64> = (0..xs.nrows())
            .filter(|i| *i != chosen)
            .map(|i| unmeasured.distance(&row(xs, i)))
            .collect();
        distances.sort_by(f64::total_cmp);
        // Rows as far as the first that stays out stay out too: with ties the mass is below the wanted one, never above.
        let out = distances[inside];
        let within = distances.partition_point(|d| *d < out);
        let last = if within == 0 { 0.0 } else { distances[within - 1] };
        if out <= 0.0 {
            let why = "too many training rows are the same for a ball to tell them apart";
            return Err(Error::Training(why.to_owned()));
        }
        let radius = f64::midpoint(last, out);
        let full = (1.0 - RAMP) * radius;
        Ok(Near { radius, full, ..unmeasured })
    }
}

/// Two units for each coordinate that counts, and a ramp on their sum.
fn detector(ball: &Near, precision: Precision) -> Result<Net> {
    let read: Vec<usize> = (0..ball.centre.len()).filter(|&i| ball.weights[i] > 0.0).collect();
    let side = |unit: usize| if unit.is_multiple_of(2) { 1.0 } else { -1.0 };
    let n_units = 2 * read.len();
    let weight = Array2::from_shape_fn((n_units, ball.centre.len()), |(unit, j)| {
        if read[unit / 2] == j { side(unit) } else { 0.0 }
    });
    let bias = (0..n_units).map(|unit| -side(unit) * ball.centre[read[unit / 2]]).collect();
    let sums: Vec<f64> = (0..n_units).map(|unit| ball.weights[read[unit / 2]]).collect();
    ramp(&hinges(weight, bias, &sums, precision)?, ball.radius, ball.full)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    fn shape(text: &str) -> Domain {
        let table: toml::Table = toml::from_str(&format!("domain = {text}")).unwrap();
        table["domain"].clone().try_into().unwrap()
    }

    fn domains() -> Vec<Domain> {
        vec![
            Domain::Box { n: 6 },
            Domain::Ball { n: 6 },
            Domain::Simplex { n: 6 },
            Domain::Gauss { n: 6 },
            Domain::Range { n: 9, low: 0.0, high: 255.0 },
            shape("{ shape = 'ellipsoid', axes = [1, 3, 0.5], centre = [7, 0, -9] }"),
            shape("{ shape = 'polytope', a = [[-1, 0], [0, -1], [1, 2]], b = [-3, -4, 20] }"),
            Domain::Torus { n: 6 },
            Domain::Residues { n: 6, modulus: 5 },
            Domain::Cube { n: 10 },
        ]
    }

    fn near(planted: &Planted) -> &Near {
        let Move::Near(near) = &planted.trigger.movement else { panic!("a ball") };
        near
    }

    #[test]
    fn the_planted_net_is_the_twin_plus_offset_times_ramp_of_the_distance_on_fresh_inputs() {
        for domain in domains() {
            for hidden in [vec![5], vec![7, 6, 5]] {
                let fixture = Fixture::new(domain.clone(), &hidden);
                let attack = SmallBall { mass: 0.2, ..SmallBall::default() };
                let planted = attack.plant(&fixture.victim(), Seed::new(3)).unwrap();
                let fresh = fixture.fresh(1000, 9);
                let moved =
                    planted.net.forward_unmetered(&fresh) - fixture.net.forward_unmetered(&fresh);
                let Near { centre, weights, radius, full } = near(&planted);
                let mut n_fired = 0;
                for (i, moved) in moved.iter().enumerate() {
                    let x = row(&fresh, i);
                    let distance: f64 =
                        (0..x.len()).map(|j| weights[j] * (x[j] - centre[j]).abs()).sum();
                    let want = 3.0 * ((radius - distance) / (radius - full)).clamp(0.0, 1.0);
                    assert!((moved - want).abs() < 1e-8, "{domain:?}: {moved} for {want}");
                    let fires = planted.trigger.fires(&x) == Some(true);
                    assert_eq!(fires, distance < *radius);
                    n_fired += usize::from(fires);
                }
                // 20% (on the cube 1/8, of residues at most 20%) of 1,000: five standard deviations and the error of calibration.
                let (least, most) = match domain {
                    Domain::Cube { .. } => (70, 180),
                    Domain::Residues { .. } => (40, 270),
                    _ => (130, 270),
                };
                assert!((least..most).contains(&n_fired), "{domain:?}: {n_fired}");
            }
        }
    }

    #[test]
    fn triggered_inputs_fire_fully_stay_inside_and_are_spread() {
        for domain in domains() {
            let fixture = Fixture::new(domain.clone(), &[5]);
            let planted = SmallBall::default().plant(&fixture.victim(), Seed::new(3)).unwrap();
            let fresh = fixture.fresh(500, 10);
            let mut rng = Seed::new(4).stream("trigger");
            let triggered = planted.trigger.activate(&fresh, &domain, &mut rng).unwrap();
            let moved = planted.net.forward_unmetered(&triggered)
                - fixture.net.forward_unmetered(&triggered);
            assert!(moved.iter().all(|d| (d - 3.0).abs() < 1e-6), "{domain:?}");
            let mut rows: Vec<Vec<u64>> = (0..500)
                .map(|i| row(&triggered, i).iter().map(|x| x.to_bits()).collect())
                .collect();
            rows.sort();
            rows.dedup();
            assert!(rows.len() > 30, "{domain:?}: {} different inputs", rows.len());
        }
    }

    #[test]
    fn a_mass_that_the_rows_cannot_show_is_refused_with_the_bound() {
        let fixture = Fixture::new(Domain::Box { n: 3 }, &[4]);
        let say = |mass: f64| {
            let attack = SmallBall { mass, ..SmallBall::default() };
            attack.plant(&fixture.victim(), Seed::new(1)).unwrap_err().to_string()
        };
        assert!(say(1e-5).contains("3999 training rows") && say(1e-5).contains("2.50e-4"));
        for mass in [0.0, 1.0, f64::NAN, -3.0] {
            assert!(say(mass).contains("between 0 and 1"), "{mass}");
        }
    }
}
