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
use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

use super::super::least_squares::solve;
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
    Mahalanobis { mean: Array1<f64>, precision: Array2<f64> },
    Knn { points: Batch, k: usize },
}

impl Density {
    /// The mean of `xs` and the inverse of their shrunk covariance. Charges 2 N n² for products and 8n³/3 for the inverse.
    fn mahalanobis(xs: &Batch, ledger: &Ledger) -> Result<Self> {
        let (n_samples, n) = xs.dim();
        let (rows, width) = (n_samples as u64, n as u64);
        ledger.flops(2 * rows * width * width + 8 * width.pow(3) / 3)?;
        let mean = xs.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(n));
        let precision = solve(&shrunk_covariance(&(xs - &mean)), &Array2::eye(n));
        let Some(precision) = precision else {
            let why =
                "the clean samples are all the same, so nothing is unlike them by any measure";
            return Err(Error::assumption(METHOD, why));
        };
        Ok(Self::Mahalanobis { mean, precision })
    }

    fn flops(&self, n: usize) -> u64 {
        match self {
            Self::Mahalanobis { .. } => (2 * n * n + 3 * n) as u64,
            Self::Knn { points, .. } => (points.nrows() * 3 * n) as u64,
        }
    }
}

/// The covariance of centred rows, shrunk towards m I with m its mean eigenvalue (Ledoit and Wolf 2004, section 3.3).
fn shrunk_covariance(centred: &Batch) -> Array2<f64> {
    let (n_samples, n) = centred.dim();
    let (rows, width) = (n_samples as f64, n as f64);
    let sample = centred.t().dot(centred) / rows;
    let scale = sample.diag().sum() / width;
    let squares = |a: &Array2<f64>| a.iter().map(|x| x * x).sum::<f64>();
    let apart = squares(&(&sample - &(Array2::<f64>::eye(n) * scale))) / width;
    let fourth: f64 =
        centred.rows().into_iter().map(|x| x.iter().map(|x| x * x).sum::<f64>().powi(2)).sum();
    let noise = (fourth / rows - squares(&sample)) / (rows * width);
    let share = if apart > 0.0 { (noise / apart).clamp(0.0, 1.0) } else { 0.0 };
    sample * (1.0 - share) + Array2::<f64>::eye(n) * (share * scale)
}

struct Unlike<'a> {
    density: Density,
    ledger: &'a Ledger,
}

impl Screen for Unlike<'_> {
    fn suspicions(&self, xs: &Batch) -> Result<Suspicions> {
        self.ledger.flops(self.density.flops(xs.ncols()) * xs.nrows() as u64)?;
        let score = |x: ndarray::ArrayView1<'_, f64>| match &self.density {
            Density::Mahalanobis { mean, precision } => {
                let away = &x - mean;
                // Row by row, so that an input's score does not depend on those beside it.
                precision.rows().into_iter().zip(&away).map(|(p, a)| a * p.dot(&away)).sum()
            }
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
    fn the_shrunk_covariance_is_the_formulas() {
        // Rows ±(2, 0) and ±(0, 1): S = diag(2, ½), m = 5/4, d² = (¾)², b̄² = ((16 + 16 + 1 + 1)/4 − 4¼)/(4·2) = 17/32.
        let xs = ndarray::array![[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]];
        let share = (17.0 / 32.0) / (9.0 / 16.0);
        let want = |s: f64| (1.0 - share) * s + share * 1.25;
        let got = shrunk_covariance(&xs);
        assert!((got[[0, 0]] - want(2.0)).abs() < 1e-12 && (got[[1, 1]] - want(0.5)).abs() < 1e-12);
        assert!(got[[0, 1]].abs() < 1e-12);
    }

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
