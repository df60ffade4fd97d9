//! `sampled-mean`: the mean answer over the domain, by Monte Carlo.
//!
//! The sample mean of m answers to independent inputs as the domain spreads them, with Student's t interval at 95%. The interval
//! is right in the limit of many queries for answers of finite variance, and not proved for any m: an event that no query
//! meets (a backdoor on a mass far below 1/m) is in neither the mean nor the spread.
//!
//! It assumes that inputs can be drawn: how they are spread is known. Rung: answers. Cost: m queries, and for each
//! its drawing (one operation a coordinate, and what the body takes beyond) and 4 operations an output (a sum, and a square for the spread). Defeated by a backdoor of small mass and large
//! answers, which makes the mean right only on average over many runs.
use serde::{Deserialize, Serialize};

use super::super::{Estimated, Estimator, Interval, Quantity};
use crate::access::{Lab, Oracle};
use crate::data::stack;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;
use crate::stats::{CONFIDENCE, mean_over_models};

/// Parameters of `sampled-mean`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SampledMean {
    /// Queries m.
    pub queries: usize,
}

impl Default for SampledMean {
    fn default() -> Self {
        Self { queries: 1000 }
    }
}

impl Estimator for SampledMean {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        if self.queries < 2 {
            let want = "at least two are needed, since one shows no spread";
            return Err(Error::parameter("queries", self.queries, want));
        }
        crate::data::check_size("queries", self.queries, world.domain.n())?;
        if matches!(world.domain, Domain::Range { .. }) {
            let why = "how the inputs are spread is not known, so none can be drawn";
            return Err(Error::assumption("sampled-mean", why));
        }
        Ok(())
    }

    fn estimate(&self, suspect: &Self::Access, lab: &mut Lab<'_>) -> Result<Estimated> {
        self.check(&lab.world)?;
        let mut rng = lab.seed.stream("inputs");
        let xs: Vec<Vec<f64>> =
            (0..self.queries).map(|_| lab.world.domain.sample(&mut rng)).collect::<Result<_>>()?;
        let n = lab.world.domain.n();
        let body = lab.world.domain.body();
        let drawing = n as u64 + body.map_or(0, |body| body.sample_flops());
        let outputs = suspect.shape().outputs as u64;
        lab.ledger.flops((drawing + 4 * outputs) * self.queries as u64)?;
        let answers = suspect.query(&stack(n, xs))?;
        let columns = answers.columns().into_iter().enumerate();
        let quantities = columns.map(|(k, column)| {
            let mean = mean_over_models(&column.to_vec());
            let (value, low, high) =
                mean.map_or((0.0, f64::MIN, f64::MAX), |mean| (mean.value, mean.low, mean.high));
            let interval =
                Interval { low, high, failure_probability: 1.0 - CONFIDENCE, proved: false };
            Quantity { name: format!("mean of output {k}"), value, interval: Some(interval) }
        });
        Ok(Estimated { quantities: quantities.collect(), notes: Vec::new() })
    }
}
