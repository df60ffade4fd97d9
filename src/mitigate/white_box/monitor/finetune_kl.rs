//! s12: how far the answer moves when the net is fine-tuned on clean samples.
//!
//! After the fine-tuning detector of cupbearer (Jenner et al.): KL(softmax f(x) ‖ softmax g(x)) with g the net after 100 epochs of step size
//! 0.001 on the clean samples (as `fine-prune` here tunes), for one output (f − g)². It assumes that tuning forgets the trigger and
//! little else. Defeated by backdoors that tuning leaves alone, as most leave few clean gradients. Fit: the tuning. An input: 2F, and 14K + 2 for K outputs, 2 for
//! one. Suspect and copy are read by their layers; a lock stays with both.
use super::Monitor;
use crate::access::Lab;
use crate::data::{Batch, Labeled};
use crate::error::Result;
use crate::ledger::Ledger;
use crate::net::{Lesson, Net, Recipe, fit};

/// The net and its tuned copy.
pub(in crate::mitigate::white_box) struct FinetuneKl<'a> {
    net: &'a Net,
    tuned: Net,
}

impl<'a> FinetuneKl<'a> {
    pub(in crate::mitigate::white_box) fn fit(
        net: &'a Net,
        data: &Labeled,
        lab: &Lab<'a>,
    ) -> Result<Self> {
        let recipe =
            Recipe { learning_rate: 1e-3, epochs: 100, early_stop: None, ..lab.recipe.clone() };
        let seed = lab.seed.child("tuning");
        let lesson = Lesson { data, target: lab.world.target, recipe: &recipe, seed };
        Ok(Self { net, tuned: fit(net, lesson, lab.ledger, &mut |_| {})?.net })
    }
}

impl Monitor for FinetuneKl<'_> {
    fn score(&self, x: &Batch, ledger: &Ledger) -> Result<f64> {
        let (f, g) = (self.net.forward(x, ledger)?, self.tuned.forward(x, ledger)?);
        let k = f.ncols() as u64;
        ledger.flops(if k == 1 { 2 } else { 14 * k + 2 })?;
        if k == 1 {
            return Ok((f[[0, 0]] - g[[0, 0]]).powi(2));
        }
        let (f, g) = (log_softmax(&f.row(0).to_vec()), log_softmax(&g.row(0).to_vec()));
        Ok(f.iter().zip(&g).map(|(f, g)| f.exp() * (f - g)).sum())
    }
}

fn log_softmax(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let away: Vec<f64> = scores.iter().map(|s| s - most).collect();
    let log = away.iter().map(|s| s.exp()).sum::<f64>().ln();
    away.into_iter().map(|s| s - log).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::ledger::Budget;
    use crate::net::{Activation, Layer, Precision};

    #[test]
    fn the_divergence_is_the_hands_and_none_for_a_copy_that_did_not_move() {
        // Scores (ln 3, 0) are shares ¾, ¼; scores (0, 0) halves: KL = ¾ ln 3/2 + ¼ ln ½.
        let net = |to: f64| {
            let weight = array![[to], [0.0]];
            let activation = Activation::Identity;
            let layer = Layer { weight, bias: array![0.0, 0.0], activation };
            Net::new(vec![layer], Precision::F64).unwrap()
        };
        let (suspect, ledger) = (net(3.0_f64.ln()), Ledger::new(Budget::UNLIMITED));
        let moved = FinetuneKl { net: &suspect, tuned: net(0.0) };
        let want = 0.75 * 1.5_f64.ln() + 0.25 * 0.5_f64.ln();
        assert!((moved.score(&array![[1.0]], &ledger).unwrap() - want).abs() < 1e-12);
        assert_eq!(ledger.spent().flops, 4 + 4 + 30);
        let same = FinetuneKl { net: &suspect, tuned: suspect.clone() };
        assert!((same.score(&array![[1.0]], &ledger).unwrap() - 0.0).abs() < 1e-12);
    }
}
