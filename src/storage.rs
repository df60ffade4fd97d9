//! Files that are either whole or not there: what is written here survives a kill at any moment.
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whoever the system lets.
    Everyone,
    /// Its owner alone: mode 0600 where there are modes.
    Owner,
}

/// Replaces the file at `path` by `bytes`: written beside it, flushed to the disk, and then renamed over it.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(Error::file(path, "it is there already and is no regular file"));
    }
    let beside = beside(path)?;
    let written = write_new(&beside, bytes, readers).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The half-written file is ours; that it may be gone already is fine.
        drop(fs::remove_file(&beside));
    }
    written.map_err(Error::io("write", path))
}

/// Appends one line to `file` and flushes it to the disk before returning.
pub fn append_line(file: &mut File, path: &Path, line: &str) -> Result<()> {
    let write = |file: &mut File| {
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    };
    write(file).map_err(Error::io("append to", path))
}

/// Reads a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    // A pipe would be waited for without an end.
    let found = fs::metadata(path).map_err(Error::io("read", path))?;
    if !found.is_file() {
        return Err(Error::file(path, "it is no regular file"));
    }
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(Error::file(path, format!("larger than the {limit} bytes that are accepted")));
    }
    Ok(bytes)
}

fn beside(path: &Path) -> Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(Error::file(path, "a file name is needed"));
    };
    let mut name = name.to_owned();
    name.push(".part");
    Ok(path.with_file_name(name))
}

fn write_new(path: &Path, bytes: &[u8], readers: Readers) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        use std::os::unix::fs::OpenOptionsExt;
        // A mode is given only to a new file, so one left by a kill goes first.
        drop(fs::remove_file(path));
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
