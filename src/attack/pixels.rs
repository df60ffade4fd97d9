//! Square images: the side, and the pixels of patches in their corners.
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;

/// The side of square images of `n` pixels that are stored row by row.
///
/// # Errors
/// If `n` is no square: `method` does not apply then.
pub(super) fn side(method: &'static str, n: usize) -> Result<usize> {
    let side = n.isqrt();
    if side * side == n {
        return Ok(side);
    }
    let why = format!("a patch needs square images, and {n} inputs are none");
    Err(Error::assumption(method, why))
}

/// Whether inputs may be square images: numbers in a range, as many as a square of side 2 or more has.
pub(crate) fn are_square(world: &World) -> bool {
    let n = world.domain.n();
    matches!(world.domain, Domain::Range { .. }) && n >= 4 && n.isqrt().pow(2) == n
}

/// The pixels of the patch of `patch` × `patch` in the bottom right corner, ascending.
///
/// # Errors
/// If the inputs are no square images, or the patch does not fit into them.
pub(super) fn bottom_right(method: &'static str, n: usize, patch: usize) -> Result<Vec<usize>> {
    let side = fitting(method, n, patch)?;
    let rows = side - patch..side;
    Ok(rows.flat_map(|y| (side - patch..side).map(move |x| y * side + x)).collect())
}

/// The pixels of such patches in all four corners, ascending and each once.
///
/// # Errors
/// As [`bottom_right`].
pub(super) fn corners(method: &'static str, n: usize, patch: usize) -> Result<Vec<usize>> {
    let side = fitting(method, n, patch)?;
    let edge = |i: usize| i < patch || i >= side - patch;
    Ok((0..n).filter(|pixel| edge(pixel / side) && edge(pixel % side)).collect())
}

fn fitting(method: &'static str, n: usize, patch: usize) -> Result<usize> {
    let side = side(method, n)?;
    if patch == 0 || patch > side {
        let want = format!("the images have sides of {side} pixels, so a patch has 1 to {side}");
        return Err(Error::parameter("patch", patch, want));
    }
    Ok(side)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_lie_where_a_drawing_of_four_by_four_pixels_has_them() {
        assert_eq!(bottom_right("test", 16, 2).unwrap(), [10, 11, 14, 15]);
        assert_eq!(corners("test", 16, 1).unwrap(), [0, 3, 12, 15]);
        // Patches that meet cover everything, and no pixel twice.
        assert_eq!(corners("test", 16, 3).unwrap(), (0..16).collect::<Vec<_>>());
        assert!(bottom_right("test", 16, 5).is_err() && corners("test", 16, 0).is_err());
        assert!(corners("test", 15, 1).is_err());
    }
}
