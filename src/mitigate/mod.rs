//! Mitigators: ways to answer well from a model that may hold a backdoor.
//!
//! One method a file; black-box and white-box methods in two folders, and what both use beside them. No file here may
//! name an attack, a trigger, the scorer or a suspect as a whole: the tests read the source and say so.
mod affine;
mod baseline;
pub mod black_box;
mod canonical;
mod certificate;
mod covariance;
mod dictionary;
mod heavy;
mod invert;
mod least_squares;
mod local;
mod low_degree;
mod moments;
mod plan;
mod range;
mod rays;
mod repeat;
mod screen;
mod smoothed;
mod smudge;
mod soft;
mod sparse;
mod teach;
mod trial;
mod trimmed;
mod tuning;
mod univariate;
pub mod white_box;

use serde::{Deserialize, Serialize};

pub use baseline::{Learner, Nothing, Relearn};
use black_box::{
    AffineRay, CharactersGlobal, FieldCorrect, FourierGlobal, LowDegreeGlobal, PolynomialRay,
};
pub(crate) use least_squares::affine_fit;
pub use plan::{Claim, Claims, Plan};
pub(crate) use rays::delta_of;

use canonical::Canonical;
pub use certificate::Noise;
pub use screen::Fallback;
pub use smoothed::Smoothing;
pub use teach::Labels;
pub use tuning::Tuning;

use crate::access::{Access, Lab, Oracle, Owned};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::fourier::Function;
use crate::ledger::Ledger;
use crate::net::Net;
use crate::population::{Promise, World};

/// A way to answer well from a model that may hold a backdoor.
pub trait Mitigator: Send + Sync {
    /// What it may see: `dyn Oracle`, `dyn Gradients` or `dyn WhiteBox`, and nothing else fits.
    type Access: Access + ?Sized;

    /// Checks its parameters against a world, before anything is trained or asked.
    fn check(&self, world: &World) -> Result<()>;

    /// What it will do in this world and what it will claim, before anything is asked; `None` where that is not known beforehand.
    ///
    /// # Errors
    /// Where `check` would fail.
    fn plan(&self, world: &World) -> Result<Option<Plan>> {
        self.check(world).map(|()| None)
    }

    /// Prepares to answer in the suspect's stead.
    ///
    /// A global mitigator does its work here and answers from a net or function of its own; a local one keeps the
    /// suspect and queries it at every answer. Both are an [`Oracle`].
    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>>;
}

/// What the theorems here, at their defaults, assume of a suspect in `world`; none for a world that none is about.
pub fn theorems(world: &World) -> Result<Vec<Assumption>> {
    match world.promise {
        Promise::Affine { .. } if world.domain.body().is_some() => {
            Ok(AffineRay::default().assumption(world)?.into_iter().collect())
        }
        Promise::FourierHeavy { .. } => Ok(vec![FourierGlobal::default().assumption(world)?]),
        Promise::Characters { .. } => Ok(vec![match world.domain {
            Domain::Gauss { .. } | Domain::Box { .. } => {
                LowDegreeGlobal::default().assumption(world)?
            }
            _ => CharactersGlobal::default().assumption(world)?,
        }]),
        Promise::Polynomial { .. } if world.domain.body().is_some() => {
            Ok(PolynomialRay::default().assumption(world)?.into_iter().collect())
        }
        Promise::LowDegree { .. } => Ok(vec![FieldCorrect::default().assumption()]),
        Promise::Affine { .. } | Promise::Polynomial { .. } | Promise::Nothing => Ok(Vec::new()),
    }
}

/// How many clean samples to use: as many as were asked for, or all that the budget and the data allow.
pub(crate) fn n_samples(asked: Option<usize>, lab: &Lab<'_>) -> Result<usize> {
    asked.or_else(|| lab.clean.left()).ok_or_else(|| {
        let want = "neither the data nor the budget limits clean samples, so say how many to use";
        Error::parameter("samples", "not given", want)
    })
}

/// What a mitigator gives back.
pub struct Repaired<'a> {
    /// The mitigated model.
    pub oracle: Box<dyn Oracle + 'a>,
    /// What is claimed about its answers, if anything is.
    pub guarantee: Option<Guarantee>,
    /// What the claim assumes of the suspect: the scorer checks it, the mitigator cannot.
    pub assumptions: Vec<Assumption>,
    /// What is claimed of each answer, where that depends on the input; see [`Repaired::claim_at`].
    pub claims: Option<Claims<'a>>,
    /// Its own net, if it answers with one: what can be saved.
    pub net: Option<Net>,
    /// The function it recovered, if it recovers one.
    pub function: Option<Function>,
    /// Warnings and remarks.
    pub notes: Vec<String>,
    /// Where it is proved that, except with a probability, all of this is one function of the clean samples and the method's
    /// coins, the same for every suspect that meets the assumptions: that probability. So the output's law is within that total
    /// variation of a canonical one (Goldwasser et al. 2025), and two suspects with the same samples and coins give the same bits
    /// except with the sum of two such probabilities.
    pub canonical: Option<f64>,
}

impl<'a> Repaired<'a> {
    /// A mitigated model about which nothing is claimed.
    pub fn unclaimed(oracle: impl Oracle + 'a) -> Self {
        Self {
            oracle: Box::new(oracle),
            guarantee: None,
            assumptions: Vec::new(),
            claims: None,
            net: None,
            function: None,
            notes: Vec::new(),
            canonical: None,
        }
    }

    /// What is claimed of the answer at `x`: what depends on the input if anything does, else what the guarantee says of all.
    pub fn claim_at(&self, x: &[f64]) -> Option<Claim> {
        match (&self.claims, &self.guarantee) {
            (Some(claims), _) => claims(x),
            (None, Some(Guarantee { error_bar: Some(error_bar), failure_probability, .. })) => {
                Some(Claim { error_bar: *error_bar, failure_probability: *failure_probability })
            }
            (None, _) => None,
        }
    }

    /// A function that was recovered, and that answers without the suspect.
    pub fn recovered(function: impl Into<Function>, lab: &Lab<'a>) -> Self {
        let function = function.into();
        let (shape, ledger) = (lab.world.shape(), lab.ledger);
        let canonical = Canonical { function: function.clone(), shape, ledger };
        Self { function: Some(function), ..Self::unclaimed(canonical) }
    }

    /// A net of the mitigator's own, whose passes are charged to `ledger`.
    pub fn owned(net: Net, ledger: &'a Ledger) -> Self {
        Self { net: Some(net.clone()), ..Self::unclaimed(Owned { net, ledger }) }
    }
}

impl std::fmt::Debug for Repaired<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repaired")
            .field("guarantee", &self.guarantee)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

/// What a mitigator claims about its answers, given that its assumptions hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guarantee {
    /// The statement, with its source.
    pub statement: String,
    /// Largest error of an answer, where the claim is about errors.
    pub error_bar: Option<f64>,
    /// Probability that the claim fails: per answer of a local mitigator, once for all of a global one.
    pub failure_probability: f64,
}

/// What a theorem assumes of the suspect.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Assumption {
    /// Root mean square distance to the truth, after clipping answers to [−bound, bound], is at most `distance`.
    CloseInMeanSquare {
        /// The limit.
        distance: f64,
        /// Where answers are clipped.
        bound: f64,
    },
    /// The mass of inputs on which the suspect is farther than `delta` from the truth is at most `mass`.
    CloseBeyondCutoff {
        /// The cutoff.
        delta: f64,
        /// The limit.
        mass: f64,
    },
    /// The mass of inputs on which the suspect's answer is not right, as the world says what is right, is at most `mass`.
    RightBeyondMass {
        /// The limit.
        mass: f64,
    },
    /// The mass of inputs at which the suspect's gradient is farther than `distance` from the truth's, in Euclidean length, is at
    /// most `mass`. A promise about values does not imply it.
    GradientClose {
        /// The cutoff.
        distance: f64,
        /// The limit.
        mass: f64,
    },
}
