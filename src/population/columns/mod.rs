//! Tables in CSV files: numbers and categories in named columns, one of which is the target.
//!
//! Everybody may know the table's columns, the levels of its categories, its classes and how widely a real target
//! spreads. Means, deviations and most frequent levels are taken from the training part alone.
mod labels;
mod read;
mod standardise;

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::labels::Labels;
use self::read::Columns;
use self::standardise::Standardised;
use super::cache::{remember, stamp};
use super::split::{Finite, Testing, cut, sizes, stratified_order};
use super::{Part, Population, Promise, World};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::{Seed, permutation};

/// A table in a CSV file with a header line.
///
/// Columns hold numbers unless `categorical` names them. Numbers are standardised with mean and deviation of the training
/// part and clipped to ±`clip` deviations; a category becomes one column of 0 and 1 for every level in the file, and a
/// level that no training row has is 0 everywhere. A column that is the same in every row is left out, one that is the
/// same in every training row is 0. A real target keeps its unit. Missing is a field that is empty, `?`, `NA`, `N/A`, `NaN`
/// or `null`, in either case of letters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvFamily {
    /// The file, from the working directory if it is relative.
    pub path: PathBuf,
    /// The column to be told from the others.
    pub target: String,
    /// Columns that hold names and not numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categorical: Vec<String>,
    /// Columns that are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// What the target is. Not given: classes if it is text or has at most 20 whole values, a sign if it is −1 or +1,
    /// else real.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Labelling>,
    /// What becomes of missing values.
    #[serde(default)]
    pub missing: Missing,
    /// What stands between fields; one ASCII character.
    #[serde(default = "comma")]
    pub separator: char,
    /// Rows to train on. Not given: three in five.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<usize>,
    /// Clean rows for mitigators. Not given: half of what training leaves; what is left is for testing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<usize>,
    /// Error beyond which a real answer counts as wrong, in the target's unit. Not given: half a deviation of the target
    /// over all rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cutoff: Option<f64>,
    /// Deviations to which standardised numbers are clipped: the range of inputs that everybody knows.
    #[serde(default = "five")]
    pub clip: f64,
}

fn comma() -> char {
    ','
}

fn five() -> f64 {
    5.0
}

/// What a target column means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labelling {
    /// One of several classes: numbers in their order, or names in alphabetical order.
    Classes,
    /// One of two, the first of which counts as −1 and the second as +1.
    Sign,
    /// A real number.
    Real,
}

/// What becomes of missing values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The table is refused.
    #[default]
    Refuse,
    /// The mean of the training rows, or their most frequent level. A missing target is refused.
    Mean,
    /// The row is left out.
    Drop,
}

/// A table that was read, with the family that asked for it.
#[derive(Debug)]
pub(super) struct Source<'a> {
    family: &'a CsvFamily,
    columns: Arc<Columns>,
}

impl CsvFamily {
    pub(super) fn source(&self) -> Result<Source<'_>> {
        if !(self.clip >= 1.0 && self.clip <= 1e6) {
            return Err(Error::parameter("clip", self.clip, "a number from 1 to 1e6 is needed"));
        }
        if let Some(cutoff) = self.cutoff.filter(|cutoff| !(*cutoff > 0.0 && cutoff.is_finite())) {
            return Err(Error::parameter("cutoff", cutoff, "a positive number is needed"));
        }
        if !self.separator.is_ascii() || "\"\r\n".contains(self.separator) {
            let want = "one ASCII character is needed that is neither a quote nor a line end";
            return Err(Error::parameter("separator", self.separator, want));
        }
        // The split and the scoring do not change what is read.
        let asked = Self { train: None, clean: None, cutoff: None, clip: five(), ..self.clone() };
        let columns = remember(&format!("{asked:?} {}", stamp(&self.path)?), || read::read(self))?;
        Ok(Source { family: self, columns })
    }
}

impl Source<'_> {
    fn sizes(&self) -> Result<[usize; 3]> {
        sizes(self.columns.n_rows, self.family.train, self.family.clean, Testing::Rest)
    }

    pub(super) fn world(&self) -> Result<World> {
        self.sizes()?;
        let clip = self.family.clip;
        let domain = Domain::Range { n: self.columns.width(), low: -clip, high: clip };
        domain.check()?;
        let cutoff = match (&self.columns.labels, self.family.cutoff) {
            (_, Some(cutoff)) => cutoff,
            (Labels::Real { deviation, .. }, None) => deviation / 2.0,
            (Labels::Classes { .. }, None) => 0.5,
        };
        let target = self.columns.labels.target();
        Ok(World { domain, target, promise: Promise::Nothing, cutoff })
    }

    pub(super) fn available(&self, part: Part) -> Result<usize> {
        Ok(self.sizes()?[part as usize])
    }

    pub(super) fn fingerprint(&self) -> String {
        self.columns.sha256.clone()
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.columns.notes.clone()
    }

    pub(super) fn build(self, seed: Seed) -> Result<Box<dyn Population>> {
        let (world, sizes) = (self.world()?, self.sizes()?);
        let mut rng = seed.stream("split");
        let order = match &self.columns.labels {
            Labels::Classes { codes, names, .. } => {
                stratified_order(codes.iter().map(|code| *code as usize), names.len(), &mut rng)
            }
            Labels::Real { .. } => permutation(self.columns.n_rows, &mut rng),
        };
        let parts = cut(&order, sizes);
        let rows = Standardised::new(self.columns, &parts[0], self.family.clip);
        Ok(Box::new(Finite { world, rows, parts }))
    }
}

#[cfg(test)]
mod tests;
