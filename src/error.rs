//! What can go wrong, and what the user can do about it.
//!
//! Messages are fragments that fit after "failed to …: ". They name the value that was wrong and say what would be right.
use std::path::{Path, PathBuf};

/// The result of anything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, by what the user can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A hard budget would have been passed. Nothing was charged and nothing was computed.
    #[error(
        "budget of {budget} {what} would be passed: {spent} spent, {asked} more asked; raise the budget or ask for less"
    )]
    BudgetSpent {
        /// The kind of cost: "queries", "gradients", "clean labels" or "flops".
        what: &'static str,
        /// The limit.
        budget: u64,
        /// What had been spent before.
        spent: u64,
        /// What the refused call would have added.
        asked: u64,
    },
    /// Rows of the wrong width.
    #[error("{what}: rows of width {want} wanted, got {got}")]
    Width {
        /// What the rows are.
        what: &'static str,
        /// The width that fits.
        want: usize,
        /// The width that came.
        got: usize,
    },
    /// A NaN or an infinity where a number is needed.
    #[error("{what} holds {value} at row {row}, column {column}; only finite numbers are accepted")]
    NotFinite {
        /// What holds it.
        what: String,
        /// The value.
        value: f64,
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
    },
    /// A parameter outside its range.
    #[error("{name} = {value}, but {want}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value, printed.
        value: String,
        /// What would be right.
        want: String,
    },
    /// A name that is not in a table.
    #[error("no {kind} is called \"{name}\"; {hint}")]
    Unknown {
        /// What was looked up: "attack", "mitigator", …
        kind: &'static str,
        /// The name that was not found.
        name: String,
        /// The nearest names, or all of them.
        hint: String,
    },
    /// A method's assumption does not hold for what it was given.
    #[error("{method} does not apply: {why}")]
    Assumption {
        /// The method.
        method: &'static str,
        /// The assumption, and how it failed.
        why: String,
    },
    /// More clean data was asked for than there is.
    #[error(
        "{part} has {left} samples left, {asked} more asked; ask for less, or use a population that can be sampled at will"
    )]
    Exhausted {
        /// The part of the data: "training data", "clean samples", "test data".
        part: &'static str,
        /// How many are left.
        left: usize,
        /// How many were asked.
        asked: usize,
    },
    /// A specification that cannot be read or does not fit together.
    #[error("{place}: {why}")]
    Spec {
        /// The file and, where known, the key.
        place: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// A model or array file that cannot be used.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The operating system said no.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was being done: "read", "write", …
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Training went wrong: a loss that is not finite, or a planted backdoor that does not fire.
    #[error("{0}")]
    Training(String),
    /// A program that answers as a model failed. What it was asked stays charged.
    #[error("external program `{program}`: {why}")]
    External {
        /// Its command line.
        program: String,
        /// What went wrong, and the last that it said.
        why: String,
    },
    /// The tensor library failed.
    #[error("tensor library: {0}")]
    Tensor(String),
}

impl Error {
    /// A parameter outside its range.
    #[expect(clippy::needless_pass_by_value, reason = "callers hand in numbers and literals")]
    pub fn parameter(name: &'static str, value: impl ToString, want: impl Into<String>) -> Self {
        /// What fits into a line of a terminal beside the rest.
        const WIDTH: usize = 60;
        let mut value = value.to_string();
        if value.chars().count() > WIDTH {
            value = value.chars().take(WIDTH).chain(std::iter::once('…')).collect();
        }
        Self::Parameter { name, value, want: want.into() }
    }

    /// An assumption that does not hold.
    pub fn assumption(method: &'static str, why: impl Into<String>) -> Self {
        Self::Assumption { method, why: why.into() }
    }

    /// A file that cannot be used.
    #[expect(clippy::needless_pass_by_value, reason = "callers hand in errors and literals")]
    pub fn file(path: &Path, why: impl ToString) -> Self {
        Self::File { path: path.to_owned(), why: why.to_string() }
    }

    /// Wraps what the operating system said while `doing` something to `path`.
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// A name that none of `known` matches, with the nearest ones as a hint.
    pub fn unknown<'a>(
        kind: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut known: Vec<&str> = known.into_iter().collect();
        let nearness = |other: &str| strsim::damerau_levenshtein(name, other);
        let near = known.iter().copied().min_by_key(|other| nearness(other));
        let hint = match near {
            Some(near) if nearness(near) <= near.len().div_ceil(2) => {
                format!("did you mean \"{near}\"?")
            }
            _ => {
                known.sort_unstable();
                format!("known are: {}", known.join(", "))
            }
        };
        Self::Unknown { kind, name: name.to_owned(), hint }
    }

    /// Whether the command line or a specification was wrong, rather than the run.
    pub fn is_wrong_use(&self) -> bool {
        matches!(self, Self::Parameter { .. } | Self::Unknown { .. } | Self::Spec { .. })
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_one() {
        let error = Error::unknown("attack", "badnet", ["badnets", "half-space"]);
        assert_eq!(error.to_string(), "no attack is called \"badnet\"; did you mean \"badnets\"?");
    }

    #[test]
    fn a_name_like_nothing_known_is_answered_with_the_whole_list() {
        let error = Error::unknown("attack", "xyzzy-quux", ["half-space", "badnets"]);
        assert!(error.to_string().ends_with("known are: badnets, half-space"), "{error}");
    }
}
