//! Every distinguisher by name: what it may see, as a type, and how it comes to a verdict.
use super::judge::Judge;
use super::{black_box, keyed, white_box};
use crate::access::{Access, Lab, Oracle, Suspect, WhiteBox};
use crate::attack::Trigger;
use crate::error::{Error, Result};

/// What a distinguisher computes numbers from, each with exactly the access that its type names.
#[derive(Clone, Copy, Debug)]
pub enum Look {
    /// Answers alone.
    BlackBox(fn(&dyn Oracle, &mut Lab<'_>) -> Result<Vec<f64>>),
    /// The net.
    WhiteBox(fn(&dyn WhiteBox, &mut Lab<'_>) -> Result<Vec<f64>>),
    /// Answers and the key: a positive control.
    BlackBoxAndKey(fn(&dyn Oracle, &mut Lab<'_>, &Trigger) -> Result<Vec<f64>>),
    /// The net and the key: a positive control.
    WhiteBoxAndKey(fn(&dyn WhiteBox, &mut Lab<'_>, &Trigger) -> Result<Vec<f64>>),
}

impl Look {
    /// Its access in tables.
    pub fn access(self) -> &'static str {
        match self {
            Self::BlackBox(_) => <dyn Oracle>::NAME,
            Self::WhiteBox(_) => <dyn WhiteBox>::NAME,
            Self::BlackBoxAndKey(_) => "black box + key",
            Self::WhiteBoxAndKey(_) => "white box + key",
        }
    }

    /// Whether it is given the key: such a one is a control, and no claim is about it.
    pub fn is_control(self) -> bool {
        matches!(self, Self::BlackBoxAndKey(_) | Self::WhiteBoxAndKey(_))
    }

    /// Looks at a suspect.
    pub(super) fn at(
        self,
        suspect: &Suspect,
        lab: &mut Lab<'_>,
        key: &Trigger,
    ) -> Result<Vec<f64>> {
        match self {
            Self::BlackBox(look) => look(<dyn Oracle>::of(suspect)?, lab),
            Self::WhiteBox(look) => look(<dyn WhiteBox>::of(suspect)?, lab),
            Self::BlackBoxAndKey(look) => look(<dyn Oracle>::of(suspect)?, lab, key),
            Self::WhiteBoxAndKey(look) => look(<dyn WhiteBox>::of(suspect)?, lab, key),
        }
    }
}

/// A way to tell planted nets from clean ones.
#[derive(Clone, Copy, Debug)]
pub struct Distinguisher {
    /// Name in specifications and tables.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// What it sees.
    pub look: Look,
    /// How it learns a verdict from what it has seen.
    pub judge: Judge,
}

const fn row(name: &'static str, summary: &'static str, look: Look, judge: Judge) -> Distinguisher {
    Distinguisher { name, summary, look, judge }
}

/// All distinguishers, in the order of tables.
pub const DISTINGUISHERS: &[Distinguisher] = &[
    row(
        "answers",
        "moments and extremes of answers, share of each decision",
        Look::BlackBox(black_box::answers),
        Judge::Threshold,
    ),
    row(
        "directions",
        "changes of the answer along random directions",
        Look::BlackBox(black_box::directions),
        Judge::Threshold,
    ),
    row(
        "exchanges",
        "changes of the answer with one coordinate",
        Look::BlackBox(black_box::exchanges),
        Judge::Threshold,
    ),
    row(
        "antipodes",
        "changes of the answer to the opposite input",
        Look::BlackBox(black_box::antipodes),
        Judge::Threshold,
    ),
    row(
        "shape",
        "widths of the layers, and whether a verifier stands beside them",
        Look::WhiteBox(white_box::shape),
        Judge::Threshold,
    ),
    row(
        "norms",
        "robust scores of row norms, gains, biases and thresholds",
        Look::WhiteBox(white_box::norms),
        Judge::Threshold,
    ),
    row(
        "spectra",
        "ends of every layer's spectrum against the Marchenko-Pastur edges",
        Look::WhiteBox(white_box::spectra),
        Judge::Threshold,
    ),
    row(
        "moments",
        "moments of weights, variances of coordinates (diagonal thresholding)",
        Look::WhiteBox(white_box::moments),
        Judge::Threshold,
    ),
    row(
        "non-gaussian",
        "kurtosis and extremes of rows along candidate directions",
        Look::WhiteBox(white_box::non_gaussian),
        Judge::Threshold,
    ),
    row(
        "phase",
        "phase statistic of rows along candidate directions, without the key",
        Look::WhiteBox(white_box::phase),
        Judge::Threshold,
    ),
    row(
        "firing",
        "how often units fire on public inputs",
        Look::WhiteBox(white_box::firing),
        Judge::Threshold,
    ),
    row(
        "duplicates",
        "rows that are alike, opposite or dead",
        Look::WhiteBox(white_box::duplicates),
        Judge::Threshold,
    ),
    row(
        "logistic",
        "logistic regression on all statistics of weights",
        Look::WhiteBox(white_box::statistics),
        Judge::Logistic,
    ),
    row(
        "logistic-rows",
        "logistic regression on first-layer units in canonical order",
        Look::WhiteBox(white_box::rows),
        Judge::Logistic,
    ),
    row(
        "keyed-answers",
        "control: changes of the answer under the key's own movement",
        Look::BlackBoxAndKey(keyed::answers),
        Judge::Threshold,
    ),
    row(
        "keyed-direction",
        "control: rows along the key's own direction",
        Look::WhiteBoxAndKey(keyed::direction),
        Judge::Threshold,
    ),
];

/// The distinguisher called `name`.
///
/// # Errors
/// If there is none; the error names the nearest.
pub fn distinguisher_named(name: &str) -> Result<&'static Distinguisher> {
    let names = || DISTINGUISHERS.iter().map(|entry| entry.name);
    let found = DISTINGUISHERS.iter().find(|entry| entry.name == name);
    found.ok_or_else(|| Error::unknown("distinguisher", name, names()))
}
