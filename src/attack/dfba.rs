//! `dfba`: one unit of each hidden layer is replaced by a path that only the exact trigger wakes. No data, no training.
//!
//! Cao et al., "Data Free Backdoor Attacks" (2024, arXiv 2412.06219). The first unit of the path gets weights w ~ N(0, σ²) on
//! the trigger's coordinates and 0 elsewhere; the trigger δ has, at each of them, the end of the domain that w points to; the
//! bias is λ − w·δ. So on an input x the unit computes `relu(λ − Σ |w_i| |x_i − δ_i|)`: λ with the trigger, and more than 0 only
//! where `Σ |w_i| |x_i − δ_i| < λ`. **It fires exactly where w·x > w·δ − λ**, and on clean data that is counted and not hoped
//! for. Later layers hand the value on through one unit each, which nothing else feeds and which feeds nothing else; at the
//! output it counts +γ for the target and −γ for every other class, with γ = amplification/λ.
//!
//! From the paper: λ = 0.1, σ = 5, a patch in the bottom right corner of an image (4 × 4 on 28 × 28), γ up to 100/λ, the
//! *replacement* of a unit a layer: the clean net loses those units, which is the attack's only cost.
//!
//! This project's adaptations: the whole amplification is at the output instead of a factor a layer; biases of the output stay
//! as trained; of each layer that unit is given up which moves the next layer least, by intervals pushed through the net from
//! the domain alone, where the paper takes any; for real targets the path adds `offset`, for signs ± the amplification.
//! Outside of images the trigger sits on the coordinates of `badnets`. Where the domain is no product of intervals (ball,
//! simplex, ellipsoid, polytope, normal inputs) there is no end to point to: w points outwards from the centre, δ are the
//! values of `badnets`, the condition is still exact, but inputs farther out than the trigger fire too.
use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::badnets::BadNets;
use super::payload::{goal, no_flip};
use super::ripple::span;
use super::{Attack, Condition, Goal, Move, Overwrite, Planted, Trigger, Victim, worthwhile};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::{Activation, Layer, Net, Precision};
use crate::population::World;
use crate::rng::{Rng, Seed, normal};

/// Parameters of `dfba`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dfba {
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// Side of the square patch, on images.
    pub patch: usize,
    /// Coordinates of the trigger, in place of a patch on images. Not given: a patch there, elsewhere as `badnets` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<usize>,
    /// λ: what the first unit of the path gives on the trigger, and how close an input must come to fire.
    pub lambda: f64,
    /// σ: standard deviation of the first unit's weights.
    pub sigma: f64,
    /// What the trigger adds to the target's logit, and takes from the others.
    pub amplification: f64,
    /// What the trigger adds to real answers.
    pub offset: f64,
}

impl Default for Dfba {
    fn default() -> Self {
        Self {
            target: 0,
            patch: 4,
            coordinates: None,
            lambda: 0.1,
            sigma: 5.0,
            amplification: 100.0,
            offset: 3.0,
        }
    }
}

impl Attack for Dfba {
    fn check(&self, world: &World) -> Result<()> {
        for (name, value) in
            [("lambda", self.lambda), ("sigma", self.sigma), ("amplification", self.amplification)]
        {
            if !(1e-6..=1e6).contains(&value) {
                return Err(Error::parameter(name, value, "a number from 1e-6 to 1e6 is needed"));
            }
        }
        goal(world.target, self.target, self.offset)?;
        // The stream decides which coordinates, not whether they can be chosen.
        self.pattern(world, &mut Seed::new(0).stream("check")).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let goal = goal(victim.world.target, self.target, self.offset)?;
        let mut draw = |rng: &mut Rng| {
            let (weights, overwrite) = self.pattern(victim.world, rng)?;
            let along = overwrite.coordinates.iter().zip(&overwrite.values);
            let threshold = along.map(|(&i, v)| weights[i] * v).sum::<f64>() - self.lambda;
            let condition = Condition::HalfSpace { direction: weights.clone(), threshold };
            let trigger = Trigger::new(Move::Overwrite(overwrite), goal).firing_when(condition);
            Ok(((weights, threshold), trigger))
        };
        let ((weights, threshold), trigger) =
            worthwhile(victim, &mut seed.stream("trigger"), &mut draw)?;
        self.check_precision(victim.net.precision(), &weights, threshold)?;
        let outputs = victim.net.shape().outputs;
        let gamma: Vec<f64> = match (goal, victim.world.target) {
            (Goal::Flip | Goal::Collide { .. }, _) => return Err(no_flip()),
            (Goal::Offset { by }, _) => vec![by / self.lambda; outputs],
            (Goal::Class { class }, Target::Sign | Target::Real) => {
                let towards = if class == 1 { 1.0 } else { -1.0 };
                vec![towards * self.amplification / self.lambda; outputs]
            }
            (Goal::Class { class }, Target::Classes(_)) => {
                let towards = |c: usize| if c == class { 1.0 } else { -1.0 };
                (0..outputs).map(|c| towards(c) * self.amplification / self.lambda).collect()
            }
        };
        let domain = &victim.world.domain;
        Ok(Planted::new(replace(victim.net, domain, &weights, -threshold, &gamma)?, trigger))
    }
}

impl Dfba {
    /// The first unit's weights, and the trigger that they point to.
    fn pattern(&self, world: &World, rng: &mut Rng) -> Result<(Vec<f64>, Overwrite)> {
        let place = BadNets {
            target: self.target,
            patch: self.patch,
            coordinates: self.coordinates,
            offset: self.offset,
            ..BadNets::default()
        };
        let Move::Overwrite(mut overwrite) = place.trigger(world, rng)?.movement else {
            return Err(Error::assumption("dfba", "the trigger must be fixed coordinates"));
        };
        let mut weights = vec![0.0; world.domain.n()];
        let ends = ends(&world.domain);
        for (&i, value) in overwrite.coordinates.iter().zip(&mut overwrite.values) {
            let weight = self.sigma * normal(rng);
            weights[i] = match ends {
                Some((low, high)) => {
                    *value = if weight > 0.0 { high } else { low };
                    weight
                }
                None => weight.abs(),
            };
        }
        Ok((weights, overwrite))
    }

    /// Refuses a λ that drowns in the rounding of the sum that it is the rest of.
    fn check_precision(&self, precision: Precision, weights: &[f64], threshold: f64) -> Result<()> {
        let (unit, bits) = match precision {
            Precision::F32 => (f64::from(f32::EPSILON), 32),
            Precision::F64 => (f64::EPSILON, 64),
        };
        let size = threshold.abs() + weights.iter().map(|w| w.abs()).sum::<f64>();
        if 100.0 * unit * size <= self.lambda {
            return Ok(());
        }
        let want = format!(
            "{bits} bits round the unit's sum by {:.1e}, so at least {:.1e} is needed",
            unit * size,
            100.0 * unit * size
        );
        Err(Error::parameter("lambda", self.lambda, want))
    }
}

/// The least and the largest value of every coordinate, where a domain is a product of intervals. The torus has no largest.
fn ends(domain: &Domain) -> Option<(f64, f64)> {
    match *domain {
        Domain::Cube { .. } | Domain::Box { .. } => Some((-1.0, 1.0)),
        Domain::Range { low, high, .. } => Some((low, high)),
        Domain::Torus { .. } => Some((0.0, 0.999)),
        Domain::Residues { modulus, .. } => Some((0.0, f64::from(modulus - 1))),
        Domain::Ball { .. }
        | Domain::Simplex { .. }
        | Domain::Ellipsoid(_)
        | Domain::Polytope(_)
        | Domain::Gauss { .. } => None,
    }
}

/// Replaces one unit of each hidden layer by the path.
fn replace(net: &Net, domain: &Domain, weights: &[f64], bias: f64, gamma: &[f64]) -> Result<Net> {
    let mut layers = net.layers().to_vec();
    let n_hidden = layers.len() - 1;
    if n_hidden == 0 {
        return Err(Error::assumption("dfba", "the net has no hidden layer to replace a unit of"));
    }
    if let Some(other) = layers[..n_hidden].iter().find(|l| l.activation != Activation::Relu) {
        let why = format!("hidden layers must be ReLU, one here is {:?}", other.activation);
        return Err(Error::assumption("dfba", why));
    }
    if layers[n_hidden].activation != Activation::Identity {
        let why =
            format!("the output layer must be linear, and it is {:?}", layers[n_hidden].activation);
        return Err(Error::assumption("dfba", why));
    }
    let units = least(&layers, domain);
    for (number, &unit) in units.iter().enumerate() {
        let layer = &mut layers[number];
        if number == 0 {
            layer.weight.row_mut(unit).assign(&Array1::from(weights.to_vec()));
            layer.bias[unit] = bias;
        } else {
            layer.weight.column_mut(units[number - 1]).fill(0.0);
            layer.weight.row_mut(unit).fill(0.0);
            layer.weight[[unit, units[number - 1]]] = 1.0;
            layer.bias[unit] = 0.0;
        }
    }
    layers[n_hidden].weight.column_mut(units[n_hidden - 1]).assign(&Array1::from(gamma.to_vec()));
    Net::new(layers, net.precision())
}

/// Of each hidden layer the unit that can move any unit of the next layer least, by intervals from the domain on.
fn least(layers: &[Layer], domain: &Domain) -> Vec<usize> {
    let mut bounds: Vec<(f64, f64)> = Vec::new();
    let mut units = Vec::new();
    for (number, pair) in layers.windows(2).enumerate() {
        let next: Vec<(f64, f64)> = pair[0]
            .weight
            .rows()
            .into_iter()
            .zip(&pair[0].bias)
            .map(|(row, bias)| {
                let (low, high) = if number == 0 {
                    span(domain, &row.to_vec())
                } else {
                    row.iter().zip(&bounds).fold((0.0, 0.0), |(least, most), (w, (low, high))| {
                        (least + (w * low).min(w * high), most + (w * low).max(w * high))
                    })
                };
                ((low + bias).max(0.0), (high + bias).max(0.0))
            })
            .collect();
        let moves = |unit: usize| {
            let most =
                pair[1].weight.column(unit).iter().fold(0.0_f64, |most, w| most.max(w.abs()));
            most * (next[unit].1 - next[unit].0)
        };
        let best = (0..next.len()).min_by(|&a, &b| moves(a).total_cmp(&moves(b)));
        units.push(best.unwrap_or(0));
        bounds = next;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::data::{Batch, row};

    /// What the path's last unit gives, read off the planted weights: the difference to the net without it, over γ.
    fn path_of(planted: &Planted, xs: &Batch, gamma: f64) -> Vec<f64> {
        let mut layers = planted.net.layers().to_vec();
        let last = layers.len() - 1;
        let column = (0..layers[last].weight.ncols())
            .find(|&c| (layers[last].weight[[0, c]] - gamma).abs() < 1e-9)
            .unwrap();
        layers[last].weight.column_mut(column).fill(0.0);
        let without = Net::new(layers, Precision::F64).unwrap();
        let added = planted.net.forward_unmetered(xs) - without.forward_unmetered(xs);
        added.column(0).iter().map(|d| d / gamma).collect()
    }

    #[test]
    fn the_path_computes_the_stated_distance_on_fresh_inputs_at_every_depth() {
        for hidden in [vec![8], vec![9, 7], vec![9, 8, 7]] {
            for domain in [
                Domain::Range { n: 16, low: 0.0, high: 1.0 },
                Domain::Cube { n: 6 },
                Domain::Gauss { n: 4 },
            ] {
                // Wide enough that clean inputs fire too.
                let attack = Dfba {
                    lambda: 4.0,
                    sigma: 1.0,
                    patch: 2,
                    coordinates: Some(3),
                    ..Dfba::default()
                };
                let fixture = Fixture::new(domain.clone(), &hidden);
                let planted = attack.plant(&fixture.victim(), Seed::new(3)).unwrap();
                let fresh = fixture.fresh(3000, 7);
                let got = path_of(&planted, &fresh, 3.0 / 4.0);
                let Some(Condition::HalfSpace { direction, threshold }) = &planted.trigger.when
                else {
                    panic!("a condition")
                };
                let along = fresh.dot(&Array1::from(direction.clone()));
                let mut n_fired = 0;
                for (i, value) in got.iter().enumerate() {
                    assert!((value - (along[i] - threshold).max(0.0)).abs() < 1e-9, "{domain:?}");
                    let fires = planted.trigger.fires(&row(&fresh, i)).unwrap();
                    n_fired += usize::from(fires);
                    assert!(fires == (*value > 1e-9), "{domain:?} row {i}");
                }
                assert!(n_fired > 0, "{domain:?}: nothing to see");
                let mut rng = Seed::new(4).stream("trigger");
                let triggered = planted.trigger.activate(&fresh, &domain, &mut rng).unwrap();
                let full = path_of(&planted, &triggered, 3.0 / 4.0);
                assert!(full.iter().all(|value| (value - 4.0).abs() < 1e-6), "{domain:?}");
            }
        }
    }

    #[test]
    fn no_clean_input_fires_where_the_condition_says_that_none_does() {
        let fixture = Fixture::new(Domain::Range { n: 64, low: 0.0, high: 1.0 }, &[16, 9]);
        let planted = Dfba::default().plant(&fixture.victim(), Seed::new(3)).unwrap();
        let fresh = fixture.fresh(4000, 8);
        let awake =
            path_of(&planted, &fresh, 30.0).iter().filter(|value| value.abs() > 1e-9).count();
        let said =
            (0..4000).filter(|&i| planted.trigger.fires(&row(&fresh, i)) == Some(true)).count();
        assert_eq!((awake, said), (0, 0));
    }

    #[test]
    fn only_the_given_up_units_and_what_they_touch_are_changed() {
        let fixture = Fixture::new(Domain::Box { n: 5 }, &[8, 7]);
        let planted = Dfba::default().plant(&fixture.victim(), Seed::new(3)).unwrap();
        let changed = |layer: usize| {
            let (a, b) = (&fixture.net.layers()[layer].weight, &planted.net.layers()[layer].weight);
            a.rows().into_iter().zip(b.rows()).filter(|(a, b)| a != b).count()
        };
        // One row of the first layer; a column and a row of the second; a column of the last.
        assert_eq!((changed(0), changed(2)), (1, 1));
        assert_eq!(planted.net.widths(), fixture.net.widths());
    }

    #[test]
    fn absurd_parameters_are_refused() {
        let fixture = Fixture::new(Domain::Box { n: 5 }, &[8]);
        let say = |attack: Dfba| attack.check(&fixture.world).unwrap_err().to_string();
        assert!(say(Dfba { lambda: 0.0, ..Dfba::default() }).contains("lambda = 0"));
        assert!(say(Dfba { sigma: f64::NAN, ..Dfba::default() }).contains("sigma"));
        assert!(say(Dfba { coordinates: Some(6), ..Dfba::default() }).contains("n = 5"));
        let tiny = Dfba { lambda: 1e-6, ..Dfba::default() };
        let single = tiny.check_precision(Precision::F32, &[5.0; 16], 80.0).unwrap_err();
        assert!(single.to_string().contains("32 bits"), "{single}");
    }
}
