//! Polynomials of one variable, as the methods that restrict a truth to a ray need them: where to look, how far errors grow, what
//! to do about values that are wrong, and arithmetic that does not add to the error.
mod double;
mod fit;
mod nodes;

pub(super) use double::Double;
pub(super) use fit::{Fit, Score, n_subsets, robust};
pub(super) use nodes::{Nodes, weights};
