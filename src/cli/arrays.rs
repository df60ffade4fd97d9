//! Arrays from and to `.npy` files.
use std::path::Path;

use ndarray::{Axis, Ix1, Ix2};
use ndarray_npy::WriteNpyExt;

use crate::data::Batch;
use crate::error::{Error, Result};
use crate::population::read_array;
use crate::storage::{self, Readers};

/// Reads a table of numbers: two dimensions, or one, which is read as a column.
pub(super) fn read(path: &Path) -> Result<Batch> {
    let array = read_array(path)?;
    let bad = |error| Error::file(path, error);
    if array.ndim() == 1 {
        return Ok(array.into_dimensionality::<Ix1>().map_err(bad)?.insert_axis(Axis(1)));
    }
    let shape = array.shape().to_vec();
    let want = |_| Error::file(path, format!("a table is needed, its shape is {shape:?}"));
    array.into_dimensionality::<Ix2>().map_err(want)
}

/// Writes a table of 64 bit floats, whole or not at all.
pub(super) fn write(path: &Path, batch: &Batch) -> Result<()> {
    let mut bytes = Vec::new();
    batch.write_npy(&mut bytes).map_err(|error| Error::file(path, error))?;
    storage::replace(path, &bytes, Readers::Everyone)
}
