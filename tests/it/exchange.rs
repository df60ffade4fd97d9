//! Models that come and go: PyTorch's state dicts and ONNX files, against PyTorch's own answers.
mod graphs;

use std::fs;
use std::path::{Path, PathBuf};

use Activation::{Gelu, Identity, Relu, Tanh};
use absolve::data::Batch;
use absolve::ledger::{Budget, Ledger};
use absolve::net::{
    Activation, Activations, Imported, Layer, Net, Precision, import, sequential, state_dict,
};
use absolve::rng::{Seed, normal};
use ndarray::{Array1, Array2};
use ndarray_npy::read_npy;
use rten_onnx::onnx::{
    AttributeProto, DataLocation, DataType, Dimension, GraphProto, ModelProto, NodeProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto, TypeProtoTensor,
    ValueInfoProto,
};
use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;

use crate::support::{absolve, error_of};

/// Fixture, its file, the activation if the file does not say, and its widths.
const FIXTURES: &[(&str, &str, Option<&str>, &[usize])] = &[
    ("relu", "relu.safetensors", Some("relu"), &[5, 16, 3]),
    ("tanh64", "tanh64.safetensors", None, &[4, 9, 8, 7, 2]),
    ("gelu", "gelu.safetensors", None, &[6, 12, 12, 1]),
    ("linear", "linear.safetensors", None, &[7, 2]),
    ("relu-legacy", "relu-legacy.onnx", None, &[6, 20, 10, 4]),
    ("gelu-legacy-parts", "gelu-legacy-parts.onnx", None, &[3, 8, 8, 2]),
    ("gelu64-parts", "gelu64-parts.onnx", None, &[3, 8, 2]),
    ("gelu-node", "gelu-node.onnx", None, &[3, 8, 8, 8, 2]),
    ("view-legacy", "view-legacy.onnx", None, &[6, 5, 3]),
    ("tanh-beside", "tanh-beside.onnx", None, &[6, 40, 3]),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch").join(name)
}

fn numbers(name: &str) -> Batch {
    let path = fixture(name);
    read_npy(&path).unwrap_or_else(|_| {
        let single: Array2<f32> = read_npy(&path).unwrap();
        single.mapv(f64::from)
    })
}

fn answers(net: &Net, xs: &Batch) -> Batch {
    net.forward(xs, &Ledger::new(Budget::UNLIMITED)).unwrap()
}

/// The largest |ours − theirs| / max(1, |theirs|).
fn farthest(ours: &Batch, theirs: &Batch) -> f64 {
    assert_eq!(ours.dim(), theirs.dim());
    let pairs = ours.iter().zip(theirs);
    pairs.map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f64::max)
}

fn in_file(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// Why `bytes` are refused as a file called `name`.
fn refusal(name: &str, bytes: &[u8], activation: Option<&str>) -> String {
    let dir = TempDir::new().unwrap();
    let activations: Option<Activations> = activation.map(|name| name.parse().unwrap());
    let path = in_file(dir.path(), name, bytes);
    import(&path, activations.as_ref()).unwrap_err().to_string()
}

#[test]
fn every_fixture_answers_as_pytorch_did() {
    for (name, file, activation, widths) in FIXTURES {
        let activations: Option<Activations> = activation.map(|name| name.parse().unwrap());
        let Imported { net, .. } = import(&fixture(file), activations.as_ref()).unwrap();
        assert_eq!(net.widths(), *widths, "{name}");
        let (xs, theirs) = (numbers(&format!("{name}.x.npy")), numbers(&format!("{name}.y.npy")));
        let double = name.contains("64");
        assert_eq!(net.precision() == Precision::F64, double, "{name}");
        // In 32 bits sums may be taken in another order; in 64 the error function is good to 1e-11.
        let limit = if double { 1e-9 } else { 1e-5 };
        let far = farthest(&answers(&net, &xs), &theirs);
        assert!(far <= limit, "{name}: {far:e}");
    }
}

#[test]
fn a_wrong_activation_would_be_noticed() {
    let theirs = numbers("relu.y.npy");
    for wrong in ["tanh", "gelu", "identity"] {
        let net = import(&fixture("relu.safetensors"), Some(&wrong.parse().unwrap())).unwrap().net;
        assert!(farthest(&answers(&net, &numbers("relu.x.npy")), &theirs) > 1e-3, "{wrong}");
    }
}

#[test]
fn a_model_goes_through_the_command_line_and_back() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    let given = fixture("relu.safetensors");
    let run = |args: &[&str]| {
        let output = absolve(here).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let given = given.to_str().unwrap();
    let said = error_of(absolve(here).args(["import", given, "--out", "m"]), 1);
    assert!(said.contains("name it with --activation"), "{said}");
    run(&["import", given, "--activation", "relu", "--out", "m"]);
    run(&["predict", "m", fixture("relu.x.npy").to_str().unwrap(), "--out", "y.npy"]);
    let ours: Batch = read_npy(here.join("y.npy")).unwrap();
    assert!(farthest(&ours, &numbers("relu.y.npy")) <= 1e-5);
    let shown = run(&["export", "m", "--out", "e.safetensors"]);
    assert!(
        shown.contains("model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3))"),
        "{shown}"
    );
    run(&["import", "e.safetensors", "--out", "again"]);
    assert_eq!(fs::read(here.join("m")).unwrap(), fs::read(here.join("again")).unwrap());
    let said = error_of(absolve(here).args(["import", "m", "--out", "x"]), 1);
    assert!(said.contains("model file of this program already"), "{said}");
    let said = error_of(
        absolve(here).args(["import", "e.safetensors", "--task", "digits", "--out", "x"]),
        2,
    );
    assert!(said.contains("maps 64 inputs to 10 outputs, the model 5 to 3"), "{said}");
}

#[test]
fn a_task_gives_an_imported_model_its_domain_and_meaning() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    let mut rng = Seed::new(5).stream("net");
    let net = Net::random(&[64, 8, 10], Activation::Relu, Precision::F32, &mut rng).unwrap();
    in_file(here, "e.safetensors", &state_dict(&net).unwrap());
    let args = ["import", "e.safetensors", "--task", "digits", "--seed", "3", "--out", "m"];
    absolve(here).args(args).assert().success();
    // All that `evaluate` needs is in the file: chance is 90% wrong, far from a file that cannot be scored.
    absolve(here).args(["evaluate", "m"]).assert().success();
    let file = absolve::net::ModelFile::load(&here.join("m")).unwrap();
    assert_eq!(file.net, net);
    assert_eq!(file.target, Some(absolve::data::Target::Classes(10)));
}

#[test]
fn what_is_exported_comes_back_bit_for_bit() {
    let dir = TempDir::new().unwrap();
    let mut rng = Seed::new(7).stream("weights");
    let mut layer = |outputs, inputs, activation| Layer {
        weight: Array2::from_shape_simple_fn((outputs, inputs), || normal(&mut rng)),
        bias: Array1::from_shape_simple_fn(outputs, || normal(&mut rng)),
        activation,
    };
    let shapes: &[(&[Activation], &str)] = &[
        (&[Relu, Relu, Identity], "relu"),
        (&[Identity], "identity"),
        (&[Tanh], "tanh,"),
        (&[Gelu, Tanh, Identity], "gelu,tanh,identity"),
        (&[Relu, Relu], "relu,relu"),
        (&[Identity, Identity], "identity"),
    ];
    for precision in [Precision::F32, Precision::F64] {
        for (activations, entry) in shapes {
            let layers = activations.iter().enumerate().map(|(i, a)| layer(i + 2, i + 1, *a));
            let net = Net::new(layers.collect(), precision).unwrap();
            let bytes = state_dict(&net).unwrap();
            let header = String::from_utf8_lossy(&bytes);
            assert!(header.contains(&format!(r#""activation":"{entry}""#)), "{header}");
            let path = in_file(dir.path(), "e.safetensors", &bytes);
            assert_eq!(import(&path, None).unwrap(), Imported { net, notes: vec![] });
        }
    }
    let net = Net::new(vec![layer(2, 1, Identity), layer(1, 2, Tanh)], Precision::F64).unwrap();
    let module =
        "nn.Sequential(nn.Linear(1, 2), nn.Identity(), nn.Linear(2, 1), nn.Tanh()).double()";
    assert_eq!(sequential(&net), module);
}

/// A safetensors file of tensors of one type, all of whose bytes are `byte`.
fn tensors(dtype: Dtype, named: &[(&str, &[usize])], byte: u8) -> Vec<u8> {
    let size = if dtype == Dtype::F64 {
        8
    } else if dtype == Dtype::F32 {
        4
    } else {
        2
    };
    let bytes: Vec<Vec<u8>> =
        named.iter().map(|(_, shape)| vec![byte; size * shape.iter().product::<usize>()]).collect();
    let views = named.iter().zip(&bytes).map(|((name, shape), bytes)| {
        (*name, TensorView::new(dtype, shape.to_vec(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn state_dicts_of_anything_else_are_refused_by_name() {
    let plain: &[(&str, &[usize])] = &[("0.weight", &[4, 3]), ("2.weight", &[2, 4])];
    let with = |more: (&'static str, &'static [usize])| {
        let mut all = plain.to_vec();
        all.push(more);
        refusal("f.safetensors", &tensors(Dtype::F32, &all, 0), Some("relu"))
    };
    for (tensor, says) in [
        (("2.bias", &[3][..]), "2.bias has 3 numbers, but 2.weight has 2 rows"),
        (("3.weight", &[2, 5]), "3.weight takes 5 numbers, but 2.weight gives 2"),
        (("1.running_mean", &[4]), "tensor 1.running_mean: a normalisation"),
        (("1.weight", &[4]), "tensor 1.weight has one dimension: a normalisation"),
        (("4.weight", &[1, 2, 3, 3]), "tensor 4.weight has 4 dimensions, a convolution"),
        (("7.bias", &[2]), "tensor 7.bias has no weight beside it"),
        (("extra", &[2]), "tensor extra: not a name"),
        (("fc.weight", &[2, 2]), "tensor fc.weight: not a name"),
        (("01.weight", &[2, 2]), "tensor 01.weight: not a name"),
        (("other.4.weight", &[2, 2]), "tensor other.4.weight: others begin with \"\""),
        (("4.weight_orig", &[2, 2]), "torch.nn.utils.prune.remove"),
    ] {
        let why = with(tensor);
        assert!(why.contains(says), "{why}");
    }
    for dtype in [Dtype::BF16, Dtype::F16] {
        let why = refusal("f.safetensors", &tensors(dtype, plain, 0), Some("relu"));
        assert!(
            why.contains("tensor 0.weight is in 16 bits") && why.contains("model.float()"),
            "{why}"
        );
    }
    let why = refusal("f.safetensors", &tensors(Dtype::F32, plain, 0xff), Some("relu"));
    assert!(why.contains("0.weight[0, 0] is NaN"), "{why}");
    // Neighbours have nothing between them, unless someone says so for each.
    let neighbours: &[(&str, &[usize])] = &[("0.weight", &[4, 3]), ("1.weight", &[2, 4])];
    let why = refusal("f.safetensors", &tensors(Dtype::F32, neighbours, 0), Some("relu"));
    assert!(why.contains("0.weight and 1.weight are neighbours"), "{why}");
    let why = refusal("f.safetensors", &tensors(Dtype::F32, plain, 0), Some("relu,tanh,relu"));
    assert!(why.contains("3 activations are named"), "{why}");
}

#[test]
fn a_header_whose_length_looks_like_another_format_is_still_a_header() {
    let dir = TempDir::new().unwrap();
    let mut rng = Seed::new(8).stream("net");
    let net = Net::random(&[2, 3, 1], Relu, Precision::F32, &mut rng).unwrap();
    let bytes = state_dict(&net).unwrap();
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    // A pickle begins with 80 02 to 80 05, JSON with 7b, gzip with 1f 8b.
    for padded in [0x0280_usize, 0x0580, 0x027b, 0x8b1f] {
        let blanks = vec![b' '; padded - header.len()];
        let whole = [&padded.to_le_bytes()[..], header, &blanks, data].concat();
        for name in ["f.safetensors", "f.onnx", "f"] {
            assert_eq!(import(&in_file(dir.path(), name, &whole), None).unwrap().net, net);
        }
    }
}

#[test]
fn files_of_other_kinds_are_named() {
    let moon = [&(1_u64 << 60).to_le_bytes()[..], b"{}"].concat();
    for (name, bytes, says) in [
        ("m.pt", &b"PK\x03\x04rest"[..], "a zip archive, as torch.save writes"),
        ("m.safetensors", b"PK\x03\x04rest", "a zip archive, as torch.save writes"),
        ("m.pt", b"\x80\x02\x8a\x0a", "a Python pickle"),
        ("m.gguf", b"GGUF\x03", "a GGUF file"),
        ("m.h5", b"\x89HDF\r\n", "an HDF5 file"),
        ("m.npy", b"\x93NUMPY\x01\x00", "an array in .npy format"),
        ("m.txt", b"hello there", "neither a safetensors nor an ONNX file"),
        ("m.onnx", b"", "it is empty"),
        ("m.onnx", b"hello there", "not an ONNX file"),
        ("m.safetensors", &moon, "not a whole safetensors file"),
        ("m", &moon, "not a whole safetensors file"),
    ] {
        let why = refusal(name, bytes, None);
        assert!(why.contains(says), "{name}: {why}");
    }
}
