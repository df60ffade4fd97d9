//! `mm-bd`: a class whose largest margin stands out is taken for a backdoor's target; then the suspect is not used.
//!
//! Wang, Xiang, Miller and Kesidis, "MM-BD: Post-Training Detection of Backdoor Attacks with Arbitrary Backdoor Pattern Types Using a Maximum
//! Margin Statistic" (IEEE S&P 2024, arXiv 2205.06900): for each class the largest value of its score minus the best other score
//! that ascent from random inputs finds in the domain. A gamma distribution is fitted to all statistics but the largest, r; with F
//! its distribution function and C classes, `p = 1 − F(r)^C`, and p ≤ 0.05 is an attack. No clean sample is needed for that.
//!
//! What to do then is this project's: where the suspect is flagged, what `relearn` learns from the clean samples answers; else, and
//! where there are no clean samples, the suspect. A note says what was found. The paper's own repair, bounds on activations, is not done.
//!
//! Differences: steps are in units of the range of a coordinate, as images in [0, 1] have it, and inputs are put back into the domain after a step (the
//! authors' code clips inside the net); no momentum (their code makes a new optimiser for every step, which forgets it); the statistic
//! is the largest margin on the way; the gamma begins at 0 (theirs has a third, free parameter, which nine numbers hardly
//! determine), so statistics that are not positive are left out of it. On the cube ascent runs in the box around it; of normal inputs within
//! three standard deviations.
//!
//! It assumes that scores are not squashed (before a softmax), that a backdoor makes the landscape of its class steeper than all others, and that
//! the classes are alike without one. Nothing is proved: the p-value is one only if statistics were independent draws from
//! one gamma distribution, and the rate of false alarms has to be measured. Defeated
//! by a backdoor whose margin ascent does not find or that is no larger than the task's own: `dfba`, whose unit sleeps nearly
//! everywhere, every class as a target, or a net trained for large margins everywhere. On digits it flagged 3 of 8 clean nets
//! at p ≤ 0.05 (experiments/mitigators/trigger-inversion.md). With fewer than four
//! classes there is nothing to fit, and real values have no margins: both are errors.
//!
//! Cost: C · 30 gradients a step, at most 300 steps, which reveal the answers too: 2F each, and 4n + C + 1 off the net; n an input
//! for drawing it; the fit. Reads gradients: rung `dyn Gradients`.
use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::super::baseline::{Learner, relearned};
use super::super::range::coordinate_range;
use super::super::{Mitigator, Repaired, n_samples};
use crate::access::{Gradients, Lab};
use crate::data::{Batch, Target};
use crate::error::{Error, Result};
use crate::population::World;
use crate::rng::RngExt;
use crate::stats::{GAMMA_HALVINGS, Gamma};

/// The name in errors.
const METHOD: &str = "mm-bd";

/// Fewest classes: three numbers to fit a distribution with two parameters to.
pub(super) const LEAST_CLASSES: usize = 4;

/// Relative change of the sum of margins below which ascent has ended, as in the authors' code.
const SETTLED: f64 = 1e-5;

/// Parameters of `mm-bd`: the defaults are the authors'.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MmBd {
    /// Random inputs a class that ascent starts from.
    pub starts: usize,
    /// Most steps.
    pub steps: usize,
    /// Step size, where a coordinate's range is 1 wide.
    pub rate: f64,
    /// Largest p-value that is an attack.
    pub significance: f64,
    /// Clean samples to relearn from if the suspect is flagged. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
}

impl Default for MmBd {
    fn default() -> Self {
        Self { starts: 30, steps: 300, rate: 1e-2, significance: 0.05, samples: None }
    }
}

fn n_classes(world: &World) -> Result<usize> {
    match world.target {
        Target::Classes(k) if k >= LEAST_CLASSES => Ok(k),
        Target::Classes(k) => {
            let why = format!(
                "the largest statistic is compared with those of the other classes, which takes at least {LEAST_CLASSES} classes, and here are {k}"
            );
            Err(Error::assumption(METHOD, why))
        }
        Target::Sign => {
            let why = "a sign has two classes and one margin: there is nothing to compare it with";
            Err(Error::assumption(METHOD, why))
        }
        Target::Real => {
            Err(Error::assumption(METHOD, "real values have no classes and no margins"))
        }
    }
}

impl Mitigator for MmBd {
    type Access = dyn Gradients;

    fn check(&self, world: &World) -> Result<()> {
        n_classes(world)?;
        coordinate_range(METHOD, &world.domain)?;
        for (name, value) in [("starts", self.starts), ("steps", self.steps)] {
            if value == 0 || value > 1_000_000 {
                return Err(Error::parameter(name, value, "from 1 to a million are accepted"));
            }
        }
        if !(self.rate > 0.0 && self.rate.is_finite()) {
            return Err(Error::parameter("rate", self.rate, "a positive number is needed"));
        }
        if !(self.significance > 0.0 && self.significance < 1.0) {
            let want = "a probability between 0 and 1 is needed";
            return Err(Error::parameter("significance", self.significance, want));
        }
        crate::data::check_size("starts", self.starts, world.domain.n())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let k = n_classes(&lab.world)?;
        let statistics: Vec<f64> =
            (0..k).map(|class| self.largest_margin(suspect, class, lab)).collect::<Result<_>>()?;
        let found = verdict(&statistics, lab)?;
        let largest = statistics[found.class];
        let mut notes = found.note.into_iter().collect::<Vec<_>>();
        notes.push(format!(
            "class {} has the largest margin, {largest:.3}: p = {:.2e}",
            found.class, found.p
        ));
        if found.p > self.significance {
            notes.push("not flagged: the suspect stays as it is".to_owned());
            return Ok(Repaired { notes, ..Repaired::unclaimed(suspect) });
        }
        let n = n_samples(self.samples, lab)?;
        if n == 0 {
            notes.push(
                "flagged, and there is no clean sample to relearn from: the suspect stays as it is"
                    .to_owned(),
            );
            return Ok(Repaired { notes, ..Repaired::unclaimed(suspect) });
        }
        let data = lab.clean.draw(n)?;
        notes.push(format!("flagged: what was relearnt from {n} clean samples answers"));
        let instead = relearned(Learner::Auto, None, &data, lab)?;
        notes.extend(instead.notes.iter().cloned());
        Ok(Repaired { notes, ..instead })
    }
}

impl MmBd {
    /// The largest margin of `class` that ascent finds.
    fn largest_margin(&self, suspect: &dyn Gradients, class: usize, lab: &Lab<'_>) -> Result<f64> {
        let (low, high) = coordinate_range(METHOD, &lab.world.domain)?;
        let (n, k) = (lab.world.domain.n(), lab.world.shape().outputs);
        let mut rng = lab.seed.child("ascent").stream(&class.to_string());
        lab.ledger.flops((n * self.starts) as u64)?;
        let mut xs = Batch::from_shape_simple_fn((self.starts, n), || rng.random_range(low..=high));
        // With y = (x − low)/(high − low), a step of `rate` by y moves x by the square of the range times the gradient by x.
        let rate = self.rate * (high - low) * (high - low);
        let (mut largest, mut before) = (f64::NEG_INFINITY, f64::INFINITY);
        for _ in 0..self.steps {
            lab.ledger.flops((self.starts * (4 * n + k + 1)) as u64)?;
            let mut margins = Array1::zeros(self.starts);
            let (_, gradient) = suspect.answers_and_gradient(&xs, &mut |answers| {
                let mut along = Batch::zeros(answers.raw_dim());
                for (i, answer) in answers.rows().into_iter().enumerate() {
                    let others = (0..k).filter(|j| *j != class);
                    let rival =
                        others.max_by(|a, b| answer[*a].total_cmp(&answer[*b])).unwrap_or(class);
                    margins[i] = answer[class] - answer[rival];
                    along[[i, class]] = 1.0;
                    along[[i, rival]] = -1.0;
                }
                along
            })?;
            largest = margins.iter().copied().fold(largest, f64::max);
            let sum: f64 = margins.sum();
            // At least once, so that a change is known.
            if ((sum - before) / before).abs() < SETTLED {
                break;
            }
            before = sum;
            xs.scaled_add(rate, &gradient);
            xs.mapv_inplace(|x| x.clamp(low, high));
        }
        Ok(largest)
    }
}

/// What the statistics say.
struct Verdict {
    class: usize,
    p: f64,
    note: Option<String>,
}

/// The p-value of the largest statistic under a gamma distribution of the others.
fn verdict(statistics: &[f64], lab: &Lab<'_>) -> Result<Verdict> {
    let k = statistics.len();
    // A logarithm and two sums a statistic, four operations a halving, the distribution function and its power.
    lab.ledger.flops(4 * k as u64 + 4 * u64::from(GAMMA_HALVINGS) + 4)?;
    let class = crate::data::argmax(statistics);
    let all = statistics.iter().enumerate().filter(|(i, _)| *i != class);
    let others: Vec<f64> = all.map(|(_, r)| *r).filter(|r| *r > 0.0).collect();
    let left_out = k - 1 - others.len();
    let mut note = (left_out > 0)
        .then(|| format!("{left_out} classes with no input of positive margin are left out"));
    let p = if others.len() + 1 < LEAST_CLASSES {
        note =
            Some(format!("only {} other classes have a positive margin: no verdict", others.len()));
        1.0
    } else {
        match Gamma::fit(&others) {
            Some(gamma) => gamma.p_of_largest(statistics[class], others.len() + 1),
            // All others alike: the largest stands out or is one of them.
            None if statistics[class] > others[0] * (1.0 + SETTLED) => 0.0,
            None => 1.0,
        }
    };
    Ok(Verdict { class, p, note })
}
