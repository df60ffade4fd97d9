//! Arrays from `.npy` files and `.npz` archives, read as if they were hostile.
use std::io::{Cursor, Read};
use std::path::Path;

use flate2::Crc;
use flate2::read::DeflateDecoder;
use ndarray::{Array, ArrayD, IxDyn};
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};
use zip::{CompressionMethod, ZipArchive};

use crate::error::{Error, Result};
use crate::storage;

/// Most bytes of a file or an array: a batch of 64 bit numbers cannot hold more, and its header.
pub(super) const MOST_BYTES: u64 = (1 << 31) + (1 << 16);
/// No byte of a compressed array stands for more than this many (RFC 1951: 258 bytes for two bits, beside headers).
const MOST_GAIN: u64 = 1040;

/// The array called `name` in the archive `bytes`, plain or compressed.
pub(super) fn member(bytes: &[u8], path: &Path, name: &Path) -> Result<ArrayD<f64>> {
    let name = name.display().to_string();
    let bad = |why: String| Error::file(path, why);
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|e| bad(format!("not a whole archive ({e})")))?;
    let found = archive.index_for_name(&format!("{name}.npy")).or(archive.index_for_name(&name));
    let Some(index) = found else {
        let known: Vec<String> = archive.file_names().flatten().map(Into::into).collect();
        let known = known.iter().map(|known| known.trim_end_matches(".npy"));
        return Err(Error::unknown("array", &name, known));
    };
    let within = |why: String| bad(format!("array {name}: {why}"));
    // Raw, and inflated here: the archive's reader is built without decompression.
    let entry = archive.by_index_raw(index).map_err(|e| within(e.to_string()))?;
    let (claimed, packed, crc) = (entry.size(), entry.compressed_size(), entry.crc32());
    if claimed > MOST_BYTES.min(packed.saturating_mul(MOST_GAIN)) {
        return Err(within(format!("it claims {claimed} bytes, more than is there or is read")));
    }
    let read: Box<dyn Read> = match entry.compression() {
        CompressionMethod::Stored => Box::new(entry),
        CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(entry)),
        other => return Err(within(format!("compressed with {other}, which is not read"))),
    };
    let mut content = Vec::new();
    read.take(claimed + 1).read_to_end(&mut content).map_err(|e| within(e.to_string()))?;
    let mut sum = Crc::new();
    sum.update(&content);
    if content.len() as u64 != claimed || sum.sum() != crc {
        return Err(within(
            "damaged: its length or checksum is not what the archive says".to_owned(),
        ));
    }
    parse(&content, &path.join(name))
}

/// Reads an array: 32 and 64 bit floats and the common integers are accepted; NaN and infinities are not.
///
/// # Errors
/// If it cannot be read, is empty or too large, or holds a number that is not finite.
pub fn read_array(path: &Path) -> Result<ArrayD<f64>> {
    parse(&storage::read(path, MOST_BYTES)?, path)
}

/// Reads the bytes of a `.npy` file; `path` names them in errors.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<ArrayD<f64>> {
    check_claim(bytes).map_err(|why| Error::file(path, why))?;
    let tries = [
        read_as::<f64>(bytes, |x| x),
        read_as::<f32>(bytes, f64::from),
        read_as::<i64>(bytes, |x| x as f64),
        read_as::<i32>(bytes, f64::from),
        read_as::<u8>(bytes, f64::from),
        read_as::<i8>(bytes, f64::from),
        read_as::<bool>(bytes, |x| f64::from(u8::from(x))),
    ];
    let mut array = None;
    for read in tries {
        array = array.or(read.map_err(|error| Error::file(path, error))?);
    }
    let array = array.ok_or_else(|| {
        Error::file(
            path,
            "its numbers are of a type that is not read: f64, f32, i64, i32, u8, i8 and bool are",
        )
    })?;
    if array.is_empty() || array.ndim() == 0 {
        return Err(Error::file(path, format!("it is empty: its shape is {:?}", array.shape())));
    }
    let width = array.len() / array.shape()[0];
    match array.iter().enumerate().find(|(_, x)| !x.is_finite()) {
        Some((place, x)) => {
            let (row, column) = (place / width, place % width);
            let why =
                format!("{x} at row {row}, column {column}; only finite numbers are accepted");
            Err(Error::file(path, why))
        }
        None => Ok(array),
    }
}

/// Checks that a file is as long as its header says, before memory is asked for what it says.
fn check_claim(bytes: &[u8]) -> Result<(), String> {
    /// The header of an array that is read here takes far less.
    const HEADER: usize = 4096;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(HEADER)]);
    let Some((before, shape)) = text.split_once("'shape': (") else {
        return Err("not an array in .npy format".to_owned());
    };
    // The length of the header: two bytes in version 1, four in later ones.
    let claimed = match bytes.get(6..12) {
        Some([1, _, a, b, ..]) => usize::from(u16::from_le_bytes([*a, *b])),
        Some([_, _, a, b, c, d]) => u32::from_le_bytes([*a, *b, *c, *d]) as usize,
        _ => usize::MAX,
    };
    if claimed > bytes.len() || before.len() < 10 {
        return Err(format!("its header claims to be longer than the file, {} bytes", bytes.len()));
    }
    let shape = shape.split(')').next().unwrap_or_default();
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let claimed =
        sizes.map(|size| size.parse::<u64>().ok()).try_fold(1_u64, |n, size| n.checked_mul(size?));
    match claimed {
        Some(claimed) if claimed <= bytes.len() as u64 => Ok(()),
        _ => Err(format!("its header claims ({shape}) numbers, but it has {} bytes", bytes.len())),
    }
}

/// The array if its numbers are of type `T`, `None` if they are of another.
fn read_as<T: ReadableElement + Copy>(
    bytes: &[u8],
    to: impl Fn(T) -> f64,
) -> Result<Option<ArrayD<f64>>, String> {
    match Array::<T, IxDyn>::read_npy(bytes) {
        Ok(array) => Ok(Some(array.mapv(to))),
        Err(ReadNpyError::WrongDescriptor(_)) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}
