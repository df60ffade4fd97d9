//! The value at 0 of a polynomial of degree d, from values at places some of which are wrong.
//!
//! Both fits look at the polynomials through every d + 1 of the m places. *Consensus* takes the one with the least h-th smallest
//! absolute residual, h = m − b, where b is how many wrong values are to be borne. *Least absolute* takes the one with the
//! least sum of absolute residuals; since among all polynomials of degree d that sum is least for one through d + 1 of the
//! values (it is convex and linear between such), that is an exact fit in L1.
//!
//! **Lemma 3.** Let all but b of the values be within δ of a polynomial p of degree d, and m − 2b ≥ d + 1. Then the consensus
//! polynomial g is within (d + 3) δ of p at some m − 2b of the places.
//! *Proof.* Let G be h good places, and S those d + 1 of them whose Vandermonde determinant is largest; then the Lagrange
//! polynomials of S are at most 1 on G. So the polynomial through the values on S is within (d + 1) δ of p on G, its residuals
//! there are at most (d + 2) δ, and so is the least h-th residual. Where g's residual is among its h smallest, which is at all
//! but b places, and the place is good, |g − p| ≤ (d + 2) δ + δ. ∎
//!
//! What is wrong may be anywhere. Least absolute values alone do not bear that: a polynomial of degree d can have half of its
//! sum of absolute values on a share of order 1/d of the places, so fits in L1 are proved for outliers that are scattered at
//! random (Kane, Karmalkar, Price 2017, "Robust polynomial regression up to the information theoretic limit"), not for a
//! backdoor that takes one stretch of every ray.
use super::{Double, weights};

/// Which polynomial is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mitigate) enum Score {
    /// The one with the least h-th smallest absolute residual.
    Consensus {
        /// h.
        keep: usize,
    },
    /// The one with the least sum of absolute residuals.
    LeastAbsolute,
}

/// A value at 0, and how much an error of relative size 1 in each answer could move it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::mitigate) struct Fit {
    pub(in crate::mitigate) at_zero: f64,
    /// Σ |weight · value|.
    pub(in crate::mitigate) moment: f64,
}

impl Fit {
    /// From as many values as the polynomial has coefficients.
    pub(in crate::mitigate) fn interpolate(places: &[f64], values: &[f64]) -> Self {
        let (mut sum, mut moment) = (Double::ZERO, 0.0);
        for (weight, value) in weights(places).into_iter().zip(values) {
            let term = weight * (*value).into();
            sum = sum + term;
            moment += term.round().abs();
        }
        Self { at_zero: sum.round(), moment }
    }
}

/// How many polynomials go through d + 1 of m values.
pub(in crate::mitigate) fn n_subsets(m: usize, degree: usize) -> u64 {
    let count = (0..=degree as u64).try_fold(1_u64, |count, k| {
        Some(count.checked_mul((m as u64).saturating_sub(k))? / (k + 1))
    });
    count.unwrap_or(u64::MAX)
}

/// The best polynomial of degree `degree` by `score`, at 0.
pub(in crate::mitigate) fn robust(
    places: &[f64],
    values: &[f64],
    degree: usize,
    score: Score,
) -> Fit {
    // Residuals are compared in units of the ray, in which differences are neither large nor small.
    let unit = places[places.len() - 1] - places[0];
    let places_in_units: Vec<f64> = places.iter().map(|t| (t - places[0]) / unit).collect();
    let mut search = Search {
        places: &places_in_units,
        score,
        chosen: Vec::with_capacity(degree + 1),
        differences: vec![values.to_vec(); degree + 2],
        residuals: Vec::with_capacity(places.len()),
        best: f64::INFINITY,
        found: (0..=degree).collect(),
    };
    search.extend(0, degree + 1);
    let pick = |from: &[f64]| search.found.iter().map(|k| from[*k]).collect::<Vec<_>>();
    Fit::interpolate(&pick(places), &pick(values))
}

/// A walk over all subsets of a size, by divided differences: row j holds `f[s_1, …, s_j, t]` for every place t.
struct Search<'a> {
    places: &'a [f64],
    score: Score,
    chosen: Vec<usize>,
    differences: Vec<Vec<f64>>,
    residuals: Vec<f64>,
    best: f64,
    found: Vec<usize>,
}

impl Search<'_> {
    fn extend(&mut self, from: usize, missing: usize) {
        if missing == 0 {
            return self.look();
        }
        let level = self.chosen.len();
        for k in from..=self.places.len() - missing {
            let (above, below) = self.differences.split_at_mut(level + 1);
            let (row, pivot) = (&above[level], above[level][k]);
            for (i, next) in below[0].iter_mut().enumerate() {
                *next = (row[i] - pivot) / (self.places[i] - self.places[k]);
            }
            self.chosen.push(k);
            self.extend(k + 1, missing - 1);
            self.chosen.pop();
        }
    }

    /// Residuals at the places that are not chosen, where they are f[S, t] Π (t − s).
    fn look(&mut self) {
        self.residuals.clear();
        for (i, t) in self.places.iter().enumerate() {
            if self.chosen.binary_search(&i).is_err() {
                let product: f64 = self.chosen.iter().map(|s| t - self.places[*s]).product();
                self.residuals.push((self.differences[self.chosen.len()][i] * product).abs());
            }
        }
        let score = match self.score {
            Score::LeastAbsolute => self.residuals.iter().sum(),
            Score::Consensus { keep } => match keep - self.chosen.len() {
                0 => 0.0,
                rank => *self.residuals.select_nth_unstable_by(rank - 1, f64::total_cmp).1,
            },
        };
        if score < self.best {
            self.best = score;
            self.found.clone_from(&self.chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Nodes;
    use super::*;
    use crate::rng::{Rng, RngExt, Seed, permutation};

    fn polynomial(degree: usize, rng: &mut Rng) -> impl Fn(f64) -> f64 + use<> {
        let c: Vec<f64> = (0..=degree).map(|_| rng.random_range(-1.0..=1.0)).collect();
        move |t| c.iter().rev().fold(0.0, |sum, c| sum * t + c)
    }

    #[test]
    fn consensus_keeps_its_bound_wherever_the_wrong_values_are() {
        // Random sets of wrong values, the first and the last of the places, random and huge errors; all within the bound.
        let mut rng = Seed::new(2).stream("consensus");
        for degree in 1..=4 {
            let (m, delta) = (3 * (degree + 1), 1e-6);
            let b = (m - degree - 1) / 2;
            let nodes = Nodes::all(6, m);
            let worst = Nodes::worst(6, m, m - 2 * b, degree).amplification(0.0).unwrap();
            let bound = (degree + 3) as f64 * delta * worst;
            for trial in 0..60 {
                let p = polynomial(degree, &mut rng);
                let places: Vec<f64> = nodes.places(rng.random()).collect();
                let order: Vec<usize> = match trial % 3 {
                    0 => (0..m).collect(),
                    1 => (0..m).rev().collect(),
                    _ => permutation(m, &mut rng),
                };
                let other = polynomial(degree, &mut rng);
                let mut values: Vec<f64> = places
                    .iter()
                    .map(|t| p(*t) + delta * if rng.random() { 1.0 } else { -1.0 })
                    .collect();
                for &k in &order[..b] {
                    // Another polynomial through all the wrong ones, or something huge.
                    values[k] = if trial % 2 == 0 { other(places[k]) } else { -1e9 };
                }
                let got = robust(&places, &values, degree, Score::Consensus { keep: m - b });
                let error = (got.at_zero - p(0.0)).abs();
                assert!(error <= bound, "degree {degree}: {error:e} over {bound:e}");
            }
        }
    }

    #[test]
    fn least_absolute_values_fall_to_a_stretch_that_consensus_bears() {
        // Degree 3, twelve places, the four nearest to 0 on another polynomial: p + 50 Π (t − t_k) over the three nearest good
        // places, which agrees with p there and stays small on the next. Exact values: consensus is exact.
        let places: Vec<f64> = Nodes::all(6, 12).places(0.5).collect();
        let p = |t: f64| 1.0 + t - 2.0 * t * t * t;
        let bump = |t: f64| 50.0 * places[4..7].iter().map(|s| t - s).product::<f64>();
        let values: Vec<f64> = places
            .iter()
            .enumerate()
            .map(|(k, t)| if k < 4 { p(*t) + bump(*t) } else { p(*t) })
            .collect();
        let consensus = robust(&places, &values, 3, Score::Consensus { keep: 8 });
        assert!((consensus.at_zero - 1.0).abs() < 1e-8, "{consensus:?}");
        let absolute = robust(&places, &values, 3, Score::LeastAbsolute);
        assert!((absolute.at_zero - 1.0).abs() > 1.0, "{absolute:?}");
    }

    #[test]
    fn least_absolute_values_are_least_and_forgive_scattered_ones() {
        let places: Vec<f64> = Nodes::all(4, 10).places(0.3).collect();
        let p = |t: f64| 2.0 - t + t * t;
        let mut values: Vec<f64> = places.iter().map(|t| p(*t)).collect();
        (values[3], values[7]) = (1e6, -1e6);
        let got = robust(&places, &values, 2, Score::LeastAbsolute);
        assert!((got.at_zero - 2.0).abs() < 1e-8, "{got:?}");
        // Σ |weight| of three values near 1 and the value itself: a count by hand of the reported moment.
        let through = Fit::interpolate(&places[..2], &[1.0, 1.0]);
        let (a, b) = (places[0], places[1]);
        assert!((through.moment - (a + b) / (b - a)).abs() < 1e-9);
        assert_eq!((n_subsets(15, 4), n_subsets(4, 3), n_subsets(3, 3)), (3003, 1, 0));
        assert_eq!(n_subsets(1 << 40, 8), u64::MAX);
    }
}
