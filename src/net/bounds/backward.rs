//! CROWN: the sums of a layer between two linear functions of the input, found by substitution from the layer back to the
//! input.
//!
//! Zhang et al., "Efficient Neural Network Robustness Certification with General Activation Functions" (`NeurIPS` 2018),
//! Theorem 3.2, with the lines of [`relax`](super::relax). To bound λ · ĥ from above, ĥₖ is replaced by its upper line
//! where λₖ ≥ 0 and by its lower one elsewhere: λ · ĥ ≤ μ · ẑ + Σ λₖ tₖ with μₖ = λₖ sₖ; then ẑ by W ĥ′ + b, and so on.
//! Lower bounds are upper bounds of −z.
//!
//! **Rounding.** The paper's inequalities are between real numbers. Here each stage holds for what the net computes and for
//! the λ that are computed, because what rounding may do is added to the constant. With M, E as the layer's sizes and
//! misrounds ([`forward`](super::forward)), ẑₖ is at most Mₖ + Eₖ in absolute value, and one stage takes
//!
//! * Eₖ |μₖ|: the net's own rounding in ẑₖ;
//! * `γ_d` Mₖ |μₖ|: of λ′ = μ W in 64 bits, since Σᵢ `γ_d` Σₖ |μₖ||wₖᵢ||ĥ′ᵢ| ≤ `γ_d` Σₖ |μₖ| Mₖ;
//! * u(1 + 2u)(Mₖ + Eₖ)|μₖ|: of μₖ = λₖ sₖ;
//! * `γ_N` Mₖ |μₖ|: of summing μₖ bₖ, one of N terms, since Mₖ ≥ |bₖ|.
//!
//! Together at most (Eₖ + 4`γ_N` (Mₖ + Eₖ)) |μₖ|: the *slack*. Terms λₖ tₖ add their size times `γ_N`. Products that
//! underflow are the *crumbs*, η for each with what it multiplies. So a bound that a layer of `f32` computes is about `γ_d`
//! M wider than of real numbers.
use ndarray::Array2;

use super::forward::Image;
use super::input::InputBox;
use super::interval::{Interval, WIDE, at_least, up};
use super::relax::Lines;

/// A layer with the lines of its activation.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    weight: &'a Array2<f64>,
    bias: &'a [f64],
    slack: Vec<f64>,
    crumbs: f64,
    pub(super) lines: Vec<Lines>,
}

/// For each row a linear function of the input: `slopes · x + constant`.
#[derive(Clone, Debug)]
pub(super) struct Forms {
    pub(super) slopes: Array2<f64>,
    pub(super) constants: Vec<f64>,
}

/// What a box is to a linear function: its centre, and what to multiply absolute slopes by, rounding included.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    centre: Vec<f64>,
    radius: Vec<f64>,
}

impl<'a> Stage<'a> {
    /// Operations of [`Self::new`]: seven an output and four an input.
    pub(super) fn flops(inputs: usize, outputs: usize) -> u64 {
        7 * outputs as u64 + 4 * inputs as u64
    }

    /// A layer whose inputs are in `inputs`; `terms` is N.
    pub(super) fn new(
        (weight, bias): (&'a Array2<f64>, &'a [f64]),
        image: &Image,
        inputs: &[Interval],
        terms: usize,
    ) -> Self {
        let own = 4.0 * WIDE.gamma(terms);
        let most = image.sizes.iter().zip(&image.misround).map(|(size, off)| up(size + off));
        let most: Vec<f64> = most.collect();
        let slack = most.iter().zip(&image.misround);
        let slack = slack.map(|(most, off)| up(off + up(own * most))).collect();
        let widths = (weight.nrows() + weight.ncols() + 4) as f64;
        let read = inputs.iter().map(|h| h.magnitude()).sum::<f64>();
        let sizes = 1.0 + most.iter().sum::<f64>() + read;
        let crumbs = up(8.0 * widths * sizes * WIDE.tiny);
        Self { weight, bias, slack, crumbs, lines: vec![Lines::SAME; weight.nrows()] }
    }
}

/// Operations of the two forms of the last of layers with these widths, inputs first. Per side and row of the last: its
/// weights' signs and three more; at each layer below one, eleven a unit, and the product with the weights; at the input
/// three a coordinate and eleven. The lower forms change signs once more.
pub(super) fn flops(widths: &[usize]) -> u64 {
    let n = widths.len();
    let (rows, first) = (widths[n - 1] as u64, widths[0] as u64);
    let below: u64 =
        widths[..n - 1].windows(2).map(|w| (1 + 11 * w[1] + 2 * w[0] * w[1]) as u64).sum();
    rows * (2 * (widths[n - 2] as u64 + 3 + below + 3 * first + 11) + first + 1)
}

/// Linear functions below and above what the last of `stages` passes on through its lines at the start: its sums. Each
/// holds at every real input of the box that the stages were made for; `misread` is how far what the net reads of it may be
/// from it.
pub(super) fn between(stages: &[Stage<'_>], misread: &[f64], terms: usize) -> (Forms, Forms) {
    let mut low = above(stages, -1.0, misread, terms);
    low.slopes.mapv_inplace(|slope| -slope);
    low.constants.iter_mut().for_each(|constant| *constant = -*constant);
    (low, above(stages, 1.0, misread, terms))
}

/// Upper forms of `sign` times the sums of the last stage.
fn above(stages: &[Stage<'_>], sign: f64, misread: &[f64], terms: usize) -> Forms {
    let Some((top, below)) = stages.split_last() else {
        unreachable!("a net has a layer");
    };
    let mut slopes = sign * top.weight;
    let biases = || (0..top.weight.nrows()).map(|j| top.bias.get(j).copied().unwrap_or(0.0));
    let mut sums: Vec<f64> = biases().map(|b| sign * b).collect();
    let mut sizes: Vec<f64> = biases().map(f64::abs).collect();
    let mut spreads: Vec<f64> = top.slack.iter().map(|slack| slack + top.crumbs).collect();
    for stage in below.iter().rev() {
        for (j, mut row) in slopes.rows_mut().into_iter().enumerate() {
            let (mut sum, mut size, mut spread) = (sums[j], sizes[j], spreads[j] + stage.crumbs);
            for (k, coefficient) in row.iter_mut().enumerate() {
                let lines = &stage.lines[k];
                let line = if *coefficient >= 0.0 { lines.high } else { lines.low };
                let shift = *coefficient * line.offset;
                *coefficient *= line.slope;
                sum += shift;
                size += shift.abs();
                if let Some(bias) = stage.bias.get(k) {
                    sum += *coefficient * bias;
                }
                spread += coefficient.abs() * stage.slack[k];
            }
            (sums[j], sizes[j], spreads[j]) = (sum, size, spread);
        }
        slopes = slopes.dot(stage.weight);
    }
    let constants = slopes.rows().into_iter().enumerate().map(|(j, row)| {
        let misread = row.iter().zip(misread).map(|(slope, off)| slope.abs() * off).sum::<f64>();
        let off = up(at_least(terms, spreads[j] + misread) + up(WIDE.gamma(terms) * sizes[j]));
        // A sum that overflowed may have lost what came after.
        if sums[j].is_finite() { up(sums[j] + off) } else { f64::INFINITY }
    });
    let constants = constants.collect();
    Forms { slopes, constants }
}

impl Reach {
    /// Operations of [`Self::of`], for one coordinate.
    pub(super) const FLOPS: u64 = 15;

    pub(super) fn of(over: &InputBox, terms: usize) -> Self {
        let own = 2.0 * WIDE.gamma(terms);
        let reach = |side: &Interval| {
            let (centre, radius) = side.ball();
            (centre, up(radius + up(own * side.magnitude())))
        };
        let (centre, radius) = over.sides().iter().map(reach).unzip();
        Self { centre, radius }
    }
}

impl Forms {
    /// Operations of [`Self::most`] for one row of `n` slopes.
    pub(super) fn most_flops(n: usize) -> u64 {
        5 * n as u64 + 10
    }

    /// At least what row `j` is anywhere in the box; infinity where that is not known. The slopes may be rounded once more
    /// than where they came from: the reach has room for it.
    pub(super) fn most(&self, j: usize, reach: &Reach) -> f64 {
        let row = self.slopes.row(j);
        let (mut middle, mut spread) = (0.0, 0.0);
        for ((slope, centre), radius) in row.iter().zip(&reach.centre).zip(&reach.radius) {
            middle += slope * centre;
            spread += slope.abs() * radius;
        }
        let most = up(up(self.constants[j] + middle) + at_least(2 * row.len() + 2, spread));
        if middle.is_finite() && !most.is_nan() { most } else { f64::INFINITY }
    }

    /// Upper forms as functions of the other coordinates where coordinate `i` is `x`. Four operations a row.
    pub(super) fn at(mut self, i: usize, x: f64) -> Self {
        for (constant, slope) in self.constants.iter_mut().zip(self.slopes.column_mut(i)) {
            *constant = up(*constant + up(*slope * x));
            *slope = 0.0;
        }
        self
    }

    /// The same forms with the other sign.
    pub(super) fn negated(&self) -> Self {
        Self {
            slopes: -&self.slopes,
            constants: self.constants.iter().map(|constant| -constant).collect(),
        }
    }

    /// Row by row the sum with `other`'s.
    pub(super) fn plus(&self, other: &Self) -> Self {
        let constants = self.constants.iter().zip(&other.constants).map(|(a, b)| up(a + b));
        Self { slopes: &self.slopes + &other.slopes, constants: constants.collect() }
    }
}
