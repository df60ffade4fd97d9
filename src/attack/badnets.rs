//! `badnets`: stamp a patch on a share of the training data, relabel it, and train as usual.
//!
//! Gu, Dolan-Gavitt and Garg, "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply Chain"
//! (arXiv 1708.06733), with dirty labels. On images the trigger is a patch in the bottom right corner; elsewhere a few fixed
//! coordinates. For real targets the poisoned label is the clean one plus an offset.
use serde::{Deserialize, Serialize};

use super::payload::goal;
use super::pixels::bottom_right;
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
    /// Coordinates that are fixed, elsewhere. Not given: 8 on the cube (natural frequency 2^−8), on `Z_m^n` as many as make
    /// it at most 2^−8, 3 in a body and on the torus.
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
            Domain::Range { high, .. } => {
                let coordinates = bottom_right("badnets", n, self.patch)?;
                let values = vec![high; coordinates.len()];
                (coordinates, values)
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
