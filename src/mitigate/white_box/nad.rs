//! `nad`: a fine-tuned copy of the suspect teaches it where to attend: neural attention distillation.
//!
//! Li, Lyu, Koren, Lyu, Li and Ma, "Neural Attention Distillation: Erasing Backdoor Triggers from Deep Neural Networks" (ICLR 2021).
//! The teacher is the suspect after `teacher_epochs` epochs of fine-tuning. The student, which also sets out from the suspect,
//! minimises the recipe's loss plus β times, for each hidden layer, the mean squared difference of the two attention vectors:
//! A(a) = |a|^p / (‖|a|^p‖ + 1e-6) over the layer's activations, p = 2. β = 1000 as in the released code for its deeper blocks.
//!
//! Differences, for perceptrons: the units of a layer stand where the places of an image map do, after channels are summed (a map of
//! 8×8 has as many places as the default layer has units); every hidden layer is compared; β is the largest of `beta` that
//! trains to a net that is accepted. Half of the clean samples decide that.
//!
//! Assumes that fine-tuning moves the teacher's attention off the trigger, on clean inputs: on those alone are the two compared.
//! Defeated by units that clean inputs leave asleep, whose attention is 0 in both, and by a lock. Nothing is proved. Rung `dyn WhiteBox`.
//!
//! Cost, with t tuning and h held-out samples, H hidden units, s steps and P weights: the teacher 3F t an epoch and 6P a step, once;
//! for each β: (F + 5H) t for its attention, (3F + 17H) t an epoch (5H the attention, 12H its loss and slope), 6P a step, F h; and
//! F h once.
use ndarray::Axis;
use serde::{Deserialize, Serialize};

use super::super::trial::{Trial, check_halved, check_max_drop, diverged, unchanged};
use super::super::tuning::{Tuning, check_hidden, check_ladder};
use super::super::{Mitigator, Repaired};
use crate::access::{Lab, WhiteBox};
use crate::data::{Batch, Labeled};
use crate::error::{Error, Result};
use crate::net::{Net, Tape, loss_gradient};
use crate::population::World;

/// Parameters of `nad`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nad {
    /// Clean samples to use; half of them decide. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest rise of the share of wrong answers on held-out clean samples.
    pub max_drop: f64,
    /// Epochs of the teacher's fine-tuning.
    pub teacher_epochs: usize,
    /// Weights of the attention loss that are tried, largest first; the first that is accepted stays.
    pub beta: Vec<f64>,
    /// The power p of an activation in the attention, at least 1.
    pub power: f64,
    /// How teacher and student are trained on.
    pub tuning: Tuning,
}

impl Default for Nad {
    fn default() -> Self {
        Self {
            samples: None,
            max_drop: 0.04,
            teacher_epochs: 10,
            beta: vec![1000.0, 100.0, 10.0],
            power: 2.0,
            tuning: Tuning::default(),
        }
    }
}

impl Mitigator for Nad {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        check_halved(self.samples)?;
        check_max_drop(self.max_drop)?;
        check_ladder("beta", &self.beta, f64::INFINITY)?;
        if !(self.power >= 1.0 && self.power <= 8.0) {
            return Err(Error::parameter("power", self.power, "a number from 1 to 8 is needed"));
        }
        self.teacher().check()?;
        self.tuning.check()
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        check_hidden("nad", net)?;
        let Some(trial) = Trial::draw(self.samples, self.max_drop, net, lab)? else {
            return Ok(unchanged(suspect));
        };
        let teacher = match self.teacher().tune(net, &trial.tune, lab.seed.child("teacher"), lab) {
            Err(Error::Training(why)) => return Ok(diverged(suspect, "the teacher", &why)),
            taught => taught?,
        };
        let (tune, teacher) = (&trial.tune, &teacher);
        let candidates = self.beta.iter().map(|&beta| {
            (format!("β = {beta}"), move |lab: &Lab<'_>| {
                self.student(net, teacher, (beta, tune), lab)
            })
        });
        trial.first(suspect, candidates, lab)
    }
}

impl Nad {
    fn teacher(&self) -> Tuning {
        Tuning { epochs: self.teacher_epochs, ..self.tuning }
    }

    fn student(
        &self,
        net: &Net,
        teacher: &Net,
        (beta, tune): (f64, &Labeled),
        lab: &Lab<'_>,
    ) -> Result<Net> {
        let hidden = net.layers().len() - 1;
        let units: usize = net.widths()[1..=hidden].iter().sum();
        let charge =
            |per_unit: usize, rows: usize| lab.ledger.flops((per_unit * units * rows) as u64);
        let mut wanted = teacher.activations(&tune.xs, lab.ledger)?;
        wanted.truncate(hidden);
        charge(5, tune.len())?;
        wanted.iter_mut().for_each(|values| *values = attention(values, self.power).0);
        let (loss, target) = (lab.recipe.loss_for(lab.world.target)?, lab.world.target);
        self.tuning.descend(net, tune, lab, &mut |net, rows| {
            let data = tune.select(rows);
            let tape = Tape::record(net, &data.xs, lab.ledger)?;
            charge(17, rows.len())?;
            let pull = |layer: usize| {
                let wanted = wanted[layer].select(Axis(0), rows);
                attention_slope(tape.values(layer), &wanted, self.power) * beta
            };
            let mut by_values: Vec<_> = (0..hidden).map(|layer| Some(pull(layer))).collect();
            by_values.push(Some(loss_gradient(loss, target, tape.answers(), &data.ys)?.1));
            Ok(tape.pull(&by_values, lab.ledger)?.flat())
        })
    }
}

/// The attention vectors of rows of activations, and the norms that they were divided by.
fn attention(values: &Batch, power: f64) -> (Batch, Vec<f64>) {
    let mut powers = values.mapv(|a| a.abs().powf(power));
    let norms: Vec<f64> = powers.rows().into_iter().map(|s| s.dot(&s).sqrt() + 1e-6).collect();
    powers.rows_mut().into_iter().zip(&norms).for_each(|(mut row, norm)| row /= *norm);
    (powers, norms)
}

/// The slope by the activations `values` of the mean over all numbers of (A(values) − `wanted`)².
fn attention_slope(values: &Batch, wanted: &Batch, power: f64) -> Batch {
    let (mut slope, norms) = attention(values, power);
    let share = 2.0 / values.len() as f64;
    for (i, mut row) in slope.rows_mut().into_iter().enumerate() {
        let norm = norms[i];
        // With s = |a|^p and r = ‖s‖: A = s / (r + ε), so ∂A/∂s = I / (r + ε) − s sᵀ / (r (r + ε)²).
        let pulls = (&row - &wanted.row(i)) * share;
        let length = norm - 1e-6;
        let along = if length > 0.0 { row.dot(&pulls) / length } else { 0.0 };
        for ((slot, pull), a) in row.iter_mut().zip(&pulls).zip(values.row(i)) {
            let by_power = pull / norm - *slot * along;
            *slot = by_power * power * a.abs().powf(power - 1.0) * a.signum();
        }
    }
    slope
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn attention_slopes_agree_with_central_differences() {
        let values = array![[0.5, -1.0, 2.0], [0.3, 0.1, -0.2]];
        let wanted = array![[0.2, 0.9, 0.1], [0.6, 0.0, 0.3]];
        for power in [1.0, 2.0, 3.0] {
            let loss = |values: &Batch| {
                (attention(values, power).0 - &wanted).mapv(|d| d * d).mean().unwrap()
            };
            let slope = attention_slope(&values, &wanted, power);
            for (at, got) in slope.indexed_iter() {
                let h = 1e-6;
                let shifted = |by: f64| {
                    let mut values = values.clone();
                    values[at] += by;
                    loss(&values)
                };
                let want = (shifted(h) - shifted(-h)) / (2.0 * h);
                assert!((got - want).abs() < 1e-7, "p = {power} at {at:?}: {got}, {want}");
            }
        }
        // (3, 4) squared is (9, 16), of length √337. A row that sleeps attends nowhere, and has no slope.
        let (vectors, _) = attention(&array![[3.0, 4.0], [0.0, 0.0]], 2.0);
        assert!((vectors[[0, 0]] - 9.0 / 337.0_f64.sqrt()).abs() < 1e-6);
        let asleep = attention_slope(&array![[0.0, 0.0]], &array![[0.6, 0.8]], 2.0);
        assert_eq!(asleep, array![[0.0, 0.0]]);
    }
}
