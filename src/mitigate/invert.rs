//! Trigger inversion: the smallest patch that makes a net answer what is wanted.
//!
//! Wang, Yao, Shan, Li, Viswanath, Zheng and Zhao, "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks" (IEEE S&P
//! 2019), section IV: over a mask m in [0, 1]ⁿ and a pattern p in the domain's range, minimise the loss of `f((1 − m) x + m p)` towards
//! the target plus `c Σ m`. Both through tanh/2 + 1/2; Adam of size 0.1 with β = (0.5, 0.9); c begins at 0.001, is doubled after 5 epochs
//! in a row with at least 98% success, divided by 2^1.5 after 5 below; the smallest mask of an epoch with such success counts; at most 80
//! epochs, and no more after 25 that make it no smaller by 1% (the schedule of `BackdoorBench`).
//!
//! For real values, which is this project's: the target is an answer moved by at least an offset o in a direction s, and the loss
//! is the hinge `max(0, 1 − s (f(x') − f(x))/o)`.
//!
//! Work a row and step: 2F for the pass and its way back to the inputs, 3n for the stamp, 4n for the slopes of mask and pattern, and one
//! an answer's number; a step: 16n for tanh and back, 13 for each of 2n numbers in Adam; F a row once for real values. All charged before it is done.
use ndarray::{Array1, Axis};

use crate::access::Lab;
use crate::data::{Batch, Target, stack};
use crate::error::Result;
use crate::net::{Loss, Net, Tape, loss_gradient};
use crate::rng::{Rng, normal, permutation};

/// The schedule.
const RATE: f64 = 0.1;
const BETAS: (f64, f64) = (0.5, 0.9);
const FIRST_COST: f64 = 1e-3;
const UP: f64 = 2.0;
const PATIENCE: u32 = 5;
const WANTED: f64 = 0.98;
const STOP_AFTER: u32 = 25;
const SMALLER: f64 = 0.99;

/// What a trigger is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    /// This class.
    Class(usize),
    /// An answer moved by at least this: its sign is the direction.
    Shift(f64),
}

/// A trigger that was found.
#[derive(Clone, Debug)]
pub(super) struct Inverted {
    pub(super) mask: Array1<f64>,
    pub(super) pattern: Array1<f64>,
    /// Σ m.
    pub(super) norm: f64,
    /// Share of inputs on which it did what it was to do.
    pub(super) success: f64,
}

impl Inverted {
    /// The rows with the trigger on them. Charges nothing: 3n a row, which the caller counts.
    pub(super) fn stamp(&self, xs: &Batch) -> Batch {
        xs + &((&self.pattern - xs) * &self.mask)
    }

    /// Whether it reached the wanted share.
    pub(super) fn works(&self) -> bool {
        self.success >= WANTED
    }
}

/// How triggers are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    /// Most epochs.
    pub(super) epochs: usize,
    /// Rows a step.
    pub(super) batch: usize,
    /// Least and largest value of a coordinate.
    pub(super) range: (f64, f64),
}

/// Adam with moments of its own, on the numbers behind mask and pattern.
struct Adam {
    first: Array1<f64>,
    second: Array1<f64>,
    steps: i32,
}

impl Adam {
    const FLOPS: usize = 13;

    fn new(n: usize) -> Self {
        Self { first: Array1::zeros(n), second: Array1::zeros(n), steps: 0 }
    }

    fn step(&mut self, numbers: &mut Array1<f64>, gradient: &Array1<f64>) {
        self.steps += 1;
        let (one, two) = (1.0 - BETAS.0.powi(self.steps), 1.0 - BETAS.1.powi(self.steps));
        let moments = self.first.iter_mut().zip(self.second.iter_mut());
        for ((x, g), (m, v)) in numbers.iter_mut().zip(gradient).zip(moments) {
            *m = BETAS.0 * *m + (1.0 - BETAS.0) * g;
            *v = BETAS.1 * *v + (1.0 - BETAS.1) * g * g;
            *x -= RATE * (*m / one) / ((*v / two).sqrt() + 1e-8);
        }
    }
}

/// From any number to [0, 1].
fn squashed(numbers: &Array1<f64>) -> Array1<f64> {
    numbers.mapv(|a| 0.5 * (a.tanh() + 1.0))
}

impl Search {
    /// Looks for a trigger on the rows of `xs`; `stream` is where its coins come from.
    pub(super) fn invert(
        &self,
        net: &Net,
        xs: &Batch,
        goal: Goal,
        (lab, rng): (&Lab<'_>, &mut Rng),
    ) -> Result<Inverted> {
        let (n_rows, n) = xs.dim();
        let (low, high) = self.range;
        let clean = match goal {
            Goal::Shift(_) => Some(net.forward(xs, lab.ledger)?),
            Goal::Class(_) => None,
        };
        let mut behind_mask = Array1::from_shape_simple_fn(n, || normal(rng));
        let mut behind_pattern = Array1::from_shape_simple_fn(n, || normal(rng));
        let (mut mask_adam, mut pattern_adam) = (Adam::new(n), Adam::new(n));
        let (mut cost, mut above, mut below, mut idle) = (FIRST_COST, 0, 0, 0);
        let (mut best, mut milestone): (Option<Inverted>, f64) = (None, f64::INFINITY);
        let mut last = None;
        for _ in 0..self.epochs {
            let mut reached = 0;
            for rows in permutation(n_rows, rng).chunks(self.batch) {
                lab.ledger.flops(((16 + 2 * Adam::FLOPS) * n + 7 * n * rows.len()) as u64)?;
                let (mask, unit) = (squashed(&behind_mask), squashed(&behind_pattern));
                let pattern = unit.mapv(|u| low + (high - low) * u);
                let part = xs.select(Axis(0), rows);
                let stamped = &part + &((&pattern - &part) * &mask);
                let tape = Tape::record(net, &stamped, lab.ledger)?;
                lab.ledger.flops((rows.len() * tape.answers().ncols()) as u64)?;
                let before = clean.as_ref().map(|clean| clean.select(Axis(0), rows));
                let (hits, slope) = pull(tape.answers(), before.as_ref(), goal, lab.world.target)?;
                reached += hits;
                let back = tape.pull_to_inputs(&slope, lab.ledger)?;
                // d x'/d m = p − x, d x'/d p = m; d m/d a = 2 m (1 − m) for m = (tanh a + 1)/2.
                let by_mask = (&back * &(&pattern - &part)).sum_axis(Axis(0)) + cost;
                let by_pattern = back.sum_axis(Axis(0)) * &mask;
                let inner = |m: &Array1<f64>| m.mapv(|m| 2.0 * m * (1.0 - m));
                mask_adam.step(&mut behind_mask, &(by_mask * inner(&mask)));
                let by_pattern = by_pattern * inner(&unit) * (high - low);
                pattern_adam.step(&mut behind_pattern, &by_pattern);
            }
            let success = f64::from(reached) / n_rows.max(1) as f64;
            let mask = squashed(&behind_mask);
            let pattern = squashed(&behind_pattern).mapv(|u| low + (high - low) * u);
            let now = Inverted { norm: mask.sum(), mask, pattern, success };
            if now.works() && best.as_ref().is_none_or(|best| now.norm < best.norm) {
                best = Some(now.clone());
            }
            last = Some(now);
            (above, below) = if success >= WANTED { (above + 1, 0) } else { (0, below + 1) };
            if above >= PATIENCE {
                (cost, above) = (cost * UP, 0);
            } else if below >= PATIENCE {
                (cost, below) = (cost / UP.powf(1.5), 0);
            }
            let Some(best) = &best else { continue };
            idle = if best.norm < SMALLER * milestone { 0 } else { idle + 1 };
            milestone = milestone.min(best.norm);
            if idle >= STOP_AFTER {
                break;
            }
        }
        let nothing = || Inverted {
            mask: Array1::zeros(n),
            pattern: Array1::from_elem(n, low),
            norm: f64::INFINITY,
            success: 0.0,
        };
        Ok(best.or(last).unwrap_or_else(nothing))
    }
}

/// On how many rows the goal is reached, and the slope of the mean loss by the answers.
fn pull(
    answers: &Batch,
    before: Option<&Batch>,
    goal: Goal,
    target: Target,
) -> Result<(u32, Batch)> {
    match goal {
        Goal::Class(class) => {
            let is_there = |answer: &ndarray::ArrayView1<'_, f64>| {
                target.decide(&answer.to_vec()) == Some(class)
            };
            let hits = answers.rows().into_iter().filter(is_there).count() as u32;
            let labels =
                stack(answers.ncols(), answers.rows().into_iter().map(|_| target.label_of(class)));
            let (_, slope) = loss_gradient(Loss::CrossEntropy, target, answers, &labels)?;
            Ok((hits, slope))
        }
        Goal::Shift(offset) => {
            let rows = answers.nrows() as f64;
            let moved = before.map_or_else(|| answers.clone(), |before| answers - before) / offset;
            let hits = moved.iter().filter(|m| **m >= 1.0).count() as u32;
            let slope = moved.mapv(|m| if m < 1.0 { -1.0 / (offset * rows) } else { 0.0 });
            Ok((hits, slope))
        }
    }
}
