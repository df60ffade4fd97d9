//! `rnp`: unlearn the task, see which units a mask would then give up to bring it back, and cut those.
//!
//! Li et al., "Reconstructive Neuron Pruning for Backdoor Defense" (ICML 2023, arXiv 2305.14876). (i) The net climbs the loss on
//! clean samples until it answers at most `stop` = 0.20 of them rightly, or `unlearn_epochs` = 20 passes end: SGD of rate 0.01,
//! momentum 0.9, decay 5e-4, gradients cut to length 20. (ii) Masks on the hidden units of the *unlearnt* net bring clean
//! answers back: 0.2 times the loss, SGD of rate 0.2, 20 passes, masks kept in [0, 1]. (iii) Units of small mask are cut in the
//! *original* net. The idea: to bring back clean answers one has to switch the backdoor's units off.
//!
//! Differences: the length of the gradient is cut after it is computed (the released code cuts the gradient of the step before);
//! masks stand on a unit's own weights instead of on batch normalisation's; the share of right answers is that of the pass
//! itself, so that it costs nothing; the threshold, 0.70 in the paper, is the greatest of 0 to 0.9 by 0.05 that the held-out
//! clean samples allow; batches hold 128 rows. For signs and real targets the loss is the recipe's and right is what the world calls
//! so; of two classes 0.20 lies below guessing, which the ascent reaches all the same. An ascent has no end: where numbers stop
//! being finite the last finite net is used, and a note says so. A note also says if the 0.20 were not reached: then
//! masks are learnt on a net that has forgotten little, and say little.
//!
//! It assumes that unlearning clean samples leaves the backdoor in place, in units apart from the task's. Defeated by detectors
//! that clean inputs leave asleep (no slope reaches them, on the way up or back) and by shared units; a lock is kept, and so is
//! what it opens to. It needs the weights. Cost: 3F a row of both stages; of a step of the first 9 operations a parameter, of the second
//! 3 a weight into hidden units and 10 a unit. Unlearning is not invariant under rescaling of units, and so neither is what is
//! cut. Nothing is proved; what a clean model can lose is the limit on held-out samples.
use serde::{Deserialize, Serialize};

use super::super::trial::{Trial, check_halved, check_max_drop, unchanged};
use super::super::{Mitigator, Repaired};
use super::masks::{
    Batches, check_descent, check_hidden, check_positive, check_rounds, check_share, factored,
    flat, flat_slopes, loss_slopes, n_units, prune_below, unit_slopes, with_numbers,
};
use crate::access::{Lab, WhiteBox};
use crate::data::{Labeled, row};
use crate::error::Result;
use crate::net::{Net, Optimizer, Precision, Stepper};
use crate::population::World;

/// Parameters of `rnp`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rnp {
    /// Clean samples to use; half of them decide what is cut. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest rise of the share of wrong answers on held-out clean samples.
    pub max_drop: f64,
    /// Most passes of unlearning.
    pub unlearn_epochs: usize,
    /// Share of right answers at which unlearning stops.
    pub stop: f64,
    /// Step size of unlearning.
    pub unlearn_rate: f64,
    /// Weight decay of unlearning.
    pub decay: f64,
    /// Longest gradient of unlearning.
    pub longest: f64,
    /// Passes that the masks learn for.
    pub mask_epochs: usize,
    /// Step size of the masks.
    pub mask_rate: f64,
    /// Weight of the loss that the masks lower.
    pub alpha: f64,
    /// Momentum of both stages.
    pub momentum: f64,
    /// Rows a step.
    pub batch: usize,
}

impl Default for Rnp {
    fn default() -> Self {
        Self {
            samples: None,
            max_drop: 0.04,
            unlearn_epochs: 20,
            stop: 0.2,
            unlearn_rate: 0.01,
            decay: 5e-4,
            longest: 20.0,
            mask_epochs: 20,
            mask_rate: 0.2,
            alpha: 0.2,
            momentum: 0.9,
            batch: 128,
        }
    }
}

impl Mitigator for Rnp {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        check_halved(self.samples)?;
        check_max_drop(self.max_drop)?;
        check_rounds("unlearn_epochs", self.unlearn_epochs)?;
        check_rounds("mask_epochs", self.mask_epochs)?;
        check_share("stop", self.stop)?;
        check_share("decay", self.decay)?;
        check_share("alpha", self.alpha)?;
        check_positive("longest", self.longest)?;
        check_positive("mask_rate", self.mask_rate)?;
        check_descent(self.batch, ("unlearn_rate", self.unlearn_rate), self.momentum)
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        check_hidden("rnp", net)?;
        let Some(trial) = Trial::draw(self.samples, self.max_drop, net, lab)? else {
            return Ok(unchanged(suspect));
        };
        let (unlearnt, note) = self.unlearn(net, &trial.tune, lab)?;
        let masks = self.masks(&unlearnt, &trial.tune, lab)?;
        prune_below((suspect, &masks), &trial, vec![note], lab)
    }
}

impl Rnp {
    fn optimizer(&self) -> Optimizer {
        Optimizer::Sgd { momentum: self.momentum }
    }

    /// The net after the ascent, in 64 bits, and what there is to say about it. A step charges 3 a parameter for the length
    /// of the gradient and its turning, beside what the optimiser charges.
    fn unlearn(&self, net: &Net, tune: &Labeled, lab: &Lab<'_>) -> Result<(Net, String)> {
        let mut numbers = flat(net);
        let mut at = with_numbers(net, &numbers, Precision::F64)?;
        let mut stepper = Stepper::new(self.optimizer(), self.decay, numbers.len());
        let mut batches = Batches::new(tune.len(), self.batch, lab.seed.stream("unlearn"));
        let mut accuracy = 1.0;
        for epoch in 0..self.unlearn_epochs {
            let mut right = 0;
            for _ in 0..batches.per_pass() {
                let data = tune.select(batches.next());
                let (answers, slopes) = loss_slopes(&at, &data, lab)?;
                let is_right =
                    |i: &usize| lab.world.is_right(&row(&answers, *i), &row(&data.ys, *i));
                right += (0..data.len()).filter(is_right).count();
                let mut gradient = flat_slopes(&slopes);
                lab.ledger.flops(3 * gradient.len() as u64)?;
                let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
                let turn = -(self.longest / length.max(self.longest));
                gradient.iter_mut().for_each(|g| *g *= turn);
                stepper.step(&mut numbers, &gradient, self.unlearn_rate, lab.ledger)?;
                let Ok(next) = with_numbers(net, &numbers, Precision::F64) else {
                    let note = format!("unlearning left finite numbers in pass {}", epoch + 1);
                    return Ok((at, note));
                };
                at = next;
            }
            accuracy = right as f64 / tune.len() as f64;
            if accuracy <= self.stop {
                let note =
                    format!("unlearnt in {} passes, {accuracy:.3} answered rightly", epoch + 1);
                return Ok((at, note));
            }
        }
        let (epochs, stop) = (self.unlearn_epochs, self.stop);
        let note = format!(
            "unlearning ended after {epochs} passes with {accuracy:.3} answered rightly, above {stop}: the masks say little"
        );
        Ok((at, note))
    }

    /// The masks that bring the unlearnt net back. A step charges 3 a unit for the factor and the clamp, 6 for the optimiser.
    fn masks(&self, unlearnt: &Net, tune: &Labeled, lab: &Lab<'_>) -> Result<Vec<f64>> {
        let n = n_units(unlearnt);
        let mut masks = vec![1.0; n];
        let mut stepper = Stepper::new(self.optimizer(), 0.0, n);
        let mut batches = Batches::new(tune.len(), self.batch, lab.seed.stream("masks"));
        for _ in 0..self.mask_epochs * batches.per_pass() {
            let data = tune.select(batches.next());
            let at = factored(unlearnt, &masks, None, lab.ledger)?;
            let mut gradient = unit_slopes(unlearnt, &at, &data, lab)?.on_weights;
            lab.ledger.flops(3 * n as u64)?;
            if gradient.iter().any(|g| !g.is_finite()) {
                // The unlearnt net is beyond arithmetic, and no slope says anything about a mask.
                break;
            }
            gradient.iter_mut().for_each(|g| *g *= self.alpha);
            stepper.step(&mut masks, &gradient, self.mask_rate, lab.ledger)?;
            masks.iter_mut().for_each(|m| *m = m.clamp(0.0, 1.0));
        }
        Ok(masks)
    }
}
