//! The table of estimators.
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Built, Params, from_params};
use crate::access::{Access, Gradients, Lab, Oracle, Suspect, WhiteBox};
use crate::error::{Error, Result};
use crate::estimator::black_box::{KinkSearch, SampledMass, SampledMoments};
use crate::estimator::white_box::{CertifiedMass, PropagatedMoments, RegionSize};
use crate::estimator::{Estimated, Estimator};
use crate::population::World;

/// All estimators, pairs side by side.
pub const ESTIMATORS: &[EstimatorEntry] = &[
    EstimatorEntry {
        name: "sampled-moments",
        summary: "mean answers, their products with inputs and the mass above a threshold, by Monte Carlo",
        source: "textbook; Student 1908, Clopper, Pearson 1934",
        scope: "every domain that can be drawn from",
        build: |params| oracle::<SampledMoments>("sampled-moments", params),
    },
    EstimatorEntry {
        name: "propagated-moments",
        summary: "the same numbers from the weights: means and covariances, layer by layer, as if sums were normal",
        source: "Wu et al. 2026 (arXiv 2605.05179), second order",
        scope: "ReLU nets under normal inputs; the cube and the box to second order; no lock",
        build: |params| white_box::<PropagatedMoments>("propagated-moments", params),
    },
    EstimatorEntry {
        name: "kink-search",
        summary: "how far the net is affine around clean inputs, by second differences of answers",
        source: "this project",
        scope: "inputs that move along lines; clean samples",
        build: |params| oracle::<KinkSearch>("kink-search", params),
    },
    EstimatorEntry {
        name: "region-size",
        summary: "how far the affine piece reaches around clean inputs, exactly",
        source: "after Hanin, Rolnick 2019; Christiano, Hilton, Lecomte, Xu 2025 for decision trees",
        scope: "as kink-search, for ReLU nets without a lock",
        build: |params| white_box::<RegionSize>("region-size", params),
    },
    EstimatorEntry {
        name: "sampled-mass",
        summary: "the mass where the suspect is far from an affine fit, bounded from random queries",
        source: "Clopper, Pearson 1934",
        scope: "every domain that can be drawn from; clean samples",
        build: |params| oracle::<SampledMass>("sampled-mass", params),
    },
    EstimatorEntry {
        name: "certified-mass",
        summary: "the same mass, bounded with certainty from the weights: branch and bound over boxes",
        source: "Zhang et al. 2018; Bunel et al. 2020; the counting of mass is this project's",
        scope: "inputs uniform on the cube, box, torus, ball or simplex, of few coordinates; no lock; clean samples",
        build: |params| white_box::<CertifiedMass>("certified-mass", params),
    },
];

/// One estimator.
#[derive(Clone, Copy, Debug)]
pub struct EstimatorEntry {
    /// Name in specifications and reports.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What it needs, in words.
    pub scope: &'static str,
    /// Makes it from parameters.
    pub build: fn(&Params) -> Result<Built<AnyEstimator>>,
}

/// An estimator on some rung of the ladder of access.
pub enum AnyEstimator {
    /// Sees answers only.
    Oracle(Box<dyn Estimator<Access = dyn Oracle>>),
    /// Sees answers and gradients.
    Gradients(Box<dyn Estimator<Access = dyn Gradients>>),
    /// Sees the net.
    WhiteBox(Box<dyn Estimator<Access = dyn WhiteBox>>),
}

impl AnyEstimator {
    /// The name of its rung.
    pub fn access(&self) -> &'static str {
        match self {
            Self::Oracle(_) => <dyn Oracle>::NAME,
            Self::Gradients(_) => <dyn Gradients>::NAME,
            Self::WhiteBox(_) => <dyn WhiteBox>::NAME,
        }
    }

    /// Checks its parameters against a world.
    pub fn check(&self, world: &World) -> Result<()> {
        match self {
            Self::Oracle(it) => it.check(world),
            Self::Gradients(it) => it.check(world),
            Self::WhiteBox(it) => it.check(world),
        }
    }

    /// Runs it with exactly the access that it names.
    pub fn estimate(&self, suspect: &Suspect, lab: &mut Lab<'_>) -> Result<Estimated> {
        match self {
            Self::Oracle(it) => it.estimate(<dyn Oracle>::of(suspect)?, lab),
            Self::Gradients(it) => it.estimate(<dyn Gradients>::of(suspect)?, lab),
            Self::WhiteBox(it) => it.estimate(<dyn WhiteBox>::of(suspect)?, lab),
        }
    }
}

impl std::fmt::Debug for AnyEstimator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AnyEstimator").field(&self.access()).finish()
    }
}

/// The estimator called `name`.
pub fn estimator_named(name: &str) -> Result<&'static EstimatorEntry> {
    let found = ESTIMATORS.iter().find(|entry| entry.name == name);
    found
        .ok_or_else(|| Error::unknown("estimator", name, ESTIMATORS.iter().map(|entry| entry.name)))
}

fn oracle<E>(name: &str, params: &Params) -> Result<Built<AnyEstimator>>
where
    E: Estimator<Access = dyn Oracle> + DeserializeOwned + Serialize + 'static,
{
    let (method, params) = from_params::<E>(name, params)?;
    Ok(Built { method: AnyEstimator::Oracle(Box::new(method)), params })
}

fn white_box<E>(name: &str, params: &Params) -> Result<Built<AnyEstimator>>
where
    E: Estimator<Access = dyn WhiteBox> + DeserializeOwned + Serialize + 'static,
{
    let (method, params) = from_params::<E>(name, params)?;
    Ok(Built { method: AnyEstimator::WhiteBox(Box::new(method)), params })
}
