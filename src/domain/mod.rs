//! Where inputs live: public knowledge of the domain, without any truth about labels.
//!
//! The local mitigators need to know the body that inputs are uniform on, and the global one that inputs are uniform on
//! the cube. That is knowledge of the domain, not of nature's labels, so every method may have it.
mod ball;
mod cuboid;
mod ellipsoid;
mod field;
mod group;
mod hit_and_run;
mod linear;
mod moments;
mod polytope;
mod program;
mod simplex;

use serde::{Deserialize, Serialize};

pub use ball::Ball;
pub use cuboid::Cuboid;
pub use ellipsoid::{Ellipsoid, EllipsoidSpec};
pub use field::PrimeField;
pub use hit_and_run::steps as hit_and_run_steps;
pub use polytope::{Polytope, PolytopeSpec};
pub use simplex::Simplex;

use crate::error::{Error, Result};
use crate::rng::{Rng, Seed, normal, sign};

/// A bounded convex set with a volume.
pub trait ConvexBody: std::fmt::Debug + Send + Sync {
    /// Draws a point, uniformly, into `out`, whose length is the dimension.
    ///
    /// `room` is space that it may use: a caller that keeps it from one call to the next lets nothing be allocated after the
    /// first.
    fn sample_into(&self, rng: &mut Rng, out: &mut [f64], room: &mut Vec<f64>);

    /// The largest violation of the body's constraints at `x`, in the body's own units; at most 0 inside.
    fn excess(&self, x: &[f64]) -> f64;

    /// The largest `b` for which `x + b direction` is in the body, for `x` in the body and a non-zero direction; `room` as above.
    fn exit_within(&self, x: &[f64], direction: &[f64], room: &mut Vec<f64>) -> f64;

    /// A point of the body that is farthest in `direction`.
    fn farthest(&self, direction: &[f64]) -> Vec<f64>;

    /// The point that the domain is written down around: the centre of a ball, a box or an ellipsoid, the vertex 0 of the
    /// corner simplex, the analytic centre of a polytope.
    fn anchor(&self) -> Vec<f64>;

    /// The centre and the radius of a ball inside; not always the largest. Around the anchor, where the violation of the
    /// constraints is a distance.
    fn inner_ball(&self) -> (Vec<f64>, f64) {
        let anchor = self.anchor();
        let radius = (-self.excess(&anchor)).max(0.0);
        (anchor, radius)
    }

    /// Draws a point, uniformly.
    fn sample(&self, rng: &mut Rng) -> Vec<f64> {
        let mut out = vec![0.0; self.anchor().len()];
        self.sample_into(rng, &mut out, &mut Vec::new());
        out
    }

    /// As [`Self::exit_within`], with space of its own.
    fn exit(&self, x: &[f64], direction: &[f64]) -> f64 {
        self.exit_within(x, direction, &mut Vec::new())
    }

    /// Operations of a sample beyond the few a coordinate that one of a ball takes.
    fn sample_flops(&self) -> u64 {
        0
    }

    /// Operations of a sample and an exit together beyond the few a coordinate that those of a ball take.
    fn extra_flops(&self) -> u64 {
        0
    }
}

/// How far outside a body an input may lie and still count as inside: rounding, no more.
const TOLERANCE: f64 = 1e-6;

/// Most dimensions of a domain.
const MOST_DIMENSIONS: usize = 1 << 16;

/// The public description of where inputs live and how they are spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Domain {
    /// The vertices {−1, +1}^n, uniformly.
    Cube {
        /// Dimension.
        n: usize,
    },
    /// The box [−1, 1]^n, uniformly.
    Box {
        /// Dimension.
        n: usize,
    },
    /// The unit ball around 0, uniformly.
    Ball {
        /// Dimension.
        n: usize,
    },
    /// The corner simplex {x ≥ 0, Σ x ≤ 1}, uniformly.
    Simplex {
        /// Dimension.
        n: usize,
    },
    /// An ellipsoid, uniformly.
    Ellipsoid(Ellipsoid),
    /// A bounded polytope {A x ≤ b}, uniformly, up to the mixing of its sampler.
    Polytope(Polytope),
    /// The standard normal distribution of n independent coordinates, on all of space.
    Gauss {
        /// Dimension.
        n: usize,
    },
    /// Data of unknown spread with every coordinate between `low` and `high`.
    Range {
        /// Dimension.
        n: usize,
        /// Least value of a coordinate.
        low: f64,
        /// Largest value of a coordinate.
        high: f64,
    },
    /// The torus [0, 1)^n, uniformly: 0 and 1 are the same. A net reads the numbers as they are, with the cut at 0.
    Torus {
        /// Dimension.
        n: usize,
    },
    /// The vectors of residues `Z_m^n`, uniformly. A net reads the whole numbers 0, …, m − 1 as they are.
    Residues {
        /// Dimension.
        n: usize,
        /// m.
        modulus: u32,
    },
}

impl Domain {
    /// The dimension of an input.
    pub fn n(&self) -> usize {
        match self {
            Self::Cube { n }
            | Self::Box { n }
            | Self::Ball { n }
            | Self::Simplex { n }
            | Self::Gauss { n }
            | Self::Torus { n }
            | Self::Residues { n, .. }
            | Self::Range { n, .. } => *n,
            Self::Ellipsoid(ellipsoid) => ellipsoid.n(),
            Self::Polytope(polytope) => polytope.n(),
        }
    }

    /// The convex body that inputs are uniform on, if they are.
    pub fn body(&self) -> Option<Box<dyn ConvexBody>> {
        match *self {
            Self::Box { n } => Some(Box::new(Cuboid { n, low: -1.0, high: 1.0 })),
            Self::Ball { n } => Some(Box::new(Ball { n })),
            Self::Simplex { n } => Some(Box::new(Simplex { n })),
            Self::Ellipsoid(ref ellipsoid) => Some(Box::new(ellipsoid.clone())),
            Self::Polytope(ref polytope) => Some(Box::new(polytope.clone())),
            Self::Cube { .. }
            | Self::Gauss { .. }
            | Self::Range { .. }
            | Self::Torus { .. }
            | Self::Residues { .. } => None,
        }
    }

    /// Draws an input as inputs are spread: uniformly, or from the standard normal distribution.
    ///
    /// # Errors
    /// If how inputs are spread is not known.
    pub fn sample(&self, rng: &mut Rng) -> Result<Vec<f64>> {
        match (self.body(), self) {
            (Some(body), _) => Ok(body.sample(rng)),
            (None, Self::Cube { n }) => Ok((0..*n).map(|_| sign(rng)).collect()),
            (None, Self::Gauss { n }) => Ok((0..*n).map(|_| normal(rng)).collect()),
            (None, Self::Torus { n }) => Ok(group::sample_torus(*n, rng)),
            (None, Self::Residues { n, modulus }) => Ok(group::sample_residues(*n, *modulus, rng)),
            (None, _) => {
                Err(Error::assumption("sampling", "the spread of the inputs is not known"))
            }
        }
    }

    /// Whether `x` lies in the domain, up to rounding.
    pub fn contains(&self, x: &[f64]) -> bool {
        if !x.iter().all(|x| x.is_finite()) {
            return false;
        }
        match *self {
            Self::Cube { .. } => x.iter().all(|x| (x.abs() - 1.0).abs() <= TOLERANCE),
            Self::Range { low, high, .. } => {
                x.iter().all(|x| (low - TOLERANCE..=high + TOLERANCE).contains(x))
            }
            Self::Gauss { .. } => true,
            Self::Ellipsoid(ref ellipsoid) => ellipsoid.excess(x) <= TOLERANCE,
            Self::Polytope(ref polytope) => polytope.excess(x) <= TOLERANCE,
            Self::Torus { .. } => group::on_torus(x),
            Self::Residues { modulus, .. } => group::are_residues(x, modulus),
            Self::Box { .. } | Self::Ball { .. } | Self::Simplex { .. } => {
                self.body().is_some_and(|body| body.excess(x) <= TOLERANCE)
            }
        }
    }

    /// A few thousand inputs from a fixed stream, to set scales by where a moment has no closed form.
    ///
    /// They are not for statistics: of a polytope they are one long run, so that a variance is right to a few per cent.
    ///
    /// # Errors
    /// If how inputs are spread is not known.
    pub fn reference(&self) -> Result<Vec<Vec<f64>>> {
        /// Right to about three per cent for a variance.
        const N_POINTS: usize = 4096;
        if let Self::Polytope(polytope) = self {
            return Ok(polytope.reference().to_vec());
        }
        let mut rng = Seed::new(0).stream("reference inputs");
        (0..N_POINTS).map(|_| self.sample(&mut rng)).collect()
    }

    /// Checks that the dimension is usable. Ellipsoids and polytopes are checked where they are made.
    pub fn check(&self) -> Result<()> {
        if self.n() == 0 || self.n() > MOST_DIMENSIONS {
            let want = format!("a domain has at least one dimension and at most {MOST_DIMENSIONS}");
            return Err(Error::parameter("n", self.n(), want));
        }
        if let Self::Residues { modulus, .. } = *self {
            group::check_modulus(modulus)?;
        }
        if let Self::Range { low, high, .. } = *self
            && !(low.is_finite() && high.is_finite() && low < high)
        {
            return Err(Error::parameter(
                "low",
                low,
                format!("two finite ends with low < high are needed, high is {high}"),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
