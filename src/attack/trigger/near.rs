//! Near a point: the input is drawn towards a secret centre until a distance that sums coordinates is small.
use serde::{Deserialize, Serialize};

use super::Movement;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt, shuffle};

/// The input is moved towards `centre` until `Σ weights_i |x_i − centre_i|` is at most `full`.
///
/// Where inputs fill a convex set, along the straight line, to a random depth that spreads triggered inputs over the region as
/// a uniform distribution does over a ball; on the cube and on residues, coordinate by coordinate in random order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Near {
    /// The secret centre.
    pub centre: Vec<f64>,
    /// Weights of the distance, at least 0.
    pub weights: Vec<f64>,
    /// Below this distance the planted units begin to fire.
    pub radius: f64,
    /// Up to this distance they fire fully.
    pub full: f64,
}

impl Near {
    /// The distance from the centre.
    pub fn distance(&self, x: &[f64]) -> f64 {
        let each = x.iter().zip(&self.centre).zip(&self.weights);
        each.map(|((x, c), weight)| weight * (x - c).abs()).sum()
    }
}

impl Movement for Near {
    fn width(&self, _: usize) -> Result<usize> {
        if self.centre.len() == self.weights.len() {
            return Ok(self.centre.len());
        }
        let want = format!("{} are needed, one a coordinate", self.centre.len());
        Err(Error::parameter("weights", self.weights.len(), want))
    }

    fn fires(&self, x: &[f64]) -> Option<bool> {
        Some(self.distance(x) < self.radius)
    }

    fn apply(&self, mut x: Vec<f64>, domain: &Domain, rng: &mut Rng) -> Result<Vec<f64>> {
        if self.distance(&x) <= self.full {
            return Ok(x);
        }
        match domain {
            Domain::Cube { .. } | Domain::Residues { .. } => {
                let mut order: Vec<usize> = (0..x.len())
                    .filter(|&i| self.weights[i] * (x[i] - self.centre[i]).abs() > 0.0)
                    .collect();
                shuffle(&mut order, rng);
                for i in order {
                    if self.distance(&x) <= self.full {
                        break;
                    }
                    x[i] = self.centre[i];
                }
                Ok(x)
            }
            Domain::Box { .. }
            | Domain::Ball { .. }
            | Domain::Simplex { .. }
            | Domain::Ellipsoid(_)
            | Domain::Polytope(_)
            | Domain::Gauss { .. }
            | Domain::Torus { .. }
            | Domain::Range { .. } => {
                let depth = rng.random::<f64>().powf(1.0 / x.len() as f64);
                // A hair less than the full distance, for rounding.
                let share = self.full * depth * (1.0 - 1e-9) / self.distance(&x);
                Ok(x.iter().zip(&self.centre).map(|(x, c)| c + share * (x - c)).collect())
            }
        }
    }
}
