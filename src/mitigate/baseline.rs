//! The two ends that every mitigator is compared with: leave the suspect as it is, or do without it.
use serde::{Deserialize, Serialize};

use super::least_squares::affine_fit;
use super::low_degree::{degree_for, low_degree_fit};
use super::{Mitigator, Repaired, n_samples};
use crate::access::{Lab, Oracle};
use crate::error::{Error, Result};
use crate::net::{Lesson, Net, fit};
use crate::population::{Promise, World};

/// Answers what the suspect answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nothing {}

impl Mitigator for Nothing {
    type Access = dyn Oracle;

    fn check(&self, _: &World) -> Result<()> {
        Ok(())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, _: &mut Lab<'a>) -> Result<Repaired<'a>> {
        Ok(Repaired::unclaimed(suspect))
    }
}

/// Ignores the suspect and learns afresh from clean samples: the trivial mitigator of Goldwasser et al. (2025), whose output
/// cannot depend on a backdoor. A method counts only where it beats this one in samples, queries or work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Relearn {
    /// Clean samples to learn from. Not given: as many as the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// What learns.
    pub learner: Learner,
}

/// What learns afresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Learner {
    /// The learner of the class that is promised, so that nobody is compared with a straw man: least squares for an affine
    /// truth, low-degree learning for a Fourier-heavy one; else the recipe.
    #[default]
    Auto,
    /// A net by the public recipe.
    Recipe,
    /// An affine function by least squares.
    LeastSquares,
    /// A sum of characters of low degree, each at least half of the promised τ.
    LowDegree,
}

impl Mitigator for Relearn {
    type Access = dyn Oracle;

    fn check(&self, _: &World) -> Result<()> {
        match self.samples {
            Some(0) => Err(Error::parameter("samples", 0, "at least one clean sample is needed")),
            _ => Ok(()),
        }
    }

    fn mitigate<'a>(&self, _: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let n_samples = n_samples(self.samples, lab)?;
        if n_samples == 0 {
            return Err(Error::parameter("samples", 0, "at least one clean sample is needed"));
        }
        let data = lab.clean.draw(n_samples)?;
        match (self.learner, lab.world.promise) {
            (Learner::Auto, Promise::Affine { .. }) | (Learner::LeastSquares, _) => {
                let net = affine_fit(&data, lab.ledger)?;
                let notes = vec!["an affine function by least squares".to_owned()];
                return Ok(Repaired { notes, ..Repaired::owned(net, lab.ledger) });
            }
            (Learner::Auto | Learner::LowDegree, Promise::FourierHeavy { tau, .. }) => {
                let function = low_degree_fit(&data, tau, lab.ledger)?;
                let (degree, n_characters) = degree_for(lab.world.domain.n());
                let notes = vec![format!(
                    "{n_characters} characters of degree at most {degree} tried on clean samples"
                )];
                return Ok(Repaired { notes, ..Repaired::recovered(function, lab) });
            }
            (Learner::LowDegree, _) => {
                let why = "low-degree learning needs a promise of a Fourier-heavy truth";
                return Err(Error::assumption("relearn", why));
            }
            (Learner::Auto | Learner::Recipe, _) => {}
        }
        let widths = lab.recipe.widths(lab.world.shape());
        let mut init = lab.seed.stream("init");
        let start = Net::random(&widths, lab.recipe.activation, lab.recipe.precision, &mut init)?;
        let lesson =
            Lesson { data: &data, target: lab.world.target, recipe: lab.recipe, seed: lab.seed };
        let net = fit(&start, lesson, lab.ledger, &mut |_| {})?.net;
        Ok(Repaired::owned(net, lab.ledger))
    }
}
