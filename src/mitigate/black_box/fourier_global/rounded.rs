//! The sign of an oracle, for labels of ±1.
use super::super::super::{Guarantee, Repaired};
use crate::access::Oracle;
use crate::data::{Batch, Shape};
use crate::error::Result;
use crate::ledger::Ledger;

/// An oracle that answers −1 or +1: the sign of another's answer, and −1 for exactly 0, as labels are decided.
pub(super) struct Rounded<'a> {
    inner: Box<dyn Oracle + 'a>,
    ledger: &'a Ledger,
}

impl<'a> Rounded<'a> {
    /// The same repaired model with rounded answers. What is claimed about the function holds for it as for any function of it; its
    /// error is another: where a sign is wrong the function is off by at least 1, so at most that share of signs is.
    pub(super) fn of(repaired: Repaired<'a>, ledger: &'a Ledger) -> Repaired<'a> {
        let oracle = Box::new(Self { inner: repaired.oracle, ledger });
        let guarantee = repaired.guarantee.map(|claim| Guarantee {
            statement: format!(
                "{}; answers are its signs, wrong on at most as large a share of inputs as that mean squared error, if the truth is ±1",
                claim.statement
            ),
            ..claim
        });
        Repaired { oracle, guarantee, ..repaired }
    }
}

impl Oracle for Rounded<'_> {
    fn shape(&self) -> Shape {
        self.inner.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        let answers = self.inner.query(xs)?;
        self.ledger.flops(xs.nrows() as u64)?;
        Ok(answers.mapv(|y| if y > 0.0 { 1.0 } else { -1.0 }))
    }
}
