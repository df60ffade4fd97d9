//! Data files are read once a process, however many models ask for them.
//!
//! What is kept belongs to a file as it was: its full path, its size and the time it was last changed. A file that is
//! changed is read again.
use std::any::Any;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use crate::error::{Error, Result};

/// Most data sets that are kept; the one that was read first goes first.
const MOST_KEPT: usize = 4;

type Kept = Vec<(String, Arc<dyn Any + Send + Sync>)>;

static KEPT: Mutex<Kept> = Mutex::new(Vec::new());

/// What `read` made the last time that it was asked for with this `key`, or what it makes now.
///
/// Others wait while it reads, so that two models of a study do not read the same file side by side.
pub(super) fn remember<T: Any + Send + Sync>(
    key: &str,
    read: impl FnOnce() -> Result<T>,
) -> Result<Arc<T>> {
    // What is kept is whole even if another thread panicked: it is pushed last.
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let found = kept.iter().find(|(known, _)| known == key).map(|(_, it)| Arc::clone(it));
    if let Some(found) = found.and_then(|it| it.downcast::<T>().ok()) {
        return Ok(found);
    }
    // Room is made before reading, so that at most so many are in memory at any time.
    while kept.len() >= MOST_KEPT {
        kept.remove(0);
    }
    let made = Arc::new(read()?);
    kept.push((key.to_owned(), Arc::clone(&made) as Arc<dyn Any + Send + Sync>));
    Ok(made)
}

/// Text that changes when the file does.
///
/// # Errors
/// If it is not there, or no regular file.
pub(super) fn stamp(path: &Path) -> Result<String> {
    let whole = fs::canonicalize(path).map_err(Error::io("read", path))?;
    let facts = fs::metadata(&whole).map_err(Error::io("read", path))?;
    if !facts.is_file() {
        return Err(Error::file(path, "it is no regular file"));
    }
    let changed = facts.modified().map_err(Error::io("read", path))?;
    let age = changed.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
    Ok(format!("{} {} {age}\n", whole.display(), facts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_only_after_it_changed() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("a");
        let mut reads = 0;
        let mut read = || {
            remember(&stamp(&path).unwrap(), || {
                reads += 1;
                Ok(fs::read(&path).unwrap())
            })
            .unwrap()
        };
        fs::write(&path, "one").unwrap();
        assert_eq!(*read(), b"one");
        assert_eq!(*read(), b"one");
        fs::write(&path, "three").unwrap();
        assert_eq!(*read(), b"three");
        assert_eq!(reads, 2);
        assert!(stamp(dir.path()).is_err(), "a folder is no data file");
    }
}
