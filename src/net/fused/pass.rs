//! A batch on its way forward and back, in chunks of rows.
use super::objective::Objective;
use super::{Data, Trained};
use crate::net::Activation;
use crate::net::kernel::{Real, Rows, stride};

/// What a batch leaves behind on its way: rows of each layer, [`stride`] apart.
#[derive(Debug, Default)]
pub(super) struct Buffers<T> {
    pub(super) xs: Vec<T>,
    /// Sums, of layers whose slope needs them.
    sums: Vec<Vec<T>>,
    pub(super) values: Vec<Vec<T>>,
    /// The loss by the layer's sums.
    pub(super) gradients: Vec<Vec<T>>,
    pub(super) losses: Vec<f64>,
}

/// The part of the buffers that a chunk of rows writes.
pub(super) struct Chunk<'a, T> {
    rows: &'a [u32],
    xs: &'a mut [T],
    sums: Vec<&'a mut [T]>,
    values: Vec<&'a mut [T]>,
    gradients: Vec<&'a mut [T]>,
    losses: &'a mut [f64],
}

impl<T: Real> Buffers<T> {
    /// Makes room for `n` rows.
    pub(super) fn fit(&mut self, n: usize, inputs: usize, layers: &[Trained<T>]) {
        let resize = |buffer: &mut Vec<T>, width| buffer.resize(n * stride::<T>(width), T::zero());
        resize(&mut self.xs, inputs);
        self.losses.resize(n, 0.0);
        self.sums.resize_with(layers.len(), Vec::new);
        self.values.resize_with(layers.len(), Vec::new);
        self.gradients.resize_with(layers.len(), Vec::new);
        for (number, layer) in layers.iter().enumerate() {
            let width = layer.panels.outputs();
            resize(&mut self.values[number], width);
            resize(&mut self.gradients[number], width);
            if layer.activation.needs_sums() {
                resize(&mut self.sums[number], width);
            }
        }
    }

    /// Cuts itself and `rows` into chunks of `size` rows.
    pub(super) fn chunks<'a>(
        &'a mut self,
        rows: &'a [u32],
        size: usize,
        inputs: usize,
        layers: &[Trained<T>],
    ) -> impl Iterator<Item = Chunk<'a, T>> {
        let cut = |buffers: &'a mut [Vec<T>]| -> Vec<std::slice::ChunksMut<'a, T>> {
            let widths = layers.iter().map(|layer| layer.panels.outputs());
            let pairs = buffers.iter_mut().zip(widths);
            pairs.map(|(buffer, width)| buffer.chunks_mut(size * stride::<T>(width))).collect()
        };
        let mut xs = self.xs.chunks_mut(size * stride::<T>(inputs));
        let mut losses = self.losses.chunks_mut(size);
        let (mut sums, mut values, mut gradients) =
            (cut(&mut self.sums), cut(&mut self.values), cut(&mut self.gradients));
        rows.chunks(size).map(move |rows| Chunk {
            rows,
            xs: xs.next().unwrap_or_default(),
            sums: next_of_each(&mut sums),
            values: next_of_each(&mut values),
            gradients: next_of_each(&mut gradients),
            losses: losses.next().unwrap_or_default(),
        })
    }
}

fn next_of_each<'a, T>(buffers: &mut [std::slice::ChunksMut<'a, T>]) -> Vec<&'a mut [T]> {
    buffers.iter_mut().map(|chunks| chunks.next().unwrap_or_default()).collect()
}

impl<T: Real> Chunk<'_, T> {
    pub(super) fn differentiate(
        mut self,
        layers: &[Trained<T>],
        data: &Data<T>,
        objective: Objective,
        scale: T,
    ) {
        let n = self.rows.len();
        for (x, row) in self.xs.chunks_exact_mut(stride::<T>(data.inputs)).zip(self.rows) {
            x[..data.inputs].copy_from_slice(data.x(*row));
        }
        for (number, layer) in layers.iter().enumerate() {
            let (before, values) = self.values.split_at_mut(number);
            let numbers = before.last().map_or(&*self.xs, |values| &**values);
            let rows = Rows { numbers, stride: stride::<T>(layer.panels.inputs()), n };
            let relu = layer.activation == Activation::Relu;
            layer.panels.apply(rows, relu, values[0], stride::<T>(layer.panels.outputs()));
            if layer.activation.needs_sums() {
                self.sums[number].copy_from_slice(values[0]);
            }
            if !relu {
                layer.activation.apply(values[0]);
            }
        }
        let last = layers.len() - 1;
        self.gradients[last].copy_from_slice(self.values[last]);
        let answers = self.gradients[last].chunks_exact_mut(stride::<T>(data.outputs));
        for ((answer, row), loss) in answers.zip(self.rows).zip(self.losses) {
            *loss = objective.differentiate(&mut answer[..data.outputs], data.y(*row), scale);
        }
        for (number, layer) in layers.iter().enumerate().rev() {
            let (before, gradients) = self.gradients.split_at_mut(number);
            layer.activation.pull_back(gradients[0], self.values[number], self.sums[number]);
            if let (Some(back), Some(before)) = (&layer.back, before.last_mut()) {
                let numbers = &*gradients[0];
                let rows = Rows { numbers, stride: stride::<T>(layer.panels.outputs()), n };
                back.apply(rows, before, stride::<T>(layer.panels.inputs()));
            }
        }
    }
}
