//! The affine piece of a `ReLU` net that a point lies in, along any direction: how far the nearest kink is, both ways.
//!
//! A pass with tangents: sums of all hidden units at the point are computed once, and a direction costs one pass of
//! rates through the hidden layers, each unit passing its rate on where it is on. On the piece every sum is affine, so the
//! first kink is the least quotient −sum/rate of its sign. It is a kink of a unit's own: the function need not bend there.
use super::{affine_pieces, product};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::net::{Activation, Layer, Net};

/// A point, with the sums of all hidden units there.
#[derive(Clone, Debug)]
pub struct Spot<'a> {
    hidden: &'a [Layer],
    sums: Vec<Vec<f64>>,
}

/// How far a piece reaches from a point, in multiples of the direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// Against the direction; 0 for a point on a kink, which belongs to the piece ahead of it.
    pub back: f64,
    /// Along the direction; infinite where no unit changes.
    pub ahead: f64,
}

impl Piece {
    /// Its whole length.
    pub fn length(&self) -> f64 {
        self.back + self.ahead
    }
}

impl<'a> Spot<'a> {
    /// Looks at `x`. Charges two operations a weight of the hidden layers. Any number of outputs will do.
    ///
    /// # Errors
    /// If a hidden layer is neither `ReLU` nor linear, the output is not linear, the net is locked, or the budget does not reach.
    pub fn at(net: &'a Net, x: &[f64], ledger: &Ledger) -> Result<Self> {
        affine_pieces(net)?;
        let (want, got) = (net.shape().inputs, x.len());
        if want != got {
            return Err(Error::Width { what: "point", want, got });
        }
        let hidden = &net.layers()[..net.layers().len() - 1];
        ledger.flops(flops_of(hidden))?;
        let mut sums: Vec<Vec<f64>> = Vec::with_capacity(hidden.len());
        let mut values = x.to_vec();
        for layer in hidden {
            let mut at = product(layer, &values);
            at.iter_mut().zip(&layer.bias).for_each(|(z, b)| *z += b);
            values = at.iter().map(|z| layer.activation.at(*z)).collect();
            sums.push(at);
        }
        Ok(Self { hidden, sums })
    }

    /// What [`Self::piece`] charges: two operations a weight of the hidden layers, and four a `ReLU` unit (is it on, its
    /// rate if so, a quotient, and a comparison with the nearest so far).
    pub fn flops(&self) -> u64 {
        let bent = self.hidden.iter().filter(|layer| layer.activation == Activation::Relu);
        flops_of(self.hidden) + 4 * bent.map(|layer| layer.bias.len() as u64).sum::<u64>()
    }

    /// The piece along `direction`.
    pub fn piece(&self, direction: &[f64], ledger: &Ledger) -> Result<Piece> {
        let inputs = self.hidden.first().map_or(direction.len(), |layer| layer.weight.ncols());
        if direction.len() != inputs {
            return Err(Error::Width { what: "direction", want: inputs, got: direction.len() });
        }
        ledger.flops(self.flops())?;
        let mut piece = Piece { back: f64::INFINITY, ahead: f64::INFINITY };
        let mut rates = direction.to_vec();
        for (layer, sums) in self.hidden.iter().zip(&self.sums) {
            rates = product(layer, &rates);
            if layer.activation == Activation::Identity {
                continue;
            }
            for (&z, rate) in sums.iter().zip(&mut rates) {
                let kink = -z / *rate;
                if kink > 0.0 {
                    piece.ahead = piece.ahead.min(kink);
                } else if kink <= 0.0 {
                    piece.back = piece.back.min(-kink);
                }
                if !(z > 0.0 || (z >= 0.0 && *rate > 0.0)) {
                    *rate = 0.0;
                }
            }
        }
        Ok(piece)
    }
}

fn flops_of(layers: &[Layer]) -> u64 {
    layers.iter().map(|layer| 2 * layer.weight.len() as u64).sum()
}
