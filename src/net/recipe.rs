//! How a net is built and trained: a public recipe, the same for nature's models and for a mitigator that relearns.
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Activation, Precision};
use crate::data::{Shape, Target};
use crate::error::{Error, Result};

/// The shape of a net and how it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    pub activation: Activation,
    /// Numbers that the net computes with.
    pub precision: Precision,
    /// What is minimised. Not given: cross-entropy for classes, mean squared error for signs and real numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// How weights move.
    pub optimizer: Optimizer,
    /// Step size at the start.
    pub learning_rate: f64,
    /// How the step size changes.
    pub schedule: Schedule,
    /// Decay of weights: decoupled for Adam (Loshchilov and Hutter 2019), added to the gradient for SGD.
    pub weight_decay: f64,
    /// Rows a step.
    pub batch: usize,
    /// Most passes over the training data.
    pub epochs: usize,
    /// When to stop before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<EarlyStop>,
    /// Who takes the steps.
    pub trainer: Trainer,
    /// Where they are taken.
    pub device: Device,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            hidden: vec![64],
            activation: Activation::Relu,
            precision: Precision::F32,
            loss: None,
            optimizer: Optimizer::Adam,
            learning_rate: 3e-3,
            schedule: Schedule::Cosine,
            weight_decay: 0.0,
            batch: 64,
            epochs: 20,
            early_stop: None,
            trainer: Trainer::default(),
            device: Device::default(),
        }
    }
}

/// Most epochs of one training.
const MOST_EPOCHS: usize = 1_000_000;

/// What training minimises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Mean of squared differences over rows and outputs.
    Mse,
    /// Cross-entropy of the softmax; of one signed output, the logistic loss.
    CrossEntropy,
}

/// How weights move.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimizer {
    /// Adam with β = (0.9, 0.999) and ε = 1e-8 (Kingma and Ba 2015).
    Adam,
    /// Stochastic gradient descent with heavy-ball momentum.
    Sgd {
        /// Share of the last step that is kept.
        momentum: f64,
    },
}

impl Optimizer {
    /// Operations a step and parameter, one an elementwise operation.
    ///
    /// Adam: two moments (3 + 4), their corrections (2), root, sum, quotient, step (4) and decay (2). SGD: decay (2),
    /// momentum (2), step (2).
    pub(super) fn flops_per_parameter(self) -> u64 {
        match self {
            Self::Adam => 15,
            Self::Sgd { .. } => 6,
        }
    }
}

/// How the step size changes over training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// Down to zero along half a cosine, step by step.
    Cosine,
}

/// Who takes the optimiser's steps. Both do the same mathematics; bytes differ by rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trainer {
    /// This crate's, on the processor: the same bytes at any number of threads and on any processor.
    #[default]
    Fused,
    /// Candle's automatic differentiation.
    Candle,
}

/// Where a net is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// A graphics card by number. Candle only, and only in builds with the feature `cuda`.
    Cuda(usize),
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let number = name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
        match (name, number) {
            ("cpu", _) => Ok(Self::Cpu),
            (_, Some(number)) => Ok(Self::Cuda(number)),
            _ => Err(Error::parameter("device", name, "cpu, or cuda:0 and so on, is needed")),
        }
    }
}

impl TryFrom<String> for Device {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        match device {
            Device::Cpu => "cpu".to_owned(),
            Device::Cuda(number) => format!("cuda:{number}"),
        }
    }
}

/// Stops training when a held-out part of the training data no longer improves, and keeps the best weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStop {
    /// Share of the training data that is held out.
    pub held_out: f64,
    /// Epochs without improvement before training stops.
    pub patience: usize,
}

impl Recipe {
    /// Checks every parameter against its range.
    pub fn check(&self) -> Result<()> {
        let positive = |name: &'static str, value: f64| {
            if value > 0.0 && value.is_finite() {
                return Ok(());
            }
            Err(Error::parameter(name, value, "a positive number is needed"))
        };
        positive("learning_rate", self.learning_rate)?;
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(Error::parameter(
                "weight_decay",
                self.weight_decay,
                "a number of at least 0 is needed",
            ));
        }
        if self.epochs > MOST_EPOCHS {
            let want = format!("at most {MOST_EPOCHS} are accepted");
            return Err(Error::parameter("epochs", self.epochs, want));
        }
        if self.batch == 0 {
            return Err(Error::parameter("batch", 0, "at least one row a step is needed"));
        }
        if let Some(width) = self.hidden.iter().find(|width| **width == 0 || **width > 1 << 16) {
            return Err(Error::parameter("hidden", width, "widths from 1 to 65536 are accepted"));
        }
        if let Optimizer::Sgd { momentum } = self.optimizer
            && !(0.0..1.0).contains(&momentum)
        {
            return Err(Error::parameter(
                "momentum",
                momentum,
                "a number from 0 to below 1 is needed",
            ));
        }
        if let Some(stop) = self.early_stop
            && !(stop.held_out > 0.0 && stop.held_out < 1.0)
        {
            return Err(Error::parameter(
                "held-out",
                stop.held_out,
                "a share between 0 and 1 is needed",
            ));
        }
        match (self.device, self.trainer) {
            (Device::Cpu, _) => Ok(()),
            (Device::Cuda(_), Trainer::Fused) => Err(Error::parameter(
                "trainer",
                "fused",
                "it runs on the processor only; trainer = \"candle\" is needed on a graphics card",
            )),
            (Device::Cuda(_), Trainer::Candle) if cfg!(feature = "cuda") => Ok(()),
            (Device::Cuda(_), Trainer::Candle) => Err(Error::parameter(
                "device",
                String::from(self.device),
                "this build knows the processor only; build with --features cuda",
            )),
        }
    }

    /// Checks that a net of this recipe that maps `shape` is of a size to be trained.
    pub fn check_size(&self, shape: Shape) -> Result<()> {
        /// Most weights: 2 GiB of them in 64 bits.
        const MOST_WEIGHTS: usize = 1 << 28;
        let widths = self.widths(shape);
        let products = widths.windows(2).map(|pair| pair[0].checked_mul(pair[1]));
        let total =
            products.into_iter().try_fold(0_usize, |sum, product| sum.checked_add(product?));
        match total {
            Some(total) if total <= MOST_WEIGHTS => Ok(()),
            _ => {
                let want = format!("nets of at most {MOST_WEIGHTS} weights are accepted");
                Err(Error::parameter("hidden", format!("{:?}", self.hidden), want))
            }
        }
    }

    /// Widths of all layers of a net that maps `shape`.
    pub fn widths(&self, shape: Shape) -> Vec<usize> {
        let ends = (std::iter::once(shape.inputs), std::iter::once(shape.outputs));
        ends.0.chain(self.hidden.iter().copied()).chain(ends.1).collect()
    }

    /// What is minimised for labels that mean `target`.
    pub fn loss_for(&self, target: Target) -> Result<Loss> {
        match (self.loss, target) {
            (Some(Loss::CrossEntropy), Target::Real) => Err(Error::parameter(
                "loss",
                "cross-entropy",
                "real targets have no classes; mse is needed",
            )),
            (Some(loss), _) => Ok(loss),
            (None, Target::Classes(_)) => Ok(Loss::CrossEntropy),
            (None, Target::Sign | Target::Real) => Ok(Loss::Mse),
        }
    }

    /// The step size at step `step` of `total`.
    pub fn rate(&self, step: usize, total: usize) -> f64 {
        match self.schedule {
            Schedule::Constant => self.learning_rate,
            Schedule::Cosine => {
                let through = step as f64 / total.max(1) as f64;
                0.5 * self.learning_rate * (1.0 + (std::f64::consts::PI * through).cos())
            }
        }
    }
}
