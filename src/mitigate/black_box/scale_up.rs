//! `scale-up`: an input whose class stays when its pixels are multiplied is answered by someone else.
//!
//! Guo, Li, Chen, Guo, Sun, Liu, "SCALE-UP: An Efficient Black-box Input-level Backdoor Detection via Analyzing Scaled
//! Prediction Consistency" (ICLR 2023): ask for the classes of clip(n · x) for n in {3, 5, 7, 9, 11}; the scaled prediction
//! consistency (SPC) is the share of them equal to the class of x. Bright clean images saturate and change class; a trigger
//! stays.
//!
//! Here x is scaled from the lower end of its range, low + n (x − low), which is the paper's n · x for pixels from 0 to 1;
//! in a box from its centre. `threshold` rejects SPC ≥ T, the paper's rule (it takes T = ½). Not given, the limit comes
//! from clean samples alone, conformally (`mitigate/screen.rs`), with ties broken by a coin of the input: SPC takes six
//! values only, and where more than the wanted rate of clean inputs have SPC 1 some of them are let pass and some rejected.
//! (The paper's own use of clean samples, to standardise SPC within classes, is not done here.)
//!
//! Assumes that clean inputs change class under scaling, which is an observation about images: nothing is proved. Refuses
//! the cube, where clip(n x) is x and every input would be the most suspicious; and domains without sides to clip at.
//! Images of two values, 0 and 1, are unchanged in the same way. Cost: 6 queries an input, and for each clean sample.
use serde::{Deserialize, Serialize};

use super::super::screen::{Bound, Fallback, Screen, Suspicions, Verdict, check_rate, guarded};
use super::super::{Mitigator, Repaired, n_samples};
use crate::access::{Lab, Oracle};
use crate::data::{Batch, Target, row, stack};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::population::World;

/// The name in errors.
const METHOD: &str = "scale-up";
/// Most numbers in one call to the suspect.
const MOST_NUMBERS: usize = 1 << 20;

/// Parameters of `scale-up`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScaleUp {
    /// Clean samples. Not given: as many as the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// What inputs are multiplied by.
    pub factors: Vec<f64>,
    /// Least consistency that is rejected. Not given: what `false_positives` makes of the clean samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Rate of clean inputs that may be rejected, where no threshold is given.
    pub false_positives: f64,
    /// What answers an input that is rejected.
    pub fallback: Fallback,
}

impl Default for ScaleUp {
    fn default() -> Self {
        Self {
            samples: None,
            factors: vec![3.0, 5.0, 7.0, 9.0, 11.0],
            threshold: None,
            false_positives: 0.05,
            fallback: Fallback::Relearn,
        }
    }
}

/// From where inputs are scaled, and where they are clipped.
fn sides(world: &World) -> Result<(f64, f64, f64)> {
    if world.target == Target::Real {
        let why = "it compares classes, and these labels are real numbers";
        return Err(Error::assumption(METHOD, why));
    }
    match world.domain {
        Domain::Range { low, .. } if low < 0.0 => {
            let why = "values are multiplied from a dark end at 0, and these reach below it, as standardised tables do";
            Err(Error::assumption(METHOD, why))
        }
        Domain::Range { low, high, .. } => Ok((low, low, high)),
        Domain::Box { .. } => Ok((0.0, -1.0, 1.0)),
        Domain::Cube { .. } => {
            let why = "on the cube scaling and clipping change nothing, so every input would be as consistent as can be";
            Err(Error::assumption(METHOD, why))
        }
        _ => {
            let why =
                "scaled inputs are clipped to the range of a coordinate, and this domain has none";
            Err(Error::assumption(METHOD, why))
        }
    }
}

impl Mitigator for ScaleUp {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        check_rate(self.false_positives)?;
        if self.samples == Some(0) {
            return Err(Error::parameter("samples", 0, "at least one clean sample is needed"));
        }
        if self.factors.is_empty() || self.factors.len() > 1024 {
            let want = "from 1 to 1,024 factors are accepted";
            return Err(Error::parameter("factors", self.factors.len(), want));
        }
        if let Some(odd) = self.factors.iter().find(|n| !(n.is_finite() && **n > 1.0)) {
            return Err(Error::parameter("factors", odd, "numbers above 1 are needed"));
        }
        if let Some(least) = self.threshold
            && !(least > 0.0 && least <= 1.0)
        {
            let want = "a share above 0 and at most 1 is needed";
            return Err(Error::parameter("threshold", least, want));
        }
        sides(world).map(drop)
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let (origin, low, high) = sides(&lab.world)?;
        let n = n_samples(self.samples, lab)?;
        if n == 0 {
            return Err(Error::parameter("samples", 0, "at least one clean sample is needed"));
        }
        let all = lab.clean.draw(n)?;
        let screen = Scaled {
            suspect,
            factors: self.factors.clone(),
            origin,
            clip: (low, high),
            target: lab.world.target,
            ledger: lab.ledger,
        };
        let bound = self.threshold.map_or(Bound::Rate(self.false_positives), Bound::AtLeast);
        let verdict = Verdict { bound, fallback: self.fallback };
        // Nothing is fitted, so all samples calibrate.
        guarded(screen, suspect, (&all, &all), &verdict, lab)
    }
}

/// Inputs beside their multiples.
struct Scaled<'a> {
    suspect: &'a dyn Oracle,
    factors: Vec<f64>,
    origin: f64,
    clip: (f64, f64),
    target: Target,
    ledger: &'a Ledger,
}

impl Scaled<'_> {
    /// The input and its multiples.
    fn copies(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let (low, high) = self.clip;
        let scaled = |n: &f64| -> Vec<f64> {
            x.iter().map(|x| (self.origin + n * (x - self.origin)).clamp(low, high)).collect()
        };
        std::iter::once(x.to_vec()).chain(self.factors.iter().map(scaled)).collect()
    }
}

impl Screen for Scaled<'_> {
    fn suspicions(&self, xs: &Batch) -> Result<Suspicions> {
        let (n, width) = (xs.ncols(), 1 + self.factors.len());
        let block = (MOST_NUMBERS / (width * n)).max(1);
        let mut each = Vec::with_capacity(xs.nrows());
        let mut answers = Batch::zeros((xs.nrows(), self.suspect.shape().outputs));
        for first in (0..xs.nrows()).step_by(block) {
            let rows = first..(first + block).min(xs.nrows());
            // Five operations a coordinate of a multiple; a comparison a class of an answer.
            let of_one = (width - 1) * 5 * n + width * self.target.outputs();
            self.ledger.flops((of_one * rows.len()) as u64)?;
            let copies = rows.clone().flat_map(|i| self.copies(&row(xs, i)));
            let got = self.suspect.query(&stack(n, copies))?;
            for (r, i) in rows.enumerate() {
                let class = |k: usize| self.target.decide(&row(&got, r * width + k));
                let kept = (1..width).filter(|k| class(*k) == class(0)).count();
                each.push(kept as f64 / self.factors.len() as f64);
                answers.row_mut(i).assign(&got.row(r * width));
            }
        }
        Ok(Suspicions { each, answers: Some(answers) })
    }
}
