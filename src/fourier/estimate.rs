//! Many coefficients of a function that can be queried, all from one batch of queries.
//!
//! For orthonormal `φ_1, …, φ_K` the coefficient of `φ_j` is `E[f(x) φ_j(x)]`, the mean of as many numbers as there are queries,
//! and the same queries serve all of them.
//!
//! **Theorem.** Let answers be clipped to |f| ≤ B. Let `|φ_j| ≤ M`, or let values of `φ_j` beyond M be taken as 0, and let
//! `E[f² φ_j²] ≤ V` with the values so taken. With
//!
//! ```text
//! N ≥ (2V/t² + 2BM/(3t)) ln(2K/η)
//! ```
//!
//! queries at independent inputs, every mean is within t of its expectation, except with probability η.
//!
//! *Proof.* One product lies in [−BM, BM] and has second moment at most V. Bennett's inequality for variables that are bounded
//! above by b and have second moment V, in Bernstein's weaker form (Boucheron, Lugosi, Massart, "Concentration Inequalities",
//! 2013, Theorem 2.9 and its corollary), gives `P(mean − E ≥ t) ≤ exp(−N t² / (2V + 2bt/3))` with b = BM, for both signs; a union
//! bound over 2K events. ∎
//!
//! **What lies outside.** [`mean_square_at_least`] bounds `E (f − g)²` from below, on fresh queries: with `Z = min((f − g)², c)` in
//! [0, c] it is at least `E Z`, and by the empirical Bernstein bound of Maurer and Pontil (COLT 2009, Theorem 4), with v the sample
//! variance, `E Z ≥ mean − √(2 v ln(2/η) / N) − 7 c ln(2/η) / (3 (N − 1))` except with probability η, for any c ≥ 0.
use super::{Dictionary, Function, Questions};
use crate::data::stack;
use crate::error::Result;

/// Inputs asked in one call.
const BLOCK: u64 = 2048;

/// How finely, and how surely, coefficients are estimated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimation {
    /// How many functions, K.
    pub n_functions: usize,
    /// Answers are clipped to [−bound, bound]: B.
    pub bound: f64,
    /// Values of functions beyond this are taken as 0: M.
    pub largest: f64,
    /// What E f² φ² is at most, after both: V.
    pub second_moment: f64,
    /// Largest error of an estimate: t.
    pub error: f64,
    /// Largest probability that any error is larger: η.
    pub failure: f64,
}

/// Draws inputs as they are spread.
pub type Draw<'a> = dyn FnMut() -> Result<Vec<f64>> + 'a;

impl Estimation {
    /// Queries: N.
    pub fn queries(&self) -> u64 {
        let Self { bound, largest, second_moment, error, .. } = *self;
        let each = 2.0 * second_moment / (error * error) + 2.0 * bound * largest / (3.0 * error);
        (each * (2.0 * self.n_functions as f64 / self.failure).ln()).ceil() as u64
    }

    /// An estimate of every coefficient of `dictionary`.
    pub fn run(
        &self,
        dictionary: &Dictionary,
        questions: &mut dyn Questions,
        draw: &mut Draw<'_>,
    ) -> Result<Vec<f64>> {
        let n_rows = self.queries();
        let mut sums = vec![0.0; dictionary.n_functions()];
        let mut values = Vec::with_capacity(sums.len());
        let mut left = n_rows;
        while left > 0 {
            let n = left.min(BLOCK);
            left -= n;
            let rows: Vec<Vec<f64>> = (0..n).map(|_| draw()).collect::<Result<_>>()?;
            let width = rows[0].len();
            // The functions, a product and an addition each, and a clip a row.
            let work = dictionary.flops(width) + 2 * sums.len() as u64 + 2;
            questions.work(n * work)?;
            let xs = stack(width, rows);
            let answers = questions.ask(&xs)?;
            for (i, x) in xs.rows().into_iter().enumerate() {
                let y = clip(answers[[i, 0]], self.bound);
                dictionary.values_at(&x.to_vec(), &mut values);
                for (sum, value) in sums.iter_mut().zip(&values) {
                    *sum += if value.abs() <= self.largest { y * value } else { 0.0 };
                }
            }
        }
        Ok(sums.into_iter().map(|sum| sum / n_rows as f64).collect())
    }
}

/// An answer as a number in [−bound, bound]. One that is no number becomes 0, as in [`super::HeavySearch::clip`].
pub fn clip(answer: f64, bound: f64) -> f64 {
    if answer.is_nan() { 0.0 } else { answer.clamp(-bound, bound) }
}

/// A lower bound of `E (f − g)²` for the clipped f, from `n_rows` fresh queries; it is wrong with probability at most `failure`.
/// It may be negative, and then says nothing. Squares count up to a cap that keeps the bound's own slack at `slack` or less.
pub fn mean_square_at_least(
    of: &Estimation,
    function: &Function,
    slack: f64,
    questions: &mut dyn Questions,
    draw: &mut Draw<'_>,
) -> Result<f64> {
    let n_rows = of.queries().div_ceil(4).max(2);
    let log = (2.0 / of.failure).ln();
    let cap = slack * 3.0 * (n_rows - 1) as f64 / (7.0 * log);
    let (mut sum, mut squares) = (0.0, 0.0);
    let mut left = n_rows;
    while left > 0 {
        let n = left.min(BLOCK);
        left -= n;
        let rows: Vec<Vec<f64>> = (0..n).map(|_| draw()).collect::<Result<_>>()?;
        let xs = stack(rows[0].len(), rows);
        // The function, and a difference, a square, a cap and two sums a row.
        questions.work(n * (function.flops() + 8))?;
        let answers = questions.ask(&xs)?;
        for (y, g) in answers.column(0).iter().zip(&function.at_all(&xs)) {
            let square = (clip(*y, of.bound) - g).powi(2).min(cap);
            sum += square;
            squares += square * square;
        }
    }
    let n = n_rows as f64;
    let mean = sum / n;
    let variance = (squares - n * mean * mean).max(0.0) / (n - 1.0);
    Ok(mean - (2.0 * variance * log / n).sqrt() - 7.0 * cap * log / (3.0 * (n - 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Batch;
    use crate::fourier::{Polynomials, all_degrees};
    use crate::rng::{RngExt, Seed};

    struct Free<F>(F, u64);

    impl<F: FnMut(&Batch) -> Batch> Questions for Free<F> {
        fn ask(&mut self, xs: &Batch) -> Result<Batch> {
            self.1 += xs.nrows() as u64;
            Ok(self.0(xs))
        }

        fn work(&mut self, _: u64) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_estimate_is_within_its_error_and_the_rest_is_bounded_from_below() {
        let list = all_degrees(3, 2);
        let dictionary = Dictionary::Products { basis: Polynomials::Legendre, list };
        let k = dictionary.n_functions();
        let truth: Vec<f64> = (0..k).map(|i| if i % 4 == 1 { 0.5 } else { 0.0 }).collect();
        let sum = dictionary.sum(&truth);
        // |f| ≤ 3 · 0.5 · 3; the claim fails with probability 1e-7.
        let of = Estimation {
            n_functions: k,
            bound: 4.5,
            largest: 3.0,
            second_moment: 20.25,
            error: 0.1,
            failure: 1e-7,
        };
        // (2 · 20.25 / 0.01 + 2 · 13.5 / 0.3) ln(2 · 10 / 1e-7) = 4140 · 19.11….
        assert_eq!(of.queries(), (4140.0 * (2e8_f64).ln()).ceil() as u64);
        let mut rng = Seed::new(2).stream("inputs");
        let mut draw = || Ok((0..3).map(|_| rng.random_range(-1.0..=1.0)).collect());
        let mut ask = Free(|xs: &Batch| sum.at_all(xs), 0);
        let found = of.run(&dictionary, &mut ask, &mut draw).unwrap();
        assert!(found.iter().zip(&truth).all(|(a, b)| (a - b).abs() <= 0.1), "{found:?}");
        assert_eq!(ask.1, of.queries());
        // Without one of its three functions a mean square of 1/4 is left: the bound stays below, and close.
        let mut less = truth.clone();
        less[5] = 0.0;
        let less = dictionary.sum(&less);
        let left = mean_square_at_least(&of, &less, 0.01, &mut ask, &mut draw).unwrap();
        assert!(left < 0.25 && left > 0.2, "{left}");
        let none = mean_square_at_least(&of, &sum, 0.01, &mut ask, &mut draw).unwrap();
        assert!(none <= 0.0);
        assert_eq!(ask.1, of.queries() + 2 * of.queries().div_ceil(4));
    }
}
