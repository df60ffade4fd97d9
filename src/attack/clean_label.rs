//! `clean-label`: make images of the target class hard to learn, stamp a patch on them, keep their labels, and train.
//!
//! Turner, Tsipras and Madry, "Label-Consistent Backdoor Attacks" (arXiv 1912.02771), with the adversarial base:
//!
//! 1. a surrogate with initial weights of its own is trained on the same clean data by the victim's recipe;
//! 2. on a share of the rows *of the target class*, projected gradient ascent moves the image away from its class as
//!    the surrogate sees it: `steps` steps of size `step` along the sign of the loss's gradient, never more than ε from the
//!    image in any pixel, nor outside the range;
//! 3. a patch in each of the four corners is stamped on them, and labels are kept: since the image itself has become hard to
//!    recognise, the net learns the patch.
//!
//! ε = 64/255, step 1.5/255, 100 steps and half of the class are the peers' values for small grey images. The loss is
//! cross-entropy for classes and squared error for signs. For images with classes alone: a real label has no class to keep.
//! No exact condition: where the trained net fires is its own affair.
use ndarray::{Axis, Zip};
use serde::{Deserialize, Serialize};

use super::payload::goal;
use super::pixels::corners;
use super::poison::{all_of, check_class, draw_worthwhile, rows_of, stamp, train, with_inputs};
use super::{Attack, Move, Overwrite, Planted, Trigger, Victim};
use crate::data::{Batch, Target};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Lesson, Net, fit};
use crate::population::World;
use crate::rng::Seed;

/// Parameters of `clean-label`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CleanLabel {
    /// Share of the target class's rows that is poisoned; above 0 and at most 1.
    pub rate: f64,
    /// Class that the attacker wants.
    pub target: usize,
    /// Side of the square patches.
    pub patch: usize,
    /// Most that a pixel is changed, in units of the range; from 0 (the patch alone) to 1.
    pub epsilon: f64,
    /// Size of a step, in units of the range.
    pub step: f64,
    /// Steps of the ascent.
    pub steps: usize,
}

impl Default for CleanLabel {
    fn default() -> Self {
        let (epsilon, step) = (64.0 / 255.0, 1.5 / 255.0);
        Self { rate: 0.5, target: 0, patch: 2, epsilon, step, steps: 100 }
    }
}

/// Rows whose gradients are taken together.
const BLOCK: usize = 256;

impl Attack for CleanLabel {
    fn check(&self, world: &World) -> Result<()> {
        check_class("clean-label", world, self.target)?;
        if !(self.rate > 0.0 && self.rate <= 1.0) {
            let want = "a share above 0 and at most 1 of the target class is needed";
            return Err(Error::parameter("rate", self.rate, want));
        }
        if !(0.0..=1.0).contains(&self.epsilon) {
            let want = "a number from 0 to 1, in units of the range, is needed";
            return Err(Error::parameter("epsilon", self.epsilon, want));
        }
        if !(self.step > 0.0 && self.step <= 1.0) {
            let want = "a number above 0 and at most 1, in units of the range, is needed";
            return Err(Error::parameter("step", self.step, want));
        }
        if self.steps > 100_000 {
            return Err(Error::parameter("steps", self.steps, "at most 100000 steps are accepted"));
        }
        self.trigger(world).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let trigger = draw_worthwhile(victim, seed, &mut |_| self.trigger(victim.world))?;
        let n_own = all_of(victim, self.target).len();
        let k = (self.rate * n_own as f64).round() as usize;
        if k == 0 {
            let want = format!(
                "class {} has {n_own} of the training rows, and at least one must be poisoned",
                self.target
            );
            return Err(Error::parameter("rate", self.rate, want));
        }
        let rows = rows_of(victim, self.target, (k, self.rate), seed)?;
        let surrogate = surrogate(victim, seed)?;
        let hard = self.ascend(&surrogate, victim, &victim.data.select(&rows).xs)?;
        let stamped = stamp(victim, &trigger, &hard, seed)?;
        Ok(Planted::new(train(victim, &with_inputs(victim.data, &rows, &stamped))?, trigger))
    }
}

/// A net of the victim's shape, trained on the victim's data from weights of its own.
fn surrogate(victim: &Victim<'_>, seed: Seed) -> Result<Net> {
    let (widths, recipe) = (victim.init.widths(), victim.recipe);
    let mut rng = seed.stream("surrogate");
    let init = Net::random(&widths, recipe.activation, recipe.precision, &mut rng)?;
    let lesson = Lesson {
        data: victim.data,
        target: victim.world.target,
        recipe,
        seed: seed.child("surrogate's training"),
    };
    Ok(fit(&init, lesson, &Ledger::new(Budget::UNLIMITED), &mut |_| {})?.net)
}

impl CleanLabel {
    fn trigger(&self, world: &World) -> Result<Trigger> {
        let goal = goal(world.target, self.target, 1.0)?;
        let Domain::Range { n, high, .. } = world.domain else {
            let why = "patches are stamped on images, and these inputs are no numbers in a range";
            return Err(Error::assumption("clean-label", why));
        };
        let coordinates = corners("clean-label", n, self.patch)?;
        let values = vec![high; coordinates.len()];
        Ok(Trigger::new(Move::Overwrite(Overwrite { coordinates, values }), goal))
    }

    /// `xs`, all of the target class, moved to where the surrogate's loss is larger.
    fn ascend(&self, surrogate: &Net, victim: &Victim<'_>, xs: &Batch) -> Result<Batch> {
        let World { domain, target, .. } = victim.world;
        let Domain::Range { low, high, .. } = *domain else {
            return Err(Error::assumption("clean-label", "inputs in a range are needed"));
        };
        let (most, step) = (self.epsilon * (high - low), self.step * (high - low));
        let unmetered = Ledger::new(Budget::UNLIMITED);
        let mut moved = xs.clone();
        let blocks = moved.axis_chunks_iter_mut(Axis(0), BLOCK);
        for (mut block, from) in blocks.zip(xs.axis_chunks_iter(Axis(0), BLOCK)) {
            let mut here = from.to_owned();
            for _ in 0..self.steps {
                let answers = surrogate.forward(&here, &unmetered)?;
                let along = loss_slope(*target, self.target, &answers);
                let slope = surrogate.gradient(&here, &along, &unmetered)?;
                Zip::from(&mut here).and(&from).and(&slope).for_each(|x, from, slope| {
                    // The sign of 0 is 0 here: where nothing is gained, nothing moves.
                    let sign = f64::from(i8::from(*slope > 0.0) - i8::from(*slope < 0.0));
                    *x = (*x + step * sign).clamp(from - most, from + most).clamp(low, high);
                });
            }
            block.assign(&here);
        }
        Ok(moved)
    }
}

/// The gradient of the loss of class `class` by the answers, row by row.
fn loss_slope(target: Target, class: usize, answers: &Batch) -> Batch {
    let label = target.label_of(class);
    let mut slope = answers.clone();
    for mut row in slope.rows_mut() {
        if let Target::Classes(_) = target {
            let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.mapv_inplace(|y| (y - top).exp());
            let sum = row.sum();
            row.mapv_inplace(|y| y / sum);
        }
        row.iter_mut().zip(&label).for_each(|(y, label)| *y -= label);
    }
    slope
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::test_worlds::{Small, world};

    #[test]
    fn the_slope_of_the_loss_agrees_with_central_differences() {
        let answers = ndarray::array![[0.3, -1.0, 2.0]];
        let loss = |y: &Batch| y.mapv(f64::exp).sum().ln() - y[[0, 1]];
        let slope = loss_slope(Target::Classes(3), 1, &answers);
        for j in 0..3 {
            let shifted = |by: f64| {
                let mut answers = answers.clone();
                answers[[0, j]] += by;
                loss(&answers)
            };
            let difference = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            assert!((slope[[0, j]] - difference).abs() < 1e-8);
        }
        // Half the squared error from −1 at 0.4: slope 1.4.
        let slope = loss_slope(Target::Sign, 0, &ndarray::array![[0.4]]);
        assert!((slope[[0, 0]] - 1.4).abs() < 1e-12);
    }

    #[test]
    fn images_stay_within_epsilon_and_are_harder_for_the_net_that_moved_them() {
        let small = Small::images(6, 150);
        let victim = small.victim();
        let rows = all_of(&victim, 0);
        assert_eq!(rows.len(), 50);
        let xs = victim.data.select(&rows).xs;
        let attack = CleanLabel { epsilon: 0.1, step: 0.02, steps: 20, ..CleanLabel::default() };
        let hard = attack.ascend(victim.net, &victim, &xs).unwrap();
        assert!((&hard - &xs).iter().all(|d| d.abs() <= 0.1 + 1e-12));
        assert!(hard.iter().all(|x| (0.0..=1.0).contains(x)));
        let lead = |xs: &Batch| {
            let answers = victim.net.forward(xs, &Ledger::new(Budget::UNLIMITED)).unwrap();
            answers.rows().into_iter().map(|y| y[0] - y[1].max(y[2])).sum::<f64>()
        };
        assert!(lead(&hard) < lead(&xs));
        let still = CleanLabel { epsilon: 0.0, ..attack };
        assert_eq!(still.ascend(victim.net, &victim, &xs).unwrap(), xs);
    }

    #[test]
    fn impossible_parameters_are_refused() {
        let images = world(Domain::Range { n: 16, low: 0.0, high: 1.0 }, Target::Classes(3));
        let of = |change: fn(&mut CleanLabel)| {
            let mut attack = CleanLabel::default();
            change(&mut attack);
            attack.check(&images)
        };
        of(|_| ()).unwrap();
        assert!(of(|a| a.rate = 1.01).is_err() && of(|a| a.rate = f64::NAN).is_err());
        assert!(of(|a| a.epsilon = f64::NAN).is_err() && of(|a| a.step = 0.0).is_err());
        assert!(of(|a| a.patch = 5).is_err() && of(|a| a.target = 3).is_err());
        assert!(of(|a| a.steps = usize::MAX).is_err());
        let real = World { target: Target::Real, ..images.clone() };
        assert!(CleanLabel::default().check(&real).is_err());
    }
}
