//! A random affine truth over a convex body, with uniform inputs and bounded label noise.
use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::{Cursor, Part, Population, Promise, Truth, World};
use crate::data::{Labeled, Target, stack};
use crate::domain::{ConvexBody, Domain};
use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt, Seed, direction, normal};

/// `h(x) = w · x + b` with a uniformly random direction, scaled to variance 1 over the body.
///
/// Labels are `h(x) + noise`, with noise uniform on [−noise, noise].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffineFamily {
    /// The body: a box, a ball or a simplex.
    pub domain: Domain,
    /// Largest label noise.
    pub noise: f64,
    /// Promised closeness δ of good models to the truth, on all but a small mass of inputs. It is public.
    pub delta: f64,
    /// Error beyond which an answer is scored as wrong.
    pub cutoff: f64,
}

impl Default for AffineFamily {
    fn default() -> Self {
        Self { domain: Domain::Box { n: 16 }, noise: 0.01, delta: 0.01, cutoff: 0.1 }
    }
}

impl AffineFamily {
    pub(super) fn world(&self) -> Result<World> {
        self.domain.check()?;
        if self.domain.body().is_none() {
            let want = "an affine population needs a convex body: box, ball or simplex";
            return Err(Error::parameter("domain", format!("{:?}", self.domain), want));
        }
        if !(self.noise >= 0.0 && self.noise.is_finite()) {
            return Err(Error::parameter("noise", self.noise, "a number of at least 0 is needed"));
        }
        for (name, value) in [("delta", self.delta), ("cutoff", self.cutoff)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::parameter(name, value, "a positive number is needed"));
            }
        }
        Ok(World {
            domain: self.domain.clone(),
            target: Target::Real,
            promise: Promise::Affine { delta: self.delta },
            cutoff: self.cutoff,
        })
    }

    pub(super) fn build(&self, seed: Seed) -> Result<Box<dyn Population>> {
        let world = self.world()?;
        let body = self.domain.body().expect("checked by world()");
        let mut rng = seed.stream("truth");
        let (weights, offset) = random_truth(&self.domain, &mut rng);
        let truth = Truth::Affine { weights: Array1::from(weights), offset };
        Ok(Box::new(Affine { world, body, truth, noise: self.noise }))
    }
}

/// A direction scaled so that `w · x` has variance 1 over the body, and a normal offset.
fn random_truth(domain: &Domain, rng: &mut Rng) -> (Vec<f64>, f64) {
    let n = domain.n() as f64;
    let d = direction(domain.n(), rng);
    // Variance of d · x over the body: the box and the ball are isotropic, the Dirichlet of the simplex is not.
    let variance = match domain {
        Domain::Ball { .. } => 1.0 / (n + 2.0),
        Domain::Simplex { .. } => {
            let sum: f64 = d.iter().sum();
            ((n + 1.0) - sum * sum) / ((n + 1.0).powi(2) * (n + 2.0))
        }
        _ => 1.0 / 3.0,
    };
    let scale = variance.sqrt().recip();
    (d.into_iter().map(|x| scale * x).collect(), normal(rng))
}

#[derive(Debug)]
struct Affine {
    world: World,
    body: Box<dyn ConvexBody>,
    truth: Truth,
    noise: f64,
}

impl Population for Affine {
    fn world(&self) -> &World {
        &self.world
    }

    fn draw(&self, _part: Part, n: usize, cursor: &mut Cursor) -> Result<Labeled> {
        let mut noises = Vec::with_capacity(n);
        let rows: Vec<Vec<f64>> = (0..n)
            .map(|_| {
                let x = self.body.sample(&mut cursor.rng);
                noises.push(self.noise * cursor.rng.random_range(-1.0..=1.0));
                x
            })
            .collect();
        cursor.drawn += n;
        let xs = stack(self.world.domain.n(), rows);
        let noises = crate::data::column(noises);
        let ys = self.truth.at(&xs) + noises;
        Ok(Labeled { xs, ys })
    }

    fn available(&self, _part: Part) -> Option<usize> {
        None
    }

    fn truth(&self) -> Option<&Truth> {
        Some(&self.truth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_variance_one_over_every_body_and_keep_their_noise() {
        for domain in [Domain::Box { n: 6 }, Domain::Ball { n: 6 }, Domain::Simplex { n: 6 }] {
            let family =
                AffineFamily { domain: domain.clone(), noise: 0.05, ..AffineFamily::default() };
            let population = family.build(Seed::new(3)).unwrap();
            let mut cursor = Cursor::new(Seed::new(4).stream("draw"));
            let drawn = population.draw(Part::Test, 40_000, &mut cursor).unwrap();
            let truth = population.truth().unwrap().at(&drawn.xs);
            // Fourth moments of a linear form here stay below 9; six standard errors are below 6 √(8/40,000) = 0.085.
            let variance = truth.var(0.0);
            assert!((variance - 1.0).abs() < 0.085, "{domain:?}: {variance}");
            let noise = &drawn.ys - &truth;
            assert!(noise.iter().all(|e| e.abs() <= 0.05 + 1e-12));
            assert!(noise.iter().any(|e| e.abs() > 0.04));
        }
    }

    #[test]
    fn a_cube_is_not_a_body() {
        let family = AffineFamily { domain: Domain::Cube { n: 4 }, ..AffineFamily::default() };
        assert!(family.world().unwrap_err().to_string().contains("convex body"));
    }
}
