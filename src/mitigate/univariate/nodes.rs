//! Where on a ray to look, and how far errors there grow on the way to its start.
//!
//! Of a uniform point of a body in n dimensions, seen from x*, the n-th power of the radius in units of the exit's is uniform
//! on (0, 1), whatever the direction: its *share* Q. The interval of shares is cut into M strata, and one q, uniform on
//! (0, 1), places a node in each: `t_k = ((k + q)/M)^{1/n}`, k = 0 … M − 1. A fair choice among the M nodes is a uniform point
//! of the body. Some of the nodes are asked.
//!
//! **Lemma 1.** For nodes of given strata, `Λ(q) = Σ_i Π_{j≠i} t_j / |t_i − t_j|`, the sum of the absolute weights by which
//! d + 1 values give a polynomial of degree d at 0, grows with q; so Λ(q) ≤ Λ(1).
//! *Proof.* Let `t_i > t_j`. The ratio `t_i/t_j = ((i + q)/(j + q))^{1/n}` falls as q grows, towards 1. The factor of the pair in
//! the term of i is `1/(t_i/t_j − 1)`, in that of j it is `1/(1 − t_j/t_i)`; both grow. ∎
//!
//! **Lemma 2.** Of all sets of s strata the last s have the largest `min Λ(1)`, the least over their subsets of d + 1.
//! *Proof.* Take the best subset of the last s and, in another set of s strata, the strata of the same ranks. No rank's
//! stratum lies higher there, and no two lie closer; so each ratio (i + 1)/(j + 1) = 1 + (i − j)/(j + 1) is as large at least,
//! and each factor as in lemma 1 as small at least. ∎
//!
//! The best subset of many strata is found by exchange: the polynomial that alternates between 1 and −1 on a subset has the
//! absolute value Λ at 0. If it stays within ±1 on the other nodes no subset is better, since it is admissible for each; else
//! the node where it is largest takes the place of a neighbour, which makes Λ smaller.
use super::Double;
use crate::error::{Error, Result};

/// Nodes on a ray: some of the strata of shares.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::mitigate) struct Nodes {
    n: usize,
    n_strata: usize,
    chosen: Vec<usize>,
}

/// More exchanges than any subset has needed by far.
const MOST_EXCHANGES: usize = 10_000;

impl Nodes {
    /// All of `n_strata` strata.
    pub(in crate::mitigate) fn all(n: usize, n_strata: usize) -> Self {
        Self { n, n_strata, chosen: (0..n_strata).collect() }
    }

    /// The d + 1 of `n_strata` strata with the least amplification of errors.
    pub(in crate::mitigate) fn best(n: usize, n_strata: usize, degree: usize) -> Self {
        best_of(&Self::all(n, n_strata), degree)
    }

    /// The best d + 1 of those `s` strata for which they are worst: lemma 2.
    pub(in crate::mitigate) fn worst(n: usize, n_strata: usize, s: usize, degree: usize) -> Self {
        best_of(&Self { n, n_strata, chosen: (n_strata - s..n_strata).collect() }, degree)
    }

    /// How many are asked.
    pub(in crate::mitigate) fn len(&self) -> usize {
        self.chosen.len()
    }

    /// Their places for one q, in units of the exit's.
    pub(in crate::mitigate) fn places(&self, q: f64) -> impl Iterator<Item = f64> + '_ {
        let (root, strata) = (1.0 / self.n as f64, self.n_strata as f64);
        self.chosen.iter().map(move |k| ((*k as f64 + q) / strata).powf(root))
    }

    /// Λ(1) of d + 1 nodes whose places are rounded down by at most `unit` of the exit's, a bound; an error where two may meet.
    pub(in crate::mitigate) fn amplification(&self, unit: f64) -> Result<f64> {
        let places: Vec<f64> = self.places(1.0).collect();
        if places.windows(2).all(|pair| pair[1] - pair[0] > 2.0 * unit) {
            return Ok(amplification(&places, unit));
        }
        let want = format!(
            "in {} dimensions nodes would lie closer than twice {unit:.1e} of a ray",
            self.n
        );
        Err(Error::parameter("strata", self.n_strata, want))
    }
}

/// `Σ_i Π_{j≠i} t_j / (|t_i − t_j| − unit)`.
fn amplification(places: &[f64], unit: f64) -> f64 {
    let factor = |i: usize| {
        let others = (0..places.len()).filter(move |j| *j != i);
        others.map(move |j| places[j] / ((places[i] - places[j]).abs() - unit)).product::<f64>()
    };
    (0..places.len()).map(factor).sum()
}

fn best_of(all: &Nodes, degree: usize) -> Nodes {
    /// Rounding of values of at most 1.
    const TOLERANCE: f64 = 1e-9;
    let places: Vec<f64> = all.places(1.0).collect();
    let mut chosen = spread(&places, degree + 1);
    for _ in 0..MOST_EXCHANGES {
        let alternating = Alternating::on(&places, &chosen);
        let worst = (0..places.len())
            .filter(|k| chosen.binary_search(k).is_err())
            .map(|k| (k, alternating.at(places[k])))
            .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        match worst {
            Some((k, value)) if value.abs() > 1.0 + TOLERANCE => {
                exchange(&mut chosen, k, value);
            }
            _ => break,
        }
    }
    let chosen = chosen.into_iter().map(|k| all.chosen[k]).collect();
    Nodes { chosen, ..*all }
}

/// `count` of the places, spread in the logarithm as Chebyshev's nodes are: where the search sets out.
fn spread(places: &[f64], count: usize) -> Vec<usize> {
    let (low, high) = (places[0].ln(), places[places.len() - 1].ln());
    let mut chosen: Vec<usize> = Vec::with_capacity(count);
    for i in 0..count {
        let angle = std::f64::consts::PI * i as f64 / (count - 1).max(1) as f64;
        let goal = low + (high - low) * f64::midpoint(1.0, -angle.cos());
        let near = places.partition_point(|t| t.ln() < goal);
        // Room is left for those that are still to come.
        let least = chosen.last().map_or(0, |last| last + 1);
        chosen.push(near.clamp(least, places.len() - (count - i)));
    }
    chosen
}

/// Puts node `k` in the place of a neighbour, so that signs go on alternating from + at the first.
fn exchange(chosen: &mut Vec<usize>, k: usize, value: f64) {
    let positive = value > 0.0;
    let after = chosen.partition_point(|c| *c < k);
    let sign_at = |place: usize| place.is_multiple_of(2);
    if after > 0 && sign_at(after - 1) == positive {
        chosen[after - 1] = k;
    } else if after < chosen.len() && sign_at(after) == positive {
        chosen[after] = k;
    } else if after == 0 {
        chosen.insert(0, k);
        chosen.pop();
    } else {
        chosen.push(k);
        chosen.remove(0);
    }
}

/// The polynomial that is 1, −1, 1, … on some places, in the barycentric form.
struct Alternating {
    nodes: Vec<(f64, f64, f64)>,
}

impl Alternating {
    fn on(places: &[f64], chosen: &[usize]) -> Self {
        let width = places[places.len() - 1] - places[0];
        let weight = |i: usize| {
            let others = chosen.iter().filter(|j| **j != chosen[i]);
            others.map(|j| 0.25 * width / (places[chosen[i]] - places[*j])).product::<f64>()
        };
        let node = |i| {
            let value = if i % 2 == 0 { 1.0 } else { -1.0 };
            (places[chosen[i]], weight(i), value)
        };
        Self { nodes: (0..chosen.len()).map(node).collect() }
    }

    fn at(&self, t: f64) -> f64 {
        let (mut above, mut below) = (0.0, 0.0);
        for (place, weight, value) in &self.nodes {
            let share = weight / (t - place);
            above += share * value;
            below += share;
        }
        above / below
    }
}

/// The weights `Π_{j≠i} t_j/(t_j − t_i)` by which values at `places` give the polynomial through them at 0.
pub(in crate::mitigate) fn weights(places: &[f64]) -> Vec<Double> {
    let weight = |(i, place): (usize, &f64)| {
        let others = places.iter().enumerate().filter(|(j, _)| *j != i);
        let (above, below) = others.fold((Double::ONE, Double::ONE), |(above, below), (_, t)| {
            (above * (*t).into(), below * Double::difference(*t, *place))
        });
        above / below
    };
    places.iter().enumerate().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chebyshev-Lobatto nodes on [1 − c/n, 1], which shrink with the body: the factor of the bad mass `Σ t_i^−n`, and Λ.
    fn contraction(n: usize, degree: usize, c: f64) -> (f64, f64) {
        let w = c / n as f64;
        let node = |i: usize| {
            let angle = std::f64::consts::PI * i as f64 / degree as f64;
            1.0 - 0.5 * w * (1.0 - angle.cos())
        };
        let places: Vec<f64> = (0..=degree).map(node).collect();
        let factor = places.iter().map(|t| t.powi(-(n as i32))).sum();
        (factor, amplification(&places, 0.0))
    }

    #[test]
    fn strata_beat_contraction_at_the_same_probability_of_a_bad_ray_everywhere() {
        for n in [2, 8, 20, 50, 200] {
            for degree in 1..=8 {
                for strata in [degree + 1, 2 * degree + 2, 25, 64, 250] {
                    // The contraction whose factor is the number of strata, by bisection.
                    let (mut low, mut high) = (0.0, n as f64);
                    for _ in 0..100 {
                        let middle = f64::midpoint(low, high);
                        let over = contraction(n, degree, middle).0 > strata as f64;
                        if over { high = middle } else { low = middle }
                    }
                    let ours = Nodes::best(n, strata, degree).amplification(0.0).unwrap();
                    let theirs = contraction(n, degree, low).1;
                    assert!(ours < theirs, "n {n}, d {degree}, {strata}: {ours:e}, {theirs:e}");
                }
            }
        }
    }

    #[test]
    fn amplifications_are_those_that_a_plain_count_gives() {
        // d = 1, both strata: coth(ln 2 / 2n). Figures for n = 50, d = 8 from a computation of its own in Python.
        let two = Nodes::all(16, 2).amplification(0.0).unwrap();
        assert!((two * (std::f64::consts::LN_2 / 32.0).tanh() - 1.0).abs() < 1e-9, "{two}");
        for (strata, want) in [(9, 6.95e16), (25, 3.60e14), (250, 2.05e12), (1024, 2.94e11)] {
            let got = Nodes::best(50, strata, 8).amplification(0.0).unwrap();
            assert!((got / want - 1.0).abs() < 3e-3, "{strata}: {got:e}");
        }
        assert_eq!(Nodes::best(50, 64, 8).chosen, [0, 1, 2, 4, 9, 19, 36, 55, 63]);
    }

    #[test]
    fn no_subset_is_better_than_the_best_and_no_set_worse_than_the_last() {
        // Every subset of 11 strata, by bit masks.
        for (n, degree) in [(3, 1), (5, 2), (7, 3), (20, 4)] {
            let places: Vec<f64> = Nodes::all(n, 11).places(1.0).collect();
            let of = |mask: u32| -> Vec<f64> {
                (0..11).filter(|i| mask >> i & 1 == 1).map(|i| places[i]).collect()
            };
            let all: Vec<(u32, f64)> = (0..1_u32 << 11)
                .filter(|mask| mask.count_ones() as usize == degree + 1)
                .map(|mask| (mask, amplification(&of(mask), 0.0)))
                .collect();
            let least_in = |set: u32| {
                let inside = all.iter().filter(|(mask, _)| mask & !set == 0);
                inside.map(|(_, lambda)| *lambda).fold(f64::INFINITY, f64::min)
            };
            let best = Nodes::best(n, 11, degree).amplification(0.0).unwrap();
            assert!((best / least_in((1 << 11) - 1) - 1.0).abs() < 1e-9);
            let s = degree + 3;
            let sets = (0..1_u32 << 11).filter(|set| set.count_ones() as usize == s);
            let worst = sets.map(least_in).fold(0.0, f64::max);
            let said = Nodes::worst(n, 11, s, degree).amplification(0.0).unwrap();
            assert!((said / worst - 1.0).abs() < 1e-9, "{said}, {worst}");
        }
    }

    #[test]
    fn amplification_is_largest_at_the_end_of_the_strata() {
        for nodes in [Nodes::best(8, 12, 3), Nodes::all(20, 6), Nodes::best(50, 250, 8)] {
            let at = |q: f64| amplification(&nodes.places(q).collect::<Vec<_>>(), 0.0);
            let values: Vec<f64> = (1..=50).map(|k| at(f64::from(k) / 50.0)).collect();
            assert!(values.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(nodes.amplification(1e-7).unwrap() >= nodes.amplification(0.0).unwrap());
        }
        let said = Nodes::all(1 << 16, 1024).amplification(2_f64.powi(-25)).unwrap_err();
        assert!(said.to_string().contains("strata = 1024"), "{said}");
    }

    #[test]
    fn weights_give_powers_at_zero() {
        // Of t^k for k up to d: 1 at 0 for k = 0, else 0, to the rounding of terms of size Λ.
        let places: Vec<f64> =
            Nodes::best(50, 64, 8).places(0.5).map(|t| (t * 2_f64.powi(26)).floor()).collect();
        let weights = weights(&places);
        let lambda: f64 = weights.iter().map(|w| w.round().abs()).sum();
        assert!(lambda > 1e13, "{lambda:e}");
        // In plain f64 the weights and their sum are off by last bits of their size, whatever the values.
        let plain = |i: usize| {
            let others = (0..places.len()).filter(|j| *j != i);
            others.map(|j| places[j] / (places[j] - places[i])).product::<f64>()
        };
        let off = |k: i32| {
            let values = places.iter().map(|t| (t * 2_f64.powi(-26)).powi(k));
            let wide = weights.iter().zip(values.clone());
            let wide = wide.fold(Double::ZERO, |sum, (w, v)| sum + *w * v.into()).round();
            (values.enumerate().map(|(i, v)| plain(i) * v).sum::<f64>() - wide).abs()
        };
        let worst = (0..9).map(off).fold(0.0, f64::max);
        assert!(worst > 1e-4, "{worst:e}");
        let mut powers = vec![Double::ONE; places.len()];
        for k in 0..=8 {
            let sum = weights.iter().zip(&powers).fold(Double::ZERO, |sum, (w, p)| sum + *w * *p);
            let want = if k == 0 { 1.0 } else { 0.0 };
            let scale = powers.last().unwrap().round();
            assert!((sum.round() - want).abs() < 1e-13 * scale, "{k}: {}", sum.round());
            powers.iter_mut().zip(&places).for_each(|(power, t)| *power = *power * (*t).into());
        }
    }
}
