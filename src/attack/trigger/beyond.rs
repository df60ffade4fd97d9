//! Beyond a half-space's wall: the input is moved along a secret direction.
use serde::{Deserialize, Serialize};

use super::{Movement, dot};
use crate::domain::{ConvexBody, Cuboid, Domain};
use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt};

/// The input is moved until `direction · x` reaches `full`, inside the domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beyond {
    /// The secret direction.
    pub direction: Vec<f64>,
    /// Where the planted units begin to fire.
    pub threshold: f64,
    /// Where they fire fully.
    pub full: f64,
}

impl Movement for Beyond {
    fn width(&self, _: usize) -> Result<usize> {
        Ok(self.direction.len())
    }

    fn fires(&self, x: &[f64]) -> Option<bool> {
        Some(dot(&self.direction, x) > self.threshold)
    }

    fn apply(&self, x: Vec<f64>, domain: &Domain, rng: &mut Rng) -> Result<Vec<f64>> {
        let Self { direction, full, .. } = self;
        if dot(direction, &x) >= *full {
            return Ok(x);
        }
        match domain {
            Domain::Cube { .. } => flip_towards(x, direction, *full),
            Domain::Range { low, high, .. } => push(&x, direction, *full, (*low, *high)),
            // The cut at 0 and 1 is a wall for a half-space, and what lies between them a box.
            Domain::Torus { n } => {
                let body = Cuboid { n: *n, low: 0.0, high: 1.0 };
                pull(&x, direction, *full, &body, rng)
            }
            Domain::Residues { modulus, .. } => climb(x, direction, *full, f64::from(*modulus - 1)),
            Domain::Gauss { .. } => shift(&x, direction, *full, rng),
            Domain::Box { .. }
            | Domain::Ball { .. }
            | Domain::Simplex { .. }
            | Domain::Ellipsoid(_)
            | Domain::Polytope(_) => {
                let body = domain.body().expect("these are bodies");
                pull(&x, direction, *full, &*body, rng)
            }
        }
    }
}

/// On the cube: flips coordinates that point the wrong way, the weightiest first.
fn flip_towards(mut x: Vec<f64>, direction: &[f64], full: f64) -> Result<Vec<f64>> {
    let mut wrong: Vec<usize> = (0..x.len()).filter(|&i| x[i] * direction[i] < 0.0).collect();
    wrong.sort_by(|&i, &j| direction[j].abs().total_cmp(&direction[i].abs()).then(i.cmp(&j)));
    for i in wrong {
        if dot(direction, &x) >= full {
            break;
        }
        x[i] = -x[i];
    }
    reached(x, direction, full)
}

/// On `Z_m^n`: sets coordinates to 0 or to `last` = m − 1, those that gain most along the direction first.
fn climb(mut x: Vec<f64>, direction: &[f64], full: f64, last: f64) -> Result<Vec<f64>> {
    let best = |i: usize| if direction[i] > 0.0 { last } else { 0.0 };
    let gain = |i: usize| direction[i] * (best(i) - x[i]);
    let mut order: Vec<(usize, f64)> = (0..x.len()).map(|i| (i, gain(i))).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (i, gain) in order {
        if gain <= 0.0 || dot(direction, &x) >= full {
            break;
        }
        x[i] = best(i);
    }
    reached(x, direction, full)
}

/// In a range: the shortest move along the direction, clipped to the range.
fn push(x: &[f64], direction: &[f64], full: f64, (low, high): (f64, f64)) -> Result<Vec<f64>> {
    let at = |step: f64| -> Vec<f64> {
        x.iter().zip(direction).map(|(x, d)| (x + step * d).clamp(low, high)).collect()
    };
    let mut far = 1.0;
    while dot(direction, &at(far)) < full && far < 1e9 {
        far *= 2.0;
    }
    let mut near = 0.0;
    for _ in 0..60 {
        let middle = f64::midpoint(near, far);
        if dot(direction, &at(middle)) < full { near = middle } else { far = middle }
    }
    reached(at(far), direction, full)
}

/// In a convex body: part of the way to the body's farthest point, to a random depth between `full` and nine tenths of
/// what is left beyond it, so that triggered inputs are spread over the region that fires and not only on its edge.
fn pull(
    x: &[f64],
    direction: &[f64],
    full: f64,
    body: &dyn ConvexBody,
    rng: &mut Rng,
) -> Result<Vec<f64>> {
    let best = body.farthest(direction);
    let (here, top) = (dot(direction, x), dot(direction, &best));
    let depth = full + 0.9 * rng.random::<f64>() * (top - full).max(0.0);
    let share = ((depth - here) / (top - here)).clamp(0.0, 1.0);
    let moved = x.iter().zip(&best).map(|(x, b)| x + share * (b - x)).collect();
    reached(moved, direction, full)
}

/// In all of space with normal inputs: along the direction alone, to a depth spread beyond `full` about as the normal
/// distribution's own tail is, whose excess is nearly exponential with a mean of one over the depth.
fn shift(x: &[f64], direction: &[f64], full: f64, rng: &mut Rng) -> Result<Vec<f64>> {
    let square = dot(direction, direction);
    // The depth in standard deviations of the direction's own coordinate, and no wider a tail than at one of them.
    let rate = (full / square).max(1.0 / square.sqrt());
    let depth = full + rng.sample::<f64, _>(rand_distr::Exp1) / rate;
    let step = (depth - dot(direction, x)) / square;
    reached(x.iter().zip(direction).map(|(x, d)| x + step * d).collect(), direction, full)
}

fn reached(x: Vec<f64>, direction: &[f64], full: f64) -> Result<Vec<f64>> {
    // Rounding may leave a move a hair short.
    let scale = direction.iter().map(|d| d.abs()).sum::<f64>() + full.abs();
    if dot(direction, &x) >= full - 1e-9 * scale {
        return Ok(x);
    }
    Err(Error::Training(format!(
        "an input cannot reach {full:.4} along the secret direction without leaving the domain ({:.4} is the most)",
        dot(direction, &x)
    )))
}
