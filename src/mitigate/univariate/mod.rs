//! Polynomials of one variable, as the methods that restrict a truth to a ray need them: where to look, how far errors grow, what
//! to do about values that are wrong, and arithmetic that does not add to the error.
pub(super) mod double;
mod fit;
mod lattice;
mod nodes;

use double::Double;
use nodes::weights;

pub(super) use fit::{Fit, Score, n_subsets, robust};
pub(super) use lattice::{Lattice, UNIT};
pub(super) use nodes::Nodes;
