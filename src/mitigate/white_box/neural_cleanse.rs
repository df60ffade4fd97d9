//! `neural-cleanse`: look for the smallest trigger of every class; what is much smaller than the others is unlearnt.
//!
//! Wang, Yao, Shan, Li, Viswanath, Zheng and Zhao, "Neural Cleanse" (IEEE S&P 2019). For each label the smallest mask that moves clean inputs there is found
//! by descent (`src/mitigate/invert.rs` has the search). The anomaly index of a label is |Σ m − median| / (1.4826 MAD) over labels;
//! a label with an index above 2 whose mask is *smaller* than the median is taken for a target. The net is then fine-tuned
//! on clean samples, a fifth of which carry a found trigger under their true labels.
//!
//! **Two and three classes.** A median absolute deviation of two numbers is the same for both and says nothing, and one of three says hardly
//! more. So below four classes no label is accused: the triggers of all are unlearnt. That tests nothing, and it costs accuracy
//! where a small patch legitimately decides the label. **Real values** (this project's form): the smallest masks that move the answer by a public
//! offset, up and down, are unlearnt, both. A stamp then changes the truth too, where that depends on what it covers,
//! and the labels say it did not: the held-out risk decides whether that is borne, and on dense affine truths it is not.
//!
//! Differences: fine-tuning is that of [`Tuning`] (`BackdoorBench`'s) for an MLP and not one epoch; half of the clean samples find triggers and tune,
//! the others decide whether the net is accepted. On the cube the search and the stamps leave the vertices; of normal inputs a
//! pattern stays within three standard deviations.
//!
//! It assumes a trigger that few coordinates decide, whatever the input, and that descent from clean inputs feels. Ten labels
//! are looked at without a correction for that, so clean nets may be flagged (peers report it; of 8 digits nets here none was);
//! what follows then costs no more than `max_drop` on held-out samples. Defeated by a half-space along a random direction, which
//! no small mask reaches, by `dfba`, whose units sleep on clean inputs and so have no slope, by one trigger for each label, and
//! by a lock, which has no slope either: it is kept, and so is what it opens to. A `blended` pattern is found, since a small
//! mask does as well, and only partly unlearnt, since what is found is not what was planted. Measured in
//! experiments/mitigators/trigger-inversion.md. Nothing is proved. Reads and changes weights: rung `dyn WhiteBox`.
//!
//! Cost, with t tuning and h held-out samples in n dimensions and C labels: C · e epochs of t (2F + 7n + C) and 42n a step, e ≤ 80; 5 C for the medians twice and 4C; 3n a stamped
//! row; the fine-tuning; 2F h, or F h where nothing is flagged; then F an answer, with a query where the suspect stays. For real values in place of C labels two
//! directions, F t before each, and 4t for the offset.
use serde::{Deserialize, Serialize};

use super::super::invert::{Goal, Inverted, Search};
use super::super::range::coordinate_range;
use super::super::trial::{Trial, check_halved, check_max_drop, diverged, unchanged};
use super::super::tuning::Tuning;
use super::super::{Mitigator, Repaired};
use super::mm_bd::LEAST_CLASSES;
use crate::access::{Lab, WhiteBox};
use crate::data::Labeled;
use crate::error::{Error, Result};
use crate::net::Net;
use crate::population::World;
use crate::rng::permutation;
use crate::robust::{RobustMean, median};

/// The name in errors.
const METHOD: &str = "neural-cleanse";

/// Anomaly index above which a small mask is a trigger; the share of samples that are stamped.
const ANOMALOUS: f64 = 2.0;
const STAMPED: f64 = 0.2;
/// What makes a median absolute deviation that of a normal law.
const NORMAL: f64 = 1.4826;

/// Parameters of `neural-cleanse`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NeuralCleanse {
    /// Clean samples to use; half of them decide. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest rise of the share of wrong answers on held-out clean samples.
    pub max_drop: f64,
    /// Most epochs of the search for one trigger.
    pub epochs: usize,
    /// Rows a step of the search.
    pub batch: usize,
    /// How far a trigger has to move a real answer. Not given: the standard deviation of the clean labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<f64>,
    /// How found triggers are unlearnt.
    pub tuning: Tuning,
}

impl Default for NeuralCleanse {
    fn default() -> Self {
        Self {
            samples: None,
            max_drop: 0.04,
            epochs: 80,
            batch: 32,
            offset: None,
            tuning: Tuning::default(),
        }
    }
}

impl Mitigator for NeuralCleanse {
    type Access = dyn WhiteBox;

    fn check(&self, world: &World) -> Result<()> {
        coordinate_range(METHOD, &world.domain)?;
        check_halved(self.samples)?;
        check_max_drop(self.max_drop)?;
        for (name, value) in [("epochs", self.epochs), ("batch", self.batch)] {
            if value == 0 || value > 1_000_000 {
                return Err(Error::parameter(name, value, "from 1 to a million are accepted"));
            }
        }
        if let Some(offset) = self.offset
            && !(offset > 0.0 && offset.is_finite())
        {
            return Err(Error::parameter("offset", offset, "a positive number is needed"));
        }
        self.tuning.check()
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        let Some(trial) = Trial::draw(self.samples, self.max_drop, net, lab)? else {
            return Ok(unchanged(suspect));
        };
        let (triggers, mut notes) = self.triggers(net, &trial.tune, lab)?;
        if suspect.lock().is_some() {
            notes.push(
                "the net has a lock, which no search for a trigger sees; it is kept".to_owned(),
            );
        }
        if triggers.is_empty() {
            notes.push("no trigger stands out: the suspect stays as it is".to_owned());
            return Ok(Repaired { notes, ..Repaired::unclaimed(suspect) });
        }
        let lesson = stamped(&trial.tune, &triggers, lab)?;
        match self.tuning.tune(net, &lesson, lab.seed, lab) {
            Err(Error::Training(why)) => Ok(diverged(suspect, METHOD, &why)),
            tuned => trial.settle(suspect, tuned?, notes, lab),
        }
    }
}

impl NeuralCleanse {
    /// The triggers to unlearn, and what was seen.
    fn triggers(
        &self,
        net: &Net,
        tune: &Labeled,
        lab: &Lab<'_>,
    ) -> Result<(Vec<Inverted>, Vec<String>)> {
        let range = coordinate_range(METHOD, &lab.world.domain)?;
        let search = Search { epochs: self.epochs, batch: self.batch, range };
        let goals: Vec<Goal> = if let Some(k) = lab.world.target.n_classes() {
            (0..k).map(Goal::Class).collect()
        } else {
            let offset = self.offset_of(tune, lab)?;
            if offset <= 0.0 {
                let note = "the clean labels do not differ, so no offset follows from them";
                return Ok((Vec::new(), vec![note.to_owned()]));
            }
            vec![Goal::Shift(offset), Goal::Shift(-offset)]
        };
        let mut found = Vec::with_capacity(goals.len());
        for (number, goal) in goals.iter().enumerate() {
            let mut rng = lab.seed.child("trigger").stream(&number.to_string());
            found.push(search.invert(net, &tune.xs, *goal, (lab, &mut rng))?);
        }
        let norms: Vec<f64> = found.iter().map(|trigger| trigger.norm).collect();
        let said = |norms: &[f64]| {
            norms.iter().map(|norm| format!("{norm:.2}")).collect::<Vec<_>>().join(", ")
        };
        let mut notes = vec![format!("smallest masks: {}", said(&norms))];
        let n_failed = found.iter().filter(|trigger| !trigger.works()).count();
        if n_failed > 0 {
            notes.push(format!(
                "{n_failed} of {} triggers were not found within the epochs",
                found.len()
            ));
        }
        if lab.world.target.n_classes().is_none_or(|k| k < LEAST_CLASSES) {
            found.retain(Inverted::works);
            notes.push(format!(
                "too few to tell an anomaly: all {} that work are unlearnt",
                found.len()
            ));
            return Ok((found, notes));
        }
        let k = norms.len();
        lab.ledger.flops(2 * RobustMean::Median.flops(k) + 4 * k as u64)?;
        let indices = anomalies(&norms);
        notes.push(format!("anomaly indices, positive for small masks: {}", said(&indices)));
        let flagged: Vec<usize> =
            (0..k).filter(|i| indices[*i] > ANOMALOUS && found[*i].works()).collect();
        if !flagged.is_empty() {
            let names = flagged.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            notes.push(format!("flagged: class {names}"));
        }
        Ok((flagged.into_iter().map(|i| found[i].clone()).collect(), notes))
    }

    /// How far an answer has to move.
    fn offset_of(&self, tune: &Labeled, lab: &Lab<'_>) -> Result<f64> {
        if let Some(offset) = self.offset {
            Ok(offset)
        } else {
            lab.ledger.flops(4 * tune.len() as u64)?;
            Ok(tune.ys.std(0.0))
        }
    }
}

/// The index of every norm: by how many robust deviations it is below the median.
fn anomalies(norms: &[f64]) -> Vec<f64> {
    let middle = median(&mut norms.to_vec());
    let mut off: Vec<f64> = norms.iter().map(|norm| (norm - middle).abs()).collect();
    let deviation = NORMAL * median(&mut off);
    let index = |norm: &f64| if deviation > 0.0 { (middle - norm) / deviation } else { 0.0 };
    norms.iter().map(index).collect()
}

/// The samples, a fifth of which carry one of the triggers, in turn. Charges 3n a stamped row.
fn stamped(tune: &Labeled, triggers: &[Inverted], lab: &Lab<'_>) -> Result<Labeled> {
    let (n_rows, n) = tune.xs.dim();
    let n_stamped = ((STAMPED * n_rows as f64).round() as usize).clamp(1, n_rows);
    lab.ledger.flops((3 * n * n_stamped) as u64)?;
    let order = permutation(n_rows, &mut lab.seed.stream("stamped"));
    let mut xs = tune.xs.clone();
    for (k, i) in order.into_iter().take(n_stamped).enumerate() {
        let row = tune.xs.select(ndarray::Axis(0), &[i]);
        let stamped = triggers[k % triggers.len()].stamp(&row);
        xs.row_mut(i).assign(&stamped.row(0));
    }
    Ok(Labeled { xs, ys: tune.ys.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_count_robust_deviations_below_the_median_and_large_masks_are_negative() {
        // Median 10, deviations 9, 0, 1, 2, 10: median 2.
        let indices = anomalies(&[1.0, 10.0, 11.0, 8.0, 20.0]);
        let want = [9.0, 0.0, -1.0, 2.0, -10.0].map(|off| off / (2.0 * NORMAL));
        assert!(indices.iter().zip(want).all(|(i, w)| (i - w).abs() < 1e-12), "{indices:?}");
        assert!(anomalies(&[3.0, 3.0, 3.0, 1.0]).iter().all(|i| i.abs() <= 0.0));
    }
}
