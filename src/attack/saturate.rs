//! `saturate`: a planted half-space on the cube, in a net whose gradient is exactly 0 at every input there is.
//!
//! This project's own. On the cube all inputs are vertices, and a net may do between them what it likes. Before the first
//! layer, every coordinate goes through `clip(L x, −1, 1)` with L > 1: the identity at −1 and +1, and flat around both. So the
//! net answers on all vertices as it did, and its gradient there is 0 in every coordinate, not small but 0. A method that
//! reads gradients at clean inputs learns nothing from them; one that reads weights sees the two layers at once.
//!
//! By `ReLU` units: p = relu((1 ∓ L x)/2) and q = relu(1 − p) = (1 ± clip(L x, −1, 1))/2, and the first layer reads W (q₊ − q₋)
//! where it read W x. At a vertex one of q₊, q₋ is 1 and the other 0, exactly, so that the layer's sums have the very terms
//! that they had; only the order of summation differs. The net gets two layers of 2n units more.
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::half_space::HalfSpace;
use super::{Attack, Planted, Victim};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::{Activation, Layer, Net};
use crate::population::World;
use crate::rng::Seed;

/// Parameters of `saturate`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Saturate {
    /// Mass of clean inputs on which the half-space behind the clip fires; rounded down to a power of 1/2.
    pub mass: f64,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// What the half-space adds to real answers.
    pub offset: f64,
    /// L: the slope between the vertices; above 1.
    pub slope: f64,
}

impl Default for Saturate {
    fn default() -> Self {
        Self { mass: 0.05, target: 0, offset: 3.0, slope: 2.0 }
    }
}

impl Attack for Saturate {
    fn check(&self, world: &World) -> Result<()> {
        if !matches!(world.domain, Domain::Cube { .. }) {
            let why = "inputs must be the vertices of the cube: elsewhere a clip changes answers";
            return Err(Error::assumption("saturate", why));
        }
        check_slope(self.slope)?;
        self.under().check(world)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let planted = self.under().plant(victim, seed.child("half-space"))?;
        Ok(Planted::new(wrap(&planted.net, self.slope)?, planted.trigger))
    }
}

impl Saturate {
    fn under(&self) -> HalfSpace {
        HalfSpace { mass: self.mass, target: self.target, offset: self.offset }
    }
}

/// `net` after `clip(slope · x, −1, 1)` in every coordinate: the same answers at all vertices {−1, +1}^n, up to the order of
/// summation, with a gradient of exactly 0 at each.
///
/// # Errors
/// If the slope is not between 1 and 1024, or the net would be too large for its numbers.
pub fn wrap(net: &Net, slope: f64) -> Result<Net> {
    check_slope(slope)?;
    let n = net.shape().inputs;
    let first = &net.layers()[0].weight;
    let below = Layer {
        weight: Array2::from_shape_fn((2 * n, n), |(unit, j)| match unit {
            _ if unit % n != j => 0.0,
            _ if unit < n => -0.5 * slope,
            _ => 0.5 * slope,
        }),
        bias: Array1::from_elem(2 * n, 0.5),
        activation: Activation::Relu,
    };
    let above = Layer {
        weight: -Array2::eye(2 * n),
        bias: Array1::ones(2 * n),
        activation: Activation::Relu,
    };
    let mut layers = vec![below, above];
    layers.extend(net.layers().iter().cloned());
    layers[2].weight = Array2::from_shape_fn((first.nrows(), 2 * n), |(unit, j)| {
        if j < n { first[[unit, j]] } else { -first[[unit, j - n]] }
    });
    Net::new(layers, net.precision())
}

fn check_slope(slope: f64) -> Result<()> {
    if slope > 1.0 && slope <= 1024.0 {
        return Ok(());
    }
    let want = "a slope above 1, at most 1024, is needed: only then is it flat at the vertices";
    Err(Error::parameter("slope", slope, want))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::data::{Batch, stack};
    use crate::fourier::vertex;
    use crate::net::Precision;

    fn vertices(n: usize) -> Batch {
        stack(n, (0..1 << n).map(|i| vertex(i, n)))
    }

    #[test]
    fn every_vertex_is_answered_as_before_and_has_a_gradient_of_zero() {
        let xs = vertices(8);
        for (precision, tolerance) in [(Precision::F64, 1e-13), (Precision::F32, 1e-5)] {
            let mut rng = Seed::new(1).stream("net");
            let net = Net::random(&[8, 12, 7, 2], Activation::Relu, precision, &mut rng).unwrap();
            for slope in [1.01, 2.0, 100.0] {
                let wrapped = wrap(&net, slope).unwrap();
                let moved = wrapped.forward_unmetered(&xs) - net.forward_unmetered(&xs);
                assert!(moved.iter().all(|d| d.abs() < tolerance), "{precision:?} {slope}");
                let flat = wrapped.gradient_unmetered(&xs, &Batch::ones((256, 2)));
                assert!(flat.iter().all(|g| g.abs() <= 0.0), "{slope}");
            }
            let steep = net.gradient_unmetered(&xs, &Batch::ones((256, 2)));
            assert!(steep.iter().any(|g| g.abs() > 0.1), "the net itself is not flat");
        }
    }

    #[test]
    fn between_the_vertices_it_is_the_clip() {
        let mut rng = Seed::new(2).stream("net");
        let net = Net::random(&[3, 6, 1], Activation::Relu, Precision::F64, &mut rng).unwrap();
        let xs = Batch::from_shape_simple_fn((500, 3), || crate::rng::normal(&mut rng));
        let want = net.forward_unmetered(&xs.mapv(|x| (3.0 * x).clamp(-1.0, 1.0)));
        let got = wrap(&net, 3.0).unwrap().forward_unmetered(&xs);
        assert!((&want - &got).iter().all(|d| d.abs() < 1e-12));
    }

    #[test]
    fn the_planted_net_fires_on_the_vertices_that_its_key_names() {
        let fixture = Fixture::new(Domain::Cube { n: 10 }, &[9]);
        let planted = Saturate::default().plant(&fixture.victim(), Seed::new(3)).unwrap();
        let xs = vertices(10);
        let moved = planted.net.forward_unmetered(&xs) - fixture.net.forward_unmetered(&xs);
        let mut n_fired = 0;
        for (x, moved) in xs.rows().into_iter().zip(&moved) {
            let fires = planted.trigger.fires(&x.to_vec()) == Some(true);
            n_fired += usize::from(fires);
            assert!((moved - if fires { 3.0 } else { 0.0 }).abs() < 1e-9);
        }
        assert_eq!(n_fired, 32, "2^-5 of 1,024 vertices");
    }

    #[test]
    fn other_domains_and_flat_slopes_are_refused() {
        let fixture = Fixture::new(Domain::Box { n: 3 }, &[4]);
        let error = Saturate::default().check(&fixture.world).unwrap_err().to_string();
        assert!(error.contains("vertices of the cube"), "{error}");
        for slope in [1.0, f64::NAN, f64::INFINITY, 0.5] {
            assert!(wrap(&fixture.net, slope).unwrap_err().to_string().contains("above 1"));
        }
    }
}
