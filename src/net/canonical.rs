//! One net for each class of nets that differ by the symmetries of their units: units of norm one, signed and sorted.
//!
//! A hidden unit with incoming weights w, bias b and outgoing weights v can be changed without changing the function (the table in
//! [`crate::attack`]'s obfuscation `permute-rescale`; folklore, Hecht-Nielsen 1990 for tanh). Here the choice is fixed, layer by layer
//! from the inputs, so that what a symmetry hid is there again:
//!
//! | activation | made |
//! |---|---|
//! | `ReLU`, identity | (w, b, v) / (s, s, 1/s) with s = ‖w‖, or |b| where w is 0; 0 stays |
//! | step | (w, b) / s, v as it is |
//! | tanh, cosine | the first weight of w that is not 0 (else b) is made positive; tanh turns v with it |
//! | GELU | none |
//!
//! Then units are sorted by (w, b), compared weight by weight; equal units by v. Each layer's order is part of the next one's
//! input, so going from the inputs makes every key one that no symmetry changes. **So the canonical forms of two nets that differ by such
//! symmetries are equal up to the rounding of the factors**, unless two units of a layer agree to that rounding in the first weights in which
//! they differ. It is idempotent to rounding. The form is in 64 bits, whatever the net is in: it computes the function that the
//! weights are in real numbers, and a net of 32 bits differs from it as from exact arithmetic.
//!
//! Nothing is removed by it. It only takes the lowest rung of obfuscation (O1) away from methods that read weights. A lock is kept.
use ndarray::{Array2, Axis};

use super::{Activation, Layer, Net, Precision};
use crate::error::Result;
use crate::ledger::Ledger;

impl Net {
    /// The canonical form of this net. Charges, for each hidden layer of k units, 3 operations a weight, one a weight that reads it, 2 a
    /// unit, and k log₂ k comparisons.
    ///
    /// ```
    /// use absolve::ledger::{Budget, Ledger};
    /// use absolve::net::{Activation, Net, Precision};
    /// let mut rng = absolve::rng::Seed::new(1).stream("net");
    /// let net = Net::random(&[3, 4, 1], Activation::Relu, Precision::F64, &mut rng)?;
    /// let canonical = net.canonical(&Ledger::new(Budget::UNLIMITED))?;
    /// let norm = |w: ndarray::ArrayView1<f64>| w.dot(&w).sqrt();
    /// assert!(canonical.layers()[0].weight.outer_iter().all(|w| (norm(w) - 1.0).abs() < 1e-12));
    /// # Ok::<(), absolve::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the budget does not reach.
    pub fn canonical(&self, ledger: &Ledger) -> Result<Self> {
        ledger.flops(self.canonical_flops())?;
        let mut layers = self.layers().to_vec();
        for number in 1..layers.len() {
            let (before, after) = layers.split_at_mut(number);
            let (layer, next) = (&mut before[number - 1], &mut after[0]);
            for unit in 0..layer.bias.len() {
                settle(layer, next, unit);
            }
            sort(layer, next);
        }
        Self::new(layers, Precision::F64)?.locked_as(self)
    }

    /// Operations of [`Self::canonical`].
    pub fn canonical_flops(&self) -> u64 {
        let pairs = self.layers().windows(2);
        let of = pairs.map(|pair| {
            let k = pair[0].bias.len() as f64;
            let sort = (k * k.log2()).ceil() as u64;
            (3 * pair[0].weight.len() + pair[1].weight.len() + 2 * pair[0].bias.len()) as u64 + sort
        });
        of.sum()
    }
}

/// Brings one unit of `layer`, which `next` reads, to its canonical size and sign.
fn settle(layer: &mut Layer, next: &mut Layer, unit: usize) {
    let row = layer.weight.row(unit);
    let bias = layer.bias[unit];
    let norm = match row.dot(&row).sqrt() {
        norm if norm > 0.0 => norm,
        _ if bias.abs() > 0.0 => bias.abs(),
        _ => 1.0,
    };
    let first = row.iter().copied().find(|w| w.abs() > 0.0).unwrap_or(bias);
    let sign = if first < 0.0 { -1.0 } else { 1.0 };
    let (inward, outward) = match layer.activation {
        Activation::Relu | Activation::Identity => (1.0 / norm, norm),
        Activation::Step => (1.0 / norm, 1.0),
        Activation::Tanh => (sign, sign),
        Activation::Cos => (sign, 1.0),
        Activation::Gelu => (1.0, 1.0),
    };
    // What cannot be scaled without leaving the numbers stays.
    if !(inward.is_finite() && inward > 0.0 || sign < 0.0) {
        return;
    }
    layer.weight.row_mut(unit).mapv_inplace(|w| inward * w);
    layer.bias[unit] *= inward;
    next.weight.column_mut(unit).mapv_inplace(|v| outward * v);
}

fn sort(layer: &mut Layer, next: &mut Layer) {
    let key = |unit: usize| {
        let inward = layer.weight.row(unit).to_vec();
        let outward = next.weight.column(unit).to_vec();
        inward.into_iter().chain([layer.bias[unit]]).chain(outward).collect::<Vec<f64>>()
    };
    let keys: Vec<Vec<f64>> = (0..layer.bias.len()).map(key).collect();
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by(|&i, &j| {
        let pairs = keys[i].iter().zip(&keys[j]);
        pairs.map(|(a, b)| a.total_cmp(b)).find(|c| c.is_ne()).unwrap_or(i.cmp(&j))
    });
    layer.weight = select(&layer.weight, 0, &order);
    layer.bias = layer.bias.select(Axis(0), &order);
    next.weight = select(&next.weight, 1, &order);
}

fn select(weight: &Array2<f64>, axis: usize, order: &[usize]) -> Array2<f64> {
    weight.select(Axis(axis), order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Batch;
    use crate::ledger::Budget;
    use crate::rng::{Seed, normal, permutation};

    fn free() -> Ledger {
        Ledger::new(Budget::UNLIMITED)
    }

    fn random(widths: &[usize], activation: Activation, seed: u64) -> Net {
        let mut rng = Seed::new(seed).stream("net");
        let mut layers =
            Net::random(widths, activation, Precision::F64, &mut rng).unwrap().layers().to_vec();
        layers.iter_mut().for_each(|l| l.bias.mapv_inplace(|_| normal(&mut rng)));
        Net::new(layers, Precision::F64).unwrap()
    }

    /// Another net of the same function: units permuted, then each changed by its symmetry.
    fn disguised(net: &Net, seed: u64) -> Net {
        let mut rng = Seed::new(seed).stream("disguise");
        let mut layers = net.layers().to_vec();
        for number in 1..layers.len() {
            let order = permutation(layers[number - 1].bias.len(), &mut rng);
            let (before, after) = layers.split_at_mut(number);
            let (layer, next) = (&mut before[number - 1], &mut after[0]);
            layer.weight = layer.weight.select(Axis(0), &order);
            layer.bias = layer.bias.select(Axis(0), &order);
            next.weight = next.weight.select(Axis(1), &order);
            for unit in 0..order.len() {
                let (scale, sign) = (normal(&mut rng).exp(), crate::rng::sign(&mut rng));
                let (inward, outward) = match layer.activation {
                    Activation::Relu | Activation::Identity => (scale, 1.0 / scale),
                    Activation::Step => (scale, 1.0),
                    Activation::Tanh => (sign, sign),
                    Activation::Cos => (sign, 1.0),
                    Activation::Gelu => (1.0, 1.0),
                };
                layer.weight.row_mut(unit).mapv_inplace(|w| inward * w);
                layer.bias[unit] *= inward;
                next.weight.column_mut(unit).mapv_inplace(|v| outward * v);
            }
        }
        Net::new(layers, Precision::F64).unwrap()
    }

    /// The largest difference of two weights or biases of the same place, relative to 1 and the number.
    fn apart(a: &Net, b: &Net) -> f64 {
        let numbers = |net: &Net| -> Vec<f64> {
            let all = net.layers().iter().flat_map(|l| l.weight.iter().chain(&l.bias).copied());
            all.collect()
        };
        let pairs = numbers(a).into_iter().zip(numbers(b));
        pairs.map(|(a, b)| (a - b).abs() / a.abs().max(1.0)).fold(0.0, f64::max)
    }

    #[test]
    fn disguised_nets_have_the_same_form_at_every_depth_and_it_answers_as_they_do() {
        let all = [
            Activation::Relu,
            Activation::Tanh,
            Activation::Cos,
            Activation::Step,
            Activation::Gelu,
            Activation::Identity,
        ];
        for activation in all {
            for (seed, widths) in
                [&[4, 1][..], &[4, 7, 1], &[3, 6, 5, 2], &[5, 4, 6, 4, 1]].iter().enumerate()
            {
                let net = random(widths, activation, seed as u64);
                let other = disguised(&net, 40 + seed as u64);
                let form = net.canonical(&free()).unwrap();
                let again = form.canonical(&free()).unwrap();
                assert!(apart(&form, &other.canonical(&free()).unwrap()) < 1e-9, "{activation:?}");
                assert!(apart(&form, &again) < 1e-12, "{activation:?} {widths:?}");
                let mut rng = Seed::new(9).stream("xs");
                let xs = Batch::from_shape_simple_fn((50, widths[0]), || normal(&mut rng));
                let (want, got) = (net.forward_unmetered(&xs), form.forward_unmetered(&xs));
                assert!((&want - &got).iter().all(|d| d.abs() < 1e-9), "{activation:?} {widths:?}");
            }
        }
    }

    #[test]
    fn units_of_nothing_and_of_extreme_size_do_no_harm_and_the_charge_is_the_hand_count() {
        let layer = |weight, bias, activation| Layer { weight, bias, activation };
        let first = layer(
            ndarray::array![[0.0, 0.0], [1e-320, 0.0], [1e200, 1e200], [0.0, 0.0]],
            ndarray::array![0.0, 0.0, -1e200, 2.0],
            Activation::Relu,
        );
        let last = layer(
            ndarray::array![[1.0, 1.0, 1e-200, 3.0]],
            ndarray::array![0.5],
            Activation::Identity,
        );
        let net = Net::new(vec![first, last], Precision::F64).unwrap();
        let ledger = free();
        let form = net.canonical(&ledger).unwrap();
        // 3 · 8 + 4 + 2 · 4 + 4 log₂ 4.
        assert_eq!(ledger.spent().flops, 44);
        // relu(1) + … at (1, 1): the third unit gives 1e-200 · 1e200 = 1, the last 3 · 2; the second next to nothing.
        let xs = ndarray::array![[1.0, 1.0]];
        assert!((form.forward_unmetered(&xs)[[0, 0]] - 7.5).abs() < 1e-9);
    }
}
