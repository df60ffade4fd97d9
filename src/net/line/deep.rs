//! Any number of layers, one after another: sums of all units at all knots, and a new knot wherever one changes its sign
//! between two of them (Sotoudeh and Thakur, `NeurIPS` 2019, section 3).
//!
//! Charges the product of the direction with the first layer and 2 d₁ for the sums at the end; for each further layer its
//! product with the values at all knots. For a `ReLU` layer of d units: 2 d a segment to look for changes of sign; for each
//! of k new knots five operations for its place and 3 d for the sums there, and a sort within its segment; d a knot to cut
//! off what is negative.
use super::{Line, Meter, Piecewise, Stop, product, sort_flops};
use crate::data::Batch;
use crate::net::{Activation, Layer};

pub(super) fn along(
    line: &Line<'_>,
    direction: &[f64],
    end: f64,
    meter: &mut Meter<'_>,
) -> Result<Piecewise, Stop> {
    let layers = line.net.layers();
    let width = line.sums.len();
    meter.pay(2 * layers[0].weight.len() as u64 + 2 * width as u64)?;
    let mut knots = vec![0.0, end];
    let mut sums = Batch::zeros((2, width));
    for (j, (z, s)) in line.sums.iter().zip(product(&layers[0], direction)).enumerate() {
        sums[[0, j]] = *z;
        sums[[1, j]] = z + end * s;
    }
    for (layer, next) in layers.iter().zip(&layers[1..]) {
        if layer.activation == Activation::Relu {
            bend(&mut knots, &mut sums, meter)?;
        }
        meter.pay(2 * next.weight.len() as u64 * knots.len() as u64)?;
        sums = sums_of(next, &sums);
    }
    Ok(Piecewise { knots, values: sums.column(0).to_vec() })
}

fn sums_of(layer: &Layer, values: &Batch) -> Batch {
    values.dot(&layer.weight.t()) + &layer.bias
}

/// Adds a knot wherever a sum changes its sign, and cuts off what is negative.
fn bend(knots: &mut Vec<f64>, sums: &mut Batch, meter: &mut Meter<'_>) -> Result<(), Stop> {
    let width = sums.ncols();
    meter.pay(2 * width as u64 * (knots.len() - 1) as u64)?;
    // Of each segment the shares of it at which a sum is 0, and what the sorts take.
    let mut inside: Vec<Vec<f64>> = Vec::with_capacity(knots.len() - 1);
    let (mut n_new, mut sorts) = (0, 0);
    for i in 0..knots.len() - 1 {
        let ends = sums.row(i).into_iter().zip(sums.row(i + 1));
        let shares: Vec<f64> = ends
            .filter(|(a, b)| (**a < 0.0 && **b > 0.0) || (**a > 0.0 && **b < 0.0))
            .map(|(a, b)| a / (a - b))
            .collect();
        n_new += shares.len();
        sorts += sort_flops(shares.len());
        meter.pieces(knots.len() - 1 + n_new)?;
        inside.push(shares);
    }
    let all = (knots.len() + n_new) as u64;
    meter.pay(n_new as u64 * (5 + 3 * width as u64) + sorts + all * width as u64)?;
    let mut new_knots = Vec::with_capacity(knots.len() + n_new);
    let mut rows: Vec<f64> = Vec::with_capacity((knots.len() + n_new) * width);
    for (i, mut shares) in inside.into_iter().enumerate() {
        let (left, right) = (knots[i], knots[i + 1]);
        let (from, to) = (sums.row(i), sums.row(i + 1));
        new_knots.push(left);
        rows.extend(from.iter().map(|z| z.max(0.0)));
        shares.sort_by(f64::total_cmp);
        for share in shares {
            new_knots.push(left + (right - left) * share);
            rows.extend(from.iter().zip(to).map(|(a, b)| (a + (b - a) * share).max(0.0)));
        }
    }
    new_knots.push(knots[knots.len() - 1]);
    rows.extend(sums.row(knots.len() - 1).iter().map(|z| z.max(0.0)));
    *sums = Batch::from_shape_vec((new_knots.len(), width), rows).expect("a row a knot");
    *knots = new_knots;
    Ok(())
}
