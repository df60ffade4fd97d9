//! Restriction of a `ReLU` net of any depth to a line: exactly the piecewise linear function it is there.
//!
//! One hidden layer (`shallow.rs`): sums at the start are computed once, a ray costs one product with its direction, a sort of
//! the kinks, and a few operations a kink. Two (`two.rs`): the same, and each kink of the first layer updates all sums of the
//! second, whose kinks are looked for between them. More, or hidden layers that are linear (`deep.rs`): layer by layer, all
//! units at all knots. The first two are this project's own incremental versions of what Sotoudeh and Thakur, "Computing Linear
//! Restrictions of Neural Networks" (`NeurIPS` 2019), do layer by layer; the third is theirs. In real arithmetic each is exact;
//! here they compute in 64 bits, also where the net itself computes in 32. Knots are kinks of units: the function need not bend.
//!
//! A net may have exponentially many pieces for its size (a ripple), so there is a limit on pieces and on operations, at
//! which work stops; what is charged is what was done. Every step is charged before it is done.
mod deep;
mod shallow;
mod spot;
#[cfg(test)]
mod tests;
mod two;

pub use spot::{Piece, Spot};

use super::{Activation, Layer, Net};
use crate::error::{Error, Result};
use crate::ledger::Ledger;

/// The name in errors.
const METHOD: &str = "exact restriction to a line";
/// Most numbers that are held at a time.
const MOST_NUMBERS: usize = 1 << 26;

/// All rays of a `ReLU` net from one point.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    net: &'a Net,
    /// Sums of the first layer at the start.
    sums: Vec<f64>,
    way: Way,
    flops: u64,
}

/// Which algorithm applies.
#[derive(Clone, Debug)]
enum Way {
    One,
    /// With the sums of the second layer at the start.
    Two(Vec<f64>),
    Layers,
}

/// Where a restriction stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pieces, those of layers on the way included.
    pub pieces: usize,
    /// Most operations of one restriction.
    pub flops: u64,
}

impl Limits {
    /// No limit but memory.
    pub const NONE: Self = Self { pieces: usize::MAX, flops: u64::MAX };
}

/// A piecewise linear function on [0, end], given at its knots.
#[derive(Clone, Debug, PartialEq)]
pub struct Piecewise {
    /// Where pieces meet, ascending, from 0 to the end.
    pub knots: Vec<f64>,
    /// The value at every knot.
    pub values: Vec<f64>,
}

/// Why there is no restriction.
enum Stop {
    Limit,
    Failed(Error),
}

/// Charges what is done, up to the limits.
struct Meter<'a> {
    ledger: &'a Ledger,
    flops: &'a mut u64,
    pieces: usize,
}

impl Meter<'_> {
    fn pay(&mut self, flops: u64) -> Result<(), Stop> {
        if flops > *self.flops {
            return Err(Stop::Limit);
        }
        self.ledger.flops(flops).map_err(Stop::Failed)?;
        *self.flops -= flops;
        Ok(())
    }

    fn pieces(&self, n: usize) -> Result<(), Stop> {
        if n > self.pieces { Err(Stop::Limit) } else { Ok(()) }
    }
}

impl<'a> Line<'a> {
    /// Prepares rays from `start`. Charges one product with the first layer, and one with the second if that is the last hidden one.
    ///
    /// # Errors
    /// If a hidden layer is neither `ReLU` nor linear, there is not one linear output, the net is locked, or the budget does not reach.
    pub fn from(net: &'a Net, start: &[f64], ledger: &Ledger) -> Result<Self> {
        affine_pieces(net)?;
        let outputs = net.shape().outputs;
        if outputs != 1 {
            return Err(Error::assumption(METHOD, format!("one output is needed, not {outputs}")));
        }
        width("start of a line", net, start)?;
        let layers = net.layers();
        let (first, hidden) = (&layers[0], &layers[..layers.len() - 1]);
        let bent = hidden.iter().all(|layer| layer.activation == Activation::Relu);
        let second = (bent && hidden.len() == 2).then(|| &hidden[1]);
        let weights = first.weight.len() + second.map_or(0, |layer| layer.weight.len());
        let flops = 2 * weights as u64;
        ledger.flops(flops)?;
        let sums = plus_bias(first, product(first, start));
        let way = match second {
            Some(second) => {
                let on: Vec<f64> = sums.iter().map(|z| z.max(0.0)).collect();
                Way::Two(plus_bias(second, product(second, &on)))
            }
            None if bent && hidden.len() == 1 => Way::One,
            None => Way::Layers,
        };
        Ok(Self { net, sums, way, flops })
    }

    /// What its preparation charged: the same for every start.
    pub fn flops(&self) -> u64 {
        self.flops
    }

    /// The net along `start + t direction` for t from 0 to `end`. Charges what the file of its depth says.
    ///
    /// # Errors
    /// If the budget does not reach, or there are more pieces than memory should hold.
    pub fn along(&self, direction: &[f64], end: f64, ledger: &Ledger) -> Result<Piecewise> {
        let mut limits = Limits::NONE;
        self.along_within(direction, end, &mut limits, ledger)?.ok_or_else(|| {
            let why = format!("the net has more pieces there than fit into {MOST_NUMBERS} numbers");
            Error::assumption(METHOD, why)
        })
    }

    /// The same, or `None` where `limits` are too narrow for it. What was done is charged, and taken off `limits.flops`.
    pub fn along_within(
        &self,
        direction: &[f64],
        end: f64,
        limits: &mut Limits,
        ledger: &Ledger,
    ) -> Result<Option<Piecewise>> {
        width("direction of a line", self.net, direction)?;
        if !(end >= 0.0 && end.is_finite()) {
            return Err(Error::parameter("end", end, "a finite number of at least 0 is needed"));
        }
        let widest = self.net.widths().into_iter().max().unwrap_or(1);
        let pieces = limits.pieces.min(MOST_NUMBERS / widest);
        let mut meter = Meter { ledger, flops: &mut limits.flops, pieces };
        let made = match &self.way {
            Way::One => shallow::along(self, direction, end, &mut meter),
            Way::Two(second) => two::along(self, second, direction, end, &mut meter),
            Way::Layers => deep::along(self, direction, end, &mut meter),
        };
        match made {
            Ok(made) => Ok(Some(made)),
            Err(Stop::Limit) => Ok(None),
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}

impl Piecewise {
    /// The end of its domain.
    pub fn end(&self) -> f64 {
        self.knots[self.knots.len() - 1]
    }

    /// How many pieces it is given in.
    pub fn n_pieces(&self) -> usize {
        self.knots.len() - 1
    }

    /// Its value at `t` in [0, end].
    pub fn at(&self, t: f64) -> f64 {
        let right = self.knots.partition_point(|knot| *knot < t).clamp(1, self.knots.len() - 1);
        let (t0, t1) = (self.knots[right - 1], self.knots[right]);
        let (v0, v1) = (self.values[right - 1], self.values[right]);
        if t1 > t0 { v0 + (v1 - v0) * (t - t0) / (t1 - t0) } else { v1 }
    }
}

/// Checks that the layers are all of the net, and that it is affine in pieces.
fn affine_pieces(net: &Net) -> Result<()> {
    if net.lock().is_some() {
        let why =
            "a verifier is asked before the layers, which say nothing of what it lets through";
        return Err(Error::assumption(METHOD, why));
    }
    let layers = net.layers();
    for (number, layer) in layers.iter().enumerate() {
        let last = number + 1 == layers.len();
        let fits = match layer.activation {
            Activation::Identity => true,
            Activation::Relu => !last,
            _ => false,
        };
        if !fits {
            let why = format!(
                "hidden layers must be ReLU or linear and the output linear; layer {number} of {} is {:?}",
                layers.len(),
                layer.activation
            );
            return Err(Error::assumption(METHOD, why));
        }
    }
    Ok(())
}

fn width(what: &'static str, net: &Net, x: &[f64]) -> Result<()> {
    let (want, got) = (net.shape().inputs, x.len());
    if want == got { Ok(()) } else { Err(Error::Width { what, want, got }) }
}

/// Weights times `x`.
fn product(layer: &Layer, x: &[f64]) -> Vec<f64> {
    let rows = layer.weight.rows().into_iter();
    rows.map(|w| w.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
}

fn plus_bias(layer: &Layer, mut sums: Vec<f64>) -> Vec<f64> {
    sums.iter_mut().zip(&layer.bias).for_each(|(z, b)| *z += b);
    sums
}

/// Comparisons of a sort of `n` numbers: `n log₂ n`.
pub(crate) fn sort_flops(n: usize) -> u64 {
    let n = n as f64;
    (n * n.max(1.0).log2()).ceil() as u64
}
