//! s13: how few inputs the answer rests on: ‖c‖₂/‖c‖₁ of c = x ∘ ∇, from 1/√n (all alike) to 1 (one input).
//!
//! This project's, on the saliency of patches (as of Chou et al. 2020, `SentiNet`). The gradient is of the margin of the largest answer over the next, or of the one
//! answer. It assumes that a trigger is a few inputs that decide alone; defeated by triggers that are spread (blended, half-space). There is nothing
//! to fit. An input: 2F, 2K for the two largest of K answers (none for one), and 5n + 2.
use super::Monitor;
use crate::data::Batch;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::net::{Net, Tape};

/// The net.
pub(in crate::mitigate::white_box) struct InputGradient<'a> {
    pub(in crate::mitigate::white_box) net: &'a Net,
}

impl Monitor for InputGradient<'_> {
    fn score(&self, x: &Batch, ledger: &Ledger) -> Result<f64> {
        let tape = Tape::record(self.net, x, ledger)?;
        let answers = tape.answers().row(0).to_vec();
        let k = answers.len();
        let mut along = Batch::zeros((1, k));
        if k == 1 {
            along[[0, 0]] = 1.0;
        } else {
            let (mut first, mut second) = if answers[1] > answers[0] { (1, 0) } else { (0, 1) };
            for i in 2..k {
                if answers[i] > answers[first] {
                    (first, second) = (i, first);
                } else if answers[i] > answers[second] {
                    second = i;
                }
            }
            along[[0, first]] = 1.0;
            along[[0, second]] = -1.0;
        }
        let gradient = tape.pull_to_inputs(&along, ledger)?;
        let selecting = if k == 1 { 0 } else { 2 * k as u64 };
        ledger.flops(5 * x.ncols() as u64 + 2 + selecting)?;
        let (mut squares, mut sizes) = (0.0, 0.0);
        for (x, g) in x.iter().zip(&gradient) {
            let c = x * g;
            squares += c * c;
            sizes += c.abs();
        }
        Ok(if sizes > 0.0 { f64::sqrt(squares) / sizes } else { 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::super::tests::net;
    use super::*;
    use crate::ledger::Budget;

    #[test]
    fn concentration_is_the_hands() {
        let (net, ledger) = (net(), Ledger::new(Budget::UNLIMITED));
        let fit = InputGradient { net: &net };
        // Gradient (1, 2) at (4, 1.5): c = (4, 3), 5/7. Below b = 1 it rests on a alone.
        assert!((fit.score(&array![[4.0, 1.5]], &ledger).unwrap() - 5.0 / 7.0).abs() < 1e-12);
        assert_eq!(ledger.spent().flops, 24 + 12);
        assert!((fit.score(&array![[4.0, 0.5]], &ledger).unwrap() - 1.0).abs() < 1e-12);
        assert!((fit.score(&array![[-1.0, 0.5]], &ledger).unwrap() - 0.0).abs() < 1e-12);
    }
}
