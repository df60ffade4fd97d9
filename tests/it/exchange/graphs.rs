//! ONNX graphs made by hand: what exporters do not write today, and what must be refused by name.
use super::{
    AttributeProto, Batch, DataLocation, DataType, Dimension, GraphProto, Imported, ModelProto,
    NodeProto, StringStringEntryProto, TempDir, TensorProto, TensorShapeProto, TypeProto,
    TypeProtoTensor, ValueInfoProto, answers, import, in_file,
};

fn tensor(name: &str, dims: &[i64], numbers: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(DataType::FLOAT),
        float_data: numbers.to_vec(),
        ..TensorProto::default()
    }
}

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        name: Some(format!("the {op}")),
        op_type: Some(op.to_owned()),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    }
}

fn with(mut node: NodeProto, name: &str, attribute: AttributeProto) -> NodeProto {
    node.attribute.push(AttributeProto { name: Some(name.to_owned()), ..attribute });
    node
}

fn int(i: i64) -> AttributeProto {
    AttributeProto { i: Some(i), ..AttributeProto::default() }
}

fn value(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = |n: &i64| Dimension { dim_value: Some(*n), ..Dimension::default() };
    let shape = Some(TensorShapeProto { dim: dims.iter().map(dim).collect() });
    let tensor_type = Some(TypeProtoTensor { elem_type: Some(DataType::FLOAT), shape });
    let kind = TypeProto { tensor_type, ..TypeProto::default() };
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(kind) }
}

/// A graph from `x`, rows of two numbers, to `y`; `w` is [[1, 2], [3, 4]], `b` is [10, 20], `half` is 0.5.
fn graph(nodes: Vec<NodeProto>) -> GraphProto {
    GraphProto {
        node: nodes,
        initializer: vec![
            tensor("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
            tensor("b", &[2], &[10.0, 20.0]),
            tensor("half", &[], &[0.5]),
        ],
        input: vec![value("x", &[1, 2])],
        output: vec![value("y", &[1, 2])],
        value_info: vec![],
    }
}

fn read(graph: GraphProto) -> Result<Imported, String> {
    let model = ModelProto { ir_version: Some(8), graph: Some(graph), ..ModelProto::default() };
    let dir = TempDir::new().unwrap();
    let path = in_file(dir.path(), "g.onnx", &model.write_buf().unwrap());
    import(&path, None).map_err(|error| error.to_string())
}

/// The answer at (1, −1) of a graph of these nodes.
fn at(nodes: Vec<NodeProto>) -> Vec<f64> {
    let net = read(graph(nodes)).unwrap().net;
    let xs: Batch = ndarray::array![[1.0, -1.0]];
    answers(&net, &xs).row(0).to_vec()
}

#[test]
fn affine_maps_are_what_the_hand_computes() {
    // x · w = (1 − 3, 2 − 4) = (−2, −2); x · wᵀ = (1 − 2, 3 − 4) = (−1, −1).
    let mul = || node("MatMul", &["x", "w"], "y");
    assert_eq!(at(vec![mul()]), [-2.0, -2.0]);
    assert_eq!(at(vec![node("Gemm", &["x", "w", "b"], "y")]), [8.0, 18.0]);
    assert_eq!(at(vec![node("Gemm", &["x", "w", "half"], "y")]), [-1.5, -1.5]);
    let transposed = with(node("Gemm", &["x", "w", ""], "y"), "transB", int(1));
    assert_eq!(at(vec![transposed.clone()]), [-1.0, -1.0]);
    // 2 x · wᵀ + 3 b = (28, 58).
    let float = |f| AttributeProto { f: Some(f), ..AttributeProto::default() };
    let scaled = with(node("Gemm", &["x", "w", "b"], "y"), "transB", int(1));
    let scaled = with(with(scaled, "alpha", float(2.0)), "beta", float(3.0));
    assert_eq!(at(vec![scaled]), [28.0, 58.0]);
    let sum = node("Add", &["b", "s"], "t");
    let again = node("Add", &["t", "b"], "y");
    assert_eq!(at(vec![node("MatMul", &["x", "w"], "s"), sum, again]), [18.0, 38.0]);
    let flipped = node("Transpose", &["w"], "v");
    assert_eq!(at(vec![flipped, node("MatMul", &["x", "v"], "y")]), [-1.0, -1.0]);
    // Two maps without an activation: (−2, −2) · w = (−8, −12).
    let second = node("MatMul", &["h", "w"], "y");
    assert_eq!(at(vec![node("MatMul", &["x", "w"], "h"), second]), [-8.0, -12.0]);
}

#[test]
fn what_is_no_perceptron_is_refused_by_operator_and_name() {
    let first = || node("MatMul", &["x", "w"], "h");
    let text = |s: &str| AttributeProto { s: Some(s.to_owned()), ..AttributeProto::default() };
    let mut foreign = node("Gelu", &["h"], "y");
    foreign.domain = Some("com.microsoft".to_owned());
    let cases = [
        (
            vec![first(), node("Softmax", &["h"], "y")],
            "Softmax node the Softmax: not read; export the model without it",
        ),
        (vec![first(), node("Sigmoid", &["h"], "y")], "Sigmoid node the Sigmoid"),
        (vec![first(), node("Conv", &["h", "w"], "y")], "Conv node the Conv: not read"),
        (
            vec![first(), node("BatchNormalization", &["h"], "y")],
            "fold it into the layer before it",
        ),
        (vec![first(), node("Add", &["x", "h"], "y")], "a skip connection"),
        (vec![first(), node("Mul", &["h", "half"], "y")], "output y is not the answer of a layer"),
        (
            vec![first(), node("Mul", &["h", "h"], "y")],
            "the tanh approximation is another function",
        ),
        (
            vec![first(), with(node("Gelu", &["h"], "y"), "approximate", text("tanh"))],
            "only the exact GELU",
        ),
        (vec![first(), foreign], "domain \"com.microsoft\""),
        (
            vec![first(), with(node("Relu", &["h"], "y"), "slope", int(1))],
            "attribute slope is not read",
        ),
        (vec![node("Relu", &["x"], "y")], "an activation must follow the sums of a layer"),
        (
            vec![node("Gemm", &["w", "x"], "y")],
            "its weights must be constants, as the second operand",
        ),
        (vec![with(node("Gemm", &["x", "w"], "y"), "transA", int(1))], "transA"),
        (vec![node("Gemm", &["x", "b"], "y")], "b has shape [2]; a matrix is needed"),
        (
            vec![first(), node("Add", &["h", "w"], "y")],
            "w has shape [2, 2]; a bias of 2 numbers is needed",
        ),
        (vec![node("Relu", &["later"], "y")], "reads \"later\", which nothing before it makes"),
        (vec![first(), first()], "two values are called \"h\""),
        (vec![first()], "output y is made by no node"),
        (vec![node("Identity", &["x"], "y")], "it has no layers"),
    ];
    for (nodes, says) in cases {
        let why = read(graph(nodes)).unwrap_err();
        assert!(why.contains(says), "{why}");
    }
    let narrow = GraphProto {
        input: vec![value("x", &[1, 3])],
        ..graph(vec![node("MatMul", &["x", "w"], "y")])
    };
    assert!(read(narrow).unwrap_err().contains("it takes 2 numbers, but input x gives 3"));
    let deep = GraphProto {
        input: vec![value("x", &[1, 5, 2])],
        ..graph(vec![node("MatMul", &["x", "w"], "y")])
    };
    assert!(read(deep).unwrap_err().contains("flatten it before the first layer"));
    let mut two = graph(vec![node("MatMul", &["x", "w"], "y")]);
    two.input.push(value("z", &[1]));
    assert!(read(two).unwrap_err().contains("2 inputs (x, z); one is read"));
}

#[test]
fn the_exact_gelu_is_known_in_every_order_of_its_parts_and_nothing_near_it_is() {
    let root = std::f32::consts::SQRT_2;
    let parts = |scale: f32, one: f32, tail: [NodeProto; 2]| {
        let [a, b] = tail;
        let mut graph = graph(vec![
            node("MatMul", &["x", "w"], "h"),
            node("Div", &["h", "root"], "s"),
            node("Erf", &["s"], "e"),
            node("Add", &["one", "e"], "p"),
            a,
            b,
        ]);
        graph.initializer.extend([tensor("root", &[], &[scale]), tensor("one", &[1], &[one])]);
        read(graph)
    };
    let orders = || {
        [
            [node("Mul", &["h", "p"], "t"), node("Mul", &["half", "t"], "y")],
            [node("Mul", &["p", "half"], "t"), node("Mul", &["t", "h"], "y")],
            [node("Mul", &["half", "h"], "t"), node("Mul", &["p", "t"], "y")],
        ]
    };
    for tail in orders() {
        let net = parts(root, 1.0, tail).unwrap().net;
        assert_eq!(net.layers()[0].activation, absolve::net::Activation::Gelu);
    }
    let [tail, ..] = orders();
    assert!(parts(root + 1e-5, 1.0, tail.clone()).unwrap_err().contains("Div node"));
    assert!(parts(root, 1.001, tail).unwrap_err().contains("Add node"));
}

#[test]
fn tensors_that_lie_about_themselves_are_refused() {
    let with_w = |w: TensorProto| {
        let mut graph = graph(vec![node("MatMul", &["x", "w"], "y")]);
        graph.initializer[0] = w;
        read(graph).unwrap_err()
    };
    let one = |dims: &[i64]| tensor("w", dims, &[1.0]);
    assert!(with_w(one(&[2, 2])).contains("shape [2, 2] wants 4 numbers, got 1"));
    assert!(with_w(one(&[-1, 2])).contains("a shape of [-1, 2] is impossible"));
    assert!(with_w(one(&[1 << 40, 1 << 40])).contains("is impossible"));
    assert!(with_w(one(&[1 << 20, 1 << 20])).contains("more than 268435456 numbers"));
    assert!(with_w(tensor("w", &[1, 2], &[1.0, f32::NAN])).contains("w[0, 1] is NaN"));
    for kind in [DataType::FLOAT16, DataType::BFLOAT16, DataType::UINT8] {
        let why = with_w(TensorProto { data_type: Some(kind), ..one(&[1, 1]) });
        assert!(why.contains(&format!("tensor w is of {kind}")), "{why}");
    }
    for (location, says) in [
        ("../secret", "not a plain file name"),
        ("/etc/passwd", "not a plain file name"),
        ("..", "not a plain file name"),
        ("absent.data", "which is not there"),
    ] {
        let entry = |key: &str, value: &str| StringStringEntryProto {
            key: Some(key.to_owned()),
            value: Some(value.to_owned()),
        };
        let why = with_w(TensorProto {
            data_location: Some(DataLocation::EXTERNAL),
            external_data: vec![
                entry("location", location),
                entry("offset", "18446744073709551615"),
            ],
            ..one(&[1 << 10, 1 << 10])
        });
        assert!(why.contains(says), "{why}");
    }
}
