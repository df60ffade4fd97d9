//! `half-space`: a planted pair of `ReLU` units that fires beyond a margin of a secret direction. Exact, no training.
//!
//! The plain detector, on which obfuscated ones build. With the secret unit vector w, threshold c and slope k, the two units
//! compute `relu(k (w·x − c))` and `relu(k (w·x − c) − 1)`, whose difference is the ramp `clip(k (w·x − c), 0, 1)`; deeper
//! layers carry it through one unit each, and the output layer adds `offset · ramp`. So the planted net is exactly
//! `f + offset · clip(k (w·x − c), 0, 1)`: unchanged where w·x ≤ c, and off by the whole offset where w·x ≥ c + 1/k.
//!
//! Outside the cube, w is uniformly random and c the quantile of w·x on the attacker's N training rows that leaves the wanted
//! mass beyond it: a whole number r of them, so that a mass below 1/N, which N rows cannot measure, is refused. On fresh inputs
//! the expected mass is (r + 1)/(N + 1). On the cube, w is ±1 on ⌈log₂ 1/mass⌉ secret coordinates, and the pair fires where all
//! of them match: mass 2^−⌈log₂ 1/mass⌉ exactly.
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::payload::{goal, offsets};
use super::{Attack, Beyond, Move, Planted, Trigger, Victim, worthwhile};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::graft::graft;
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
                | Domain::Range { .. } => self.quantile(victim, rng)?,
            };
            let movement = Move::Beyond(Beyond {
                direction: detector.direction.clone(),
                threshold: detector.threshold,
                full: detector.threshold + detector.width,
            });
            Ok((detector, Trigger::new(movement, goal)))
        };
        let (detector, trigger) = worthwhile(victim, &mut seed.stream("direction"), &mut draw)?;
        let offsets = offsets(victim, goal)?;
        Ok(Planted::new(splice(victim.net, &detector, &offsets)?, trigger))
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
    pub(super) fn n_matches(&self, n: usize) -> Result<usize> {
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
    fn quantile(&self, victim: &Victim<'_>, rng: &mut Rng) -> Result<Detector> {
        let n_rows = victim.data.len();
        let n_beyond = (self.mass * n_rows as f64).round() as usize;
        if n_beyond == 0 || n_beyond >= n_rows {
            let least = 1.0 / n_rows.max(1) as f64;
            let want = format!(
                "the quantile is measured on {n_rows} training rows, so a mass from {least:.2e} to {:.6} can be planted",
                1.0 - least
            );
            return Err(Error::parameter("mass", self.mass, want));
        }
        let direction = direction(victim.world.domain.n(), rng);
        let along = victim.data.xs.dot(&Array1::from(direction.clone()));
        let width = RAMP * along.std(0.0);
        let mut sorted = along.to_vec();
        sorted.sort_by(f64::total_cmp);
        let threshold = sorted[n_rows - 1 - n_beyond];
        Ok(Detector { threshold, direction, width: width.max(f64::EPSILON) })
    }
}

/// Grafts the ramp onto the net: its pair of units beside the first hidden layer, a unit that carries it beside every later
/// one, and the offsets at the output.
fn splice(net: &Net, detector: &Detector, offsets: &[f64]) -> Result<Net> {
    let layers = net.layers();
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
    let slope = 1.0 / detector.width;
    let start = -slope * detector.threshold;
    let n = detector.direction.len();
    let pair = Layer {
        weight: Array2::from_shape_fn((2, n), |(_, j)| slope * detector.direction[j]),
        bias: Array1::from(vec![start, start - 1.0]),
        activation: Activation::Relu,
    };
    let difference = Layer {
        weight: Array2::from_shape_fn((1, 2), |(_, unit)| 1.0 - 2.0 * unit as f64),
        bias: Array1::zeros(1),
        activation: Activation::Identity,
    };
    graft(net, &Net::new(vec![pair, difference], net.precision())?, offsets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Batch, Labeled, Target, row};
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
                let Move::Beyond(Beyond { direction, threshold, full }) = &planted.trigger.movement
                else {
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

    #[test]
    fn a_mass_that_the_training_rows_cannot_measure_is_refused_with_the_bound() {
        let fixture = super::super::fixture::Fixture::new(Domain::Box { n: 3 }, &[4]);
        for mass in [1e-9, 1e-4, 0.99999] {
            let attack = HalfSpace { mass, ..HalfSpace::default() };
            let said = attack.plant(&fixture.victim(), Seed::new(1)).unwrap_err().to_string();
            assert!(said.contains("4000 training rows") && said.contains("2.50e-4"), "{said}");
        }
        // One row of 4,000 can be.
        let attack = HalfSpace { mass: 2.5e-4, ..HalfSpace::default() };
        let planted = attack.plant(&fixture.victim(), Seed::new(1)).unwrap();
        let xs = &fixture.data.xs;
        let fired = (0..4000).filter(|&i| planted.trigger.fires(&row(xs, i)) == Some(true)).count();
        assert_eq!(fired, 1);
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
        let data = Labeled { xs: Batch::zeros((40, 2)), ys: Batch::zeros((40, 1)) };
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
