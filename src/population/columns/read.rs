//! From a CSV file to typed columns, in one pass.
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use sha2::{Digest, Sha256};

use super::labels::{Builder, Labels};
use super::{CsvFamily, Missing};
use crate::digest;
use crate::error::{Error, Result};

/// A table, column by column.
#[derive(Debug)]
pub(super) struct Columns {
    /// Inputs, those left out that are the same everywhere.
    pub(super) inputs: Vec<Column>,
    /// The target.
    pub(super) labels: Labels,
    /// Rows.
    pub(super) n_rows: usize,
    /// SHA-256 of the file.
    pub(super) sha256: String,
    /// What people should know about how it was read.
    pub(super) notes: Vec<String>,
}

/// One input column.
#[derive(Debug)]
pub(super) enum Column {
    /// Numbers; a missing one is NaN.
    Numbers(Vec<f64>),
    /// Categories.
    Levels {
        /// The level of every row; a missing one is [`NO_LEVEL`].
        codes: Vec<u32>,
        /// How many levels there are.
        n_levels: usize,
    },
}

/// The code of a missing category.
pub(super) const NO_LEVEL: u32 = u32::MAX;
/// Largest file that is read.
const MOST_BYTES: u64 = 1 << 32;
/// Most numbers of a table.
const MOST_NUMBERS: usize = 1 << 28;
/// Most columns of a file.
const MOST_COLUMNS: usize = 1 << 16;
/// Most levels of a category.
const MOST_LEVELS: usize = 1024;
/// Fields that say that a value is missing, in small letters.
/// The largest number.
const MOST: f64 = 1e300;

const MISSING: [&str; 6] = ["", "?", "na", "n/a", "nan", "null"];

impl Columns {
    /// Width of an input row.
    pub(super) fn width(&self) -> usize {
        self.inputs.iter().map(Column::width).sum()
    }
}

impl Column {
    /// How many numbers of an input row it makes.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Numbers(_) => 1,
            Self::Levels { n_levels, .. } => *n_levels,
        }
    }
}

/// Reads the table that `family` asks for.
pub(super) fn read(family: &CsvFamily) -> Result<Columns> {
    let path = &family.path;
    let file = File::open(path).map_err(Error::io("read", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    if length > MOST_BYTES {
        let why = format!("it has {length} bytes; at most {MOST_BYTES} are read");
        return Err(Error::file(path, why));
    }
    read_from(file.take(MOST_BYTES), family)
}

/// A reader that digests what goes through it.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hash.update(&buffer[..n]);
        Ok(n)
    }
}

/// The same from anything that can be read.
pub(super) fn read_from(source: impl Read, family: &CsvFamily) -> Result<Columns> {
    let path = &family.path;
    let mut reader = ReaderBuilder::new()
        .delimiter(family.separator as u8)
        .buffer_capacity(1 << 16)
        .from_reader(Hashed { inner: source, hash: Sha256::new() });
    let header = header(reader.byte_headers().map_err(|e| refused(path, e))?, path)?;
    let mut table = Table::new(&header, family)?;
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|e| refused(path, e))? {
        table.push(&record).map_err(|why| Error::file(path, why))?;
    }
    let sha256 = digest::hex(reader.into_inner().hash);
    table.finish(sha256).map_err(|why| Error::file(path, why))
}

/// The names of the columns.
fn header(record: &ByteRecord, path: &Path) -> Result<Vec<String>> {
    let bad = |why: String| Err(Error::file(path, format!("line 1: {why}")));
    if record.len() > MOST_COLUMNS {
        return bad(format!("{} columns; at most {MOST_COLUMNS} are read", record.len()));
    }
    let mut names = Vec::new();
    let mut seen = BTreeSet::new();
    for (place, name) in record.iter().enumerate() {
        let Ok(name) = std::str::from_utf8(name) else {
            return bad(format!("the name of column {} is not text in UTF-8", place + 1));
        };
        let name = name.trim();
        if name.is_empty() {
            return bad(format!("column {} has no name; a header is needed", place + 1));
        }
        if !seen.insert(name.to_owned()) {
            return bad(format!("two columns are called \"{name}\""));
        }
        names.push(name.to_owned());
    }
    if names.len() < 2 {
        return bad(format!(
            "{} column; a target and at least one input are needed (what stands between fields is set by `separator`)",
            names.len()
        ));
    }
    Ok(names)
}

/// What the CSV reader says, in our words.
fn refused(path: &Path, error: csv::Error) -> Error {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::io("read", path)(error),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let why = format!("line {line} has {len} fields, the header {expected_len}");
            Error::file(path, why)
        }
        other => Error::file(path, format!("line {line}: {other:?}")),
    }
}

/// A column while it is read.
enum Reading {
    Numbers(Vec<f64>),
    Levels(Vec<u32>, BTreeMap<String, u32>),
}

/// A table while it is read.
struct Table<'a> {
    family: &'a CsvFamily,
    target: usize,
    labels: Builder,
    /// Column of the file, name, what was read.
    inputs: Vec<(usize, &'a str, Reading)>,
    n_rows: usize,
    /// The first missing value: line and column.
    first_missing: Option<(u64, String)>,
    n_missing: usize,
    rows_missing: usize,
}

impl<'a> Table<'a> {
    fn new(header: &'a [String], family: &'a CsvFamily) -> Result<Self> {
        let place = |name: &String| {
            let found = header.iter().position(|known| known == name.trim());
            let known = || header.iter().map(String::as_str);
            found.ok_or_else(|| Error::unknown("column", name, known()))
        };
        let target = place(&family.target)?;
        let categorical = family.categorical.iter().map(place).collect::<Result<BTreeSet<_>>>()?;
        let ignored = family.ignore.iter().map(place).collect::<Result<BTreeSet<_>>>()?;
        if ignored.contains(&target) {
            let want = "the target cannot be left out";
            return Err(Error::parameter("ignore", &family.target, want));
        }
        if let Some(both) = categorical.intersection(&ignored).next() {
            let want = "it cannot be both categorical and ignored";
            return Err(Error::parameter("ignore", &header[*both], want));
        }
        let inputs = (0..header.len())
            .filter(|place| *place != target && !ignored.contains(place))
            .map(|place| {
                let reading = if categorical.contains(&place) {
                    Reading::Levels(Vec::new(), BTreeMap::new())
                } else {
                    Reading::Numbers(Vec::new())
                };
                (place, header[place].as_str(), reading)
            })
            .collect();
        Ok(Self {
            family,
            target,
            labels: Builder::default(),
            inputs,
            n_rows: 0,
            first_missing: None,
            n_missing: 0,
            rows_missing: 0,
        })
    }

    /// Takes one line.
    fn push(&mut self, record: &ByteRecord) -> Result<(), String> {
        let line = record.position().map_or(0, csv::Position::line);
        let field = |place: usize, name: &str| match std::str::from_utf8(&record[place]) {
            Ok(text) => Ok(text.trim()),
            Err(_) => Err(format!("line {line}, column \"{name}\": not text in UTF-8")),
        };
        let label = field(self.target, &self.family.target)?;
        let mut missing = 0;
        let target_missing = is_missing(label);
        if target_missing {
            missing += 1;
            self.first_missing.get_or_insert_with(|| (line, self.family.target.clone()));
        }
        for (place, name, _) in &self.inputs {
            if is_missing(field(*place, name)?) {
                missing += 1;
                self.first_missing.get_or_insert_with(|| (line, (*name).to_owned()));
            }
        }
        self.n_missing += missing;
        self.rows_missing += usize::from(missing > 0);
        match self.family.missing {
            // It will be refused, after the rest was counted.
            Missing::Refuse if self.n_missing > 0 => return Ok(()),
            Missing::Drop if missing > 0 => return Ok(()),
            Missing::Mean if target_missing => {
                return Err(format!(
                    "line {line}: the target is missing; missing = \"drop\" leaves such rows out"
                ));
            }
            _ => {}
        }
        if (self.n_rows + 1).saturating_mul(self.inputs.len() + 1) > MOST_NUMBERS {
            return Err(format!("more than {MOST_NUMBERS} numbers, the most that are read"));
        }
        self.labels.push(line, label)?;
        for (place, name, reading) in &mut self.inputs {
            let text = field(*place, name)?;
            reading.push(text).map_err(|why| format!("line {line}, column \"{name}\": {why}"))?;
        }
        self.n_rows += 1;
        Ok(())
    }

    fn finish(self, sha256: String) -> Result<Columns, String> {
        let mut notes = Vec::new();
        let (missing, of) = (self.n_missing, self.rows_missing);
        match (self.family.missing, &self.first_missing) {
            (Missing::Refuse, Some((line, column))) => {
                return Err(format!(
                    "line {line}, column \"{column}\": the value is missing, the first of {missing} in {of} rows; \
                     missing = \"mean\" fills in training means, missing = \"drop\" leaves the rows out"
                ));
            }
            (Missing::Drop, Some(_)) => {
                notes.push(format!("{of} rows with missing values are left out"));
            }
            (Missing::Mean, Some(_)) => notes.push(format!(
                "{missing} missing values are filled in with the mean, or the most frequent level, of the training rows"
            )),
            (_, None) => {}
        }
        if self.n_rows < 3 {
            let n = self.n_rows;
            return Err(format!(
                "{n} usable rows; a split into training, clean and test data needs at least 3"
            ));
        }
        let mut inputs = Vec::new();
        for (_, name, reading) in self.inputs {
            match reading.finish() {
                Some(column) => inputs.push(column),
                None => {
                    notes.push(format!(
                        "column \"{name}\" is the same in every row and is left out"
                    ));
                }
            }
        }
        if inputs.is_empty() {
            return Err("no input column varies; there is nothing to learn from".to_owned());
        }
        let labels = self.labels.finish(self.family.task)?;
        Ok(Columns { inputs, labels, n_rows: self.n_rows, sha256, notes })
    }
}

impl Reading {
    fn push(&mut self, text: &str) -> Result<(), String> {
        match self {
            Self::Numbers(values) => {
                let value = if is_missing(text) { Some(f64::NAN) } else { text.parse().ok() };
                match value {
                    // Distances between larger ones would not be finite.
                    Some(value) if value.abs() > MOST => {
                        return Err(format!("{text} is not finite, or beyond ±{MOST:e}"));
                    }
                    Some(value) => values.push(value),
                    None => {
                        let text: String = text.chars().take(40).collect();
                        return Err(format!(
                            "\"{text}\" is no number; list the column under `categorical` if it holds names, or under `ignore`"
                        ));
                    }
                }
            }
            Self::Levels(codes, known) => {
                let next = known.len() as u32;
                let code = match known.get(text) {
                    _ if is_missing(text) => NO_LEVEL,
                    Some(code) => *code,
                    None if known.len() == MOST_LEVELS => {
                        return Err(format!(
                            "more than {MOST_LEVELS} levels, too many for a category; list it under `ignore`"
                        ));
                    }
                    None => *known.entry(text.to_owned()).or_insert(next),
                };
                codes.push(code);
            }
        }
        Ok(())
    }

    /// The column, or `None` if it is the same wherever it is not missing.
    fn finish(self) -> Option<Column> {
        match self {
            Self::Numbers(mut values) => {
                let mut there = values.iter().filter(|value| !value.is_nan());
                let first = *there.next()?;
                if there.all(|value| value.total_cmp(&first).is_eq()) {
                    return None;
                }
                values.shrink_to_fit();
                Some(Column::Numbers(values))
            }
            Self::Levels(mut codes, known) => {
                if known.len() < 2 {
                    return None;
                }
                // Levels in alphabetical order, whichever comes first in the file.
                let mut place = vec![0; known.len()];
                for (new, old) in known.values().enumerate() {
                    place[*old as usize] = new as u32;
                }
                for code in codes.iter_mut().filter(|code| **code != NO_LEVEL) {
                    *code = place[*code as usize];
                }
                Some(Column::Levels { codes, n_levels: known.len() })
            }
        }
    }
}

fn is_missing(text: &str) -> bool {
    // Some programs write a sign before what is no number.
    let text = text.strip_prefix(['+', '-']).filter(|rest| rest.len() == 3).unwrap_or(text);
    text.len() <= 4 && MISSING.iter().any(|word| text.eq_ignore_ascii_case(word))
}
