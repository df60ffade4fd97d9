//! Losses of one answer, and their gradients.
use crate::data::Target;
use crate::net::Loss;
use crate::net::kernel::Real;

/// What is minimised.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct Objective {
    loss: Loss,
    target: Target,
}

impl Objective {
    /// `loss`, of labels that mean `target`.
    pub(in crate::net) fn new(loss: Loss, target: Target) -> Self {
        Self { loss, target }
    }

    /// The loss of one answer. The answer becomes its gradient, times `scale`.
    pub(in crate::net) fn differentiate<T: Real>(
        self,
        answer: &mut [T],
        label: &[T],
        scale: T,
    ) -> f64 {
        let one = T::one();
        let mut loss = T::zero();
        match (self.loss, self.target) {
            (Loss::Mse, _) => {
                let share = one / T::of(answer.len() as f64);
                for (a, y) in answer.iter_mut().zip(label) {
                    let error = *a - *y;
                    loss += error * error * share;
                    *a = (error + error) * share * scale;
                }
            }
            // log(1 + exp(−m)) of the margin m = y f, in the form that cannot overflow.
            (Loss::CrossEntropy, Target::Sign | Target::Real) => {
                for (a, y) in answer.iter_mut().zip(label) {
                    let margin = *a * *y;
                    let tail = (-margin.abs()).exponential();
                    loss += (-margin).max(T::zero()) + (one + tail).logarithm();
                    let wrong = if margin > T::zero() { tail } else { one } / (one + tail);
                    *a = -*y * wrong * scale;
                }
            }
            (Loss::CrossEntropy, Target::Classes(_)) => {
                let top = answer.iter().copied().fold(T::neg_infinity(), T::max);
                let mut sum = T::zero();
                for a in answer.iter() {
                    sum += (*a - top).exponential();
                }
                let log_sum = sum.logarithm() + top;
                let mass = label.iter().fold(T::zero(), |mass, y| mass + *y);
                for (a, y) in answer.iter_mut().zip(label) {
                    let log_probability = *a - log_sum;
                    loss += -*y * log_probability;
                    *a = (log_probability.exponential() * mass - *y) * scale;
                }
            }
        }
        loss.wide()
    }
}
