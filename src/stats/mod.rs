//! Estimates with their intervals. Every interval is two-sided at 95%, unless its function is told another confidence.
mod difference;
mod gamma;
mod proportion;
mod summary;

pub use difference::{fisher_greater, holm, newcombe, wilson};
pub use gamma::{GAMMA_HALVINGS, Gamma};
pub use proportion::{Proportion, binomial_tail, clopper_pearson};
pub use summary::{
    Quantiles, mean_over_models, mean_proportion_over_models, quantile, unseen_kind,
};

use serde::{Deserialize, Serialize};

/// The confidence of every interval that is printed or recorded.
pub const CONFIDENCE: f64 = 0.95;

/// A number with the interval that says how far to trust it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Lower end of its 95% interval.
    pub low: f64,
    /// Upper end of its 95% interval.
    pub high: f64,
}
