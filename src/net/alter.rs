//! Nets made from nets by changing their weights: all numbers as one stretch, noise, fresh layers, averages.
//!
//! Architecture, precision, activations and lock stay as they are. Cost: a number that is changed is charged by hand count, as each
//! function says; drawing random numbers is free, as it is where a net is initialised.
use super::{Layer, Net, Slopes};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::rng::{Rng, normal};

impl Net {
    /// All weights and biases: layer by layer the weights, row by row, then the bias.
    pub fn flat(&self) -> Vec<f64> {
        let of = |layer: &Layer| -> Vec<f64> {
            layer.weight.iter().chain(&layer.bias).copied().collect()
        };
        self.layers().iter().flat_map(of).collect()
    }

    /// The same net with other weights and biases, in the order of [`Self::flat`]; its lock stays.
    ///
    /// # Errors
    /// If there are not as many numbers, or one is not finite.
    pub fn with_flat(&self, numbers: &[f64]) -> Result<Self> {
        if numbers.len() != self.n_parameters() {
            let want = format!("a net of {} weights and biases has as many", self.n_parameters());
            return Err(Error::parameter("numbers", numbers.len(), want));
        }
        let mut rest = numbers.iter().copied();
        let mut layers = self.layers().to_vec();
        for layer in &mut layers {
            layer.weight.iter_mut().chain(&mut layer.bias).zip(&mut rest).for_each(|(w, x)| *w = x);
        }
        Self::new(layers, self.precision())?.locked_as(self)
    }
}

impl Slopes {
    /// The slopes by weights and biases, in the order of [`Net::flat`].
    pub fn flat(&self) -> Vec<f64> {
        self.layers.iter().flat_map(|at| at.weight.iter().chain(&at.bias).copied()).collect()
    }
}

/// `net` with normal noise on every weight matrix and every bias: of standard deviation `sigma` times the root mean square of
/// that matrix or bias, which is `sigma` ‖W‖_F / √size. Charges 4 a number: a square and a sum for the norm, a product and a sum.
///
/// # Errors
/// If a number does not stay finite, or the budget does not reach.
pub fn noised(net: &Net, sigma: f64, rng: &mut Rng, ledger: &Ledger) -> Result<Net> {
    ledger.flops(4 * net.n_parameters() as u64)?;
    let mut layers = net.layers().to_vec();
    for Layer { weight, bias, .. } in &mut layers {
        let scale =
            sigma * (weight.iter().map(|w| w * w).sum::<f64>() / weight.len() as f64).sqrt();
        weight.mapv_inplace(|w| w + scale * normal(rng));
        let scale = sigma * (bias.dot(bias) / bias.len() as f64).sqrt();
        bias.mapv_inplace(|b| b + scale * normal(rng));
    }
    Net::new(layers, net.precision())?.locked_as(net)
}

/// `net` with its last `last` layers as [`Net::random`] draws them for its widths and the activation of its first layer: with all
/// of them fresh, the net that is drawn from the same stream there, if it has that one activation.
///
/// # Errors
/// If it has not that many layers.
pub fn with_fresh_layers(net: &Net, last: usize, rng: &mut Rng) -> Result<Net> {
    let mut layers = net.layers().to_vec();
    if last > layers.len() {
        let want = format!("the net has {} layers", layers.len());
        return Err(Error::parameter("layers", last, want));
    }
    let fresh = Net::random(&net.widths(), layers[0].activation, net.precision(), rng)?;
    let kept = layers.len() - last;
    for (layer, fresh) in layers.iter_mut().zip(fresh.layers()).skip(kept) {
        layer.weight.assign(&fresh.weight);
        layer.bias.assign(&fresh.bias);
    }
    Net::new(layers, net.precision())?.locked_as(net)
}

/// (1 − `share`) of the weights of `a` plus `share` of those of `b`, which has the same shape; the lock is that of `a`. Charges 3
/// a number.
///
/// # Errors
/// If their shapes or activations differ, or the budget does not reach.
pub fn interpolated(a: &Net, b: &Net, share: f64, ledger: &Ledger) -> Result<Net> {
    check_twins(a, b)?;
    ledger.flops(3 * a.n_parameters() as u64)?;
    let mix = |(a, b): (f64, f64)| (1.0 - share) * a + share * b;
    let numbers: Vec<f64> = a.flat().into_iter().zip(b.flat()).map(mix).collect();
    a.with_flat(&numbers)
}

/// Checks that two nets have the same widths and activations.
pub(super) fn check_twins(a: &Net, b: &Net) -> Result<()> {
    let of = |net: &Net| net.layers().iter().map(|layer| layer.activation).collect::<Vec<_>>();
    if a.widths() == b.widths() && of(a) == of(b) {
        return Ok(());
    }
    let want = format!("a net of widths {:?} and the same activations is needed", a.widths());
    Err(Error::parameter("net", format!("{:?}", b.widths()), want))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Batch;
    use crate::ledger::Budget;
    use crate::net::{Activation, Precision, Tape};
    use crate::rng::Seed;

    fn random(widths: &[usize], seed: u64) -> Net {
        let mut rng = Seed::new(seed).stream("net");
        Net::random(widths, Activation::Relu, Precision::F64, &mut rng).unwrap()
    }

    fn ledger() -> Ledger {
        Ledger::new(Budget::UNLIMITED)
    }

    #[test]
    fn a_net_comes_back_from_its_numbers_and_slopes_lie_in_the_same_order() {
        let net = random(&[3, 4, 2], 1);
        let mut numbers = net.flat();
        // 12 weights and 4 biases, then 8 and 2.
        assert_eq!(numbers.len(), 26);
        assert_eq!(net.with_flat(&numbers).unwrap(), net);
        let xs = Batch::from_elem((1, 3), 0.3);
        let spent = ledger();
        let slopes = Tape::record(&net, &xs, &spent).unwrap();
        let slopes = slopes.pull_answers(Batch::ones((1, 2)), &spent).unwrap();
        // The bias of the last answer is the last number, and moves the sum of answers as it does itself.
        assert!((slopes.flat()[25] - 1.0).abs() < 1e-12);
        assert!((slopes.flat()[5] - slopes.layers[0].weight[[1, 2]]).abs() < 1e-15);
        numbers[25] = f64::NAN;
        assert!(net.with_flat(&numbers).is_err());
        assert!(net.with_flat(&numbers[1..]).is_err());
    }

    #[test]
    fn noise_has_the_size_it_says_and_zero_noise_changes_nothing() {
        let (net, spent) = (random(&[50, 40, 3], 2), ledger());
        let mut rng = Seed::new(3).stream("noise");
        assert_eq!(noised(&net, 0.0, &mut rng, &spent).unwrap(), net);
        assert_eq!(spent.spent().flops, 4 * (2000 + 40 + 120 + 3));
        let moved = noised(&net, 0.5, &mut rng, &spent).unwrap();
        let (before, after) = (&net.layers()[0].weight, &moved.layers()[0].weight);
        let square = |m: &ndarray::Array2<f64>| m.iter().map(|w| w * w).sum::<f64>();
        // ‖noise‖² / (¼ ‖W‖²) is a chi-square of 2,000 degrees over 2,000: beyond 1 ± 0.17 with probability below 1e-6.
        let ratio = square(&(after - before)) / (0.25 * square(before));
        assert!((ratio - 1.0).abs() < 0.17, "{ratio}");
        // Biases of zero have no size, and stay.
        assert_eq!(moved.layers()[0].bias, net.layers()[0].bias);
    }

    #[test]
    fn fresh_layers_are_those_of_a_fresh_net_and_the_others_stay() {
        let net = random(&[3, 4, 5, 2], 4);
        let rng = || Seed::new(9).stream("net");
        let fresh = random(&[3, 4, 5, 2], 9);
        assert_eq!(with_fresh_layers(&net, 3, &mut rng()).unwrap(), fresh);
        let mixed = with_fresh_layers(&net, 1, &mut rng()).unwrap();
        assert_eq!(mixed.layers()[..2], net.layers()[..2]);
        assert_eq!(mixed.layers()[2], fresh.layers()[2]);
        assert!(with_fresh_layers(&net, 4, &mut rng()).is_err());
    }

    #[test]
    fn an_average_lies_where_it_says() {
        let (a, b, spent) = (random(&[3, 4, 2], 5), random(&[3, 4, 2], 6), ledger());
        let mixed = interpolated(&a, &b, 0.25, &spent).unwrap();
        assert_eq!(spent.spent().flops, 3 * 26);
        for ((m, a), b) in mixed.flat().iter().zip(a.flat()).zip(b.flat()) {
            assert!((m - (0.75 * a + 0.25 * b)).abs() < 1e-15);
        }
        assert!(interpolated(&a, &random(&[3, 5, 2], 6), 0.5, &spent).is_err());
    }
}
