//! Inputs and labels in arrays: two `.npy` files or one `.npz` archive.
mod read;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::ArrayD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::read::read_array;
use self::read::{MOST_BYTES, member, parse};
use super::cache::{remember, stamp};
use super::columns::Labelling;
use super::split::{Finite, Testing, cut, sizes, stratified_order};
use super::{Part, Population, Promise, World};
use crate::data::{Batch, Labeled, Target, argmax, row, stack};
use crate::digest;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::{Seed, permutation};
use crate::storage;

/// Most classes, as in tables.
const MOST_CLASSES: f64 = 1000.0;
/// Most classes that are seen unasked, as in tables.
const MOST_UNASKED: f64 = 20.0;

/// Inputs and labels in two `.npy` files, or in two arrays of one `.npz` archive.
///
/// Inputs have a row each, and further sizes are one row (images). Labels are class numbers from 0, signs, real numbers, or
/// one-hot rows. Nothing is standardised: the range of the inputs is what everybody knows of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NpyFamily {
    /// The archive, if there is one. Paths are from the working directory if they are relative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub npz: Option<PathBuf>,
    /// The file with the inputs, or the name of their array in the archive.
    pub xs: PathBuf,
    /// The file with the labels, or the name of their array.
    pub ys: PathBuf,
    /// What labels are. Not given: classes for one-hot rows and for whole numbers from 0 to 19, signs if all are −1 or +1,
    /// else real numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Labelling>,
    /// Rows to train on. Not given: three in five.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<usize>,
    /// Clean rows for mitigators. Not given: half of what training leaves; what is left is for testing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<usize>,
    /// Error beyond which a real answer counts as wrong. Not given: half a deviation of the labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cutoff: Option<f64>,
}

/// Arrays that were read.
#[derive(Debug)]
struct Arrays {
    all: Labeled,
    world: World,
    sha256: String,
}

/// Arrays with the family that asked for them.
#[derive(Debug)]
pub(super) struct Source<'a> {
    family: &'a NpyFamily,
    arrays: Arc<Arrays>,
}

impl NpyFamily {
    pub(super) fn source(&self) -> Result<Source<'_>> {
        if let Some(cutoff) = self.cutoff.filter(|cutoff| !(*cutoff > 0.0 && cutoff.is_finite())) {
            return Err(Error::parameter("cutoff", cutoff, "a positive number is needed"));
        }
        let mut key = format!("{self:?}");
        match &self.npz {
            Some(npz) => key += &stamp(npz)?,
            None => key += &(stamp(&self.xs)? + &stamp(&self.ys)?),
        }
        Ok(Source { family: self, arrays: remember(&key, || self.read())? })
    }

    fn read(&self) -> Result<Arrays> {
        let mut hash = Sha256::new();
        let [xs, ys] = if let Some(npz) = &self.npz {
            let bytes = storage::read(npz, MOST_BYTES)?;
            hash.update(&bytes);
            [member(&bytes, npz, &self.xs)?, member(&bytes, npz, &self.ys)?]
        } else {
            let mut read = |path: &Path| {
                let bytes = storage::read(path, MOST_BYTES)?;
                hash.update(Sha256::digest(&bytes));
                parse(&bytes, path)
            };
            [read(&self.xs)?, read(&self.ys)?]
        };
        let (xs, ys) = (as_rows(xs), as_rows(ys));
        if xs.nrows() != ys.nrows() {
            let why =
                format!("{} labels for {} inputs; one each is needed", ys.nrows(), xs.nrows());
            return Err(Error::file(self.npz.as_ref().unwrap_or(&self.ys), why));
        }
        let labels_at = self.npz.as_ref().unwrap_or(&self.ys);
        let (target, ys) = labels(ys, self.task).map_err(|why| Error::file(labels_at, why))?;
        let low = xs.iter().copied().fold(f64::INFINITY, f64::min);
        let high = xs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let domain = Domain::Range { n: xs.ncols(), low, high };
        domain.check().map_err(|error| Error::file(&self.xs, error))?;
        let cutoff = match (self.cutoff, target) {
            (Some(cutoff), _) => cutoff,
            (None, Target::Real) => ys.std(0.0) / 2.0,
            (None, _) => 0.5,
        };
        if !(cutoff > 0.0 && cutoff.is_finite()) {
            let why = format!("half a deviation of the labels is {cutoff}; give a cutoff");
            return Err(Error::file(labels_at, why));
        }
        let world = World { domain, target, promise: Promise::Nothing, cutoff };
        Ok(Arrays { all: Labeled { xs, ys }, world, sha256: digest::hex(hash) })
    }
}

impl Source<'_> {
    fn sizes(&self) -> Result<[usize; 3]> {
        sizes(self.arrays.all.len(), self.family.train, self.family.clean, Testing::Rest)
    }

    pub(super) fn world(&self) -> Result<World> {
        self.sizes()?;
        Ok(self.arrays.world.clone())
    }

    pub(super) fn available(&self, part: Part) -> Result<usize> {
        Ok(self.sizes()?[part as usize])
    }

    pub(super) fn fingerprint(&self) -> String {
        self.arrays.sha256.clone()
    }

    pub(super) fn build(self, seed: Seed) -> Result<Box<dyn Population>> {
        let (world, sizes) = (self.world()?, self.sizes()?);
        let ys = &self.arrays.all.ys;
        let mut rng = seed.stream("split");
        let order = match world.target.n_classes() {
            Some(k) => {
                let class = |i| world.target.decide(&row(ys, i)).unwrap_or_default();
                stratified_order((0..ys.nrows()).map(class), k, &mut rng)
            }
            None => permutation(ys.nrows(), &mut rng),
        };
        let rows = ArraysRows(self.arrays);
        Ok(Box::new(Finite { world, rows, parts: cut(&order, sizes) }))
    }
}

#[derive(Debug)]
struct ArraysRows(Arc<Arrays>);

impl super::split::Rows for ArraysRows {
    fn take(&self, rows: &[usize]) -> Labeled {
        self.0.all.select(rows)
    }
}

/// What labels mean, and labels as answers would be.
fn labels(ys: Batch, labelling: Option<Labelling>) -> Result<(Target, Batch), String> {
    let k = ys.ncols();
    if k > 1 {
        if labelling.is_some_and(|labelling| labelling != Labelling::Classes) {
            return Err(format!(
                "rows of {k} labels are classes, one-hot; one number a row is needed"
            ));
        }
        let wrong = (0..ys.nrows()).find(|&i| {
            let y = row(&ys, i);
            Target::Classes(k).label_of(argmax(&y)).iter().zip(&y).any(|(a, b)| (a - b).abs() > 0.0)
        });
        return match wrong {
            Some(i) => Err(format!("row {i} of the labels is not one-hot: one 1 and otherwise 0")),
            None => Ok((Target::Classes(k), ys)),
        };
    }
    let signs = ys.iter().all(|y| (y.abs() - 1.0).abs() <= 0.0);
    let classes = |most| ys.iter().all(|y| *y >= 0.0 && *y < most && y.fract().abs() <= 0.0);
    let labelling = labelling.unwrap_or(if signs {
        Labelling::Sign
    } else if classes(MOST_UNASKED) {
        Labelling::Classes
    } else {
        Labelling::Real
    });
    if let Some(first) = ys.first()
        && ys.iter().all(|y| y.total_cmp(first).is_eq())
    {
        return Err(format!("every label is {first}; labels that vary are needed"));
    }
    match labelling {
        Labelling::Real => Ok((Target::Real, ys)),
        Labelling::Sign if signs => Ok((Target::Sign, ys)),
        Labelling::Sign => Err("signs are −1 and +1, and other labels are there".to_owned()),
        Labelling::Classes if classes(MOST_CLASSES) => {
            let k = 1 + ys.iter().map(|y| *y as usize).max().unwrap_or(0);
            let target = Target::Classes(k);
            let ys = stack(k, ys.iter().map(|y| target.label_of(*y as usize)));
            Ok((target, ys))
        }
        Labelling::Classes => Err(format!(
            "classes are whole numbers from 0 to below {MOST_CLASSES}, and other labels are there"
        )),
    }
}

/// One row for the first size, whatever the others are.
fn as_rows(array: ArrayD<f64>) -> Batch {
    let n = array.shape()[0];
    let width = array.len() / n;
    let flat = array.into_iter().collect();
    Batch::from_shape_vec((n, width), flat).expect("as many numbers as the sizes say")
}

#[cfg(test)]
mod tests;
