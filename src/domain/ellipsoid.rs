//! Ellipsoids: a ball under an invertible linear map, around any centre.
use std::sync::Arc;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::linear::{inverse, size, times, times_into, times_transposed};
use super::{Ball, ConvexBody};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Most dimensions: the map has their square.
const MOST_DIMENSIONS: usize = 1024;
/// Largest number in a description.
const MOST: f64 = 1e9;
/// Largest product of the sizes of the map and its inverse: beyond it rounding eats the shape.
const MOST_CONDITION: f64 = 1e8;
/// Largest distance of the centre from 0, in shortest axes.
const MOST_OFFSET: f64 = 1e8;

/// How an ellipsoid is written down: `axes` or `map`, and a centre unless it is 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EllipsoidSpec {
    /// Lengths of the semi-axes, along the coordinate axes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axes: Option<Vec<f64>>,
    /// Rows of the map L of {c + L u : ‖u‖ ≤ 1}; its columns are conjugate half-diameters. Any invertible matrix does, so a
    /// Cholesky factor of a shape matrix does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map: Option<Vec<Vec<f64>>>,
    /// The centre c; 0 if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub centre: Option<Vec<f64>>,
}

/// The ellipsoid {c + L u : ‖u‖ ≤ 1} = {x : ‖L⁻¹ (x − c)‖ ≤ 1}.
///
/// ```
/// use absolve::domain::{ConvexBody, Ellipsoid, EllipsoidSpec};
/// let spec = EllipsoidSpec { axes: Some(vec![3.0, 1.0]), ..EllipsoidSpec::default() };
/// let ellipsoid = Ellipsoid::new(spec)?;
/// assert_eq!(ellipsoid.farthest(&[1.0, 0.0]), vec![3.0, 0.0]);
/// # Ok::<(), absolve::error::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "EllipsoidSpec", into = "EllipsoidSpec")]
pub struct Ellipsoid {
    spec: EllipsoidSpec,
    shape: Arc<Shape>,
}

#[derive(Debug)]
struct Shape {
    centre: Vec<f64>,
    map: Array2<f64>,
    inverse: Array2<f64>,
}

impl Ellipsoid {
    /// Checks a description.
    ///
    /// # Errors
    /// If there are both axes and a map or neither, widths do not fit, a number is not finite or absurdly large, or the map
    /// cannot be inverted with half of all digits left.
    pub fn new(spec: EllipsoidSpec) -> Result<Self> {
        let wrong = |name, value: String, want: &str| Err(Error::parameter(name, value, want));
        let rows: Vec<&Vec<f64>> =
            spec.axes.iter().chain(spec.map.iter().flatten()).chain(&spec.centre).collect();
        if let Some(odd) = rows.iter().copied().flatten().find(|x| x.is_nan() || x.abs() > MOST) {
            return wrong("ellipsoid", odd.to_string(), "numbers of at most 1e9 are needed");
        }
        let n = match (&spec.axes, &spec.map) {
            (Some(axes), None) => axes.len(),
            (None, Some(map)) => map.len(),
            _ => return wrong("ellipsoid", "unclear".to_owned(), "either axes or map is needed"),
        };
        if n == 0 || n > MOST_DIMENSIONS {
            let want = "an ellipsoid has at least one dimension and at most 1024";
            return wrong("n", n.to_string(), want);
        }
        let fits = spec.map.iter().flatten().chain(&spec.centre).all(|row| row.len() == n);
        if !fits {
            let want = "the map has as many columns as rows, and the centre as many numbers";
            return wrong("ellipsoid", format!("{n} dimensions"), want);
        }
        let map = match (&spec.axes, &spec.map) {
            (Some(axes), _) => {
                if let Some(odd) = axes.iter().find(|axis| **axis <= 0.0) {
                    return wrong("axes", odd.to_string(), "positive lengths are needed");
                }
                Array2::from_diag(&ndarray::Array1::from(axes.clone()))
            }
            (_, Some(map)) => Array2::from_shape_fn((n, n), |(i, j)| map[i][j]),
            (None, None) => Array2::eye(n),
        };
        let inverse = inverse(&map).filter(|inverse| {
            // The square of an n-dimensional identity's size is n: that much is not the fault of the shape.
            size(&map) * size(inverse) <= MOST_CONDITION * n as f64
        });
        let Some(inverse) = inverse else {
            let want =
                "an invertible map is needed, whose longest axis is below 1e8 times its shortest";
            return wrong("map", "a singular matrix, or nearly".to_owned(), want);
        };
        let centre = spec.centre.clone().unwrap_or_else(|| vec![0.0; n]);
        // 1 / ‖L⁻¹‖ is at most the shortest axis; points must tell it apart from rounding at the centre.
        let offset = centre.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        if offset * size(&inverse) > MOST_OFFSET {
            let want = "a centre within 1e8 shortest axes of 0 is needed, or points would be rounded out of shape";
            return wrong("centre", offset.to_string(), want);
        }
        Ok(Self { spec, shape: Arc::new(Shape { centre, map, inverse }) })
    }

    /// The dimension.
    pub fn n(&self) -> usize {
        self.shape.centre.len()
    }

    /// The variance of `direction · x` for uniform x: ‖Lᵀ d‖² / (n + 2), exactly.
    pub fn variance(&self, direction: &[f64]) -> f64 {
        let along = times_transposed(&self.shape.map, direction);
        along.iter().map(|x| x * x).sum::<f64>() / (self.n() as f64 + 2.0)
    }

    /// The point of the unit ball that `x` is the image of.
    fn unmapped(&self, x: &[f64]) -> Vec<f64> {
        let from_centre: Vec<f64> = x.iter().zip(&self.shape.centre).map(|(x, c)| x - c).collect();
        times(&self.shape.inverse, &from_centre)
    }

    fn mapped(&self, u: &[f64]) -> Vec<f64> {
        times(&self.shape.map, u).iter().zip(&self.shape.centre).map(|(x, c)| x + c).collect()
    }

    fn ball(&self) -> Ball {
        Ball { n: self.n() }
    }
}

impl std::fmt::Debug for Ellipsoid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Errors name domains, and a map has many numbers.
        f.debug_struct("Ellipsoid").field("n", &self.n()).finish_non_exhaustive()
    }
}

impl PartialEq for Ellipsoid {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl TryFrom<EllipsoidSpec> for Ellipsoid {
    type Error = Error;

    fn try_from(spec: EllipsoidSpec) -> Result<Self> {
        Self::new(spec)
    }
}

impl From<Ellipsoid> for EllipsoidSpec {
    fn from(ellipsoid: Ellipsoid) -> Self {
        ellipsoid.spec
    }
}

impl ConvexBody for Ellipsoid {
    fn sample_into(&self, rng: &mut Rng, out: &mut [f64], room: &mut Vec<f64>) {
        room.resize(out.len(), 0.0);
        let mut none = Vec::new();
        self.ball().sample_into(rng, room, &mut none);
        times_into(&self.shape.map, room, out);
        out.iter_mut().zip(&self.shape.centre).for_each(|(x, c)| *x += c);
    }

    fn excess(&self, x: &[f64]) -> f64 {
        self.ball().excess(&self.unmapped(x))
    }

    fn exit_within(&self, x: &[f64], direction: &[f64], room: &mut Vec<f64>) -> f64 {
        let n = x.len();
        room.resize(3 * n, 0.0);
        let (from_centre, rest) = room.split_at_mut(n);
        let (unmapped, along) = rest.split_at_mut(n);
        let way = x.iter().zip(&self.shape.centre).map(|(x, c)| x - c);
        from_centre.iter_mut().zip(way).for_each(|(to, x)| *to = x);
        times_into(&self.shape.inverse, from_centre, unmapped);
        times_into(&self.shape.inverse, direction, along);
        self.ball().exit(unmapped, along)
    }

    fn farthest(&self, direction: &[f64]) -> Vec<f64> {
        self.mapped(&self.ball().farthest(&times_transposed(&self.shape.map, direction)))
    }

    fn anchor(&self) -> Vec<f64> {
        self.shape.centre.clone()
    }

    /// ‖L⁻¹ y‖ ≤ ‖L⁻¹‖ ‖y‖ in the norm that is the root of the sum of all squares.
    fn inner_ball(&self) -> (Vec<f64>, f64) {
        (self.anchor(), size(&self.shape.inverse).recip())
    }

    /// The product of the map and a point of the ball.
    fn sample_flops(&self) -> u64 {
        2 * (self.n() as u64).pow(2)
    }

    /// Three products of an n × n matrix and a column: the map of the sample, and its inverse of a point and a direction.
    fn extra_flops(&self) -> u64 {
        6 * (self.n() as u64).pow(2)
    }
}
