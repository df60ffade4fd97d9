//! A forward pass that remembers what it did, so that a loss of anybody's own can be pulled back through it.
//!
//! For methods whose objective is not the recipe's: losses on activations, noise on weights, masks, triggers. It computes in
//! 64 bits on the layers alone: a lock, which no gradient changes, is not asked.
//!
//! Cost: recording is a forward pass, F a row. Pulling back to the inputs is another, and to the weights one more. So a gradient
//! by weights and inputs costs 3F a row, as a training step does.
use ndarray::{Array1, Array2, Axis};

use super::{Layer, Net};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::ledger::Ledger;

/// A recorded pass of a batch through a net.
#[derive(Clone, Debug)]
pub struct Tape<'a> {
    layers: &'a [Layer],
    xs: &'a Batch,
    /// Sums of each layer, a row for a row of the batch.
    sums: Vec<Batch>,
    /// Activations of each layer.
    values: Vec<Batch>,
    /// F of the net.
    flops: u64,
}

/// A loss by all that it was pulled back to.
#[derive(Clone, Debug)]
pub struct Slopes {
    /// By weights and biases, layer by layer.
    pub layers: Vec<LayerSlopes>,
    /// By the inputs, row by row.
    pub inputs: Batch,
}

/// A loss by the numbers of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSlopes {
    /// Outputs × inputs.
    pub weight: Array2<f64>,
    /// One number an output.
    pub bias: Array1<f64>,
}

impl<'a> Tape<'a> {
    /// Passes the rows of `xs` through the layers of `net`. Charges F a row.
    ///
    /// # Errors
    /// If a row is no input of the net, or the budget does not reach.
    pub fn record(net: &'a Net, xs: &'a Batch, ledger: &Ledger) -> Result<Self> {
        net.admit(xs)?;
        let flops = net.forward_flops();
        ledger.flops(flops * xs.nrows() as u64)?;
        let layers = net.layers();
        let (mut sums, mut values) = (Vec::<Batch>::new(), Vec::<Batch>::new());
        for layer in layers {
            let below = values.last().unwrap_or(xs);
            let z = below.dot(&layer.weight.t()) + &layer.bias;
            values.push(z.mapv(|z| layer.activation.at(z)));
            sums.push(z);
        }
        Ok(Self { layers, xs, sums, values, flops })
    }

    /// The net's answers: the activations of its last layer.
    pub fn answers(&self) -> &Batch {
        &self.values[self.values.len() - 1]
    }

    /// The activations of layer `number`, from 0.
    pub fn values(&self, number: usize) -> &Batch {
        &self.values[number]
    }

    /// Pulls back to the inputs a loss whose slope by the answers is `by_answers`. Charges F a row.
    ///
    /// # Errors
    /// If its shape is not that of the answers, or the budget does not reach.
    pub fn pull_to_inputs(&self, by_answers: &Batch, ledger: &Ledger) -> Result<Batch> {
        self.check(self.values.len() - 1, by_answers)?;
        ledger.flops(self.flops * self.xs.nrows() as u64)?;
        let mut back = by_answers.clone();
        for (layer, z) in self.layers.iter().zip(&self.sums).rev() {
            back.zip_mut_with(z, |g, z| *g *= layer.activation.slope(*z));
            back = back.dot(&layer.weight);
        }
        Ok(back)
    }

    /// Pulls back a loss to all weights, biases and inputs. `by_values` holds for each layer the slope of the loss by that
    /// layer's activations, as far as the loss reads them directly; `None` where it does not. Charges 2F a row.
    ///
    /// # Errors
    /// If there is not one entry a layer, a shape is not that of the activations, or the budget does not reach.
    pub fn pull(&self, by_values: &[Option<Batch>], ledger: &Ledger) -> Result<Slopes> {
        if by_values.len() != self.layers.len() {
            let want = format!("one entry for each of the {} layers is needed", self.layers.len());
            return Err(Error::parameter("slopes", by_values.len(), want));
        }
        for (number, slope) in by_values.iter().enumerate() {
            slope.as_ref().map_or(Ok(()), |slope| self.check(number, slope))?;
        }
        ledger.flops(2 * self.flops * self.xs.nrows() as u64)?;
        let mut layers = Vec::with_capacity(self.layers.len());
        let mut back: Option<Batch> = None;
        for (number, layer) in self.layers.iter().enumerate().rev() {
            let mut slope = match (back.take(), &by_values[number]) {
                (Some(back), Some(direct)) => back + direct,
                (Some(back), None) => back,
                (None, Some(direct)) => direct.clone(),
                (None, None) => Batch::zeros(self.values[number].raw_dim()),
            };
            slope.zip_mut_with(&self.sums[number], |g, z| *g *= layer.activation.slope(*z));
            let below = if number == 0 { self.xs } else { &self.values[number - 1] };
            let (weight, bias) = (slope.t().dot(below), slope.sum_axis(Axis(0)));
            layers.push(LayerSlopes { weight, bias });
            back = Some(slope.dot(&layer.weight));
        }
        layers.reverse();
        let inputs = back.unwrap_or_else(|| Batch::zeros(self.xs.raw_dim()));
        Ok(Slopes { layers, inputs })
    }

    /// Pulls back a loss that reads the answers alone, as [`Self::pull`].
    pub fn pull_answers(&self, by_answers: Batch, ledger: &Ledger) -> Result<Slopes> {
        let mut by_values = vec![None; self.layers.len()];
        by_values[self.layers.len() - 1] = Some(by_answers);
        self.pull(&by_values, ledger)
    }

    fn check(&self, number: usize, slope: &Batch) -> Result<()> {
        let want = self.values[number].dim();
        if slope.dim() == want {
            return Ok(());
        }
        let want = format!("the shape of layer {number}'s activations, {want:?}, is needed");
        Err(Error::parameter("slopes", format!("{:?}", slope.dim()), want))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Budget;
    use crate::net::{Activation, Precision};
    use crate::rng::{Seed, normal};

    /// A loss that reads every layer: Σ `c_l` · (activations of layer l), with random `c_l`.
    fn loss(net: &Net, xs: &Batch, by_values: &[Option<Batch>]) -> f64 {
        let values = net.activations(xs, &Ledger::new(Budget::UNLIMITED)).unwrap();
        let parts = values.iter().zip(by_values);
        parts.map(|(v, c)| c.as_ref().map_or(0.0, |c| (v * c).sum())).sum()
    }

    #[test]
    fn slopes_agree_with_central_differences_at_weights_biases_inputs_and_hidden_layers() {
        for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu] {
            let mut rng = Seed::new(5).stream("tape");
            let net = Net::random(&[4, 6, 5, 2], activation, Precision::F64, &mut rng).unwrap();
            let mut draw = |n, m| Batch::from_shape_simple_fn((n, m), || normal(&mut rng));
            let xs = draw(3, 4);
            let by_values = vec![Some(draw(3, 6)), None, Some(draw(3, 2))];
            let ledger = Ledger::new(Budget::UNLIMITED);
            let tape = Tape::record(&net, &xs, &ledger).unwrap();
            assert_eq!(ledger.spent().flops, 3 * net.forward_flops());
            let slopes = tape.pull(&by_values, &ledger).unwrap();
            assert_eq!(ledger.spent().flops, 9 * net.forward_flops());

            let h = 1e-5;
            let moved = |number: usize, at: Option<[usize; 2]>, row: usize, by: f64| {
                let mut layers = net.layers().to_vec();
                match at {
                    Some(at) => layers[number].weight[at] += by,
                    None => layers[number].bias[row] += by,
                }
                loss(&Net::new(layers, Precision::F64).unwrap(), &xs, &by_values)
            };
            for number in 0..3 {
                for (at, got) in slopes.layers[number].weight.indexed_iter() {
                    let at = Some([at.0, at.1]);
                    let want = (moved(number, at, 0, h) - moved(number, at, 0, -h)) / (2.0 * h);
                    assert!((got - want).abs() < 1e-6, "{activation:?} layer {number} {at:?}");
                }
                for (row, got) in slopes.layers[number].bias.iter().enumerate() {
                    let want =
                        (moved(number, None, row, h) - moved(number, None, row, -h)) / (2.0 * h);
                    assert!((got - want).abs() < 1e-6, "{activation:?} bias {number} {row}");
                }
            }
            for (at, got) in slopes.inputs.indexed_iter() {
                let shifted = |by: f64| {
                    let mut xs = xs.clone();
                    xs[at] += by;
                    loss(&net, &xs, &by_values)
                };
                let want = (shifted(h) - shifted(-h)) / (2.0 * h);
                assert!((got - want).abs() < 1e-6, "{activation:?} input {at:?}");
            }
        }
    }

    #[test]
    fn both_ways_back_to_the_inputs_agree_and_are_charged_as_the_header_says() {
        let mut rng = Seed::new(6).stream("tape");
        let net = Net::random(&[3, 4, 1], Activation::Relu, Precision::F64, &mut rng).unwrap();
        let xs = Batch::from_shape_simple_fn((5, 3), || normal(&mut rng));
        let ones = Batch::ones((5, 1));
        let ledger = Ledger::new(Budget::UNLIMITED);
        let tape = Tape::record(&net, &xs, &ledger).unwrap();
        let inputs = tape.pull_to_inputs(&ones, &ledger).unwrap();
        // F = 2 (12 + 4) = 32; five rows there and back.
        assert_eq!(ledger.spent().flops, 5 * 64);
        assert_eq!(inputs, tape.pull_answers(ones.clone(), &ledger).unwrap().inputs);
        assert_eq!(ledger.spent().flops, 5 * 128);
        assert_eq!(inputs, net.gradient(&xs, &ones, &ledger).unwrap());
        let error = tape.pull_to_inputs(&Batch::ones((5, 2)), &ledger).unwrap_err();
        assert!(error.to_string().contains("(5, 1)"), "{error}");
        let error = tape.pull(&[None], &ledger).unwrap_err();
        assert!(error.to_string().contains("2 layers"), "{error}");
    }
}
