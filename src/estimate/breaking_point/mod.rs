//! Breaking points: what a mitigator's theorem assumes of a suspect, swept through its limit, with predicted and measured
//! failures.
//!
//! The suspect is an exact net of the truth with an exact adversary on it, so that on every point of the sweep the assumption
//! holds or fails by construction, not by a measurement. A *trial* is one answer of a local mitigator at a place that the
//! adversary chose, or one whole run of a global one. An answer fails if it is farther from the truth than the error bar that
//! came with it; a global run fails if the characters found are not exactly the truth's.
//!
//! Inside the limit the rate of failures may not be above what the mitigator claims. Where a bound is known beyond the limit
//! too ([`Prediction`]), no measured rate may be above it anywhere.
//!
//! A sweep is one file: another mitigator takes no code, unless it brings a new kind of prediction.
mod adversary;
mod figure;
mod spec;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use figure::figure;
pub use spec::{Adversary, Axis, Prediction, Spec};

use super::VERSION;
use crate::access::{LabSeeds, Oracle, Suspect};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::mitigate::{Assumption, Guarantee, Repaired};
use crate::net::Net;
use crate::population::{Truth, World};
use crate::registry::mitigator_named;
use crate::score::check;
use crate::stats::{Proportion, binomial_tail};
use crate::study::Model;
use adversary::Placed;

/// One value of the swept parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The value.
    pub value: f64,
    /// Where that is on the axis of what is assumed: the largest over models.
    pub at: f64,
    /// Whether the assumption holds there, for every model.
    pub inside: bool,
    /// Trials that failed.
    pub failed: Proportion,
    /// Trials without a claim: the mitigator said so itself.
    pub declined: Proportion,
    /// The failure probability that it claims; the largest over models.
    pub claimed: Option<f64>,
    /// The failure probability that is predicted for this value, an upper bound; `None` where none is known.
    pub predicted: Option<f64>,
    /// Queries an answer, or before the first of a global mitigator.
    pub queries: f64,
}

/// A sweep with all that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Swept {
    /// Version of the record.
    pub version: u32,
    /// What was swept, as it was asked for.
    pub spec: Spec,
    /// The limit of what is assumed.
    pub limit: f64,
    /// The points, in the order of the specification.
    pub points: Vec<Point>,
}

/// The largest probability of a false alarm of one point.
pub const FALSE_ALARM: f64 = 1e-6;

impl Swept {
    /// Every point whose measured rate is above its bound, in words: above what is claimed inside the limit, or above what is
    /// predicted anywhere, by a binomial test at [`FALSE_ALARM`] each.
    pub fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        for point in &self.points {
            let claimed = point.claimed.filter(|_| point.inside);
            for (what, bound) in [("claimed", claimed), ("predicted", point.predicted)] {
                let Some(bound) = bound else { continue };
                let Proportion { hits, of } = point.failed;
                if hits > 0 && binomial_tail(of, bound, hits) <= FALSE_ALARM {
                    found.push(format!(
                        "{}: {hits} of {of} failed at {} = {}, where {bound:.3e} is {what}",
                        self.spec.name,
                        self.spec.axis.name(),
                        point.at
                    ));
                }
            }
        }
        found
    }
}

/// One model at one value.
struct Trial {
    at: f64,
    limit: f64,
    failed: Proportion,
    declined: bool,
    claimed: Option<f64>,
    predicted: Option<f64>,
    queries: f64,
}

/// Runs a sweep; the same specification gives the same points at any number of threads.
pub fn sweep(asked: &Spec) -> Result<Swept> {
    let spec = asked.clone().check()?;
    let numbers = spec.first_seed..spec.first_seed + u64::from(spec.models);
    let models: Vec<Model> = numbers
        .into_par_iter()
        .map(|number| Model::compiled(&spec.task, number))
        .collect::<Result<_>>()?;
    let pairs: Vec<(f64, &Model)> = spec
        .values
        .iter()
        .flat_map(|&value| models.iter().map(move |model| (value, model)))
        .collect();
    let trials: Vec<Trial> = pairs
        .into_par_iter()
        .map(|(value, model)| run(&spec, value, model))
        .collect::<Result<_>>()?;
    let of_value = trials.chunks(models.len());
    let points = spec.values.iter().zip(of_value).map(|(&value, trials)| merge(value, trials));
    let limit = trials.first().map_or(f64::NAN, |trial| trial.limit);
    Ok(Swept { version: VERSION, limit, points: points.collect(), spec: asked.clone() })
}

fn merge(value: f64, trials: &[Trial]) -> Point {
    let most = |of: fn(&Trial) -> Option<f64>| trials.iter().filter_map(of).reduce(f64::max);
    let sum = |of: fn(&Trial) -> u64| trials.iter().map(of).sum();
    Point {
        value,
        at: most(|trial| Some(trial.at)).unwrap_or(f64::NAN),
        inside: trials.iter().all(|trial| trial.at <= trial.limit),
        failed: Proportion {
            hits: sum(|trial| trial.failed.hits),
            of: sum(|trial| trial.failed.of),
        },
        declined: Proportion::count(trials.iter().map(|trial| trial.declined)),
        claimed: most(|trial| trial.claimed),
        predicted: most(|trial| trial.predicted),
        queries: trials.iter().map(|trial| trial.queries).sum::<f64>() / trials.len() as f64,
    }
}

/// Builds the suspect, mitigates it and judges the answers.
fn run(spec: &Spec, value: f64, model: &Model) -> Result<Trial> {
    let world = model.world();
    let seed = model.seed();
    let Placed { net, inputs } = adversary::place(&spec.adversary, value, model)?;
    let method = (mitigator_named(&spec.mitigator.method)?.build)(&spec.mitigator.params)?.method;
    let suspect = Suspect::publish(net.clone(), model.task.budget);
    let seeds = LabSeeds {
        samples: seed.child("clean"),
        method: seed.child("mitigator").child(spec.mitigator.label()),
    };
    let mut lab = suspect.lab(&*model.population, &model.task.recipe, seeds);
    let repaired = method.mitigate(&suspect, &mut lab)?;
    let (at, limit) = on_axis(spec, value, (model, &net), &repaired)?;
    let before = suspect.spent().queries as f64;
    let claimed = repaired.guarantee.as_ref().map(|claim| claim.failure_probability);
    let trial = Trial {
        at,
        limit,
        failed: Proportion { hits: 0, of: 0 },
        declined: claimed.is_none(),
        claimed,
        predicted: None,
        queries: before,
    };
    let bar = repaired.guarantee.as_ref().and_then(|Guarantee { error_bar, .. }| *error_bar);
    let Some(bar) = bar else {
        return Ok(Trial { failed: judge_support(model, &repaired)?, ..trial });
    };
    let inputs = inputs.ok_or_else(|| {
        let why =
            "a local mitigator is asked where the adversary says, and this one names no inputs";
        Error::Spec { place: "adversary".to_owned(), why: why.to_owned() }
    })?;
    suspect.allow_answers(model.task.per_answer, inputs.nrows() as u64);
    let failed = judge_answers(model, &*repaired.oracle, &inputs, bar)?;
    let queries = (suspect.spent().queries as f64 - before) / inputs.nrows() as f64;
    let predicted = spec.prediction.at(value, queries, (bar, &world));
    Ok(Trial { failed, predicted, queries, ..trial })
}

/// Where a value stands on the axis, and the limit.
fn on_axis(
    spec: &Spec,
    value: f64,
    (model, net): (&Model, &Net),
    repaired: &Repaired<'_>,
) -> Result<(f64, f64)> {
    let found = repaired.assumptions.first().copied();
    match (spec.axis, found) {
        (Axis::Mass, Some(Assumption::CloseBeyondCutoff { mass, .. })) => Ok((value, mass)),
        (Axis::Cutoff, Some(Assumption::CloseBeyondCutoff { delta, .. })) => Ok((value, delta)),
        (Axis::Distance, Some(assumption @ Assumption::CloseInMeanSquare { .. })) => {
            let mut rng = model.seed().stream("distance");
            let checked = check(&assumption, net, &*model.population, &mut rng)?;
            checked.map(|checked| (checked.measured, checked.limit)).ok_or_else(|| {
                Error::assumption("breaking-point", "the distance to this truth is not known")
            })
        }
        (axis, found) => {
            let why = format!(
                "the axis is {}, and {} assumes {found:?}",
                axis.name(),
                spec.mitigator.method
            );
            Err(Error::Spec { place: "axis".to_owned(), why })
        }
    }
}

/// A global run: failed unless the characters are exactly the truth's.
fn judge_support(model: &Model, repaired: &Repaired<'_>) -> Result<Proportion> {
    let truth = model.population.truth().and_then(Truth::spectrum);
    let (Some(truth), Some(found)) = (truth, &repaired.function) else {
        let why =
            "it came with no error bar and recovered no characters, so there is nothing to judge";
        return Err(Error::assumption("breaking-point", why));
    };
    Ok(Proportion { hits: u64::from(truth.supports() != found.supports()), of: 1 })
}

/// Local answers: those beyond the bar fail.
fn judge_answers(
    model: &Model,
    oracle: &dyn Oracle,
    inputs: &Batch,
    bar: f64,
) -> Result<Proportion> {
    /// Of arithmetic, in units of the bar.
    const ROUNDING: f64 = 1e-9;
    let Some(truth) = model.population.truth() else {
        return Err(Error::assumption(
            "breaking-point",
            "the truth of this population is not known",
        ));
    };
    let (answers, want) = (oracle.query(inputs)?, truth.at(inputs));
    let off = answers.iter().zip(&want).map(|(got, want)| {
        let error = (got - want).abs();
        error.is_nan() || error > bar * (1.0 + ROUNDING)
    });
    Ok(Proportion::count(off))
}

impl Prediction {
    /// An upper bound of the failure probability of an answer at `value`, from the queries that an answer took.
    fn at(&self, value: f64, queries: f64, (bar, world): (f64, &World)) -> Option<f64> {
        let majority = |queries_each: u32, spoilt: f64| {
            let m = (queries / f64::from(queries_each)).round() as u64;
            binomial_tail(m, spoilt.clamp(0.0, 1.0), m / 2 + 1)
        };
        match *self {
            Self::Claim => None,
            Self::Majority { queries: each, share } => Some(majority(each, share * value)),
            Self::TwoPointNoise => {
                // The estimate of a ray with the nearer point at mass q is off by at most value · t₂/(t₂ − t₁), and
                // t₂/t₁ = ρ = (1 + 1/2q)^{1/n}; it is beyond the bar only if ρ < bar / (bar − value).
                let n = world.domain.n() as f64;
                let spoilt = if value >= bar {
                    1.0
                } else {
                    let from = 0.5 / ((bar / (bar - value)).powf(n) - 1.0);
                    (1.0 - 2.0 * from).max(0.0)
                };
                Some(majority(2, spoilt))
            }
        }
    }
}
