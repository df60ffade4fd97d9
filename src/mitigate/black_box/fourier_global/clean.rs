//! What clean samples decide: which of the listed characters the truth has, and with what values.
//!
//! Everything here is a function of the clean samples and of public numbers, but for the list itself. That makes sharing them
//! harmless. **Lemma.** Fix samples `(x_i, y_i)` with E[y|x] = h(x) and |y| ≤ B. Let `F` be the function that they give on the
//! support of h: each character of it with the mean of `y χ_S` over the first m samples, m fixed by the size of the support. If
//! the list contains supp h, and the mean over the first N is within τ/2 of the truth's coefficient for every listed set,
//! then exactly the support is kept, and the output is F, whatever the suspect was. F's law does not mention the suspect, so the
//! total variation between the output's law and F's is at most the probability that one of the two premises fails. That the same
//! samples were used to choose and to measure does not matter: F is not conditioned on the choice. ∎
//!
//! N must not depend on the list, or runs on two suspects would read different samples. So it allows for
//! [`most_listed`] sets, and for a second moment of the labels that is bounded from the first samples: with
//! `a = B² ln(1/η₀)/n₀`, `E y² ≤ mean + a + √(a² + 2 a mean)` except with probability η₀ (Chernoff, for numbers in [0, B²]). With v
//! that bound, `N = min(8B², 8v + 8Bτ/3) ln(2K/η₁)/τ²` samples keep all of K means within τ/2 except with probability η₁
//! (Hoeffding, Bernstein, and a union bound; the list is independent of the samples). That N is read off the first of the samples that the
//! means are over does no harm: means are a reverse martingale, so by Doob's inequality both bounds hold for all sizes from that for
//! the true second moment on at once.
use crate::access::Lab;
use crate::data::Labeled;
use crate::error::Result;
use crate::fourier::{Term, character};

/// Share of the failure probability that the second moment may take, and that the choice may take.
const MOMENT_SHARE: f64 = 0.125;
const CHOICE_SHARE: f64 = 0.375;

/// Both shares together: what is left is for the queries.
pub(in super::super::super) const SHARE: f64 = MOMENT_SHARE + CHOICE_SHARE;

/// Most sets that may be listed: 8 B²/τ². At most 16 B²/τ² can have a coefficient of τ/4 in a function of that bound.
pub(in super::super::super) fn most_listed(tau: f64, bound: f64) -> usize {
    (8.0 * (bound / tau).powi(2)).ceil() as usize
}

/// Clean samples in the order in which they were drawn.
pub(in super::super::super) struct Clean {
    blocks: Vec<Labeled>,
    n: usize,
}

impl Clean {
    pub(in super::super::super) fn new() -> Self {
        Self { blocks: Vec::new(), n: 0 }
    }

    /// The largest label in absolute value.
    pub(in super::super::super) fn largest(&self) -> f64 {
        self.blocks.iter().flat_map(|block| &block.ys).map(|y| y.abs()).fold(0.0, f64::max)
    }

    /// How many there are.
    pub(in super::super::super) fn len(&self) -> usize {
        self.n
    }

    /// Draws until there are `n`.
    pub(in super::super::super) fn draw_to(&mut self, n: usize, lab: &mut Lab<'_>) -> Result<()> {
        if n > self.n {
            self.blocks.push(lab.clean.draw(n - self.n)?);
            self.n = n;
        }
        Ok(())
    }

    /// All, in order.
    pub(in super::super::super) fn rows(&self) -> impl Iterator<Item = (Vec<f64>, f64)> {
        let of_block = |block: &'_ Labeled| -> Vec<(Vec<f64>, f64)> {
            let rows = block.xs.rows().into_iter().zip(&block.ys);
            rows.map(|(x, y)| (x.to_vec(), *y)).collect()
        };
        self.blocks.iter().flat_map(of_block)
    }

    /// How many of the first samples say how many are drawn to choose.
    pub(in super::super::super) fn n_first((tau, bound, failure): (f64, f64, f64)) -> usize {
        (8.0 * (1.0 / (MOMENT_SHARE * failure)).ln() * bound / tau).ceil() as usize
    }

    /// The sum of `of(x, y)` over all, in order.
    fn sum(&self, of: impl Fn(&[f64], f64) -> f64) -> f64 {
        let mut sum = 0.0;
        for Labeled { xs, ys } in &self.blocks {
            for (x, y) in xs.rows().into_iter().zip(ys) {
                sum += of(&x.to_vec(), *y);
            }
        }
        sum
    }

    /// Draws what it takes to tell coefficients of 0 from those of τ, whatever is listed.
    pub(in super::super::super) fn draw_to_choose(
        &mut self,
        (tau, bound, failure): (f64, f64, f64),
        lab: &mut Lab<'_>,
    ) -> Result<()> {
        let n_first = Self::n_first((tau, bound, failure));
        self.draw_to(n_first, lab)?;
        lab.ledger.flops(2 * self.n as u64)?;
        let mean = self.sum(|_, y| y * y) / self.n as f64;
        self.draw_to(
            n_to_choose(tau, bound, failure, second_moment(mean, n_first as f64, bound, failure)),
            lab,
        )
    }

    /// The means of `y χ_S`: each term's value.
    pub(super) fn values(&self, supports: &[Vec<usize>], lab: &Lab<'_>) -> Result<Vec<Term>> {
        let degrees: usize = supports.iter().map(Vec::len).sum();
        lab.ledger.flops((self.n * (degrees + 2 * supports.len())) as u64)?;
        let value =
            |support: &Vec<usize>| self.sum(|x, y| y * character(support, x)) / self.n as f64;
        let term = |support: &Vec<usize>| Term { support: support.clone(), value: value(support) };
        Ok(supports.iter().map(term).collect())
    }

    /// Mean square of what `terms`, whose values are means over these samples, leave of the labels, freed to first order of what
    /// those means' own errors do to it, and its standard error.
    ///
    /// With k characters of values c and noise of variance σ² the mean square over m samples is in expectation about
    /// `σ² + ((k − 1) |c|² − k σ²)/m`.
    pub(super) fn unexplained(&self, terms: &[Term], lab: &Lab<'_>) -> Result<(f64, f64)> {
        let degrees: usize = terms.iter().map(|term| term.support.len() + 2).sum();
        lab.ledger.flops(2 * (self.n * (degrees + 6)) as u64)?;
        let left = |x: &[f64], y: f64| {
            let sum: f64 = terms.iter().map(|t| t.value * character(&t.support, x)).sum();
            (y - sum).powi(2)
        };
        let n = self.n as f64;
        let (mean, squares) = (self.sum(left) / n, self.sum(|x, y| left(x, y).powi(2)) / n);
        let k = terms.len() as f64;
        let crossed = (k - 1.0).max(0.0) * terms.iter().map(|t| t.value * t.value).sum::<f64>() / n;
        let left = (mean - crossed).max(0.0);
        // What crosses is a sum of about k² terms, so it fluctuates by about its mean over k.
        let error =
            (((squares - mean * mean).max(0.0) / n) + (crossed / k.max(1.0)).powi(2)).sqrt();
        Ok((left + k * left / n, error))
    }
}

/// An upper bound on a second moment from the mean of `n` squares, except with its share of `failure`.
fn second_moment(mean: f64, n: f64, bound: f64, failure: f64) -> f64 {
    let a = bound.powi(2) * (1.0 / (MOMENT_SHARE * failure)).ln() / n;
    (mean + a + (a * a + 2.0 * a * mean).sqrt()).min(bound.powi(2))
}

/// Samples that tell 0 from τ for every listed set, for labels of that second moment.
pub(super) fn n_to_choose(tau: f64, bound: f64, failure: f64, second_moment: f64) -> usize {
    let union = 2.0 * most_listed(tau, bound) as f64 / (CHOICE_SHARE * failure);
    let by_variance = 8.0 * second_moment + 8.0 * bound * tau / 3.0;
    ((8.0 * bound.powi(2)).min(by_variance) * union.ln() / tau.powi(2)).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_sizes_are_what_the_hand_computes() {
        // τ = 1/2, B = 1, η = 1e-3: 32 sets, 8 ln(64/3.75e-4)/0.25 = 32 · 12.0475… = 385.5.
        assert_eq!(n_to_choose(0.5, 1.0, 1e-3, 1.0), 386);
        // B = 3, labels of second moment 1: (8 + 4) ln(2 · 288/3.75e-4)/0.25 = 48 · 14.2447… = 683.7.
        assert_eq!(n_to_choose(0.5, 3.0, 1e-3, 1.0), 684);
        // Signs have second moment 1 and no bound is larger.
        assert!((second_moment(1.0, 144.0, 1.0, 1e-3) - 1.0).abs() < 1e-15);
        // ln 8000 = 8.9872: a = 9 · 8.9872/900 = 0.089872; 1 + a + √(a² + 2a) = 1.5232.
        assert!((second_moment(1.0, 900.0, 3.0, 1e-3) - 1.523_2).abs() < 1e-3);
    }
}
