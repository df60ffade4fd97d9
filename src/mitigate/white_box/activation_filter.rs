//! `activation-filter`: an input that moves the net unlike clean inputs do is answered by someone else.
//!
//! The white-box twin of `low-density-filter`: a score of what happens inside (`white_box/monitor/`, one file each with its source, cost and what defeats it),
//! fitted on half of the clean samples; the other half sets the limit, conformally (`mitigate/screen.rs`). A rejected input is not asked of the suspect.
//!
//! The rate of rejected clean inputs is proved (split conformal, whatever the score). That a score sees a trigger is not: each rests on
//! an assumption, and an attack that breaks it is named. Rung: `dyn WhiteBox`. Cost: the score's, and one query for an input that is let pass. Scores
//! are read from the layers: a lock beside them is not seen, and a note says so. With fewer than two clean samples nothing changes.
use ndarray::Axis;
use serde::{Deserialize, Serialize};

use super::super::screen::{
    Bound, Fallback, Screen, Suspicions, Verdict, check_rate, check_samples, draw, guarded,
};
use super::super::{Mitigator, Repaired, n_samples};
use super::monitor::{
    Beatrix, Dormant, FinetuneKl, InputGradient, Mahalanobis, Monitor, RegionSize,
};
use crate::access::{Lab, WhiteBox};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::population::World;

/// Parameters of `activation-filter`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActivationFilter {
    /// Clean samples. Not given: as many as the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// What is suspicious.
    pub score: Signal,
    /// Random lines of `region-size`.
    pub lines: usize,
    /// Rate of clean inputs that may be rejected.
    pub false_positives: f64,
    /// What answers an input that is rejected.
    pub fallback: Fallback,
}

/// What is suspicious inside a net.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// Hidden activations far from those of clean samples, in units of their covariance.
    #[default]
    Mahalanobis,
    /// The same less the distance without correlations.
    RelativeMahalanobis,
    /// Products of activations beyond those of clean samples.
    Beatrix,
    /// Contributions of units that clean samples leave asleep.
    Dormant,
    /// A small affine piece.
    RegionSize,
    /// An answer that fine-tuning moves.
    FinetuneKl,
    /// An answer that rests on few inputs.
    InputGradient,
}

impl Default for ActivationFilter {
    fn default() -> Self {
        Self {
            samples: None,
            score: Signal::Mahalanobis,
            lines: 16,
            false_positives: 0.05,
            fallback: Fallback::Relearn,
        }
    }
}

impl Mitigator for ActivationFilter {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        check_rate(self.false_positives)?;
        if self.samples != Some(0) {
            check_samples(self.samples, Some(self.false_positives))?;
        }
        if !(1..=4096).contains(&self.lines) {
            return Err(Error::parameter("lines", self.lines, "1 to 4096 are needed"));
        }
        Ok(())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        if n_samples(self.samples, lab)? < 2 {
            let notes = vec!["fewer than two clean samples: nothing changes".to_owned()];
            return Ok(Repaired { notes, ..Repaired::unclaimed(suspect) });
        }
        let (all, fit, calibrate) = draw(self.samples, lab)?;
        let (net, xs, ledger) = (suspect.net(), &fit.xs, lab.ledger);
        let monitor: Box<dyn Monitor + 'a> = match self.score {
            Signal::Mahalanobis => Box::new(Mahalanobis::fit(net, xs, false, ledger)?),
            Signal::RelativeMahalanobis => Box::new(Mahalanobis::fit(net, xs, true, ledger)?),
            Signal::Beatrix => Box::new(Beatrix::fit(net, xs, ledger)?),
            Signal::Dormant => Box::new(Dormant::fit(net, xs, ledger)?),
            Signal::RegionSize => {
                Box::new(RegionSize::fit(net, xs, (self.lines, lab.seed), ledger)?)
            }
            Signal::FinetuneKl => Box::new(FinetuneKl::fit(net, &fit, lab)?),
            Signal::InputGradient => Box::new(InputGradient { net }),
        };
        let note = monitor.note();
        let verdict = Verdict { bound: Bound::Rate(self.false_positives), fallback: self.fallback };
        let inside = Inside { monitor, ledger };
        let mut repaired = guarded(inside, suspect, (&all, &calibrate), &verdict, lab)?;
        repaired.notes.extend(note);
        if suspect.lock().is_some() {
            let said = "the net has a lock: scores read its layers, not what the lock opens to";
            repaired.notes.push(said.to_owned());
        }
        Ok(repaired)
    }
}

/// Scores row by row, so that an input's score does not depend on those beside it.
struct Inside<'a> {
    monitor: Box<dyn Monitor + 'a>,
    ledger: &'a Ledger,
}

impl Screen for Inside<'_> {
    fn suspicions(&self, xs: &Batch) -> Result<Suspicions> {
        let one = |i| self.monitor.score(&xs.select(Axis(0), &[i]), self.ledger);
        let each = (0..xs.nrows()).map(one).collect::<Result<_>>()?;
        Ok(Suspicions { each, answers: None })
    }
}
