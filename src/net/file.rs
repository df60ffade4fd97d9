//! Model files: one safetensors file with named tensors and a description, and never a key or a trigger.
//!
//! Tensors are `layers.N.weight` (outputs × inputs) and `layers.N.bias`, all `f32` or all `f64`. The metadata entry
//! `absolve` holds versioned JSON. Files are read as if they were hostile: sizes before allocation, shapes against each
//! other, no number that is not finite, no version and no tensor that is not known.
use std::path::Path;

use ndarray::Array2;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::{Activation, Layer, Lock, Net, Precision};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::storage::{self, Readers};

/// The version of the description in a model file.
const VERSION: u32 = 1;
/// The metadata entry that holds it.
const ENTRY: &str = "absolve";
/// Largest model file that is read.
const MAX_BYTES: u64 = 1 << 30;

/// A net with the description that travels with it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    /// The net.
    pub net: Net,
    /// Where its inputs live, if that was recorded.
    pub domain: Option<Domain>,
    /// What its answers mean, if that was recorded.
    pub target: Option<Target>,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Where a model comes from: enough to make it, and its population, again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The task it was trained for, as a specification; null for a model from elsewhere.
    pub task: serde_json::Value,
    /// The seed of its population and its training.
    pub seed: Option<u64>,
    /// The version of this crate that wrote it.
    pub crate_version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    version: u32,
    activations: Vec<Activation>,
    domain: Option<Domain>,
    target: Option<Target>,
    provenance: Provenance,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lock: Option<Lock>,
}

impl ModelFile {
    /// Writes the file, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        storage::replace(path, &self.to_bytes()?, Readers::Everyone)
    }

    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(&storage::read(path, MAX_BYTES)?).map_err(|why| Error::file(path, why))
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let layers = self.net.layers();
        let description = Description {
            version: VERSION,
            activations: layers.iter().map(|layer| layer.activation).collect(),
            domain: self.domain.clone(),
            target: self.target,
            provenance: self.provenance.clone(),
            lock: self.net.lock().cloned(),
        };
        let failed = |error: &dyn std::fmt::Display| Error::Spec {
            place: "model file".to_owned(),
            why: error.to_string(),
        };
        let description = serde_json::to_string(&description).map_err(|error| failed(&error))?;
        let precision = self.net.precision();
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = layers
            .iter()
            .enumerate()
            .flat_map(|(i, layer)| {
                let weight: Vec<f64> = layer.weight.iter().copied().collect();
                let (outputs, inputs) = layer.weight.dim();
                let bias = layer.bias.to_vec();
                [
                    (format!("layers.{i}.weight"), vec![outputs, inputs], pack(&weight, precision)),
                    (format!("layers.{i}.bias"), vec![outputs], pack(&bias, precision)),
                ]
            })
            .collect();
        let dtype = match precision {
            Precision::F32 => Dtype::F32,
            Precision::F64 => Dtype::F64,
        };
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                let view = TensorView::new(dtype, shape.clone(), bytes);
                view.map(|view| (name, view)).map_err(|error| failed(&error))
            })
            .collect::<Result<Vec<_>>>()?;
        let metadata = [(ENTRY.to_owned(), description)].into_iter().collect();
        safetensors::serialize(views, Some(metadata)).map_err(|error| failed(&error))
    }

    /// Reads the bytes of a file; the error says what is wrong with them.
    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let not_safetensors = |error| format!("not a whole safetensors file ({error})");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(ENTRY))
            .ok_or("no \"absolve\" entry in its metadata, so its activations are not known")?;
        let versioned: serde_json::Value = serde_json::from_str(text)
            .map_err(|error| format!("its description is not JSON ({error})"))?;
        match versioned.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => {
                return Err(format!("version {version} is not known, only {VERSION} is"));
            }
            None => return Err("its description has no version".to_owned()),
        }
        let description: Description = serde_json::from_value(versioned)
            .map_err(|error| format!("its description does not fit version {VERSION} ({error})"))?;
        let n_layers = description.activations.len();
        if tensors.len() != 2 * n_layers {
            let (want, got) = (2 * n_layers, tensors.len());
            return Err(format!("{n_layers} activations want {want} tensors, got {got}"));
        }
        let mut precision = None;
        let mut layers = Vec::with_capacity(n_layers);
        for (number, activation) in description.activations.into_iter().enumerate() {
            let (shape, weight) =
                numbers(&tensors, &format!("layers.{number}.weight"), 2, &mut precision)?;
            let (_, bias) = numbers(&tensors, &format!("layers.{number}.bias"), 1, &mut precision)?;
            let weight = Array2::from_shape_vec((shape[0], shape[1]), weight)
                .map_err(|error| error.to_string())?;
            layers.push(Layer { weight, bias: bias.into(), activation });
        }
        let mut net =
            Net::new(layers, precision.unwrap_or_default()).map_err(|error| error.to_string())?;
        if let Some(lock) = description.lock {
            net = net.with_lock(lock).map_err(|error| error.to_string())?;
        }
        let shape = net.shape();
        if let Some(domain) = &description.domain {
            domain.check().map_err(|error| error.to_string())?;
            if domain.n() != shape.inputs {
                return Err(format!(
                    "its domain has {} dimensions, its net {} inputs",
                    domain.n(),
                    shape.inputs
                ));
            }
        }
        if let Some(target) = description.target
            && target.outputs() != shape.outputs
        {
            return Err(format!(
                "its target wants {} outputs, its net has {}",
                target.outputs(),
                shape.outputs
            ));
        }
        let (domain, target) = (description.domain, description.target);
        Ok(Self { net, domain, target, provenance: description.provenance })
    }
}

pub(super) fn pack(numbers: &[f64], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F32 => numbers.iter().flat_map(|w| (*w as f32).to_le_bytes()).collect(),
        Precision::F64 => numbers.iter().flat_map(|w| w.to_le_bytes()).collect(),
    }
}

/// The shape and numbers of one tensor, which must have `n_dims` dimensions and the precision of those before it.
pub(super) fn numbers(
    tensors: &SafeTensors<'_>,
    name: &str,
    n_dims: usize,
    precision: &mut Option<Precision>,
) -> Result<(Vec<usize>, Vec<f64>), String> {
    let view = tensors.tensor(name).map_err(|_| format!("tensor {name} is missing"))?;
    if view.shape().len() != n_dims {
        return Err(format!(
            "tensor {name}: {n_dims} dimensions wanted, got shape {:?}",
            view.shape()
        ));
    }
    let (found, numbers) = match view.dtype() {
        Dtype::F32 => {
            let chunks = view.data().as_chunks::<4>().0;
            (Precision::F32, chunks.iter().map(|c| f64::from(f32::from_le_bytes(*c))).collect())
        }
        Dtype::F64 => {
            let chunks = view.data().as_chunks::<8>().0;
            (Precision::F64, chunks.iter().map(|c| f64::from_le_bytes(*c)).collect())
        }
        other => return Err(format!("tensor {name}: {other:?} is not read, only F32 and F64 are")),
    };
    if *precision.get_or_insert(found) != found {
        return Err(format!("tensor {name}: all tensors must have one precision"));
    }
    Ok((view.shape().to_vec(), numbers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn model(precision: Precision) -> ModelFile {
        let net =
            Net::random(&[3, 4, 1], Activation::Tanh, precision, &mut Seed::new(1).stream("init"))
                .unwrap();
        ModelFile {
            net,
            domain: Some(Domain::Ball { n: 3 }),
            target: Some(Target::Real),
            provenance: Provenance { seed: Some(7), ..Provenance::default() },
        }
    }

    #[test]
    fn a_model_comes_back_as_it_was_and_the_bytes_are_stable() {
        for precision in [Precision::F32, Precision::F64] {
            let model = model(precision);
            let bytes = model.to_bytes().unwrap();
            assert_eq!(bytes, model.to_bytes().unwrap());
            assert_eq!(ModelFile::from_bytes(&bytes).unwrap(), model);
        }
    }

    #[test]
    fn every_truncation_is_an_error_and_never_a_panic() {
        let bytes = model(Precision::F32).to_bytes().unwrap();
        for n in 0..bytes.len() {
            assert!(ModelFile::from_bytes(&bytes[..n]).is_err(), "{n} bytes");
        }
    }

    #[test]
    fn flipped_bytes_are_read_as_a_model_or_refused_but_never_panic() {
        let bytes = model(Precision::F64).to_bytes().unwrap();
        for i in 0..bytes.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut hostile = bytes.clone();
                hostile[i] ^= mask;
                if let Ok(read) = ModelFile::from_bytes(&hostile) {
                    assert_eq!(read.net.shape(), model(Precision::F64).net.shape());
                }
            }
        }
    }

    #[test]
    fn a_header_that_claims_the_moon_is_refused_before_anything_is_allocated() {
        let mut bytes = (1_u64 << 60).to_le_bytes().to_vec();
        bytes.extend_from_slice(b"{}");
        assert!(
            ModelFile::from_bytes(&bytes).unwrap_err().contains("not a whole safetensors file")
        );
    }

    #[test]
    fn a_weight_that_is_not_finite_is_refused_with_its_place() {
        let model = model(Precision::F32);
        let mut bytes = model.to_bytes().unwrap();
        let last = bytes.len() - 4;
        bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
        let why = ModelFile::from_bytes(&bytes).unwrap_err();
        assert!(why.contains("layers.1.weight[0, 3] is not finite"), "{why}");
    }

    #[test]
    fn another_version_is_refused_by_number() {
        let bytes = model(Precision::F32).to_bytes().unwrap();
        let key = b"\\\"version\\\":";
        let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len();
        let mut other = bytes;
        other[at] = b'9';
        assert!(ModelFile::from_bytes(&other).unwrap_err().contains("version 9 is not known"));
    }
}
