//! Descent on a loss of anybody's own: its gradient by the answers, and steps over any stretch of numbers.
use super::fused::Objective;
use super::kernel::{AdamStep, sgd};
use super::{Loss, Optimizer};
use crate::data::{Batch, Target};
use crate::error::{Error, Result};
use crate::ledger::Ledger;

/// The mean over rows of `loss` between `answers` and labels that mean `target`, and its gradient by the answers.
///
/// The gradient is that of the mean: each row's is divided by the number of rows. Nothing is charged: it is a few operations
/// an answer, as in training.
///
/// # Errors
/// If shapes differ or there are no rows.
pub fn loss_gradient(
    loss: Loss,
    target: Target,
    answers: &Batch,
    labels: &Batch,
) -> Result<(f64, Batch)> {
    if answers.dim() != labels.dim() || answers.is_empty() {
        let want = format!("as many as answers, {:?}, and at least one, are needed", answers.dim());
        return Err(Error::parameter("labels", format!("{:?}", labels.dim()), want));
    }
    let objective = Objective::new(loss, target);
    let share = 1.0 / answers.nrows() as f64;
    let mut sum = 0.0;
    let mut gradient = answers.clone();
    for (mut answer, label) in gradient.rows_mut().into_iter().zip(labels.rows()) {
        let mut numbers = answer.to_vec();
        sum += objective.differentiate(&mut numbers, &label.to_vec(), share);
        answer.iter_mut().zip(numbers).for_each(|(answer, slope)| *answer = slope);
    }
    Ok((sum * share, gradient))
}

/// An optimiser over one stretch of numbers, with its moments.
#[derive(Clone, Debug)]
pub struct Stepper {
    optimizer: Optimizer,
    decay: f64,
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

impl Stepper {
    /// An optimiser of `n` numbers with weight decay `decay`: decoupled for Adam, added to the gradient for SGD.
    pub fn new(optimizer: Optimizer, decay: f64, n: usize) -> Self {
        let second = match optimizer {
            Optimizer::Adam => vec![0.0; n],
            Optimizer::Sgd { .. } => Vec::new(),
        };
        Self { optimizer, decay, first: vec![0.0; n], second, steps: 0 }
    }

    /// One step of size `rate` against `gradient`. Charges what the recipe's optimiser costs a parameter.
    ///
    /// # Errors
    /// If there are not as many numbers as it was made for, or the budget does not reach.
    pub fn step(
        &mut self,
        numbers: &mut [f64],
        gradient: &[f64],
        rate: f64,
        ledger: &Ledger,
    ) -> Result<()> {
        let n = self.first.len();
        if numbers.len() != n || gradient.len() != n {
            let got = format!("{} numbers and {} slopes", numbers.len(), gradient.len());
            return Err(Error::parameter("step", got, format!("{n} of each are needed")));
        }
        ledger.flops(self.optimizer.flops_per_parameter() * n as u64)?;
        self.steps = self.steps.saturating_add(1);
        match self.optimizer {
            Optimizer::Adam => AdamStep::new(self.steps, rate, self.decay).apply(
                numbers,
                &mut self.first,
                &mut self.second,
                gradient,
            ),
            Optimizer::Sgd { momentum } => {
                sgd((rate, momentum, self.decay), numbers, &mut self.first, gradient);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::ledger::Budget;

    #[test]
    fn gradients_of_both_losses_agree_with_central_differences() {
        let answers = array![[0.3, -1.2, 2.0], [0.0, 0.5, -0.5]];
        let labels = array![[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]];
        for (loss, target) in [(Loss::Mse, Target::Real), (Loss::CrossEntropy, Target::Classes(3))]
        {
            let (_, gradient) = loss_gradient(loss, target, &answers, &labels).unwrap();
            for (at, got) in gradient.indexed_iter() {
                let h = 1e-6;
                let moved = |by: f64| {
                    let mut answers = answers.clone();
                    answers[at] += by;
                    loss_gradient(loss, target, &answers, &labels).unwrap().0
                };
                let want = (moved(h) - moved(-h)) / (2.0 * h);
                assert!((got - want).abs() < 1e-8, "{loss:?} at {at:?}: {got}, {want}");
            }
        }
        // The two rows of the squares: (0.09 + 4.84 + 4)/3 and (1 + 0.25 + 0.25)/3, their mean.
        let (mean, _) = loss_gradient(Loss::Mse, Target::Real, &answers, &labels).unwrap();
        assert!((mean - (8.93 + 1.5) / 6.0).abs() < 1e-12);
        assert!(loss_gradient(Loss::Mse, Target::Real, &answers, &array![[1.0]]).is_err());
    }

    #[test]
    fn steps_are_what_the_hand_computes_and_what_is_charged() {
        let ledger = Ledger::new(Budget::UNLIMITED);
        // Momentum 0.5, rate 0.1, slope 1 twice: velocities 1 and 1.5, so 0 − 0.1 − 0.15.
        let mut numbers = [0.0];
        let mut sgd = Stepper::new(Optimizer::Sgd { momentum: 0.5 }, 0.0, 1);
        sgd.step(&mut numbers, &[1.0], 0.1, &ledger).unwrap();
        sgd.step(&mut numbers, &[1.0], 0.1, &ledger).unwrap();
        assert!((numbers[0] + 0.25).abs() < 1e-15);
        assert_eq!(ledger.spent().flops, 12);
        // Adam's first step is the rate against the slope's sign, whatever its size.
        let mut numbers = [1.0, 1.0];
        let mut adam = Stepper::new(Optimizer::Adam, 0.0, 2);
        adam.step(&mut numbers, &[1e-3, -40.0], 0.1, &ledger).unwrap();
        assert!((numbers[0] - 0.9).abs() < 1e-5 && (numbers[1] - 1.1).abs() < 1e-9);
        assert_eq!(ledger.spent().flops, 12 + 30);
        assert!(adam.step(&mut numbers, &[1.0], 0.1, &ledger).is_err());
    }
}
