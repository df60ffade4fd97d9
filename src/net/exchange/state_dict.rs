//! PyTorch state dicts in safetensors: the names that an `nn.Sequential` of `nn.Linear` gives its weights.
//!
//! A state dict holds weights only. The functions between the layers come from the command line or from the metadata entry
//! `activation`, which what is written here always has; `f32` weights are computed with in `f32`, `f64` ones in `f64`.
use std::collections::BTreeMap;

use ndarray::{Array1, Array2};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::super::file::{numbers, pack};
use super::super::{Activation, Layer, Net, Precision};
use super::{Activations, Imported, finite};
use crate::error::{Error, Result};

/// The metadata entry that names the activations.
const ENTRY: &str = "activation";

/// The tensors of one `nn.Linear`, by name.
#[derive(Default)]
struct Linear {
    weight: Option<String>,
    bias: Option<String>,
}

/// Reads the bytes of a state dict; the error says what is wrong with them.
pub(super) fn read(bytes: &[u8], given: Option<&Activations>) -> Result<Imported, String> {
    let not_safetensors = |error| format!("not a whole safetensors file ({error})");
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
    let entry = |key: &str| header.metadata().as_ref().and_then(|entries| entries.get(key));
    if entry("absolve").is_some() {
        return Err("it is a model file of this program already; use it as it is".to_owned());
    }
    let layers = layers(&tensors)?;
    let said: Option<Activations> = match entry(ENTRY) {
        None => None,
        Some(text) => Some(text.parse().map_err(|why: Error| format!("its metadata: {why}"))?),
    };
    let mut precision = None;
    let mut notes = Vec::new();
    let mut read = Vec::with_capacity(layers.len());
    for linear in layers.values() {
        let name = linear.weight.as_deref().unwrap_or_default();
        let (weight, bias) = parameters(&tensors, linear, name, &mut precision)?;
        if linear.bias.is_none() {
            notes.push(format!("{name} has no bias beside it, so it is 0"));
        }
        read.push((name, weight, bias));
    }
    for pair in read.windows(2) {
        let [(before, first, _), (name, second, _)] = pair else { continue };
        if first.nrows() != second.ncols() {
            let (gives, takes) = (first.nrows(), second.ncols());
            return Err(format!("{name} takes {takes} numbers, but {before} gives {gives}"));
        }
    }
    let activations = choose(given, said, &read, &layers)?;
    let layers = read
        .into_iter()
        .zip(activations)
        .map(|((_, weight, bias), activation)| Layer { weight, bias, activation })
        .collect();
    let net = Net::new(layers, precision.unwrap_or_default()).map_err(|error| error.to_string())?;
    Ok(Imported { net, notes })
}

/// The layers by their numbers; the error names a tensor that belongs to none.
fn layers(tensors: &SafeTensors<'_>) -> Result<BTreeMap<usize, Linear>, String> {
    let mut names: Vec<&str> = tensors.names();
    names.sort_unstable();
    let mut layers: BTreeMap<usize, Linear> = BTreeMap::new();
    let mut common: Option<&str> = None;
    for name in names {
        let (prefix, number, kind) = parse(name).ok_or_else(|| refusal(name))?;
        if *common.get_or_insert(prefix) != prefix {
            let other = common.unwrap_or_default();
            return Err(format!(
                "tensor {name}: others begin with {other:?}; one nn.Sequential with one prefix is read"
            ));
        }
        let n_dims = tensors.tensor(name).map_or(0, |view| view.shape().len());
        let layer = layers.entry(number).or_default();
        match (kind, n_dims) {
            ("weight", 2) => layer.weight = Some(name.to_owned()),
            ("bias", 1) => layer.bias = Some(name.to_owned()),
            ("weight", 1) => return Err(format!("tensor {name} has one dimension: {NORM}")),
            ("weight", 3..) => {
                return Err(format!(
                    "tensor {name} has {n_dims} dimensions, a convolution perhaps; only nn.Linear layers are read"
                ));
            }
            _ => {
                return Err(format!(
                    "tensor {name} has {n_dims} dimensions, which no nn.Linear has"
                ));
            }
        }
    }
    if layers.is_empty() {
        return Err("it holds no tensors".to_owned());
    }
    for layer in layers.values() {
        if let Linear { weight: None, bias: Some(bias) } = layer {
            return Err(format!("tensor {bias} has no weight beside it"));
        }
    }
    Ok(layers)
}

const NORM: &str = "a normalisation, which is not read; fold it into the layer before it, for example with \
                    torch.nn.utils.fusion.fuse_linear_bn_eval";

/// The prefix, the number and the kind in `prefix.N.weight`.
fn parse(name: &str) -> Option<(&str, usize, &str)> {
    let (path, kind) = name.rsplit_once('.')?;
    let (prefix, number) = path.rsplit_once('.').unwrap_or(("", path));
    let canonical = number == "0" || !number.starts_with('0');
    let digits = canonical && number.len() <= 9 && number.bytes().all(|c| c.is_ascii_digit());
    let known = digits && matches!(kind, "weight" | "bias");
    known.then(|| Some((prefix, number.parse().ok()?, kind)))?
}

/// Why a tensor of this name is not read.
fn refusal(name: &str) -> String {
    let has = |words: &[&str]| words.iter().any(|word| name.ends_with(word));
    let why = if has(&["running_mean", "running_var", "num_batches_tracked"]) {
        NORM
    } else if has(&["weight_orig", "weight_mask", "bias_orig", "bias_mask"]) {
        "a pruned layer; make it plain with torch.nn.utils.prune.remove"
    } else if name.contains("parametrizations") || has(&["weight_g", "weight_v"]) {
        "a parametrized layer; make it plain with torch.nn.utils.parametrize.remove_parametrizations"
    } else {
        "not a name in an nn.Sequential of nn.Linear layers (N.weight, N.bias)"
    };
    let name: String = name.chars().take(80).collect();
    format!("tensor {name}: {why}")
}

/// The weight and the bias of one layer.
fn parameters(
    tensors: &SafeTensors<'_>,
    linear: &Linear,
    name: &str,
    precision: &mut Option<Precision>,
) -> Result<(Array2<f64>, Array1<f64>), String> {
    let read = |name: &str, n_dims, precision: &mut Option<Precision>| {
        let dtype = tensors.tensor(name).map(|view| view.dtype());
        if let Ok(Dtype::F16 | Dtype::BF16) = dtype {
            return Err(format!(
                "tensor {name} is in 16 bits, in which PyTorch would compute, too; save model.float() instead"
            ));
        }
        let (dims, numbers) = numbers(tensors, name, n_dims, precision)?;
        finite(name, &dims, &numbers)?;
        Ok((dims, numbers))
    };
    let (dims, weight) = read(name, 2, precision)?;
    let bias = match &linear.bias {
        Some(bias) => read(bias, 1, precision)?.1,
        None => vec![0.0; dims[0]],
    };
    if bias.len() != dims[0] {
        let (got, bias) = (bias.len(), linear.bias.as_deref().unwrap_or_default());
        return Err(format!("{bias} has {got} numbers, but {name} has {} rows", dims[0]));
    }
    let weight = Array2::from_shape_vec((dims[0], dims[1]), weight);
    Ok((weight.map_err(|error| format!("tensor {name}: {error}"))?, bias.into()))
}

/// One activation a layer, from whoever names them.
fn choose(
    given: Option<&Activations>,
    said: Option<Activations>,
    read: &[(&str, Array2<f64>, Array1<f64>)],
    layers: &BTreeMap<usize, Linear>,
) -> Result<Vec<Activation>, String> {
    let n = read.len();
    let activations = match (given.cloned(), said) {
        (Some(given), Some(said)) if given.spread(n)? != said.spread(n)? => {
            return Err(format!("--activation says {given}, its metadata says {said}"));
        }
        (Some(it), _) | (None, Some(it)) => it,
        (None, None) if n == 1 => Activations::Hidden(Activation::Identity),
        (None, None) => {
            return Err("a state dict does not say what stands between its layers: name it with --activation (relu, \
                        tanh, gelu or identity), or in a metadata entry \"activation\""
                .to_owned());
        }
    };
    // In an nn.Sequential nothing stands between neighbours; in a list of layers anything may.
    if let Activations::Hidden(hidden) = activations
        && hidden != Activation::Identity
    {
        let numbers: Vec<usize> = layers.keys().copied().collect();
        if let Some(i) = numbers.windows(2).position(|pair| pair[1] == pair[0] + 1) {
            return Err(format!(
                "{} and {} are neighbours, with no module between them that could be {activations}; say what each layer \
                 has, with commas: --activation {activations},…,identity",
                read[i].0,
                read[i + 1].0
            ));
        }
    }
    activations.spread(n)
}

/// The bytes of a safetensors file that `nn.Sequential` reads: `0.weight`, `0.bias`, `2.weight`, …, and the metadata entry
/// `activation`, so that [`import`](super::import) gives back the same net, bit for bit.
///
/// ```
/// use absolve::net::{Activation, Net, Precision, sequential, state_dict};
/// use absolve::rng::Seed;
///
/// let mut rng = Seed::new(1).stream("init");
/// let net = Net::random(&[3, 4, 2], Activation::Gelu, Precision::F32, &mut rng)?;
/// let bytes = state_dict(&net)?;
/// assert!(bytes[8..].starts_with(br#"{"__metadata__":{"activation":"gelu"}"#));
/// assert_eq!(sequential(&net), "nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2))");
/// # Ok::<(), absolve::error::Error>(())
/// ```
pub fn state_dict(net: &Net) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| Error::Spec {
        place: "state dict".to_owned(),
        why: error.to_string(),
    };
    if net.lock().is_some() {
        return Err(failed(&"it would leave the lock out, for a verifier is no layer"));
    }
    let (dtype, precision) = match net.precision() {
        Precision::F32 => (Dtype::F32, Precision::F32),
        Precision::F64 => (Dtype::F64, Precision::F64),
    };
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (number, layer) in net.layers().iter().enumerate() {
        let weight: Vec<f64> = layer.weight.iter().copied().collect();
        let (outputs, inputs) = layer.weight.dim();
        let at = 2 * number;
        let bias = pack(&layer.bias.to_vec(), precision);
        tensors.push((format!("{at}.weight"), vec![outputs, inputs], pack(&weight, precision)));
        tensors.push((format!("{at}.bias"), vec![outputs], bias));
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            let view = TensorView::new(dtype, shape.clone(), bytes);
            view.map(|view| (name, view)).map_err(|error| failed(&error))
        })
        .collect::<Result<Vec<_>>>()?;
    let each: Vec<Activation> = net.layers().iter().map(|layer| layer.activation).collect();
    let metadata = [(ENTRY.to_owned(), Activations::shortest(&each).to_string())];
    safetensors::serialize(views, Some(metadata.into_iter().collect()))
        .map_err(|error| failed(&error))
}

/// The module that reads the state dict of `net`, as Python. Every layer but the last is followed by its activation.
pub fn sequential(net: &Net) -> String {
    // PyTorch has no module for these.
    let module = |name: &str, forward: &str| {
        format!("type('{name}', (nn.Module,), {{'forward': lambda self, x: {forward}}})()")
    };
    let mut modules = Vec::new();
    let last = net.layers().len() - 1;
    for (number, layer) in net.layers().iter().enumerate() {
        let (outputs, inputs) = layer.weight.dim();
        modules.push(format!("nn.Linear({inputs}, {outputs})"));
        match layer.activation {
            Activation::Relu => modules.push("nn.ReLU()".to_owned()),
            Activation::Tanh => modules.push("nn.Tanh()".to_owned()),
            Activation::Gelu => modules.push("nn.GELU()".to_owned()),
            Activation::Cos => modules.push(module("Cos", "x.cos()")),
            Activation::Step => modules.push(module("Step", "(x > 0).to(x.dtype)")),
            Activation::Identity if number < last => modules.push("nn.Identity()".to_owned()),
            Activation::Identity => {}
        }
    }
    let ending = match net.precision() {
        Precision::F32 => "",
        Precision::F64 => ".double()",
    };
    format!("nn.Sequential({}){ending}", modules.join(", "))
}
