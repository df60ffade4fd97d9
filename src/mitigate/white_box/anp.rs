//! `anp`: find the units that a small change of weights turns against clean inputs, and cut them.
//!
//! Wu and Wang, "Adversarial Neuron Pruning Purifies Backdoored Deep Models" (`NeurIPS` 2021, arXiv 2110.14430), section 4. Each
//! hidden unit k has a mask m in [0, 1], and computes `σ((m + δ)(w·x) + (1 + ξ) b)`. Masks minimise
//! `α L(m) + (1 − α) max L(m, δ, ξ)` over clean samples, the inner maximum over |δ|, |ξ| ≤ ε by one step of size ε along the sign
//! of the gradient from a random start. Defaults are the paper's: ε = 0.4, α = 0.2, SGD of rate 0.2 and momentum 0.9, 2,000
//! steps of 128 rows. Then all units of mask up to a threshold are cut, which is swept from 0 to 0.9 by 0.05.
//!
//! Differences: the paper's factors stand on the batch normalisation's scale and shift, here on the unit's own weights and
//! bias; the threshold is the greatest that keeps the risk on *held-out clean* samples within `max_drop` (the paper and peers look
//! at test data; 0.04 is this project's limit); signs and real targets use the recipe's loss, and an answer is right where the
//! world says so.
//!
//! It assumes that the backdoor's units are sensitive to relative noise on clean inputs. For a sleeping detector of threshold t,
//! `relu(w·x − t)`, there is an exact line: if `(1 + ε) w·x < (1 − ε) t` on all samples, which is w·x < 3t/7 at ε = 0.4, no noise wakes
//! it, its slope is 0, its mask stays 1 and it is never cut. (Proof: with m ≤ 1 its sum is at most (1 + ε) w·x − (1 − ε) t for w·x ≥ 0 and
//! negative else.) That attack defeats it, and so do backdoors that share the task's units, and locks. Convolutional nets with batch
//! normalisation, for which it was made, have no such units. It needs the weights, so white box.
//!
//! Cost of a step on B rows, with W weights into n hidden units: 9F B for three gradients by all weights, 9W for three masked nets
//! and three chain rules, 28n for the rest. Masks do not see a rescaling of `ReLU` units; a permutation changes which unit
//! gets which noise, and so the masks, but not their law. Nothing else is proved; what a clean model can lose is the limit.
use serde::{Deserialize, Serialize};

use super::super::trial::{Trial, check_halved, check_max_drop, unchanged};
use super::super::{Mitigator, Repaired};
use super::masks::{
    Batches, check_descent, check_hidden, check_positive, check_rounds, check_share, factored,
    n_units, prune_below, unit_slopes,
};
use crate::access::{Lab, WhiteBox};
use crate::data::Labeled;
use crate::error::Result;
use crate::net::{Net, Optimizer, Stepper};
use crate::population::World;
use crate::rng::{Rng, RngExt};

/// Parameters of `anp`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Anp {
    /// Clean samples to use; half of them decide what is cut. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest rise of the share of wrong answers on held-out clean samples.
    pub max_drop: f64,
    /// Steps of the masks.
    pub iterations: usize,
    /// Rows a step.
    pub batch: usize,
    /// ε: largest relative noise.
    pub epsilon: f64,
    /// α: weight of the loss without noise.
    pub alpha: f64,
    /// Step size of the masks.
    pub learning_rate: f64,
    /// Momentum of the masks.
    pub momentum: f64,
}

impl Default for Anp {
    fn default() -> Self {
        Self {
            samples: None,
            max_drop: 0.04,
            iterations: 2000,
            batch: 128,
            epsilon: 0.4,
            alpha: 0.2,
            learning_rate: 0.2,
            momentum: 0.9,
        }
    }
}

impl Mitigator for Anp {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        check_halved(self.samples)?;
        check_max_drop(self.max_drop)?;
        check_rounds("iterations", self.iterations)?;
        check_positive("epsilon", self.epsilon)?;
        check_share("alpha", self.alpha)?;
        check_descent(self.batch, ("learning_rate", self.learning_rate), self.momentum)
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        check_hidden("anp", net)?;
        let Some(trial) = Trial::draw(self.samples, self.max_drop, net, lab)? else {
            return Ok(unchanged(suspect));
        };
        let masks = self.masks(net, &trial.tune, lab)?;
        prune_below((suspect, &masks), &trial, Vec::new(), lab)
    }
}

impl Anp {
    /// The masks after all steps, one a hidden unit.
    fn masks(&self, net: &Net, tune: &Labeled, lab: &Lab<'_>) -> Result<Vec<f64>> {
        let n = n_units(net);
        let mut masks = vec![1.0; n];
        let optimizer = Optimizer::Sgd { momentum: self.momentum };
        let mut stepper = Stepper::new(optimizer, 0.0, n);
        let mut batches = Batches::new(tune.len(), self.batch, lab.seed.stream("rows"));
        let mut noise = lab.seed.stream("noise");
        for _ in 0..self.iterations {
            let data = tune.select(batches.next());
            let gradient = self.gradient(net, &masks, &data, (&mut noise, lab))?;
            stepper.step(&mut masks, &gradient, self.learning_rate, lab.ledger)?;
            masks.iter_mut().for_each(|m| *m = m.clamp(0.0, 1.0));
        }
        Ok(masks)
    }

    /// The gradient of the objective by the masks, on one batch. Charges 17 operations a unit: the noisy factors twice (4), the
    /// step of both noises and its clamp (8), the mixture (3) and the clamp of the masks (2).
    fn gradient(
        &self,
        net: &Net,
        masks: &[f64],
        data: &Labeled,
        (rng, lab): (&mut Rng, &Lab<'_>),
    ) -> Result<Vec<f64>> {
        lab.ledger.flops(17 * masks.len() as u64)?;
        let epsilon = self.epsilon;
        let mut draw = || -> Vec<f64> {
            masks.iter().map(|_| epsilon * (2.0 * rng.random::<f64>() - 1.0)).collect()
        };
        let (mut delta, mut xi) = (draw(), draw());
        let noisy = |delta: &[f64], xi: &[f64]| {
            let on_weights: Vec<f64> = masks.iter().zip(delta).map(|(m, d)| m + d).collect();
            let on_biases: Vec<f64> = xi.iter().map(|x| 1.0 + x).collect();
            let at = factored(net, &on_weights, Some(&on_biases), lab.ledger)?;
            unit_slopes(net, &at, data, lab)
        };
        let up = noisy(&delta, &xi)?;
        let step = |noise: &mut [f64], slopes: &[f64]| {
            for (x, slope) in noise.iter_mut().zip(slopes) {
                // A slope of 0 has no sign.
                let sign = if *slope == 0.0 { 0.0 } else { slope.signum() };
                *x = (*x + epsilon * sign).clamp(-epsilon, epsilon);
            }
        };
        step(&mut delta, &up.on_weights);
        step(&mut xi, &up.on_biases);
        let still = unit_slopes(net, &factored(net, masks, None, lab.ledger)?, data, lab)?;
        let shaken = noisy(&delta, &xi)?;
        let pairs = still.on_weights.iter().zip(&shaken.on_weights);
        Ok(pairs.map(|(a, b)| self.alpha * a + (1.0 - self.alpha) * b).collect())
    }
}
