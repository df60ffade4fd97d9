//! Arrays from and to `.npy` files.
use std::fs::File;
use std::io::{BufWriter, Read};
use std::path::Path;

use ndarray::{Array1, Array2, Axis};
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement, WriteNpyExt};

use crate::data::Batch;
use crate::error::{Error, Result};

/// Reads a table of numbers: two dimensions, or one, which is read as a column. 32 and 64 bit floats and the common
/// integers are accepted; NaN and infinities are not.
pub(super) fn read(path: &Path) -> Result<Batch> {
    check_claim(path)?;
    let tries = [
        read_as::<f64>(path, |x| x)?,
        read_as::<f32>(path, f64::from)?,
        read_as::<i64>(path, |x| x as f64)?,
        read_as::<i32>(path, f64::from)?,
        read_as::<u8>(path, f64::from)?,
        read_as::<i8>(path, f64::from)?,
    ];
    let batch = tries.into_iter().flatten().next().ok_or_else(|| {
        Error::file(
            path,
            "its numbers are of a type that is not read: f64, f32, i64, i32, u8 and i8 are",
        )
    })?;
    if batch.is_empty() {
        return Err(Error::file(path, format!("it is empty: its shape is {:?}", batch.dim())));
    }
    match batch.indexed_iter().find(|(_, x)| !x.is_finite()) {
        Some(((row, column), x)) => Err(Error::file(
            path,
            format!("{x} at row {row}, column {column}; only finite numbers are accepted"),
        )),
        None => Ok(batch),
    }
}

/// Checks that a file is as long as its header says, before memory is asked for what it says.
fn check_claim(path: &Path) -> Result<()> {
    /// The header of an array that is read here takes far less.
    const HEADER: u64 = 4096;
    let file = File::open(path).map_err(Error::io("read", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    let mut header = Vec::new();
    file.take(HEADER).read_to_end(&mut header).map_err(Error::io("read", path))?;
    let text = String::from_utf8_lossy(&header);
    let Some((_, shape)) = text.split_once("'shape': (") else {
        return Err(Error::file(path, "not an array in .npy format"));
    };
    let shape = shape.split(')').next().unwrap_or_default();
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let claimed =
        sizes.map(|size| size.parse::<u64>().ok()).try_fold(1_u64, |n, size| n.checked_mul(size?));
    match claimed {
        Some(claimed) if claimed <= length => Ok(()),
        _ => Err(Error::file(
            path,
            format!("its header claims ({shape}) numbers, but it has {length} bytes"),
        )),
    }
}

/// Writes a table of 64 bit floats.
pub(super) fn write(path: &Path, batch: &Batch) -> Result<()> {
    let file = File::create(path).map_err(Error::io("write", path))?;
    batch.write_npy(BufWriter::new(file)).map_err(|error| Error::file(path, error))
}

/// The table if its numbers are of type `T`, `None` if they are of another.
fn read_as<T: ReadableElement + Copy>(path: &Path, to: impl Fn(T) -> f64) -> Result<Option<Batch>> {
    let open = || File::open(path).map_err(Error::io("read", path));
    match Array2::<T>::read_npy(open()?) {
        Ok(table) => return Ok(Some(table.mapv(&to))),
        Err(ReadNpyError::WrongDescriptor(_)) => return Ok(None),
        Err(ReadNpyError::WrongNdim(..)) => {}
        Err(error) => return Err(Error::file(path, error)),
    }
    match Array1::<T>::read_npy(open()?) {
        Ok(column) => Ok(Some(column.mapv(&to).insert_axis(Axis(1)))),
        Err(error) => Err(Error::file(path, error)),
    }
}
