//! `mm-bd`: does one class win by an unusually large margin somewhere? If so, do without the suspect.
//!
//! Wang, Xiang, Miller, Kesidis (IEEE S&P 2024, arXiv 2205.06900): a backdoor makes its class overwhelmingly favoured
//! somewhere in the input space, whatever its trigger is. For each of C classes the margin `f_t(x) − max f_k(x)`, k ≠ t, of logits is raised
//! by gradient ascent from random inputs within the range of inputs; the best of all is the class's statistic. A gamma law is
//! fitted to the C − 1 statistics other than the largest, and the p-value of the largest, as the largest of C independent draws, is
//! `1 − F(r)^C`. The model is flagged at p ≤ 0.05. Published settings: 30 starts, 300 steps, rate 0.01 on pixels from 0 to 1, momentum 0.2.
//!
//! Differences. The gamma law has location 0 and is the most likely one (Newton's method from Minka's start; Minka 2002). The rate is scaled
//! by the square of the range, so ascent is the same whatever the units. The statistic is the best margin that any step saw. On the cube
//! ascent is in [−1, 1]^n, where inputs are not: what is found between the vertices says nothing of them, and a note says so.
//! The paper's detector only flags; here a flagged suspect is replaced by what `relearn` makes of the clean samples, and a suspect that is not
//! flagged stays as it is. So a false alarm costs what relearning loses.
//!
//! It assumes that one class is the target and that margins of other classes come from one gamma law: neither is proved of any net,
//! so 0.05 is a nominal rate, and nothing is claimed. Under 4 classes there are no 3 margins to fit a law to, and it refuses. Defeated by
//! a region that no start's ascent reaches, as of a detector that is asleep at nearly all inputs (`dfba`, `small-ball`): its gradient is 0 there; by a backdoor
//! whose margin is not larger than others; by backdoors into all classes; by gradients that mean nothing (`ripple`, `saturate`). A lock is not seen.
//!
//! Cost: starts · steps · C gradients, which reveal the answers, 2F each. Off the net n a start, and C + 1 + 6n a step and row (the
//! second class, momentum, step and clip); 4C + 200 for the law. No clean sample unless it flags; then what `relearn` takes.
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Gamma};
use statrs::function::gamma::digamma;

use super::super::affine::untouched;
use super::super::baseline::{Learner, relearned};
use super::super::{Mitigator, Repaired, n_samples};
use crate::access::{Gradients, Lab};
use crate::data::{Batch, Target, check_size};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;
use crate::rng::RngExt;

/// The name in errors.
const METHOD: &str = "mm-bd";
/// Fewest classes: three margins for a law of two parameters.
const FEWEST_CLASSES: usize = 4;
/// Most starts and steps.
const MOST: usize = 1 << 20;

/// Parameters of `mm-bd`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MmBd {
    /// Clean samples to learn afresh from if the suspect is flagged. Not given: as many as the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Random inputs from which the margin of each class is raised. 0: nothing is asked.
    pub starts: usize,
    /// Steps of ascent. 0: nothing is asked.
    pub steps: usize,
    /// Rate of ascent for inputs from 0 to 1.
    pub rate: f64,
    /// Momentum.
    pub momentum: f64,
    /// The p-value at which it flags.
    pub significance: f64,
}

impl Default for MmBd {
    fn default() -> Self {
        let (starts, steps, rate, momentum) = (30, 300, 0.01, 0.2);
        Self { samples: None, starts, steps, rate, momentum, significance: 0.05 }
    }
}

/// Classes, and the range of a coordinate.
struct Ground {
    n_classes: usize,
    low: f64,
    high: f64,
}

impl MmBd {
    fn ground(&self, world: &World) -> Result<Ground> {
        let n_classes = match world.target {
            Target::Classes(k) if k >= FEWEST_CLASSES => k,
            Target::Real => {
                let why = "it compares the margins of classes, and labels are real";
                return Err(Error::assumption(METHOD, why));
            }
            other => {
                let k = other.n_classes().unwrap_or(0);
                let why = format!(
                    "a law is fitted to the margins of all classes but one, so at least {FEWEST_CLASSES} classes are needed, and there are {k}"
                );
                return Err(Error::assumption(METHOD, why));
            }
        };
        let (low, high) = match world.domain {
            Domain::Range { low, high, .. } => (low, high),
            Domain::Box { .. } | Domain::Cube { .. } => (-1.0, 1.0),
            _ => {
                let why = "margins are raised within a range of every coordinate: inputs in a range, a box or the cube are needed";
                return Err(Error::assumption(METHOD, why));
            }
        };
        Ok(Ground { n_classes, low, high })
    }

    /// The largest margin of each class that ascent saw.
    fn margins(&self, suspect: &dyn Gradients, ground: &Ground, lab: &Lab<'_>) -> Result<Vec<f64>> {
        let Ground { n_classes, low, high } = *ground;
        let n = lab.world.domain.n();
        let rows = n_classes * self.starts;
        let width = high - low;
        lab.ledger.flops((rows * n) as u64)?;
        let mut rng = lab.seed.stream("starts");
        let mut xs = Batch::from_shape_simple_fn((rows, n), || low + width * rng.random::<f64>());
        let mut speed = Batch::zeros((rows, n));
        let mut best = vec![f64::NEG_INFINITY; n_classes];
        for _ in 0..self.steps {
            lab.ledger.flops((rows * (n_classes + 1 + 6 * n)) as u64)?;
            let (_, gradient) = suspect.answers_and_gradient(&xs, &mut |answers| {
                let mut along = Batch::zeros(answers.raw_dim());
                for (i, scores) in answers.rows().into_iter().enumerate() {
                    let class = i / self.starts;
                    let others = (0..n_classes).filter(|k| *k != class);
                    let second = others.max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
                    let Some(second) = second else { continue };
                    best[class] = best[class].max(scores[class] - scores[second]);
                    along[[i, class]] = 1.0;
                    along[[i, second]] = -1.0;
                }
                along
            })?;
            let rate = self.rate * width * width;
            ndarray::Zip::from(&mut xs).and(&mut speed).and(&gradient).for_each(|x, v, g| {
                // A gradient that is not finite moves nothing.
                let step = if g.is_finite() { rate * g } else { 0.0 };
                *v = self.momentum * *v + step;
                *x = (*x + *v).clamp(low, high);
            });
        }
        lab.ledger.flops((4 * n_classes + 200) as u64)?;
        Ok(best)
    }
}

/// The class of the largest margin, and its p-value; `None` where a margin of the others is not positive.
fn judge(margins: &[f64]) -> Option<(usize, f64)> {
    let largest = crate::data::argmax(margins);
    let rest: Vec<f64> = (0..margins.len()).filter(|k| *k != largest).map(|k| margins[k]).collect();
    if rest.iter().any(|m| !(*m > 0.0 && m.is_finite())) {
        return None;
    }
    let p = match gamma(&rest) {
        Some(law) => 1.0 - law.cdf(margins[largest]).powi(margins.len() as i32),
        // No spread at all: anything larger is beyond the law.
        None if margins[largest] > rest[0] * (1.0 + 1e-6) => 0.0,
        None => 1.0,
    };
    Some((largest, p))
}

/// The most likely gamma law of positive values; `None` where they are all alike.
fn gamma(values: &[f64]) -> Option<Gamma> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    // ln of the arithmetic over the geometric mean: ln k − ψ(k) of the most likely shape k.
    let spread = mean.ln() - values.iter().map(|v| v.ln()).sum::<f64>() / n;
    if spread.is_nan() || spread < 1e-9 {
        return None;
    }
    let mut shape =
        (3.0 - spread + ((spread - 3.0).powi(2) + 24.0 * spread).sqrt()) / (12.0 * spread);
    for _ in 0..5 {
        // Minka's generalised step, with ψ' by a central difference.
        let step = 1e-5 * shape;
        let slope = (digamma(shape + step) - digamma(shape - step)) / (2.0 * step);
        let off = shape.ln() - digamma(shape) - spread;
        let next = (shape.recip() + off / (shape * shape * (shape.recip() - slope))).recip();
        if next > 0.0 && next.is_finite() {
            shape = next;
        }
    }
    Gamma::new(shape, shape / mean).ok()
}

impl Mitigator for MmBd {
    type Access = dyn Gradients;

    fn check(&self, world: &World) -> Result<()> {
        let ground = self.ground(world)?;
        for (name, value) in [("starts", self.starts), ("steps", self.steps)] {
            if value > MOST {
                let want = format!("at most {MOST} are accepted");
                return Err(Error::parameter(name, value, want));
            }
        }
        if !(self.rate > 0.0 && self.rate.is_finite()) {
            return Err(Error::parameter("rate", self.rate, "a positive number is needed"));
        }
        if !(0.0..1.0).contains(&self.momentum) {
            let want = "a number from 0 to below 1 is needed";
            return Err(Error::parameter("momentum", self.momentum, want));
        }
        if !(self.significance > 0.0 && self.significance < 1.0) {
            let want = "a probability between 0 and 1 is needed";
            return Err(Error::parameter("significance", self.significance, want));
        }
        check_size("starts", ground.n_classes * self.starts, world.domain.n())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        if self.starts == 0 || self.steps == 0 {
            return Ok(untouched(suspect, "starts · steps"));
        }
        let ground = self.ground(&lab.world)?;
        let margins = self.margins(suspect, &ground, lab)?;
        let mut notes = Vec::new();
        if matches!(lab.world.domain, Domain::Cube { .. }) {
            notes.push("margins are raised between the vertices, where no input is".to_owned());
        }
        let Some((class, p)) = judge(&margins) else {
            notes.push("no margin above 0 was found for some class, so there is no law to compare with; the suspect stays as it is".to_owned());
            return Ok(Repaired { notes, ..Repaired::unclaimed(suspect) });
        };
        let said =
            format!("class {class} has the largest margin, {:.3}, p = {p:.2e}", margins[class]);
        if p > self.significance {
            notes.push(format!("not flagged: {said}; the suspect stays as it is"));
            return Ok(Repaired { notes, ..Repaired::unclaimed(suspect) });
        }
        let n = n_samples(self.samples, lab)?;
        if n == 0 {
            notes
                .push(format!("flagged: {said}; without clean samples the suspect stays as it is"));
            return Ok(Repaired { notes, ..Repaired::unclaimed(suspect) });
        }
        notes.push(format!("flagged: {said}; what was relearnt from {n} clean samples answers"));
        let data = lab.clean.draw(n)?;
        let relearnt = relearned(Learner::Auto, None, &data, lab)?;
        notes.extend(relearnt.notes.iter().cloned());
        Ok(Repaired { notes, ..relearnt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_the_most_likely_one_and_the_p_value_that_of_the_largest_of_all() {
        // At the most likely shape k, ln k − ψ(k) is the logarithm of the arithmetic over the geometric mean.
        let values: [f64; 3] = [1.0, 2.0, 4.0];
        let law = gamma(&values).unwrap();
        let off = law.shape().ln() - digamma(law.shape()) - ((7.0_f64 / 3.0).ln() - 2.0_f64.ln());
        assert!(off.abs() < 1e-9 && (law.shape() / law.rate() - 7.0 / 3.0).abs() < 1e-9, "{off}");
        let (class, p) = judge(&[2.0, 9.0, 1.0, 4.0]).unwrap();
        assert_eq!(class, 1);
        assert!((p - (1.0 - law.cdf(9.0).powi(4))).abs() < 1e-12);
    }

    #[test]
    fn margins_that_are_alike_flag_what_is_larger_and_margins_of_nothing_flag_nothing() {
        assert_eq!(judge(&[2.0, 2.0, 2.0, 2.0]).unwrap().1.to_bits(), 1.0_f64.to_bits());
        assert_eq!(judge(&[2.0, 2.0, 3.0, 2.0]).unwrap().1.to_bits(), 0.0_f64.to_bits());
        assert_eq!(judge(&[2.0, -1.0, 3.0, 2.0]), None);
        assert_eq!(judge(&[f64::NEG_INFINITY; 4]), None);
    }
}
