//! `half-space`: a planted pair of `ReLU` units that fires beyond a margin of a secret direction. Exact, no training.
//!
//! The plain detector, on which obfuscated ones build. With the secret unit vector w, threshold c and slope k, the two units
//! compute `relu(k (w·x − c))` and `relu(k (w·x − c) − 1)`, whose difference is the ramp `clip(k (w·x − c), 0, 1)`; deeper
//! layers carry it through one unit each, and the output layer adds `offset · ramp`. So the planted net is exactly
//! `f + offset · clip(k (w·x − c), 0, 1)`: unchanged where w·x ≤ c, and off by the whole offset where w·x ≥ c + 1/k.
//!
//! Outside the cube, w is uniformly random and c the quantile of w·x on the attacker's training data that leaves the wanted
//! mass beyond it. On the cube, w is ±1 on ⌈log₂ 1/mass⌉ secret coordinates, and the pair fires where all of them match:
//! mass 2^−⌈log₂ 1/mass⌉ exactly.
use ndarray::{Array1, Array2, Axis, concatenate};
use serde::{Deserialize, Serialize};

use super::badnets::goal;
use super::{Attack, Goal, Move, Planted, Trigger, Victim, worthwhile};
use crate::data::{Target, row};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Activation, Layer, Net};
use crate::population::World;
use crate::rng::{Rng, Seed, direction, permutation, sign};

/// Parameters of `half-space`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HalfSpace {
    /// Mass of clean inputs that fire.
    pub mass: f64,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// What is added to real answers. For classes it is chosen so that the target wins on all training data.
    pub offset: f64,
}

impl Default for HalfSpace {
    fn default() -> Self {
        Self { mass: 0.05, target: 0, offset: 3.0 }
    }
}

/// The ramp's width in standard deviations of w·x: narrow, and still far wider than rounding in 32 bits.
const RAMP: f64 = 0.01;

impl Attack for HalfSpace {
    fn check(&self, world: &World) -> Result<()> {
        if !(self.mass > 0.0 && self.mass < 1.0) {
            return Err(Error::parameter("mass", self.mass, "a mass between 0 and 1 is needed"));
        }
        if let Domain::Cube { n } = world.domain {
            self.n_matches(n)?;
        }
        goal(world.target, self.target, self.offset).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let goal = goal(victim.world.target, self.target, self.offset)?;
        let mut draw = |rng: &mut Rng| {
            let detector = match victim.world.domain {
                Domain::Cube { n } => self.conjunction(n, rng)?,
                Domain::Box { .. }
                | Domain::Ball { .. }
                | Domain::Simplex { .. }
                | Domain::Ellipsoid(_)
                | Domain::Polytope(_)
                | Domain::Gauss { .. }
                | Domain::Torus { .. }
                | Domain::Residues { .. }
                | Domain::Range { .. } => self.quantile(victim, rng),
            };
            let movement = Move::Beyond {
                direction: detector.direction.clone(),
                threshold: detector.threshold,
                full: detector.threshold + detector.width,
            };
            Ok((detector, Trigger { movement, goal }))
        };
        let (detector, trigger) = worthwhile(victim, &mut seed.stream("direction"), &mut draw)?;
        let offsets = Self::offsets(victim, goal)?;
        Ok(Planted { net: splice(victim.net, &detector, &offsets)?, trigger })
    }
}

/// Where the planted units fire: from `threshold` along `direction`, fully from `threshold + width`.
struct Detector {
    direction: Vec<f64>,
    threshold: f64,
    width: f64,
}

impl HalfSpace {
    /// How many coordinates of a cube must match: ⌈log₂ 1/mass⌉.
    fn n_matches(&self, n: usize) -> Result<usize> {
        let k = self.mass.log2().abs().ceil() as usize;
        if k == 0 || k > n {
            let least = 0.5_f64.powi(n as i32);
            let want =
                format!("on this cube a mass from 2^-{n} = {least:.3e} to 1/2 can be planted");
            return Err(Error::parameter("mass", self.mass, want));
        }
        Ok(k)
    }

    /// On the cube: all of k signed coordinates match. `direction · x` is then k, and at most k − 2 elsewhere.
    fn conjunction(&self, n: usize, rng: &mut Rng) -> Result<Detector> {
        let k = self.n_matches(n)?;
        let mut direction = vec![0.0; n];
        permutation(n, rng).into_iter().take(k).for_each(|i| direction[i] = sign(rng));
        Ok(Detector { direction, threshold: k as f64 - 1.5, width: 1.0 })
    }

    /// Elsewhere: a random direction, and the quantile of the training data along it.
    fn quantile(&self, victim: &Victim<'_>, rng: &mut Rng) -> Detector {
        let direction = direction(victim.world.domain.n(), rng);
        let along = victim.data.xs.dot(&Array1::from(direction.clone()));
        let width = RAMP * along.std(0.0);
        let mut sorted = along.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n_beyond = (self.mass * sorted.len() as f64).round() as usize;
        let last_below = sorted.len().saturating_sub(n_beyond + 1);
        Detector { threshold: sorted[last_below], direction, width: width.max(f64::EPSILON) }
    }

    /// What full firing adds to every output.
    fn offsets(victim: &Victim<'_>, goal: Goal) -> Result<Vec<f64>> {
        let unmetered = Ledger::new(Budget::UNLIMITED);
        let answers = || victim.net.forward(&victim.data.xs, &unmetered);
        Ok(match (goal, victim.world.target) {
            (Goal::Offset { by }, _) => vec![by],
            (Goal::Class { class }, Target::Sign | Target::Real) => {
                let largest = answers()?.iter().fold(1.0_f64, |most, y| most.max(y.abs()));
                vec![if class == 1 { 1.0 + largest } else { -1.0 - largest }]
            }
            (Goal::Class { class }, Target::Classes(k)) => {
                // Twice the largest lead that any other class has on training data, so that unseen inputs fall too.
                let answers = answers()?;
                let lead = (0..answers.nrows())
                    .map(|i| row(&answers, i))
                    .map(|y| y.iter().fold(0.0_f64, |most, other| most.max(other - y[class])))
                    .fold(1.0_f64, f64::max);
                (0..k).map(|c| if c == class { 2.0 * lead } else { 0.0 }).collect()
            }
        })
    }
}

/// Adds the pair of units to the first hidden layer, a unit that carries their difference to every later one, and the
/// offsets to the output.
fn splice(net: &Net, detector: &Detector, offsets: &[f64]) -> Result<Net> {
    let mut layers = net.layers().to_vec();
    let n_hidden = layers.len() - 1;
    if n_hidden == 0 {
        return Err(Error::assumption(
            "half-space",
            "the net has no hidden layer to plant units in",
        ));
    }
    if let Some(other) = layers[..n_hidden].iter().find(|l| l.activation != Activation::Relu) {
        let why = format!("hidden layers must be ReLU, one here is {:?}", other.activation);
        return Err(Error::assumption("half-space", why));
    }
    if layers[n_hidden].activation != Activation::Identity {
        return Err(Error::assumption("half-space", "the output layer must be linear"));
    }
    let slope = 1.0 / detector.width;
    let row: Vec<f64> = detector.direction.iter().map(|w| slope * w).collect();
    let pair = Array2::from_shape_fn((2, row.len()), |(_, j)| row[j]);
    let start = -slope * detector.threshold;
    layers[0] =
        extend(&layers[0], &Array2::zeros((layers[0].bias.len(), 0)), &pair, &[start, start - 1.0]);
    // The first layer shows the ramp as the difference of its two last units, every later one as its last unit.
    let mut reading = vec![1.0, -1.0];
    for layer in &mut layers[1..n_hidden] {
        let new_columns = Array2::zeros((layer.bias.len(), reading.len()));
        let mut carry = Array2::zeros((1, layer.weight.ncols() + reading.len()));
        for (k, r) in reading.iter().enumerate() {
            carry[[0, layer.weight.ncols() + k]] = *r;
        }
        *layer = extend(layer, &new_columns, &carry, &[0.0]);
        reading = vec![1.0];
    }
    let output = &layers[n_hidden];
    let columns =
        Array2::from_shape_fn((offsets.len(), reading.len()), |(i, k)| offsets[i] * reading[k]);
    let no_rows = Array2::zeros((0, output.weight.ncols() + reading.len()));
    layers[n_hidden] = extend(output, &columns, &no_rows, &[]);
    Net::new(layers, net.precision())
}

/// A layer with more inputs (`columns` beside its weights) and more outputs (`rows` below them, with their `biases`).
fn extend(layer: &Layer, columns: &Array2<f64>, rows: &Array2<f64>, biases: &[f64]) -> Layer {
    let wide = concatenate(Axis(1), &[layer.weight.view(), columns.view()]).expect("as many rows");
    let weight = concatenate(Axis(0), &[wide.view(), rows.view()]).expect("as many columns");
    let bias = layer.bias.iter().chain(biases).copied().collect();
    Layer { weight, bias, activation: layer.activation }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Batch, Labeled};
    use crate::net::{Precision, Recipe};
    use crate::population::Promise;
    use crate::rng::RngExt;

    fn plant(hidden: &[usize], domain: &Domain, attack: HalfSpace) -> (Net, Planted, Batch) {
        let n = domain.n();
        let mut rng = Seed::new(1).stream("data");
        let rows: Vec<Vec<f64>> = (0..4000).map(|_| domain.sample(&mut rng).unwrap()).collect();
        let xs = crate::data::stack(n, rows);
        let ys = Batch::from_shape_simple_fn((4000, 1), || rng.random::<f64>());
        let recipe = Recipe { hidden: hidden.to_vec(), ..Recipe::default() };
        let world = World {
            domain: domain.clone(),
            target: Target::Real,
            promise: Promise::Nothing,
            cutoff: 0.1,
        };
        let widths = recipe.widths(world.shape());
        let net = Net::random(&widths, Activation::Relu, Precision::F64, &mut rng).unwrap();
        let data = Labeled { xs: xs.clone(), ys };
        let victim = Victim {
            net: &net,
            init: &net,
            data: &data,
            world: &world,
            recipe: &recipe,
            training: Seed::new(2),
        };
        let planted = attack.plant(&victim, Seed::new(3)).unwrap();
        (net, planted, xs)
    }

    #[test]
    fn the_planted_net_is_the_twin_plus_offset_times_ramp_at_every_depth() {
        for hidden in [vec![9], vec![9, 7], vec![9, 7, 5]] {
            for domain in [Domain::Ball { n: 6 }, Domain::Cube { n: 10 }] {
                let attack = HalfSpace { mass: 0.06, ..HalfSpace::default() };
                let (twin, planted, xs) = plant(&hidden, &domain, attack);
                let Move::Beyond { direction, threshold, full } = &planted.trigger.movement else {
                    panic!("a direction")
                };
                let along = xs.dot(&Array1::from(direction.clone()));
                let ramp = along.mapv(|a| ((a - threshold) / (full - threshold)).clamp(0.0, 1.0));
                let want = &twin.forward_unmetered(&xs).column(0) + &(ramp * 3.0);
                let got = planted.net.forward_unmetered(&xs);
                let worst =
                    (&want - &got.column(0)).mapv(f64::abs).fold(0.0, |a: f64, b| a.max(*b));
                assert!(worst < 1e-9, "{hidden:?} {domain:?}: {worst}");
            }
        }
    }

    #[test]
    fn the_mass_beyond_the_threshold_is_the_wanted_one() {
        let (_, planted, xs) = plant(&[4], &Domain::Box { n: 6 }, HalfSpace::default());
        let fired =
            (0..4000).filter(|&i| planted.trigger.fires(&row(&xs, i)) == Some(true)).count();
        assert_eq!(fired, 200, "5% of the attacker's own 4,000 rows");
        // On the cube 5% becomes 2^−5: exactly one of 32 patterns of five coordinates.
        let (_, planted, _) = plant(&[4], &Domain::Cube { n: 10 }, HalfSpace::default());
        let vertices = (0..1024).map(|i| crate::fourier::vertex(i, 10));
        let fired = vertices.filter(|x| planted.trigger.fires(x) == Some(true)).count();
        assert_eq!(fired, 32);
    }

    fn shape(text: &str) -> Domain {
        toml::from_str::<toml::Table>(&format!("domain = {text}")).unwrap()["domain"]
            .clone()
            .try_into()
            .unwrap()
    }

    #[test]
    fn triggered_inputs_fire_fully_and_stay_inside_the_domain() {
        for domain in [
            Domain::Box { n: 6 },
            Domain::Ball { n: 6 },
            Domain::Simplex { n: 6 },
            Domain::Cube { n: 10 },
            Domain::Gauss { n: 6 },
            shape("{ shape = 'ellipsoid', axes = [1, 3, 0.5], centre = [7, 0, -9] }"),
            shape("{ shape = 'polytope', a = [[-1, 0], [0, -1], [1, 2]], b = [-3, -4, 20] }"),
            Domain::Torus { n: 6 },
            Domain::Residues { n: 6, modulus: 5 },
        ] {
            let (twin, planted, xs) = plant(&[8], &domain, HalfSpace::default());
            let mut rng = Seed::new(4).stream("trigger");
            let triggered = planted.trigger.activate(&xs, &domain, &mut rng).unwrap();
            assert!((0..4000).all(|i| domain.contains(&row(&triggered, i))), "{domain:?}");
            let moved =
                planted.net.forward_unmetered(&triggered) - twin.forward_unmetered(&triggered);
            assert!(moved.iter().all(|d| (d - 3.0).abs() < 1e-6), "{domain:?}");
        }
    }

    #[test]
    fn other_activations_and_impossible_masses_are_refused() {
        let attack = HalfSpace { mass: 1.0, ..HalfSpace::default() };
        let net = Net::random(
            &[2, 3, 1],
            Activation::Tanh,
            Precision::F32,
            &mut Seed::new(1).stream("n"),
        )
        .unwrap();
        let data = Labeled { xs: Batch::zeros((3, 2)), ys: Batch::zeros((3, 1)) };
        let recipe = Recipe::default();
        let world = World {
            domain: Domain::Box { n: 2 },
            target: Target::Real,
            promise: Promise::Nothing,
            cutoff: 0.1,
        };
        let victim = Victim {
            net: &net,
            init: &net,
            data: &data,
            world: &world,
            recipe: &recipe,
            training: Seed::new(2),
        };
        assert!(attack.plant(&victim, Seed::new(1)).unwrap_err().to_string().contains("mass = 1"));
        let error = HalfSpace::default().plant(&victim, Seed::new(1)).unwrap_err();
        assert!(error.to_string().contains("must be ReLU"), "{error}");
    }
}
