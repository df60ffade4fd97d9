//! The trainer of record: any net and loss that candle can differentiate, on any device that it knows.
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer as _, ParamsAdamW, loss, ops};

use super::learner::Learner;
use super::{Activation, Layer, Loss, Net, Optimizer, Precision, Recipe};
use crate::data::{Labeled, Target};
use crate::error::Result;

/// A net in training, with its data, in candle's tensors.
#[derive(Debug)]
pub(super) struct Autodiff {
    layers: Vec<(Var, Var, Activation)>,
    precision: Precision,
    xs: Tensor,
    ys: Tensor,
    loss: Loss,
    target: Target,
    rule: Rule,
    device: Device,
}

/// The optimiser and its state.
#[derive(Debug)]
enum Rule {
    Adam(AdamW),
    Sgd { momentum: f64, decay: f64, velocities: Vec<Tensor> },
}

impl Autodiff {
    /// Sets out from `net` to learn `data`.
    pub(super) fn new(net: &Net, data: &Labeled, target: Target, recipe: &Recipe) -> Result<Self> {
        let precision = net.precision();
        let device = on(recipe.device)?;
        let tensor = |batch: &ndarray::Array2<f64>| tensor(batch, precision, &device);
        let layers = net
            .layers()
            .iter()
            .map(|layer| {
                let weight = Var::from_tensor(&tensor(&layer.weight)?)?;
                let bias = layer.bias.clone().insert_axis(ndarray::Axis(0));
                let bias = Var::from_tensor(&tensor(&bias)?.flatten_all()?)?;
                Ok((weight, bias, layer.activation))
            })
            .collect::<Result<Vec<_>>>()?;
        let parameters: Vec<Var> =
            layers.iter().flat_map(|(w, b, _)| [w.clone(), b.clone()]).collect();
        let rule = match recipe.optimizer {
            Optimizer::Adam => Rule::Adam(AdamW::new(
                parameters,
                ParamsAdamW {
                    lr: recipe.learning_rate,
                    weight_decay: recipe.weight_decay,
                    ..ParamsAdamW::default()
                },
            )?),
            Optimizer::Sgd { momentum } => Rule::Sgd {
                momentum,
                decay: recipe.weight_decay,
                velocities: parameters
                    .iter()
                    .map(|var| Ok(var.zeros_like()?))
                    .collect::<Result<_>>()?,
            },
        };
        Ok(Self {
            layers,
            precision,
            xs: tensor(&data.xs)?,
            ys: tensor(&data.ys)?,
            loss: recipe.loss_for(target)?,
            target,
            rule,
            device,
        })
    }
}

impl Learner for Autodiff {
    fn step(&mut self, rows: &[u32], rate: f64) -> Result<f64> {
        let rows = Tensor::from_slice(rows, rows.len(), &self.device)?;
        let xs = self.xs.index_select(&rows, 0)?;
        let ys = self.ys.index_select(&rows, 0)?;
        let loss = self.loss_of(&self.forward(&xs)?, &ys)?;
        let gradients = loss.backward()?;
        match &mut self.rule {
            Rule::Adam(adam) => {
                adam.set_learning_rate(rate);
                adam.step(&gradients)?;
            }
            Rule::Sgd { momentum, decay, velocities } => {
                let parameters = self.layers.iter().flat_map(|(w, b, _)| [w, b]);
                for (var, velocity) in parameters.zip(velocities) {
                    let Some(gradient) = gradients.get(var) else { continue };
                    let pull = (gradient + (var.as_tensor() * *decay)?)?;
                    *velocity = ((&*velocity * *momentum)? + pull)?.detach();
                    var.set(&(var.as_tensor() - (&*velocity * rate)?)?)?;
                }
            }
        }
        Ok(loss.to_dtype(DType::F64)?.to_scalar::<f64>()?)
    }

    fn loss_on(&self, data: &Labeled) -> Result<f64> {
        let xs = tensor(&data.xs, self.precision, &self.device)?;
        let ys = tensor(&data.ys, self.precision, &self.device)?;
        let loss = self.loss_of(&self.forward(&xs)?.detach(), &ys)?;
        Ok(loss.to_dtype(DType::F64)?.to_scalar::<f64>()?)
    }

    fn net(&self) -> Result<Net> {
        let layers = self
            .layers
            .iter()
            .map(|(weight, bias, activation)| {
                let dims = weight.dims2()?;
                let flat = |t: &Tensor| t.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>();
                let weight = ndarray::Array2::from_shape_vec(dims, flat(weight)?)
                    .expect("as many numbers as the shape says");
                Ok(Layer { weight, bias: flat(bias)?.into(), activation: *activation })
            })
            .collect::<Result<Vec<_>>>()?;
        Net::new(layers, self.precision)
    }
}

impl Autodiff {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let mut h = xs.clone();
        for (weight, bias, activation) in &self.layers {
            let z = h.matmul(&weight.t()?)?.broadcast_add(bias)?;
            h = match activation {
                Activation::Relu => z.relu()?,
                Activation::Tanh => z.tanh()?,
                // Spelled out: candle's own `gelu_erf` has a slope with a constant of six digits.
                Activation::Gelu => {
                    let twice = ((&z / std::f64::consts::SQRT_2)?.erf()? + 1.0)?;
                    ((z * twice)? * 0.5)?
                }
                Activation::Cos => z.cos()?,
                Activation::Step => z.gt(0.0)?.to_dtype(z.dtype())?,
                Activation::Identity => z,
            };
        }
        Ok(h)
    }

    fn loss_of(&self, answers: &Tensor, ys: &Tensor) -> Result<Tensor> {
        Ok(match (self.loss, self.target) {
            (Loss::Mse, _) => loss::mse(answers, ys)?,
            // log(1 + exp(−m)) of the margin m = y f, as max(−m, 0) + log(1 + exp(−|m|)), which cannot overflow.
            (Loss::CrossEntropy, Target::Sign | Target::Real) => {
                let margin = (answers * ys)?;
                let tail = (margin.abs()?.neg()?.exp()? + 1.0)?.log()?;
                (margin.neg()?.relu()? + tail)?.mean_all()?
            }
            (Loss::CrossEntropy, Target::Classes(_)) => {
                let log_probability = ops::log_softmax(answers, D::Minus1)?;
                (log_probability * ys)?.sum(D::Minus1)?.mean_all()?.neg()?
            }
        })
    }
}

fn tensor(batch: &ndarray::Array2<f64>, precision: Precision, device: &Device) -> Result<Tensor> {
    let numbers: Vec<f64> = batch.iter().copied().collect();
    let tensor = Tensor::from_vec(numbers, batch.dim(), device)?;
    Ok(match precision {
        Precision::F32 => tensor.to_dtype(DType::F32)?,
        Precision::F64 => tensor,
    })
}

/// Candle's name for a device. A recipe that was checked names no device that this build does not have.
fn on(device: super::Device) -> Result<Device> {
    match device {
        super::Device::Cpu => Ok(Device::Cpu),
        super::Device::Cuda(number) => Ok(Device::new_cuda(number)?),
    }
}
