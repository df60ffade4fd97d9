//! Least trimmed squares: the affine function whose h smallest squared residuals have the least sum.
//!
//! Rousseeuw (Journal of the American Statistical Association 79, 1984), by the algorithm FAST-LTS of Rousseeuw and Van Driessen
//! (Data Mining and Knowledge Discovery 12, 2006): from each of m random sets of p = n + 1 points, which determine an affine
//! function exactly, two *C-steps*, each of which fits the h points of least residual by least squares; the ten best go on until
//! the sum no longer falls, which a C-step never raises. Then one reweighted step (section 4 of that paper): least squares on the
//! points within 2.5 robust standard deviations. h = ⌊(N + p + 1)/2⌋, which stands ⌊(N − p)/2⌋ outliers wherever they lie.
//!
//! The minimum is what stands them; the algorithm looks for it from random starts. With a share ε of outliers a start is clean with
//! probability about (1 − ε)^p, so m starts have none that is with probability (1 − (1 − ε)^p)^m. The paper takes m = 500. Its nesting, which
//! saves work from some hundreds of points on, is not done.
//!
//! **Work** for N points, all charged before it is done. A start: 2p³/3 + 2p² for the exact fit. Residuals: 2pN, with N for their sizes and 5N for
//! the selection of h, and 2h for their sum of squares. A fit of h points: 2hp² for the products, 2p³/3 + 2p² for the elimination. So for n = 16 a C-step on 85 points
//! is some 40,000 operations: ten or twenty forward passes of a small net, and there are a thousand and more of them.
use ndarray::{Array1, Array2, ArrayView1, Axis};
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::least_squares::solve;
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::rng::{Rng, RngExt};

/// Starts of the paper.
pub(super) const MOST_STARTS: usize = 500;
/// Starts that go on beyond two C-steps, and the C-steps that one may take in all.
const N_BEST: usize = 10;
const MOST_STEPS: usize = 100;
/// Robust standard deviations beyond which a point is left out in the end.
const KEPT_WITHIN: f64 = 2.5;
/// Residuals are never told apart below this share of the largest value.
const ROUNDING: f64 = 1e-9;

/// What was found.
#[derive(Clone, Debug)]
pub(super) struct Trimmed {
    pub(super) slope: Array1<f64>,
    pub(super) intercept: f64,
    /// Points that the last step kept.
    pub(super) kept: usize,
}

/// How many starts hold a clean one except with probability `failure`, if a share `bad` of points is bad; infinite where none does.
pub(super) fn starts_needed(unknowns: usize, bad: f64, failure: f64) -> f64 {
    let clean = (1.0 - bad).powf(unknowns as f64);
    if clean >= 1.0 { 1.0 } else { (failure.ln() / (-clean).ln_1p()).ceil().max(1.0) }
}

/// The function, from values at the rows of `xs`.
///
/// # Errors
/// If there are fewer than two points more than unknowns, no set of points determines a function, or the budget does not reach.
pub(super) fn fit(
    xs: &Batch,
    values: &ArrayView1<'_, f64>,
    starts: usize,
    rng: &mut Rng,
    ledger: &Ledger,
) -> Result<Trimmed> {
    let (n_points, n) = xs.dim();
    let unknowns = n + 1;
    if n_points < unknowns + 2 {
        let want =
            format!("{unknowns} unknowns and a residual to trim need {} at least", unknowns + 2);
        return Err(Error::parameter("queries", n_points, want));
    }
    // Around their mean, where slopes and intercept do not cancel: a sum and a difference a number.
    ledger.flops((2 * n_points * n) as u64)?;
    let mean = xs.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(n));
    let rows =
        Array2::from_shape_fn(
            (n_points, unknowns),
            |(i, j)| {
                if j < n { xs[[i, j]] - mean[j] } else { 1.0 }
            },
        );
    let problem = Problem {
        rows,
        values: values.to_owned(),
        kept: usize::midpoint(n_points, unknowns + 1),
        ledger,
    };

    let mut found: Vec<(f64, Array1<f64>)> = Vec::new();
    for _ in 0..starts {
        let Some(start) = problem.start(rng)? else { continue };
        let (mut sum, mut fit) = (f64::INFINITY, start);
        for _ in 0..2 {
            let Some(step) = problem.step(&fit)? else { break };
            (sum, fit) = step;
        }
        if sum.is_finite() {
            found.push((sum, fit));
        }
    }
    // A stable sort: the first of equals is the one that came first.
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.truncate(N_BEST);
    let mut best: Option<(f64, Array1<f64>)> = None;
    for (mut sum, mut fit) in found {
        for _ in 2..MOST_STEPS {
            let Some((next, better)) = problem.step(&fit)? else { break };
            let falls = next < sum * (1.0 - ROUNDING);
            if next <= sum {
                (sum, fit) = (next, better);
            }
            if !falls {
                break;
            }
        }
        if best.as_ref().is_none_or(|(least, _)| sum < *least) {
            best = Some((sum, fit));
        }
    }
    let Some((_, fit)) = best else {
        let why = "the points lie on a plane, so slopes across it are not determined";
        return Err(Error::assumption("least trimmed squares", why));
    };
    let (fit, kept) = problem.reweighted(fit)?;
    ledger.flops(2 * n as u64)?;
    let slope = Array1::from_shape_fn(n, |j| fit[j]);
    let intercept = fit[n] - slope.dot(&mean);
    Ok(Trimmed { slope, intercept, kept })
}

struct Problem<'a> {
    /// Inputs around their mean, and a 1.
    rows: Array2<f64>,
    values: Array1<f64>,
    /// h.
    kept: usize,
    ledger: &'a Ledger,
}

impl Problem<'_> {
    fn elimination(&self) -> u64 {
        let p = self.rows.ncols() as u64;
        2 * p.pow(3) / 3 + 2 * p * p
    }

    /// The function through as many random points as it has unknowns, or `None` if they do not determine it.
    fn start(&self, rng: &mut Rng) -> Result<Option<Array1<f64>>> {
        self.ledger.flops(self.elimination())?;
        let (n_points, p) = self.rows.dim();
        // The first p places of a permutation.
        let mut order: Vec<usize> = (0..n_points).collect();
        for i in 0..p {
            let j = rng.random_range(i..n_points);
            order.swap(i, j);
        }
        let chosen = &order[..p];
        let work = Array2::from_shape_fn((p, p + 1), |(k, j)| match chosen[k] {
            i if j < p => self.rows[[i, j]],
            i => self.values[i],
        });
        Ok(eliminate(work))
    }

    /// The residuals of `fit`, and the places of the h smallest.
    fn smallest(&self, fit: &Array1<f64>) -> Result<(Array1<f64>, Vec<usize>)> {
        let (n_points, p) = self.rows.dim();
        self.ledger.flops(((2 * p + 6) * n_points) as u64)?;
        let residuals = &self.values - self.rows.dot(fit);
        let mut order: Vec<usize> = (0..n_points).collect();
        let size =
            |i: &usize| if residuals[*i].is_finite() { residuals[*i].abs() } else { f64::INFINITY };
        order.select_nth_unstable_by(self.kept - 1, |i, j| {
            size(i).total_cmp(&size(j)).then(i.cmp(j))
        });
        order.truncate(self.kept);
        order.sort_unstable();
        Ok((residuals, order))
    }

    /// A C-step: least squares on the h points that `fit` comes nearest to, with the sum of their squared residuals under the new one, which a
    /// further step never raises.
    fn step(&self, fit: &Array1<f64>) -> Result<Option<(f64, Array1<f64>)>> {
        let (_, nearest) = self.smallest(fit)?;
        let Some(better) = self.least_squares(&nearest)? else { return Ok(None) };
        // The sum under the new fit over the points that it was fitted to.
        let (rows, values) =
            (self.rows.select(Axis(0), &nearest), self.values.select(Axis(0), &nearest));
        self.ledger.flops((2 * (self.rows.ncols() + 1) * nearest.len()) as u64)?;
        let left = values - rows.dot(&better);
        Ok(Some((left.dot(&left), better)))
    }

    fn least_squares(&self, chosen: &[usize]) -> Result<Option<Array1<f64>>> {
        let p = self.rows.ncols() as u64;
        self.ledger.flops(2 * p * p * chosen.len() as u64 + self.elimination())?;
        let rows = self.rows.select(Axis(0), chosen);
        let values = self.values.select(Axis(0), chosen).insert_axis(Axis(1));
        if values.iter().any(|v| !v.is_finite()) {
            return Ok(None);
        }
        let solved = solve(&rows.t().dot(&rows), &rows.t().dot(&values));
        Ok(solved
            .map(|fit| fit.column(0).to_owned())
            .filter(|fit| fit.iter().all(|x| x.is_finite())))
    }

    /// Least squares on all points near the raw fit, by a standard deviation from the h smallest residuals that is right for normal
    /// ones (Croux, Haesbroeck 1992).
    fn reweighted(&self, raw: Array1<f64>) -> Result<(Array1<f64>, usize)> {
        let (residuals, nearest) = self.smallest(&raw)?;
        let (h, n) = (self.kept as f64, residuals.len() as f64);
        self.ledger.flops((2 * nearest.len() + residuals.len()) as u64)?;
        let sum: f64 = nearest.iter().map(|i| residuals[*i] * residuals[*i]).sum();
        let normal = Normal::standard();
        let quantile = normal.inverse_cdf(0.5 * (1.0 + h / n));
        let consistency = (1.0 - 2.0 * n / h * quantile * normal.pdf(quantile)).sqrt().recip();
        let largest = nearest.iter().map(|i| self.values[*i].abs()).fold(0.0, f64::max);
        let deviation = consistency * (sum / h).sqrt();
        let limit = (KEPT_WITHIN * deviation).max(ROUNDING * (1.0 + largest));
        let near: Vec<usize> =
            (0..residuals.len()).filter(|i| residuals[*i].abs() <= limit).collect();
        let kept = near.len();
        Ok((self.least_squares(&near)?.unwrap_or(raw), kept))
    }
}

/// The solution of a system with its right side as last column, by elimination with row exchanges; `None` if it is singular.
fn eliminate(mut work: Array2<f64>) -> Option<Array1<f64>> {
    let p = work.nrows();
    let largest = work.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    for k in 0..p {
        let pivot = (k..p).max_by(|&i, &j| work[[i, k]].abs().total_cmp(&work[[j, k]].abs()))?;
        if work[[pivot, k]].is_nan() || work[[pivot, k]].abs() <= 1e-12 * largest {
            return None;
        }
        for j in k..=p {
            work.swap([pivot, j], [k, j]);
        }
        for i in k + 1..p {
            let factor = work[[i, k]] / work[[k, k]];
            for j in k..=p {
                work[[i, j]] -= factor * work[[k, j]];
            }
        }
    }
    let mut x = Array1::zeros(p);
    for k in (0..p).rev() {
        let known: f64 = (k + 1..p).map(|j| work[[k, j]] * x[j]).sum();
        x[k] = (work[[k, p]] - known) / work[[k, k]];
    }
    x.iter().all(|x: &f64| x.is_finite()).then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Seed, normal};

    #[test]
    fn an_affine_function_is_found_exactly_through_as_many_outliers_as_the_minimum_stands() {
        // 40 points, 5 unknowns: h = 23, and 17 outliers on a steep function of their own are left out.
        let mut rng = Seed::new(1).stream("points");
        let xs = Batch::from_shape_simple_fn((40, 4), || normal(&mut rng));
        let slope = Array1::from(vec![1.0, -2.0, 0.5, 3.0]);
        let mut values = xs.dot(&slope) + 0.7;
        for i in 0..17 {
            values[i] = 1e3 * xs[[i, 0]] + 50.0;
        }
        let ledger = crate::ledger::Ledger::new(crate::ledger::Budget::UNLIMITED);
        // A clean start has probability about (23/40)^5 > 0.05: of 500 none is with probability below 1e-11.
        let found = fit(&xs, &values.view(), 500, &mut rng, &ledger).unwrap();
        assert!((&found.slope - &slope).iter().all(|d| d.abs() < 1e-9), "{found:?}");
        assert!((found.intercept - 0.7).abs() < 1e-9 && found.kept == 23, "{found:?}");
    }

    #[test]
    fn the_work_of_one_start_is_the_hand_count() {
        // Exact values: every start is the function itself, so two C-steps, one more that does not help, and the last step.
        let mut rng = Seed::new(2).stream("points");
        let xs = Batch::from_shape_simple_fn((9, 2), || normal(&mut rng));
        let values = xs.dot(&Array1::from(vec![1.0, 1.0]));
        let ledger = crate::ledger::Ledger::new(crate::ledger::Budget::UNLIMITED);
        let found = fit(&xs, &values.view(), 1, &mut rng, &ledger).unwrap();
        assert_eq!(found.kept, 9);
        // p = 3, N = 9, h = 6. Mean: 36. Elimination: 18 + 18 = 36. Residuals: (6 + 6) 9 = 108. Fit of h: 2·9·6 + 36 = 144; its sum 2·4·6 = 48.
        let step = 108 + 144 + 48;
        let last = 108 + (12 + 9) + (2 * 9 * 9 + 36) + 4;
        assert_eq!(ledger.spent().flops, 36 + 36 + 3 * step + last);
    }

    #[test]
    fn starts_follow_from_the_share_of_bad_points() {
        // (1/2)^1 clean: 10 starts fail with 2^-10 < 1e-3.
        assert!((starts_needed(1, 0.5, 1e-3) - 10.0).abs() < 1e-12);
        assert!((starts_needed(17, 0.0, 1e-3) - 1.0).abs() < 1e-12);
        assert!(starts_needed(65, 0.1, 1e-3) > 6000.0);
    }

    #[test]
    fn too_few_points_and_points_on_a_plane_are_refused() {
        let mut rng = Seed::new(3).stream("points");
        let ledger = crate::ledger::Ledger::new(crate::ledger::Budget::UNLIMITED);
        let few = Batch::zeros((4, 2));
        let said =
            fit(&few, &Array1::zeros(4).view(), 5, &mut rng, &ledger).unwrap_err().to_string();
        assert!(said.contains("queries = 4") && said.contains("need 5"), "{said}");
        let flat = Batch::zeros((9, 2));
        let said = fit(&flat, &Array1::zeros(9).view(), 5, &mut rng, &ledger).unwrap_err();
        assert!(said.to_string().contains("on a plane"), "{said}");
    }
}
