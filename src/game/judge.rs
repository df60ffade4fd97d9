//! How a distinguisher comes to a verdict: a rule is learnt on one half of what was seen, and scored on the other.
use crate::stats::Proportion;

/// The way a rule is learnt from numbers with labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// The one statistic, threshold and side that tell best (largest true minus false positive rate) where it is learnt.
    Threshold,
    /// Ridge logistic regression on standardised statistics.
    Logistic,
    /// The one statistic whose values, each taken for itself, tell best: for those that repeat to the bit.
    Atoms,
    /// The one statistic whose histogram tells best, with cells of equal counts over both sides.
    Histogram,
}

/// A learnt rule.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// Planted if `sign · (x[feature] − at) > 0`.
    Threshold { feature: usize, sign: f64, at: f64 },
    /// Planted if `bias + Σ weight · clip((x − mean) / deviation) > 0`.
    Linear { mean: Vec<f64>, deviation: Vec<f64>, weight: Vec<f64>, bias: f64 },
    /// Planted if `x[feature]` is one of these, in ascending order.
    Among { feature: usize, values: Vec<f64> },
    /// Planted if the cell of `x[feature]` between these cuts says so.
    Cells { feature: usize, cuts: Vec<f64>, planted: Vec<bool> },
}

/// Standardised statistics are clipped here, so that one outlier of the other half decides no more than that.
const CLIP: f64 = 8.0;
/// Weight of the ridge, a row.
const RIDGE: f64 = 0.02;
/// Steps of gradient descent.
const N_STEPS: usize = 200;

impl Judge {
    /// Learns from rows of numbers on both sides, all of one length; neither side may be empty.
    pub(super) fn learn(self, clean: &[&[f64]], planted: &[&[f64]]) -> Rule {
        match self {
            Self::Threshold => threshold(clean, planted),
            Self::Logistic => logistic(clean, planted),
            Self::Atoms => atoms(clean, planted),
            Self::Histogram => histogram(clean, planted),
        }
    }
}

impl Rule {
    /// Whether it says "planted".
    pub(super) fn says_planted(&self, x: &[f64]) -> bool {
        match self {
            Self::Threshold { feature, sign, at } => sign * (x[*feature] - at) > 0.0,
            Self::Linear { mean, deviation, weight, bias } => {
                let z = standard(x, mean, deviation);
                bias + z.iter().zip(weight).map(|(z, w)| z * w).sum::<f64>() > 0.0
            }
            Self::Among { feature, values } => {
                values.binary_search_by(|v| v.total_cmp(&x[*feature])).is_ok()
            }
            Self::Cells { feature, cuts, planted } => planted[cell(cuts, x[*feature])],
        }
    }

    /// Its hits: planted nets that it calls so, and clean nets that it calls planted.
    pub(super) fn score(&self, clean: &[&[f64]], planted: &[&[f64]]) -> [Proportion; 2] {
        [planted, clean].map(|side| Proportion::count(side.iter().map(|x| self.says_planted(x))))
    }
}

fn standard(x: &[f64], mean: &[f64], deviation: &[f64]) -> Vec<f64> {
    let one = |((x, m), d): ((&f64, &f64), &f64)| {
        if *d > 0.0 { ((x - m) / d).clamp(-CLIP, CLIP) } else { 0.0 }
    };
    x.iter().zip(mean).zip(deviation).map(one).collect()
}

fn threshold(clean: &[&[f64]], planted: &[&[f64]]) -> Rule {
    let mut best = (0.0, Rule::Threshold { feature: 0, sign: 1.0, at: f64::INFINITY });
    for feature in 0..clean[0].len() {
        let all = sorted(clean, planted, feature);
        // Below the cut: share of planted minus share of clean.
        let mut below = 0.0_f64;
        for pair in all.windows(2) {
            below += pair[0].1;
            if pair[0].0 < pair[1].0 && below.abs() > best.0 + 1e-12 {
                let sign = if below > 0.0 { -1.0 } else { 1.0 };
                let at = f64::midpoint(pair[0].0, pair[1].0);
                best = (below.abs(), Rule::Threshold { feature, sign, at });
            }
        }
    }
    best.1
}

/// Values of one statistic on both sides in order, each with its weight: the share of its side, negative if clean.
fn sorted(clean: &[&[f64]], planted: &[&[f64]], feature: usize) -> Vec<(f64, f64)> {
    let (share_clean, share_planted) = (1.0 / clean.len() as f64, 1.0 / planted.len() as f64);
    let clean = clean.iter().map(|x| (x[feature], -share_clean));
    let mut all: Vec<(f64, f64)> =
        clean.chain(planted.iter().map(|x| (x[feature], share_planted))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}

fn atoms(clean: &[&[f64]], planted: &[&[f64]]) -> Rule {
    let mut best = (0.0, Rule::Among { feature: 0, values: Vec::new() });
    for feature in 0..clean[0].len() {
        let all = sorted(clean, planted, feature);
        let (mut gain, mut values) = (0.0, Vec::new());
        for atom in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
            let more: f64 = atom.iter().map(|(_, share)| share).sum();
            // What was seen once may never come again.
            if more > 1e-12 && atom.len() > 1 {
                gain += more;
                values.push(atom[0].0);
            }
        }
        if gain > best.0 + 1e-12 {
            best = (gain, Rule::Among { feature, values });
        }
    }
    best.1
}

/// The cell between ascending cuts that a value falls into.
fn cell(cuts: &[f64], value: f64) -> usize {
    cuts.partition_point(|cut| *cut <= value)
}

fn histogram(clean: &[&[f64]], planted: &[&[f64]]) -> Rule {
    // The error of each cell grows with their number, what they miss shrinks: both are alike at the cube root.
    let n_cells = ((clean.len() + planted.len()) as f64).cbrt().ceil() as usize;
    let mut best = (0.0, Rule::Cells { feature: 0, cuts: Vec::new(), planted: vec![false] });
    for feature in 0..clean[0].len() {
        let all = sorted(clean, planted, feature);
        let mut cuts: Vec<f64> = (1..n_cells).map(|k| all[k * all.len() / n_cells].0).collect();
        cuts.dedup_by(|a, b| a.total_cmp(b).is_eq());
        let mut more = vec![0.0; cuts.len() + 1];
        all.iter().for_each(|(value, share)| more[cell(&cuts, *value)] += share);
        let gain: f64 = more.iter().filter(|more| **more > 0.0).sum();
        if gain > best.0 + 1e-12 {
            let planted = more.iter().map(|more| *more > 1e-12).collect();
            best = (gain, Rule::Cells { feature, cuts, planted });
        }
    }
    best.1
}

fn logistic(clean: &[&[f64]], planted: &[&[f64]]) -> Rule {
    let n = (clean.len() + planted.len()) as f64;
    let width = clean[0].len();
    let rows = || clean.iter().chain(planted).copied();
    let mut mean = vec![0.0; width];
    for x in rows() {
        mean.iter_mut().zip(x).for_each(|(m, x)| *m += x / n);
    }
    let mut deviation = vec![0.0; width];
    for x in rows() {
        deviation.iter_mut().zip(x).zip(&mean).for_each(|((d, x), m)| *d += (x - m).powi(2) / n);
    }
    for (d, m) in deviation.iter_mut().zip(&mean) {
        // What differs by rounding alone says nothing.
        *d = if d.sqrt() > 1e-9 * m.abs() { d.sqrt() } else { 0.0 };
    }
    let labelled = |side: &[&[f64]], label: f64| -> Vec<(Vec<f64>, f64)> {
        side.iter().map(|x| (standard(x, &mean, &deviation), label)).collect()
    };
    let mut all = labelled(clean, 0.0);
    all.extend(labelled(planted, 1.0));
    // Half of each side weighs the same, whatever their sizes.
    let weigh = |label: f64| 0.5 / if label > 0.5 { planted.len() } else { clean.len() } as f64;
    // The Hessian is at most a quarter of the weighted sum of squared lengths, plus the ridge.
    let lengths: f64 =
        all.iter().map(|(z, y)| weigh(*y) * (1.0 + z.iter().map(|v| v * v).sum::<f64>())).sum();
    let step = 1.0 / (0.25 * lengths + RIDGE);
    let (mut weight, mut bias) = (vec![0.0; width], 0.0);
    let (mut before, mut bias_before) = (weight.clone(), bias);
    for t in 0..N_STEPS {
        // Nesterov's: the gradient is taken ahead of where the last step led.
        let ahead = t as f64 / (t as f64 + 3.0);
        let look: Vec<f64> = weight.iter().zip(&before).map(|(w, b)| w + ahead * (w - b)).collect();
        let bias_look = bias + ahead * (bias - bias_before);
        let mut gradient: Vec<f64> = look.iter().map(|w| RIDGE * w).collect();
        let mut bias_gradient = 0.0;
        for (z, y) in &all {
            let score = bias_look + z.iter().zip(&look).map(|(z, w)| z * w).sum::<f64>();
            let pull = weigh(*y) * (1.0 / (1.0 + (-score).exp()) - y);
            gradient.iter_mut().zip(z).for_each(|(g, z)| *g += pull * z);
            bias_gradient += pull;
        }
        (before, bias_before) = (weight, bias);
        weight = look.iter().zip(&gradient).map(|(w, g)| w - step * g).collect();
        bias = bias_look - step * bias_gradient;
    }
    Rule::Linear { mean, deviation, weight, bias }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, RngExt, Seed, normal};

    fn side(n: usize, shift: f64, rng: &mut Rng) -> Vec<Vec<f64>> {
        let row = |rng: &mut Rng| (0..5).map(|j| normal(rng) + shift * f64::from(j == 3)).collect();
        (0..n).map(|_| row(rng)).collect()
    }

    fn borrowed(rows: &[Vec<f64>]) -> Vec<&[f64]> {
        rows.iter().map(Vec::as_slice).collect()
    }

    #[test]
    fn a_shift_of_four_deviations_is_learnt_on_either_side() {
        for (judge, sign) in [Judge::Threshold, Judge::Logistic].into_iter().zip([1.0, -1.0]) {
            for sign in [sign, -sign] {
                let mut rng = Seed::new(3).stream("sides");
                let (clean, planted) = (side(200, 0.0, &mut rng), side(200, 4.0 * sign, &mut rng));
                let rule = judge.learn(&borrowed(&clean[..100]), &borrowed(&planted[..100]));
                let [tpr, fpr] = rule.score(&borrowed(&clean[100..]), &borrowed(&planted[100..]));
                // The best rule has Φ(2) − Φ(−2) = 0.954.
                assert!(tpr.value() - fpr.value() > 0.85, "{judge:?} {sign}: {tpr:?} {fpr:?}");
            }
        }
    }

    #[test]
    fn what_no_threshold_tells_atoms_and_histograms_do() {
        // Clean in the middle of [0, 3), planted at both ends: two cuts, or the whole numbers, tell all.
        let mut rng = Seed::new(4).stream("sides");
        let mut draw = |ends: bool| -> Vec<Vec<f64>> {
            let one = |rng: &mut Rng| {
                let u: f64 = rng.random();
                let x = if ends { u + 2.0 * f64::from(rng.random::<bool>()) } else { 1.0 + u };
                vec![7.0, x.floor(), x]
            };
            (0..400).map(|_| one(&mut rng)).collect()
        };
        let (clean, planted) = (draw(false), draw(true));
        let of = |rows: &[Vec<f64>], k: usize| -> Vec<Vec<f64>> {
            rows.iter().map(|x| vec![7.0, x[k]]).collect()
        };
        for (judge, k, least) in [(Judge::Atoms, 1, 1.0), (Judge::Histogram, 2, 0.75)] {
            let (clean, planted) = (of(&clean, k), of(&planted, k));
            let rule = judge.learn(&borrowed(&clean[..200]), &borrowed(&planted[..200]));
            let [tpr, fpr] = rule.score(&borrowed(&clean[200..]), &borrowed(&planted[200..]));
            // A histogram of 8 cells errs in the two that hold the borders at 1 and 2, 1/8 of all together at most.
            assert!(tpr.value() - fpr.value() >= least, "{judge:?}: {tpr:?} {fpr:?}");
        }
    }

    #[test]
    fn a_statistic_that_never_varies_is_never_a_reason() {
        let rows = vec![vec![1.0, 7.0]; 6];
        let rule = Judge::Threshold.learn(&borrowed(&rows), &borrowed(&rows));
        assert!(!rule.says_planted(&[1.0, 7.0]));
        let rule = Judge::Logistic.learn(&borrowed(&rows), &borrowed(&rows));
        assert!(!rule.says_planted(&[5.0, -7.0]));
        for judge in [Judge::Atoms, Judge::Histogram] {
            let rule = judge.learn(&borrowed(&rows), &borrowed(&rows));
            assert!(!rule.says_planted(&[1.0, 7.0]), "{judge:?}");
        }
    }
}
