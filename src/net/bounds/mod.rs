//! Bounds of what a net answers over a box of inputs, and of how much a coordinate changes it, proved for the computed
//! numbers.
//!
//! **Theorem.** Let a net compute in precision P with unit roundoff u, each sum of a layer in any order with or without
//! fused multiply-adds, and let the library's tanh, cosine and GELU be as right as [`relax`] assumes. Then for every input
//! in the box, rounded to P on the way in, the answer of [`Net::forward`] lies in [`Bounds::outputs`], also where that is
//! far from what real arithmetic would give.
//!
//! *Proof.* By induction over layers: [`forward`] and [`backward`] each enclose a layer's computed sums given enclosures of
//! its computed inputs, the first by the rule of sums in [`interval`], the second by Theorem 3.2 of CROWN with every
//! rounding added to its constant. Both hold, so what is in both does. Where a sum may overflow, the answer is
//! [`Interval::ENTIRE`], NaN included. ∎
//!
//! Why: a net can be made whose answers in floating point are not those of real arithmetic, and a verifier that reasons
//! about the latter, or rounds to nearest itself, certifies what is false (Jia, Rinard, "Exploiting Verified Neural
//! Networks via Floating Point Numerical Error", SAS 2021; Zombori et al., "Fooling a Complete Neural Network Verifier",
//! ICLR 2021). `tests/it/bounds.rs` has such a net.
//!
//! The bounds say what the layers answer. A locked net ([`Net::lock`]) answers otherwise where its lock opens, so it is
//! refused.
//!
//! **Cost.** With F a forward pass: intervals 3F, and a few dozen operations a unit ([`Bounder::flops`] is exact). CROWN
//! does so too, and for each layer l after the first substitutes `dₗ` rows back to the input, twice: 4 Σₗ `dₗ` Σ_{m<l}
//! `d_m` `d_{m−1}`, about depth · width · F.
mod backward;
mod flip;
mod forward;
mod input;
mod interval;
mod relax;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use backward::{Forms, Reach, Stage, between};
use forward::{Affine, Image};
use interval::Arithmetic;
use relax::{LINES, Lines, RANGE};

pub use input::InputBox;
pub use interval::Interval;

use super::{Activation, Net, Precision};
use crate::error::{Error, Result};
use crate::ledger::Ledger;

/// How a net is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bounding {
    /// Intervals of each layer from those of the one before: cheap and loose.
    Interval,
    /// Linear functions of the input around each layer, and the tighter of these and intervals: never looser.
    #[default]
    Crown,
}

/// A net that is ready to be bounded.
#[derive(Clone, Debug)]
pub struct Bounder {
    layers: Vec<Affine>,
    precision: Precision,
    arithmetic: Arithmetic,
    /// Widths of all layers, inputs first.
    widths: Vec<usize>,
    /// More than the terms of any sum that is computed on the way.
    terms: usize,
}

/// What is known of a net's answers over a box.
#[derive(Clone, Debug)]
pub struct Bounds {
    outputs: Vec<Interval>,
    forms: Option<(Forms, Forms)>,
    reach: Reach,
}

/// What is known of each layer.
struct Trace {
    images: Vec<Image>,
    outputs: Vec<Interval>,
    forms: Option<(Forms, Forms)>,
}

impl Bounder {
    /// Prepares `net`. Charges one operation a weight.
    ///
    /// # Errors
    /// If the net is locked, or the budget does not reach.
    pub fn new(net: &Net, ledger: &Ledger) -> Result<Self> {
        if net.lock().is_some() {
            let why = "the net is locked: where its lock opens it answers otherwise than its layers, which are all that is bounded";
            return Err(Error::assumption("bounds of a net", why));
        }
        ledger.flops(net.layers().iter().map(|layer| layer.weight.len() as u64).sum())?;
        let widths = net.widths();
        Ok(Self {
            layers: net.layers().iter().map(Affine::new).collect(),
            precision: net.precision(),
            arithmetic: Arithmetic::of(net.precision()),
            terms: 4 * widths.iter().sum::<usize>() + 16,
            widths,
        })
    }

    /// Bounds of the answers over `over`. Charges [`Self::flops`], before anything is computed.
    ///
    /// # Errors
    /// If the box has not as many coordinates as the net has inputs, or the budget does not reach.
    pub fn over(&self, over: &InputBox, how: Bounding, ledger: &Ledger) -> Result<Bounds> {
        self.admit(over)?;
        ledger.flops(self.flops(how))?;
        let reach = Reach::of(over, self.terms);
        Ok(match self.trace(over, how, &reach) {
            Some(Trace { outputs, forms, .. }) => Bounds { outputs, forms, reach },
            None => {
                Bounds { outputs: vec![Interval::ENTIRE; self.n_outputs()], forms: None, reach }
            }
        })
    }

    /// Operations of [`Self::over`].
    pub fn flops(&self, how: Bounding) -> u64 {
        let n = self.widths[0];
        let units: u64 = self.widths[1..].iter().map(|d| *d as u64).sum();
        let images: u64 = self.layers.iter().map(Affine::image_flops).sum();
        let forward = images + units * RANGE + n as u64 * Reach::FLOPS;
        match how {
            Bounding::Interval => forward,
            Bounding::Crown => {
                let substituted = |q: &usize| self.is_substituted(*q);
                let backward = (0..self.layers.len()).filter(substituted).map(|q| {
                    let rows = self.widths[q + 1] as u64;
                    backward::flops(&self.widths[..q + 2]) + rows * tighten_flops(n)
                });
                let last = if self.ends_straight() { 0 } else { self.n_outputs() * 2 * (n + 4) };
                let stages: u64 = self.widths.windows(2).map(|w| Stage::flops(w[0], w[1])).sum();
                let read = 4 * n as u64;
                forward + units * LINES + stages + read + backward.sum::<u64>() + last as u64
            }
        }
    }

    /// How many inputs the net has.
    pub fn n_inputs(&self) -> usize {
        self.widths[0]
    }

    fn n_outputs(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    fn admit(&self, over: &InputBox) -> Result<()> {
        let (want, got) = (self.n_inputs(), over.n());
        if want == got { Ok(()) } else { Err(Error::Width { what: "box of inputs", want, got }) }
    }

    fn ends_straight(&self) -> bool {
        self.layers.last().is_some_and(|layer| layer.activation == Activation::Identity)
    }

    /// The first layer's sums are affine in the input already, and intervals of them are exact but for rounding.
    fn is_substituted(&self, q: usize) -> bool {
        q > 0 || self.layers.len() == 1
    }

    fn trace(&self, over: &InputBox, how: Bounding, reach: &Reach) -> Option<Trace> {
        let misread = over.misread(self.precision);
        let mut inputs = over.read(self.precision);
        let mut stages: Vec<Stage<'_>> = Vec::new();
        let (mut images, mut forms) = (Vec::new(), None);
        for (q, layer) in self.layers.iter().enumerate() {
            let mut image = layer.image(&inputs, self.arithmetic)?;
            if how == Bounding::Crown {
                let affine = (&layer.weight, layer.bias.as_slice());
                stages.push(Stage::new(affine, &image, &inputs, self.terms));
                if self.is_substituted(q) {
                    let (low, high) = between(&stages, &misread, self.terms);
                    tighten(&mut image.sums, (&low, &high), reach);
                    forms = Some((low, high));
                }
                let lines = image.sums.iter().map(|z| layer.activation.lines(*z, self.precision));
                stages[q].lines = lines.collect();
            }
            inputs =
                image.sums.iter().map(|z| layer.activation.range(*z, self.precision)).collect();
            images.push(image);
        }
        if !self.ends_straight() {
            let lines = stages.last().map(|stage| &stage.lines);
            forms = forms.zip(lines).map(|((low, high), lines)| through(&low, &high, lines));
        }
        Some(Trace { images, outputs: inputs, forms })
    }
}

/// Operations of [`tighten`] for one row of `n` slopes.
fn tighten_flops(n: usize) -> u64 {
    2 * Forms::most_flops(n) + n as u64 + 4
}

/// Keeps of each sum what its forms leave.
fn tighten(sums: &mut [Interval], (low, high): (&Forms, &Forms), reach: &Reach) {
    let negated = low.negated();
    for (j, sum) in sums.iter_mut().enumerate() {
        *sum = sum.meet(Interval::new(-negated.most(j, reach), high.most(j, reach)));
    }
}

/// Forms of the values of an activation from forms of its sums.
fn through(low: &Forms, high: &Forms, lines: &[Lines]) -> (Forms, Forms) {
    let upper = |low: &Forms, high: &Forms, sign: f64| {
        let mut upper = high.clone();
        for (j, lines) in lines.iter().enumerate() {
            let line = if sign > 0.0 { lines.high } else { lines.low };
            let from = if line.slope >= 0.0 { high } else { low };
            let scaled = from.slopes.row(j).mapv(|slope| line.slope * slope);
            upper.slopes.row_mut(j).assign(&scaled);
            upper.constants[j] =
                interval::up(interval::up(line.slope * from.constants[j]) + sign * line.offset);
        }
        upper
    };
    // −σ(z) ≤ −(s z + t), and −z is between the negated forms, which change places.
    (upper(&high.negated(), &low.negated(), -1.0).negated(), upper(low, high, 1.0))
}

impl Bounds {
    /// Where the answers lie, output by output.
    pub fn outputs(&self) -> &[Interval] {
        &self.outputs
    }

    /// Where the differences of these answers and `other`'s at the same input lie, both bounded over the same box: the
    /// tighter of the difference of both and, where both have linear functions around them, of these.
    ///
    /// # Panics
    /// If they have different numbers of outputs: a bug in the caller.
    pub fn minus(&self, other: &Self) -> Vec<Interval> {
        assert!(self.outputs.len() == other.outputs.len(), "nets with different outputs");
        let mut apart: Vec<Interval> =
            self.outputs.iter().zip(&other.outputs).map(|(a, b)| a.minus(*b)).collect();
        if let (Some(own), Some(others)) = (&self.forms, &other.forms) {
            let high = own.1.plus(&others.0.negated());
            let low = own.0.negated().plus(&others.1).negated();
            tighten(&mut apart, (&low, &high), &self.reach);
        }
        apart
    }

    /// Operations of [`Self::minus`] for nets with `n` inputs and `outputs` outputs, whatever the bounds.
    pub fn minus_flops(n: usize, outputs: usize) -> u64 {
        outputs as u64 * (4 + 5 * n as u64 + 7 + tighten_flops(n))
    }

    /// How steep the difference to `other` is in each coordinate, as the linear functions around both have it: the largest
    /// absolute slope over outputs and both sides. `None` where there are no such functions.
    pub fn steepness(&self, other: &Self) -> Option<Vec<f64>> {
        let (own, others) = (self.forms.as_ref()?, other.forms.as_ref()?);
        let steepest = |a: &Forms, b: &Forms, i: usize| {
            let slopes = a.slopes.column(i).into_iter().zip(b.slopes.column(i));
            slopes.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        let of = |i| steepest(&own.1, &others.0, i).max(steepest(&own.0, &others.1, i));
        Some((0..own.0.slopes.ncols()).map(of).collect())
    }

    /// Operations of [`Self::steepness`].
    pub fn steepness_flops(n: usize, outputs: usize) -> u64 {
        n as u64 * (6 * outputs as u64 + 1)
    }
}
