//! Files of a data set from the network, or from a mirror on the disk, checked before any of them is put in place.
//!
//! The network is asked by the system's `curl`, and only here: the program itself is linked with nothing that could.
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};
use crate::population::catalogue::{self, Known};
use crate::storage::{self, Readers};

/// Largest file that is fetched; the largest known one has a tenth of it.
const MOST_BYTES: u64 = 1 << 28;
/// Seconds after which a file is given up.
const PATIENCE: &str = "1800";

/// Puts the files of `known` into the folder `out`, from the URL or folder `from`. Files that are there and have the right
/// content are left alone. Nothing is written unless all have it.
///
/// # Errors
/// If a file cannot be had (with other ways to get it), or has other content than it must.
pub(super) fn fetch(
    known: &Known,
    from: Option<&str>,
    out: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<()> {
    let mut fetched: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for (place, file) in known.files.iter().enumerate() {
        if let Ok(there) = catalogue::content(out, file.name) {
            known.check(place, &there.path, &there.sha256)?;
            say(&format!("{} is there already", there.path.display()));
            continue;
        }
        let source = source(known, from, file.name)?;
        say(&format!("fetching {}", source.display()));
        let bytes = match &source {
            Source::File(path) => storage::read(path, MOST_BYTES)?,
            Source::Url(url) => download(url)
                .map_err(|why| Error::file(Path::new(url), format!("{why}; {}", known.ways())))?,
        };
        let content = catalogue::content_of(&bytes, &source.path())?;
        known.check(place, &content.path, &content.sha256)?;
        let ending = if bytes.starts_with(&[0x1f, 0x8b]) { ".gz" } else { "" };
        fetched.push((out.join(format!("{}{ending}", file.name)), bytes));
    }
    fs::create_dir_all(out).map_err(Error::io("create", out))?;
    fetched.iter().try_for_each(|(path, bytes)| storage::replace(path, bytes, Readers::Everyone))
}

/// Where one file comes from.
enum Source {
    File(PathBuf),
    Url(String),
}

impl Source {
    fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Url(url) => PathBuf::from(url),
        }
    }

    fn display(&self) -> String {
        self.path().display().to_string()
    }
}

fn source(known: &Known, from: Option<&str>, name: &str) -> Result<Source> {
    let from = from.unwrap_or(known.url);
    let folder = Path::new(from.strip_prefix("file://").unwrap_or(from));
    if folder.is_dir() {
        return Ok(Source::File(catalogue::content(folder, name)?.path));
    }
    if !["https://", "http://"].iter().any(|scheme| from.starts_with(scheme)) {
        let want = "a folder that is there, or a URL with http or https is needed";
        return Err(Error::parameter("--from", from, want));
    }
    Ok(Source::Url(format!("{}/{name}.gz", from.trim_end_matches('/'))))
}

/// What stands at `url`.
fn download(url: &str) -> Result<Vec<u8>, String> {
    let mut curl = Command::new("curl")
        .args(["--fail", "--location", "--silent", "--show-error", "--proto", "=http,https"])
        .args(["--max-time", PATIENCE, "--url", url])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => "curl, which does the fetching, is not installed".to_owned(),
            _ => format!("curl, which does the fetching, does not start ({error})"),
        })?;
    let mut bytes = Vec::new();
    let read = match curl.stdout.take() {
        Some(pipe) => pipe.take(MOST_BYTES + 1).read_to_end(&mut bytes),
        None => Ok(0),
    };
    // The pipe is closed by now: a curl that has more to say stops with an error.
    let output = curl.wait_with_output().map_err(|error| error.to_string())?;
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("more than {MOST_BYTES} bytes, the most that are fetched"));
    }
    if output.status.success() {
        return Ok(bytes);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().last().unwrap_or("curl failed and did not say why").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::catalogue::{FASHION_MNIST, KnownFile, NAMES};

    /// The bytes of file number `place` of a tiny set: an idx file of one number.
    fn bytes(place: usize) -> Vec<u8> {
        vec![0, 0, 8, 1, 0, 0, 0, 1, place as u8]
    }

    /// A set of four tiny files.
    fn tiny() -> Known {
        let files = std::array::from_fn(|place| {
            let sha256 = catalogue::content_of(&bytes(place), Path::new("tiny")).unwrap().sha256;
            KnownFile { name: NAMES[place], sha256: Box::leak(sha256.into_boxed_str()) }
        });
        Known { name: "tiny", files, ..FASHION_MNIST }
    }

    #[test]
    fn a_mirror_is_copied_whole_and_only_once() {
        let dir = tempfile::TempDir::new().unwrap();
        let (mirror, out) = (dir.path().join("mirror"), dir.path().join("deep/out"));
        fs::create_dir(&mirror).unwrap();
        NAMES.iter().enumerate().for_each(|(i, n)| fs::write(mirror.join(n), bytes(i)).unwrap());
        let from = format!("file://{}", mirror.display());
        let mut said = Vec::new();
        let mut say = |text: &str| said.push(text.to_owned());
        fetch(&tiny(), Some(&from), &out, &mut say).unwrap();
        for (place, name) in NAMES.iter().enumerate() {
            assert_eq!(fs::read(out.join(name)).unwrap(), bytes(place));
        }
        fs::remove_dir_all(&mirror).unwrap();
        // All there: no source is needed any more.
        fetch(&tiny(), None, &out, &mut say).unwrap();
        assert!(said[4..].iter().all(|line| line.ends_with("is there already")), "{said:?}");
    }

    #[test]
    fn one_wrong_file_and_nothing_is_left_behind() {
        let dir = tempfile::TempDir::new().unwrap();
        let (mirror, out) = (dir.path().join("mirror"), dir.path().join("out"));
        fs::create_dir(&mirror).unwrap();
        NAMES.iter().enumerate().for_each(|(i, n)| fs::write(mirror.join(n), bytes(i)).unwrap());
        fs::write(mirror.join(NAMES[3]), bytes(9)).unwrap();
        let error = fetch(&tiny(), mirror.to_str(), &out, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("is not t10k-labels-idx1-ubyte of tiny: SHA-256"), "{error}");
        assert!(!out.exists());
        fs::remove_file(mirror.join(NAMES[3])).unwrap();
        let error = fetch(&tiny(), mirror.to_str(), &out, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("no t10k-labels-idx1-ubyte in this folder"), "{error}");
        let error = fetch(&tiny(), Some("nowhere"), &out, &mut |_| {}).unwrap_err();
        assert!(error.is_wrong_use(), "{error}");
        assert!(!out.exists());
    }
}
