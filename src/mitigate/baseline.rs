//! The two ends that every mitigator is compared with: leave the suspect as it is, or do without it.
use serde::{Deserialize, Serialize};

use super::least_squares::affine_fit;
use super::low_degree::{Reach, low_degree_fit};
use super::{Mitigator, Repaired, n_samples};
use crate::access::{Lab, Oracle};
use crate::data::Labeled;
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
    /// truth, low-degree learning for a Fourier-heavy one; the recipe where there are too few samples for them, and elsewhere.
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
        // It never looks at the suspect.
        Ok(Repaired { canonical: Some(0.0), ..self.learn(lab)? })
    }
}

impl Relearn {
    fn learn<'a>(&self, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let n_samples = n_samples(self.samples, lab)?;
        if n_samples == 0 {
            return Err(Error::parameter("samples", 0, "at least one clean sample is needed"));
        }
        let data = lab.clean.draw(n_samples)?;
        match (self.learner, lab.world.promise) {
            (Learner::Auto, Promise::Affine { .. }) if data.len() > lab.world.domain.n() => {
                return least_squares(&data, lab);
            }
            (Learner::LeastSquares, _) => return least_squares(&data, lab),
            (Learner::Auto | Learner::LowDegree, Promise::FourierHeavy { tau, .. }) => {
                let reach = Reach::of(lab.world.domain.n(), tau, data.len());
                match (reach, self.learner) {
                    (Some(reach), _) => return low_degree(&data, reach, lab),
                    (None, Learner::LowDegree) => {
                        let why =
                            format!("{} samples do not reach a coefficient of {tau}", data.len());
                        return Err(Error::assumption("low-degree learning", why));
                    }
                    (None, _) => {}
                }
            }
            (Learner::LowDegree, _) => {
                let why = "a promise of a Fourier-heavy truth is needed";
                return Err(Error::assumption("low-degree learning", why));
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

fn least_squares<'a>(data: &Labeled, lab: &Lab<'a>) -> Result<Repaired<'a>> {
    let net = affine_fit(data, lab.ledger)?;
    let notes = vec!["an affine function by least squares".to_owned()];
    Ok(Repaired { notes, ..Repaired::owned(net, lab.ledger) })
}

fn low_degree<'a>(data: &Labeled, reach: Reach, lab: &Lab<'a>) -> Result<Repaired<'a>> {
    let function = low_degree_fit(data, reach, lab.ledger)?;
    let Reach { degree, n_characters, .. } = reach;
    let notes = vec![format!(
        "{n_characters} characters of degree at most {degree} tried on clean samples"
    )];
    Ok(Repaired { notes, ..Repaired::recovered(function, lab) })
}
