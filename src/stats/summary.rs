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
/// honest where all models agree and t has no spread to see. It is about models like those that were trained. A kind of
/// model that none of them is of is another matter: [`unseen_kind`] says how frequent that may still be.
pub fn mean_proportion_over_models(proportions: &[Proportion]) -> Option<Estimate> {
    let values: Vec<f64> = proportions.iter().map(|p| p.value()).collect();
    let over_models = mean_over_models(&values)?;
    let pooled = proportions.iter().fold(Proportion { hits: 0, of: 0 }, |sum, p| Proportion {
        hits: sum.hits + p.hits,
        of: sum.of + p.of,
    });
    let (low, high) = clopper_pearson(pooled, CONFIDENCE);
    Some(Estimate {
        value: over_models.value,
        low: low.min(over_models.low).max(0.0),
        high: high.max(over_models.high).min(1.0),
    })
}

/// The largest share that a kind of model may have of which none of `n_models` was one: the upper end of Clopper and
/// Pearson's interval for 0 of `n_models`, about 3.7 / n (the rule of three, two-sided).
///
/// ```
/// // 0.025^(1/20) = 0.8316.
/// assert!((absolve::stats::unseen_kind(20) - 0.168_43).abs() < 1e-5);
/// ```
pub fn unseen_kind(n_models: u64) -> f64 {
    clopper_pearson(Proportion { hits: 0, of: n_models }, CONFIDENCE).1
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
    fn models_that_all_agree_still_have_an_interval() {
        let same = [Proportion { hits: 100, of: 100 }; 5];
        let mean = mean_proportion_over_models(&same).unwrap();
        // No miss in 500 trials: lower end 0.025^(1/500).
        assert!((mean.low - 0.025_f64.powf(1.0 / 500.0)).abs() < 1e-9, "{mean:?}");
        assert!((mean.high - 1.0).abs() < 1e-12);
    }

    #[test]
    fn models_that_differ_widen_the_interval_beyond_their_inputs() {
        let apart = [Proportion { hits: 0, of: 1000 }, Proportion { hits: 1000, of: 1000 }];
        let mean = mean_proportion_over_models(&apart).unwrap();
        assert!(mean.low <= 0.0 && mean.high >= 1.0, "{mean:?}");
    }
}
