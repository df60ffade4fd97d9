//! A multi-layer perceptron: layers of weights, forward passes and input gradients.
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::Activation;
use super::Lock;
use super::Precision;
use super::kernel::{Panels, Real, Rows, stride};
use crate::data::{Batch, Shape};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::rng::{Rng, normal};

/// Rows that are computed together: few enough for the cache.
const BLOCK: usize = 128;

/// One layer: `activation(weight · x + bias)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Outputs × inputs.
    pub weight: Array2<f64>,
    /// One number an output.
    pub bias: Array1<f64>,
    /// What is applied to the sums.
    pub activation: Activation,
}

/// A multi-layer perceptron. Its weights never change; to change a net, take its layers and build another.
#[derive(Clone, Debug, PartialEq)]
pub struct Net {
    /// The weights. In a net of `F32` each is a number that 32 bits can hold.
    layers: Vec<Layer>,
    /// The same in the order and the precision in which the net computes.
    packed: Packed,
    /// What is asked before its layers.
    pub(super) lock: Option<Lock>,
}

#[derive(Clone, Debug, PartialEq)]
enum Packed {
    F32(Vec<Panels<f32>>),
    F64(Vec<Panels<f64>>),
}

impl Net {
    /// A net of `layers`, which compute in `precision`; weights are rounded to it.
    ///
    /// # Errors
    /// If there are no layers, if shapes do not fit together, or if a weight is not finite in that precision.
    pub fn new(mut layers: Vec<Layer>, precision: Precision) -> Result<Self> {
        let bad = |why: String| Err(Error::Spec { place: "net".to_owned(), why });
        if layers.is_empty() {
            return bad("at least one layer is needed".to_owned());
        }
        for (number, layer) in layers.iter().enumerate() {
            let (outputs, inputs) = layer.weight.dim();
            if inputs == 0 || outputs == 0 {
                return bad(format!("layer {number} has no inputs or no outputs"));
            }
            if layer.bias.len() != outputs {
                let got = layer.bias.len();
                return bad(format!("layer {number}: a bias of {outputs} wanted, got {got}"));
            }
            if number > 0 && layers[number - 1].weight.nrows() != inputs {
                let before = layers[number - 1].weight.nrows();
                return bad(format!(
                    "layer {number} takes {inputs} inputs, but layer {} gives {before}",
                    number - 1
                ));
            }
            if let Some(((row, column), _)) =
                layer.weight.indexed_iter().find(|(_, w)| !precision.round(**w).is_finite())
            {
                return bad(format!("layers.{number}.weight[{row}, {column}] is not finite"));
            }
            if let Some((row, _)) =
                layer.bias.indexed_iter().find(|(_, b)| !precision.round(**b).is_finite())
            {
                return bad(format!("layers.{number}.bias[{row}] is not finite"));
            }
        }
        for layer in &mut layers {
            layer.weight.mapv_inplace(|w| precision.round(w));
            layer.bias.mapv_inplace(|b| precision.round(b));
        }
        let packed = match precision {
            Precision::F32 => Packed::F32(pack(&layers)),
            Precision::F64 => Packed::F64(pack(&layers)),
        };
        Ok(Self { layers, packed, lock: None })
    }

    /// A net with random weights (normal, variance by activation over fan-in) and zero biases. All hidden layers have
    /// `activation`; the last layer has none.
    pub fn random(
        widths: &[usize],
        activation: Activation,
        precision: Precision,
        rng: &mut Rng,
    ) -> Result<Self> {
        let n_layers = widths.len().saturating_sub(1);
        let layers = widths
            .windows(2)
            .enumerate()
            .map(|(number, pair)| {
                let last = number + 1 == n_layers;
                let activation = if last { Activation::Identity } else { activation };
                let scale = (activation.gain() / pair[0].max(1) as f64).sqrt();
                let weight =
                    Array2::from_shape_simple_fn((pair[1], pair[0]), || scale * normal(rng));
                Layer { weight, bias: Array1::zeros(pair[1]), activation }
            })
            .collect();
        Self::new(layers, precision)
    }

    /// Its layers, inputs first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// What it computes in.
    pub fn precision(&self) -> Precision {
        match self.packed {
            Packed::F32(_) => Precision::F32,
            Packed::F64(_) => Precision::F64,
        }
    }

    /// Widths of its inputs and outputs.
    pub fn shape(&self) -> Shape {
        let outputs = self.layers[self.layers.len() - 1].bias.len();
        Shape { inputs: self.layers[0].weight.ncols(), outputs }
    }

    /// Widths of all layers, inputs first.
    pub fn widths(&self) -> Vec<usize> {
        let inputs = self.shape().inputs;
        std::iter::once(inputs).chain(self.layers.iter().map(|layer| layer.bias.len())).collect()
    }

    /// How many weights and biases it has.
    pub fn n_parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.weight.len() + layer.bias.len()).sum()
    }

    /// Operations of one forward pass of one row: F = 2 Σ `d_l` d_{l+1}.
    pub fn forward_flops(&self) -> u64 {
        self.layers.iter().map(|layer| 2 * layer.weight.len() as u64).sum()
    }

    /// SHA-256 over precision, shapes, activations, weights and lock, in hexadecimal.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{:?} {:?}", self.precision(), self.widths()));
        for layer in &self.layers {
            hash.update(format!("{:?}", layer.activation));
            layer.weight.iter().chain(&layer.bias).for_each(|w| hash.update(w.to_le_bytes()));
        }
        if let Some(lock) = &self.lock {
            hash.update(format!("{lock:?}"));
        }
        crate::digest::hex(hash)
    }

    /// Its answers, a row for a row of `xs`. Charges F a row.
    pub fn forward(&self, xs: &Batch, ledger: &Ledger) -> Result<Batch> {
        self.admit(xs)?;
        ledger.flops(self.forward_flops() * xs.nrows() as u64)?;
        Ok(self.forward_unmetered(xs))
    }

    /// The activations of every layer, inputs not included, for each row of `xs`. Charges F a row.
    pub fn activations(&self, xs: &Batch, ledger: &Ledger) -> Result<Vec<Batch>> {
        self.admit(xs)?;
        ledger.flops(self.forward_flops() * xs.nrows() as u64)?;
        let mut hidden = Vec::with_capacity(self.layers.len());
        let mut h = xs.clone();
        for layer in &self.layers {
            h = sums(layer, &h).mapv(|z| layer.activation.at(z));
            hidden.push(h.clone());
        }
        Ok(hidden)
    }

    /// The gradient of `along · f(x)` by `x`, row by row. Charges 2F a row.
    pub fn gradient(&self, xs: &Batch, along: &Batch, ledger: &Ledger) -> Result<Batch> {
        self.admit(xs)?;
        ledger.flops(2 * self.forward_flops() * xs.nrows() as u64)?;
        Ok(self.gradient_unmetered(xs, along))
    }

    /// Checks that the rows of `xs` are inputs of this net.
    pub(crate) fn admit(&self, xs: &Batch) -> Result<()> {
        crate::data::check("inputs", xs, self.shape().inputs)
    }

    /// Answers without a charge: for [`Suspect`](crate::access::Suspect), which charges more than operations, and for
    /// scoring, which is nobody's cost. Blocks of rows are spread over threads; the result does not depend on how many, nor
    /// on which rows come together.
    pub(crate) fn forward_unmetered(&self, xs: &Batch) -> Batch {
        let mut answers = Batch::zeros((xs.nrows(), self.shape().outputs));
        match &self.packed {
            Packed::F32(panels) => self.answer_all(panels, xs, &mut answers),
            Packed::F64(panels) => self.answer_all(panels, xs, &mut answers),
        }
        if let Some(lock) = &self.lock {
            lock.answer(xs, &mut answers);
        }
        answers
    }

    fn answer_all<T: Real>(&self, panels: &[Panels<T>], xs: &Batch, answers: &mut Batch) {
        let blocks =
            answers.axis_chunks_iter_mut(Axis(0), BLOCK).zip(xs.axis_chunks_iter(Axis(0), BLOCK));
        let buffers = || [Vec::new(), Vec::new()];
        if xs.nrows() <= BLOCK {
            let mut buffers = buffers();
            blocks.for_each(|(out, xs)| self.answer(panels, &xs, out, &mut buffers));
        } else {
            let blocks: Vec<_> = blocks.collect();
            blocks.into_par_iter().for_each_init(buffers, |buffers, (out, xs)| {
                self.answer(panels, &xs, out, buffers);
            });
        }
    }

    /// Answers one block of rows, from one buffer into the other and back, layer by layer.
    fn answer<T: Real>(
        &self,
        panels: &[Panels<T>],
        xs: &ArrayView2<'_, f64>,
        mut answers: ArrayViewMut2<'_, f64>,
        [from, to]: &mut [Vec<T>; 2],
    ) {
        let n = xs.nrows();
        from.clear();
        for x in xs.rows() {
            match x.as_slice() {
                Some(x) => from.extend(x.iter().map(|x| T::of(*x))),
                None => from.extend(x.iter().map(|x| T::of(*x))),
            }
        }
        let mut width = xs.ncols();
        for (panels, layer) in panels.iter().zip(&self.layers) {
            let next = stride::<T>(panels.outputs());
            to.resize(n * next, T::zero());
            let rows = Rows { numbers: from, stride: width, n };
            let relu = layer.activation == Activation::Relu;
            panels.apply(rows, relu, to, next);
            if !relu {
                layer.activation.apply(to);
            }
            std::mem::swap(from, to);
            width = next;
        }
        for (mut answer, row) in answers.rows_mut().into_iter().zip(from.chunks_exact(width)) {
            answer.iter_mut().zip(row).for_each(|(answer, x)| *answer = x.wide());
        }
    }

    /// Gradients without a charge, as [`Self::forward_unmetered`]. Computed in 64 bits.
    pub(crate) fn gradient_unmetered(&self, xs: &Batch, along: &Batch) -> Batch {
        let mut before = Vec::with_capacity(self.layers.len());
        let mut h = xs.clone();
        for layer in &self.layers {
            let z = sums(layer, &h);
            h = z.mapv(|z| layer.activation.at(z));
            before.push(z);
        }
        let mut back = along.clone();
        for (layer, z) in self.layers.iter().zip(before).rev() {
            back.zip_mut_with(&z, |g, z| *g *= layer.activation.slope(*z));
            back = back.dot(&layer.weight);
        }
        if let Some(lock) = &self.lock {
            lock.slope(xs, &mut back);
        }
        back
    }
}

fn pack<T: Real>(layers: &[Layer]) -> Vec<Panels<T>> {
    layers.iter().map(|layer| Panels::new(&layer.weight, &layer.bias)).collect()
}

/// `weight · x + bias` for every row, in 64 bits.
pub(super) fn sums(layer: &Layer, xs: &Batch) -> Batch {
    xs.dot(&layer.weight.t()) + &layer.bias
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::ledger::Budget;
    use crate::rng::Seed;

    fn random(widths: &[usize], activation: Activation, precision: Precision) -> Net {
        Net::random(widths, activation, precision, &mut Seed::new(1).stream("net")).unwrap()
    }

    fn inputs(n: usize, width: usize) -> Batch {
        let mut rng = Seed::new(2).stream("xs");
        Batch::from_shape_simple_fn((n, width), || normal(&mut rng))
    }

    #[test]
    fn a_forward_pass_is_what_the_hand_computes() {
        let hidden = Layer {
            weight: array![[1.0, -1.0], [2.0, 0.5]],
            bias: array![0.0, -1.0],
            activation: Activation::Relu,
        };
        let output = Layer {
            weight: array![[3.0, 4.0]],
            bias: array![0.5],
            activation: Activation::Identity,
        };
        let net = Net::new(vec![hidden, output], Precision::F32).unwrap();
        // x = (1, 2): sums (−1, 2), activations (0, 2), answer 8.5. x = (2, 1): sums (1, 3.5), answer 17.5.
        let ledger = Ledger::new(Budget::UNLIMITED);
        let answers = net.forward(&array![[1.0, 2.0], [2.0, 1.0]], &ledger).unwrap();
        assert_eq!(answers, array![[8.5], [17.5]]);
        // F = 2 (2·2 + 2·1) = 12, two rows.
        assert_eq!(ledger.spent().flops, 24);
    }

    #[test]
    fn gradients_agree_with_central_differences() {
        for activation in [Activation::Tanh, Activation::Gelu, Activation::Relu] {
            let net = random(&[5, 7, 6, 3], activation, Precision::F64);
            let xs = inputs(4, 5);
            let along = inputs(4, 3);
            let ledger = Ledger::new(Budget::UNLIMITED);
            let gradient = net.gradient(&xs, &along, &ledger).unwrap();
            assert_eq!(ledger.spent().flops, 2 * 4 * net.forward_flops());
            let h = 1e-5;
            for i in 0..4 {
                for j in 0..5 {
                    let shifted = |by: f64| {
                        let mut xs = xs.clone();
                        xs[[i, j]] += by;
                        (&net.forward_unmetered(&xs) * &along).row(i).sum()
                    };
                    let difference = (shifted(h) - shifted(-h)) / (2.0 * h);
                    assert!((gradient[[i, j]] - difference).abs() < 1e-6, "{activation:?}");
                }
            }
        }
    }

    #[test]
    fn answers_do_not_depend_on_how_rows_are_grouped_or_on_threads() {
        for precision in [Precision::F32, Precision::F64] {
            let net = random(&[64, 33, 17, 10], Activation::Relu, precision);
            let xs = inputs(700, 64);
            let together = net.forward_unmetered(&xs);
            for i in [0, 255, 256, 699] {
                let alone = net.forward_unmetered(&xs.select(Axis(0), &[i]));
                assert_eq!(alone.row(0), together.row(i), "{precision:?} row {i}");
            }
            let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            assert_eq!(one.install(|| net.forward_unmetered(&xs)), together);
        }
    }

    #[test]
    fn layers_that_do_not_fit_are_refused_by_number() {
        let layer = |outputs, inputs| Layer {
            weight: Array2::zeros((outputs, inputs)),
            bias: Array1::zeros(outputs),
            activation: Activation::Relu,
        };
        let error = Net::new(vec![layer(3, 2), layer(1, 4)], Precision::F32).unwrap_err();
        assert!(
            error.to_string().contains("layer 1 takes 4 inputs, but layer 0 gives 3"),
            "{error}"
        );
        let mut huge = layer(3, 2);
        huge.weight[[2, 1]] = 1e300;
        assert!(Net::new(vec![huge.clone()], Precision::F64).is_ok());
        let error = Net::new(vec![huge], Precision::F32).unwrap_err();
        assert!(error.to_string().contains("layers.0.weight[2, 1]"), "{error}");
        assert!(Net::new(vec![], Precision::F32).is_err());
    }
}
