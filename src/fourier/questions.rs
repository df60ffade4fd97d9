//! What a search asks of a function on the cube: answers, and leave to work on them.
use super::Coset;
use crate::data::Batch;
use crate::error::Result;

/// Points of a coset that are asked in one call.
const BLOCK: usize = 2048;

/// What a search asks: answers of the function, and leave to work on them.
pub trait Questions {
    /// The function's answers, one number a row.
    fn ask(&mut self, xs: &Batch) -> Result<Batch>;

    /// Charges operations that are about to be done on answers.
    fn work(&mut self, flops: u64) -> Result<()>;

    /// The function's answers at every point of a coset, in its order. A function that is known as a formula can do this
    /// without writing the points out; all others are asked row by row.
    fn ask_coset(&mut self, coset: &Coset) -> Result<Vec<f64>> {
        let n = coset.n();
        let points = coset.points();
        let mut answers = Vec::with_capacity(points.len());
        for block in points.chunks(BLOCK) {
            let mut rows = Vec::with_capacity(block.len() * n);
            block.iter().for_each(|point| rows.extend(point.signs(n)));
            answers.extend(self.ask(&crate::data::wide(n, rows))?.iter());
        }
        Ok(answers)
    }
}
