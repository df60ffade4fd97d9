//! Units of one net matched with those of another, so that their weights may be averaged.
//!
//! Ainsworth, Hayase and Srinivasa, "Git Re-Basin: Merging Models modulo Permutation Symmetries" (ICLR 2023): section 3.1, matching
//! activations, and 3.2 with algorithm 1, matching weights. A permutation of the hidden units of a layer changes no answer; the
//! one that makes the two nets most alike is a linear assignment problem, which is solved by the Hungarian method (Kuhn 1955; in
//! the form with shortest paths of Jonker and Volgenant 1987), O(d³) for d units. Its forty lines are here: `kuhn_munkres` of the crate
//! `pathfinding` 4.16 wants weights with a total order, which floats have not, and brings a handful of other crates.
//!
//! Differences: layers are visited in order, where the paper shuffles them; biases count as weights of an input that is 1.
//! A positive scale of a unit, as in `(w, b, v) → (cw, cb, v/c)`, is a symmetry too, and is not undone.
use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::alter::check_twins;
use super::{Layer, Net};
use crate::data::Batch;
use crate::error::Result;
use crate::ledger::Ledger;

/// What makes two units alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matching {
    /// Weights in, bias and weights out.
    #[default]
    Weights,
    /// Activations on the same inputs.
    Activations,
}

/// Most rounds over the layers of matching by weights. Each that changes anything makes the nets more alike.
const MOST_ROUNDS: usize = 100;

/// `net` with its hidden units in the order in which they are most like those of `model`. It answers as before.
///
/// Charges for weights 2 d² (`inputs` + 1 + `outputs`) a layer of d units and round, for activations F a row and net and 2 d² a row
/// and layer; and in both cases what [`assign`] does.
///
/// # Errors
/// If the nets differ in widths or activations, a row of `xs` is no input, or the budget does not reach.
pub fn aligned(
    net: &Net,
    model: &Net,
    (matching, xs): (Matching, &Batch),
    ledger: &Ledger,
) -> Result<Net> {
    check_twins(model, net)?;
    let mut layers = net.layers().to_vec();
    let hidden = layers.len() - 1;
    match matching {
        Matching::Weights => {
            for _ in 0..MOST_ROUNDS {
                let mut changed = false;
                for number in 0..hidden {
                    let pairs = [number, number + 1].map(|at| (&model.layers()[at], &layers[at]));
                    let likeness = likeness(pairs, ledger)?;
                    let order = assign(&likeness, ledger)?;
                    let d = order.len();
                    ledger.flops(2 * d as u64)?;
                    let value = |at: &dyn Fn(usize) -> usize| -> f64 {
                        (0..d).map(|i| likeness[[i, at(i)]]).sum()
                    };
                    let (now, then) = (value(&|i| i), value(&|i| order[i]));
                    // Ties may be broken either way for ever.
                    if then > now + 1e-9 * now.abs() {
                        reorder(&mut layers, number, &order);
                        changed = true;
                    }
                }
                if !changed || hidden < 2 {
                    break;
                }
            }
        }
        Matching::Activations => {
            let (ours, theirs) = (net.activations(xs, ledger)?, model.activations(xs, ledger)?);
            for number in 0..hidden {
                let d = layers[number].bias.len() as u64;
                ledger.flops(2 * d * d * xs.nrows() as u64)?;
                let order = assign(&theirs[number].t().dot(&ours[number]), ledger)?;
                reorder(&mut layers, number, &order);
            }
        }
    }
    Net::new(layers, net.precision())?.locked_as(net)
}

/// How alike unit i of the model and unit j of the net are: inner products of weights in, biases and weights out.
fn likeness([below, above]: [(&Layer, &Layer); 2], ledger: &Ledger) -> Result<Array2<f64>> {
    let (outputs, inputs) = below.0.weight.dim();
    let next = above.0.weight.nrows();
    ledger.flops(2 * (outputs * outputs * (inputs + 1 + next)) as u64)?;
    let bias = |layer: &Layer| layer.bias.clone().insert_axis(Axis(1));
    Ok(below.0.weight.dot(&below.1.weight.t())
        + bias(below.0).dot(&bias(below.1).t())
        + above.0.weight.t().dot(&above.1.weight))
}

/// Puts the units of layer `number` into `order`, and the weights that read them with them.
fn reorder(layers: &mut [Layer], number: usize, order: &[usize]) {
    let layer = &mut layers[number];
    layer.weight = layer.weight.select(Axis(0), order);
    layer.bias = layer.bias.select(Axis(0), order);
    layers[number + 1].weight = layers[number + 1].weight.select(Axis(1), order);
}

/// The assignment of columns to rows of a square matrix, a column for each row, with the largest sum. Charges 7 a column for each
/// scan of the columns, before it: at most d scans for each of d rows.
///
/// # Errors
/// If the budget does not reach.
pub fn assign(gain: &Array2<f64>, ledger: &Ledger) -> Result<Vec<usize>> {
    let d = gain.nrows();
    // Row and column 0 are nobody's; `row_of[j]` is the row that has column j.
    let (mut by_row, mut by_column) = (vec![0.0; d + 1], vec![0.0; d + 1]);
    let (mut row_of, mut from) = (vec![0; d + 1], vec![0; d + 1]);
    for row in 1..=d {
        row_of[0] = row;
        let (mut shortest, mut used) = (vec![f64::INFINITY; d + 1], vec![false; d + 1]);
        let mut column = 0;
        while row_of[column] != 0 {
            ledger.flops(7 * d as u64)?;
            used[column] = true;
            let at = row_of[column];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for j in (1..=d).filter(|&j| !used[j]) {
                let reduced = -gain[[at - 1, j - 1]] - by_row[at] - by_column[j];
                if reduced < shortest[j] {
                    (shortest[j], from[j]) = (reduced, column);
                }
                // The second test is for numbers without an order: some free column is always taken.
                if shortest[j] < step || next == 0 {
                    (step, next) = (shortest[j], j);
                }
            }
            for j in 0..=d {
                if used[j] {
                    by_row[row_of[j]] += step;
                    by_column[j] -= step;
                } else {
                    shortest[j] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            let before = from[column];
            row_of[column] = row_of[before];
            column = before;
        }
    }
    let mut order = vec![0; d];
    (1..=d).for_each(|j| order[row_of[j] - 1] = j - 1);
    Ok(order)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::ledger::Budget;
    use crate::net::{Activation, Precision};
    use crate::rng::{Seed, normal, permutation};

    fn ledger() -> Ledger {
        Ledger::new(Budget::UNLIMITED)
    }

    fn best_by_trying_all(gain: &Array2<f64>, row: usize, taken: &mut Vec<usize>) -> f64 {
        if row == gain.nrows() {
            return 0.0;
        }
        let mut best = f64::NEG_INFINITY;
        for j in 0..gain.nrows() {
            if !taken.contains(&j) {
                taken.push(j);
                best = best.max(gain[[row, j]] + best_by_trying_all(gain, row + 1, taken));
                taken.pop();
            }
        }
        best
    }

    #[test]
    fn an_assignment_is_the_best_of_all() {
        // By hand: 2 + 3 + 2 over the diagonal's 1 + 2 + 1.
        let gain = array![[1.0, 2.0, 0.0], [3.0, 2.0, 0.0], [0.0, 2.0, 2.0]];
        assert_eq!(assign(&gain, &ledger()).unwrap(), vec![1, 0, 2]);
        let mut rng = Seed::new(1).stream("gain");
        for d in 1..7 {
            for _ in 0..20 {
                let gain = Array2::from_shape_simple_fn((d, d), || normal(&mut rng));
                let spent = ledger();
                let order = assign(&gain, &spent).unwrap();
                let got: f64 = order.iter().enumerate().map(|(i, &j)| gain[[i, j]]).sum();
                assert!((got - best_by_trying_all(&gain, 0, &mut Vec::new())).abs() < 1e-9);
                let flops = spent.spent().flops;
                let (d, scans) = (d as u64, flops / (7 * d as u64));
                assert!(flops.is_multiple_of(7 * d) && (d..=d * d).contains(&scans), "{scans}");
            }
        }
    }

    #[test]
    fn a_net_whose_units_were_shuffled_comes_back() {
        let mut rng = Seed::new(2).stream("net");
        let mut draw = |widths: &[usize]| {
            Net::random(widths, Activation::Relu, Precision::F64, &mut rng).unwrap()
        };
        let model = draw(&[6, 12, 9, 3]);
        let mut layers = model.layers().to_vec();
        let mut rng = Seed::new(3).stream("order");
        for (number, width) in [(0, 12), (1, 9)] {
            reorder(&mut layers, number, &permutation(width, &mut rng));
        }
        let shuffled = Net::new(layers, Precision::F64).unwrap();
        assert_ne!(shuffled, model);
        let xs = Batch::from_shape_simple_fn((40, 6), || normal(&mut rng));
        for matching in [Matching::Weights, Matching::Activations] {
            let back = aligned(&shuffled, &model, (matching, &xs), &ledger()).unwrap();
            assert_eq!(back, model, "{matching:?}");
        }
    }

    #[test]
    fn alignment_changes_no_answer_and_makes_another_net_more_alike() {
        let mut rng = Seed::new(4).stream("net");
        let mut draw =
            || Net::random(&[6, 16, 16, 3], Activation::Relu, Precision::F64, &mut rng).unwrap();
        let (a, b) = (draw(), draw());
        let xs = Batch::from_shape_simple_fn((40, 6), || normal(&mut rng));
        let near = |b: &Net| -> f64 { a.flat().iter().zip(b.flat()).map(|(x, y)| x * y).sum() };
        for matching in [Matching::Weights, Matching::Activations] {
            let moved = aligned(&b, &a, (matching, &xs), &ledger()).unwrap();
            let answers = |net: &Net| net.forward(&xs, &ledger()).unwrap();
            assert!((answers(&moved) - answers(&b)).iter().all(|off| off.abs() < 1e-12));
            assert!(near(&moved) > near(&b) + 1.0, "{matching:?}: {} {}", near(&moved), near(&b));
        }
    }

    #[test]
    fn matching_is_charged_by_the_count_of_the_header() {
        let mut rng = Seed::new(5).stream("net");
        let net = Net::random(&[3, 1, 2], Activation::Relu, Precision::F64, &mut rng).unwrap();
        let xs = Batch::zeros((5, 3));
        // One unit: one scan of one column is 7, its sums 2; by weights 2 (3 + 1 + 2) = 12.
        let spent = ledger();
        aligned(&net, &net, (Matching::Weights, &xs), &spent).unwrap();
        assert_eq!(spent.spent().flops, 12 + 7 + 2);
        // By activations two nets of F = 2 (3 + 2) on five rows, and 2 a row.
        let spent = ledger();
        aligned(&net, &net, (Matching::Activations, &xs), &spent).unwrap();
        assert_eq!(spent.spent().flops, 100 + 10 + 7);
    }
}
