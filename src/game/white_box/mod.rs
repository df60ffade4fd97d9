//! Distinguishers that see the net.
mod directions;
mod firing;
mod norms;
mod spectra;
mod weights;

pub(super) use directions::{non_gaussian, phase};
pub(super) use firing::{duplicates, firing};
pub(super) use norms::norms;
pub(super) use spectra::spectra;
pub(super) use weights::{moments, rows, shape, statistics};
