//! How far apart two laws are at least, and at most, from runs on either side: no law is assumed, and limits are exact.
//!
//! **At least.** A rule that is fixed beforehand and says "planted" with probability a on one side and b on the other shows
//! that the total variation distance is at least a − b. Each rule here is learnt on the runs of even number, so on those of odd
//! number it is fixed, and its hits are binomial. The limit is the lower one of a less the upper one of b, each by Clopper and
//! Pearson at α/2; it is above the distance with probability at most α, at any number of runs.
//!
//! **At most.** Runs on both nets with the same samples and coins are a coupling of the two laws, so the distance is at most the
//! probability that their outputs differ. Coupled runs that differ are binomial: Clopper and Pearson again.
use serde::Serialize;

use super::observe::Look;
use crate::game::judge::Judge;
use crate::stats::{Proportion, clopper_pearson};

/// What a distinguisher of outputs looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    /// The set of characters of a recovered function.
    Support,
    /// All bits.
    Bits,
    /// Numbers.
    Numbers,
}

/// Every distinguisher of outputs: its name, what it looks at, how it learns.
const READERS: [(&str, Sees, Judge); 5] = [
    ("support", Sees::Support, Judge::Atoms),
    ("bits", Sees::Bits, Judge::Atoms),
    ("threshold", Sees::Numbers, Judge::Threshold),
    ("histogram", Sees::Numbers, Judge::Histogram),
    ("logistic", Sees::Numbers, Judge::Logistic),
];

/// How many distinguishers there are: limits hold for so many at once.
pub const N_READERS: usize = READERS.len();

/// What one distinguisher shows of one output or answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Its name.
    pub distinguisher: &'static str,
    /// Scored runs on the planted net that it called planted.
    pub tpr: Proportion,
    /// Scored runs on the clean net that it called planted.
    pub fpr: Proportion,
    /// Lower limit of the total variation distance, at the confidence that holds for all of the game at once.
    pub at_least: f64,
}

impl Verdict {
    /// True minus false positive rate: on average no more than the total variation distance.
    pub fn advantage(&self) -> f64 {
        self.tpr.value() - self.fpr.value()
    }

    /// The lower limit that is above the distance with probability at most `alpha`.
    pub fn at_least(&self, alpha: f64) -> f64 {
        lower(self.tpr, alpha / 2.0) - upper(self.fpr, alpha / 2.0)
    }
}

/// Lets every distinguisher that has something to look at learn and tell; each limit errs with probability at most `alpha`.
pub(super) fn tell(clean: &[Look], planted: &[Look], alpha: f64) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (distinguisher, sees, judge) in READERS {
        let row = |look: &Look| match sees {
            Sees::Support => look.support.map_or(vec![-1.0], |support| vec![support]),
            Sees::Bits => vec![look.bits],
            Sees::Numbers => look.numbers.clone(),
        };
        let both = || clean.iter().chain(planted);
        if sees == Sees::Support && both().all(|look| look.support.is_none()) {
            continue;
        }
        let sides = [clean, planted].map(|side| side.iter().map(row).collect::<Vec<_>>());
        let half = |side: usize, which: usize| -> Vec<&[f64]> {
            sides[side].iter().skip(which).step_by(2).map(Vec::as_slice).collect()
        };
        let rule = judge.learn(&half(0, 0), &half(1, 0));
        let [tpr, fpr] = rule.score(&half(0, 1), &half(1, 1));
        let mut verdict = Verdict { distinguisher, tpr, fpr, at_least: 0.0 };
        verdict.at_least = verdict.at_least(alpha).max(0.0);
        verdicts.push(verdict);
    }
    verdicts
}

/// The lower limit of Clopper and Pearson that is above the truth with probability at most `alpha`.
pub(super) fn lower(p: Proportion, alpha: f64) -> f64 {
    clopper_pearson(p, 1.0 - 2.0 * alpha).0
}

/// The upper limit of Clopper and Pearson that is below the truth with probability at most `alpha`.
pub(super) fn upper(p: Proportion, alpha: f64) -> f64 {
    clopper_pearson(p, 1.0 - 2.0 * alpha).1
}
