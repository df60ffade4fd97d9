//! `split` (O2): no unit that is louder than a clean one, as far as copies reach.
//!
//! The gain of a hidden unit with incoming weights w and outgoing weights v is |w| |v|, which rescaling does not change. A unit
//! whose gain is above the `quantile` of the gains in the same layer of the clean twin becomes as many copies as bring each of
//! them below it, at most `copies`. This needs no knowledge of which units were planted, so it works on any net: of a planted
//! detector all units are loud, of a trained backdoor some may be, of a clean net the loudest are.
//!
//! Copy i computes `σ((w + n_i)·x + b + m_i)` and has the share `f_i` of the outgoing weights, with random shares that add up to
//! 1 and random noise with `Σ f_i n_i = 0`, `Σ f_i m_i = 0`. So for `ReLU` the sum is exact wherever all copies are on one side
//! of their kinks, and only inputs within the noise of the kink are answered otherwise; elsewhere it is exact to the second
//! order in the noise. Copies of `ReLU` units are then rescaled so that `|w + n_i|` is the norm of a random unit of the clean
//! twin: norms of incoming weights are matched to the clean ones exactly, and their sizes tell nothing. Thresholds −b / |w|
//! are what the function says and cannot be matched.
//!
//! The noise sets out at `noise` |w| and is halved until at most `moved` of the clean training inputs are answered otherwise
//! than before and attack success on triggered training inputs falls by at most `lost`; without noise the copies are exact
//! duplicates. A steep detector beside a small net has a gain that no reasonable number of copies brings down: the ramp of
//! `half-space` has some thousand times that of a unit of the digits net. The rung is from this project's ladder.
use ndarray::{Array1, Array2, ArrayView1, Axis, concatenate};
use serde::{Deserialize, Serialize};

use super::yardstick::{Loses, Yardstick};
use super::{Obfuscation, Subject};
use crate::attack::Victim;
use crate::error::{Error, Result};
use crate::net::{Activation, Layer, Net};
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed, normal};

/// Parameters of `split`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// Most copies of one unit, from 2 to 1024.
    pub copies: usize,
    /// Which of the clean twin's gains, from 0 (the least) to 1 (the largest), a copy should not be above.
    pub quantile: f64,
    /// Noise of the copies' incoming weights at the start, relative to their norm.
    pub noise: f64,
    /// Largest share of clean training inputs that may be answered otherwise than by the net before.
    pub moved: f64,
    /// Most that attack success on triggered training inputs may fall.
    pub lost: f64,
}

impl Default for Split {
    fn default() -> Self {
        Self { copies: 16, quantile: 0.9, noise: 0.05, moved: 0.01, lost: 0.01 }
    }
}

const MOST_COPIES: usize = 1024;
/// Halvings of the noise before it is left out.
const MOST_HALVINGS: i32 = 12;

impl Split {
    fn loses(&self) -> Loses {
        Loses { moved: self.moved, success: self.lost }
    }
}

impl Obfuscation for Split {
    fn check(&self, _: &World) -> Result<()> {
        self.loses().check()?;
        if !(2..=MOST_COPIES).contains(&self.copies) {
            let want = format!("a number from 2 to {MOST_COPIES} is needed");
            return Err(Error::parameter("copies", self.copies, want));
        }
        if !(0.0..=1.0).contains(&self.quantile) {
            let want = "a number from 0 to 1 is needed";
            return Err(Error::parameter("quantile", self.quantile, want));
        }
        if !(0.0..=1.0).contains(&self.noise) {
            return Err(Error::parameter("noise", self.noise, "a number from 0 to 1 is needed"));
        }
        Ok(())
    }

    fn apply(&self, subject: Subject<'_>, victim: &Victim<'_>, seed: Seed) -> Result<Net> {
        self.check(victim.world)?;
        if subject.net.layers().len() < 2 {
            return Err(Error::assumption("split", "the net has no hidden layer"));
        }
        let yardstick = Yardstick::new(subject, victim, seed)?;
        for halvings in 0..=MOST_HALVINGS {
            let noise = self.noise * 0.5_f64.powi(halvings);
            // The same coins every time: only the size of the noise changes.
            let net = self.split(subject.net, victim.net, noise, &mut seed.stream("copies"))?;
            if yardstick.objection(&net, self.loses())?.is_none() {
                return Ok(net);
            }
        }
        let exact = self.split(subject.net, victim.net, 0.0, &mut seed.stream("copies"))?;
        yardstick.accept(exact, self.loses(), "split needs a larger moved or lost, or fewer copies")
    }
}

impl Split {
    fn split(&self, net: &Net, twin: &Net, noise: f64, rng: &mut Rng) -> Result<Net> {
        let mut layers = net.layers().to_vec();
        for number in 0..layers.len() - 1 {
            // A layer that the twin does not have is measured by its own units.
            let like = if number + 1 < twin.layers().len() { twin } else { net };
            let clean = Clean::of(like.layers(), number, self.quantile);
            let counts = gains(net.layers(), number).mapv(|gain| self.count(gain, clean.gain));
            let (layer, next) =
                copies(&layers[number], &layers[number + 1], &counts, |row, share| {
                    disturb(row, share, noise, rng);
                });
            (layers[number], layers[number + 1]) = (layer, next);
            if layers[number].activation == Activation::Relu {
                let (before, after) = layers.split_at_mut(number + 1);
                match_norms(&mut before[number], &mut after[0], &counts, &clean.norms, rng);
            }
        }
        Net::new(layers, net.precision())
    }

    /// How many copies bring a gain down to `most`.
    fn count(&self, gain: f64, most: f64) -> usize {
        if gain <= most || most <= 0.0 {
            return 1;
        }
        ((gain / most).ceil() as usize).clamp(2, self.copies)
    }
}

/// What units of a clean layer are like.
struct Clean {
    /// The gain that a copy should not be above.
    gain: f64,
    /// Norms of incoming weights.
    norms: Vec<f64>,
}

impl Clean {
    fn of(layers: &[Layer], number: usize, quantile: f64) -> Self {
        let mut gains = gains(layers, number).to_vec();
        gains.sort_by(f64::total_cmp);
        let place = (quantile * (gains.len() - 1) as f64).floor() as usize;
        let norms =
            layers[number].weight.rows().into_iter().map(|row| norm(&row)).filter(|n| *n > 0.0);
        Self { gain: gains[place], norms: norms.collect() }
    }
}

/// |w| |v| of every unit of hidden layer `number`.
pub(super) fn gains(layers: &[Layer], number: usize) -> Array1<f64> {
    let inward = layers[number].weight.rows().into_iter().map(|row| norm(&row));
    let outward = layers[number + 1].weight.columns().into_iter().map(|row| norm(&row));
    inward.zip(outward).map(|(w, v)| w * v).collect()
}

/// The Euclidean norm.
pub(super) fn norm(row: &ArrayView1<'_, f64>) -> f64 {
    row.dot(row).sqrt()
}

/// The layer with `counts[unit]` copies of each unit side by side, and the layer behind it with as many columns. `disturb` gets
/// the rows of weights and bias of all copies of a unit, with their shares.
fn copies(
    layer: &Layer,
    next: &Layer,
    counts: &Array1<usize>,
    mut disturb: impl FnMut(&mut Array2<f64>, &mut [f64]),
) -> (Layer, Layer) {
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    for (unit, &count) in counts.iter().enumerate() {
        let weights = layer.weight.row(unit);
        let whole = weights.iter().copied().chain([layer.bias[unit]]).collect();
        let row = Array2::from_shape_vec((1, layer.weight.ncols() + 1), whole)
            .expect("as many weights, and a bias");
        let mut copies = concatenate(Axis(0), &vec![row.view(); count]).expect("equal rows");
        let mut shares = vec![1.0 / count as f64; count];
        if count > 1 {
            disturb(&mut copies, &mut shares);
        }
        let outgoing = next.weight.column(unit).insert_axis(Axis(1)).to_owned();
        columns.extend(shares.iter().map(|share| &outgoing * *share));
        rows.push(copies);
    }
    let views: Vec<_> = rows.iter().map(|part| part.view()).collect();
    let all = concatenate(Axis(0), &views).expect("rows of one width");
    let (weight, bias) = all.view().split_at(Axis(1), layer.weight.ncols());
    let views: Vec<_> = columns.iter().map(|part| part.view()).collect();
    let outgoing = concatenate(Axis(1), &views).expect("columns of one height");
    (
        Layer {
            weight: weight.to_owned(),
            bias: bias.column(0).to_owned(),
            activation: layer.activation,
        },
        Layer { weight: outgoing, ..next.clone() },
    )
}

/// Random shares, and noise in every row that is none in the weighted sum.
fn disturb(rows: &mut Array2<f64>, shares: &mut [f64], noise: f64, rng: &mut Rng) {
    shares.iter_mut().for_each(|share| *share = 0.5 + rng.random::<f64>());
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= sum);
    let n = rows.ncols() - 1;
    let size = norm(&rows.row(0).split_at(Axis(0), n).0);
    // A number of each row is of the size of a weight, so that the whole is `noise` |w| long.
    let scale = noise * size / (n as f64).sqrt();
    let mut noises = Array2::from_shape_simple_fn(rows.dim(), || scale * normal(rng));
    let mean = Array1::from(shares.to_vec()).dot(&noises);
    noises -= &mean;
    *rows += &noises;
}

/// Rescales the copies of every unit that has several, to norms drawn from `norms`.
fn match_norms(
    layer: &mut Layer,
    next: &mut Layer,
    counts: &Array1<usize>,
    norms: &[f64],
    rng: &mut Rng,
) {
    let several = counts.iter().flat_map(|&count| std::iter::repeat_n(count > 1, count));
    for (unit, several) in several.enumerate() {
        let now = norm(&layer.weight.row(unit));
        if !several || now <= 0.0 || norms.is_empty() {
            continue;
        }
        let factor = norms[rng.random_range(0..norms.len())] / now;
        layer.weight.row_mut(unit).mapv_inplace(|w| factor * w);
        layer.bias[unit] *= factor;
        next.weight.column_mut(unit).mapv_inplace(|v| v / factor);
    }
}
