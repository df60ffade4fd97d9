//! Robust means of one sample of numbers: estimators, what is proved about each, and how many values may be wrong.
//!
//! Pure mathematics: no access to anything and no meter. A caller charges [`RobustMean::flops`].
//!
//! The setting of all bounds is Huber's (Annals of Mathematical Statistics 35, 1964): values are independent draws of
//! `P = (1 − ε) U + ε Q`, where U has mean μ and support in `[μ − b, μ + b]`, and Q is arbitrary. Goldwasser, Shafer, Vafa
//! and Vaikuntanathan (STOC 2025) use the mean of medians in their local mitigator; its lemma here, in `bounds.rs`, is this
//! project's own version.
//!
//! **Values that are not numbers.** A NaN counts as +∞: an outlier like any other, and the same on every processor. An
//! estimate is finite as long as no more values are infinite than [`RobustMean::tolerates`] says; beyond that it may be
//! infinite, or NaN where infinities of both signs meet.
//!
//! **Order.** The two grouped estimators put neighbours into a group, so the values of a group should be independent: the
//! bounds do not hold for values that come sorted, or in pairs.
//!
//! ```
//! use absolve::robust::RobustMean;
//! // One of nine values is far out: it spoils the group that it is in, if that is a mean, and not if it is a median.
//! let mut values = [0.1, -0.1, 1e9, 0.0, 0.2, -0.2, 0.1, 0.0, -0.1];
//! let mean_of_medians = RobustMean::MeanOfMedians { size: 3 };
//! // Group medians 0.1, 0 and 0.
//! assert!((mean_of_medians.of(&mut values)? - 0.1 / 3.0).abs() < 1e-15);
//! # Ok::<(), absolve::error::Error>(())
//! ```
mod bounds;
mod centre;
mod influence;
mod order;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use bounds::{
    Bound, Contamination, Spread, bad_majority, bias_of_medians, group_count, group_size,
    trimmed_share, unavoidable_bias,
};
pub use centre::{Centre, Median};
pub use order::median;

use crate::error::{Error, Result};

/// What makes Huber's estimator 95% efficient on normal values (Huber, "Robust Statistics", 1981).
pub const HUBER_TUNING: f64 = 1.345;

/// An estimator of the mean of a sample, some values of which may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RobustMean {
    /// `Σ xᵢ / N`. One value breaks it.
    Mean,
    /// The middle value; of an even number, the mean of the two in the middle. It stands just under half of the values, and
    /// estimates the median of U, which on a coin is nowhere near its mean.
    Median,
    /// The mean without the `⌊share · N⌋` least and as many greatest values (Tukey 1948; Huber 1964). It stands that many.
    Trimmed {
        /// Share of the values to leave out at each end; below 1/2.
        share: f64,
    },
    /// The median of the means of consecutive groups (Nemirovsky, Yudin 1983; Jerrum, Valiant, Vazirani 1986). Made for
    /// heavy tails: one outlier spoils its group, so a constant share of outliers spoils groups of constant size.
    MedianOfMeans {
        /// Number of groups, as even in size as can be.
        groups: usize,
    },
    /// The mean of the medians of consecutive groups. Outliers spoil it only by a majority inside one group, and the mean
    /// over groups averages random errors; it estimates the mean of a group's median, not μ, unless U is symmetric.
    MeanOfMedians {
        /// Values in a group, an odd number; those left over at the end are not looked at. See [`group_size`].
        size: usize,
    },
    /// Catoni's M-estimator with the widest influence function `ψ(x) = ± ln(1 + |x| + x²/2)`, at the scale of proposition
    /// 2.4 of his paper (Annales de l'Institut Henri Poincaré 48, 2012). For heavy tails: outliers pull by their logarithm.
    Catoni {
        /// Bound on the standard deviation of the values.
        deviation: f64,
        /// Failure probability that it is tuned for; below 1.
        failure: f64,
    },
    /// Huber's M-estimator: the root of `Σ max(−c, min(c, (xᵢ − θ) / s))`, with s = 1.4826 times the median absolute
    /// deviation. Where more than half of the values are equal, s is 0 and it is the median.
    Huber {
        /// c; [`HUBER_TUNING`] is the usual one.
        tuning: f64,
    },
}

impl RobustMean {
    /// The name in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Median => "median",
            Self::Trimmed { .. } => "trimmed",
            Self::MedianOfMeans { .. } => "median of means",
            Self::MeanOfMedians { .. } => "mean of medians",
            Self::Catoni { .. } => "catoni",
            Self::Huber { .. } => "huber",
        }
    }

    /// Checks the parameters, for samples of any size.
    pub fn check(&self) -> Result<()> {
        match *self {
            Self::Mean | Self::Median => Ok(()),
            Self::Trimmed { share } if (0.0..0.5).contains(&share) => Ok(()),
            Self::Trimmed { share } => {
                let want = "a share from 0 to below 1/2 can be left out at each end";
                Err(Error::parameter("share", share, want))
            }
            Self::MedianOfMeans { groups } if groups > 0 => Ok(()),
            Self::MedianOfMeans { groups } => {
                Err(Error::parameter("groups", groups, "at least one group is needed"))
            }
            Self::MeanOfMedians { size } if size % 2 == 1 => Ok(()),
            Self::MeanOfMedians { size } => Err(Error::parameter(
                "size",
                size,
                "groups of an odd size are needed: only they have a middle value",
            )),
            Self::Catoni { deviation, .. } if !(deviation > 0.0 && deviation.is_finite()) => {
                let want = "a positive bound on the standard deviation is needed";
                Err(Error::parameter("deviation", deviation, want))
            }
            Self::Catoni { failure, .. } if failure > 0.0 && failure < 1.0 => Ok(()),
            Self::Catoni { failure, .. } => {
                let want = "a probability between 0 and 1 is needed";
                Err(Error::parameter("failure", failure, want))
            }
            Self::Huber { tuning } if tuning > 0.0 && tuning.is_finite() => Ok(()),
            Self::Huber { tuning } => {
                let want = format!("a positive number is needed; {HUBER_TUNING} is the usual one");
                Err(Error::parameter("tuning", tuning, want))
            }
        }
    }

    /// The fewest values that it can be asked of.
    pub fn fewest(&self) -> usize {
        match *self {
            Self::Mean | Self::Median | Self::Trimmed { .. } | Self::Huber { .. } => 1,
            Self::MedianOfMeans { groups } => groups,
            Self::MeanOfMedians { size } => size,
            Self::Catoni { failure, .. } => influence::fewest(failure),
        }
    }

    /// The estimate. The values come back in another order.
    ///
    /// # Errors
    /// If a parameter is out of its range, or there are fewer values than it needs.
    pub fn of(&self, values: &mut [f64]) -> Result<f64> {
        self.check()?;
        let fewest = self.fewest();
        if values.len() < fewest {
            let want = format!("the {} needs at least {fewest} values", self.name());
            return Err(Error::parameter("values", values.len(), want));
        }
        order::number(values);
        Ok(match *self {
            Self::Mean => order::mean(values),
            Self::Median => order::middle(values),
            Self::Trimmed { share } => order::trimmed(values, order::left_out(share, values.len())),
            Self::MedianOfMeans { groups } => order::median_of_means(values, groups),
            Self::MeanOfMedians { size } => order::mean_of_medians(values, size),
            Self::Catoni { deviation, failure } => influence::catoni(values, deviation, failure),
            Self::Huber { tuning } => influence::huber(values, tuning),
        })
    }

    /// How many of `n` values may be anything, wherever they stand, with the estimate still bounded: its finite-sample
    /// breakdown point is one more than this, over `n` (Donoho, Huber 1983).
    pub fn tolerates(&self, n: usize) -> usize {
        let minority = |n: usize| n.saturating_sub(1) / 2;
        match *self {
            Self::Mean | Self::Catoni { .. } => 0,
            Self::Median | Self::Huber { .. } => minority(n),
            Self::Trimmed { share } => order::left_out(share, n),
            Self::MedianOfMeans { groups } => minority(groups),
            // All in one group.
            Self::MeanOfMedians { size } => minority(size),
        }
    }

    /// Operations on `n` values, for the meter. Exact for sums; a selection is counted as 5 a value, what
    /// quickselect takes on average; M-estimators as the steps of their bisection.
    pub fn flops(&self, n: usize) -> u64 {
        let n = n as u64;
        match *self {
            Self::Mean => n,
            Self::Median => order::SELECTION * n,
            Self::Trimmed { .. } => 2 * order::SELECTION * n + n,
            Self::MedianOfMeans { groups } => n + order::SELECTION * groups as u64,
            Self::MeanOfMedians { size } => order::SELECTION * n + n / size.max(1) as u64,
            Self::Catoni { .. } => influence::catoni_flops(n),
            Self::Huber { .. } => 2 * order::SELECTION * n + influence::huber_flops(n),
        }
    }
}
