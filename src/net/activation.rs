//! What a layer does to its sums.
use pulp::Arch;
use serde::{Deserialize, Serialize};

use super::kernel::Real;

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
    /// The cosine: random Fourier features.
    Cos,
    /// 1 above 0, else 0. Its slope is 0 everywhere, so no gradient passes and nothing before it can be trained.
    Step,
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
    /// assert!((Activation::Gelu.at(1.0) - 0.841_344_746_068_542_9).abs() < 1e-15);
    /// ```
    pub fn at(self, z: f64) -> f64 {
        match self {
            Self::Relu => z.max(0.0),
            Self::Tanh => libm::tanh(z),
            Self::Gelu => z * normal_cdf(z),
            Self::Cos => libm::cos(z),
            Self::Step => f64::from(u8::from(z > 0.0)),
            Self::Identity => z,
        }
    }

    /// Its derivative at `z`; of `ReLU` at 0, 0.
    pub fn slope(self, z: f64) -> f64 {
        match self {
            Self::Relu => f64::from(u8::from(z > 0.0)),
            Self::Tanh => 1.0 - libm::tanh(z).powi(2),
            Self::Gelu => {
                let density = libm::exp(-0.5 * z * z) / (2.0 * std::f64::consts::PI).sqrt();
                normal_cdf(z) + z * density
            }
            Self::Cos => -libm::sin(z),
            Self::Step => 0.0,
            Self::Identity => 1.0,
        }
    }

    /// Replaces every number by its value there, in the numbers' own precision.
    pub(super) fn apply<T: Real>(self, zs: &mut [T]) {
        match self {
            Self::Relu => zs.iter_mut().for_each(|z| *z = z.max(T::zero())),
            Self::Tanh => zs.iter_mut().for_each(|z| *z = z.hyperbolic_tangent()),
            Self::Gelu | Self::Cos | Self::Step => {
                zs.iter_mut().for_each(|z| *z = T::of(self.at(z.wide())));
            }
            Self::Identity => {}
        }
    }

    /// Multiplies every gradient by the slope at the sum that it belongs to. `values` are the sums' values, `sums` the sums
    /// themselves, which are read only where [`Self::needs_sums`] says so.
    pub(super) fn pull_back<T: Real>(self, gradients: &mut [T], values: &[T], sums: &[T]) {
        match self {
            Self::Relu => Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (g, h) in gradients.iter_mut().zip(values) {
                        *g = if *h > T::zero() { *g } else { T::zero() };
                    }
                },
            ),
            Self::Tanh => gradients.iter_mut().zip(values).for_each(|(g, h)| {
                *g *= T::one() - *h * *h;
            }),
            Self::Gelu | Self::Cos | Self::Step => {
                gradients.iter_mut().zip(sums).for_each(|(g, z)| {
                    *g *= T::of(self.slope(z.wide()));
                });
            }
            Self::Identity => {}
        }
    }

    /// Whether the slope cannot be told from the value.
    pub(super) fn needs_sums(self) -> bool {
        matches!(self, Self::Gelu | Self::Cos | Self::Step)
    }

    /// Variance that random weights into a layer with this activation start from, times the number of inputs: 2 where
    /// half of the units are cut off (He et al. 2015), else 1 (Glorot and Bengio 2010).
    pub(super) fn gain(self) -> f64 {
        match self {
            Self::Relu | Self::Gelu => 2.0,
            Self::Tanh | Self::Cos | Self::Step | Self::Identity => 1.0,
        }
    }
}

fn normal_cdf(z: f64) -> f64 {
    0.5 * (1.0 + libm::erf(z / std::f64::consts::SQRT_2))
}
