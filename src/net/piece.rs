//! How far a piecewise linear net stays the same affine function along a line.
use ndarray::Array1;

use super::{Activation, Net};
use crate::error::{Error, Result};
use crate::ledger::Ledger;

/// The lengths of the affine piece of `net` that holds `x` along each of `directions` (as they are, not normed), both ways
/// together; each way counts as at most `cap`.
///
/// Within the piece every sum of a hidden unit is z + t s, so the piece ends at the nearest t where one changes its sign. A unit
/// whose sum is 0 sleeps, as `ReLU` has it, and its piece ends there on the side on which it wakes.
///
/// Charges F for the sums at `x`, and for each direction F for their slopes, three operations a hidden unit (a division and a
/// comparison to find the end, one of signs to find the side) and an addition.
///
/// # Errors
/// If the net has a hidden layer that is not `ReLU`, `x` or a direction is no input of it, or the budget does not reach.
pub fn piece_lengths(
    net: &Net,
    x: &[f64],
    directions: &[Vec<f64>],
    cap: f64,
    ledger: &Ledger,
) -> Result<Vec<f64>> {
    let (_, hidden) = net.layers().split_last().expect("a net has a layer");
    if hidden.iter().any(|layer| layer.activation != Activation::Relu) {
        let why = "the net is not affine in pieces: a hidden layer is not ReLU";
        return Err(Error::assumption("piece_lengths", why));
    }
    let n = net.shape().inputs;
    for row in directions.iter().map(Vec::as_slice).chain([x]) {
        if row.len() != n {
            return Err(Error::parameter(
                "directions",
                row.len(),
                format!("{n} numbers are needed"),
            ));
        }
    }
    let units: usize = hidden.iter().map(|layer| layer.bias.len()).sum();
    let (forward, lines) = (net.forward_flops(), directions.len() as u64);
    ledger.flops(forward + lines * (forward + 3 * units as u64 + 1))?;
    let mut sums = Vec::with_capacity(hidden.len());
    let mut at = Array1::from(x.to_vec());
    for layer in hidden {
        let z = layer.weight.dot(&at) + &layer.bias;
        at = z.mapv(|z| z.max(0.0));
        sums.push(z);
    }
    let length = |direction: &Vec<f64>| {
        let (mut ahead, mut behind) = (cap, cap);
        let mut along = Array1::from(direction.clone());
        for (layer, sums) in hidden.iter().zip(&sums) {
            let mut slopes = layer.weight.dot(&along);
            for (&z, s) in sums.iter().zip(&mut slopes) {
                let end = (z / *s).abs();
                let side = if (z > 0.0) == (*s > 0.0) { &mut behind } else { &mut ahead };
                // No slope, no end: the quotient is infinite or not a number, and not below anything.
                if end < *side {
                    *side = end;
                }
                *s = if z > 0.0 { *s } else { 0.0 };
            }
            along = slopes;
        }
        ahead + behind
    };
    Ok(directions.iter().map(length).collect())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::ledger::Budget;
    use crate::net::{Layer, Precision};

    #[test]
    fn lengths_of_pieces_are_the_hands_and_paid_for() {
        // Units relu(x), relu(x − 3) and above them relu(5 − first): kinks at 0, 3 and 5. From 1 the piece is (0, 3).
        let layer = |weight, bias, activation| Layer { weight, bias, activation };
        let layers = vec![
            layer(array![[1.0], [1.0]], array![0.0, -3.0], Activation::Relu),
            layer(array![[-1.0, 0.0]], array![5.0], Activation::Relu),
            layer(array![[1.0]], array![0.0], Activation::Identity),
        ];
        let net = Net::new(layers, Precision::F64).unwrap();
        let ledger = Ledger::new(Budget::UNLIMITED);
        let directions = [vec![1.0], vec![-2.0]];
        let at = |x: f64| piece_lengths(&net, &[x], &directions, 10.0, &ledger).unwrap();
        assert_eq!(at(1.0), [3.0, 1.5]);
        // F = 2 (2 + 2 + 1) = 10; 10 + 2 (10 + 9 + 1).
        assert_eq!(ledger.spent().flops, 50);
        assert_eq!(at(4.0), [2.0, 1.0]);
        // Beyond 5 there is no end but the cap, and at 0 the sleeping side has none.
        assert_eq!(at(6.0)[0], 1.0 + 10.0);
        assert_eq!(at(0.0)[0], 10.0);
    }
}
