//! The walk over an ONNX graph: every value is a constant, the state of the perceptron so far, or a part of an exact GELU.
//!
//! Nodes come in the order of computation, as the format demands. Each makes a new value from known ones or is refused by
//! its operator and its name. In the end the layers are read off backwards from the output.
use std::collections::BTreeMap;

use ndarray::{Array1, Array2};
use rten_onnx::onnx::{AttributeProto, NodeProto, TensorProto};

use super::onnx::{Numbers, Tensor};
use super::steps::Attributes;
use crate::net::{Activation, Precision};

/// A shape of which some sizes, or all, are not known.
pub(super) type Dims = Option<Vec<Option<usize>>>;

/// Most numbers in all layers together: 2 GiB of them.
pub(super) const MOST_NUMBERS: usize = 1 << 28;

/// A value of the graph.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Constant(usize),
    State(usize),
    Part(usize, Part),
    /// Sizes, as a shape is put together from another: `None` is the number of rows.
    Sizes(Vec<Option<i64>>),
}

/// A part of `x · ½ (1 + erf(x/√2))`, where `x` is a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `x/√2`.
    Scaled,
    /// `erf(x/√2)`.
    Erf,
    /// `1 + erf(x/√2)`.
    OnePlusErf,
    /// `½ (1 + erf(x/√2))`.
    Cdf,
    /// `x (1 + erf(x/√2))`.
    Twice,
    /// `x/2`.
    Half,
}

/// The perceptron up to some point.
#[derive(Debug)]
pub(super) struct State {
    /// The state before, and what was done to it; `None` at the input.
    pub(super) from: Option<(usize, Step)>,
    /// What errors call the node that made it.
    pub(super) place: String,
    pub(super) dims: Dims,
}

#[derive(Debug)]
pub(super) enum Step {
    Affine { weight: Array2<f64>, bias: Array1<f64> },
    Activation(Activation),
}

/// The values known so far.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) constants: Vec<Tensor>,
    pub(super) states: Vec<State>,
    pub(super) values: BTreeMap<String, Value>,
    /// Of the weights so far.
    pub(super) precision: Option<Precision>,
    /// How many weights were copied so far.
    pub(super) n_numbers: usize,
    pub(super) notes: Vec<String>,
}

impl Graph {
    pub(super) fn knows(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Adds a constant under its own name.
    pub(super) fn constant(&mut self, tensor: Tensor) -> Result<(), String> {
        let name = tensor.name.clone();
        self.constants.push(tensor);
        self.name(&name, Value::Constant(self.constants.len() - 1))
    }

    /// Adds the input.
    pub(super) fn input(&mut self, name: &str, dims: Dims) -> Result<(), String> {
        self.states.push(State { from: None, place: format!("input {name}"), dims });
        self.name(name, Value::State(0))
    }

    fn name(&mut self, name: &str, value: Value) -> Result<(), String> {
        match self.values.insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(format!("two values are called {name:?}")),
        }
    }

    /// Reads one node. `read` reads a constant that is written into it.
    pub(super) fn node(
        &mut self,
        node: &NodeProto,
        read: &mut dyn FnMut(&TensorProto) -> Result<Tensor, String>,
    ) -> Result<(), String> {
        let op = node.op_type.as_deref().unwrap_or_default();
        let place = format!("{op} node {}", node.name.as_deref().unwrap_or("without a name"));
        let domain = node.domain.as_deref().unwrap_or_default();
        if !matches!(domain, "" | "ai.onnx") {
            return Err(format!(
                "{place} of domain {domain:?}: only operators of ONNX itself are read"
            ));
        }
        let inputs = self.inputs(node).map_err(|why| format!("{place}: {why}"))?;
        let made = self.apply(op, &inputs, &node.attribute, &place, read);
        let value = made.map_err(|why| format!("{place}: {why}"))?;
        match node.output.first() {
            Some(name) => self.name(name, value),
            None => Err(format!("{place} has no output")),
        }
    }

    /// What a node reads. An optional input at the end may be left out by an empty name.
    fn inputs(&self, node: &NodeProto) -> Result<Vec<Value>, String> {
        let names = node.input.iter().rev().skip_while(|name| name.is_empty());
        let mut values: Vec<Value> = names
            .map(|name| {
                let known = self.values.get(name).cloned();
                known.ok_or_else(|| format!("it reads {name:?}, which nothing before it makes"))
            })
            .collect::<Result<_, _>>()?;
        values.reverse();
        Ok(values)
    }

    fn apply(
        &mut self,
        op: &str,
        inputs: &[Value],
        attributes: &[AttributeProto],
        place: &str,
        read: &mut dyn FnMut(&TensorProto) -> Result<Tensor, String>,
    ) -> Result<Value, String> {
        use Value::{Constant, Part as In, Sizes, State as At};
        let with = Attributes(attributes);
        match (op, inputs) {
            ("Gemm", [At(x), Constant(w)]) => self.gemm(*x, (*w, None), &with, place),
            ("Gemm", [At(x), Constant(w), Constant(b)]) => {
                self.gemm(*x, (*w, Some(*b)), &with, place)
            }
            ("MatMul", [At(x), Constant(w)]) => {
                with.only(&[])?;
                let weight = self.matrix(*w)?.reversed_axes();
                let bias = Array1::zeros(weight.nrows());
                self.affine(*x, &weight, bias, place)
            }
            ("Add", [At(x), Constant(b)] | [Constant(b), At(x)]) => {
                with.only(&[])?;
                self.add(*x, *b, place)
            }
            ("Relu", [At(x)]) => self.activation(*x, Activation::Relu, &with, place),
            ("Tanh", [At(x)]) => self.activation(*x, Activation::Tanh, &with, place),
            ("Gelu", [At(x)]) => {
                with.only(&["approximate"])?;
                if with.text("approximate").is_some_and(|kind| kind != "none") {
                    return Err("only the exact GELU is read: nn.GELU(approximate=\"none\"), PyTorch's default".into());
                }
                self.activation(*x, Activation::Gelu, &Attributes(&[]), place)
            }
            ("Flatten", [At(x)]) => self.flatten(*x, &with, place),
            ("Reshape", [At(x), to @ (Constant(_) | Sizes(_))]) => {
                self.reshape(*x, to, &with, place)
            }
            ("Identity", [value]) => Ok(value.clone()),
            ("Dropout", [At(x), rest @ ..]) => match rest.get(1) {
                Some(training) if self.integers(training)? != [Some(0)] => {
                    Err("it drops units, as in training; export the model in eval() mode"
                        .to_owned())
                }
                _ => Ok(At(*x)),
            },
            ("Constant", []) => self.written(&with, place, read),
            ("Transpose", [Constant(w)]) => {
                with.only(&["perm"])?;
                if !matches!(with.list("perm"), None | Some([1, 0])) {
                    return Err("it does not swap the two axes of a matrix".to_owned());
                }
                let matrix = self.matrix(*w)?;
                let dims = vec![matrix.ncols(), matrix.nrows()];
                let numbers = matrix.t().iter().copied().collect();
                let precision = self.precision.unwrap_or_default();
                Ok(self.push(place, dims, Numbers::Floats(numbers, precision)))
            }
            ("Shape", [At(x)]) => {
                with.only(&[])?;
                let dims =
                    self.states[*x].dims.as_ref().ok_or("the input has no declared shape")?;
                let sizes = dims.iter().enumerate().map(|(axis, size)| match (axis, size) {
                    (0, _) => Ok(None),
                    (_, Some(size)) => Ok(Some(*size as i64)),
                    (_, None) => Err("only the first size of the input may be free".to_owned()),
                });
                Ok(Sizes(sizes.collect::<Result<_, _>>()?))
            }
            ("Gather", [Sizes(sizes), Constant(_)]) if with.int("axis", 0)? == 0 => {
                match self.integers(&inputs[1])?[..] {
                    [Some(at)] if (0..sizes.len() as i64).contains(&at) => {
                        Ok(Sizes(vec![sizes[at as usize]]))
                    }
                    _ => Err("it does not take one size of a shape".to_owned()),
                }
            }
            ("Unsqueeze", [Sizes(size), ..]) if size.len() == 1 => Ok(Sizes(size.clone())),
            ("Concat", parts) if parts.iter().any(|part| matches!(part, Sizes(_))) => {
                let parts = parts.iter().map(|part| self.integers(part));
                Ok(Sizes(parts.collect::<Result<Vec<_>, _>>()?.concat()))
            }
            ("Erf", [In(x, Part::Scaled)]) => Ok(In(*x, Part::Erf)),
            ("Mul" | "Div" | "Add", [a, b]) => self.gelu(op, a, b, place),
            _ => Err(refusal(op, inputs)),
        }
    }
}

/// Why an operator is not read, and what to do about it where that is known.
fn refusal(op: &str, inputs: &[Value]) -> String {
    match op {
        "Gemm" | "MatMul" => "its weights must be constants, as the second operand".to_owned(),
        "Relu" | "Tanh" | "Gelu" | "Flatten" | "Reshape" | "Dropout" | "Erf" => {
            format!("its {} inputs are not those of a layer in a row of layers", inputs.len())
        }
        "Softmax" | "LogSoftmax" | "Sigmoid" | "Hardmax" | "ArgMax" => {
            "not read; export the model without it, so that its answers are the logits".to_owned()
        }
        "BatchNormalization" | "LayerNormalization" => {
            "normalisation is not read; fold it into the layer before it (in PyTorch, fuse_linear_bn_eval)".to_owned()
        }
        "Cast" => "not read; export the whole model in one precision".to_owned(),
        "Pow" => "not read; the tanh approximation of GELU is another function than nn.GELU()".to_owned(),
        "QuantizeLinear" | "DequantizeLinear" => "quantised models are not read".to_owned(),
        _ => "not read; a multi-layer perceptron has Gemm, MatMul and Add, Relu, Tanh, Gelu, Flatten".to_owned(),
    }
}
