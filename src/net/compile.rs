//! From truth to weights: nets that are a known function, written down instead of trained.
//!
//! All are `ReLU` nets in 64 bits with a linear output. On the cube a parity is a function of `s = Σ x_i` alone, and s is one of
//! k + 1 whole numbers: the zigzag through them is `p_0 + Σ_j c_j relu(s + k − 2j)`, j = 0 … k − 1, with `p_0 = (−1)^k`,
//! `c_0 = −p_0` and `c_j = 2 (−1)^{j+1} p_0`. The leaf of a decision tree at depth d is reached where d signed coordinates sum to d, and
//! elsewhere they sum to at most d − 2: `relu(Σ ± x_i − (d − 1))` is exactly 1 or exactly 0. An affine z is `relu(z) −
//! relu(−z)`, and a `ReLU` layer hands both on as they are.
//!
//! Every unit then holds a whole number. So where the values that they are multiplied by are whole multiples of a power of
//! two, as those of majorities, juntas and trees are, the net is the function to the last bit; of other values each term is
//! off by its rounding, at most about k² 2^−52 times its value.
use ndarray::{Array1, Array2};

use super::{Activation, Layer, Net, Precision};
use crate::error::{Error, Result};
use crate::fourier::{DecisionTree, FourierSum, Term};

/// Most weights of a compiled net: half a GiB of them.
const MOST_WEIGHTS: usize = 1 << 26;
/// Most hidden layers of an affine net.
const MOST_LAYERS: usize = 1 << 10;

/// The net of the parity of `support` on a cube of `n` dimensions: one hidden layer of a unit a coordinate.
///
/// # Errors
/// If a coordinate is outside the cube or stands twice, or the net would be too large.
///
/// ```
/// use absolve::ledger::{Budget, Ledger};
/// let net = absolve::net::compile::parity(&[0, 2], 3)?;
/// let xs = ndarray::array![[1.0, 1.0, -1.0], [-1.0, 1.0, -1.0]];
/// let answers = net.forward(&xs, &Ledger::new(Budget::UNLIMITED))?;
/// assert_eq!(answers, ndarray::array![[-1.0], [1.0]]);
/// # Ok::<(), absolve::error::Error>(())
/// ```
pub fn parity(support: &[usize], n: usize) -> Result<Net> {
    let sum = FourierSum::new(vec![Term { support: support.to_vec(), value: 1.0 }]);
    characters(&sum, n)
}

/// The net of a sum of characters on a cube of `n` dimensions: one hidden layer, a unit a coordinate of every term.
///
/// # Errors
/// If a coordinate is outside the cube or stands twice in a term, a value is not finite, or the net would be too large.
pub fn characters(sum: &FourierSum, n: usize) -> Result<Net> {
    let mut units = Units::default();
    for Term { support, value } in sum.terms() {
        check_support(support, n)?;
        let k = support.len();
        let first = if k % 2 == 0 { 1.0 } else { -1.0 };
        units.offset += value * first;
        // Checked before the units of a long support are made, which take k² numbers.
        check_size(units.rows.len() + k, n)?;
        let row: Vec<(usize, f64)> = support.iter().map(|&i| (i, 1.0)).collect();
        for j in 0..k {
            let change = match j {
                0 => -first,
                _ if j % 2 == 1 => 2.0 * first,
                _ => -2.0 * first,
            };
            let bias = k as f64 - 2.0 * j as f64;
            units.rows.push(Unit { row: row.clone(), bias, out: value * change });
        }
    }
    units.net(n)
}

/// The net of a decision tree: one hidden layer of a unit a leaf, which is 1 where the leaf is reached and else 0.
///
/// # Errors
/// If the net would be too large.
pub fn decision_tree(tree: &DecisionTree) -> Result<Net> {
    check_size(tree.size(), tree.n())?;
    let unit = |leaf: crate::fourier::Leaf| {
        let bias = 1.0 - leaf.path.len() as f64;
        Unit { row: leaf.path, bias, out: leaf.value }
    };
    let rows = tree.leaves().into_iter().map(unit).collect();
    Units { rows, offset: 0.0 }.net(tree.n())
}

/// The net of `weights · x + offset` with `n_hidden` hidden layers of two units; with none it is one linear layer.
///
/// # Errors
/// If there are no weights, a number is not finite, or the net would be too deep.
pub fn affine(weights: &[f64], offset: f64, n_hidden: usize) -> Result<Net> {
    if n_hidden > MOST_LAYERS {
        let want = format!("at most {MOST_LAYERS} hidden layers are accepted");
        return Err(Error::parameter("hidden layers", n_hidden, want));
    }
    let n = weights.len();
    let output = |weight: Array2<f64>| Layer {
        weight,
        bias: Array1::from(vec![offset]),
        activation: Activation::Identity,
    };
    if n_hidden == 0 {
        let weight = Array2::from_shape_fn((1, n), |(_, i)| weights[i]);
        return Net::new(vec![output(weight)], Precision::F64);
    }
    let pair =
        Array2::from_shape_fn((2, n), |(unit, i)| if unit == 0 { weights[i] } else { -weights[i] });
    let relu = |weight| Layer { weight, bias: Array1::zeros(2), activation: Activation::Relu };
    let mut layers = vec![relu(pair)];
    layers.extend((1..n_hidden).map(|_| relu(Array2::eye(2))));
    layers.push(output(Array2::from_shape_fn((1, 2), |(_, unit)| 1.0 - 2.0 * unit as f64)));
    Net::new(layers, Precision::F64)
}

/// A hidden unit: its weights other than 0, its bias, and what the output multiplies it by.
struct Unit {
    row: Vec<(usize, f64)>,
    bias: f64,
    out: f64,
}

/// One hidden layer, and what the output adds.
#[derive(Default)]
struct Units {
    rows: Vec<Unit>,
    offset: f64,
}

impl Units {
    fn net(mut self, n: usize) -> Result<Net> {
        // A constant needs no unit, but a layer needs one: it is 0 everywhere.
        if self.rows.is_empty() {
            self.rows.push(Unit { row: Vec::new(), bias: 0.0, out: 0.0 });
        }
        check_size(self.rows.len(), n)?;
        let mut weight = Array2::zeros((self.rows.len(), n));
        for (number, unit) in self.rows.iter().enumerate() {
            unit.row.iter().for_each(|&(i, w)| weight[[number, i]] = w);
        }
        let hidden = Layer {
            weight,
            bias: self.rows.iter().map(|unit| unit.bias).collect(),
            activation: Activation::Relu,
        };
        let out = Array2::from_shape_fn((1, self.rows.len()), |(_, unit)| self.rows[unit].out);
        let bias = Array1::from(vec![self.offset]);
        let output = Layer { weight: out, bias, activation: Activation::Identity };
        Net::new(vec![hidden, output], Precision::F64)
    }
}

/// Checks that a support lists coordinates of the cube, each once.
fn check_support(support: &[usize], n: usize) -> Result<()> {
    if let Some(i) = support.iter().find(|i| **i >= n) {
        let want = format!("coordinates of an n = {n} cube are below {n}");
        return Err(Error::parameter("support", i, want));
    }
    let mut sorted = support.to_vec();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => {
            Err(Error::parameter("support", twice[0], "a support lists each coordinate once"))
        }
        None => Ok(()),
    }
}

/// Checks that a hidden layer of `units` on `n` inputs can be held, before memory is asked for it.
fn check_size(units: usize, n: usize) -> Result<()> {
    if units.checked_mul(n.max(1)).is_some_and(|weights| weights <= MOST_WEIGHTS) {
        return Ok(());
    }
    let want = format!(
        "on {n} inputs a compiled net has at most {} units, {MOST_WEIGHTS} weights",
        MOST_WEIGHTS / n.max(1)
    );
    Err(Error::parameter("units", units, want))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Batch, stack};
    use crate::fourier::{spectrum, vertex};
    use crate::rng::{Rng, Seed, normal, permutation, sign};

    /// Every vertex of a cube.
    fn cube(n: usize) -> Batch {
        stack(n, (0..1 << n).map(|index| vertex(index, n)))
    }

    /// 500 random vertices of a large cube.
    fn some(n: usize, rng: &mut Rng) -> Batch {
        stack(n, (0..500).map(|_| (0..n).map(|_| sign(rng)).collect()))
    }

    fn character_at(support: &[usize], xs: &Batch) -> Batch {
        let values = xs.rows().into_iter().map(|x| support.iter().map(|&i| x[i]).product());
        crate::data::column(values.collect())
    }

    #[test]
    fn a_parity_is_the_product_to_the_last_bit_at_every_vertex() {
        let mut rng = Seed::new(1).stream("supports");
        for n in 1..=12 {
            let xs = cube(n);
            for k in 0..=n {
                let support = permutation(n, &mut rng)[..k].to_vec();
                let net = parity(&support, n).unwrap();
                assert_eq!(net.forward_unmetered(&xs), character_at(&support, &xs), "{support:?}");
                assert_eq!(net.widths(), [n, k.max(1), 1]);
            }
        }
        for k in [1, 2, 37, 200] {
            let support = permutation(200, &mut rng)[..k].to_vec();
            let xs = some(200, &mut rng);
            let net = parity(&support, 200).unwrap();
            assert_eq!(net.forward_unmetered(&xs), character_at(&support, &xs), "k = {k}");
        }
    }

    #[test]
    fn a_sum_of_characters_is_itself_at_every_vertex() {
        // A random sign function of eight coordinates: coefficients are multiples of 2^−8, and the net is exact.
        let mut rng = Seed::new(2).stream("table");
        let values: Vec<f64> = (0..256).map(|_| sign(&mut rng)).collect();
        let sum = spectrum(values.clone(), 1e-9);
        let net = characters(&sum, 8).unwrap();
        assert_eq!(net.forward_unmetered(&cube(8)), crate::data::column(values));
        // Values of no finite binary expansion: exact but for rounding.
        let terms = (0..30)
            .map(|k| Term {
                support: permutation(200, &mut rng)[..k].to_vec(),
                value: normal(&mut rng),
            })
            .collect();
        let sum = FourierSum::new(terms);
        let xs = some(200, &mut rng);
        let off = characters(&sum, 200).unwrap().forward_unmetered(&xs) - sum.at_all(&xs);
        // 30 terms of k² 2^−52 ≤ 2e-13 each at the most; about its root in practice.
        assert!(off.iter().all(|d| d.abs() < 1e-12), "{off}");
    }

    #[test]
    fn a_tree_is_itself_at_every_vertex() {
        let mut rng = Seed::new(3).stream("trees");
        for (n, depth, size) in [(1, 0, 1), (1, 1, 2), (10, 5, 20), (12, 12, 40), (12, 4, 16)] {
            let tree = DecisionTree::random(n, depth, size, &mut rng).unwrap();
            let net = decision_tree(&tree).unwrap();
            let xs = cube(n);
            assert_eq!(net.forward_unmetered(&xs), tree.at_all(&xs), "{n} {depth} {size}");
            assert_eq!(net.widths(), [n, size, 1]);
        }
        let tree = DecisionTree::random(200, 30, 500, &mut rng).unwrap();
        let xs = some(200, &mut rng);
        assert_eq!(decision_tree(&tree).unwrap().forward_unmetered(&xs), tree.at_all(&xs));
    }

    #[test]
    fn an_affine_function_goes_through_any_number_of_layers_unchanged() {
        let mut rng = Seed::new(4).stream("weights");
        let weights: Vec<f64> = (0..7).map(|_| normal(&mut rng)).collect();
        let xs = Batch::from_shape_simple_fn((300, 7), || 10.0 * normal(&mut rng));
        let want = xs.dot(&Array1::from(weights.clone())) + 0.3;
        for n_hidden in [0, 1, 2, 5] {
            let net = affine(&weights, 0.3, n_hidden).unwrap();
            assert_eq!(net.layers().len(), n_hidden + 1);
            let off = &net.forward_unmetered(&xs).column(0) - &want;
            // Sums of seven products of about 10, in another order at most.
            assert!(off.iter().all(|d| d.abs() < 1e-13), "{n_hidden}: {off}");
        }
    }

    #[test]
    fn what_cannot_be_compiled_is_refused() {
        assert!(parity(&[3], 3).unwrap_err().to_string().contains("below 3"));
        assert!(parity(&[1, 1], 3).unwrap_err().to_string().contains("once"));
        let all: Vec<usize> = (0..60_000).collect();
        assert!(parity(&all, 60_000).unwrap_err().to_string().contains("units = 60000"));
        assert!(affine(&[], 0.0, 1).is_err());
        assert!(affine(&[f64::NAN], 0.0, 0).is_err());
        assert!(affine(&[1.0], 0.0, usize::MAX).is_err());
    }
}
