//! The exact GELU as exporters write it where the format has no operator for it: in parts, `x · ½ (1 + erf(x/√2))`.
use super::graph::{Graph, Part, Value};
use super::onnx::Numbers;
use super::steps::Attributes;
use crate::net::Activation;

impl Graph {
    /// A step of the exact GELU in parts.
    pub(super) fn gelu(
        &mut self,
        op: &str,
        a: &Value,
        b: &Value,
        place: &str,
    ) -> Result<Value, String> {
        /// Within the rounding of `f32` constants.
        const CLOSE: f64 = 2e-7;
        let scalar = |value: &Value| match value {
            Value::Constant(at) => match &self.constants[*at].numbers {
                Numbers::Floats(floats, _) if floats.len() == 1 => Some(floats[0]),
                _ => None,
            },
            _ => None,
        };
        let close = |value: f64, to: f64| (value - to).abs() <= CLOSE * to;
        let (a, b) = if op != "Div" && scalar(a).is_some() { (b, a) } else { (a, b) };
        let constant = scalar(b);
        let is = |to: f64| constant.is_some_and(|value| close(value, to));
        let root = std::f64::consts::SQRT_2;
        let part = match (op, a, b) {
            ("Div", Value::State(x), _) if is(root) => Some((*x, Part::Scaled)),
            ("Mul", Value::State(x), _) if is(1.0 / root) => Some((*x, Part::Scaled)),
            ("Mul", Value::State(x), _) if is(0.5) => Some((*x, Part::Half)),
            ("Add", Value::Part(x, Part::Erf), _) if is(1.0) => Some((*x, Part::OnePlusErf)),
            ("Mul", Value::Part(x, Part::OnePlusErf), _) if is(0.5) => Some((*x, Part::Cdf)),
            ("Mul", Value::State(x), Value::Part(y, Part::OnePlusErf))
            | ("Mul", Value::Part(y, Part::OnePlusErf), Value::State(x))
                if x == y =>
            {
                Some((*x, Part::Twice))
            }
            _ => None,
        };
        if let Some((x, part)) = part {
            return Ok(Value::Part(x, part));
        }
        let whole = match (op, a, b) {
            ("Mul", Value::Part(x, Part::Twice), _) if is(0.5) => Some(*x),
            ("Mul", Value::State(x), Value::Part(y, Part::Cdf))
            | ("Mul", Value::Part(y, Part::Cdf), Value::State(x))
                if x == y =>
            {
                Some(*x)
            }
            ("Mul", Value::Part(x, one), Value::Part(y, other))
                if x == y
                    && matches!(
                        (one, other),
                        (Part::Half, Part::OnePlusErf) | (Part::OnePlusErf, Part::Half)
                    ) =>
            {
                Some(*x)
            }
            _ => None,
        };
        match (whole, op, a, b) {
            (Some(x), ..) => self.activation(x, Activation::Gelu, &Attributes(&[]), place),
            (None, "Add", Value::State(_), Value::State(_)) => {
                Err("it adds two computed values, a skip connection; layers in a row are read".to_owned())
            }
            _ => Err("outside of a layer it is read only as a part of the exact GELU, x · (1 + erf(x/√2))/2; the tanh \
                      approximation is another function, so export nn.GELU() as it is by default"
                .to_owned()),
        }
    }
}
