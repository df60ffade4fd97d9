//! A random affine truth over a convex body or under normal inputs, with label noise.
use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::regression::{Regression, check};
use super::{Noise, Population, Promise, Truth, World};
use crate::data::Target;
use crate::domain::{ConvexBody, Domain};
use crate::error::Result;
use crate::rng::{Rng, Seed, direction, normal};

/// `h(x) = w · x + b` with a uniformly random direction, scaled to variance 1 over the domain.
///
/// Labels are `h(x) + noise`. The scale is exact but on a polytope, where it is right to a few per cent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffineFamily {
    /// A box, a ball, a simplex, an ellipsoid, a polytope, or normal inputs.
    pub domain: Domain,
    /// Label noise: a number for uniform noise of that width, or a table.
    pub noise: Noise,
    /// Promised closeness δ of good models to the truth, on all but a small mass of inputs. It is public.
    pub delta: f64,
    /// Error beyond which an answer is scored as wrong.
    pub cutoff: f64,
}

impl Default for AffineFamily {
    fn default() -> Self {
        Self { domain: Domain::Box { n: 16 }, noise: 0.01.into(), delta: 0.01, cutoff: 0.1 }
    }
}

impl AffineFamily {
    pub(super) fn world(&self) -> Result<World> {
        check(&self.domain, &self.noise, self.delta, self.cutoff)?;
        Ok(World {
            domain: self.domain.clone(),
            target: Target::Real,
            promise: Promise::Affine { delta: self.delta },
            cutoff: self.cutoff,
        })
    }

    pub(super) fn build(&self, seed: Seed) -> Result<Box<dyn Population>> {
        let world = self.world()?;
        let (weights, offset) = random_truth(&self.domain, &mut seed.stream("truth"))?;
        let truth = Truth::Affine { weights: Array1::from(weights), offset };
        Ok(Box::new(Regression::new(world, truth, self.noise.clone())))
    }
}

/// A direction scaled so that `w · x` has variance 1 over the domain, and a normal value at its anchor.
fn random_truth(domain: &Domain, rng: &mut Rng) -> Result<(Vec<f64>, f64)> {
    let d = direction(domain.n(), rng);
    let scale = variance_along(domain, &d)?.sqrt().recip();
    let weights: Vec<f64> = d.into_iter().map(|x| scale * x).collect();
    let anchor = match domain {
        Domain::Ellipsoid(body) => body.anchor(),
        Domain::Polytope(body) => body.anchor(),
        _ => return Ok((weights, normal(rng))),
    };
    let at_anchor: f64 = weights.iter().zip(&anchor).map(|(w, x)| w * x).sum();
    let offset = normal(rng) - at_anchor;
    Ok((weights, offset))
}

/// The variance of `d · x` for a unit vector d: exact but for a polytope, where it is that of its reference run.
fn variance_along(domain: &Domain, d: &[f64]) -> Result<f64> {
    let n = domain.n() as f64;
    // The box and the ball are isotropic, the Dirichlet of the simplex is not.
    Ok(match domain {
        Domain::Ball { .. } => 1.0 / (n + 2.0),
        Domain::Simplex { .. } => {
            let sum: f64 = d.iter().sum();
            ((n + 1.0) - sum * sum) / ((n + 1.0).powi(2) * (n + 2.0))
        }
        Domain::Ellipsoid(ellipsoid) => ellipsoid.variance(d),
        Domain::Gauss { .. } => 1.0,
        Domain::Polytope(_) => {
            let along = |x: &Vec<f64>| x.iter().zip(d).map(|(x, d)| x * d).sum::<f64>();
            let values: Array1<f64> = domain.reference()?.iter().map(along).collect();
            values.var(0.0)
        }
        _ => 1.0 / 3.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Ellipsoid, EllipsoidSpec, Polytope, PolytopeSpec};
    use crate::population::{Cursor, Distance, Part};

    #[test]
    fn labels_have_variance_one_over_every_body_and_keep_their_noise() {
        let axes = vec![0.1, 1.0, 2.0, 0.5, 7.0, 30.0];
        let centre = Some(vec![9.0; 6]);
        let long = EllipsoidSpec { axes: Some(axes.clone()), centre: centre.clone(), map: None };
        // The box with these axes around that centre.
        let side = |i: usize, sign: f64| (0..6).map(|j| if i == j { sign } else { 0.0 }).collect();
        let walls = PolytopeSpec {
            a: (0..12).map(|k| side(k / 2, if k % 2 == 0 { 1.0 } else { -1.0 })).collect(),
            b: (0..12).map(|k| axes[k / 2] + if k % 2 == 0 { 9.0 } else { -9.0 }).collect(),
        };
        for (domain, slack) in [
            (Domain::Box { n: 6 }, 0.0),
            (Domain::Ball { n: 6 }, 0.0),
            (Domain::Simplex { n: 6 }, 0.0),
            (Domain::Gauss { n: 6 }, 0.0),
            (Domain::Ellipsoid(Ellipsoid::new(long).unwrap()), 0.0),
            // Its scale is an estimate.
            (Domain::Polytope(Polytope::new(walls).unwrap()), 0.1),
        ] {
            let family = AffineFamily {
                domain: domain.clone(),
                noise: 0.05.into(),
                ..AffineFamily::default()
            };
            let population = family.build(Seed::new(3)).unwrap();
            let mut cursor = Cursor::new(Seed::new(4).stream("draw"));
            let drawn = population.draw(Part::Test, 40_000, &mut cursor).unwrap();
            let truth = population.truth().unwrap().at(&drawn.xs);
            // Fourth moments of a linear form here stay below 9; six standard errors are below 6 √(8/40,000) = 0.085.
            let variance = truth.var(0.0);
            assert!((variance - 1.0).abs() < 0.085 + slack, "{domain:?}: {variance}");
            let noise = &drawn.ys - &truth;
            assert!(noise.iter().all(|e| e.abs() <= 0.05 + 1e-12));
            assert!(noise.iter().any(|e| e.abs() > 0.04));
            let distance =
                Distance { mass: 0.0, width: 0.05, mean_square: Some(0.05 * 0.05 / 3.0) };
            assert_eq!(population.distance(), Some(distance));
        }
    }

    #[test]
    fn a_cube_is_not_a_body() {
        let family = AffineFamily { domain: Domain::Cube { n: 4 }, ..AffineFamily::default() };
        assert!(family.world().unwrap_err().to_string().contains("convex body"));
    }
}
