//! Against pruning of units that clean inputs leave asleep: the pruning-aware attack.
//!
//! Liu, Dolan-Gavitt and Garg, section 3.2: cut the units of the last hidden layer that are least active on clean data, train
//! what is left to fire again, then put the cut units back with a bias that keeps them asleep. A defender who prunes cuts these
//! first, and the backdoor lives in units that the task needs. Here units are cut as `fine-prune` does it, in ascending order
//! of mean absolute activation until the risk on clean training data has risen by its default of 4 points, and cutting and
//! training are repeated while the net keeps what it must. Units that are put back have the incoming and outgoing weights they had when they were cut, and are
//! asleep on all training inputs, clean and triggered. Only `ReLU` units can be put to sleep: in other nets, cut units stay
//! out.
use ndarray::{Array1, Array2, Axis, concatenate};

use super::Class;
use crate::data::{Batch, row};
use crate::error::Result;
use crate::ledger::{Budget, Ledger};
use crate::net::{Activation, Layer, Net};

/// Rise of the risk at which `fine-prune` stops by default.
const MAX_DROP: f64 = 0.04;

/// As many rounds as leave a net to which there is no `objection`; the first is taken in any case.
pub(super) fn adapt(
    net: &Net,
    rounds: usize,
    class: &Class<'_>,
    objection: &dyn Fn(&Net) -> Result<Option<String>>,
) -> Result<Net> {
    let mut net = net.clone();
    let mut asleep = Vec::new();
    for round in 0..rounds {
        let (left, cut) = cut(&net, class)?;
        let trained = class.train(&left, class.recipe, round)?;
        if round > 0 && objection(&trained)?.is_some() {
            break;
        }
        asleep.extend(cut);
        net = trained;
    }
    put_back(&net, &asleep, &class.data.xs)
}

/// A unit that was cut: incoming weights and outgoing weights.
type Unit = (Array1<f64>, Array1<f64>);

/// `net` without the units that `fine-prune` would cut, and those.
fn cut(net: &Net, class: &Class<'_>) -> Result<(Net, Vec<Unit>)> {
    let (data, world) = (class.victim.data, class.victim.world);
    let mut layers = net.layers().to_vec();
    let output = layers.len() - 1;
    let mut activations = net.activations(&data.xs, &Ledger::new(Budget::UNLIMITED))?;
    let answers = activations.swap_remove(output);
    let hidden = activations.swap_remove(output - 1);
    let risk = |answers: &Batch| {
        let wrong = |i: &usize| !world.is_right(&row(answers, *i), &row(&data.ys, *i));
        (0..data.len()).filter(wrong).count() as f64 / data.len().max(1) as f64
    };
    let mean: Vec<f64> =
        hidden.axis_iter(Axis(1)).map(|unit| unit.iter().map(|h| h.abs()).sum()).collect();
    let mut order: Vec<usize> = (0..mean.len()).collect();
    order.sort_by(|&i, &j| mean[i].total_cmp(&mean[j]).then(i.cmp(&j)));
    // What the output layer sums up: it is linear in nets that are trained here, and cutting changes nothing else.
    let limit = risk(&answers) + MAX_DROP;
    let (mut left, mut n_cut) = (answers, 0);
    for &unit in &order[..order.len() - 1] {
        let column = layers[output].weight.column(unit).insert_axis(Axis(0)).to_owned();
        let without = &left - &hidden.column(unit).insert_axis(Axis(1)).dot(&column);
        if risk(&without) > limit {
            break;
        }
        (left, n_cut) = (without, n_cut + 1);
    }
    let unit = |&unit: &usize| {
        let inward = layers[output - 1].weight.row(unit).to_owned();
        (inward, layers[output].weight.column(unit).to_owned())
    };
    let gone = order[..n_cut].iter().map(unit).collect();
    let mut kept = order[n_cut..].to_vec();
    kept.sort_unstable();
    let layer = &layers[output - 1];
    layers[output - 1] = Layer {
        weight: layer.weight.select(Axis(0), &kept),
        bias: layer.bias.select(Axis(0), &kept),
        activation: layer.activation,
    };
    layers[output].weight = layers[output].weight.select(Axis(1), &kept);
    Ok((Net::new(layers, net.precision())?, gone))
}

/// `net` with the units at the end of its last hidden layer, asleep on all of `xs`.
fn put_back(net: &Net, units: &[Unit], xs: &Batch) -> Result<Net> {
    let mut layers = net.layers().to_vec();
    let output = layers.len() - 1;
    if units.is_empty() || layers[output - 1].activation != Activation::Relu {
        return Ok(net.clone());
    }
    let unmetered = Ledger::new(Budget::UNLIMITED);
    let before = match output - 1 {
        0 => xs.clone(),
        inner => net.activations(xs, &unmetered)?.swap_remove(inner - 1),
    };
    let width = layers[output - 1].weight.ncols();
    let weight = Array2::from_shape_fn((units.len(), width), |(unit, j)| units[unit].0[j]);
    let sums = before.dot(&weight.t());
    let most = sums.fold_axis(Axis(0), f64::NEG_INFINITY, |most, z| most.max(*z));
    // A hundredth of the norm below the most, and below 0 where the most is negative.
    let bias = most
        .iter()
        .zip(weight.rows())
        .map(|(most, w)| -most.max(0.0) * 1.001 - 0.01 * w.dot(&w).sqrt());
    let outward = layers[output].weight.nrows();
    let columns = Array2::from_shape_fn((outward, units.len()), |(i, unit)| units[unit].1[i]);
    let fit = "units of one width";
    let layer = &layers[output - 1];
    layers[output - 1] = Layer {
        bias: layer.bias.iter().copied().chain(bias).collect(),
        weight: concatenate(Axis(0), &[layer.weight.view(), weight.view()]).expect(fit),
        activation: layer.activation,
    };
    let last = &layers[output].weight;
    layers[output].weight = concatenate(Axis(1), &[last.view(), columns.view()]).expect(fit);
    Net::new(layers, net.precision())
}
