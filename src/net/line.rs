//! Restriction of a `ReLU` net to a line: exactly the piecewise linear function it is there.
//!
//! An incremental algorithm for one hidden layer: the first layer's sums at the start are
//! computed once, a ray costs one product with its direction, a sort of the kinks, and a few operations a kink. For
//! deeper nets see Sotoudeh and Thakur, "Computing Linear Restrictions of Neural Networks" (`NeurIPS` 2019); not done here.
use super::{Activation, Net};
use crate::error::{Error, Result};
use crate::ledger::Ledger;

/// All rays of a one-hidden-layer `ReLU` net from one point.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    net: &'a Net,
    start: &'a [f64],
    /// Sums of the hidden layer at the start.
    sums: Vec<f64>,
}

/// A piecewise linear function on [0, end], given at its knots.
#[derive(Clone, Debug, PartialEq)]
pub struct Piecewise {
    /// Where pieces meet, ascending, from 0 to the end.
    pub knots: Vec<f64>,
    /// The value at every knot.
    pub values: Vec<f64>,
}

impl<'a> Line<'a> {
    /// Prepares rays from `start`. Charges one product with the first layer.
    ///
    /// # Errors
    /// If the net is not one hidden `ReLU` layer under one linear output, or the budget does not reach.
    pub fn from(net: &'a Net, start: &'a [f64], ledger: &Ledger) -> Result<Self> {
        let fits = match net.layers() {
            [hidden, output] => {
                hidden.activation == Activation::Relu
                    && output.activation == Activation::Identity
                    && output.bias.len() == 1
            }
            _ => false,
        };
        if !fits {
            let why = format!(
                "it needs one hidden ReLU layer and one linear output; this net has widths {:?}",
                net.widths()
            );
            return Err(Error::assumption("exact restriction to a line", why));
        }
        let hidden = &net.layers()[0];
        ledger.flops(2 * hidden.weight.len() as u64)?;
        let sums = hidden.weight.rows().into_iter().zip(&hidden.bias);
        let sums = sums.map(|(w, b)| w.iter().zip(start).map(|(w, x)| w * x).sum::<f64>() + b);
        Ok(Self { net, start, sums: sums.collect() })
    }

    /// The net along `start + t direction` for t from 0 to `end`.
    ///
    /// Charges the product with the first layer, a division and four operations a hidden unit for its kink and its part
    /// in the first piece, `k log₂ k` comparisons to sort the k kinks, and eight operations a kink to cross it.
    pub fn along(&self, direction: &[f64], end: f64, ledger: &Ledger) -> Result<Piecewise> {
        debug_assert_eq!(direction.len(), self.start.len(), "a direction has a number an input");
        let [hidden, output] = self.net.layers() else { unreachable!("checked by from()") };
        ledger.flops(2 * hidden.weight.len() as u64 + 5 * self.sums.len() as u64)?;
        let (mut level, mut slope) = (output.bias[0], 0.0);
        let mut kinks: Vec<(f64, f64, f64)> = Vec::new();
        for ((w, &z), &v) in hidden.weight.rows().into_iter().zip(&self.sums).zip(&output.weight) {
            let s: f64 = w.iter().zip(direction).map(|(w, d)| w * d).sum();
            // A unit at rest exactly at its kink is on from 0 if it rises.
            if z > 0.0 || (z >= 0.0 && s > 0.0) {
                level += v * z;
                slope += v * s;
            }
            let kink = -z / s;
            if kink > 0.0 && kink < end {
                let on = s.signum();
                kinks.push((kink, on * v * z, on * v * s));
            }
        }
        let n = kinks.len() as f64;
        ledger.flops((n * n.max(1.0).log2()).ceil() as u64 + 8 * kinks.len() as u64)?;
        kinks.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut knots = vec![0.0];
        let mut values = vec![level];
        for (t, level_step, slope_step) in kinks {
            knots.push(t);
            values.push(level + slope * t);
            level += level_step;
            slope += slope_step;
        }
        knots.push(end);
        values.push(level + slope * end);
        Ok(Piecewise { knots, values })
    }
}

impl Piecewise {
    /// The end of its domain.
    pub fn end(&self) -> f64 {
        self.knots[self.knots.len() - 1]
    }

    /// Its value at `t` in [0, end].
    pub fn at(&self, t: f64) -> f64 {
        let right = self.knots.partition_point(|knot| *knot < t).clamp(1, self.knots.len() - 1);
        let (t0, t1) = (self.knots[right - 1], self.knots[right]);
        let (v0, v1) = (self.values[right - 1], self.values[right]);
        if t1 > t0 { v0 + (v1 - v0) * (t - t0) / (t1 - t0) } else { v1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Batch;
    use crate::ledger::Budget;
    use crate::net::Precision;
    use crate::rng::{RngExt, Seed, direction, normal};

    #[test]
    fn a_restriction_is_the_net_itself_at_every_point_of_the_line() {
        let ledger = Ledger::new(Budget::UNLIMITED);
        for seed in 0..20 {
            let mut rng = Seed::new(seed).stream("net");
            let widths = [6, 1 + seed as usize * 3, 1];
            let mut layers = Net::random(&widths, Activation::Relu, Precision::F64, &mut rng)
                .unwrap()
                .layers()
                .to_vec();
            layers.iter_mut().for_each(|l| l.bias.mapv_inplace(|_| 0.5 * normal(&mut rng)));
            let net = Net::new(layers, Precision::F64).unwrap();
            let start: Vec<f64> = (0..6).map(|_| normal(&mut rng)).collect();
            let line = Line::from(&net, &start, &ledger).unwrap();
            let d = direction(6, &mut rng);
            let pieces = line.along(&d, 4.0, &ledger).unwrap();
            for _ in 0..50 {
                let t = 4.0 * rng.random::<f64>();
                let x: Vec<f64> = start.iter().zip(&d).map(|(x, d)| x + t * d).collect();
                let want =
                    net.forward(&Batch::from_shape_vec((1, 6), x).unwrap(), &ledger).unwrap();
                assert!((pieces.at(t) - want[[0, 0]]).abs() < 1e-9, "seed {seed}, t {t}");
            }
        }
    }

    #[test]
    fn a_ray_costs_what_the_formula_says() {
        // Two units: sums 1 and −1 at the start, rates −1 and 1, so both kinks are at t = 1.
        let mut layers = Net::random(
            &[1, 2, 1],
            Activation::Relu,
            Precision::F64,
            &mut Seed::new(1).stream("n"),
        )
        .unwrap()
        .layers()
        .to_vec();
        layers[0].weight = ndarray::array![[-1.0], [1.0]];
        layers[0].bias = ndarray::array![1.0, -1.0];
        layers[1].weight = ndarray::array![[1.0, 1.0]];
        let net = Net::new(layers, Precision::F64).unwrap();
        let ledger = Ledger::new(Budget::UNLIMITED);
        let line = Line::from(&net, &[0.0], &ledger).unwrap();
        assert_eq!(ledger.spent().flops, 4);
        let pieces = line.along(&[1.0], 3.0, &ledger).unwrap();
        // Product 4, five a unit 10, sort 2 log₂ 2 = 2, crossing 16.
        assert_eq!(ledger.spent().flops, 4 + 4 + 10 + 2 + 16);
        assert_eq!(pieces.knots, [0.0, 1.0, 1.0, 3.0]);
        assert_eq!(pieces.values, [1.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn deeper_nets_are_refused() {
        let net = Net::random(
            &[2, 3, 3, 1],
            Activation::Relu,
            Precision::F32,
            &mut Seed::new(1).stream("n"),
        )
        .unwrap();
        let error = Line::from(&net, &[0.0, 0.0], &Ledger::new(Budget::UNLIMITED)).unwrap_err();
        assert!(error.to_string().contains("one hidden ReLU layer"), "{error}");
    }
}
