//! Data sets that are known by name: where they are looked for, where they come from, and what they must contain.
use std::env;
use std::path::{Path, PathBuf};

use super::idx;
pub use super::idx::find;
use crate::error::{Error, Result};

/// A data set of images in four idx files.
#[derive(Debug)]
pub struct Known {
    /// Its name, which is also that of its folder and of its family.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Where its files can be had, compressed with gzip; ends in a slash.
    pub url: &'static str,
    /// Debian's package of it, and the folder where that puts it.
    pub debian: Option<(&'static str, &'static str)>,
    /// Images and labels to train on, images and labels to test on.
    pub files: [KnownFile; 4],
}

/// What a file must contain.
#[derive(Debug)]
pub struct KnownFile {
    /// Its name, without `.gz`.
    pub name: &'static str,
    /// SHA-256 of its content, decompressed.
    pub sha256: &'static str,
}

/// Names of the files of a set like MNIST, in the order of [`Known::files`].
pub const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Variable that names a folder of data sets.
pub const VARIABLE: &str = "ABSOLVE_DATA";

/// Fashion-MNIST. The digests are those of the files that Debian packages from the authors' repository.
pub const FASHION_MNIST: Known = Known {
    name: "fashion-mnist",
    summary: "60,000 + 10,000 grey images of clothes, 28×28 pixels, ten classes (Xiao, Rasul, Vollgraf 2017)",
    url: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    debian: Some(("dataset-fashion-mnist", "/usr/share/datasets/fashion-mnist")),
    files: [
        KnownFile {
            name: NAMES[0],
            sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        },
        KnownFile {
            name: NAMES[1],
            sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        },
        KnownFile {
            name: NAMES[2],
            sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        },
        KnownFile {
            name: NAMES[3],
            sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ],
};

/// MNIST. The digests are the ones that many projects publish for the decompressed files.
pub const MNIST: Known = Known {
    name: "mnist",
    summary: "60,000 + 10,000 grey images of handwritten digits, 28×28 pixels, ten classes (LeCun et al. 1998)",
    url: "https://ossci-datasets.s3.amazonaws.com/mnist/",
    debian: None,
    files: [
        KnownFile {
            name: NAMES[0],
            sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        },
        KnownFile {
            name: NAMES[1],
            sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        },
        KnownFile {
            name: NAMES[2],
            sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        },
        KnownFile {
            name: NAMES[3],
            sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ],
};

/// Every data set known by name that is not embedded.
pub const KNOWN: [&Known; 2] = [&FASHION_MNIST, &MNIST];

/// The data set called `name`.
pub fn named(name: &str) -> Result<&'static Known> {
    let found = KNOWN.into_iter().find(|known| known.name == name);
    found.ok_or_else(|| Error::unknown("data set", name, KNOWN.iter().map(|known| known.name)))
}

/// Where a data set's own folder is looked for, first wins.
#[derive(Debug)]
pub struct Place {
    /// What sort of place it is, for people.
    pub what: String,
    /// The folder.
    pub folder: PathBuf,
}

/// What is in one file.
#[derive(Debug)]
pub struct Content {
    /// The file.
    pub path: PathBuf,
    /// Sizes of the array that it holds.
    pub sizes: Vec<usize>,
    /// SHA-256 of its content, decompressed.
    pub sha256: String,
}

impl Known {
    /// Folders where it is looked for, in this order: named by `ABSOLVE_DATA`, under `data` in the working directory, in
    /// the user's data folder, and where Debian's package puts it.
    pub fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        let mut place = |what: &str, folder: PathBuf| {
            places.push(Place { what: what.to_owned(), folder });
        };
        if let Some(root) = env::var_os(VARIABLE).filter(|root| !root.is_empty()) {
            place(VARIABLE, Path::new(&root).join(self.name));
        }
        place("working directory", Path::new("data").join(self.name));
        if let Some(root) = user_folder() {
            place("user's data folder", root.join(self.name));
        }
        if let Some((package, folder)) = self.debian {
            place(&format!("Debian's {package}"), PathBuf::from(folder));
        }
        places
    }

    /// The first place that holds its training images.
    pub fn locate(&self) -> Option<PathBuf> {
        let mut folders = self.places().into_iter().map(|place| place.folder);
        folders.find(|folder| idx::find(folder, self.files[0].name).is_some())
    }

    /// The first place that holds it.
    ///
    /// # Errors
    /// If none does: how to get it.
    pub fn folder(&self) -> Result<PathBuf> {
        self.locate().ok_or_else(|| {
            let places: Vec<String> =
                self.places().iter().map(|place| place.folder.display().to_string()).collect();
            let why = format!("not found in {}; {}", places.join(", "), self.ways());
            Error::file(Path::new(self.name), why)
        })
    }

    /// How to get it, in words.
    pub fn ways(&self) -> String {
        let debian = self
            .debian
            .map(|(package, _)| format!("`apt install {package}` on Debian, "))
            .unwrap_or_default();
        let user = user_folder().unwrap_or_else(|| PathBuf::from("data")).join(self.name);
        format!(
            "to get it: {debian}`absolve data fetch {name}` with a network, or put {files} (.gz or not) from {url} into {folder}, \
             or into any folder that `folder = \"…\"` then names",
            name = self.name,
            files = NAMES.join(", "),
            url = self.url,
            folder = user.display(),
        )
    }

    /// Checks that what was read from `path`, whose content has the digest `sha256`, is file number `place` of the list.
    pub fn check(&self, place: usize, path: &Path, sha256: &str) -> Result<()> {
        let want = self.files[place].sha256;
        if sha256 == want {
            return Ok(());
        }
        let why = format!(
            "it is not {} of {}: SHA-256 of its content is {sha256}, {want} wanted",
            self.files[place].name, self.name
        );
        Err(Error::file(path, why))
    }
}

/// What a file of that name in a folder contains.
///
/// # Errors
/// If it is not there or no whole idx file of bytes.
pub fn content(folder: &Path, name: &str) -> Result<Content> {
    let path = idx::find(folder, name).ok_or_else(|| missing(folder, name))?;
    let read = idx::read(&path)?;
    Ok(Content { path, sizes: read.sizes, sha256: read.sha256 })
}

/// What the bytes of a file contain, compressed or not; `from` names them in errors.
pub fn content_of(bytes: &[u8], from: &Path) -> Result<Content> {
    let read = idx::parse(bytes).map_err(|why| Error::file(from, why))?;
    Ok(Content { path: from.to_owned(), sizes: read.sizes, sha256: read.sha256 })
}

/// The error for a file that is not in its folder.
pub(super) fn missing(folder: &Path, name: &str) -> Error {
    let why = format!("no {name} in this folder (looked for -idx and .idx, with and without .gz)");
    Error::file(folder, why)
}

/// Where a user's data sets are kept.
pub fn user_folder() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")));
    root.map(|root| root.join("absolve"))
}
