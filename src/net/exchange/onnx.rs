//! ONNX files: from bytes to tensors and nodes, and from the walk over them to a net.
use rten_onnx::onnx::{DataLocation, DataType, ModelProto, TensorProto, ValueInfoProto};

use super::graph::{Dims, Graph, MOST_NUMBERS};
use super::{Imported, finite, wire};
use crate::net::Precision;

/// Reads the file called so that lies beside the model.
pub(super) type Beside<'a> = &'a mut dyn FnMut(&str) -> Result<Vec<u8>, String>;

/// A constant of a graph.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    /// What errors call it.
    pub(super) name: String,
    /// Its shape.
    pub(super) dims: Vec<usize>,
    /// Its numbers, row by row.
    pub(super) numbers: Numbers,
}

#[derive(Clone, Debug)]
pub(super) enum Numbers {
    /// Weights, and the precision that they have.
    Floats(Vec<f64>, Precision),
    /// Shapes, axes and flags.
    Integers(Vec<i64>),
}

/// Reads the bytes of an ONNX file; the error says what is wrong with them, or what is not read, by name.
pub(super) fn read(bytes: &[u8], beside: Beside<'_>) -> Result<Imported, String> {
    wire::check(bytes)?;
    let model =
        ModelProto::parse_buf(bytes).map_err(|error| format!("not an ONNX file ({error})"))?;
    let proto = model.graph.ok_or("not an ONNX file: it holds no graph")?;
    let mut graph = Graph::default();
    let mut files = Files { beside, read: None, n_numbers: 0 };
    for initializer in &proto.initializer {
        graph.constant(tensor(initializer, &mut files)?)?;
    }
    let inputs: Vec<&ValueInfoProto> = proto
        .input
        .iter()
        .filter(|input| !graph.knows(input.name.as_deref().unwrap_or_default()))
        .collect();
    let [input] = inputs[..] else {
        let names: Vec<&str> = inputs.iter().filter_map(|input| input.name.as_deref()).collect();
        return Err(format!("{} inputs ({}); one is read", names.len(), names.join(", ")));
    };
    graph.input(input.name.as_deref().unwrap_or_default(), input_dims(input)?)?;
    for node in &proto.node {
        graph.node(node, &mut |constant| tensor(constant, &mut files))?;
    }
    match &proto.output[..] {
        [output] => graph.net(output.name.as_deref().unwrap_or_default()),
        outputs => Err(format!("{} outputs; one is read", outputs.len())),
    }
}

/// The declared shape of the input, where a size that is not a number is free.
fn input_dims(input: &ValueInfoProto) -> Result<Dims, String> {
    let name = input.name.as_deref().unwrap_or_default();
    let Some(declared) = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref()) else {
        return Ok(None);
    };
    match declared.elem_type {
        None | Some(DataType::FLOAT | DataType::DOUBLE) => {}
        Some(other) => {
            return Err(format!("input {name} is of {other}; FLOAT and DOUBLE are read"));
        }
    }
    let Some(shape) = &declared.shape else { return Ok(None) };
    let size = |dim: Option<i64>| dim.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    Ok(Some(shape.dim.iter().map(|dim| size(dim.dim_value)).collect()))
}

/// The files beside the model; the last one is kept, since all weights are mostly in one.
struct Files<'a> {
    beside: Beside<'a>,
    read: Option<(String, Vec<u8>)>,
    /// Numbers of all tensors so far, whether a layer uses them or not.
    n_numbers: usize,
}

impl Files<'_> {
    /// The bytes that an initializer of `wanted` bytes points to.
    fn bytes(
        &mut self,
        tensor: &TensorProto,
        name: &str,
        wanted: usize,
    ) -> Result<Vec<u8>, String> {
        let mut location = None;
        let (mut offset, mut length) = (0, None);
        for entry in &tensor.external_data {
            let (key, value) = (entry.key.as_deref(), entry.value.as_deref().unwrap_or_default());
            let number = || {
                value.parse::<usize>().map_err(|_| format!("tensor {name}: {value:?} is no size"))
            };
            match key {
                Some("location") => location = Some(value.to_owned()),
                Some("offset") => offset = number()?,
                Some("length") => length = Some(number()?),
                _ => {}
            }
        }
        let location = location.ok_or_else(|| format!("tensor {name} lies nowhere"))?;
        if self.read.as_ref().is_none_or(|(file, _)| *file != location) {
            self.read = Some((location.clone(), (self.beside)(&location)?));
        }
        let bytes = self.read.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        let part = offset.checked_add(wanted).and_then(|end| bytes.get(offset..end));
        match part {
            Some(part) if length.is_none_or(|length| length == wanted) => Ok(part.to_vec()),
            _ => Err(format!(
                "tensor {name}: {wanted} bytes from byte {offset} of {location} are needed, which has {}",
                bytes.len()
            )),
        }
    }
}

/// The numbers of a tensor, from wherever they lie.
fn tensor(tensor: &TensorProto, files: &mut Files<'_>) -> Result<Tensor, String> {
    let name = tensor.name.clone().unwrap_or_default();
    let dims: Option<Vec<usize>> = tensor.dims.iter().map(|d| usize::try_from(*d).ok()).collect();
    let n = dims.as_ref().and_then(|d| d.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)));
    let (Some(dims), Some(n)) = (dims, n) else {
        return Err(format!("tensor {name}: a shape of {:?} is impossible", tensor.dims));
    };
    let kind = tensor.data_type.unwrap_or(DataType(0));
    let size = match kind {
        DataType::FLOAT | DataType::INT32 => 4,
        DataType::DOUBLE | DataType::INT64 => 8,
        DataType::BOOL => 1,
        DataType::FLOAT16 | DataType::BFLOAT16 => {
            return Err(format!("tensor {name} is of {kind}; export the model in float32"));
        }
        other => return Err(format!("tensor {name} is of {other}, which is not read")),
    };
    files.n_numbers = files.n_numbers.saturating_add(n);
    if files.n_numbers > MOST_NUMBERS {
        return Err(format!("up to tensor {name} it has more than {MOST_NUMBERS} numbers"));
    }
    let wanted = n.checked_mul(size).ok_or_else(|| format!("tensor {name} is too large"))?;
    let raw = if tensor.data_location == Some(DataLocation::EXTERNAL) {
        Some(files.bytes(tensor, &name, wanted)?)
    } else {
        tensor.raw_data.as_ref().map(|raw| raw.borrow().clone())
    };
    if let Some(raw) = &raw
        && raw.len() != wanted
    {
        let got = raw.len();
        return Err(format!("tensor {name}: shape {dims:?} wants {wanted} bytes, got {got}"));
    }
    let numbers = match (kind, &raw) {
        (DataType::FLOAT, Some(raw)) => Numbers::Floats(
            raw.as_chunks::<4>().0.iter().map(|c| f64::from(f32::from_le_bytes(*c))).collect(),
            Precision::F32,
        ),
        (DataType::FLOAT, None) => {
            let floats = tensor.float_data.iter().map(|w| f64::from(*w)).collect();
            Numbers::Floats(floats, Precision::F32)
        }
        (DataType::DOUBLE, Some(raw)) => Numbers::Floats(
            raw.as_chunks::<8>().0.iter().map(|c| f64::from_le_bytes(*c)).collect(),
            Precision::F64,
        ),
        (DataType::DOUBLE, None) => Numbers::Floats(tensor.double_data.clone(), Precision::F64),
        (DataType::INT64, Some(raw)) => Numbers::Integers(
            raw.as_chunks::<8>().0.iter().map(|c| i64::from_le_bytes(*c)).collect(),
        ),
        (DataType::INT64, None) => Numbers::Integers(tensor.int64_data.clone()),
        (DataType::INT32, Some(raw)) => Numbers::Integers(
            raw.as_chunks::<4>().0.iter().map(|c| i64::from(i32::from_le_bytes(*c))).collect(),
        ),
        (_, Some(raw)) => Numbers::Integers(raw.iter().map(|byte| i64::from(*byte)).collect()),
        (_, None) => Numbers::Integers(tensor.int32_data.iter().map(|n| i64::from(*n)).collect()),
    };
    let got = match &numbers {
        Numbers::Floats(floats, _) => {
            finite(&name, &dims, floats)?;
            floats.len()
        }
        Numbers::Integers(integers) => integers.len(),
    };
    if got != n {
        return Err(format!("tensor {name}: shape {dims:?} wants {n} numbers, got {got}"));
    }
    Ok(Tensor { name, dims, numbers })
}
