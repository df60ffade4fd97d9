//! `clutter` (O3): more units, of which most do nothing.
//!
//! To every hidden layer, each a share of its width:
//!
//! - `dead` units, asleep on the whole domain: with incoming weights w their bias is below −sup w·x, taken over the domain in
//!   the first layer (normal inputs have no bound; there it is 12 |w|, which one input in 10^32 passes) and over all that the
//!   layer before can give in the others. Exact. For `ReLU` and step units, whose 0 is nothing, and where there is a bound.
//! - `duplicates`: a unit becomes two with random shares of its outgoing weights.
//! - `cancelling` pairs: two equal units that no unit of the net was, with opposite outgoing weights.
//!
//! The weights of new units are mixtures of two of the layer's own, so that their sizes are ordinary, and both of a pair are
//! rescaled by random powers of two where the activation is `ReLU`. All of this leaves the function as it is, up to the
//! rounding of longer sums. Whoever removes units that clean inputs leave asleep, and merges units of one direction, removes
//! it again. Apply `permute-rescale` after it, or the new units stand last.
//!
//! Then the [`ripple`]: each output moves by a saw of `teeth` teeth along a random direction, of height `ripple`, so by at most
//! `ripple` / 2 either way. It puts 2 `teeth` + 1 kinks onto every line, which is what exact methods on lines pay for. It needs
//! hidden `ReLU` layers. The rung is from this project's ladder.
use ndarray::{Array1, Array2, Axis, concatenate};
use serde::{Deserialize, Serialize};

use super::{Obfuscation, Subject};
use crate::attack::Victim;
use crate::data::Batch;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::graft::{combine, graft};
use crate::net::{Activation, Layer, Net};
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed, direction, sign};

/// Parameters of `clutter`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clutter {
    /// Dead units, as a share of each hidden layer's width.
    pub dead: f64,
    /// Units that become two, as a share of the width.
    pub duplicates: f64,
    /// Pairs that cancel, as a share of the width.
    pub cancelling: f64,
    /// Height of the ripple, in units of the output. 0 leaves it out.
    pub ripple: f64,
    /// Teeth of the ripple over the spread of the training inputs, from 1 to 4096.
    pub teeth: usize,
}

impl Default for Clutter {
    fn default() -> Self {
        Self { dead: 0.25, duplicates: 0.25, cancelling: 0.125, ripple: 0.01, teeth: 8 }
    }
}

const MOST_TEETH: usize = 4096;

impl Obfuscation for Clutter {
    fn check(&self, _: &World) -> Result<()> {
        for (name, share) in
            [("dead", self.dead), ("duplicates", self.duplicates), ("cancelling", self.cancelling)]
        {
            if !(0.0..=1.0).contains(&share) {
                let want = "a share of the width from 0 to 1 is needed";
                return Err(Error::parameter(name, share, want));
            }
        }
        if !(self.ripple >= 0.0 && self.ripple.is_finite()) {
            let want = "a height of at least 0 is needed";
            return Err(Error::parameter("ripple", self.ripple, want));
        }
        if !(1..=MOST_TEETH).contains(&self.teeth) {
            let want = format!("a number from 1 to {MOST_TEETH} is needed");
            return Err(Error::parameter("teeth", self.teeth, want));
        }
        Ok(())
    }

    fn apply(&self, subject: Subject<'_>, victim: &Victim<'_>, seed: Seed) -> Result<Net> {
        self.check(victim.world)?;
        let mut layers = subject.net.layers().to_vec();
        let n_hidden = layers.len() - 1;
        if n_hidden == 0 {
            return Err(Error::assumption("clutter", "the net has no hidden layer"));
        }
        let is_relu = |layer: &Layer| layer.activation == Activation::Relu;
        if self.ripple > 0.0 && !layers[..n_hidden].iter().all(is_relu) {
            let why = "a ripple needs hidden ReLU layers; ripple = 0 leaves it out";
            return Err(Error::assumption("clutter", why));
        }
        let mut rng = seed.stream("units");
        for number in 0..n_hidden {
            let before = number.checked_sub(1).map(|before| layers[before].activation);
            let bound = Bound { domain: &victim.world.domain, before };
            let (first, rest) = layers.split_at_mut(number + 1);
            self.clutter(&mut first[number], &mut rest[0], &bound, &mut rng);
        }
        let net = Net::new(layers, subject.net.precision())?;
        if self.ripple > 0.0 {
            return ripple(&net, self.ripple, self.teeth, &victim.data.xs, seed);
        }
        Ok(net)
    }
}

impl Clutter {
    fn clutter(&self, layer: &mut Layer, next: &mut Layer, bound: &Bound<'_>, rng: &mut Rng) {
        let width = layer.bias.len();
        let number = |share: f64| (share * width as f64).round() as usize;
        for _ in 0..number(self.duplicates) {
            let unit = rng.random_range(0..width);
            let share = 0.25 + 0.5 * rng.random::<f64>();
            let column = next.weight.column(unit).to_owned();
            next.weight.column_mut(unit).assign(&(&column * (1.0 - share)));
            let (weight, bias) = (layer.weight.row(unit).to_owned(), layer.bias[unit]);
            add(layer, next, (weight, bias), column * share, rng);
        }
        for _ in 0..number(self.cancelling) {
            let (weight, bias, column) = mixture(layer, next, width, rng);
            add(layer, next, (weight.clone(), bias), column.clone(), rng);
            add(layer, next, (weight, bias), -column, rng);
        }
        if !matches!(layer.activation, Activation::Relu | Activation::Step) {
            return;
        }
        for _ in 0..number(self.dead) {
            let (weight, _, column) = mixture(layer, next, width, rng);
            let Some((weight, most)) = bound.most(weight) else { return };
            // A tenth of the norm below, which rounding in 32 bits does not bridge.
            let bias = -1.001 * most - 0.1 * weight.dot(&weight).sqrt() - f64::EPSILON;
            add(layer, next, (weight, bias), column, rng);
        }
    }
}

/// Incoming weights, bias and outgoing weights of a unit between two of the first `width`.
fn mixture(
    layer: &Layer,
    next: &Layer,
    width: usize,
    rng: &mut Rng,
) -> (Array1<f64>, f64, Array1<f64>) {
    let mut unit = || rng.random_range(0..width);
    let (a, b, c) = (unit(), unit(), unit());
    // Two unlike directions of one length, added so that the sum has about that length too.
    let angle = std::f64::consts::FRAC_PI_2 * rng.random::<f64>();
    let (near, far) = (libm::cos(angle), libm::sin(angle));
    let weight = &layer.weight.row(a) * near + &layer.weight.row(b) * far;
    let bias = layer.bias[a] * near + layer.bias[b] * far;
    (weight, bias, next.weight.column(c).to_owned())
}

/// Adds a unit at the end of `layer`; a `ReLU` unit is rescaled by a random power of two.
fn add(
    layer: &mut Layer,
    next: &mut Layer,
    (weight, bias): (Array1<f64>, f64),
    column: Array1<f64>,
    rng: &mut Rng,
) {
    let scale = match layer.activation {
        Activation::Relu => libm::exp2(f64::from(rng.random_range(-1..=1))),
        _ => 1.0,
    };
    let row = (weight * scale).insert_axis(Axis(0));
    let column = (column / scale).insert_axis(Axis(1));
    let fit = "a weight an input, and one an output";
    layer.weight = concatenate(Axis(0), &[layer.weight.view(), row.view()]).expect(fit);
    layer.bias = layer.bias.iter().copied().chain([scale * bias]).collect();
    next.weight = concatenate(Axis(1), &[next.weight.view(), column.view()]).expect(fit);
}

/// What the inputs of a layer can be.
struct Bound<'a> {
    domain: &'a Domain,
    /// The activation of the layer before; `None` in front of the first.
    before: Option<Activation>,
}

impl Bound<'_> {
    /// The weights, changed so that there is a bound, and the most that they can come to; `None` where there is none.
    fn most(&self, weight: Array1<f64>) -> Option<(Array1<f64>, f64)> {
        let most = match self.before {
            None => sup(self.domain, &weight),
            // What is never negative never wakes a unit without positive weights.
            Some(Activation::Relu | Activation::Step) => {
                return Some((weight.mapv(|w| -w.abs()), 0.0));
            }
            Some(Activation::Tanh | Activation::Cos) => weight.mapv(f64::abs).sum(),
            Some(Activation::Gelu | Activation::Identity) => return None,
        };
        Some((weight, most))
    }
}

/// The largest value of `weight · x` in `domain`, at least 0.
fn sup(domain: &Domain, weight: &Array1<f64>) -> f64 {
    let sum = |of: &dyn Fn(f64) -> f64| weight.iter().map(|w| of(*w)).sum::<f64>();
    let most = match domain {
        Domain::Cube { .. } => sum(&f64::abs),
        Domain::Range { low, high, .. } => sum(&|w| (w * low).max(w * high)),
        Domain::Torus { .. } => sum(&|w| w.max(0.0)),
        Domain::Residues { modulus, .. } => sum(&|w| w.max(0.0) * f64::from(*modulus - 1)),
        Domain::Gauss { .. } => 12.0 * weight.dot(weight).sqrt(),
        Domain::Box { .. }
        | Domain::Ball { .. }
        | Domain::Simplex { .. }
        | Domain::Ellipsoid(_)
        | Domain::Polytope(_) => {
            let body = domain.body().expect("these are bodies");
            let best = body.farthest(&weight.to_vec());
            weight.iter().zip(best).map(|(w, x)| w * x).sum()
        }
    };
    most.max(0.0)
}

/// `net` plus a saw on every output: `height` high, with `teeth` teeth over the spread of `xs` along a random direction, half of
/// it below and half above, with a random sign an output. Beyond that spread it is half the height below or above.
fn ripple(net: &Net, height: f64, teeth: usize, xs: &Batch, seed: Seed) -> Result<Net> {
    let mut rng = seed.stream("ripple");
    let along = Array1::from(direction(net.shape().inputs, &mut rng));
    let depths = xs.dot(&along);
    let low = depths.fold(f64::INFINITY, |low, d| low.min(*d));
    let high = depths.fold(f64::NEG_INFINITY, |high, d| high.max(*d));
    if low >= high {
        let why = "all training inputs are equal along the ripple's direction";
        return Err(Error::assumption("clutter", why));
    }
    // In half teeth: the saw has kinks at 0, 1, …, 2 teeth, and its slope is +1, −1, +1, … between them.
    let halves = 2 * teeth;
    let rate = halves as f64 / (high - low);
    let hinges = Layer {
        weight: Array2::from_shape_fn((halves + 1, along.len()), |(_, j)| rate * along[j]),
        bias: (0..=halves).map(|kink| -rate * low - kink as f64).collect(),
        activation: Activation::Relu,
    };
    let bend = |kink: usize| match kink {
        _ if kink == 0 || kink == halves => 1.0,
        _ if kink % 2 == 1 => -2.0,
        _ => 2.0,
    };
    let sum = Layer {
        weight: Array2::from_shape_fn((1, halves + 1), |(_, kink)| bend(kink)),
        bias: Array1::zeros(1),
        activation: Activation::Identity,
    };
    let saw = Net::new(vec![hinges, sum], net.precision())?;
    let outputs = net.shape().outputs;
    let heights: Vec<f64> = (0..outputs).map(|_| height * sign(&mut rng)).collect();
    let rippled = graft(net, &saw, &heights)?;
    let down = heights.iter().map(|height| -0.5 * height).collect();
    combine(&rippled, &Array2::eye(outputs), &down)
}
