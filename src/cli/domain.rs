//! The value of `--domain`: a name, a TOML table, or a TOML file with one.
use std::path::Path;

use crate::data::Batch;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::storage;

/// Largest description that is read: a polytope of the most rows and dimensions takes about two million bytes.
const MAX_BYTES: u64 = 1 << 23;
/// Names that stand for a shape as wide as the inputs.
const NAMES: [&str; 7] = ["cube", "box", "ball", "simplex", "gauss", "torus", "data"];

/// The domain that `text` describes, for the inputs `xs`.
///
/// # Errors
/// If it is no name, table or file, or describes no usable domain.
pub(super) fn read(text: &str, xs: &Batch) -> Result<Domain> {
    let n = xs.ncols();
    Ok(match text {
        "cube" => Domain::Cube { n },
        "box" => Domain::Box { n },
        "ball" => Domain::Ball { n },
        "simplex" => Domain::Simplex { n },
        "gauss" => Domain::Gauss { n },
        "torus" => Domain::Torus { n },
        "data" => {
            let low = xs.iter().copied().fold(f64::INFINITY, f64::min);
            let high = xs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            Domain::Range { n, low, high }
        }
        table if table.trim_start().starts_with('{') => {
            let keyed: Keyed = parse(&format!("domain = {table}"), "--domain")?;
            keyed.domain
        }
        path if Path::new(path).extension().is_some_and(|ending| ending == "toml") => {
            let bytes = storage::read(Path::new(path), MAX_BYTES)?;
            let text = String::from_utf8(bytes)
                .map_err(|_| Error::file(Path::new(path), "it is not UTF-8 text"))?;
            parse(&text, path)?
        }
        other => return Err(Error::unknown("domain", other, NAMES)),
    })
}

#[derive(serde::Deserialize)]
struct Keyed {
    domain: Domain,
}

fn parse<T: serde::de::DeserializeOwned>(text: &str, place: &str) -> Result<T> {
    toml::from_str(text)
        .map_err(|error| Error::Spec { place: place.to_owned(), why: error.message().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_name_a_table_or_a_file() {
        let xs = Batch::from_shape_vec((2, 2), vec![0.0, 1.0, 2.0, -3.0]).unwrap();
        assert_eq!(read("gauss", &xs).unwrap(), Domain::Gauss { n: 2 });
        assert_eq!(read("data", &xs).unwrap(), Domain::Range { n: 2, low: -3.0, high: 2.0 });
        let inline =
            read("{ shape = \"polytope\", a = [[-1, 0], [0, -1], [1, 1]], b = [0, 0, 1] }", &xs);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("triangle.toml");
        let text = "shape = \"polytope\"\na = [[-1, 0], [0, -1], [1, 1]]\nb = [0, 0, 1]\n";
        std::fs::write(&path, text).unwrap();
        assert_eq!(inline.unwrap(), read(path.to_str().unwrap(), &xs).unwrap());
        for (text, want) in [
            ("bal", "did you mean \"ball\"?"),
            ("{ shape = \"polytope\", a = [[1]], b = [1] }", "2 to 1024 rows"),
            ("{ shape = \"torus", "--domain"),
            ("nothing.toml", "nothing.toml"),
        ] {
            let said = read(text, &xs).unwrap_err().to_string();
            assert!(said.contains(want), "{said}; wanted: {want}");
        }
    }
}
