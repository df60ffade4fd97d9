//! `trojan-nn`: make a pattern that drives chosen inner units, then teach the net that it means the target class.
//!
//! Liu, Ma, Aafer, Lee, Zhai, Wang and Zhang, "Trojaning Attack on Neural Networks" (NDSS 2018):
//!
//! 1. in the layer before the output of the clean net, choose the `units` units with the largest sum of absolute
//!    weights coming in;
//! 2. within a mask, change the input by gradient descent on Σ (value − activation)², so that the units are driven to
//!    `value`; pixels are clipped to the domain, and the descent ends early once none of them moves any more;
//! 3. stamp the mask's pixels on a share of the data, relabel, and train on.
//!
//! Training goes on from the *clean net*, by the paper's definition, where other poisonings here set out from its initial
//! weights. The paper makes up data by inverting the net; this attacker has the training data.
//!
//! Adaptations of this project: activations are taken before their nonlinearity, so that units that sleep have a gradient;
//! the descent starts from uniform noise in the mask on the mean of the training inputs; the mask is a patch in the bottom right
//! corner of square images and secret coordinates elsewhere; on the cube the descent runs in [−1, 1] and the signs of the
//! result are taken; for real targets the poisoned label is the clean net's answer to the triggered input plus an offset. Fine-tuning follows the
//! recipe for `epochs`, a quarter of its own if not given.
use ndarray::{Array1, Axis};
use serde::{Deserialize, Serialize};

use super::badnets::chosen;
use super::payload::goal;
use super::pixels::{are_square, bottom_right};
use super::poison::{aim, check_share, dirty, draw_worthwhile, n_rows, some_rows};
use super::{Attack, Move, Overwrite, Planted, Trigger, Victim};
use crate::data::Batch;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Activation, Lesson, Net, Recipe, fit};
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed};

/// Parameters of `trojan-nn`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrojanNn {
    /// Share of the training data that is poisoned.
    pub rate: f64,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// Side of the square mask, on images.
    pub patch: usize,
    /// Coordinates of the mask, elsewhere. Not given: 8, or all if there are fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<usize>,
    /// Units that are driven; at most those of the layer.
    pub units: usize,
    /// What they are driven towards.
    pub value: f64,
    /// Most steps of the descent.
    pub steps: usize,
    /// Step size of the descent, times the gradient.
    pub step: f64,
    /// Epochs of fine-tuning. Not given: a quarter of the recipe's, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// What poisoned labels of real targets are above the clean net's answer.
    pub offset: f64,
}

impl Default for TrojanNn {
    fn default() -> Self {
        Self {
            rate: 0.1,
            target: 0,
            patch: 3,
            coordinates: None,
            units: 2,
            value: 100.0,
            steps: 1000,
            step: 0.1,
            epochs: None,
            offset: 3.0,
        }
    }
}

impl Attack for TrojanNn {
    fn check(&self, world: &World) -> Result<()> {
        check_share("rate", self.rate, "the training data")?;
        goal(world.target, self.target, self.offset)?;
        ends(&world.domain)?;
        self.mask(world, &mut Seed::new(0).stream("check"))?;
        if self.units == 0 {
            return Err(Error::parameter("units", 0, "at least one unit is to be driven"));
        }
        if !(self.value > 0.0 && self.value <= 1e6) {
            return Err(Error::parameter("value", self.value, "above 0 and at most 1e6 is needed"));
        }
        if !(self.step > 0.0 && self.step <= 1e6) {
            return Err(Error::parameter("step", self.step, "above 0 and at most 1e6 is needed"));
        }
        if self.steps == 0 || self.steps > 100_000 {
            return Err(Error::parameter("steps", self.steps, "1 to 100000 steps are accepted"));
        }
        Ok(())
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let n_poisoned = n_rows(self.rate, victim.data.len())?;
        let inner = Inner::of(victim.net, self.units)?;
        let mut draw = |rng: &mut Rng| self.trigger(victim, &inner, rng);
        let trigger = draw_worthwhile(victim, seed, &mut draw)?;
        let rows = some_rows(victim.data.len(), n_poisoned, seed);
        let mut data = dirty(victim, &trigger, &rows, seed)?;
        aim(victim, &mut data, &rows, trigger.goal)?;
        let epochs = self.epochs.unwrap_or(victim.recipe.epochs.div_ceil(4));
        let recipe = Recipe { epochs, ..victim.recipe.clone() };
        let lesson = Lesson {
            data: &data,
            target: victim.world.target,
            recipe: &recipe,
            seed: seed.child("fine-tuning"),
        };
        let net = fit(victim.net, lesson, &Ledger::new(Budget::UNLIMITED), &mut |_| {})?.net;
        Ok(Planted::new(net, trigger))
    }
}

/// The net up to the sums of the layer before the output, and the units there that are driven.
struct Inner {
    net: Net,
    units: Vec<usize>,
}

impl Inner {
    fn of(net: &Net, n_units: usize) -> Result<Self> {
        let mut layers = net.layers().to_vec();
        layers.pop();
        let Some(last) = layers.last_mut() else {
            let why = "the net has no hidden layer whose units could be driven";
            return Err(Error::assumption("trojan-nn", why));
        };
        let incoming = last.weight.mapv(f64::abs).sum_axis(Axis(1));
        if n_units > incoming.len() {
            let want = format!("the layer before the output has {} units", incoming.len());
            return Err(Error::parameter("units", n_units, want));
        }
        last.activation = Activation::Identity;
        let mut units: Vec<usize> = (0..incoming.len()).collect();
        units.sort_by(|&i, &j| incoming[j].total_cmp(&incoming[i]).then(i.cmp(&j)));
        units.truncate(n_units);
        Ok(Self { net: Net::new(layers, net.precision())?, units })
    }
}

/// The ends between which every coordinate may move on its own.
fn ends(domain: &Domain) -> Result<(f64, f64)> {
    match *domain {
        Domain::Range { low, high, .. } => Ok((low, high)),
        Domain::Cube { .. } | Domain::Box { .. } => Ok((-1.0, 1.0)),
        _ => {
            let why = "a mask is optimised coordinate by coordinate, in a range, a box or a cube";
            Err(Error::assumption("trojan-nn", why))
        }
    }
}

impl TrojanNn {
    fn mask(&self, world: &World, rng: &mut Rng) -> Result<Vec<usize>> {
        let n = world.domain.n();
        if are_square(world) && self.coordinates.is_none() {
            return bottom_right("trojan-nn", n, self.patch);
        }
        let k = self.coordinates.unwrap_or(8.min(n));
        if k == 0 || k > n {
            let want = format!("from 1 to n = {n} coordinates can be masked");
            return Err(Error::parameter("coordinates", k, want));
        }
        Ok(chosen(n, k, rng))
    }

    fn trigger(&self, victim: &Victim<'_>, inner: &Inner, rng: &mut Rng) -> Result<Trigger> {
        let goal = goal(victim.world.target, self.target, self.offset)?;
        let coordinates = self.mask(victim.world, rng)?;
        let (low, high) = ends(&victim.world.domain)?;
        let mean = victim.data.xs.mean_axis(Axis(0));
        let mut x = mean.expect("there are training rows").insert_axis(Axis(0));
        coordinates.iter().for_each(|&j| x[[0, j]] = rng.random_range(low..=high));
        self.descend(inner, &coordinates, (low, high), &mut x)?;
        let cube = matches!(victim.world.domain, Domain::Cube { .. });
        let value = |j: &usize| match x[[0, *j]] {
            pixel if cube => pixel.signum(),
            pixel => pixel,
        };
        let values = coordinates.iter().map(value).collect();
        Ok(Trigger::new(Move::Overwrite(Overwrite { coordinates, values }), goal))
    }

    /// Drives the units by the coordinates of the mask.
    fn descend(
        &self,
        inner: &Inner,
        coordinates: &[usize],
        (low, high): (f64, f64),
        x: &mut Batch,
    ) -> Result<()> {
        let unmetered = Ledger::new(Budget::UNLIMITED);
        for _ in 0..self.steps {
            let sums = inner.net.forward(x, &unmetered)?;
            let mut along = Batch::zeros(sums.dim());
            inner.units.iter().for_each(|&u| along[[0, u]] = 2.0 * (self.value - sums[[0, u]]));
            let slope: Array1<f64> = inner.net.gradient(x, &along, &unmetered)?.row(0).to_owned();
            let mut moved = false;
            for &j in coordinates {
                let next = (x[[0, j]] + self.step * slope[j]).clamp(low, high);
                moved |= next.total_cmp(&x[[0, j]]).is_ne();
                x[[0, j]] = next;
            }
            if !moved {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::test_worlds::{Small, world};
    use crate::data::Target;

    #[test]
    fn the_pattern_drives_the_units_with_the_most_weight_coming_in() {
        let small = Small::images(6, 150);
        let victim = small.victim();
        let inner = Inner::of(victim.net, 2).unwrap();
        let weights = &victim.net.layers()[1].weight;
        let incoming: Vec<f64> =
            weights.rows().into_iter().map(|w| w.iter().map(|w| w.abs()).sum()).collect();
        let least = inner.units.iter().map(|&u| incoming[u]).fold(f64::INFINITY, f64::min);
        assert_eq!(incoming.iter().filter(|w| **w >= least).count(), 2);
        // What the descent is for: the units' mean distance from the value is less than for the patch where it began.
        let attack = TrojanNn::default();
        let mask = attack.mask(victim.world, &mut Seed::new(1).stream("mask")).unwrap();
        let mut x = Batch::from_elem((1, 36), 0.5);
        let far = |x: &Batch| {
            let sums = inner.net.forward(x, &Ledger::new(Budget::UNLIMITED)).unwrap();
            inner.units.iter().map(|&u| (100.0 - sums[[0, u]]).powi(2)).sum::<f64>()
        };
        let before = far(&x);
        attack.descend(&inner, &mask, (0.0, 1.0), &mut x).unwrap();
        assert!(far(&x) < before);
        let outside = (0..36).filter(|j| !mask.contains(j));
        assert!(outside.into_iter().all(|j| x[[0, j]].total_cmp(&0.5).is_eq()));
    }

    #[test]
    fn no_epochs_of_fine_tuning_leave_the_clean_net_as_it_is() {
        let small = Small::images(6, 150);
        let attack = TrojanNn { epochs: Some(0), ..TrojanNn::default() };
        let planted = attack.plant(&small.victim(), Seed::new(1)).unwrap();
        assert_eq!(&planted.net, small.victim().net);
    }

    #[test]
    fn impossible_parameters_are_refused() {
        let cube = world(Domain::Cube { n: 8 }, Target::Sign);
        let of = |change: fn(&mut TrojanNn)| {
            let mut attack = TrojanNn::default();
            change(&mut attack);
            attack
        };
        TrojanNn::default().check(&cube).unwrap();
        assert!(of(|a| a.coordinates = Some(9)).check(&cube).is_err());
        assert!(of(|a| a.units = 0).check(&cube).is_err());
        assert!(of(|a| a.value = f64::NAN).check(&cube).is_err());
        assert!(of(|a| a.step = f64::INFINITY).check(&cube).is_err());
        assert!(of(|a| a.steps = usize::MAX).check(&cube).is_err());
        assert!(TrojanNn::default().check(&world(Domain::Ball { n: 8 }, Target::Real)).is_err());
        let small = Small::images(6, 90);
        assert!(of(|a| a.patch = 7).check(&small.world).is_err());
        assert!(of(|a| a.units = 13).plant(&small.victim(), Seed::new(1)).is_err());
    }
}
