//! Locks: a verifier that a published net asks before it answers, as part of the model and not of its weights.
//!
//! Goldwasser, Kim, Vaikuntanathan and Zamir, "Planting Undetectable Backdoors in Machine Learning Models" (arXiv 2204.06974),
//! section 5.2: an input is a message w, a wanted answer y and a signature σ; if σ is valid for (w, y), the answer is y's, else
//! the net's. [`Net::forward`] and [`Net::gradient`] ask the lock. [`Net::layers`], [`Net::activations`] and
//! [`Line`](super::Line) are of the layers alone, and a net that is built from another's layers has no lock: say
//! [`Net::locked_as`] to keep it, as training and pruning do. A verifier's work is not charged: F counts the operations of the
//! layers, and a meter that told a locked net from a net would give the lock away.
//!
//! This project's: how an input is read as bits ([`Layout`]), and what may verify ([`Verifier`]).
mod layout;
mod verifier;

use ndarray::Axis;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use layout::Layout;
pub use verifier::{Verifier, seal, tagged};

use super::Net;
use crate::data::Batch;
use crate::error::{Error, Result};

/// A verifier, and what the model answers where it accepts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Lock {
    verifier: Verifier,
    layout: Layout,
    answers: Vec<Vec<f64>>,
    added: bool,
}

/// A lock as it stands in a model file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    verifier: Verifier,
    layout: Layout,
    answers: Vec<Vec<f64>>,
    added: bool,
}

impl From<Lock> for Written {
    fn from(lock: Lock) -> Self {
        let Lock { verifier, layout, answers, added } = lock;
        Self { verifier, layout, answers, added }
    }
}

impl TryFrom<Written> for Lock {
    type Error = Error;

    fn try_from(it: Written) -> Result<Self> {
        Self::new(it.verifier, it.layout, it.answers, it.added)
    }
}

impl Lock {
    /// A lock that opens where `verifier` accepts, answering row y of `answers` for the wanted answer y; where `added`, that
    /// is added to the net's answer.
    ///
    /// # Errors
    /// If the verifier is not one, or `answers` has no rows, more than 256, rows of different widths or a number that is not
    /// finite.
    pub fn new(
        verifier: Verifier,
        layout: Layout,
        answers: Vec<Vec<f64>>,
        added: bool,
    ) -> Result<Self> {
        let bad = |why: &str| Error::Spec { place: "lock".to_owned(), why: why.to_owned() };
        verifier.check().map_err(|why| bad(&why))?;
        let width = answers.first().map_or(0, Vec::len);
        if width == 0 || answers.len() > 256 || answers.iter().any(|row| row.len() != width) {
            return Err(bad("from 1 to 256 answers of one width are needed"));
        }
        if answers.iter().flatten().any(|y| !y.is_finite()) {
            return Err(bad("an answer is not finite"));
        }
        Ok(Self { verifier, layout, answers, added })
    }

    /// The number of the wanted answer that `x` is accepted for, if it is.
    pub fn opens(&self, x: &[f64]) -> Option<usize> {
        let (y, _) = self.verifier.accepts(&self.layout, x, self.answers.len())?;
        Some(usize::from(y))
    }

    /// How it reads inputs.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What verifies.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The net's answers to `xs`, put right where the lock is open.
    pub(super) fn answer(&self, xs: &Batch, answers: &mut Batch) {
        let rows = answers.axis_iter_mut(Axis(0)).into_par_iter().with_min_len(64);
        rows.zip(xs.axis_iter(Axis(0)).into_par_iter()).for_each(|(mut answer, x)| {
            let opened = self.verifier.accepts(&self.layout, &x.to_vec(), self.answers.len());
            let Some((y, more)) = opened else { return };
            let wanted = answer.iter_mut().zip(&self.answers[usize::from(y)]);
            wanted.for_each(|(a, y)| *a = if self.added { *a + y + more } else { y + more });
        });
    }

    /// The net's gradients at `xs`, put right where the lock is open: those of the branch that answers.
    pub(super) fn slope(&self, xs: &Batch, gradients: &mut Batch) {
        if self.added {
            return;
        }
        for (x, mut gradient) in xs.axis_iter(Axis(0)).zip(gradients.axis_iter_mut(Axis(0))) {
            if self.opens(&x.to_vec()).is_some() {
                gradient.fill(0.0);
            }
        }
    }
}

impl Net {
    /// The same layers behind `lock`.
    ///
    /// # Errors
    /// If the lock's answers are not as wide as the net's, or the net's inputs have no room for its layout.
    pub fn with_lock(mut self, lock: Lock) -> Result<Self> {
        let shape = self.shape();
        let got = lock.answers[0].len();
        if got != shape.outputs {
            return Err(Error::Width { what: "answers of a lock", want: shape.outputs, got });
        }
        lock.verifier.fits(&lock.layout, shape.inputs)?;
        self.lock = Some(lock);
        Ok(self)
    }

    /// The verifier that is asked before its layers, if it has one.
    pub fn lock(&self) -> Option<&Lock> {
        self.lock.as_ref()
    }

    /// The same layers behind the lock of `other`, if that has one.
    ///
    /// # Errors
    /// If the lock does not fit, as [`Self::with_lock`].
    pub fn locked_as(self, other: &Self) -> Result<Self> {
        match &other.lock {
            Some(lock) => self.with_lock(lock.clone()),
            None => Ok(self),
        }
    }
}
