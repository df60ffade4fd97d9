//! Nets from PyTorch and back: state dicts in safetensors, and ONNX files of multi-layer perceptrons.
//!
//! What comes back computes what PyTorch computes, up to rounding, or the file is refused by the name of what is not
//! known: an operator, a tensor, a shape. Nothing is guessed. Files are read as if they were hostile: every size is
//! checked against the bytes that are there before memory is asked for it.
mod activations;
mod gelu;
mod graph;
mod onnx;
mod state_dict;
mod steps;
mod wire;

use std::path::Path;

pub use activations::Activations;
pub use state_dict::{sequential, state_dict};

use super::Net;
use crate::error::{Error, Result};
use crate::storage;

/// Largest file that is read.
const MAX_BYTES: u64 = 1 << 30;

/// A net that came from elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The net.
    pub net: Net,
    /// What a reader should know: biases that are absent, inputs that were flattened.
    pub notes: Vec<String>,
}

/// Reads the net in a file of another program.
///
/// * safetensors with the names of a PyTorch `nn.Sequential`: `0.weight` (outputs × inputs), `0.bias`, `2.weight`, …, with
///   any one prefix before all of them, biases optional, all `f32` or all `f64`. Numbers that are left out stand for
///   activations and for modules that do nothing once training is over. `activations` says which function they are, or
///   the metadata entry `activation` does; of the two that are there, both must say the same.
/// * ONNX with Gemm, `MatMul` and Add, Relu, Tanh, Gelu (one node, or the exact formula in parts), Flatten, and Reshape where
///   it flattens. Weights may lie in the file, or in one beside it, as `torch.onnx.export` writes them.
///
/// # Errors
/// If the file is of another kind, is damaged, or holds anything else than such a perceptron: the error names it.
pub fn import(path: &Path, activations: Option<&Activations>) -> Result<Imported> {
    let bytes = storage::read(path, MAX_BYTES)?;
    let read = match Format::of(path, &bytes) {
        Err(why) => Err(why),
        Ok(Format::SafeTensors) => state_dict::read(&bytes, activations),
        Ok(Format::Onnx) if activations.is_some() => {
            Err("an ONNX file says itself what its activations are; leave --activation out".into())
        }
        Ok(Format::Onnx) => onnx::read(&bytes, &mut |name| beside(path, name)),
    };
    read.map_err(|why| Error::file(path, why))
}

/// The file called `name` in the folder of the model at `path`.
fn beside(path: &Path, name: &str) -> Result<Vec<u8>, String> {
    let plain = Path::new(name).file_name().is_some_and(|file| file == name);
    if !plain || name.contains(['/', '\\', ':']) {
        let name: String = name.chars().take(60).collect();
        return Err(format!(
            "its weights are said to lie in {name:?}, which is not a plain file name"
        ));
    }
    let there = path.with_file_name(name);
    if !std::fs::metadata(&there).is_ok_and(|file| file.is_file()) {
        return Err(format!(
            "its weights are in {}, which is not there; keep both files together, or export with external_data=False",
            there.display()
        ));
    }
    storage::read(&there, MAX_BYTES).map_err(|error| error.to_string())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    SafeTensors,
    Onnx,
}

impl Format {
    /// What a file looks like, by its first bytes; by its name only where they do not tell.
    fn of(path: &Path, bytes: &[u8]) -> Result<Self, String> {
        const SAVE: &str =
            "save the state dict with safetensors.torch.save_file(model.state_dict(), FILE)";
        let known: [(usize, &[u8], String); 8] = [
            (0, b"PK\x03\x04", format!("a zip archive, as torch.save writes; {SAVE}")),
            (0, b"PK\x05\x06", "an empty zip archive".to_owned()),
            (0, b"GGUF", format!("a GGUF file, which is not read; {SAVE}")),
            (0, b"\x89HDF", "an HDF5 file, as Keras writes, which is not read".to_owned()),
            (0, b"\x93NUMPY", "an array in .npy format, not a model".to_owned()),
            (0, b"\x1f\x8b", "a gzip archive; unpack it first".to_owned()),
            (4, b"TFL3", "a TensorFlow Lite file, which is not read".to_owned()),
            (0, b"{", "JSON text, not a model".to_owned()),
        ];
        if bytes.is_empty() {
            return Err("it is empty".to_owned());
        }
        // The length of a header may begin with the bytes by which other formats are known, so it is looked at first.
        if let Some((length, rest)) = bytes.split_first_chunk::<8>()
            && u64::from_le_bytes(*length) <= rest.len() as u64
            && rest.first() == Some(&b'{')
        {
            return Ok(Self::SafeTensors);
        }
        for (at, magic, what) in known {
            if bytes.get(at..).is_some_and(|rest| rest.starts_with(magic)) {
                return Err(format!("it looks like {what}"));
            }
        }
        // Pickle of protocols 2 to 5, which old versions of torch.save write bare.
        if bytes[0] == 0x80 && bytes.get(1).is_some_and(|protocol| (2..=5).contains(protocol)) {
            return Err(format!("it looks like a Python pickle, which is not read; {SAVE}"));
        }
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "safetensors" => Ok(Self::SafeTensors),
            "onnx" => Ok(Self::Onnx),
            _ if bytes.get(8) == Some(&b'{') => Ok(Self::SafeTensors),
            // Field 1, the version of the format, as a varint.
            _ if bytes[0] == 0x08 => Ok(Self::Onnx),
            _ => Err("it is neither a safetensors nor an ONNX file".to_owned()),
        }
    }
}

/// Refuses a number that is not finite, with its place in the tensor `name` of shape `dims`.
fn finite(name: &str, dims: &[usize], numbers: &[f64]) -> Result<(), String> {
    let Some(at) = numbers.iter().position(|w| !w.is_finite()) else { return Ok(()) };
    let place = match dims {
        [_, columns] => format!("{}, {}", at / columns, at % columns),
        _ => at.to_string(),
    };
    Err(format!("{name}[{place}] is {}; only finite weights are accepted", numbers[at]))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Format, Imported, onnx, state_dict};

    /// Reads bytes as `import` would, but from memory: thousands of damaged files are looked at.
    fn read(name: &str, bytes: &[u8]) -> Result<Imported, String> {
        match Format::of(Path::new(name), bytes)? {
            Format::SafeTensors => state_dict::read(bytes, "relu".parse().ok().as_ref()),
            Format::Onnx => onnx::read(bytes, &mut |name| Err(format!("{name} is not there"))),
        }
    }

    fn fixture(name: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch");
        std::fs::read(folder.join(name)).unwrap()
    }

    #[test]
    fn every_truncation_of_a_fixture_is_refused_or_leaves_the_whole_net() {
        let onnx = ["relu-legacy.onnx", "gelu64-parts.onnx", "gelu-node.onnx", "view-legacy.onnx"];
        for name in onnx.into_iter().chain(["relu.safetensors"]) {
            let bytes = fixture(name);
            let whole = read(name, &bytes).unwrap();
            for n in 0..bytes.len() {
                // Only what stands behind the graph may be missing: the versions of its operators.
                if let Ok(read) = read(name, &bytes[..n]) {
                    assert!(onnx.contains(&name) && n + 32 > bytes.len(), "{name}, {n} bytes");
                    assert_eq!(read, whole);
                }
            }
        }
    }

    #[test]
    fn flipped_bytes_are_read_as_a_net_or_refused_but_never_panic() {
        let names =
            ["relu-legacy.onnx", "gelu-legacy-parts.onnx", "tanh-beside.onnx", "relu.safetensors"];
        let mut n_refused = 0;
        for name in names {
            let bytes = fixture(name);
            for i in 0..bytes.len() {
                for mask in [0x01, 0x10, 0x80, 0xff] {
                    let mut hostile = bytes.clone();
                    hostile[i] ^= mask;
                    n_refused += usize::from(read(name, &hostile).is_err());
                }
            }
        }
        assert!(n_refused > 1000, "{n_refused} refused");
    }
}
