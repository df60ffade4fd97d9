//! Blocks of rows as bytes: lines of JSON, and `.npy` arrays. Readers take one byte source and never more than is due.
use std::io::{ErrorKind, Read};

use ndarray::ArrayView2;
use ndarray_npy::WriteNpyExt;

use crate::data::{Batch, Shape};

/// Longest header of an array that is read; what `NumPy` writes for two dimensions takes 128 bytes.
const MOST_HEADER: usize = 4096;

/// A line for every row.
pub(super) fn to_lines(rows: &ArrayView2<'_, f64>) -> Vec<u8> {
    let mut text = Vec::new();
    for row in rows.rows() {
        let row: Vec<f64> = row.to_vec();
        // Finite numbers in a vector are always JSON.
        text.extend(serde_json::to_vec(&row).unwrap_or_default());
        text.push(b'\n');
    }
    text
}

/// Longest line that is read: 24 characters for the longest number, room for blanks, and for the error to show nonsense.
pub(super) fn longest_line(width: usize) -> usize {
    4096 + 64 * width
}

/// The numbers of a line: an array of `width`, or one number alone where `width` is 1.
pub(super) fn from_line(line: &[u8], width: usize) -> Result<Vec<f64>, String> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Line {
        One(f64),
        Row(Vec<f64>),
    }
    let shown = || {
        let text: String = String::from_utf8_lossy(line).trim().chars().take(60).collect();
        format!("{text:?}")
    };
    let read: Result<Line, _> = serde_json::from_slice(line);
    let row = match read {
        Ok(Line::One(number)) => vec![number],
        Ok(Line::Row(row)) => row,
        Err(_) => {
            return Err(format!("{} is no JSON array of {width} finite numbers", shown()));
        }
    };
    if row.len() != width {
        return Err(format!("{width} numbers wanted, got {} ({})", row.len(), shown()));
    }
    match row.iter().find(|x| !x.is_finite()) {
        Some(x) => Err(format!("{x} is no finite number")),
        None => Ok(row),
    }
}

/// A `.npy` array of 64 bit floats in C order.
pub(super) fn to_npy(rows: &ArrayView2<'_, f64>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let rows = rows.as_standard_layout();
    rows.write_npy(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// What the header of an array says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Rows and columns; one dimension is a column.
    pub(super) dims: (usize, usize),
    single: bool,
}

/// Reads the header of an array; `None` if the source ends before its first byte.
pub(super) fn npy_header(from: &mut impl Read) -> Result<Option<Header>, String> {
    let mut first = [0; 1];
    if from.read(&mut first).map_err(|error| error.to_string())? == 0 {
        return Ok(None);
    }
    let mut start = [0; 7];
    fill(from, &mut start)?;
    if first[0] != 0x93 || &start[..5] != b"NUMPY" {
        let seen = String::from_utf8_lossy(&[&first[..], &start[..]].concat()).into_owned();
        return Err(format!("{seen:?} is not how an array in .npy format begins"));
    }
    let mut length = [0; 4];
    match start[5] {
        1 => fill(from, &mut length[..2])?,
        2 | 3 => fill(from, &mut length)?,
        other => return Err(format!("version {other} of the .npy format is not known")),
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MOST_HEADER {
        return Err(format!(
            "a .npy header of {length} bytes is refused; {MOST_HEADER} are accepted"
        ));
    }
    let mut header = vec![0; length];
    fill(from, &mut header)?;
    let text = String::from_utf8_lossy(&header);
    parse(&text).map(Some).ok_or_else(|| {
        let text: String = text.trim().chars().take(100).collect();
        format!("an array of 32 or 64 bit floats in C order, with one or two dimensions, is needed; its header says {text}")
    })
}

/// The numbers of an array of which the header was read. The caller has checked its size.
pub(super) fn npy_numbers(from: &mut impl Read, header: Header) -> Result<Batch, String> {
    let (rows, columns) = header.dims;
    let n = rows * columns;
    let numbers: Vec<f64> = if header.single {
        let bytes = take(from, 4 * n)?;
        bytes.as_chunks::<4>().0.iter().map(|c| f64::from(f32::from_le_bytes(*c))).collect()
    } else {
        let bytes = take(from, 8 * n)?;
        bytes.as_chunks::<8>().0.iter().map(|c| f64::from_le_bytes(*c)).collect()
    };
    let batch =
        Batch::from_shape_vec((rows, columns), numbers).map_err(|error| error.to_string())?;
    match batch.indexed_iter().find(|(_, x)| !x.is_finite()) {
        Some(((row, column), x)) => {
            Err(format!("{x} at row {row}, column {column} is no finite number"))
        }
        None => Ok(batch),
    }
}

/// Reads an answer of `rows` rows in `.npy` format.
pub(super) fn npy_answer(from: &mut impl Read, rows: usize, shape: Shape) -> Result<Batch, String> {
    let header = npy_header(from)?.ok_or(ENDED)?;
    let (got, want) = (header.dims, (rows, shape.outputs));
    if got != want {
        return Err(format!(
            "an array of {} × {} wanted, got {} × {}",
            want.0, want.1, got.0, got.1
        ));
    }
    npy_numbers(from, header)
}

/// Why reading failed where a source is at its end.
pub(super) const ENDED: &str = "its output ended";

fn fill(from: &mut impl Read, bytes: &mut [u8]) -> Result<(), String> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => ENDED.to_owned(),
        _ => error.to_string(),
    })
}

/// Reads `n` bytes; memory grows only with what is there.
fn take(from: &mut impl Read, n: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    from.take(n as u64).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() == n { Ok(bytes) } else { Err(ENDED.to_owned()) }
}

/// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }`.
fn parse(text: &str) -> Option<Header> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let after = |key: &str| text.split_once(&format!("'{key}':")).map(|(_, rest)| rest);
    let descr = after("descr")?.strip_prefix('\'')?.split('\'').next()?;
    let single = match descr {
        "<f8" => false,
        "<f4" => true,
        _ => return None,
    };
    let (shape, _) = after("shape")?.strip_prefix('(')?.split_once(')')?;
    let sizes: Option<Vec<usize>> =
        shape.split(',').filter(|size| !size.is_empty()).map(|size| size.parse().ok()).collect();
    let dims = match sizes?[..] {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        _ => return None,
    };
    // One row or one column lies the same way in both orders.
    let in_order = after("fortran_order")?.starts_with("False") || dims.0 == 1 || dims.1 == 1;
    in_order.then_some(Header { dims, single })
}
