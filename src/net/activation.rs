//! What a layer does to its sums.
use serde::{Deserialize, Serialize};
use statrs::function::erf::erf;

/// The function applied to every unit of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(z, 0)`.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// `z Φ(z)` with the exact normal distribution function, as PyTorch's default.
    Gelu,
    /// `z`.
    Identity,
}

impl Activation {
    /// Its value at `z`.
    ///
    /// ```
    /// use absolve::net::Activation;
    /// assert_eq!(Activation::Relu.at(-2.0), 0.0);
    /// // torch.nn.functional.gelu(torch.tensor(1.0, dtype=torch.float64)) = 0.8413447460685429
    /// assert!((Activation::Gelu.at(1.0) - 0.841_344_746_068_542_9).abs() < 1e-10);
    /// ```
    pub fn at(self, z: f64) -> f64 {
        match self {
            Self::Relu => z.max(0.0),
            Self::Tanh => z.tanh(),
            Self::Gelu => z * normal_cdf(z),
            Self::Identity => z,
        }
    }

    /// Its derivative at `z`; of `ReLU` at 0, 0.
    pub fn slope(self, z: f64) -> f64 {
        match self {
            Self::Relu => f64::from(u8::from(z > 0.0)),
            Self::Tanh => 1.0 - z.tanh().powi(2),
            Self::Gelu => {
                let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
                normal_cdf(z) + z * density
            }
            Self::Identity => 1.0,
        }
    }

    /// Variance that random weights into a layer with this activation start from, times the number of inputs: 2 where
    /// half of the units are cut off (He et al. 2015), else 1 (Glorot and Bengio 2010).
    pub(super) fn gain(self) -> f64 {
        match self {
            Self::Relu | Self::Gelu => 2.0,
            Self::Tanh | Self::Identity => 1.0,
        }
    }
}

fn normal_cdf(z: f64) -> f64 {
    0.5 * (1.0 + erf(z / std::f64::consts::SQRT_2))
}
