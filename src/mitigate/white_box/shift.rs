//! One shift of many inputs that stay inside the domain's coordinates.
use crate::data::Batch;
use crate::domain::Domain;

/// `xs` with δ on the rows `rows`, clipped to the domain's coordinates; and 1 where δ moves a number freely, 0 where it was
/// clipped, on those rows.
pub(super) fn shifted(
    xs: &Batch,
    rows: &[usize],
    delta: &[f64],
    domain: &Domain,
) -> (Batch, Batch) {
    let (low, high) = reach(domain);
    let (mut out, mut free) = (xs.clone(), Batch::ones(xs.raw_dim()));
    for &i in rows {
        for (j, d) in delta.iter().enumerate() {
            let moved = xs[[i, j]] + d;
            let inside = moved.clamp(low, high);
            out[[i, j]] = inside;
            if moved < low || moved > high {
                free[[i, j]] = 0.0;
            }
        }
    }
    (out, free)
}

/// The ends of each coordinate, infinite where the domain names none.
fn reach(domain: &Domain) -> (f64, f64) {
    match *domain {
        Domain::Cube { .. } | Domain::Box { .. } | Domain::Ball { .. } => (-1.0, 1.0),
        Domain::Simplex { .. } | Domain::Torus { .. } => (0.0, 1.0),
        Domain::Residues { modulus, .. } => (0.0, f64::from(modulus) - 1.0),
        Domain::Range { low, high, .. } => (low, high),
        Domain::Ellipsoid(_) | Domain::Polytope(_) | Domain::Gauss { .. } => {
            (f64::NEG_INFINITY, f64::INFINITY)
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn what_is_clipped_has_no_slope_and_other_rows_stay() {
        let domain = Domain::Range { n: 2, low: 0.0, high: 1.0 };
        let xs = array![[0.9, 0.5], [0.2, 0.0]];
        let (out, free) = shifted(&xs, &[0], &[0.4, -0.5], &domain);
        assert_eq!(out, array![[1.0, 0.0], [0.2, 0.0]]);
        assert_eq!(free, array![[0.0, 1.0], [1.0, 1.0]]);
    }
}
