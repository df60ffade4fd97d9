//! What the operators of a graph do to a perceptron: affine maps, activations, changes of shape, and the exact GELU in parts.
use ndarray::{Array1, Array2};
use rten_onnx::onnx::{AttributeProto, TensorProto};

use super::Imported;
use super::graph::{Dims, Graph, MOST_NUMBERS, State, Step, Value};
use super::onnx::{Numbers, Tensor};
use crate::net::{Activation, Layer, Net, Precision};

/// The attributes of a node.
pub(super) struct Attributes<'a>(pub(super) &'a [AttributeProto]);

impl Attributes<'_> {
    fn named(&self, name: &str) -> Option<&AttributeProto> {
        self.0.iter().find(|attribute| attribute.name.as_deref() == Some(name))
    }

    /// Refuses attributes of other names: what they change is not known.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), String> {
        let mut names =
            self.0.iter().map(|attribute| attribute.name.as_deref().unwrap_or_default());
        match names.find(|name| !known.contains(name)) {
            Some(name) => Err(format!("attribute {name} is not read")),
            None => Ok(()),
        }
    }

    pub(super) fn int(&self, name: &str, default: i64) -> Result<i64, String> {
        match self.named(name) {
            None => Ok(default),
            Some(attribute) => attribute.i.ok_or_else(|| format!("attribute {name} is no integer")),
        }
    }

    fn float(&self, name: &str) -> Result<f64, String> {
        match self.named(name) {
            None => Ok(1.0),
            Some(attribute) => {
                attribute.f.map(f64::from).ok_or_else(|| format!("attribute {name} is no number"))
            }
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.named(name).and_then(|attribute| attribute.s.as_deref())
    }

    pub(super) fn list(&self, name: &str) -> Option<&[i64]> {
        self.named(name).map(|attribute| &attribute.ints[..])
    }
}

impl Graph {
    /// The constant that a node holds.
    pub(super) fn written(
        &mut self,
        with: &Attributes<'_>,
        place: &str,
        read: &mut dyn FnMut(&TensorProto) -> Result<Tensor, String>,
    ) -> Result<Value, String> {
        with.only(&["value", "value_float", "value_int", "value_ints"])?;
        let [attribute] = with.0 else { return Err("it holds no value, or several".to_owned()) };
        let (dims, numbers) = match (&attribute.t, attribute.f, attribute.i, &attribute.ints[..]) {
            (Some(tensor), ..) => {
                let Tensor { dims, numbers, .. } = read(tensor)?;
                (dims, numbers)
            }
            (None, Some(f), ..) => (vec![], Numbers::Floats(vec![f.into()], Precision::F32)),
            (None, None, Some(i), _) => (vec![], Numbers::Integers(vec![i])),
            (None, None, None, ints) => (vec![ints.len()], Numbers::Integers(ints.to_vec())),
        };
        Ok(self.push(place, dims, numbers))
    }

    /// A new constant that a node makes.
    pub(super) fn push(&mut self, place: &str, dims: Vec<usize>, numbers: Numbers) -> Value {
        self.constants.push(Tensor { name: place.to_owned(), dims, numbers });
        Value::Constant(self.constants.len() - 1)
    }

    /// The whole numbers of a constant or of a shape.
    pub(super) fn integers(&self, value: &Value) -> Result<Vec<Option<i64>>, String> {
        match value {
            Value::Sizes(sizes) => Ok(sizes.clone()),
            Value::Constant(at) => match &self.constants[*at].numbers {
                Numbers::Integers(integers) => Ok(integers.iter().copied().map(Some).collect()),
                Numbers::Floats(..) => {
                    Err(format!("{} is not of whole numbers", self.constants[*at].name))
                }
            },
            _ => Err("a shape is computed from what the model computes".to_owned()),
        }
    }

    /// The weights of a constant, which must have the precision of all before it.
    fn floats(&mut self, at: usize) -> Result<&[f64], String> {
        let Tensor { name, numbers, .. } = &self.constants[at];
        match numbers {
            Numbers::Floats(floats, precision)
                if *self.precision.get_or_insert(*precision) == *precision =>
            {
                Ok(floats)
            }
            Numbers::Floats(..) => Err(format!("{name}: all weights must have one precision")),
            Numbers::Integers(_) => Err(format!("{name} holds whole numbers, not weights")),
        }
    }

    /// A constant as a matrix. What is copied is bounded over the whole graph.
    pub(super) fn matrix(&mut self, at: usize) -> Result<Array2<f64>, String> {
        let Tensor { name, dims, .. } = &self.constants[at];
        let [rows, columns] = dims[..] else {
            return Err(format!("{name} has shape {dims:?}; a matrix is needed"));
        };
        self.n_numbers = self.n_numbers.saturating_add(rows * columns);
        if self.n_numbers > MOST_NUMBERS {
            return Err(format!("its layers have more than {MOST_NUMBERS} weights"));
        }
        let numbers = self.floats(at)?.to_vec();
        Array2::from_shape_vec((rows, columns), numbers).map_err(|error| error.to_string())
    }

    /// A constant as a bias of `n` numbers: a vector, a matrix of one row, or one number for all.
    fn bias(&mut self, at: usize, n: usize) -> Result<Array1<f64>, String> {
        let Tensor { name, dims, .. } = &self.constants[at];
        let fits = matches!(dims[..], [] | [1] | [1, 1]) || dims[..] == [n] || dims[..] == [1, n];
        if !fits {
            return Err(format!("{name} has shape {dims:?}; a bias of {n} numbers is needed"));
        }
        let numbers = self.floats(at)?;
        Ok(if numbers.len() == n {
            numbers.to_vec().into()
        } else {
            Array1::from_elem(n, numbers[0])
        })
    }

    pub(super) fn gemm(
        &mut self,
        x: usize,
        (weight, bias): (usize, Option<usize>),
        with: &Attributes<'_>,
        place: &str,
    ) -> Result<Value, String> {
        with.only(&["alpha", "beta", "transA", "transB"])?;
        if with.int("transA", 0)? != 0 {
            return Err("transA is not read: rows are inputs".to_owned());
        }
        let (alpha, beta) = (with.float("alpha")?, with.float("beta")?);
        let mut matrix = self.matrix(weight)?;
        if with.int("transB", 0)? == 0 {
            matrix = matrix.reversed_axes();
        }
        matrix.mapv_inplace(|w| alpha * w);
        let bias = match bias {
            Some(bias) => self.bias(bias, matrix.nrows())? * beta,
            None => Array1::zeros(matrix.nrows()),
        };
        self.affine(x, &matrix, bias, place)
    }

    /// `weight · x + bias`, where `weight` is outputs × inputs.
    pub(super) fn affine(
        &mut self,
        x: usize,
        weight: &Array2<f64>,
        bias: Array1<f64>,
        place: &str,
    ) -> Result<Value, String> {
        let (outputs, inputs) = weight.dim();
        let State { dims, place: before, .. } = &self.states[x];
        let rows = match dims.as_deref() {
            None => None,
            Some([rows @ .., width]) if rows.len() < 2 => {
                if width.is_some_and(|width| width != inputs) {
                    let width = width.unwrap_or_default();
                    return Err(format!("it takes {inputs} numbers, but {before} gives {width}"));
                }
                rows.first().copied().flatten()
            }
            Some(dims) => {
                return Err(format!(
                    "{before} gives an array of {} dimensions; flatten it before the first layer",
                    dims.len()
                ));
            }
        };
        let weight = weight.as_standard_layout().into_owned();
        let dims = Some(vec![rows, Some(outputs)]);
        Ok(self.step(x, Step::Affine { weight, bias }, dims, place))
    }

    fn step(&mut self, from: usize, step: Step, dims: Dims, place: &str) -> Value {
        self.states.push(State { from: Some((from, step)), place: place.to_owned(), dims });
        Value::State(self.states.len() - 1)
    }

    /// A constant added to the sums of a layer: its bias.
    pub(super) fn add(&mut self, x: usize, constant: usize, place: &str) -> Result<Value, String> {
        let Some((from, Step::Affine { weight, bias })) = &self.states[x].from else {
            return Err("it adds a constant to what is not the sums of a layer".to_owned());
        };
        let (from, weight, before) = (*from, weight.clone(), bias.clone());
        self.n_numbers = self.n_numbers.saturating_add(weight.len());
        if self.n_numbers > MOST_NUMBERS {
            return Err(format!("its layers have more than {MOST_NUMBERS} weights"));
        }
        let bias = before + self.bias(constant, weight.nrows())?;
        let dims = self.states[x].dims.clone();
        Ok(self.step(from, Step::Affine { weight, bias }, dims, place))
    }

    pub(super) fn activation(
        &mut self,
        x: usize,
        activation: Activation,
        with: &Attributes<'_>,
        place: &str,
    ) -> Result<Value, String> {
        with.only(&[])?;
        if !matches!(self.states[x].from, Some((_, Step::Affine { .. }))) {
            return Err("an activation must follow the sums of a layer".to_owned());
        }
        let dims = self.states[x].dims.clone();
        Ok(self.step(x, Step::Activation(activation), dims, place))
    }

    /// Flattening is no step: what is fed here are rows.
    pub(super) fn flatten(
        &mut self,
        x: usize,
        with: &Attributes<'_>,
        place: &str,
    ) -> Result<Value, String> {
        with.only(&["axis"])?;
        let axis = with.int("axis", 1)?;
        let rank = self.states[x].dims.as_ref().map(Vec::len);
        if axis != 1 && rank.is_none_or(|rank| axis + rank as i64 != 1) {
            return Err(format!("axis {axis} is not read; 1 keeps a row a row"));
        }
        if rank == Some(1) {
            return Err("it flattens an input that has no rows".to_owned());
        }
        let dims = self.states[x].dims.as_ref();
        let dims = dims.map(|dims| {
            vec![dims[0], dims[1..].iter().try_fold(1, |n: usize, d| n.checked_mul((*d)?))]
        });
        Ok(self.flat(x, dims, place))
    }

    fn flat(&mut self, x: usize, dims: Dims, place: &str) -> Value {
        if let Some(before) = &self.states[x].dims
            && before.len() > 2
        {
            let sizes: Vec<String> =
                before[1..].iter().map(|d| d.map_or("?".to_owned(), |d| d.to_string())).collect();
            self.notes.push(format!(
                "an input row is the array of shape {} that the model takes, its last axis fastest",
                sizes.join("×")
            ));
        }
        if self.states[x].from.is_some() {
            // Inside, a state has two dimensions already, and nothing changes.
            return Value::State(x);
        }
        self.states.push(State { from: None, place: place.to_owned(), dims });
        Value::State(self.states.len() - 1)
    }

    /// A reshape that keeps rows, and flattens what is in them.
    pub(super) fn reshape(
        &mut self,
        x: usize,
        to: &Value,
        with: &Attributes<'_>,
        place: &str,
    ) -> Result<Value, String> {
        with.only(&["allowzero"])?;
        let copies = with.int("allowzero", 0)? == 0;
        let shape = self.integers(to)?;
        let Some([rows, inside @ ..]) = self.states[x].dims.as_deref() else {
            return Err("it reshapes an input of which the shape is not declared".to_owned());
        };
        let width = inside.iter().try_fold(1_usize, |n, d| n.checked_mul((*d)?));
        let is =
            |size: Option<usize>, asked: i64| size.is_some_and(|n| i64::try_from(n) == Ok(asked));
        let keeps_rows = match shape[..] {
            // The number of rows itself, or 0 for it.
            [None, Some(columns)] => columns == -1 || is(width, columns),
            [Some(0), Some(columns)] if copies => columns == -1 || is(width, columns),
            [Some(-1), Some(columns)] => is(width, columns),
            [Some(asked), Some(columns)] => {
                is(*rows, asked) && (columns == -1 || is(width, columns))
            }
            _ => false,
        };
        if !keeps_rows || inside.is_empty() {
            return Err("only a reshape that flattens each input to one row is read".to_owned());
        }
        let dims = Some(vec![*rows, width]);
        Ok(self.flat(x, dims, place))
    }

    /// The net whose answer is the value called `output`.
    pub(super) fn net(self, output: &str) -> Result<Imported, String> {
        let mut at = match self.values.get(output) {
            Some(Value::State(at)) => *at,
            Some(_) => return Err(format!("output {output} is not the answer of a layer")),
            None => return Err(format!("output {output} is made by no node")),
        };
        let mut steps = Vec::new();
        let mut states: Vec<Option<(usize, Step)>> =
            self.states.into_iter().map(|state| state.from).collect();
        while let Some((from, step)) = states[at].take() {
            steps.push(step);
            at = from;
        }
        let mut layers: Vec<Layer> = Vec::new();
        for step in steps.into_iter().rev() {
            match (step, layers.last_mut()) {
                (Step::Affine { weight, bias }, _) => {
                    layers.push(Layer { weight, bias, activation: Activation::Identity });
                }
                (Step::Activation(activation), Some(layer)) => layer.activation = activation,
                (Step::Activation(_), None) => return Err("it has no layers".to_owned()),
            }
        }
        if layers.is_empty() {
            return Err("it has no layers".to_owned());
        }
        let net = Net::new(layers, self.precision.unwrap_or_default())
            .map_err(|error| error.to_string())?;
        Ok(Imported { net, notes: self.notes })
    }
}
