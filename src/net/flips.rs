//! All answers at inputs that differ from one in the sign of one coordinate, for one first layer's price.
//!
//! Turning coordinate i changes the first layer's sums by `−2 x_i W_i`, `W_i` the i-th column. So with the sums at x kept, a turned
//! input costs `O(d_1)` and the rest of the net: of n turned inputs of a net with one hidden layer of d units, `2 n d + 2 (n + 1) d +
//! n (2 d + 1)` operations in all, about 3F, where n passes cost nF. Deeper nets save the first layer alone.
//!
//! The influence of coordinate i on f is `E[((f(x) − f(x^i))/2)²]`: by Parseval the sum of `f^(S)²` over all sets S with i in them
//! (O'Donnell, "Analysis of Boolean Functions", 2014, Theorem 2.20). Here it is exact for each x; the mean over x is a sample's.
//!
//! Computed in 64 bits, as gradients are: a net of 32 bits answers otherwise by its own rounding.
use ndarray::{Axis, Slice};

use super::Net;
use crate::data::{Batch, row};
use crate::error::Result;
use crate::ledger::Ledger;

/// Answers around one input.
#[derive(Clone, Debug, PartialEq)]
pub struct Turned {
    /// The answer at the input itself.
    pub here: Vec<f64>,
    /// Row i: the answer where coordinate i is turned.
    pub there: Batch,
}

impl Net {
    /// The answers at `x` and at every input that differs from it in the sign of one coordinate. Charges
    /// [`Self::turned_flops`].
    ///
    /// ```
    /// use absolve::ledger::{Budget, Ledger};
    /// let net = absolve::net::compile::parity(&[0, 2], 3)?;
    /// let around = net.turned(&[1.0, 1.0, -1.0], &Ledger::new(Budget::UNLIMITED))?;
    /// assert_eq!(around.here, [-1.0]);
    /// assert_eq!(around.there, ndarray::array![[1.0], [-1.0], [1.0]]);
    /// # Ok::<(), absolve::error::Error>(())
    /// ```
    pub fn turned(&self, x: &[f64], ledger: &Ledger) -> Result<Turned> {
        let xs = crate::data::wide(x.len(), x.to_vec());
        self.admit(&xs)?;
        ledger.flops(self.turned_flops())?;
        let n = x.len();
        let first = &self.layers()[0];
        let sums = first.weight.dot(&xs.row(0)) + &first.bias;
        let mut h = Batch::zeros((n + 1, sums.len()));
        for (i, mut out) in h.rows_mut().into_iter().enumerate() {
            out.assign(&sums);
            if i > 0 {
                out.scaled_add(-2.0 * x[i - 1], &first.weight.column(i - 1));
            }
        }
        h.mapv_inplace(|z| first.activation.at(z));
        for layer in &self.layers()[1..] {
            h = super::mlp::sums(layer, &h).mapv(|z| layer.activation.at(z));
        }
        if let Some(lock) = &self.lock {
            let mut points = Batch::zeros((n + 1, n));
            for (i, mut point) in points.rows_mut().into_iter().enumerate() {
                point.assign(&xs.row(0));
                if i > 0 {
                    point[i - 1] = -point[i - 1];
                }
            }
            lock.answer(&points, &mut h);
        }
        let here = row(&h, 0);
        let there = h.slice_axis(Axis(0), Slice::from(1..)).to_owned();
        Ok(Turned { here, there })
    }

    /// Operations of [`Self::turned`]: the first layer once, n times a factor and `d_1` multiply-adds, and n + 1 times the rest.
    pub fn turned_flops(&self) -> u64 {
        let first = &self.layers()[0].weight;
        let (n, units) = (first.ncols() as u64, first.nrows() as u64);
        let rest = self.forward_flops() - 2 * first.len() as u64;
        2 * first.len() as u64 + n * (2 * units + 1) + (n + 1) * rest
    }

    /// The mean over the rows of `xs` of `((f(x) − f(x^i))/2)²`, for every coordinate i, summed over outputs. Charges
    /// [`Self::turned_flops`] a row, and three operations a difference.
    pub fn influences(&self, xs: &Batch, ledger: &Ledger) -> Result<Vec<f64>> {
        self.admit(xs)?;
        let shape = self.shape();
        let mut sums = vec![0.0; shape.inputs];
        for i in 0..xs.nrows() {
            ledger.flops(3 * (shape.inputs * shape.outputs) as u64)?;
            let around = self.turned(&row(xs, i), ledger)?;
            for (sum, there) in sums.iter_mut().zip(around.there.rows()) {
                *sum += there.iter().zip(&around.here).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
            }
        }
        Ok(sums.into_iter().map(|sum| sum / (4 * xs.nrows().max(1)) as f64).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::stack;
    use crate::fourier::vertex;
    use crate::ledger::Budget;
    use crate::net::{Activation, Precision, compile};
    use crate::rng::{Seed, normal};

    #[test]
    fn turned_answers_are_those_of_passes_at_the_turned_inputs() {
        let ledger = Ledger::new(Budget::UNLIMITED);
        let kinds = [Activation::Relu, Activation::Tanh, Activation::Gelu, Activation::Cos];
        for (seed, activation) in (0..).zip(kinds) {
            for widths in [&[7, 1][..], &[6, 9, 1], &[1, 3, 2], &[5, 8, 4, 3]] {
                let mut rng = Seed::new(seed).stream("net");
                for (precision, tolerance) in [(Precision::F64, 1e-13), (Precision::F32, 1e-5)] {
                    let net = Net::random(widths, activation, precision, &mut rng).unwrap();
                    let x: Vec<f64> = (0..widths[0]).map(|_| normal(&mut rng)).collect();
                    let around = net.turned(&x, &ledger).unwrap();
                    let here = net.forward_unmetered(&stack(x.len(), [x.clone()]));
                    let off = |a: &f64, b: &f64| (a - b).abs() > tolerance * (1.0 + b.abs());
                    assert!(!around.here.iter().zip(&here).any(|(a, b)| off(a, b)));
                    for i in 0..x.len() {
                        let mut there = x.clone();
                        there[i] = -there[i];
                        let want = net.forward_unmetered(&stack(x.len(), [there]));
                        let got = around.there.row(i);
                        assert!(!got.iter().zip(&want).any(|(a, b)| off(a, b)), "{widths:?} {i}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_charge_is_the_hand_count_and_nothing_is_done_without_it() {
        // 32 inputs, 128 units, one output: 2·32·128 + 32 (2·128 + 1) + 33 · 2·128 = 24,864, where 32 passes are 270,336.
        let mut rng = Seed::new(1).stream("net");
        let net = Net::random(&[32, 128, 1], Activation::Relu, Precision::F32, &mut rng).unwrap();
        assert_eq!(net.turned_flops(), 24_864);
        let ledger = Ledger::new(Budget::UNLIMITED);
        net.turned(&[1.0; 32], &ledger).unwrap();
        assert_eq!(ledger.spent().flops, 24_864);
        net.influences(&Batch::ones((3, 32)), &ledger).unwrap();
        assert_eq!(ledger.spent().flops, 24_864 + 3 * (24_864 + 96));
        let empty = Ledger::new(Budget { flops: Some(24_863), ..Budget::UNLIMITED });
        assert!(net.turned(&[1.0; 32], &empty).is_err());
        assert!(net.turned(&[1.0; 31], &ledger).is_err() && empty.spent().flops == 0);
    }

    #[test]
    fn influences_over_the_whole_cube_are_the_sums_of_squares_that_parseval_says() {
        // (x₀ + x₁ + x₂ − x₀x₁x₂)/2 on 5 coordinates: each of the three is in two terms of weight 1/4.
        let term =
            |support: &[usize], value| crate::fourier::Term { support: support.to_vec(), value };
        let majority = crate::fourier::FourierSum::new(vec![
            term(&[0], 0.5),
            term(&[1], 0.5),
            term(&[2], 0.5),
            term(&[0, 1, 2], -0.5),
        ]);
        let net = compile::characters(&majority, 5).unwrap();
        let xs = stack(5, (0..32).map(|i| vertex(i, 5)));
        let found = net.influences(&xs, &Ledger::new(Budget::UNLIMITED)).unwrap();
        for (i, found) in found.iter().enumerate() {
            assert!((found - if i < 3 { 0.5 } else { 0.0 }).abs() < 1e-12, "{i}: {found}");
        }
    }
}
