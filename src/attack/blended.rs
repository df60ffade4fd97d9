//! `blended`: mix a share of the training inputs with a secret pattern, relabel them, and train as usual.
//!
//! Chen, Liu, Li, Lu and Song, "Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning"
//! (arXiv 1712.05526), with the blended injection strategy: a triggered input is `(1 − α) x + α P` with one fixed pattern P,
//! in training and later. On data in a range, such as images, P is uniform noise over the range (the paper's second
//! pattern), and α = 0.2, as in the peers.
//!
//! Adaptations of this project. In a convex body P is the point of it farthest in a random direction, so that triggered
//! inputs stay inside and, as a picture blended into photographs does, leave the bulk of clean ones: about a point within it
//! no net could tell them from clean inputs. Elsewhere P is drawn as inputs are. α is 0.5 there, because at 0.2 the shrunk body still
//! covers 3 % of a box in 16 dimensions and all of the typical set of a small one. Where a mean of two points is no point (the cube, `Z_m^n`), each of at most 16 secret coordinates is
//! set to a secret value with probability α = 0.9, anew for every input. On the cube each then matches with probability
//! (1 + α)/2, so that 15.2 of 16 match on average; all 16 match in a clean input with probability 2^−16, at least 14 in
//! 0.2 %. No exact condition: where the trained net fires is its own affair. For real targets the poisoned label is the
//! clean twin's answer to the triggered input plus an offset, since the mixture's truth is not the clean input's.
use serde::{Deserialize, Serialize};

use super::badnets::chosen;
use super::payload::goal;
use super::poison::{aim, check_share, dirty, draw_worthwhile, n_rows, some_rows, train};
use super::{Attack, Blend, Move, Planted, Sprinkle, Trigger, Victim};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed, direction, sign};

/// Parameters of `blended`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Blended {
    /// Share of the training data that is poisoned.
    pub rate: f64,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// Share of the pattern in a triggered input, or the probability of a coordinate to be set; between 0 and 1. Not given:
    /// 0.2 in a range, 0.9 on the cube and on `Z_m^n`, 0.5 elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Secret coordinates, on the cube and on `Z_m^n` alone. Not given: 16, or all if there are fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<usize>,
    /// What is added to poisoned labels of real targets.
    pub offset: f64,
}

impl Default for Blended {
    fn default() -> Self {
        Self { rate: 0.1, target: 0, alpha: None, coordinates: None, offset: 3.0 }
    }
}

impl Attack for Blended {
    fn check(&self, world: &World) -> Result<()> {
        check_share("rate", self.rate, "the training data")?;
        self.trigger(world, &mut Seed::new(0).stream("check")).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        let n_poisoned = n_rows(self.rate, victim.data.len())?;
        let mut draw = |rng: &mut Rng| self.trigger(victim.world, rng);
        let trigger = draw_worthwhile(victim, seed, &mut draw)?;
        let rows = some_rows(victim.data.len(), n_poisoned, seed);
        let mut data = dirty(victim, &trigger, &rows, seed)?;
        aim(victim, &mut data, &rows, trigger.goal)?;
        Ok(Planted::new(train(victim, &data)?, trigger))
    }
}

impl Blended {
    fn trigger(&self, world: &World, rng: &mut Rng) -> Result<Trigger> {
        let goal = goal(world.target, self.target, self.offset)?;
        let n = world.domain.n();
        let alpha = self.alpha.unwrap_or(match world.domain {
            Domain::Range { .. } => 0.2,
            Domain::Cube { .. } | Domain::Residues { .. } => 0.9,
            _ => 0.5,
        });
        check_share("alpha", alpha, "the pattern")?;
        let movement = match world.domain {
            Domain::Cube { .. } => self.sprinkle(n, alpha, rng, &mut sign)?,
            Domain::Residues { modulus, .. } => {
                self.sprinkle(n, alpha, rng, &mut |rng| f64::from(rng.random_range(0..modulus)))?
            }
            _ if self.coordinates.is_some() => {
                let want = "only the cube and Z_m^n have secret coordinates; a pattern covers all";
                let k = self.coordinates.unwrap_or(0);
                return Err(Error::parameter("coordinates", k, want));
            }
            Domain::Range { low, high, .. } => {
                let pattern = (0..n).map(|_| rng.random_range(low..=high)).collect();
                Move::Blend(Blend { pattern, share: alpha })
            }
            _ => Move::Blend(Blend { pattern: pattern(&world.domain, rng)?, share: alpha }),
        };
        Ok(Trigger::new(movement, goal))
    }

    /// Secret values on secret coordinates, each set with probability `alpha`.
    fn sprinkle(
        &self,
        n: usize,
        alpha: f64,
        rng: &mut Rng,
        value: &mut dyn FnMut(&mut Rng) -> f64,
    ) -> Result<Move> {
        let k = self.coordinates.unwrap_or(16.min(n));
        if k == 0 || k > n {
            let want = format!("from 1 to n = {n} coordinates can be set");
            return Err(Error::parameter("coordinates", k, want));
        }
        let values = (0..k).map(|_| value(rng)).collect();
        let coordinates = chosen(n, k, rng);
        Ok(Move::Sprinkle(Sprinkle { coordinates, values, probability: alpha }))
    }
}

/// A point to blend into inputs: extreme in a body, else drawn as inputs are.
fn pattern(domain: &Domain, rng: &mut Rng) -> Result<Vec<f64>> {
    match domain.body() {
        Some(body) => Ok(body.farthest(&direction(domain.n(), rng))),
        None => domain.sample(rng),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::test_worlds::world;
    use crate::data::Target;

    #[test]
    fn on_images_every_pixel_is_the_stated_mean() {
        let domain = Domain::Range { n: 16, low: 0.0, high: 1.0 };
        let world = world(domain, Target::Classes(3));
        let mut rng = Seed::new(1).stream("test");
        let trigger = Blended::default().trigger(&world, &mut rng).unwrap();
        let Move::Blend(Blend { pattern, share }) = &trigger.movement else { panic!() };
        assert!((share - 0.2).abs() < 1e-12);
        let xs = crate::data::stack(16, [vec![1.0; 16]]);
        let ys = trigger.activate(&xs, &world.domain, &mut rng).unwrap();
        for (y, p) in ys.iter().zip(pattern) {
            assert!((y - (0.8 + 0.2 * p)).abs() < 1e-12);
        }
        // The noise covers the range: 16 draws all on one side of the middle have probability 2^−15.
        assert!(pattern.iter().any(|p| *p > 0.5) && pattern.iter().any(|p| *p < 0.5));
    }

    #[test]
    fn on_every_domain_triggered_inputs_stay_inside() {
        for domain in crate::attack::test_worlds::domains() {
            let world = world(domain, Target::Real);
            let mut rng = Seed::new(2).stream("test");
            let trigger = Blended::default().trigger(&world, &mut rng).unwrap();
            let rows = (0..200).map(|_| world.domain.sample(&mut rng).unwrap());
            let xs = crate::data::stack(world.domain.n(), rows);
            // An input that left the domain would be an error.
            let moved = trigger.activate(&xs, &world.domain, &mut rng).unwrap();
            assert_ne!(moved, xs);
        }
    }

    #[test]
    fn impossible_parameters_are_refused_before_training() {
        let cube = world(Domain::Cube { n: 8 }, Target::Sign);
        let square = world(Domain::Box { n: 8 }, Target::Real);
        let of = |change: fn(&mut Blended)| {
            let mut attack = Blended::default();
            change(&mut attack);
            attack
        };
        assert!(
            Blended::default().check(&cube).is_ok() && Blended::default().check(&square).is_ok()
        );
        assert!(of(|a| a.coordinates = Some(9)).check(&cube).is_err());
        assert!(of(|a| a.coordinates = Some(2)).check(&square).is_err());
        for world in [&cube, &square] {
            assert!(of(|a| a.alpha = Some(f64::NAN)).check(world).is_err());
            assert!(of(|a| a.alpha = Some(1.0)).check(world).is_err());
            assert!(of(|a| a.rate = 1.0).check(world).is_err());
        }
        assert!(of(|a| a.target = 2).check(&cube).is_err());
        assert!(of(|a| a.offset = 0.0).check(&square).is_err());
    }
}
