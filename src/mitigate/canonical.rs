//! A recovered function as an oracle.
use crate::access::Oracle;
use crate::data::{Batch, Shape};
use crate::error::Result;
use crate::fourier::Function;
use crate::ledger::Ledger;

/// A sum of basis functions that answers: no net, no queries.
pub(super) struct Canonical<'a> {
    pub(super) function: Function,
    pub(super) shape: Shape,
    pub(super) ledger: &'a Ledger,
}

impl Oracle for Canonical<'_> {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        crate::data::check("inputs", xs, self.shape.inputs)?;
        self.ledger.flops(self.function.flops() * xs.nrows() as u64)?;
        Ok(self.function.at_all(xs))
    }
}
