//! Nets put together from nets: made deeper, set side by side, one after the other, one grafted onto another.
//!
//! The functions are exact. Deeper layers carry a number as it is: `y = relu(y) − relu(−y)` has no rounding, and one that is
//! never negative needs one unit, `y = relu(y)`. All hidden layers that stand beside one another must have one activation,
//! and layers that carry are `ReLU`.
use ndarray::{Array1, Array2, Axis, concatenate};

use super::{Activation, Layer, Net};
use crate::error::{Error, Result};

/// How numbers are carried through a `ReLU` layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carry {
    /// Any number, by two units.
    Signed,
    /// Numbers of at least 0, by one unit. What is negative becomes 0.
    NonNegative,
}

/// `net` with `depth` layers: the same function, its outputs carried through `ReLU` layers behind it.
///
/// # Errors
/// If the net has more layers than that, or its last layer is not linear.
pub fn deepen(net: &Net, depth: usize, carry: Carry) -> Result<Net> {
    let mut layers = net.layers().to_vec();
    if layers.len() > depth {
        let want = format!("the net has {} layers already", layers.len());
        return Err(Error::parameter("depth", depth, want));
    }
    while layers.len() < depth {
        let last = split_off_linear(&mut layers)?;
        let (weight, bias, back) = match carry {
            Carry::NonNegative => (last.weight, last.bias, Array2::eye(net.shape().outputs)),
            Carry::Signed => {
                let eye = Array2::eye(net.shape().outputs);
                let weight = below(&last.weight, &-&last.weight);
                let bias = last.bias.iter().copied().chain(last.bias.iter().map(|b| -b)).collect();
                (weight, bias, beside_matrix(&eye, &-&eye))
            }
        };
        layers.push(Layer { weight, bias, activation: Activation::Relu });
        let bias = Array1::zeros(back.nrows());
        layers.push(Layer { weight: back, bias, activation: Activation::Identity });
    }
    Net::new(layers, net.precision())
}

/// The net that gives the outputs of `a` and then those of `b` for the same input. The shallower one is made deeper first, its
/// outputs carried as numbers of any sign; the result computes in the precision of `a`.
///
/// # Errors
/// If the nets take different inputs, or hidden layers of the same depth have different activations.
pub fn beside(a: &Net, b: &Net) -> Result<Net> {
    let depth = a.layers().len().max(b.layers().len());
    together(&deepen(a, depth, Carry::Signed)?, &deepen(b, depth, Carry::Signed)?)
}

/// `base` plus `offsets` times the one output of `detector`, which must never be negative.
///
/// # Errors
/// If the nets do not fit beside one another, or the output layer of one is not linear.
pub fn graft(base: &Net, detector: &Net, offsets: &[f64]) -> Result<Net> {
    let depth = base.layers().len().max(detector.layers().len());
    let base = deepen(base, depth, Carry::Signed)?;
    let both = together(&base, &deepen(detector, depth, Carry::NonNegative)?)?;
    let n = base.shape().outputs;
    if offsets.len() != n || both.shape().outputs != n + 1 {
        let want = format!("{n} offsets and a detector with one output are needed");
        return Err(Error::parameter("offsets", offsets.len(), want));
    }
    let column = Array2::from_shape_fn((n, 1), |(i, _)| offsets[i]);
    combine(&both, &beside_matrix(&Array2::eye(n), &column), &Array1::zeros(n))
}

/// The net that answers `weight · y + bias` where `net` answers y.
///
/// # Errors
/// If shapes do not fit, or the output layer is not linear.
pub fn combine(net: &Net, weight: &Array2<f64>, bias: &Array1<f64>) -> Result<Net> {
    let mut layers = net.layers().to_vec();
    let last = split_off_linear(&mut layers)?;
    fit(weight.ncols(), last.weight.nrows())?;
    layers.push(Layer {
        weight: weight.dot(&last.weight),
        bias: weight.dot(&last.bias) + bias,
        activation: Activation::Identity,
    });
    Net::new(layers, net.precision())
}

/// `second` after `first`: the linear output of the one and the first layer of the other become one layer.
///
/// # Errors
/// If shapes do not fit, or the output layer of `first` is not linear.
pub fn then(first: &Net, second: &Net) -> Result<Net> {
    let mut layers = first.layers().to_vec();
    let last = split_off_linear(&mut layers)?;
    let next = &second.layers()[0];
    fit(next.weight.ncols(), last.weight.nrows())?;
    layers.push(Layer {
        weight: next.weight.dot(&last.weight),
        bias: next.weight.dot(&last.bias) + &next.bias,
        activation: next.activation,
    });
    layers.extend(second.layers()[1..].iter().cloned());
    Net::new(layers, first.precision())
}

/// Two nets of one depth side by side on the same inputs, whatever their output layers are.
///
/// # Errors
/// If the nets take different inputs, have different depths, or layers beside one another have different activations.
pub fn together(a: &Net, b: &Net) -> Result<Net> {
    fit(b.shape().inputs, a.shape().inputs)?;
    if a.layers().len() != b.layers().len() {
        let want = format!("{} layers are needed, as the net beside has", a.layers().len());
        return Err(Error::parameter("net", format!("{} layers", b.layers().len()), want));
    }
    let layers = a.layers().iter().zip(b.layers()).enumerate().map(|(number, (x, y))| {
        if x.activation != y.activation {
            let why = format!(
                "layer {number} is {:?} in one net and {:?} in the other",
                x.activation, y.activation
            );
            return Err(Error::assumption("graft", why));
        }
        let weight = if number == 0 { below(&x.weight, &y.weight) } else { block(x, y) };
        let bias = x.bias.iter().chain(&y.bias).copied().collect();
        Ok(Layer { weight, bias, activation: x.activation })
    });
    Net::new(layers.collect::<Result<_>>()?, a.precision())
}

/// The weights of two layers, each reading its own inputs.
fn block(x: &Layer, y: &Layer) -> Array2<f64> {
    let ((xr, xc), (yr, yc)) = (x.weight.dim(), y.weight.dim());
    let above = beside_matrix(&x.weight, &Array2::zeros((xr, yc)));
    below(&above, &beside_matrix(&Array2::zeros((yr, xc)), &y.weight))
}

fn below(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    concatenate(Axis(0), &[a.view(), b.view()]).expect("as many columns")
}

fn beside_matrix(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    concatenate(Axis(1), &[a.view(), b.view()]).expect("as many rows")
}

/// Takes the last layer, which must be linear.
fn split_off_linear(layers: &mut Vec<Layer>) -> Result<Layer> {
    match layers.pop() {
        Some(last) if last.activation == Activation::Identity => Ok(last),
        last => {
            let why = format!(
                "the output layer must be linear, and it is {:?}",
                last.map(|last| last.activation)
            );
            Err(Error::assumption("graft", why))
        }
    }
}

fn fit(got: usize, want: usize) -> Result<()> {
    if got == want {
        return Ok(());
    }
    Err(Error::Width { what: "net to graft", want, got })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Batch;
    use crate::net::{Precision, compile};
    use crate::rng::{Rng, Seed, normal};

    fn random(widths: &[usize], rng: &mut Rng) -> Net {
        Net::random(widths, Activation::Relu, Precision::F32, rng).unwrap()
    }

    fn inputs(rng: &mut Rng) -> Batch {
        Batch::from_shape_simple_fn((50, 4), || normal(rng))
    }

    #[test]
    fn a_deeper_net_answers_the_same_to_the_bit() {
        let mut rng = Seed::new(1).stream("nets");
        let (net, xs) = (random(&[4, 9, 3], &mut rng), inputs(&mut rng));
        let deep = deepen(&net, 6, Carry::Signed).unwrap();
        assert_eq!(deep.widths(), [4, 9, 6, 6, 6, 6, 3]);
        assert_eq!(deep.forward_unmetered(&xs), net.forward_unmetered(&xs));
        let clipped = deepen(&net, 3, Carry::NonNegative).unwrap().forward_unmetered(&xs);
        assert_eq!(clipped, net.forward_unmetered(&xs).mapv(|y| y.max(0.0)));
    }

    #[test]
    fn nets_side_by_side_answer_what_each_of_them_answers() {
        let mut rng = Seed::new(2).stream("nets");
        let (a, b) = (random(&[4, 9, 3], &mut rng), random(&[4, 5, 6, 7, 2], &mut rng));
        let xs = inputs(&mut rng);
        let both = beside(&a, &b).unwrap().forward_unmetered(&xs);
        let (left, right) = both.view().split_at(Axis(1), 3);
        assert_eq!(left, a.forward_unmetered(&xs));
        assert_eq!(right, b.forward_unmetered(&xs));
    }

    #[test]
    fn a_grafted_net_is_the_sum_whichever_is_deeper() {
        let mut rng = Seed::new(3).stream("nets");
        let xs = inputs(&mut rng);
        // |x_0| as a detector: relu(x_0) + relu(−x_0), in 64 bits.
        let abs = compile::affine(&[1.0, 0.0, 0.0, 0.0], 0.0, 1).unwrap();
        let abs = {
            let mut layers = abs.layers().to_vec();
            layers[1].weight.fill(1.0);
            Net::new(layers, Precision::F64).unwrap()
        };
        for depth in [2, 5] {
            let widths: Vec<usize> =
                std::iter::once(4).chain(vec![8; depth - 1]).chain([2]).collect();
            let base =
                Net::new(random(&widths, &mut rng).layers().to_vec(), Precision::F64).unwrap();
            for deeper in [2, 4] {
                let detector = deepen(&abs, deeper, Carry::NonNegative).unwrap();
                let whole = graft(&base, &detector, &[2.0, -3.0]).unwrap().forward_unmetered(&xs);
                let mut want = base.forward_unmetered(&xs);
                for (mut y, x) in want.rows_mut().into_iter().zip(xs.rows()) {
                    y[0] += 2.0 * x[0].abs();
                    y[1] -= 3.0 * x[0].abs();
                }
                let worst = (&whole - &want).mapv(f64::abs).fold(0.0, |a: f64, b| a.max(*b));
                assert!(worst < 1e-12, "{depth} {deeper}: {worst}");
            }
        }
    }

    #[test]
    fn one_net_after_another_is_their_composition() {
        let mut rng = Seed::new(4).stream("nets");
        let (a, b) = (random(&[4, 9, 3], &mut rng), random(&[3, 5, 2], &mut rng));
        let xs = inputs(&mut rng);
        let got = then(&a, &b).unwrap().forward_unmetered(&xs);
        let want = b.forward_unmetered(&a.forward_unmetered(&xs));
        assert!((&got - &want).iter().all(|d| d.abs() < 1e-5));
    }

    #[test]
    fn nets_that_do_not_fit_are_refused() {
        let mut rng = Seed::new(5).stream("nets");
        let (a, b) = (random(&[4, 9, 3], &mut rng), random(&[5, 9, 3], &mut rng));
        assert!(beside(&a, &b).unwrap_err().to_string().contains('4'));
        let tanh = Net::random(&[4, 6, 1], Activation::Tanh, Precision::F32, &mut rng).unwrap();
        let error = graft(&a, &tanh, &[1.0, 0.0, 0.0]).unwrap_err().to_string();
        assert!(error.contains("Relu") && error.contains("Tanh"), "{error}");
    }
}
