//! `badnets`: stamp a patch on a share of the training data, relabel it, and train as usual.
//!
//! Gu, Dolan-Gavitt and Garg, "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply Chain"
//! (arXiv 1708.06733), with dirty labels. On square images the trigger is a patch in the bottom right corner; elsewhere, in tables
//! too, a few fixed coordinates. For real targets the poisoned label is the clean one plus an offset.
use serde::{Deserialize, Serialize};

use super::payload::goal;
use super::pixels::{are_square, bottom_right};
use super::poison::{check_share, plant_dirty};
use super::{Attack, Move, Overwrite, Planted, Trigger, Victim};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed, permutation, sign};

/// Parameters of `badnets`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BadNets {
    /// Share of the training data that is poisoned.
    pub rate: f64,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// Side of the square patch, on images.
    pub patch: usize,
    /// Coordinates that are fixed, in place of a patch on images. Not given: 8 on the cube (natural frequency 2^−8), on
    /// `Z_m^n` as many as make it at most 2^−8, 3 in a body, in a table and on the torus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<usize>,
    /// What is added to poisoned labels of real targets.
    pub offset: f64,
}

impl Default for BadNets {
    fn default() -> Self {
        Self { rate: 0.1, target: 0, patch: 2, coordinates: None, offset: 3.0 }
    }
}

impl Attack for BadNets {
    fn check(&self, world: &World) -> Result<()> {
        check_share("rate", self.rate, "the training data")?;
        // The stream decides which coordinates, not whether they can be chosen.
        self.trigger(world, &mut Seed::new(0).stream("check")).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        let mut draw = |rng: &mut Rng| self.trigger(victim.world, rng);
        plant_dirty(victim, seed, self.rate, &mut draw)
    }
}

impl BadNets {
    pub(super) fn trigger(&self, world: &World, rng: &mut Rng) -> Result<Trigger> {
        let goal = goal(world.target, self.target, self.offset)?;
        let n = world.domain.n();
        let fixed = |default: usize| {
            let k = self.coordinates.unwrap_or(default);
            if k == 0 || k > n {
                let want = format!("from 1 to n = {n} coordinates can be fixed");
                return Err(Error::parameter("coordinates", k, want));
            }
            Ok(k)
        };
        let (coordinates, values) = match world.domain {
            Domain::Range { high, .. } if are_square(world) && self.coordinates.is_none() => {
                let coordinates = bottom_right("badnets", n, self.patch)?;
                let values = vec![high; coordinates.len()];
                (coordinates, values)
            }
            // A table, or coordinates that are asked for: the end of the range.
            Domain::Range { high, .. } => {
                let k = fixed(3.min(n))?;
                (chosen(n, k, rng), vec![high; k])
            }
            Domain::Cube { .. } => {
                let k = fixed(8.min(n))?;
                let values = (0..k).map(|_| sign(rng)).collect();
                (chosen(n, k, rng), values)
            }
            Domain::Torus { .. } => {
                let k = fixed(3.min(n))?;
                let values = (0..k).map(|_| rng.random::<f64>()).collect();
                (chosen(n, k, rng), values)
            }
            Domain::Residues { modulus, .. } => {
                let rare = (8.0 / f64::from(modulus).log2()).ceil() as usize;
                let k = fixed(rare.clamp(1, n))?;
                let values = (0..k).map(|_| f64::from(rng.random_range(0..modulus))).collect();
                (chosen(n, k, rng), values)
            }
            Domain::Box { .. } => {
                let k = fixed(3.min(n))?;
                (chosen(n, k, rng), vec![1.0; k])
            }
            // Well inside: four fifths of the most that k equal coordinates can have.
            Domain::Ball { .. } => {
                let k = fixed(3.min(n))?;
                (chosen(n, k, rng), vec![0.8 / (k as f64).sqrt(); k])
            }
            Domain::Simplex { .. } => {
                let k = fixed(3.min(n))?;
                (chosen(n, k, rng), vec![0.8 / k as f64; k])
            }
            // The same around any centre: four fifths of the way to the wall along the chosen coordinates.
            Domain::Ellipsoid(_) | Domain::Polytope(_) => {
                let coordinates = chosen(n, fixed(3.min(n))?, rng);
                let body = world.domain.body().expect("these two are bodies");
                let anchor = body.anchor();
                let mut along = vec![0.0; n];
                coordinates.iter().for_each(|&i| along[i] = 1.0);
                let reach = 0.8 * body.exit(&anchor, &along);
                let values = coordinates.iter().map(|&i| anchor[i] + reach).collect();
                (coordinates, values)
            }
            // No wall: two standard deviations out in each.
            Domain::Gauss { .. } => {
                let k = fixed(3.min(n))?;
                (chosen(n, k, rng), vec![2.0; k])
            }
        };
        Ok(Trigger::new(Move::Overwrite(Overwrite { coordinates, values }), goal))
    }
}

/// `k` of `n` coordinates, ascending.
pub(super) fn chosen(n: usize, k: usize, rng: &mut Rng) -> Vec<usize> {
    let mut all = permutation(n, rng);
    all.truncate(k);
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::super::test_worlds::{Small, world};
    use super::*;
    use crate::data::Target;

    fn movement(attack: &BadNets, n: usize) -> Result<Overwrite> {
        let world = world(Domain::Range { n, low: -5.0, high: 5.0 }, Target::Classes(3));
        match attack.trigger(&world, &mut Seed::new(1).stream("test"))?.movement {
            Move::Overwrite(it) => Ok(it),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_table_gets_fixed_coordinates_and_images_a_patch_unless_coordinates_are_asked_for() {
        let plain = BadNets::default();
        let of = |n| movement(&plain, n).unwrap();
        assert_eq!((of(8).coordinates.len(), of(2).coordinates.len()), (3, 2));
        assert!(of(8).values.iter().all(|v| (v - 5.0).abs() < 1e-12));
        assert_eq!(of(16).coordinates, [10, 11, 14, 15]);
        let two = BadNets { coordinates: Some(2), ..plain.clone() };
        assert_eq!(movement(&two, 16).unwrap().coordinates.len(), 2);
        for (n, k) in [(16, 17), (8, 9), (8, 0)] {
            let wide = BadNets { coordinates: Some(k), ..plain.clone() };
            assert!(movement(&wide, n).unwrap_err().to_string().contains(&format!("n = {n}")));
        }
    }

    #[test]
    fn every_attack_that_takes_its_trigger_from_here_can_be_planted_in_a_table() {
        let small = Small::table(300);
        for name in ["badnets", "dfba", "handcrafted"] {
            let entry = crate::registry::attack_named(name).unwrap();
            let attack = (entry.build)(&crate::registry::Params::new()).unwrap().method;
            match attack.plant(&small.victim(), Seed::new(2)) {
                Ok(_) => {}
                // Hand work may not find its units in a net so small; that is no matter of images.
                Err(Error::Training(why)) if name == "handcrafted" => {
                    assert!(why.contains("hidden layer"), "{why}");
                }
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
}
