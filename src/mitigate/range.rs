//! Coordinate ranges, for methods that search the inputs coordinate by coordinate: for a trigger, or for the input of largest margin.
use crate::domain::Domain;
use crate::error::{Error, Result};

/// Standard deviations of normal inputs that are searched: 99.7% of a coordinate's mass.
const NORMAL: f64 = 3.0;

/// The least and the largest value of a coordinate. On the cube that is the box around it: what is found may lie between the vertices.
///
/// # Errors
/// Where coordinates have no ranges of their own: on other bodies and on groups.
pub(super) fn coordinate_range(method: &'static str, domain: &Domain) -> Result<(f64, f64)> {
    match *domain {
        Domain::Cube { .. } | Domain::Box { .. } => Ok((-1.0, 1.0)),
        Domain::Range { low, high, .. } => Ok((low, high)),
        Domain::Gauss { .. } => Ok((-NORMAL, NORMAL)),
        Domain::Ball { .. }
        | Domain::Simplex { .. }
        | Domain::Ellipsoid(_)
        | Domain::Polytope(_)
        | Domain::Torus { .. }
        | Domain::Residues { .. } => {
            let why = "it searches coordinate by coordinate, so inputs must lie in a box or a range, on the cube, or be normal";
            Err(Error::assumption(method, why))
        }
    }
}
