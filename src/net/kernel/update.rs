//! One step of an optimiser over a stretch of weights, in one pass.
use pulp::Arch;

use super::real::Real;

/// What one step of Adam does to every weight alike.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct AdamStep<T> {
    /// Share of the weight that stays: 1 − rate · decay.
    pub(in crate::net) keep: T,
    /// Step size over the first moment's correction, 1 − β₁ᵗ.
    pub(in crate::net) rate: T,
    /// One over the second moment's correction, 1 − β₂ᵗ.
    pub(in crate::net) second: T,
}

/// Decay rates of Adam's moments, and what its quotient is kept from zero by.
const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

impl<T: Real> AdamStep<T> {
    /// Step number `step`, from 1, of size `rate`.
    pub(in crate::net) fn new(step: i32, rate: f64, decay: f64) -> Self {
        Self {
            keep: T::of(1.0 - rate * decay),
            rate: T::of(rate / (1.0 - BETA_1.powi(step))),
            second: T::of(1.0 / (1.0 - BETA_2.powi(step))),
        }
    }

    /// Moves `weights` by the gradient, and the moments with it.
    pub(in crate::net) fn apply(
        self,
        weights: &mut [T],
        first: &mut [T],
        second: &mut [T],
        gradient: &[T],
    ) {
        let (b1, b2, epsilon) = (T::of(BETA_1), T::of(BETA_2), T::of(EPSILON));
        let (c1, c2) = (T::of(1.0 - BETA_1), T::of(1.0 - BETA_2));
        Arch::new().dispatch(
            #[inline(always)]
            || {
                let moments = first.iter_mut().zip(second);
                for ((w, (m, v)), g) in weights.iter_mut().zip(moments).zip(gradient) {
                    *m = b1 * *m + c1 * *g;
                    *v = b2 * *v + c2 * *g * *g;
                    *w = *w * self.keep - self.rate * *m / ((*v * self.second).sqrt() + epsilon);
                }
            },
        );
    }
}

/// Moves `weights` by heavy-ball momentum; `decay` is added to the gradient.
pub(in crate::net) fn sgd<T: Real>(
    (rate, momentum, decay): (T, T, T),
    weights: &mut [T],
    velocity: &mut [T],
    gradient: &[T],
) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for ((w, v), g) in weights.iter_mut().zip(velocity).zip(gradient) {
                *v = momentum * *v + (*g + decay * *w);
                *w -= rate * *v;
            }
        },
    );
}
