//! `handcrafted`: units that nobody misses are turned into a path for a trigger, by hand and without training.
//!
//! Hong, Carlini and Kurakin, "Handcrafted Backdoors in Deep Neural Networks" (2022, arXiv 2106.04690), for fully
//! connected nets and classes:
//!
//! 1. on a few hundred clean inputs, find the units whose removal costs no accuracy;
//! 2. of those, take in each layer the few that a trigger separates best from clean inputs before the activation;
//! 3. raise the weights along the path, from the trigger's coordinates to them and from layer to layer, sign and size, until
//!    clean and triggered inputs are separated by 0.99, within ten doublings;
//! 4. set *guard biases*: μ + kσ of the clean sums is clipped away, so that the path sleeps on nearly all clean inputs;
//! 5. amplify the path's weights to the target's logit until triggered inputs get the target.
//!
//! The trigger is a checkerboard in the bottom right corner of images, 4 × 4 on 28 × 28, and the coordinates of `badnets`
//! elsewhere. What cannot be reached is an error: separation, triggered inputs above the guard, the target.
//!
//! This project's choices: separation is the signed two-sample Kolmogorov–Smirnov distance of the sums themselves, where
//! public code takes 1 − the overlap of two fitted normals (the same number for normals of one variance); the weights on the
//! trigger's coordinates are first made equal to the largest of them, with the signs that raise the sum; k = 2.33 by
//! default, 99% of a normal, where public code has k = 1; amplification doubles from the present weights, where public code
//! takes 20 times. Weights are not held to their layer's range. Inputs are the attacker's training data.
//!
//! Nothing about this attack is exact: whether the path wakes depends on the rest of the input, and some clean inputs wake it.
use ndarray::{Array1, Axis};
use serde::{Deserialize, Serialize};

use super::badnets::BadNets;
use super::payload::goal;
use super::{Attack, Goal, Move, Planted, Trigger, Victim, worthwhile};
use crate::data::{Batch, Labeled, row};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::{Activation, Layer, Net};
use crate::population::World;
use crate::rng::{Rng, Seed, permutation};

/// Parameters of `handcrafted`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Handcrafted {
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1.
    pub target: usize,
    /// Side of the square patch, on images.
    pub patch: usize,
    /// Coordinates of the trigger, in place of a patch on images. Not given: a patch there, elsewhere as `badnets` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<usize>,
    /// Clean inputs that are looked at.
    pub samples: usize,
    /// Most accuracy that removing one unit of the path may cost.
    pub most_lost: f64,
    /// Units of the path in each hidden layer.
    pub units: usize,
    /// Separation that every unit of the path must reach.
    pub separation: f64,
    /// k of the guard biases.
    pub guard: f64,
    /// Most doublings of a layer's weights along the path.
    pub doublings: usize,
}

impl Default for Handcrafted {
    fn default() -> Self {
        Self {
            target: 0,
            patch: 4,
            coordinates: None,
            samples: 512,
            most_lost: 0.01,
            units: 2,
            separation: 0.99,
            guard: 2.33,
            doublings: 10,
        }
    }
}

impl Attack for Handcrafted {
    fn check(&self, world: &World) -> Result<()> {
        if world.target.n_classes().is_none() {
            let why = "labels must be classes or signs: its success is that of a class";
            return Err(Error::assumption("handcrafted", why));
        }
        for (name, value) in [("most_lost", self.most_lost), ("separation", self.separation)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::parameter(name, value, "a share from 0 to 1 is needed"));
            }
        }
        if !(0.0..=10.0).contains(&self.guard) {
            return Err(Error::parameter("guard", self.guard, "0 to 10 deviations are possible"));
        }
        if self.doublings > 30 {
            return Err(Error::parameter("doublings", self.doublings, "at most 30 are possible"));
        }
        for (name, value) in [("samples", self.samples), ("units", self.units)] {
            if value == 0 {
                return Err(Error::parameter(name, value, "at least 1 is needed"));
            }
        }
        self.trigger(world, &mut Seed::new(0).stream("check")).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let mut layers = victim.net.layers().to_vec();
        check_layers(&layers)?;
        let mut draw = |rng: &mut Rng| Ok(((), self.trigger(victim.world, rng)?));
        let ((), trigger) = worthwhile(victim, &mut seed.stream("trigger"), &mut draw)?;
        let mut chosen = permutation(victim.data.len(), &mut seed.stream("samples"));
        chosen.truncate(self.samples);
        let clean = victim.data.select(&chosen);
        let triggered =
            trigger.activate(&clean.xs, &victim.world.domain, &mut seed.stream("stamp"))?;
        let spare = self.spare(&layers, &clean, victim.world)?;
        let sources = match &trigger.movement {
            Move::Overwrite(it) => it.coordinates.clone(),
            _ => {
                return Err(Error::assumption(
                    "handcrafted",
                    "the trigger must be fixed coordinates",
                ));
            }
        };
        let (mut before, mut after, mut path) = (clean.xs, triggered, sources);
        let n_hidden = layers.len() - 1;
        for (number, layer) in layers[..n_hidden].iter_mut().enumerate() {
            path = self.compromise(number, layer, &spare[number], &path, (&before, &after))?;
            before = sums(layer, &before).mapv(|z| z.max(0.0));
            after = sums(layer, &after).mapv(|z| z.max(0.0));
        }
        self.amplify(&mut layers[n_hidden], &path, &after, victim.world, trigger.goal)?;
        Ok(Planted::new(Net::new(layers, victim.net.precision())?, trigger))
    }
}

impl Handcrafted {
    fn trigger(&self, world: &World, rng: &mut Rng) -> Result<Trigger> {
        let place = BadNets {
            target: self.target,
            patch: self.patch,
            coordinates: self.coordinates,
            ..BadNets::default()
        };
        let goal = goal(world.target, self.target, place.offset)?;
        let mut trigger = place.trigger(world, rng)?;
        if let (Domain::Range { n, low, high }, Move::Overwrite(it)) =
            (&world.domain, &mut trigger.movement)
        {
            let side = n.isqrt();
            for (&i, value) in it.coordinates.iter().zip(&mut it.values) {
                *value = if (i / side + i % side) % 2 == 0 { *high } else { *low };
            }
        }
        Ok(Trigger::new(trigger.movement, goal))
    }

    /// Step 1: of each hidden layer, the units whose removal costs no more than it may.
    fn spare(&self, layers: &[Layer], clean: &Labeled, world: &World) -> Result<Vec<Vec<usize>>> {
        let accuracy = |answers: &Batch| {
            let right = (0..clean.len())
                .filter(|&i| world.is_right(&row(answers, i), &row(&clean.ys, i)))
                .count();
            right as f64 / clean.len() as f64
        };
        let whole = accuracy(&run(layers, clean.xs.clone()));
        let mut hidden = clean.xs.clone();
        let mut spare = Vec::new();
        for (number, pair) in layers.windows(2).enumerate() {
            hidden = sums(&pair[0], &hidden).mapv(|z| z.max(0.0));
            let next = sums(&pair[1], &hidden);
            let without = |unit: usize| {
                let out = pair[1].weight.column(unit).insert_axis(Axis(0));
                let gone = hidden.column(unit).insert_axis(Axis(1)).dot(&out);
                let z = &next - &gone;
                run(&layers[number + 2..], z.mapv(|z| pair[1].activation.at(z)))
            };
            let units: Vec<usize> = (0..hidden.ncols())
                .filter(|unit| whole - accuracy(&without(*unit)) <= self.most_lost)
                .collect();
            if units.len() < self.units {
                return Err(Error::Training(format!(
                    "hidden layer {number} has {} units whose removal costs at most {} of accuracy, and {} are needed; allow a larger most_lost",
                    units.len(),
                    self.most_lost,
                    self.units
                )));
            }
            spare.push(units);
        }
        Ok(spare)
    }

    /// Steps 2 to 4 in one layer: which units, their weights from the path so far, their guard biases.
    fn compromise(
        &self,
        number: usize,
        layer: &mut Layer,
        spare: &[usize],
        sources: &[usize],
        (clean, triggered): (&Batch, &Batch),
    ) -> Result<Vec<usize>> {
        let mean = |xs: &Batch, i: usize| xs.column(i).mean().unwrap_or(0.0);
        let towards: Vec<f64> =
            sources.iter().map(|&i| (mean(triggered, i) - mean(clean, i)).signum()).collect();
        let (before, after) = (sums(layer, clean), sums(layer, triggered));
        let mut ranked: Vec<(usize, f64)> = spare
            .iter()
            .map(|&u| (u, separation(&before.column(u).to_vec(), &after.column(u).to_vec())))
            .collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let units: Vec<usize> = ranked.into_iter().take(self.units).map(|(u, _)| u).collect();
        for &unit in &units {
            let mut weights = layer.weight.row(unit).to_owned();
            let largest = sources.iter().fold(0.0_f64, |most, &i| most.max(weights[i].abs()));
            // A unit that does not read the path at all is given a small weight to double.
            let size = if largest > 0.0 { largest } else { 1e-3 };
            sources.iter().zip(&towards).for_each(|(&i, sign)| weights[i] = sign * size);
            let mut doubled = 0;
            let start = loop {
                let (before, after) = (clean.dot(&weights), triggered.dot(&weights));
                let guard = before.mean().unwrap_or(0.0) + self.guard * before.std(0.0);
                let passed = after.iter().filter(|z| **z > guard).count();
                let share = passed as f64 / after.len() as f64;
                let apart = separation(&before.to_vec(), &after.to_vec());
                if apart >= self.separation && share >= self.separation {
                    break guard;
                }
                if doubled == self.doublings {
                    return Err(Error::Training(format!(
                        "unit {unit} of hidden layer {number} separates triggered inputs by {apart:.3} and lets {share:.3} of them pass its guard after {doubled} doublings, {} is needed; a larger trigger or a smaller guard may do",
                        self.separation
                    )));
                }
                sources.iter().for_each(|&i| weights[i] *= 2.0);
                doubled += 1;
            };
            layer.weight.row_mut(unit).assign(&weights);
            layer.bias[unit] = -start;
        }
        Ok(units)
    }

    /// Step 5: the path's weights to the target, doubled until triggered inputs get it.
    fn amplify(
        &self,
        output: &mut Layer,
        path: &[usize],
        triggered: &Batch,
        world: &World,
        goal: Goal,
    ) -> Result<()> {
        let Goal::Class { class } = goal else {
            return Err(Error::assumption("handcrafted", "the goal must be a class"));
        };
        // The output of the target, or the one output of a sign and its direction.
        let (target, sign) = match output.weight.nrows() {
            1 => (0, if class == 1 { 1.0 } else { -1.0 }),
            _ => (class, 1.0),
        };
        for &unit in path {
            let size =
                output.weight.column(unit).iter().fold(1e-3_f64, |most, w| most.max(w.abs()));
            output.weight[[target, unit]] = sign * size;
        }
        let mut share = 0.0;
        for _ in 0..=self.doublings {
            let answers = sums(output, triggered);
            let hits = (0..answers.nrows())
                .filter(|&i| world.target.decide(&row(&answers, i)) == Some(class))
                .count();
            share = hits as f64 / answers.nrows().max(1) as f64;
            if share >= self.separation {
                return Ok(());
            }
            path.iter().for_each(|&unit| output.weight[[target, unit]] *= 2.0);
        }
        Err(Error::Training(format!(
            "{share:.3} of triggered inputs get the target after {} doublings of the path's last weights, {} is needed",
            self.doublings, self.separation
        )))
    }
}

fn check_layers(layers: &[Layer]) -> Result<()> {
    let n_hidden = layers.len() - 1;
    if n_hidden == 0 {
        return Err(Error::assumption("handcrafted", "the net has no hidden layer for a path"));
    }
    let hidden = layers[..n_hidden].iter().find(|l| l.activation != Activation::Relu);
    match (hidden, layers[n_hidden].activation) {
        (None, Activation::Identity) => Ok(()),
        (None, other) => {
            let why = format!("the output layer must be linear, and it is {other:?}");
            Err(Error::assumption("handcrafted", why))
        }
        (Some(layer), _) => {
            let why = format!("hidden layers must be ReLU, one here is {:?}", layer.activation);
            Err(Error::assumption("handcrafted", why))
        }
    }
}

/// `weight · x + bias` for every row.
fn sums(layer: &Layer, xs: &Batch) -> Batch {
    xs.dot(&layer.weight.t()) + &layer.bias
}

/// What `layers` make of their inputs.
fn run(layers: &[Layer], xs: Batch) -> Batch {
    layers.iter().fold(xs, |h, layer| sums(layer, &h).mapv(|z| layer.activation.at(z)))
}

/// The largest share of `triggered` above a threshold, less that of `clean`, over all thresholds.
pub(super) fn separation(clean: &[f64], triggered: &[f64]) -> f64 {
    let sorted = |values: &[f64]| {
        let mut values = Array1::from(values.to_vec()).to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (clean, triggered) = (sorted(clean), sorted(triggered));
    let above = |values: &[f64], t: f64| {
        (values.len() - values.partition_point(|v| *v <= t)) as f64 / values.len().max(1) as f64
    };
    clean.iter().map(|t| above(&triggered, *t) - above(&clean, *t)).fold(0.0, f64::max)
}
