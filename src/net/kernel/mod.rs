//! The hot path: products of matrices and the elementwise work around them, in vector instructions chosen at run time.
//!
//! Why not a library: a product here always has the bias before it and the activation behind it, weights stay packed from
//! one step to the next, and an answer must not depend on how its row came. Every number of a result is a sum of chains of fused
//! multiply-adds, one for each [`BLOCK`] of inputs in their order, the first set out from the bias. So rows alone or in bulk, one thread or sixteen, AVX2
//! or AVX-512, all give the same bits; a general product, which cuts sums to the size of a cache, does not. Blocks
//! also keep the rounding of long sums small.
//! Without fused multiply-add in the processor the bits are still the same, and the work takes far longer.
mod panels;
mod product;
mod real;
mod update;

pub(super) use panels::{Panels, Transposed, transpose_panel};
pub(super) use product::{Rows, outer};
pub(super) use real::{Real, stride};
pub(super) use update::{AdamStep, sgd};

/// Rows or sums that are worked on together, so that what they share stays in the first cache.
const BLOCK: usize = 256;

#[cfg(test)]
mod tests;
