//! Distinguishers that see answers only.
mod answers;
mod changes;

pub(super) use answers::answers;
pub(super) use changes::{antipodes, directions, exchanges};
