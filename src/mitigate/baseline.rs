//! The two ends that every mitigator is compared with: leave the suspect as it is, or do without it.
use serde::{Deserialize, Serialize};

use super::dictionary::{Dictionary, Linear};
use super::least_squares::affine_fit;
use super::low_degree::{Reach, low_degree_fit};
use super::sparse::{LEAST_TO_VALIDATE, Sparse, sparse_fit};
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
    /// Largest degree of the products of coordinates that a regression is over. Not given: a promised polynomial's; for
    /// sparse regression on a promised Fourier-heavy truth 2; else 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degree: Option<usize>,
}

/// What learns afresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Learner {
    /// The learner of the class that is promised, so that nobody is compared with a straw man: least squares for an affine
    /// truth or a polynomial one, matching pursuit for a polynomial where samples are fewer than monomials, low-degree learning
    /// for a Fourier-heavy truth; the recipe where samples or memory are too few for them, and elsewhere.
    #[default]
    Auto,
    /// A net by the public recipe.
    Recipe,
    /// An affine function, or a polynomial of some degree, by least squares.
    LeastSquares,
    /// A sum of characters of low degree, each at least half of the promised τ.
    LowDegree,
    /// Few coordinates, or products of them, by the lasso; its λ by cross-validation on the clean samples.
    Lasso,
    /// Few coordinates, or products of them, by orthogonal matching pursuit; how many by cross-validation.
    MatchingPursuit,
}

impl Mitigator for Relearn {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        if self.samples == Some(0) {
            return Err(Error::parameter("samples", 0, "at least one clean sample is needed"));
        }
        match (self.learner, self.degree) {
            (Learner::LeastSquares | Learner::Lasso | Learner::MatchingPursuit, _) => {
                let degree = degree_in(self.learner, self.degree, world.promise);
                Dictionary::new(&world.domain, degree).map(drop)
            }
            (Learner::LowDegree, None)
                if !matches!(world.promise, Promise::FourierHeavy { .. }) =>
            {
                let why = "a Fourier-heavy truth is promised nowhere, so there is no τ to cut at";
                Err(Error::assumption("low-degree learning", why))
            }
            (_, Some(degree)) => {
                let want = "only least-squares, lasso and matching-pursuit are told a degree";
                Err(Error::parameter("degree", degree, want))
            }
            (_, None) => Ok(()),
        }
    }

    fn mitigate<'a>(&self, _: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        // It never looks at the suspect.
        Ok(Repaired { canonical: Some(0.0), ..self.learn(lab)? })
    }
}

impl Relearn {
    fn learn<'a>(&self, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let n_samples = n_samples(self.samples, lab)?;
        if n_samples == 0 {
            return Err(Error::parameter("samples", 0, "at least one clean sample is needed"));
        }
        let data = lab.clean.draw(n_samples)?;
        relearned(self.learner, self.degree, &data, lab)
    }
}

/// The degree of a regression: the one that was given, or promised, or the least that makes sense.
fn degree_in(learner: Learner, given: Option<usize>, promise: Promise) -> usize {
    given.unwrap_or(match promise {
        Promise::Polynomial { degree, .. } => degree as usize,
        Promise::FourierHeavy { .. } if learner != Learner::LeastSquares => 2,
        _ => 1,
    })
}

/// What `learner` makes of clean samples that are there already.
pub(super) fn relearned<'a>(
    learner: Learner,
    degree: Option<usize>,
    data: &Labeled,
    lab: &Lab<'a>,
) -> Result<Repaired<'a>> {
    let promise = lab.world.promise;
    match (learner, promise) {
        (Learner::Auto, Promise::Affine { .. }) if data.len() > lab.world.domain.n() => {
            least_squares(data, 1, lab)
        }
        (Learner::Auto, Promise::Polynomial { degree, .. }) => {
            match Dictionary::new(&lab.world.domain, degree as usize) {
                Ok(products) if data.len() > products.len() => {
                    least_squares(data, degree as usize, lab)
                }
                Ok(_) if data.len() >= LEAST_TO_VALIDATE => {
                    sparse(Sparse::MatchingPursuit, data, degree as usize, lab)
                }
                _ => recipe(data, lab),
            }
        }
        (Learner::LeastSquares, _) => least_squares(data, degree_in(learner, degree, promise), lab),
        (Learner::Lasso | Learner::MatchingPursuit, _) => {
            let method =
                if learner == Learner::Lasso { Sparse::Lasso } else { Sparse::MatchingPursuit };
            sparse(method, data, degree_in(learner, degree, promise), lab)
        }
        (Learner::Auto | Learner::LowDegree, Promise::FourierHeavy { tau, .. }) => {
            match (Reach::of(lab.world.domain.n(), tau, data.len()), learner) {
                (Some(reach), _) => low_degree(data, reach, lab),
                (None, Learner::LowDegree) => {
                    let why = format!("{} samples do not reach a coefficient of {tau}", data.len());
                    Err(Error::assumption("low-degree learning", why))
                }
                (None, _) => recipe(data, lab),
            }
        }
        (Learner::LowDegree, _) => {
            let why = "a promise of a Fourier-heavy truth is needed";
            Err(Error::assumption("low-degree learning", why))
        }
        (Learner::Auto | Learner::Recipe, _) => recipe(data, lab),
    }
}

/// A net by the public recipe.
fn recipe<'a>(data: &Labeled, lab: &Lab<'a>) -> Result<Repaired<'a>> {
    let widths = lab.recipe.widths(lab.world.shape());
    let mut init = lab.seed.stream("init");
    let start = Net::random(&widths, lab.recipe.activation, lab.recipe.precision, &mut init)?;
    let lesson = Lesson { data, target: lab.world.target, recipe: lab.recipe, seed: lab.seed };
    let net = fit(&start, lesson, lab.ledger, &mut |_| {})?.net;
    Ok(Repaired::owned(net, lab.ledger))
}

fn least_squares<'a>(data: &Labeled, degree: usize, lab: &Lab<'a>) -> Result<Repaired<'a>> {
    if degree == 1 {
        let net = affine_fit(data, lab.ledger)?;
        let notes = vec!["an affine function by least squares".to_owned()];
        return Ok(Repaired { notes, ..Repaired::owned(net, lab.ledger) });
    }
    let products = Dictionary::new(&lab.world.domain, degree)?;
    let xs = products.features(&data.xs, lab.ledger)?;
    let net = affine_fit(&Labeled { xs, ys: data.ys.clone() }, lab.ledger)?;
    let layer = &net.layers()[0];
    let terms = (0..products.len()).map(|k| (k, layer.weight.column(k).to_vec())).collect();
    let fit = Linear { constant: layer.bias.to_vec(), terms };
    let notes = vec![format!(
        "{} products of at most {degree} coordinates by least squares",
        products.len()
    )];
    Ok(Repaired { notes, ..products.repaired(fit, lab)? })
}

fn sparse<'a>(
    method: Sparse,
    data: &Labeled,
    degree: usize,
    lab: &Lab<'a>,
) -> Result<Repaired<'a>> {
    let products = Dictionary::new(&lab.world.domain, degree)?;
    let xs = products.features(&data.xs, lab.ledger)?;
    let mut folds = lab.seed.stream("folds");
    let (fit, said) = sparse_fit(method, (&xs, &data.ys), lab.ledger, &mut folds)?;
    let notes = vec![format!("{said}, of at most {degree} coordinates each")];
    Ok(Repaired { notes, ..products.repaired(fit, lab)? })
}

fn low_degree<'a>(data: &Labeled, reach: Reach, lab: &Lab<'a>) -> Result<Repaired<'a>> {
    let function = low_degree_fit(data, reach, lab.ledger)?;
    let Reach { degree, n_characters, .. } = reach;
    let notes = vec![format!(
        "{n_characters} characters of degree at most {degree} tried on clean samples"
    )];
    Ok(Repaired { notes, ..Repaired::recovered(function, lab) })
}
