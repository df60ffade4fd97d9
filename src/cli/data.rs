//! `absolve data`: data sets on this machine, and how to get those that are not.
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Streams, fetch};
use crate::error::{Error, Result};
use crate::population::catalogue::{self, Content, KNOWN, Known, NAMES, VARIABLE};
use crate::population::{DigitsFamily, Family, IdxFamily};

/// List, fetch and verify data sets of images
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say which data sets are known, where each was looked for, and what was found
    ///
    /// A set NAME is looked for in `$ABSOLVE_DATA/NAME`, `data/NAME`, the user's data folder (`$XDG_DATA_HOME/absolve/NAME`
    /// or `~/.local/share/absolve/NAME`) and where Debian's package puts it.
    List {
        /// Print as one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Download a data set with curl, and keep it if its SHA-256 is the known one
    ///
    /// This is the only command that goes to the network.
    Fetch {
        /// The data set (`absolve data list`)
        name: String,
        /// A mirror: a URL, or a folder, with the files of the set [default: where the set is published]
        #[arg(long, value_name = "URL|DIR")]
        from: Option<String>,
        /// Folder to put it into [default: NAME in the user's data folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Check the files of a data set, or of a folder of idx files, and print their sizes and SHA-256
    Verify {
        /// A data set by name, or a folder
        what: String,
        /// Print as one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// One data set, as it is listed.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    summary: &'static str,
    embedded: bool,
    looked_for_in: Vec<Place>,
    found: Option<Found>,
    to_get_it: Option<String>,
}

#[derive(Serialize)]
struct Place {
    what: String,
    folder: PathBuf,
}

/// What is in a folder.
#[derive(Serialize)]
struct Found {
    folder: PathBuf,
    /// The set whose digests all files have.
    verified: Option<&'static str>,
    files: Vec<FoundFile>,
    /// What is wrong with it.
    error: Option<String>,
}

#[derive(Serialize)]
struct FoundFile {
    path: PathBuf,
    sizes: Vec<usize>,
    sha256: String,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        match self.command {
            Command::List { json } => {
                let rows = rows();
                if json { streams.print_json(&rows) } else { streams.print(&describe(&rows)) }
            }
            Command::Fetch { name, from, out } => {
                let known = catalogue::named(&name)?;
                let out = match (out, catalogue::user_folder()) {
                    (Some(out), _) => out,
                    (None, Some(root)) => root.join(known.name),
                    (None, None) => {
                        let want = "neither HOME nor XDG_DATA_HOME is set; name a folder";
                        return Err(Error::parameter("--out", "not given", want));
                    }
                };
                fetch::fetch(known, from.as_deref(), &out, &mut |text| streams.say(text))?;
                streams.print(&format!("{}: {} is there and verified\n", out.display(), known.name))
            }
            Command::Verify { what, json } => {
                let found = verify(&what)?;
                if json { streams.print_json(&found) } else { streams.print(&contents(&found)) }
            }
        }
    }
}

fn rows() -> Vec<Row> {
    let digits = Row {
        name: "digits",
        summary: Family::Digits(DigitsFamily::default()).summary(),
        embedded: true,
        looked_for_in: Vec::new(),
        found: None,
        to_get_it: None,
    };
    let row = |known: &'static Known| {
        let found = known.locate().map(|folder| look(&folder, Some(known)));
        let places = known.places().into_iter();
        Row {
            name: known.name,
            summary: known.summary,
            embedded: false,
            looked_for_in: places.map(|it| Place { what: it.what, folder: it.folder }).collect(),
            to_get_it: found.is_none().then(|| known.ways()),
            found,
        }
    };
    std::iter::once(digits).chain(KNOWN.into_iter().map(row)).collect()
}

/// What is in `folder`, checked against `known`, or against the set that one of its files belongs to.
fn look(folder: &Path, known: Option<&'static Known>) -> Found {
    let mut found =
        Found { folder: folder.to_owned(), verified: None, files: Vec::new(), error: None };
    let mut read: Vec<Content> = Vec::new();
    for (place, name) in NAMES.iter().enumerate() {
        match catalogue::content(folder, name) {
            Ok(content) => read.push(content),
            // A set need not have files to test on, and needs both or none.
            Err(_)
                if known.is_none()
                    && place == 2
                    && !has(folder, NAMES[2])
                    && !has(folder, NAMES[3]) =>
            {
                break;
            }
            Err(error) => {
                found.error = Some(error.to_string());
                break;
            }
        }
    }
    let is = |known: &Known, place: usize, it: &Content| known.files[place].sha256 == it.sha256;
    let known = known.or_else(|| {
        KNOWN.into_iter().find(|known| read.iter().enumerate().any(|(i, it)| is(known, i, it)))
    });
    if let (Some(known), None) = (known, &found.error) {
        let mut checks =
            read.iter().enumerate().map(|(i, it)| known.check(i, &it.path, &it.sha256));
        match checks.find_map(Result::err) {
            Some(error) => found.error = Some(error.to_string()),
            None if read.len() == NAMES.len() => found.verified = Some(known.name),
            None => {}
        }
    }
    if let (None, None) = (known, &found.error) {
        // Whole files may still not fit together.
        let family = IdxFamily {
            folder: folder.to_owned(),
            prefix: String::new(),
            train: None,
            clean: None,
        };
        found.error = Family::Idx(family).world().err().map(|error| error.to_string());
    }
    let file = |it: Content| FoundFile { path: it.path, sizes: it.sizes, sha256: it.sha256 };
    found.files = read.into_iter().map(file).collect();
    found
}

fn has(folder: &Path, name: &str) -> bool {
    catalogue::find(folder, name).is_some()
}

/// Checks a set by name, or a folder.
fn verify(what: &str) -> Result<Found> {
    let folder = Path::new(what);
    let found = match KNOWN.into_iter().find(|known| known.name == what) {
        Some(known) => look(&known.folder()?, Some(known)),
        None if folder.is_dir() => look(folder, None),
        None => {
            catalogue::named(what)?;
            return Err(Error::parameter("data set", what, "a known name or a folder is needed"));
        }
    };
    match found.error {
        Some(why) => Err(Error::Training(why)),
        None => Ok(found),
    }
}

fn describe(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        text += &format!("{:<15} {}\n", row.name, row.summary);
        if row.embedded {
            text += &format!("{:<15}   embedded in the program\n", "");
        }
        for place in &row.looked_for_in {
            let here = row.found.as_ref().is_some_and(|found| found.folder == place.folder);
            let mark = if here { "found in" } else { "not used:" };
            text += &format!("{:<15}   {mark} {} ({})\n", "", place.folder.display(), place.what);
        }
        if let Some(found) = &row.found {
            for line in contents(found).lines() {
                text += &format!("{:<15}     {line}\n", "");
            }
        }
        if let Some(ways) = &row.to_get_it {
            text += &format!("{:<15}   {ways}\n", "");
        }
    }
    text + &format!(
        "\nFamilies idx, csv and npy read any folder or file that they name. {VARIABLE} names a further folder of data sets.\n"
    )
}

fn contents(found: &Found) -> String {
    let mut text = String::new();
    for file in &found.files {
        let sizes: Vec<String> = file.sizes.iter().map(ToString::to_string).collect();
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        text += &format!("{name:<28} {:<16} sha256 {}\n", sizes.join(" × "), file.sha256);
    }
    match (&found.error, found.verified) {
        (Some(why), _) => text += &format!("error: {why}\n"),
        (None, Some(name)) => text += &format!("verified: this is {name}\n"),
        (None, None) => text += "whole files, of no data set that is known by name\n",
    }
    text
}
