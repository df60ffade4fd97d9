//! `sampled-moments`: mean answers, their products with inputs, and the mass above a threshold, by Monte Carlo.
//!
//! The black-box arm of `propagated-moments`. Sample means of m answers to independent inputs as the domain spreads them, with
//! Student's t interval at 95%: right in the limit of many queries for answers of finite variance, and not proved for any m. The
//! mass has the exact interval of Clopper and Pearson (1934), proved for every m.
//!
//! It assumes that inputs can be drawn: how they are spread is known. Rung: answers. Cost: m queries, and for each its
//! drawing (one operation a coordinate, and what the body takes beyond), 4 operations an output (a sum, and a square for the spread),
//! with `slopes` 5 a coordinate, with a threshold one. Defeated by a backdoor of small mass and large answers: an event that no
//! query meets is in neither the mean nor the spread.
use serde::{Deserialize, Serialize};

use super::super::moments::{self, Wanted};
use super::super::{Estimated, Estimator, Interval, Quantity};
use crate::access::{Lab, Oracle};
use crate::data::stack;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;
use crate::stats::{CONFIDENCE, Proportion, mean_over_models};

/// Parameters of `sampled-moments`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SampledMoments {
    /// Queries m.
    pub queries: usize,
    /// Which moments are wanted beside the means.
    pub wanted: Wanted,
}

impl Default for SampledMoments {
    fn default() -> Self {
        Self { queries: 1000, wanted: Wanted::default() }
    }
}

impl Estimator for SampledMoments {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        if self.queries < 2 {
            let want = "at least two are needed, since one shows no spread";
            return Err(Error::parameter("queries", self.queries, want));
        }
        crate::data::check_size("queries", self.queries, world.domain.n())?;
        self.wanted.check()?;
        if matches!(world.domain, Domain::Range { .. }) {
            let why = "how the inputs are spread is not known, so none can be drawn";
            return Err(Error::assumption("sampled-moments", why));
        }
        Ok(())
    }

    fn estimate(&self, suspect: &Self::Access, lab: &mut Lab<'_>) -> Result<Estimated> {
        self.check(&lab.world)?;
        let Wanted { slopes, threshold } = self.wanted;
        let mut rng = lab.seed.stream("inputs");
        let domain = &lab.world.domain;
        let xs: Vec<Vec<f64>> =
            (0..self.queries).map(|_| domain.sample(&mut rng)).collect::<Result<_>>()?;
        let n = domain.n();
        let drawing = n as u64 + domain.body().map_or(0, |body| body.sample_flops());
        let extra = u64::from(slopes) * 5 * n as u64 + u64::from(threshold.is_some());
        let outputs = suspect.shape().outputs as u64;
        lab.ledger.flops((drawing + 4 * outputs + extra) * self.queries as u64)?;
        let xs = stack(n, xs);
        let answers = suspect.query(&xs)?;
        let first: Vec<f64> = answers.column(0).to_vec();
        let columns = answers.columns().into_iter().enumerate();
        let mut quantities: Vec<Quantity> =
            columns.map(|(k, column)| mean_of(moments::mean(k), &column.to_vec())).collect();
        if slopes {
            quantities.extend(xs.columns().into_iter().enumerate().map(|(i, column)| {
                let products: Vec<f64> = column.iter().zip(&first).map(|(x, y)| x * y).collect();
                mean_of(moments::slope(i), &products)
            }));
        }
        if let Some(t) = threshold {
            let mass = Proportion::count(first.iter().map(|y| *y > t)).estimate();
            let (value, low, high) = (mass.value, mass.low, mass.high);
            quantities.push(of(moments::above(t), (value, low, high), true));
        }
        Ok(Estimated { quantities, notes: Vec::new() })
    }
}

fn mean_of(name: String, values: &[f64]) -> Quantity {
    let mean = mean_over_models(values);
    let numbers = mean.map_or((0.0, f64::MIN, f64::MAX), |mean| (mean.value, mean.low, mean.high));
    of(name, numbers, false)
}

fn of(name: String, (value, low, high): (f64, f64, f64), proved: bool) -> Quantity {
    let interval = Interval { low, high, failure_probability: 1.0 - CONFIDENCE, proved };
    Quantity { name, value, interval: Some(interval) }
}
