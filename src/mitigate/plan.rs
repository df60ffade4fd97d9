//! What a mitigator will do and claim, as far as that is known before anything is asked, and what it claims of one answer.
//!
//! A local mitigator is repeated until its failure probability is as small as was asked for, or as small as the queries
//! allow. How often that is follows from its parameters and the public world alone, so it can be said beforehand:
//! `absolve mitigate` prints it before it runs.
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a mitigator will do, as far as it is known before anything is asked.
///
/// ```
/// use absolve::mitigate::Plan;
/// let plan = Plan {
///     steps: "the median of 21 rays".to_owned(),
///     queries: 42,
///     failure_probability: Some(1e-3),
///     ..Plan::default()
/// };
/// assert_eq!(plan.to_string(), "42 queries an answer: the median of 21 rays; an answer fails with probability at most 1.00e-3");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What an answer is made of, in words: "the median of 21 rays of 2 queries".
    pub steps: String,
    /// Queries before the first answer.
    pub prepare_queries: u64,
    /// Queries an answer, exactly.
    pub queries: u64,
    /// Probability that an answer's claim fails, at most; `None` where nothing is claimed.
    pub failure_probability: Option<f64>,
    /// Error bar of an answer, where it is the same for all inputs and δ is known.
    pub error_bar: Option<f64>,
    /// How many times larger than the suspect's errors off the bad mass an answer's may be, where that is the same for all inputs.
    pub amplification: Option<f64>,
    /// What holds besides if the errors of good estimates are symmetric around 0, for methods that gain by it.
    pub if_symmetric: Option<Claim>,
    /// Largest total variation between an answer's laws on two suspects that both satisfy the assumption, where it is bounded.
    pub total_variation: Option<f64>,
}

/// What is claimed of one answer: it is within `error_bar` of the truth, except with `failure_probability` over the method's coins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Largest error.
    pub error_bar: f64,
    /// Probability of a larger one, at most.
    pub failure_probability: f64,
}

/// What is claimed of the answer at an input, for methods whose claim depends on the input; `None` where nothing is.
pub type Claims<'a> = Box<dyn Fn(&[f64]) -> Option<Claim> + Send + Sync + 'a>;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prepare_queries > 0 {
            write!(f, "{} queries to prepare, ", self.prepare_queries)?;
        }
        write!(f, "{} queries an answer: {}", self.queries, self.steps)?;
        if let Some(failure) = self.failure_probability {
            write!(f, "; an answer fails with probability at most {failure:.2e}")?;
        }
        match (self.error_bar, self.amplification) {
            (Some(bar), Some(times)) => write!(f, "; error bar {bar:.4} = {times:.2} δ")?,
            (Some(bar), None) => write!(f, "; error bar {bar:.4}")?,
            (None, Some(times)) => write!(f, "; error bar {times:.2} δ, and δ is not known")?,
            (None, None) => {}
        }
        if let Some(Claim { error_bar, failure_probability }) = self.if_symmetric {
            write!(
                f,
                "; if errors are symmetric, within {error_bar:.4} except with probability {failure_probability:.2e}"
            )?;
        }
        if let Some(distance) = self.total_variation {
            write!(
                f,
                "; answers on any two such suspects are within {distance:.2e} in total variation"
            )?;
        }
        Ok(())
    }
}
