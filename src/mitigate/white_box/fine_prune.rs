//! `fine-prune`: cut the units that clean inputs leave asleep, then fine-tune.
//!
//! Liu, Dolan-Gavitt and Garg, "Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural Networks" (RAID 2018), on
//! the last hidden layer, as the paper has it. Units are cut one by one in ascending order of mean absolute activation on
//! clean inputs; cutting stops before the risk on a held-out part of the *clean samples* rises by more than `max_drop` (the
//! test set is never seen; peers select on it). The last net within the limit is then fine-tuned on the other clean samples, and what
//! that makes is held to the same limit: if it is worse, the net that was pruned alone is kept. So on held-out samples a clean
//! model loses at most `max_drop`, up to the rounding of ties; with no two clean samples nothing changes, and a note says so.
//!
//! It assumes that the backdoor uses units that clean inputs do not. Defeated by backdoors that share units with the task
//! (`blended`), by units of the detector that clean inputs do wake, and by rescaling: a mean activation is not invariant under
//! `(w, b, v)` to `(c w, c b, v / c)`, so the order of cutting is whatever the attacker likes (O1). A lock has no units: it is
//! kept, and so is what it opens to. It reads activations and changes weights: white box. Nothing is proved about backdoors.
//!
//! Differences: the paper cuts until validation accuracy drops and does not say on which data; here the unit that would break the
//! limit stays. Cost: F a sample, one last layer a held-out sample and candidate, 3F a sample and epoch of fine-tuning and the
//! optimiser, F a held-out sample to judge what was tuned.
use ndarray::{Array1, Axis};
use serde::{Deserialize, Serialize};

use super::super::trial::{self, check_halved, unchanged};
use super::super::{Mitigator, Repaired, n_samples};
use crate::access::{Lab, WhiteBox};
use crate::data::{Batch, Labeled, row};
use crate::error::{Error, Result};
use crate::net::{Layer, Lesson, Net, Recipe, fit};
use crate::population::World;

/// Parameters of `fine-prune`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FinePrune {
    /// Clean samples to use; half of them decide where pruning stops. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest rise of the share of wrong answers on held-out clean samples (for real targets, of answers beyond the
    /// world's cutoff).
    pub max_drop: f64,
    /// Epochs of fine-tuning; 0 prunes only.
    pub epochs: usize,
    /// Step size of fine-tuning, by the optimiser of the recipe.
    pub learning_rate: f64,
}

impl Default for FinePrune {
    fn default() -> Self {
        Self { samples: None, max_drop: 0.04, epochs: 100, learning_rate: 1e-3 }
    }
}

impl Mitigator for FinePrune {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        if !(self.max_drop >= 0.0 && self.max_drop.is_finite()) {
            return Err(Error::parameter(
                "max_drop",
                self.max_drop,
                "a number of at least 0 is needed",
            ));
        }
        self.recipe(&Recipe::default()).check()?;
        check_halved(self.samples)
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let n_samples = n_samples(self.samples, lab)?;
        if n_samples < 2 {
            // Nothing to prune by and nothing to tune on: nothing changes.
            return Ok(unchanged(suspect));
        }
        self.check(&lab.world)?;
        let net = suspect.net();
        if net.layers().len() < 2 {
            return Err(Error::assumption("fine-prune", "the net has no hidden layer to prune"));
        }
        let (tune, held_out) = lab.clean.draw(n_samples)?.split_last(n_samples / 2);
        let (pruned, n_cut, limit) = self.prune(net, &tune, &held_out, lab)?;
        let units = net.layers()[net.layers().len() - 2].bias.len();
        let mut notes = vec![format!("{n_cut} of {units} units of the last hidden layer cut")];
        if self.epochs == 0 {
            return Ok(Repaired { notes, ..Repaired::owned(pruned, lab.ledger) });
        }
        let recipe = self.recipe(lab.recipe);
        let lesson =
            Lesson { data: &tune, target: lab.world.target, recipe: &recipe, seed: lab.seed };
        let tuned = fit(&pruned, lesson, lab.ledger, &mut |_| {})?.net;
        let risk = trial::risk(&tuned, &held_out, &lab.world, lab.ledger)?;
        let net = if risk <= limit + 1e-9 {
            tuned
        } else {
            notes.push(format!(
                "fine-tuning refused: held-out risk {risk:.3}, above the limit of {limit:.3}; the net is pruned alone"
            ));
            pruned
        };
        Ok(Repaired { notes, ..Repaired::owned(net, lab.ledger) })
    }
}

impl FinePrune {
    /// The recipe of fine-tuning: that of the model, with this method's own epochs and step size.
    fn recipe(&self, of_model: &Recipe) -> Recipe {
        let (learning_rate, epochs) = (self.learning_rate, self.epochs);
        Recipe { learning_rate, epochs, early_stop: None, ..of_model.clone() }
    }

    /// The most pruned net whose held-out risk is within the limit, how many units it has lost, and the limit.
    fn prune(
        &self,
        net: &Net,
        tune: &Labeled,
        held_out: &Labeled,
        lab: &Lab<'_>,
    ) -> Result<(Net, usize, f64)> {
        let last_hidden = net.layers().len() - 2;
        let awake = net.activations(&tune.xs, lab.ledger)?.swap_remove(last_hidden);
        let mean = awake.mapv(f64::abs).mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(0));
        let mut order: Vec<usize> = (0..mean.len()).collect();
        order.sort_by(|&i, &j| mean[i].total_cmp(&mean[j]).then(i.cmp(&j)));

        let hidden = net.activations(&held_out.xs, lab.ledger)?.swap_remove(last_hidden);
        let mut layers = net.layers().to_vec();
        let output = last_hidden + 1;
        let limit = risk(&layers[output], &hidden, held_out, lab)? + self.max_drop;
        let mut n_cut = 0;
        // The last unit stays: a net needs one.
        for &unit in &order[..order.len() - 1] {
            let column = layers[output].weight.column(unit).to_owned();
            layers[output].weight.column_mut(unit).fill(0.0);
            if risk(&layers[output], &hidden, held_out, lab)? > limit {
                layers[output].weight.column_mut(unit).assign(&column);
                break;
            }
            n_cut += 1;
        }
        // Cut units leave the net altogether, so that fine-tuning cannot wake them again.
        let mut kept: Vec<usize> = order[n_cut..].to_vec();
        kept.sort_unstable();
        let hidden_layer = &layers[last_hidden];
        layers[last_hidden] = Layer {
            weight: hidden_layer.weight.select(Axis(0), &kept),
            bias: hidden_layer.bias.select(Axis(0), &kept),
            activation: hidden_layer.activation,
        };
        layers[output].weight = layers[output].weight.select(Axis(1), &kept);
        Ok((Net::new(layers, net.precision())?.locked_as(net)?, n_cut, limit))
    }
}

/// Risk of the output layer `output` on top of the hidden activations of `data`. Charges the layer once a row.
fn risk(output: &Layer, hidden: &Batch, data: &Labeled, lab: &Lab<'_>) -> Result<f64> {
    lab.ledger.flops(2 * output.weight.len() as u64 * data.len() as u64)?;
    let answers = hidden.dot(&output.weight.t()) + &output.bias;
    let is_wrong = |i: &usize| !lab.world.is_right(&row(&answers, *i), &row(&data.ys, *i));
    let wrong = (0..data.len()).filter(is_wrong).count();
    Ok(wrong as f64 / data.len().max(1) as f64)
}
