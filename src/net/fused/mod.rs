//! The trainer of plain nets on the processor: forward, backward and the optimiser's step, fused.
//!
//! The same mathematics as [`candle`](super::candle), which tests hold it to. Weights stay packed from step to step. Rows
//! go forward and back in chunks, then each panel of weights finds its gradient and moves while both are in the cache.
//! Every sum has one order, so the result does not depend on chunks or threads.
mod objective;
mod pass;
mod task;

use rayon::prelude::*;

pub(super) use self::objective::Objective;
use self::pass::{Buffers, Chunk};
use self::task::{Scratch, Task, Update};
use super::kernel::{AdamStep, Panels, Real, Rows, Transposed, stride};
use super::learner::Learner;
use super::{Activation, Layer, Net, Optimizer, Precision, Recipe};
use crate::data::{Batch, Labeled, Target};
use crate::error::Result;

/// Rows that go forward and back together: few enough for the cache.
const CHUNK: usize = 128;
/// Operations below which a step is not worth spreading over threads.
const WORTH_SPREADING: u64 = 6_000_000;

/// A net in training, with its data.
#[derive(Debug)]
pub(super) struct Fused<T> {
    layers: Vec<Trained<T>>,
    data: Data<T>,
    objective: Objective,
    rule: Rule,
    steps: i32,
    threads: usize,
    batch: Buffers<T>,
}

/// One layer and the state of its optimiser.
#[derive(Debug)]
struct Trained<T> {
    panels: Panels<T>,
    /// For the way back; the first layer has none.
    back: Option<Transposed<T>>,
    activation: Activation,
    /// First moments, or velocities: of weights, and of biases.
    first: (Vec<T>, Vec<T>),
    /// Second moments; empty where the rule has none.
    second: (Vec<T>, Vec<T>),
}

#[derive(Debug)]
struct Data<T> {
    xs: Vec<T>,
    ys: Vec<T>,
    inputs: usize,
    outputs: usize,
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    Adam { decay: f64 },
    Sgd { momentum: f64, decay: f64 },
}

impl<T: Real> Fused<T> {
    /// Sets out from `net` to learn `data`.
    pub(super) fn new(net: &Net, data: &Labeled, target: Target, recipe: &Recipe) -> Result<Self> {
        let decay = recipe.weight_decay;
        let rule = match recipe.optimizer {
            Optimizer::Adam => Rule::Adam { decay },
            Optimizer::Sgd { momentum } => Rule::Sgd { momentum, decay },
        };
        let moments = |n: usize| vec![T::zero(); n];
        let layers = net
            .layers()
            .iter()
            .enumerate()
            .map(|(number, layer)| {
                let panels = Panels::new(&layer.weight, &layer.bias);
                let sizes = (panels.weights.len(), panels.bias.len());
                let second = match rule {
                    Rule::Adam { .. } => (moments(sizes.0), moments(sizes.1)),
                    Rule::Sgd { .. } => (Vec::new(), Vec::new()),
                };
                Trained {
                    back: (number > 0).then(|| Transposed::new(&panels)),
                    panels,
                    activation: layer.activation,
                    first: (moments(sizes.0), moments(sizes.1)),
                    second,
                }
            })
            .collect();
        // Inside a pool others already work side by side; there a step stays on its thread.
        let alone = rayon::current_thread_index().is_none();
        Ok(Self {
            layers,
            data: Data::new(data),
            objective: Objective::new(recipe.loss_for(target)?, target),
            rule,
            steps: 0,
            threads: if alone { rayon::current_num_threads() } else { 1 },
            batch: Buffers::default(),
        })
    }

    /// Rows that go together, of `n`.
    fn chunk_of(&self, n: usize) -> usize {
        n.div_ceil(self.threads).clamp(1, CHUNK).max(CHUNK / 4)
    }

    fn worth_spreading(&self, n: usize) -> bool {
        let flops: usize = self.layers.iter().map(|layer| 6 * layer.panels.weights.len()).sum();
        self.threads > 1 && (flops * n) as u64 > WORTH_SPREADING
    }

    /// Takes the rows numbered `rows` forward and back. Returns the sum of their losses.
    fn differentiate(&mut self, rows: &[u32], spread: bool) -> f64 {
        let size = self.chunk_of(rows.len());
        self.batch.fit(rows.len(), self.data.inputs, &self.layers);
        let (layers, data, objective) = (&self.layers, &self.data, self.objective);
        let scale = T::of(1.0 / rows.len() as f64);
        let work = |chunk: Chunk<'_, T>| chunk.differentiate(layers, data, objective, scale);
        let chunks = self.batch.chunks(rows, size, data.inputs, layers);
        if spread {
            chunks.collect::<Vec<_>>().into_par_iter().with_max_len(1).for_each(work);
        } else {
            chunks.for_each(work);
        }
        self.batch.losses.iter().sum()
    }

    /// Moves every weight, panel by panel.
    fn update(&mut self, n: usize, rate: f64, spread: bool) {
        self.steps += 1;
        let update = match self.rule {
            Rule::Adam { decay } => Update::Adam(AdamStep::new(self.steps, rate, decay)),
            Rule::Sgd { momentum, decay } => {
                Update::Sgd(T::of(rate), T::of(momentum), T::of(decay))
            }
        };
        let Buffers { xs, values, gradients, .. } = &self.batch;
        let inputs = self.data.inputs;
        let tasks = self.layers.iter_mut().enumerate().flat_map(|(number, layer)| {
            let (numbers, width) = match number {
                0 => (xs, inputs),
                _ => (&values[number - 1], layer.panels.inputs()),
            };
            let xs = Rows { numbers, stride: stride::<T>(width), n };
            layer.tasks(xs, &gradients[number])
        });
        let work = |scratch: &mut Scratch<T>, task: Task<'_, T>| task.run(update, scratch);
        if spread {
            let tasks: Vec<_> = tasks.collect();
            tasks.into_par_iter().with_max_len(1).for_each_init(Scratch::default, work);
        } else {
            let mut scratch = Scratch::default();
            tasks.for_each(|task| work(&mut scratch, task));
        }
    }
}

impl<T: Real> Learner for Fused<T> {
    fn step(&mut self, rows: &[u32], rate: f64) -> Result<f64> {
        let spread = self.worth_spreading(rows.len());
        let loss = self.differentiate(rows, spread);
        self.update(rows.len(), rate, spread);
        Ok(loss / rows.len() as f64)
    }

    fn loss_on(&self, data: &Labeled) -> Result<f64> {
        let answers = self.net()?.forward_unmetered(&data.xs);
        let mut sum = 0.0;
        for (answer, label) in answers.rows().into_iter().zip(data.ys.rows()) {
            let mut answer: Vec<T> = answer.iter().map(|a| T::of(*a)).collect();
            let label: Vec<T> = label.iter().map(|y| T::of(*y)).collect();
            sum += self.objective.differentiate(&mut answer, &label, T::one());
        }
        Ok(sum / data.len() as f64)
    }

    fn net(&self) -> Result<Net> {
        let layers = self.layers.iter().map(|layer| {
            let (weight, bias) = layer.panels.unpack();
            Layer { weight, bias, activation: layer.activation }
        });
        let precision = if T::WIDTH == 16 { Precision::F32 } else { Precision::F64 };
        Net::new(layers.collect(), precision)
    }
}

impl<T: Real> Data<T> {
    fn new(data: &Labeled) -> Self {
        let flat = |batch: &Batch| batch.iter().map(|x| T::of(*x)).collect();
        Self {
            xs: flat(&data.xs),
            ys: flat(&data.ys),
            inputs: data.xs.ncols(),
            outputs: data.ys.ncols(),
        }
    }

    fn x(&self, row: u32) -> &[T] {
        &self.xs[row as usize * self.inputs..][..self.inputs]
    }

    fn y(&self, row: u32) -> &[T] {
        &self.ys[row as usize * self.outputs..][..self.outputs]
    }
}

#[cfg(test)]
mod tests;
