//! Heavy characters of a function that can be queried: the tree search of Kushilevitz and Mansour (SIAM J. Comput. 1993),
//! after Goldreich and Levin (STOC 1989), with the constants that are derived below.
//!
//! For a set `a` of the first k coordinates let `W_a = Σ f^(S)²` over all S that agree with `a` there. With z uniform on
//! the other coordinates and u, u' uniform on these, `W_a = E[f(u z) f(u' z) χ_a(u ⊕ u')]`, so one batch of N pairs
//! estimates W of every prefix alive at a level. A prefix whose estimate is at least 7τ²/16 stays alive.
//!
//! **Proof of the constants.** Let h be τ-heavy, |f| ≤ B and ‖f − h‖₂ ≤ τ/4. By Parseval every coefficient of f is within
//! τ/4 of that of h: at least 3τ/4 on the support of h, at most τ/4 off it. A prefix of a set in the support has W ≥ 9τ²/16.
//! Suppose every estimate is within τ²/8. Then no such prefix dies; one that stays has W ≥ 5τ²/16, and since the W of one
//! level sum to at most B², at most 3.2 B²/τ² stay; and at the last level, where `W_S` = f^(S)², sets off the support have
//! estimates of at most 3τ²/16 and die. So the result is exactly the support. At most K = 6.4 n B²/τ² estimates are made,
//! each a mean of N numbers in [−B², B²] on a batch drawn after the prefixes were fixed; by Hoeffding and a union bound all
//! are within τ²/8 except with probability η if N ≥ 128 B⁴ ln(2K/η) / τ⁴. ∎
use super::Bits;
use super::questions::Questions;
use crate::data::stack;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Pairs that are asked in one call.
const BLOCK: u64 = 2048;

/// What to look for, and how surely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeavySearch {
    /// Dimension of the cube.
    pub n: usize,
    /// The least non-zero coefficient of the function to be found.
    pub tau: f64,
    /// Answers are clipped to [−bound, bound].
    pub bound: f64,
    /// Largest probability that the result is not the support.
    pub failure: f64,
}

/// The sets found.
#[derive(Clone, Debug, PartialEq)]
pub struct HeavySet {
    /// Supports, shorter first.
    pub supports: Vec<Vec<usize>>,
    /// Sets whose weight lies where it cannot lie, if the function is within τ/4 of a τ-heavy one: then it is not.
    pub n_ambiguous: usize,
}

impl HeavySearch {
    /// Checks every parameter against its range.
    pub fn check(&self) -> Result<()> {
        if !(self.bound > 0.0 && self.bound.is_finite()) {
            return Err(Error::parameter("bound", self.bound, "a positive number is needed"));
        }
        if !(self.tau > 0.0 && self.tau <= self.bound) {
            let want =
                format!("a coefficient above 0 and at most bound = {} is needed", self.bound);
            return Err(Error::parameter("tau", self.tau, want));
        }
        if !(self.failure > 0.0 && self.failure < 1.0) {
            let want = "a probability between 0 and 1 is needed";
            return Err(Error::parameter("failure", self.failure, want));
        }
        Ok(())
    }

    /// Pairs of queries a level: N.
    pub fn pairs_per_level(&self) -> u64 {
        let ratio = (self.bound / self.tau).powi(2);
        let n_estimates = 6.4 * self.n as f64 * ratio;
        (128.0 * ratio * ratio * (2.0 * n_estimates / self.failure).ln()).ceil() as u64
    }

    /// Queries in all: 2 n N.
    pub fn queries(&self) -> u64 {
        (2 * self.n as u64).saturating_mul(self.pairs_per_level())
    }

    /// An answer as a number in [−bound, bound]. One that is no number becomes 0: any number does, since the theorem allows
    /// the function to be anything on a small mass of inputs, and a NaN must not spoil the sums.
    pub fn clip(&self, answer: f64) -> f64 {
        if answer.is_nan() { 0.0 } else { answer.clamp(-self.bound, self.bound) }
    }

    /// Finds the heavy sets of the function that `questions` are asked of.
    pub fn run(&self, questions: &mut dyn Questions, rng: &mut Rng) -> Result<HeavySet> {
        self.check()?;
        let tau2 = self.tau * self.tau;
        let n_pairs = self.pairs_per_level();
        let most = (3.2 * self.bound * self.bound / tau2).floor() as usize;
        let mut alive = vec![Bits::empty(self.n)];
        let mut n_ambiguous = 0;
        for level in 1..=self.n {
            let candidates: Vec<Bits> =
                alive.iter().flat_map(|a| [a.clone(), a.with(level - 1)]).collect();
            // A product a pair, and for every prefix a parity and an addition.
            questions.work(n_pairs.saturating_mul(2 * candidates.len() as u64 + 3))?;
            let mut sums = vec![0.0; candidates.len()];
            let mut left = n_pairs;
            while left > 0 {
                let n = left.min(BLOCK);
                left -= n;
                self.add_pairs(level, n, &candidates, &mut sums, questions, rng)?;
            }
            let weights: Vec<f64> = sums.iter().map(|sum| sum / n_pairs as f64).collect();
            if level == self.n {
                let between = |w: &&f64| **w > 3.0 * tau2 / 16.0 && **w < 7.0 * tau2 / 16.0;
                n_ambiguous = weights.iter().filter(between).count();
            }
            alive = candidates
                .into_iter()
                .zip(weights)
                .filter_map(|(a, weight)| (weight >= 7.0 * tau2 / 16.0).then_some(a))
                .collect();
            if alive.len() > most {
                let why = format!(
                    "{} prefixes look heavy where at most {most} can be; this has probability at most {} and is worth \
                     another seed",
                    alive.len(),
                    self.failure
                );
                return Err(Error::assumption("the search for heavy characters", why));
            }
        }
        let mut supports: Vec<Vec<usize>> = alive.iter().map(Bits::members).collect();
        supports.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        Ok(HeavySet { supports, n_ambiguous })
    }

    /// Draws `n` pairs that differ in the first `level` coordinates only, and adds their products to `sums`.
    fn add_pairs(
        &self,
        level: usize,
        n: u64,
        candidates: &[Bits],
        sums: &mut [f64],
        questions: &mut dyn Questions,
        rng: &mut Rng,
    ) -> Result<()> {
        let mut rows = Vec::with_capacity(2 * n as usize);
        let mut differences = Vec::with_capacity(n as usize);
        for _ in 0..n {
            let first = Bits::random(self.n, rng);
            let mut difference = Bits::random(self.n, rng);
            difference.keep_below(level);
            rows.push(first.signs(self.n).collect());
            rows.push(first.xor(&difference).signs(self.n).collect());
            differences.push(difference);
        }
        let answers = questions.ask(&stack(self.n, rows))?;
        for (i, difference) in differences.iter().enumerate() {
            let product = self.clip(answers[[2 * i, 0]]) * self.clip(answers[[2 * i + 1, 0]]);
            for (a, sum) in candidates.iter().zip(sums.iter_mut()) {
                *sum += if a.odd_overlap(difference) { -product } else { product };
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Batch;
    use crate::fourier::{FourierSum, Term};
    use crate::rng::{Seed, sign};

    /// A function that answers for nothing.
    struct Free<F>(F);

    impl<F: FnMut(&Batch) -> Batch> Questions for Free<F> {
        fn ask(&mut self, xs: &Batch) -> Result<Batch> {
            Ok(self.0(xs))
        }

        fn work(&mut self, _: u64) -> Result<()> {
            Ok(())
        }
    }

    fn majority(n: usize) -> FourierSum {
        let term = |support: Vec<usize>, value| Term { support, value };
        FourierSum::new(vec![
            term(vec![0, 3], 0.5),
            term(vec![1, n - 1], 0.5),
            term(vec![2], 0.5),
            term(vec![0, 1, 2, 3, n - 1], -0.5),
        ])
    }

    #[test]
    fn the_support_is_exact_under_any_error_of_a_quarter_tau() {
        // A subcube of measure 2^−8 answered by the worst sign: root mean square 2 · 2^−4 = τ/4 exactly, the limit of the
        // theorem, which claims failure at most 1e-6 a run; 5 runs, so a false alarm has probability at most 5e-6.
        for (n, seed) in [(12, 1), (12, 2), (70, 3), (70, 4), (16, 5)] {
            let truth = majority(n);
            let mut ask = Free(|xs: &Batch| {
                let mut ys = truth.at_all(xs);
                for (x, y) in xs.rows().into_iter().zip(ys.iter_mut()) {
                    if x.iter().skip(3).take(8).all(|x| *x > 0.0) {
                        // Neither a huge number nor one that is none does more harm than a wrong sign.
                        *y = if x[11] > 0.0 { f64::NAN } else { -1e9 * *y };
                    }
                }
                ys
            });
            let search = HeavySearch { n, tau: 0.5, bound: 1.0, failure: 1e-6 };
            let found = search.run(&mut ask, &mut Seed::new(seed).stream("search")).unwrap();
            assert_eq!(found.supports, truth.supports(), "n = {n}");
            assert_eq!(found.n_ambiguous, 0);
        }
    }

    #[test]
    fn it_asks_exactly_as_often_as_it_says() {
        let search = HeavySearch { n: 6, tau: 0.5, bound: 1.0, failure: 0.01 };
        let truth = majority(6);
        let mut asked = 0;
        let mut ask = Free(|xs: &Batch| {
            asked += xs.nrows() as u64;
            truth.at_all(xs)
        });
        search.run(&mut ask, &mut Seed::new(1).stream("search")).unwrap();
        assert_eq!(asked, search.queries());
        // N = 128 · 16 · ln(2 · 6.4 · 6 · 4 / 0.01) = 21,128.1…, rounded up.
        assert_eq!(search.pairs_per_level(), (2048.0 * (30_720.0_f64).ln()).ceil() as u64);
    }

    #[test]
    fn pure_noise_has_no_heavy_character() {
        let mut noise = Seed::new(9).stream("noise");
        let search = HeavySearch { n: 10, tau: 0.5, bound: 1.0, failure: 1e-6 };
        let mut ask =
            Free(|xs: &Batch| Batch::from_shape_simple_fn((xs.nrows(), 1), || sign(&mut noise)));
        let found = search.run(&mut ask, &mut Seed::new(1).stream("search")).unwrap();
        assert!(found.supports.is_empty());
    }

    #[test]
    fn impossible_parameters_are_named() {
        let search = HeavySearch { n: 4, tau: 1.5, bound: 1.0, failure: 0.01 };
        assert!(search.check().unwrap_err().to_string().contains("tau = 1.5"));
        assert!(HeavySearch { tau: 0.5, failure: 0.0, ..search }.check().is_err());
        assert!(HeavySearch { tau: f64::NAN, ..search }.check().is_err());
    }
}
