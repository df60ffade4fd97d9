//! `low-density-filter`: an input that is unlike the clean samples is answered by someone else.
//!
//! This project's own, the black-box twin of pruning: a unit that clean inputs leave asleep can only be woken by an input
//! that is unlike them, so where one cannot cut the unit one can refuse the input. Two scores. `mahalanobis`: (x − m)ᵀ Σ⁻¹
//! (x − m) with mean and covariance of clean samples, shrunk towards a multiple of the identity as of Ledoit and Wolf, "A
//! well-conditioned estimator for large-dimensional covariance matrices" (J. Multivariate Analysis 2004), by the share that
//! their formula takes from the samples. `knn`: the distance to the k-th nearest clean sample, as of Ramaswamy, Rastogi and
//! Shim (SIGMOD 2000).
//!
//! Half of the clean samples are what inputs are compared with, and half set the limit, conformally (`mitigate/screen.rs`).
//! The score does not depend on the suspect at all, and a rejected input is not asked of it.
//!
//! Assumes that triggered inputs lie where clean ones do not. Where inputs are uniform on a known domain no region has less
//! density than another and the filter sees corners at most: it says so in a note. Refuses the torus and residues, where
//! the distance goes round. Cost: one query an input that is let pass and none for the others; 2n² operations an input
//! (`mahalanobis`) or 3n a sample kept (`knn`), and N n² before.
use serde::{Deserialize, Serialize};

use super::super::covariance::Gaussian;
use super::super::screen::{
    Bound, Fallback, Screen, Suspicions, Verdict, check_rate, check_samples, draw, guarded,
};
use super::super::{Mitigator, Repaired};
use crate::access::{Lab, Oracle};
use crate::data::Batch;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::population::World;

/// The name in errors.
const METHOD: &str = "low-density-filter";

/// Parameters of `low-density-filter`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LowDensityFilter {
    /// Clean samples. Not given: as many as the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// How unlike the clean samples an input is.
    pub score: Score,
    /// The k of `knn`.
    pub neighbours: usize,
    /// Rate of clean inputs that may be rejected.
    pub false_positives: f64,
    /// What answers an input that is rejected.
    pub fallback: Fallback,
}

/// How unlike the clean samples an input is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// The squared distance from their mean in units of their covariance.
    #[default]
    Mahalanobis,
    /// The distance to the k-th nearest of them.
    Knn,
}

impl Default for LowDensityFilter {
    fn default() -> Self {
        Self {
            samples: None,
            score: Score::Mahalanobis,
            neighbours: 5,
            false_positives: 0.05,
            fallback: Fallback::Relearn,
        }
    }
}

impl Mitigator for LowDensityFilter {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        check_rate(self.false_positives)?;
        check_samples(self.samples, Some(self.false_positives))?;
        if self.neighbours == 0 {
            return Err(Error::parameter("neighbours", 0, "at least one is needed"));
        }
        match world.domain {
            Domain::Torus { .. } | Domain::Residues { .. } => {
                let why = "distances on this domain go round, and its inputs are uniform: none lies where others do not";
                Err(Error::assumption(METHOD, why))
            }
            _ => Ok(()),
        }
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let (all, fit, calibrate) = draw(self.samples, lab)?;
        let density = match self.score {
            Score::Mahalanobis => Density::mahalanobis(&fit.xs, lab.ledger)?,
            Score::Knn if fit.len() < self.neighbours => {
                let want = format!("no more than the {} clean samples to compare with", fit.len());
                return Err(Error::parameter("neighbours", self.neighbours, want));
            }
            Score::Knn => Density::Knn { points: fit.xs, k: self.neighbours },
        };
        let screen = Unlike { density, ledger: lab.ledger };
        let bound = Bound::Rate(self.false_positives);
        let verdict = Verdict { bound, fallback: self.fallback };
        let mut repaired = guarded(screen, suspect, (&all, &calibrate), &verdict, lab)?;
        if !matches!(lab.world.domain, Domain::Range { .. } | Domain::Gauss { .. }) {
            repaired.notes.push(
                "inputs are uniform on their domain, so none is less likely than another: this filter sees corners at most"
                    .to_owned(),
            );
        }
        Ok(repaired)
    }
}

/// What inputs are compared with.
enum Density {
    Mahalanobis(Gaussian),
    Knn { points: Batch, k: usize },
}

impl Density {
    /// As [`Gaussian::fit`].
    fn mahalanobis(xs: &Batch, ledger: &Ledger) -> Result<Self> {
        let Some(gaussian) = Gaussian::fit(xs, ledger)? else {
            let why =
                "the clean samples are all the same, so nothing is unlike them by any measure";
            return Err(Error::assumption(METHOD, why));
        };
        Ok(Self::Mahalanobis(gaussian))
    }

    fn flops(&self, n: usize) -> u64 {
        match self {
            Self::Mahalanobis(_) => Gaussian::flops(n),
            Self::Knn { points, .. } => (points.nrows() * 3 * n) as u64,
        }
    }
}

struct Unlike<'a> {
    density: Density,
    ledger: &'a Ledger,
}

impl Screen for Unlike<'_> {
    fn suspicions(&self, xs: &Batch) -> Result<Suspicions> {
        self.ledger.flops(self.density.flops(xs.ncols()) * xs.nrows() as u64)?;
        let score = |x: ndarray::ArrayView1<'_, f64>| match &self.density {
            Density::Mahalanobis(gaussian) => gaussian.distance(&x),
            Density::Knn { points, k } => {
                let distance = |p: ndarray::ArrayView1<'_, f64>| {
                    p.iter().zip(&x).map(|(p, x)| (p - x).powi(2)).sum::<f64>().sqrt()
                };
                let mut distances: Vec<f64> = points.rows().into_iter().map(distance).collect();
                *distances.select_nth_unstable_by(k - 1, f64::total_cmp).1
            }
        };
        Ok(Suspicions { each: xs.rows().into_iter().map(score).collect(), answers: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Budget;
    use crate::rng::{Seed, normal};

    #[test]
    fn scores_of_many_samples_are_those_of_their_distribution() {
        // Independent coordinates with standard deviations 1 and 10: at (0, 10) and (1, 0) the squared distance is 1, up to
        // the error of 4,000 samples (2% for a variance) and a shrinkage that vanishes with them.
        let mut rng = Seed::new(3).stream("xs");
        let xs = Batch::from_shape_fn((4000, 2), |(_, j)| normal(&mut rng) * [1.0, 10.0][j]);
        let ledger = Ledger::new(Budget::UNLIMITED);
        let density = Density::mahalanobis(&xs, &ledger).unwrap();
        let unlike = Unlike { density, ledger: &ledger };
        let at = ndarray::array![[1.0, 0.0], [0.0, 10.0], [0.0, 0.0]];
        let got = unlike.suspicions(&at).unwrap().each;
        assert!((got[0] - 1.0).abs() < 0.2 && (got[1] - 1.0).abs() < 0.2, "{got:?}");
        assert!(got[2] < 0.01);
    }

    #[test]
    fn the_distance_to_the_third_neighbour_is_the_hands() {
        let points = ndarray::array![[0.0], [1.0], [3.0], [7.0]];
        let ledger = Ledger::new(Budget::UNLIMITED);
        let unlike = Unlike { density: Density::Knn { points, k: 3 }, ledger: &ledger };
        let got = unlike.suspicions(&ndarray::array![[0.5], [7.0]]).unwrap().each;
        assert!((got[0] - 2.5).abs() < 1e-12 && (got[1] - 6.0).abs() < 1e-12, "{got:?}");
        assert_eq!(ledger.spent().flops, 2 * 4 * 3);
    }
}
