//! Asking within a limit: every answer is clipped, counted, and asked on a coset.
use super::Coset;
use crate::data::Batch;
use crate::error::Result;
use crate::fourier::{Questions, walsh_hadamard};

/// The function that is searched, and how much may still be asked.
pub(super) struct Asker<'a> {
    pub(super) questions: &'a mut dyn Questions,
    pub(super) n: usize,
    pub(super) bound: f64,
    pub(super) spent: u64,
    pub(super) most: u64,
}

impl Asker<'_> {
    /// Whether so many more questions stay within the limit.
    pub(super) fn affords(&self, queries: u64) -> bool {
        self.spent.saturating_add(queries) <= self.most
    }

    /// The normalised transform of the clipped answers on a coset. An answer that is no number counts as 0: the theorem
    /// lets the function be anything on a small mass of inputs, and a NaN must not spoil the sums.
    pub(super) fn transform(&mut self, coset: &Coset) -> Result<Vec<f64>> {
        let n_points = coset.len() as u64;
        // m 2^m additions, a comparison or two and a product a point.
        self.questions.work(n_points * (u64::from(n_points.trailing_zeros()) + 3))?;
        let mut values = self.questions.ask_coset(coset)?;
        self.spent += n_points;
        let scale = 1.0 / n_points as f64;
        values.iter_mut().for_each(|value| *value = self.clip(*value) * scale);
        walsh_hadamard(&mut values);
        Ok(values)
    }

    /// The clipped answers at the rows of a batch.
    pub(super) fn rows(&mut self, xs: &Batch) -> Result<Vec<f64>> {
        self.questions.work(3 * xs.nrows() as u64)?;
        let answers = self.questions.ask(xs)?;
        self.spent += xs.nrows() as u64;
        Ok(answers.iter().map(|answer| self.clip(*answer)).collect())
    }

    fn clip(&self, answer: f64) -> f64 {
        if answer.is_nan() { 0.0 } else { answer.clamp(-self.bound, self.bound) }
    }
}
