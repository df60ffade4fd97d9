//! Quantiles within a model, and means over independently trained models: the unit of analysis.
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{CONFIDENCE, Estimate, Proportion, clopper_pearson};

/// Quantiles of a set of non-negative errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// The median.
    pub median: f64,
    /// The 90% quantile.
    pub q90: f64,
    /// The 99% quantile.
    pub q99: f64,
    /// The largest.
    pub max: f64,
}

impl Quantiles {
    /// The quantiles of `values`, or `None` of none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let at = |q| quantile(&values, q);
        Some(Self { median: at(0.5), q90: at(0.9), q99: at(0.99), max: at(1.0) })
    }
}

/// The `q`-quantile of sorted values: the smallest that at least a share `q` of them does not pass.
///
/// # Panics
/// Of no values: a bug in the caller.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// The mean of one number a model, with Student's t interval over models. Of one model, the interval is the whole line.
///
/// ```
/// let mean = absolve::stats::mean_over_models(&[1.0, 2.0, 3.0]).unwrap();
/// // t quantile for 2 degrees of freedom is 4.302653; standard error is 1 / √3.
/// assert!((mean.high - (2.0 + 4.302_653 / 3.0_f64.sqrt())).abs() < 1e-5);
/// ```
pub fn mean_over_models(values: &[f64]) -> Option<Estimate> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let value = values.iter().sum::<f64>() / n;
    let half = match StudentsT::new(0.0, 1.0, n - 1.0) {
        Ok(t) if values.len() > 1 => {
            let variance = values.iter().map(|x| (x - value).powi(2)).sum::<f64>() / (n - 1.0);
            t.inverse_cdf(f64::midpoint(1.0, CONFIDENCE)) * (variance / n).sqrt()
        }
        _ => f64::INFINITY,
    };
    Some(Estimate { value, low: value - half, high: value + half })
}

/// The mean over models of one proportion a model, within [0, 1].
///
/// The interval is the union of two: Student's t over models, and Clopper-Pearson over the pooled trials, which keeps it
/// honest about the number of trials. Where all models are at 0, or all at 1, there is no spread for Student's t to see,
/// and yet a model in ten might be otherwise: there the interval is Clopper-Pearson's over *models*, the rule of three.
/// The model is the unit: a thousand inputs of ten models are ten observations of what models do.
pub fn mean_proportion_over_models(proportions: &[Proportion]) -> Option<Estimate> {
    let values: Vec<f64> = proportions.iter().map(|p| p.value()).collect();
    let over_models = mean_over_models(&values)?;
    let pooled = proportions.iter().fold(Proportion { hits: 0, of: 0 }, |sum, p| Proportion {
        hits: sum.hits + p.hits,
        of: sum.of + p.of,
    });
    let n_models = proportions.len() as u64;
    let unanimous = match pooled.hits {
        0 => Some(Proportion { hits: 0, of: n_models }),
        hits if hits == pooled.of => Some(Proportion { hits: n_models, of: n_models }),
        _ => None,
    };
    let (low, high) = if let Some(models) = unanimous {
        clopper_pearson(models, CONFIDENCE)
    } else {
        let (low, high) = clopper_pearson(pooled, CONFIDENCE);
        (low.min(over_models.low), high.max(over_models.high))
    };
    Some(Estimate { value: over_models.value, low: low.max(0.0), high: high.min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_order_statistics() {
        let q = Quantiles::of((1..=100).rev().map(f64::from).collect()).unwrap();
        assert_eq!(q, Quantiles { median: 50.0, q90: 90.0, q99: 99.0, max: 100.0 });
        assert!(Quantiles::of(vec![]).is_none());
    }

    #[test]
    fn models_that_all_agree_are_as_many_observations_as_there_are_models() {
        let same = [Proportion { hits: 100, of: 100 }; 5];
        let mean = mean_proportion_over_models(&same).unwrap();
        // No miss in 5 models, whatever the number of inputs: lower end 0.025^(1/5).
        assert!((mean.low - 0.025_f64.powf(0.2)).abs() < 1e-9, "{mean:?}");
        assert!((mean.high - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_rare_kind_of_model_is_covered_as_often_as_the_interval_says() {
        // One model in twenty is broken (1), the others are fine (0); 10 models a study. All fine with probability 0.599:
        // then the interval must hold 0.05. Exact coverage over the number of broken models.
        let (rate, n) = (0.05, 10_u64);
        let covered: f64 = (0..=n)
            .filter(|&broken| {
                let models: Vec<Proportion> = (0..n)
                    .map(|i| Proportion { hits: u64::from(i < broken) * 50, of: 50 })
                    .collect();
                let mean = mean_proportion_over_models(&models).unwrap();
                mean.low <= rate && rate <= mean.high
            })
            .map(|broken| {
                crate::stats::binomial_tail(n, rate, broken)
                    - crate::stats::binomial_tail(n, rate, broken + 1)
            })
            .sum();
        assert!(covered >= 0.95, "{covered}");
    }

    #[test]
    fn models_that_differ_widen_the_interval_beyond_their_inputs() {
        let apart = [Proportion { hits: 0, of: 1000 }, Proportion { hits: 1000, of: 1000 }];
        let mean = mean_proportion_over_models(&apart).unwrap();
        assert!(mean.low <= 0.0 && mean.high >= 1.0, "{mean:?}");
    }
}
