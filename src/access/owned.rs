//! A net that a mitigator made or changed: what it answers with in the suspect's stead.
use super::Oracle;
use crate::data::{Batch, Shape};
use crate::error::Result;
use crate::ledger::Ledger;
use crate::net::Net;

/// A net of the mitigator's own: its arithmetic is charged, but no query is.
#[derive(Debug)]
pub struct Owned<'a> {
    /// The net.
    pub net: Net,
    /// Where its arithmetic is charged.
    pub ledger: &'a Ledger,
}

impl Oracle for Owned<'_> {
    fn shape(&self) -> Shape {
        self.net.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        self.net.forward(xs, self.ledger)
    }
}

impl<O: Oracle + ?Sized> Oracle for &O {
    fn shape(&self) -> Shape {
        (**self).shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        (**self).query(xs)
    }
}
