//! Robust means under contamination: errors of each, how often they leave the bar, and what was predicted.
//!
//! The claim that this measures is one of Goldwasser, Shafer, Vafa and Vaikuntanathan (STOC 2025): under a constant share
//! of unbounded outliers, as in ⅔ U + ⅓ Q, the median of means fails and the mean of medians holds. It also measures where
//! the mean of medians does not hold: groups too small for the share (a bad majority in one of them), outliers on one side
//! (a bias up to that of every method, ε/(1 − ε) bars), skewed good values (it estimates the mean of a group's median).
//!
//! *Tuned* estimators know ε and choose their parameter for a failure probability; the others are fixed. A median of means
//! that knows ε takes so many groups that it turns into the median: it then holds where the median does.
mod figure;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use figure::figure;

use super::{Law, Outliers, VERSION};
use crate::error::{Error, Result};
use crate::rng::{RngExt, Seed};
use crate::robust::{
    Contamination, HUBER_TUNING, RobustMean, group_count, group_size, trimmed_share,
};
use crate::stats::{Proportion, binomial_tail};

/// Most draws of a run: minutes of work.
const MOST_DRAWS: f64 = 1e10;

/// What is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Laws of the good values.
    pub laws: Vec<Law>,
    /// Places of the outliers.
    pub outliers: Vec<Outliers>,
    /// Shares ε of outliers, each below 1/2.
    pub shares: Vec<f64>,
    /// Values in a sample.
    pub n: usize,
    /// Samples of each kind.
    pub repetitions: u32,
    /// Failure probability η that tuned estimators aim at, and that bounds are for.
    pub failure: f64,
    /// Where all randomness comes from.
    pub seed: u64,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            laws: vec![Law::Uniform, Law::Coin, Law::Bernoulli, Law::Exponential],
            outliers: Outliers::ALL.map(|(_, outliers)| outliers).to_vec(),
            shares: vec![0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 1.0 / 3.0, 0.4],
            n: 3000,
            repetitions: 200,
            failure: 1e-6,
            seed: 1,
        }
    }
}

/// One estimator on one kind of sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Law of the good values.
    pub law: Law,
    /// Place of the outliers.
    pub outliers: Outliers,
    /// Share ε of outliers.
    pub share: f64,
    /// Name of the estimator in this experiment.
    pub name: String,
    /// The estimator with its parameters.
    pub estimator: RobustMean,
    /// Root mean square error, in bars.
    pub rms: f64,
    /// Mean error, in bars.
    pub bias: f64,
    /// The bias that outliers and groups give, where it is known: E[median of a group, clipped to the bar].
    pub predicted_bias: Option<f64>,
    /// Samples with an error of over one bar.
    pub outside: Proportion,
    /// The probability of that, where it is known.
    pub predicted_outside: Option<f64>,
    /// The bound that is proved for failure probability η, in bars.
    pub bound: Option<f64>,
    /// Samples with an error beyond that bound.
    pub beyond: Option<Proportion>,
}

/// All cells of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Version of the record.
    pub version: u32,
    /// What was measured.
    pub spec: Spec,
    /// The cells, by law, place, share and estimator.
    pub cells: Vec<Cell>,
}

/// The fixed estimators, whose failures the lower panels of the figure show.
const FIXED: [RobustMean; 6] = [
    RobustMean::MedianOfMeans { groups: 55 },
    RobustMean::MedianOfMeans { groups: 301 },
    RobustMean::MeanOfMedians { size: 3 },
    RobustMean::MeanOfMedians { size: 9 },
    RobustMean::MeanOfMedians { size: 31 },
    RobustMean::MeanOfMedians { size: 101 },
];

/// The name of the fixed ones.
fn fixed_name(estimator: RobustMean) -> String {
    match estimator {
        RobustMean::MedianOfMeans { groups } => format!("median of means, {groups} groups"),
        RobustMean::MeanOfMedians { size } => format!("mean of medians, groups of {size}"),
        other => other.name().to_owned(),
    }
}

/// Every estimator that is tried at a share of outliers; a tuned one that no parameter helps is left out.
fn estimators(spec: &Spec, share: f64) -> Vec<(String, RobustMean)> {
    let Spec { n, failure, .. } = *spec;
    let tuned = |estimator: RobustMean| (format!("{}, tuned", estimator.name()), estimator);
    let plain = |estimator: RobustMean| (fixed_name(estimator), estimator);
    let mut all = vec![plain(RobustMean::Mean), plain(RobustMean::Median)];
    let groups = group_count(n, share, failure).map(|groups| RobustMean::MedianOfMeans { groups });
    let size = group_size(n, share, failure).map(|size| RobustMean::MeanOfMedians { size });
    // Half of the failure probability is for outliers, the rest for the bound's random part.
    let trimmed = trimmed_share(n, share, failure / 2.0).map(|share| RobustMean::Trimmed { share });
    all.extend([groups, size, trimmed].into_iter().flatten().map(tuned));
    all.push(plain(RobustMean::Huber { tuning: HUBER_TUNING }));
    all.push(plain(RobustMean::Catoni { deviation: 1.0, failure }));
    all.extend(FIXED.map(plain));
    all.retain(|(_, estimator)| estimator.fewest() <= n);
    all
}

impl Spec {
    /// Checks every parameter.
    pub fn check(&self) -> Result<()> {
        let shares = self.shares.iter().find(|share| !(0.0..0.5).contains(*share));
        if let Some(share) = shares {
            let want = "a share of outliers from 0 to below 1/2 is needed";
            return Err(Error::parameter("share", share, want));
        }
        if !(self.failure > 0.0 && self.failure < 1.0) {
            let want = "a probability between 0 and 1 is needed";
            return Err(Error::parameter("failure", self.failure, want));
        }
        if self.laws.is_empty() || self.outliers.is_empty() || self.shares.is_empty() {
            let want = "at least one law, one place of outliers and one share are needed";
            return Err(Error::parameter("law", self.laws.len(), want));
        }
        if self.n == 0 || self.repetitions == 0 {
            let want = "at least one value and one repetition are needed";
            return Err(Error::parameter("n", self.n, want));
        }
        let kinds = self.laws.len() * self.outliers.len() * self.shares.len();
        let draws = self.n as f64 * f64::from(self.repetitions) * kinds as f64;
        if draws > MOST_DRAWS {
            let want = format!("{draws:.1e} draws in all, and {MOST_DRAWS:.0e} are the most");
            return Err(Error::parameter("n", self.n, want));
        }
        Ok(())
    }
}

/// Measures every cell; the same specification gives the same cells at any number of threads.
pub fn measure(spec: &Spec) -> Result<Measured> {
    spec.check()?;
    let mut kinds = Vec::new();
    for &law in &spec.laws {
        for &outliers in &spec.outliers {
            kinds.extend(spec.shares.iter().map(|&share| (law, outliers, share)));
        }
    }
    let cells: Result<Vec<Vec<Cell>>> =
        kinds.into_par_iter().map(|kind| measure_kind(spec, kind)).collect();
    Ok(Measured { version: VERSION, spec: spec.clone(), cells: cells?.concat() })
}

/// All estimators on the same samples of one kind.
fn measure_kind(spec: &Spec, (law, outliers, share): (Law, Outliers, f64)) -> Result<Vec<Cell>> {
    let seed = Seed::new(spec.seed).child(law.name()).child(outliers.name());
    let mut rng = seed.stream(&format!("{share}"));
    let all = estimators(spec, share);
    let mut errors: Vec<Vec<f64>> = vec![Vec::new(); all.len()];
    let mut values = vec![0.0; spec.n];
    for _ in 0..spec.repetitions {
        let sample: Vec<f64> = (0..spec.n)
            .map(|_| {
                let outlier = rng.random::<f64>() < share;
                if outlier { outliers.draw(&mut rng) } else { law.draw(&mut rng) }
            })
            .collect();
        for ((_, estimator), errors) in all.iter().zip(&mut errors) {
            values.copy_from_slice(&sample);
            errors.push(estimator.of(&mut values)?);
        }
    }
    Ok(all
        .into_iter()
        .zip(errors)
        .map(|((name, estimator), errors)| {
            let m = errors.len() as f64;
            let setting = Contamination {
                n: spec.n,
                share,
                half_width: 1.0,
                spread: law.spread(),
                failure: spec.failure,
            };
            let bound = estimator.bound(&setting).map(|bound| bound.error);
            // Rounding of a mean of values of about 1.
            let over = |limit: f64| errors.iter().map(move |e| e.abs() > limit + 1e-9);
            Cell {
                rms: (errors.iter().map(|e| e * e).sum::<f64>() / m).sqrt(),
                bias: errors.iter().sum::<f64>() / m,
                predicted_bias: predicted_bias(estimator, (law, outliers, share)),
                outside: Proportion::count(over(1.0)),
                predicted_outside: predicted_outside(estimator, spec.n, (outliers, share)),
                bound,
                beyond: bound.map(|bound| Proportion::count(over(bound))),
                law,
                outliers,
                share,
                name,
                estimator,
            }
        })
        .collect())
}

/// The probability that an estimate leaves the bar, where it is known exactly: outliers are all far out on one side, or none
/// is outside the bar. Huber's estimator may leave it a little with a minority of outliers, Catoni's with any.
fn predicted_outside(
    estimator: RobustMean,
    n: usize,
    (outliers, share): (Outliers, f64),
) -> Option<f64> {
    match (outliers, estimator) {
        (Outliers::Edge, RobustMean::Catoni { .. } | RobustMean::Huber { .. }) => None,
        (Outliers::Edge, _) => Some(0.0),
        (Outliers::FarTwoSided, _) if share > 0.0 => None,
        (_, RobustMean::Huber { .. }) => None,
        _ => estimator.spoilt(n, share),
    }
}

/// E[median of a group, clipped to the bar] = 1 − ∫ P[median ≤ x] dx over the bar, by the midpoint rule; of a mean of
/// medians only.
fn predicted_bias(
    estimator: RobustMean,
    (law, outliers, share): (Law, Outliers, f64),
) -> Option<f64> {
    /// The laws jump at most once inside the bar, so the integral is right to half a step.
    const N_STEPS: u32 = 4000;
    let RobustMean::MeanOfMedians { size } = estimator else { return None };
    let m = size as u64;
    let at = |i: u32| 2.0 * (f64::from(i) + 0.5) / f64::from(N_STEPS) - 1.0;
    let below = |i: u32| {
        let p = (1.0 - share) * law.at_most(at(i)) + share * outliers.below();
        binomial_tail(m, p, m.div_ceil(2))
    };
    Some(1.0 - (0..N_STEPS).map(below).sum::<f64>() * 2.0 / f64::from(N_STEPS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicted_biases_are_the_closed_forms() {
        let of = |size, law, outliers, share| {
            predicted_bias(RobustMean::MeanOfMedians { size }, (law, outliers, share)).unwrap()
        };
        // Symmetric values and outliers: none. Single values: ε for outliers at 1, or clipped to it.
        assert!(of(9, Law::Uniform, Outliers::FarTwoSided, 0.2).abs() < 1e-9);
        assert!((of(1, Law::Coin, Outliers::Edge, 0.2) - 0.2).abs() < 1e-9);
        // Coins in threes with outliers above: P[at most one of three is −1] with p = (1 − ε)/2 = 0.4 for −1 is
        // 1 − 3 p² (1 − p) − p³ = 0.648, so the mean is 2 · 0.648 − 1.
        assert!((of(3, Law::Coin, Outliers::Far, 0.2) - 0.296).abs() < 1e-9);
        // Bernoulli(0.1) in threes: at least two ones with 0.028: (10/9) 0.028 − 1/9.
        let want = 0.028 * 10.0 / 9.0 - 1.0 / 9.0;
        assert!((of(3, Law::Bernoulli, Outliers::Far, 0.0) - want).abs() < 5e-4);
    }

    #[test]
    fn the_same_specification_gives_the_same_cells_and_other_kinds_do_not_change_them() {
        let spec = Spec { n: 101, repetitions: 5, shares: vec![0.1], ..Spec::default() };
        let all = measure(&spec).unwrap();
        assert_eq!(all, measure(&spec).unwrap());
        let one = Spec { laws: vec![Law::Coin], outliers: vec![Outliers::Edge], ..spec };
        for cell in measure(&one).unwrap().cells {
            assert!(all.cells.contains(&cell), "{cell:?}");
        }
    }
}
