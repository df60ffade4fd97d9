//! Whether clean labels leave room for a heavy character outside a list: the test of the theorem in [`super`].
use ndarray::Array2;

use super::super::super::black_box::fourier_global::Clean;
use super::super::super::least_squares::solve;
use super::desk::Desk;
use crate::error::Result;
use crate::fourier::{Bits, FourierSum, Term, character};

/// Largest rank of a list whose sign patterns are gone through, 4,096 of them; beyond it sizes are added up.
const MOST_RANK: usize = 12;

/// A list to be tested.
pub(super) struct Test<'a> {
    pub(super) list: &'a [Vec<usize>],
    pub(super) tau: f64,
    pub(super) bound: f64,
    /// Largest probability of believing a list with a gap.
    pub(super) failure: f64,
    /// Samples that the function is fitted to; the others judge.
    pub(super) n_fit: usize,
}

/// How it ended.
pub(super) enum Verdict {
    /// Nothing heavy is missing, in these figures.
    Complete(String),
    /// It may be.
    Open(String),
}

impl Test<'_> {
    /// Fits on the first samples, judges by the others. Charges [`Self::flops`] and the patterns.
    pub(super) fn verdict(&self, clean: &Clean, desk: &Desk<'_>) -> Result<Verdict> {
        let open = |why: &str| Ok(Verdict::Open(why.to_owned()));
        let (n, k) = (clean.len(), self.list.len());
        if clean.largest() > self.bound * (1.0 + 1e-9) {
            return open("a clean label is beyond the bound");
        }
        if n <= self.n_fit || self.n_fit <= 2 * k {
            return open("too few clean samples to fit the advised sets and to judge them");
        }
        if !desk.may(self.flops(n)) {
            return open("the desk has nothing left for the test of the advice");
        }
        desk.ledger.flops(self.flops(n))?;
        let rows: Vec<(Vec<f64>, f64)> = clean.rows().collect();
        let (fit, judges) = rows.split_at(self.n_fit);
        let Some(function) = self.fitted(fit) else {
            return open("the clean inputs do not determine the advised sets");
        };
        // What may be thrown away: any function in the span serves the proof.
        let function = FourierSum::new(
            function.into_iter().filter(|term| term.value.abs() >= self.tau / 4.0).collect(),
        );
        let range = self.bound + largest(&function, desk.plan.n);
        let mean = judges.iter().map(|(x, y)| (y - function.at(x)).powi(2)).sum::<f64>()
            / judges.len() as f64;
        let (left, least) = (mean / range.powi(2), (self.tau / range).powi(2));
        let chance = if left < least {
            (-(judges.len() as f64) * divergence(left, least)).exp()
        } else {
            1.0
        };
        let figures = format!(
            "clean labels leave a mean square of {mean:.4} outside it on {} samples, where a missing character leaves at least τ² = \
             {:.4} and this with probability at most {chance:.1e}",
            judges.len(),
            self.tau.powi(2)
        );
        Ok(if chance <= self.failure {
            Verdict::Complete(figures)
        } else {
            Verdict::Open(format!(
                "the advice is not believed: {figures}, over {:.1e}",
                self.failure
            ))
        })
    }

    /// Operations for n samples: characters, products and an elimination for the fit; characters, a sum, a square for the
    /// judges; and at most [`MOST_RANK`] bits of patterns.
    fn flops(&self, n: usize) -> u64 {
        let k = self.list.len() as u64;
        let degrees: u64 = self.list.iter().map(|set| set.len() as u64).sum();
        let fit = self.n_fit as u64 * (degrees + 2 * k * (k + 1)) + 4 * k.pow(3);
        let judge = (n - self.n_fit) as u64 * (degrees + 2 * k + 3);
        let patterns = (2 * k) << (k as usize).min(MOST_RANK);
        fit + judge + patterns
    }

    /// Least squares of the labels on the list.
    fn fitted(&self, rows: &[(Vec<f64>, f64)]) -> Option<Vec<Term>> {
        let k = self.list.len();
        let (mut gram, mut moments) = (Array2::zeros((k, k)), Array2::zeros((k, 1)));
        for (x, y) in rows {
            let signs: Vec<f64> = self.list.iter().map(|set| character(set, x)).collect();
            for (i, a) in signs.iter().enumerate() {
                moments[[i, 0]] += a * y;
                signs.iter().enumerate().for_each(|(j, b)| gram[[i, j]] += a * b);
            }
        }
        let solution = solve(&gram, &moments)?;
        let terms = self.list.iter().zip(&solution);
        Some(terms.map(|(set, value)| Term { support: set.clone(), value: *value }).collect())
    }
}

/// The largest value that a sum of characters takes in size, or more. Its characters take the sign patterns that a basis of their
/// sets spans, all of them.
fn largest(function: &FourierSum, n: usize) -> f64 {
    let all: f64 = function.terms().iter().map(|term| term.value.abs()).sum();
    // Elimination: every set as a sum of those of a basis, by pivots; `made` says of which basis sets.
    let mut basis: Vec<(usize, Bits, usize)> = Vec::new();
    let mut made = Vec::with_capacity(function.terms().len());
    for term in function.terms() {
        let (mut set, mut of) = (Bits::of(n, &term.support), 0);
        for (pivot, other, other_of) in &basis {
            if set.has(*pivot) {
                set.toggle(other);
                of ^= other_of;
            }
        }
        if let Some(pivot) = set.members().first() {
            if basis.len() == MOST_RANK {
                return all;
            }
            let own = 1 << basis.len();
            basis.push((*pivot, set, of ^ own));
            of = own;
        }
        made.push(of);
    }
    let value = |pattern: usize| {
        let signed = function.terms().iter().zip(&made).map(|(term, of)| {
            if (of & pattern).count_ones() % 2 == 1 { -term.value } else { term.value }
        });
        signed.sum::<f64>().abs()
    };
    let found = (0..1_usize << basis.len()).map(value).fold(0.0, f64::max);
    // For the rounding of a sum in another order.
    found + 1e-9 * all
}

/// The divergence of a coin of bias `p` from one of bias `q`.
fn divergence(p: f64, q: f64) -> f64 {
    let part = |a: f64, b: f64| if a > 0.0 { a * (a / b).ln() } else { 0.0 };
    part(p, q) + part(1.0 - p, 1.0 - q)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fourier::vertex;
    use crate::rng::{RngExt, Seed};

    #[test]
    fn the_largest_value_is_that_of_all_vertices() {
        let mut rng = Seed::new(1).stream("sums");
        for _ in 0..50 {
            let terms = (0..7).map(|_| {
                let set: usize = rng.random_range(0..64);
                let support = (0..6).filter(|i| set >> i & 1 == 1).collect();
                Term { support, value: rng.random_range(-1.0..1.0) }
            });
            let sum = FourierSum::new(terms.collect());
            let want = (0..64).map(|i| sum.at(&vertex(i, 6)).abs()).fold(0.0, f64::max);
            let got = largest(&sum, 6);
            assert!(got >= want && got < want + 1e-7, "{got} {want}");
        }
        // Of more than twelve independent sets the sizes are added up.
        let many: Vec<Term> = (0..14).map(|i| Term { support: vec![i], value: 0.5 }).collect();
        assert!((largest(&FourierSum::new(many), 14) - 7.0).abs() < 1e-12);
    }

    #[test]
    fn the_divergence_is_what_the_hand_computes() {
        // −ln(15/16); ½ ln 2 + ½ ln(2/3) = ½ ln(4/3).
        assert!((divergence(0.0, 0.0625) - 0.064_538_521).abs() < 1e-9);
        assert!((divergence(0.5, 0.25) - 0.5 * (4.0_f64 / 3.0).ln()).abs() < 1e-12);
    }
}
