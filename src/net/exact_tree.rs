//! The tree search for heavy characters of a net with one hidden layer, its inner expectations exact: no query.
//!
//! The tree of [`crate::fourier::HeavySearch`] asks, for a set a of the first k coordinates, for `W_a = Σ f^(S)²` over the S that agree
//! with a there. With z uniform on the other coordinates and `F_a(z) = E_u[f(u z) χ_a(u)]`, `W_a = E_z[F_a(z)²]`. Pairs of queries
//! estimate `F_a(z)²` by `P = f(u z) χ_a(u) f(u' z) χ_a(u')`. Here `F_a(z)` itself is computed by the programme of [`super::Coefficients`],
//! whose law over the first k coordinates serves every z. At the last level there is no z left, and no sampling error.
//!
//! **Theorem.** For every a, `Var F_a(z)² ≤ Var P`, both unbiased, and at the last level it is 0. *Proof.* Given z, u and u' are independent, so
//! `E[P | z] = F_a(z)²`; and `Var P = Var E[P | z] + E Var[P | z]` (Rao 1945, Blackwell 1947). ∎ If |f| ≤ B then `F_a²` lies in [0, B²],
//! half of what P may span, so Hoeffding's inequality asks for a quarter of the samples: `N = 32 B⁴ ln(2K/η)/τ⁴` for estimates within τ²/8, K =
//! 6.4 n B²/τ² of them, on which the constants of the tree rest. The programme's error e moves an estimate by at most `2Be + e²` more.
//!
//! That counts samples. A sample is dearer here: a query costs F, and `F_a(z)` about five operations for every cell of every unit's law. The
//! function is not clipped, as the oracle's answers are: B has to hold for the net itself, or the constants say nothing.
//! What [`ExactTree::run`] finds with fewer samples is a good guess, for someone who checks it.
use super::{Bucket, Coefficients, Net};
use crate::error::{Error, Result};
use crate::fourier::Term;
use crate::ledger::Ledger;
use crate::rng::{Rng, sign};

/// What to look for, and how finely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExactTree {
    /// The least coefficient of interest.
    pub tau: f64,
    /// A bound on the net's answers; it limits how many sets can be heavy.
    pub bound: f64,
    /// Samples a level.
    pub samples: usize,
    /// The grid that weights are rounded to.
    pub grid: f64,
}

/// A prefix that may lead to something heavy.
struct Prefix {
    set: Vec<usize>,
    bucket: Bucket,
}

impl ExactTree {
    /// Samples a level for which the theorem holds with failure probability `failure` on a cube of n dimensions.
    pub fn proven_samples(&self, n: usize, failure: f64) -> f64 {
        let ratio = (self.bound / self.tau).powi(2);
        (32.0 * ratio * ratio * (12.8 * n as f64 * ratio / failure).ln()).ceil()
    }

    /// The sets whose coefficient in `net` is at least `√7 τ/4`, as far as the samples tell, with their coefficients. Before every level `may` is asked
    /// whether so many operations are to be spent; where it says no there is no result.
    ///
    /// # Errors
    /// If a parameter is out of range, or the net is none that [`Coefficients`] takes.
    pub fn run(
        &self,
        net: &Net,
        ledger: &Ledger,
        rng: &mut Rng,
        may: &dyn Fn(u64) -> bool,
    ) -> Result<Option<Vec<Term>>> {
        if self.samples == 0 {
            return Err(Error::parameter("samples", 0, "at least one sample a level is needed"));
        }
        if !(self.tau > 0.0 && self.tau <= self.bound && self.bound.is_finite()) {
            let want = format!("a number above 0, at most bound = {}, is needed", self.bound);
            return Err(Error::parameter("tau", self.tau, want));
        }
        let exact = Coefficients::of(net, self.grid, ledger)?;
        let n = net.shape().inputs;
        let keep = 7.0 * self.tau.powi(2) / 16.0;
        let most = (3.2 * (self.bound / self.tau).powi(2)).floor() as usize;
        let mut alive = vec![Prefix { set: Vec::new(), bucket: exact.start() }];
        let mut found = Vec::new();
        for level in 1..=n {
            let candidates = Self::grown(&exact, alive, level - 1, ledger)?;
            let n_samples = if level == n { 1 } else { self.samples as u64 };
            let units = net.layers()[0].bias.len();
            let one: u64 = candidates.iter().map(|prefix| prefix.bucket.flops() + 2).sum();
            let rest = 2 * ((n - level) * units) as u64;
            if !may(n_samples * (one + rest)) {
                return Ok(None);
            }
            ledger.flops(n_samples * (rest + 2 * candidates.len() as u64))?;
            let mut sums = vec![0.0; candidates.len()];
            let mut means = vec![0.0; candidates.len()];
            for _ in 0..n_samples {
                let others = others(net, level, rng);
                for ((prefix, sum), mean) in candidates.iter().zip(&mut sums).zip(&mut means) {
                    *mean = exact.within(&prefix.bucket, &others, ledger)?;
                    *sum += *mean * *mean;
                }
            }
            let weights = sums.iter().map(|sum| sum / n_samples as f64).zip(means);
            let mut heavy: Vec<(f64, f64, Prefix)> = weights
                .zip(candidates)
                .filter(|((weight, _), _)| *weight >= keep)
                .map(|((weight, mean), prefix)| (weight, mean, prefix))
                .collect();
            heavy.sort_by(|a, b| b.0.total_cmp(&a.0));
            heavy.truncate(most);
            if level == n {
                found = heavy
                    .iter()
                    .map(|(_, value, prefix)| Term { support: prefix.set.clone(), value: *value })
                    .collect();
            }
            alive = heavy.into_iter().map(|(_, _, prefix)| prefix).collect();
        }
        Ok(Some(found))
    }

    /// Every prefix with coordinate i and without.
    fn grown(
        exact: &Coefficients,
        alive: Vec<Prefix>,
        i: usize,
        ledger: &Ledger,
    ) -> Result<Vec<Prefix>> {
        let mut grown = Vec::with_capacity(2 * alive.len());
        for Prefix { set, bucket } in alive {
            for inside in [false, true] {
                let bucket = exact.extend(&bucket, i, inside, ledger)?;
                let mut set = set.clone();
                set.extend(inside.then_some(i));
                grown.push(Prefix { set, bucket });
            }
        }
        Ok(grown)
    }
}

/// What random signs of the coordinates from `level` on add to every unit's sum.
fn others(net: &Net, level: usize, rng: &mut Rng) -> Vec<f64> {
    let weight = &net.layers()[0].weight;
    let mut sums = vec![0.0; weight.nrows()];
    for i in level..weight.ncols() {
        let x = sign(rng);
        for (sum, w) in sums.iter_mut().zip(weight.column(i)) {
            *sum += x * w;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::stack;
    use crate::fourier::{FourierSum, spectrum, vertex};
    use crate::ledger::Budget;
    use crate::net::{Activation, Precision, compile};
    use crate::rng::{RngExt, Seed};

    fn free() -> Ledger {
        Ledger::new(Budget::UNLIMITED)
    }

    fn values(net: &Net) -> Vec<f64> {
        let n = net.shape().inputs;
        let answers = net.forward_unmetered(&stack(n, (0..1 << n).map(|i| vertex(i, n))));
        answers.iter().copied().collect()
    }

    #[test]
    fn it_finds_what_enumeration_finds_with_the_same_coefficients() {
        let mut rng = Seed::new(4).stream("sums");
        for seed in 0..4 {
            // Characters of a compiled net, under a net of noise.
            let n = 10;
            let mut terms: Vec<Term> = (0..3)
                .map(|_| {
                    let set: usize = rng.random_range(0..1 << n);
                    let support = (0..n).filter(|i| set >> i & 1 == 1).collect();
                    Term { support, value: 0.5 * sign(&mut rng) }
                })
                .collect();
            terms.push(Term { support: Vec::new(), value: 0.5 });
            let net = compile::characters(&FourierSum::new(terms), n).unwrap();
            let noise = Net::random(
                &[n, 8, 1],
                Activation::Relu,
                Precision::F64,
                &mut Seed::new(seed).stream("noise"),
            );
            let (mut layers, noise) = (net.layers().to_vec(), noise.unwrap().layers().to_vec());
            let beside = |a: &ndarray::Array2<f64>, b: &ndarray::Array2<f64>, axis| {
                ndarray::concatenate(ndarray::Axis(axis), &[a.view(), b.view()]).unwrap()
            };
            layers[0].weight = beside(&layers[0].weight, &noise[0].weight, 0);
            layers[1].weight = beside(&layers[1].weight, &(&noise[1].weight * 0.02), 1);
            layers[0].bias = ndarray::concatenate(
                ndarray::Axis(0),
                &[layers[0].bias.view(), noise[0].bias.view()],
            )
            .unwrap();
            let net = Net::new(layers, Precision::F64).unwrap();
            let search = ExactTree { tau: 0.5, bound: 2.0, samples: 400, grid: 0.01 };
            let found = search.run(&net, &free(), &mut rng, &|_| true).unwrap().unwrap();
            let want = spectrum(values(&net), 0.375);
            let found = FourierSum::new(found);
            assert_eq!(found.supports(), want.supports());
            for (a, b) in found.terms().iter().zip(want.terms()) {
                assert!((a.value - b.value).abs() < 0.01, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn its_variance_is_below_that_of_pairs_at_every_level_and_nothing_at_the_last() {
        // Both variances exactly, by going through all z and all (u, u').
        let n = 6;
        let mut rng = Seed::new(3).stream("net");
        let net = Net::random(&[n, 9, 1], Activation::Tanh, Precision::F64, &mut rng).unwrap();
        let f = values(&net);
        let set = 0b1101_usize;
        let chi = |u: usize| if (u & set).count_ones() % 2 == 1 { -1.0 } else { 1.0 };
        for level in 1..=n {
            let (low, high) = (1_usize << level, 1_usize << (n - level));
            let mask = set & (low - 1);
            let (mut exact, mut pairs) = (Vec::new(), Vec::new());
            for z in 0..high {
                let at = |u: usize| f[u | z << level] * chi(u & mask);
                let mean = (0..low).map(at).sum::<f64>() / low as f64;
                exact.push(mean * mean);
                for u in 0..low {
                    (0..low).for_each(|other| pairs.push(at(u) * at(other)));
                }
            }
            let moments = |values: &[f64]| {
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64)
            };
            let ((a, of_exact), (b, of_pairs)) = (moments(&exact), moments(&pairs));
            assert!((a - b).abs() < 1e-12, "both are unbiased");
            assert!(of_exact <= of_pairs + 1e-15, "{level}: {of_exact} > {of_pairs}");
            assert!(level < n || of_exact < 1e-30 && of_pairs > 1e-6);
        }
        // And the programme computes that inner expectation.
        let programme = Coefficients::of(&net, 1e-4, &free()).unwrap();
        let mut bucket = programme.start();
        for i in 0..3 {
            bucket = programme.extend(&bucket, i, set >> i & 1 == 1, &free()).unwrap();
        }
        let x = vertex(0b10_1000, n);
        let weight = &net.layers()[0].weight;
        let others: Vec<f64> =
            weight.rows().into_iter().map(|w| (3..n).map(|i| w[i] * x[i]).sum()).collect();
        let want = (0..8_usize).map(|u| f[u | 0b10_1000] * chi(u & 0b101)).sum::<f64>() / 8.0;
        let got = programme.within(&bucket, &others, &free()).unwrap();
        assert!((got - want).abs() <= programme.error(), "{got} {want}");
    }

    #[test]
    fn the_charge_is_the_hand_count_and_a_no_ends_it() {
        let net = compile::parity(&[0, 1], 2).unwrap();
        let search = ExactTree { tau: 1.0, bound: 1.0, samples: 3, grid: 1.0 };
        let (ledger, mut rng) = (free(), Seed::new(1).stream("z"));
        let found = search.run(&net, &ledger, &mut rng, &|_| true).unwrap().unwrap();
        assert_eq!(found, [Term { support: vec![0, 1], value: 1.0 }]);
        // Two units of weights (1, 1). Rounding and sorting: 4 · 4 + 2 · 2. Level 1: two prefixes of two laws of two cells at two
        // operations each, 16; three samples of 2 · 2 products for the other coordinate and two prefixes of 2 (5 · 2 + 3) + 2. Both may be
        // heavy: the one with coordinate 0 is, with weight 1, the other has weight 0. Level 2: 2 · 2 · 3 · 2 = 24, one sample of 2 (2 (5 · 3 + 3) + 2).
        assert_eq!(ledger.spent().flops, 20 + 16 + 3 * (4 + 2 * 28) + 24 + 2 * 38);
        assert_eq!(search.run(&net, &ledger, &mut rng, &|_| false).unwrap(), None);
        // 32 ln(12.8 · 2/0.01) = 251.1….
        assert!((search.proven_samples(2, 0.01) - 252.0).abs() < 0.5);
    }
}
