//! Weights in the order in which products read them.
use super::real::{Real, padded};

/// The weights of one layer, packed: for each stretch of outputs as wide as a panel, input by input, a panel's width of
/// numbers. Outputs past the last are zeros.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::net) struct Panels<T> {
    inputs: usize,
    outputs: usize,
    /// Panels × inputs × width.
    pub(in crate::net) weights: Vec<T>,
    /// One number an output, and zeros.
    pub(in crate::net) bias: Vec<T>,
}

impl<T: Real> Panels<T> {
    /// Packs a weight of outputs × inputs and its bias.
    pub(in crate::net) fn new(weight: &ndarray::Array2<f64>, bias: &ndarray::Array1<f64>) -> Self {
        let (outputs, inputs) = weight.dim();
        let mut packed = Self {
            inputs,
            outputs,
            weights: vec![T::zero(); padded::<T>(outputs) * inputs],
            bias: vec![T::zero(); padded::<T>(outputs)],
        };
        for (o, row) in weight.rows().into_iter().enumerate() {
            for (i, w) in row.iter().enumerate() {
                let at = packed.place(o, i);
                packed.weights[at] = T::of(*w);
            }
            packed.bias[o] = T::of(bias[o]);
        }
        packed
    }

    /// The weight as outputs × inputs, and the bias.
    pub(in crate::net) fn unpack(&self) -> (ndarray::Array2<f64>, ndarray::Array1<f64>) {
        let weight = ndarray::Array2::from_shape_fn((self.outputs, self.inputs), |(o, i)| {
            self.weights[self.place(o, i)].wide()
        });
        (weight, self.bias[..self.outputs].iter().map(|b| b.wide()).collect())
    }

    /// Inputs of the layer.
    pub(in crate::net) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Outputs of the layer.
    pub(in crate::net) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Numbers in one panel.
    pub(in crate::net) fn panel(&self) -> usize {
        self.inputs * T::WIDTH
    }

    fn place(&self, output: usize, input: usize) -> usize {
        (output / T::WIDTH * self.inputs + input) * T::WIDTH + output % T::WIDTH
    }
}

/// The transpose of a layer's weights, for the way back through it: for each panel of the layer, square blocks of a panel's
/// width along its inputs, each transposed. What belongs to one panel of the layer lies together.
#[derive(Clone, Debug)]
pub(in crate::net) struct Transposed<T> {
    /// Outputs of the layer.
    outputs: usize,
    /// Inputs of the layer, in panels.
    blocks: usize,
    /// Panels × blocks × width × width.
    pub(in crate::net) weights: Vec<T>,
}

impl<T: Real> Transposed<T> {
    /// The transpose of `panels`.
    pub(in crate::net) fn new(panels: &Panels<T>) -> Self {
        let blocks = padded::<T>(panels.inputs) / T::WIDTH;
        let n_panels = panels.bias.len() / T::WIDTH;
        let (outputs, length) = (panels.outputs, n_panels * Self::len_of(blocks));
        let mut it = Self { outputs, blocks, weights: vec![T::zero(); length] };
        for (panel, own) in
            panels.weights.chunks(panels.panel()).zip(it.weights.chunks_mut(Self::len_of(blocks)))
        {
            transpose_panel(panel, own);
        }
        it
    }

    /// Numbers that belong to one panel of the layer.
    pub(in crate::net) fn panel(&self) -> usize {
        Self::len_of(self.blocks)
    }

    /// Outputs of the layer.
    pub(in crate::net) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Inputs of the layer, in panels.
    pub(in crate::net) fn blocks(&self) -> usize {
        self.blocks
    }

    fn len_of(blocks: usize) -> usize {
        blocks * T::WIDTH * T::WIDTH
    }
}

/// Writes the transpose of one panel, block by block.
pub(in crate::net) fn transpose_panel<T: Real>(panel: &[T], transposed: &mut [T]) {
    let square = T::WIDTH * T::WIDTH;
    for (block, out) in panel.chunks(square).zip(transposed.chunks_exact_mut(square)) {
        for (i, row) in block.chunks_exact(T::WIDTH).enumerate() {
            for (o, w) in row.iter().enumerate() {
                out[o * T::WIDTH + i] = *w;
            }
        }
    }
}
