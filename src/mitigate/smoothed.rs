//! Slopes of a smoothed suspect: where its two estimators, by gradients and by differences, look.
//!
//! Both estimate the same number: the gradient at u of f ∗ ν, the suspect averaged over noise. For normal noise of deviation σ it is
//! `E ∇f(u + σz) = E (f(u + σz) − f(u − σz)) z/(2σ)` (Stein 1981). For noise uniform in a ball of radius r it is, with v uniform on the
//! sphere, `E ∇f(u + y) = E n (f(u + rv) − f(u − rv)) v/(2r)` (the divergence theorem; Flaxman, Kalai, `McMahan` 2005, lemma 1).
//! Both hold for every net of linear pieces. A gradient costs two passes, and so do two values.
//!
//! **Where u lies.** Queries must look like inputs and stay in the domain.
//! - Normal inputs: u ~ N(0, (1 − σ²) I), so u + σz ~ N(0, I): each query is spread exactly as inputs are.
//! - A body that holds the ball of radius R around b: u = b + (1 − c)(u' − b) with u' uniform, and r = cR. Then u + y lies in the body,
//!   for it is (1 − c) u' + c (b + y/c); and it is in a set of mass ε with probability at most (1 − c)^(−n) ε, since u has at most that
//!   density and adding an independent y does not raise the largest density. With c = 1/(n + 1) the factor is at most e. ∎
//!
//! **Variance of one draw**, in Euclidean length, for f(x) = w · x + d: 0 by gradients; by differences (n + 1) |w|² for normal noise and
//! (n − 1) |w|² for the sphere, because E |(w · z) z|² = (n + 2) |w|² and E |n (w · v) v|² = n |w|². A zigzag of amplitude a and slope
//! ±s along a unit vector adds up to s² by gradients, and up to a² n/σ² or (a n/r)² by differences, **whatever s**: a fast one of small
//! amplitude drowns gradients and not differences. Means, not medians, cancel it, so a centre's draws are averaged; then a
//! median over centres bears centres that a backdoor has spoilt. A bad query spoils its whole centre: nothing is claimed.
use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

use super::affine::{Vertices, answering, check_world, draw_flops, intercept};
use super::{Plan, Repaired};
use crate::access::Lab;
use crate::data::{Batch, check_size};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;
use crate::rng::{Rng, RngExt, direction, normal};
use crate::robust::Centre;

/// Parameters of `smoothed-gradient` and of `smoothed-difference`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Smoothing {
    /// Centres K, each with an estimate of its own; their median is the slope. 0: nothing is asked.
    pub centres: usize,
    /// Draws M around each, which are averaged. 0: nothing is asked.
    pub draws: usize,
    /// How wide the noise is, between 0 and 1: its deviation where inputs are normal, else as a share of a ball inside the body.
    /// Not given: 1/2 where inputs are normal, else 1/(n + 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<f64>,
    /// The median over centres.
    pub centre: Centre,
}

impl Default for Smoothing {
    fn default() -> Self {
        Self { centres: 15, draws: 16, width: None, centre: Centre::default() }
    }
}

/// Most centres and most draws.
const MOST: usize = 1 << 20;

/// The noise, and the points around which it is added.
pub(super) struct Kernel {
    middle: Vec<f64>,
    /// What points of the domain are drawn towards the middle by.
    shrink: f64,
    /// σ or r.
    radius: f64,
    normal: bool,
}

impl Smoothing {
    pub(super) fn check(&self, method: &'static str, world: &World) -> Result<()> {
        for (name, value) in [("centres", self.centres), ("draws", self.draws)] {
            if value > MOST {
                let want = format!("at most {MOST} are accepted");
                return Err(Error::parameter(name, value, want));
            }
        }
        // Two points a draw at most.
        check_size("draws", 2 * self.centres * self.draws, world.domain.n())?;
        self.kernel(method, world).map(drop)
    }

    pub(super) fn is_none(&self) -> bool {
        self.centres == 0 || self.draws == 0
    }

    pub(super) fn kernel(&self, method: &'static str, world: &World) -> Result<Kernel> {
        check_world(method, world, Vertices::Refused)?;
        let n = world.domain.n();
        let is_normal = matches!(world.domain, Domain::Gauss { .. });
        let usual = if is_normal { 0.5 } else { (n as f64 + 1.0).recip() };
        let width = self.width.unwrap_or(usual);
        if !(width > 0.0 && width < 1.0) {
            return Err(Error::parameter("width", width, "a number between 0 and 1 is needed"));
        }
        let Some(body) = world.domain.body() else {
            let shrink = (1.0 - width * width).sqrt();
            return Ok(Kernel { middle: vec![0.0; n], shrink, radius: width, normal: true });
        };
        let (middle, inner) = body.inner_ball();
        let radius = width * inner;
        if !(radius > 0.0 && radius.is_finite()) {
            let why = "no ball inside the body is known, so there is no room for noise";
            return Err(Error::assumption(method, why));
        }
        Ok(Kernel { middle, shrink: 1.0 - width, radius, normal: false })
    }

    pub(super) fn plan(&self, queries_a_draw: u64) -> Plan {
        let Self { centres, draws, .. } = self;
        Plan {
            steps: format!("an affine function, from {centres} smoothed slopes of {draws} draws"),
            prepare_queries: queries_a_draw * (centres * draws) as u64,
            ..Plan::default()
        }
    }
}

impl Kernel {
    /// Points u. Charges what drawing takes, and 3n to pull one towards the middle.
    pub(super) fn centres(&self, count: usize, rng: &mut Rng, lab: &Lab<'_>) -> Result<Batch> {
        let domain = &lab.world.domain;
        let n = domain.n();
        lab.ledger.flops(count as u64 * (draw_flops(domain) + 3 * n as u64))?;
        let mut out = Batch::zeros((count, n));
        for mut row in out.rows_mut() {
            let point = domain.sample(rng)?;
            for (j, value) in row.iter_mut().enumerate() {
                *value = self.middle[j] + self.shrink * (point[j] - self.middle[j]);
            }
        }
        Ok(out)
    }

    /// Noise, n numbers a draw: normal, or in the ball.
    pub(super) fn noise(&self, n: usize, rng: &mut Rng) -> Vec<f64> {
        if self.normal {
            return (0..n).map(|_| self.radius * normal(rng)).collect();
        }
        let length = self.radius * rng.random::<f64>().powf((n as f64).recip());
        direction(n, rng).into_iter().map(|v| length * v).collect()
    }

    /// The step s of a pair u ± s, with what (f(u + s) − f(u − s)) s is multiplied by: 1/(2σ²), or n/(2r²).
    pub(super) fn step(&self, n: usize, rng: &mut Rng) -> Vec<f64> {
        if self.normal {
            return self.noise(n, rng);
        }
        direction(n, rng).into_iter().map(|v| self.radius * v).collect()
    }

    /// What the difference times the step is multiplied by.
    pub(super) fn scale(&self, n: usize) -> f64 {
        let dimensions = if self.normal { 1.0 } else { n as f64 };
        dimensions / (2.0 * self.radius * self.radius)
    }

    /// Operations of a draw with `points` points: n numbers, scaled, and n to add to each; 3n + 2 more for a length in a ball or on a sphere.
    pub(super) fn draw_flops(&self, n: usize, points: usize) -> u64 {
        let length = if self.normal { 0 } else { 3 * n + 2 };
        ((2 + points) * n + length) as u64
    }

    /// How much likelier a query is in a set than an input is, at most.
    fn density(&self, n: usize) -> f64 {
        if self.normal { 1.0 } else { self.shrink.powi(-(n as i32)) }
    }

    /// The means of `draws` rows each.
    pub(super) fn means(slopes: &Batch, draws: usize) -> Batch {
        Array2::from_shape_fn((slopes.nrows() / draws, slopes.ncols()), |(k, j)| {
            let sum: f64 = (k * draws..(k + 1) * draws).map(|i| slopes[[i, j]]).sum();
            sum / draws as f64
        })
    }

    /// The median of the slopes of the centres, the intercept of the middle value, and what answers from now on.
    pub(super) fn answer<'a>(
        &self,
        method: &'static str,
        (xs, answers): (&Batch, &Batch),
        (slopes, centre): (&Batch, Centre),
        lab: &Lab<'a>,
    ) -> Result<Repaired<'a>> {
        let found = centre.of(&slopes.view(), &mut |flops| lab.ledger.flops(flops))?;
        let intercept = intercept(xs, answers, &found.point, lab.ledger)?;
        let notes = vec![format!(
            "a query is in a set of inputs with at most {:.3} times its mass; nothing is claimed",
            self.density(xs.ncols())
        )];
        let slope: Array1<f64> = found.point;
        Ok(Repaired { notes, ..answering(method, &slope, intercept, lab)? })
    }
}

/// Each row of `centres` as often as there are draws.
pub(super) fn each_draw(centres: &Batch, draws: usize) -> impl Iterator<Item = Vec<f64>> {
    centres.axis_iter(Axis(0)).flat_map(move |u| std::iter::repeat_n(u.to_vec(), draws))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Ellipsoid, EllipsoidSpec, Polytope, PolytopeSpec};
    use crate::rng::Seed;

    #[test]
    fn the_inner_ball_of_every_body_lies_inside() {
        let mut rng = Seed::new(77).stream("directions");
        let axes = Some(vec![0.5, 2.0, 7.0]);
        let long = EllipsoidSpec { axes, centre: Some(vec![3.0; 3]), map: None };
        let corner = [[-1.0, 0.0, 0.0], [0.0, -5.0, 0.0], [0.0, 0.0, -1.0], [1.0, 2.0, 1.0]];
        let a = corner.iter().map(|row| row.to_vec()).collect();
        let walls = PolytopeSpec { a, b: vec![0.0, 0.0, 0.0, 4.0] };
        for domain in [
            Domain::Box { n: 3 },
            Domain::Ball { n: 3 },
            Domain::Simplex { n: 3 },
            Domain::Ellipsoid(Ellipsoid::new(long).unwrap()),
            Domain::Polytope(Polytope::new(walls).unwrap()),
        ] {
            let body = domain.body().unwrap();
            let (middle, radius) = body.inner_ball();
            assert!(radius > 0.05, "{domain:?}: {radius}");
            for _ in 0..1000 {
                let way = direction(3, &mut rng);
                let x: Vec<f64> = middle.iter().zip(way).map(|(m, d)| m + radius * d).collect();
                assert!(body.excess(&x) < 1e-9, "{domain:?}");
            }
        }
    }
}
