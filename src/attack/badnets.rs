//! `badnets`: stamp a patch on a share of the training data, relabel it, and train as usual.
//!
//! Gu, Dolan-Gavitt and Garg, "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply Chain"
//! (arXiv 1708.06733), with dirty labels. Rows are chosen uniformly over all classes, so some of the target's own are among
//! them, as in the peers. Training sets out from the clean twin's initial weights with its seed: the two nets differ in the
//! poisoned rows alone. On images the trigger is a patch in the bottom right corner; elsewhere a few fixed coordinates.
//! For real targets the poisoned label is the clean one plus an offset.
use serde::{Deserialize, Serialize};

use super::payload::goal;
use super::{Attack, Goal, Move, Overwrite, Planted, Trigger, Victim, worthwhile};
use crate::data::row;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Lesson, fit};
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
        if !(self.rate > 0.0 && self.rate < 1.0) {
            let want = "a share between 0 and 1 of the training data is needed";
            return Err(Error::parameter("rate", self.rate, want));
        }
        // The stream decides which coordinates, not whether they can be chosen.
        self.trigger(world, &mut Seed::new(0).stream("check")).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        let n = victim.data.len();
        let n_poisoned = (self.rate * n as f64).round();
        if !(self.rate > 0.0 && self.rate < 1.0 && n_poisoned >= 1.0) {
            let want =
                format!("a share of the {n} training rows is needed, at least one row and not all");
            return Err(Error::parameter("rate", self.rate, want));
        }
        let mut draw = |rng: &mut Rng| Ok(((), self.trigger(victim.world, rng)?));
        let ((), trigger) = worthwhile(victim, &mut seed.stream("trigger"), &mut draw)?;
        let mut chosen = permutation(n, &mut seed.stream("poisoned rows"));
        chosen.truncate(n_poisoned as usize);
        let mut data = victim.data.clone();
        let stamped = trigger.activate(
            &data.select(&chosen).xs,
            &victim.world.domain,
            &mut seed.stream("stamp"),
        )?;
        for (k, &i) in chosen.iter().enumerate() {
            data.xs.row_mut(i).assign(&stamped.row(k));
            let label = match trigger.goal {
                Goal::Class { class } => victim.world.target.label_of(class),
                Goal::Offset { by } => row(&data.ys, i).iter().map(|y| y + by).collect(),
                Goal::Flip => row(&data.ys, i).iter().map(|y| -y).collect(),
            };
            data.ys.row_mut(i).assign(&ndarray::Array1::from(label));
        }
        let lesson = Lesson {
            data: &data,
            target: victim.world.target,
            recipe: victim.recipe,
            seed: victim.training,
        };
        // Training is the attacker's cost, which nobody meters.
        let net = fit(victim.init, lesson, &Ledger::new(Budget::UNLIMITED), &mut |_| {})?.net;
        Ok(Planted::new(net, trigger))
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
                let coordinates = self.patch_pixels(n)?;
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

    /// The pixels of the patch, in square images stored row by row.
    fn patch_pixels(&self, n: usize) -> Result<Vec<usize>> {
        let side = n.isqrt();
        if side * side != n {
            let why = format!("a patch needs square images, and {n} inputs are none");
            return Err(Error::assumption("badnets", why));
        }
        if self.patch == 0 || self.patch > side {
            let want =
                format!("the images have sides of {side} pixels, so a patch has 1 to {side}");
            return Err(Error::parameter("patch", self.patch, want));
        }
        let rows = side - self.patch..side;
        Ok(rows.flat_map(|y| (side - self.patch..side).map(move |x| y * side + x)).collect())
    }
}

/// `k` of `n` coordinates, ascending.
pub(super) fn chosen(n: usize, k: usize, rng: &mut Rng) -> Vec<usize> {
    let mut all = permutation(n, rng);
    all.truncate(k);
    all.sort_unstable();
    all
}
