//! One panel of weights: its gradient, and its step.
use super::Trained;
use crate::net::kernel::{AdamStep, Real, Rows, outer, sgd, stride, transpose_panel};

/// One step of the optimiser.
#[derive(Clone, Copy, Debug)]
pub(super) enum Update<T> {
    Adam(AdamStep<T>),
    /// Rate, momentum, decay.
    Sgd(T, T, T),
}

impl<T: Real> Update<T> {
    fn apply(self, weights: &mut [T], first: &mut [T], second: &mut [T], gradient: &[T]) {
        match self {
            Self::Adam(step) => step.apply(weights, first, second, gradient),
            Self::Sgd(rate, momentum, decay) => {
                sgd((rate, momentum, decay), weights, first, gradient);
            }
        }
    }
}

/// A task's own memory, kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch<T> {
    ds: Vec<T>,
    weights: Vec<T>,
    bias: Vec<T>,
}

/// One panel of a layer: what moves, and what it moves by.
pub(super) struct Task<'a, T> {
    /// What the layer was given.
    xs: Rows<'a, T>,
    /// The loss by the layer's sums.
    gradients: Rows<'a, T>,
    /// The panel's first output.
    first_output: usize,
    weights: Moving<'a, T>,
    bias: Moving<'a, T>,
    back: &'a mut [T],
}

/// Numbers and their moments.
struct Moving<'a, T> {
    numbers: &'a mut [T],
    first: &'a mut [T],
    second: &'a mut [T],
}

impl<T: Real> Moving<'_, T> {
    fn step(&mut self, update: Update<T>, gradient: &[T]) {
        update.apply(self.numbers, self.first, self.second, gradient);
    }
}

impl<T: Real> Trained<T> {
    /// The tasks of this layer.
    pub(super) fn tasks<'a>(
        &'a mut self,
        xs: Rows<'a, T>,
        gradients: &'a [T],
    ) -> impl Iterator<Item = Task<'a, T>> {
        let gradients =
            Rows { numbers: gradients, stride: stride::<T>(self.panels.outputs()), n: xs.n };
        let panel = self.panels.panel();
        let mut firsts = self.first.0.chunks_mut(panel).zip(self.first.1.chunks_mut(T::WIDTH));
        let mut seconds = self.second.0.chunks_mut(panel).zip(self.second.1.chunks_mut(T::WIDTH));
        let mut backs = self.back.as_mut().map(|back| {
            let panel = back.panel();
            back.weights.chunks_mut(panel)
        });
        let weights = self.panels.weights.chunks_mut(panel);
        weights.zip(self.panels.bias.chunks_mut(T::WIDTH)).enumerate().map(
            move |(number, (weights, bias))| {
                let first = firsts.next().unwrap_or_default();
                let second = seconds.next().unwrap_or_default();
                Task {
                    xs,
                    gradients,
                    first_output: number * T::WIDTH,
                    weights: Moving { numbers: weights, first: first.0, second: second.0 },
                    bias: Moving { numbers: bias, first: first.1, second: second.1 },
                    back: backs.as_mut().and_then(Iterator::next).unwrap_or_default(),
                }
            },
        )
    }
}

impl<T: Real> Task<'_, T> {
    /// Finds the panel's gradient and moves it.
    pub(super) fn run(mut self, update: Update<T>, scratch: &mut Scratch<T>) {
        let Scratch { ds, weights, bias } = scratch;
        ds.clear();
        for row in self.gradients.numbers.chunks_exact(self.gradients.stride).take(self.xs.n) {
            ds.extend_from_slice(&row[self.first_output..][..T::WIDTH]);
        }
        weights.resize(self.weights.numbers.len(), T::zero());
        bias.resize(T::WIDTH, T::zero());
        outer(self.xs, ds, weights, bias);
        self.weights.step(update, weights);
        self.bias.step(update, bias);
        if !self.back.is_empty() {
            transpose_panel(self.weights.numbers, self.back);
        }
    }
}
