//! A factor a hidden unit: what a net is with it, how a loss changes with it, and below which factor units are cut.
//!
//! With masks m and factors c on the biases a hidden unit k computes `σ(m_k (w_k·x) + c_k b_k)`; all ones are the net itself. By
//! the chain rule `∂L/∂m_k = Σ_j (∂L/∂W'_kj) w_kj` and `∂L/∂c_k = (∂L/∂b'_k) b_k`, where W' and b' are what the factors made. A
//! cut unit has m = 0: its weights are gone and its bias stays, as in the released code of ANP, so it gives the constant σ(b).
//! These factors are relative to the weights: rescaling the units of a `ReLU` net changes none of these numbers.
use super::super::Repaired;
use super::super::trial::Trial;
use crate::access::{Lab, WhiteBox};
use crate::data::{Batch, Labeled};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::net::{Layer, Net, Precision, Slopes, Tape, loss_gradient};
use crate::rng::{Rng, shuffle};

/// Thresholds that are tried, as steps of 0.05 from 0: to 0.9, as ANP's sweep.
const N_STEPS: usize = 18;

/// Checks that `net` has a hidden layer.
pub(super) fn check_hidden(method: &'static str, net: &Net) -> Result<()> {
    if net.layers().len() > 1 {
        return Ok(());
    }
    Err(Error::assumption(method, "the net has no hidden layer to prune"))
}

/// How many hidden units there are, all layers together.
pub(super) fn n_units(net: &Net) -> usize {
    hidden(net).iter().map(|layer| layer.bias.len()).sum()
}

fn hidden(net: &Net) -> &[Layer] {
    let layers = net.layers();
    &layers[..layers.len() - 1]
}

/// Weights into hidden units.
pub(super) fn n_weights(net: &Net) -> u64 {
    hidden(net).iter().map(|layer| layer.weight.len() as u64).sum()
}

/// The layers of `net`, in 64 bits and without its lock, with a factor on the weights of each hidden unit and, if given, one on
/// its bias. Charges a product a number that is changed.
pub(super) fn factored(
    net: &Net,
    on_weights: &[f64],
    on_biases: Option<&[f64]>,
    ledger: &Ledger,
) -> Result<Net> {
    let biases = on_biases.map_or(0, <[f64]>::len) as u64;
    ledger.flops(n_weights(net) + biases)?;
    let mut layers = net.layers().to_vec();
    let n_hidden = layers.len() - 1;
    let mut unit = 0;
    for layer in &mut layers[..n_hidden] {
        for k in 0..layer.bias.len() {
            let factor = on_weights[unit];
            layer.weight.row_mut(k).mapv_inplace(|w| factor * w);
            if let Some(factors) = on_biases {
                layer.bias[k] *= factors[unit];
            }
            unit += 1;
        }
    }
    Net::new(layers, Precision::F64)
}

/// A loss by the factors of all hidden units.
#[derive(Debug)]
pub(super) struct UnitSlopes {
    /// By the factors on weights.
    pub(super) on_weights: Vec<f64>,
    /// By the factors on biases.
    pub(super) on_biases: Vec<f64>,
}

/// The recipe's loss of `at`, which is `net` with factors, on `data`, pulled back to the factors. Charges 3F a row, and for the
/// chain rule a multiply-add a weight and a product a bias.
pub(super) fn unit_slopes(
    net: &Net,
    at: &Net,
    data: &Labeled,
    lab: &Lab<'_>,
) -> Result<UnitSlopes> {
    let (_, slopes) = loss_slopes(at, data, lab)?;
    lab.ledger.flops(2 * n_weights(net) + n_units(net) as u64)?;
    let mut out = UnitSlopes { on_weights: Vec::new(), on_biases: Vec::new() };
    for (layer, slope) in hidden(net).iter().zip(&slopes.layers) {
        for k in 0..layer.bias.len() {
            out.on_weights.push(layer.weight.row(k).dot(&slope.weight.row(k)));
            out.on_biases.push(layer.bias[k] * slope.bias[k]);
        }
    }
    Ok(out)
}

/// The answers of `net` to `data`, and the recipe's mean loss there pulled back to weights and inputs. Charges 3F a row.
pub(super) fn loss_slopes(net: &Net, data: &Labeled, lab: &Lab<'_>) -> Result<(Batch, Slopes)> {
    let target = lab.world.target;
    let tape = Tape::record(net, &data.xs, lab.ledger)?;
    let loss = lab.recipe.loss_for(target)?;
    let (_, by_answers) = loss_gradient(loss, target, tape.answers(), &data.ys)?;
    let slopes = tape.pull_answers(by_answers, lab.ledger)?;
    Ok((tape.answers().clone(), slopes))
}

/// All weights and biases, layer by layer.
pub(super) fn flat(net: &Net) -> Vec<f64> {
    let layers = net.layers().iter();
    layers.flat_map(|layer| layer.weight.iter().chain(&layer.bias).copied()).collect()
}

/// Slopes in the order of [`flat`].
pub(super) fn flat_slopes(slopes: &Slopes) -> Vec<f64> {
    let layers = slopes.layers.iter();
    layers.flat_map(|layer| layer.weight.iter().chain(&layer.bias).copied()).collect()
}

/// `net` with other numbers, in the order of [`flat`], in `precision` and without its lock.
pub(super) fn with_numbers(net: &Net, numbers: &[f64], precision: Precision) -> Result<Net> {
    let mut rest = numbers.iter();
    let mut layers = net.layers().to_vec();
    for layer in &mut layers {
        let places = layer.weight.iter_mut().chain(&mut layer.bias);
        places.zip(&mut rest).for_each(|(place, number)| *place = *number);
    }
    Net::new(layers, precision)
}

/// Rows in batches, in a fresh order every time that they have all been seen.
#[derive(Debug)]
pub(super) struct Batches {
    order: Vec<usize>,
    size: usize,
    at: usize,
    rng: Rng,
}

impl Batches {
    /// Batches of `size` of `n` rows.
    pub(super) fn new(n: usize, size: usize, rng: Rng) -> Self {
        Self { order: (0..n).collect(), size, at: n, rng }
    }

    /// How many batches a pass takes.
    pub(super) fn per_pass(&self) -> usize {
        self.order.len().div_ceil(self.size)
    }

    /// The next batch; the last of a pass may be smaller.
    pub(super) fn next(&mut self) -> &[usize] {
        if self.at >= self.order.len() {
            shuffle(&mut self.order, &mut self.rng);
            self.at = 0;
        }
        let from = self.at;
        self.at = (from + self.size).min(self.order.len());
        &self.order[from..self.at]
    }
}

/// Checks the numbers that methods with masks share.
pub(super) fn check_descent(batch: usize, rate: (&'static str, f64), momentum: f64) -> Result<()> {
    if batch == 0 {
        return Err(Error::parameter("batch", 0, "at least one row a step is needed"));
    }
    check_positive(rate.0, rate.1)?;
    if (0.0..1.0).contains(&momentum) {
        return Ok(());
    }
    Err(Error::parameter("momentum", momentum, "a number from 0 to below 1 is needed"))
}

/// Checks a number that must be above 0.
pub(super) fn check_positive(name: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value <= 1e6 {
        return Ok(());
    }
    Err(Error::parameter(name, value, "a number above 0, at most 1000000, is needed"))
}

/// Checks a share.
pub(super) fn check_share(name: &'static str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::parameter(name, value, "a share from 0 to 1 is needed"))
}

/// Checks a number of rounds.
pub(super) fn check_rounds(name: &'static str, value: usize) -> Result<()> {
    /// Days of work on the smallest net.
    const MOST: usize = 1_000_000;
    if value <= MOST {
        return Ok(());
    }
    Err(Error::parameter(name, value, format!("at most {MOST} are accepted")))
}

/// `net` without the units whose number is in `gone`, with its own precision and lock: their weights are 0, and their biases
/// too with `biases` gone.
pub(super) fn cut(net: &Net, gone: &[usize], fate: Biases) -> Result<Net> {
    let mut layers = net.layers().to_vec();
    let n_hidden = layers.len() - 1;
    let mut first = 0;
    for layer in &mut layers[..n_hidden] {
        let n = layer.bias.len();
        for unit in gone.iter().filter(|unit| (first..first + n).contains(unit)) {
            layer.weight.row_mut(unit - first).fill(0.0);
            if fate == Biases::Cut {
                layer.bias[unit - first] = 0.0;
            }
        }
        first += n;
    }
    Net::new(layers, net.precision())?.locked_as(net)
}

/// What becomes of the bias of a unit that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Biases {
    /// It stays, and the unit gives a constant.
    Stay,
    /// It goes too.
    Cut,
}

/// The suspect without the units whose mask is at most a threshold: the greatest of 0, 0.05, …, 0.9 whose net is accepted on
/// held-out clean samples; else the suspect. Charges a comparison a unit and threshold, and F a held-out row and net tried.
pub(super) fn prune_below<'a>(
    (suspect, masks): (&'a dyn WhiteBox, &[f64]),
    trial: &Trial,
    said: Vec<String>,
    lab: &Lab<'a>,
) -> Result<Repaired<'a>> {
    let mut notes = said;
    if suspect.net().lock().is_some() {
        notes.push("the suspect's lock stays, and so does all that it opens to".to_owned());
    }
    let mut last: Option<Vec<usize>> = None;
    for step in (0..=N_STEPS).rev() {
        let threshold = 0.05 * step as f64;
        lab.ledger.flops(masks.len() as u64)?;
        let gone: Vec<usize> = (0..masks.len()).filter(|&k| masks[k] <= threshold + 1e-9).collect();
        if gone.is_empty() {
            break;
        }
        if last.as_ref() == Some(&gone) {
            continue;
        }
        let pruned = cut(suspect.net(), &gone, Biases::Stay)?;
        let (risk, accepted) = trial.judge(&pruned, lab)?;
        if accepted {
            notes.push(format!(
                "{} of {} hidden units cut, those of masks up to {threshold:.2}; held-out risk {:.3} before and {risk:.3} after",
                gone.len(), masks.len(), trial.before
            ));
            return Ok(Repaired { notes, ..Repaired::owned(pruned, lab.ledger) });
        }
        last = Some(gone);
    }
    notes.push(match last {
        None => "no mask is at most 0.9: the suspect stays as it is".to_owned(),
        Some(gone) => format!(
            "refused: without the {} units of least mask the held-out risk rises beyond the limit; the suspect stays as it is",
            gone.len()
        ),
    });
    Ok(Repaired { notes, ..Repaired::unclaimed(suspect) })
}
