//! Sparse regression, chosen by cross-validation on the clean samples: trusted learners of truths with few terms.
//!
//! *Matching pursuit*: orthogonal matching pursuit of Pati, Rezaiifar and Krishnaprasad (Asilomar 1993), for several
//! outputs at once as of Tropp, Gilbert and Strauss (Signal Processing 2006): take the product most correlated with what is
//! left, refit all taken by least squares, go on. How many to take: the fewest whose error in five-fold cross-validation is
//! within one standard error of the least (Breiman et al. 1984, section 3.4.3).
//!
//! *Lasso* (Tibshirani, J. Royal Statistical Society B 1996) by coordinate descent (Friedman, Hastie, Tibshirani, J.
//! Statistical Software 2010): least squares plus λ Σ |β| over standardised products, for twenty λ from the least that
//! leaves nothing down to a hundredth of it. The λ with the least error in five-fold cross-validation is taken.
//!
//! Nothing but the clean samples is looked at: not the suspect, and no input that is not clean. Charges what the sweeps do,
//! two operations a multiply-add.
use ndarray::{Array2, Axis};

use super::dictionary::Linear;
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::rng::{Rng, permutation};

/// Parts of cross-validation.
const FOLDS: usize = 5;
/// Samples without which there is no cross-validation: two a part.
pub(super) const LEAST_TO_VALIDATE: usize = 2 * FOLDS;
/// Most terms that matching pursuit takes.
const MOST_TERMS: usize = 64;
/// Values of λ, and the share of the largest that the least of them is.
const N_LAMBDAS: i32 = 20;
const LEAST_SHARE: f64 = 0.01;
/// Sweeps of coordinate descent for one λ, and the change, in standard deviations of the labels, below which it has ended.
const MOST_SWEEPS: usize = 1000;
const SETTLED: f64 = 1e-5;
/// What is left, as a share, below which a column or a residual is rounding.
const NOTHING_LEFT: f64 = 1e-10;

/// Which sparse regression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sparse {
    MatchingPursuit,
    Lasso,
}

/// The fit of `ys` over the columns of `features` that cross-validation chooses, and what it chose in words.
pub(super) fn sparse_fit(
    method: Sparse,
    (features, ys): (&Batch, &Batch),
    ledger: &Ledger,
    rng: &mut Rng,
) -> Result<(Linear, String)> {
    let n = features.nrows();
    if n < LEAST_TO_VALIDATE {
        let why =
            format!("cross-validation in {FOLDS} parts needs {LEAST_TO_VALIDATE} samples, got {n}");
        return Err(Error::assumption("sparse regression", why));
    }
    let most = MOST_TERMS.min(features.ncols()).min((n - n.div_ceil(FOLDS)) / 2);
    let order = permutation(n, rng);
    let mut errors: Vec<Vec<f64>> = Vec::with_capacity(FOLDS);
    for fold in 0..FOLDS {
        let (held, kept): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| i % FOLDS == fold);
        let rows = |of: &[usize], table: &Batch| {
            table.select(Axis(0), &of.iter().map(|&i| order[i]).collect::<Vec<_>>())
        };
        let path = path(method, (&rows(&kept, features), &rows(&kept, ys)), most, ledger)?;
        let (features, ys) = (rows(&held, features), rows(&held, ys));
        ledger.flops(path.iter().map(|fit| 2 * fit.terms.len() * ys.len()).sum::<usize>() as u64)?;
        errors.push(path.iter().map(|fit| error(fit, &features, &ys)).collect());
    }
    let means: Vec<f64> = (0..errors[0].len())
        .map(|k| errors.iter().map(|fold| fold[k]).sum::<f64>() / FOLDS as f64)
        .collect();
    let mut best = (0..means.len()).min_by(|&a, &b| means[a].total_cmp(&means[b])).unwrap_or(0);
    if method == Sparse::MatchingPursuit {
        let spread = errors.iter().map(|fold| (fold[best] - means[best]).powi(2)).sum::<f64>();
        let standard = (spread / ((FOLDS - 1) * FOLDS) as f64).sqrt();
        // Where the labels are met exactly all errors are rounding, which has no order.
        let limit = means[best] + standard + NOTHING_LEFT * means[0];
        best = means.iter().position(|mean| *mean <= limit).unwrap_or(best);
    }
    let fit = path(method, (features, ys), most, ledger)?.swap_remove(best);
    let said = format!("{} of {} products, by cross-validation", fit.terms.len(), features.ncols());
    Ok((fit, said))
}

fn error(fit: &Linear, features: &Batch, ys: &Batch) -> f64 {
    let mut sum = 0.0;
    for (x, y) in features.rows().into_iter().zip(ys.rows()) {
        for (o, y) in y.iter().enumerate() {
            let at: f64 = fit.terms.iter().map(|(k, c)| c[o] * x[*k]).sum();
            sum += (fit.constant[o] + at - y).powi(2);
        }
    }
    sum / features.nrows() as f64
}

/// Centred columns of length 1, a row a column of the table; those that are constant are all zero.
struct Standard {
    columns: Array2<f64>,
    lengths: Vec<f64>,
    means: Vec<f64>,
    labels: Array2<f64>,
    label_means: Vec<f64>,
}

impl Standard {
    fn of(features: &Batch, ys: &Batch) -> Self {
        let centred = |table: &Batch| {
            let mut columns = table.t().to_owned();
            let mut means = Vec::with_capacity(columns.nrows());
            for mut column in columns.rows_mut() {
                let mean = column.sum() / column.len() as f64;
                column -= mean;
                means.push(mean);
            }
            (columns, means)
        };
        let ((mut columns, means), (labels, label_means)) = (centred(features), centred(ys));
        let mut lengths = Vec::with_capacity(columns.nrows());
        for (mut column, mean) in columns.rows_mut().into_iter().zip(&means) {
            let length = column.dot(&column).sqrt();
            let rounding = NOTHING_LEFT * mean.abs() * (column.len() as f64).sqrt();
            let scale = if length > rounding { 1.0 / length } else { 0.0 };
            column *= scale;
            lengths.push(if scale > 0.0 { length } else { 0.0 });
        }
        Self { columns, lengths, means, labels, label_means }
    }

    /// The fit with these coefficients of the standardised columns.
    fn linear(&self, standard: impl Iterator<Item = (usize, Vec<f64>)>) -> Linear {
        let mut constant = self.label_means.clone();
        let terms: Vec<(usize, Vec<f64>)> = standard
            .map(|(k, c)| (k, c.into_iter().map(|c| c / self.lengths[k]).collect::<Vec<_>>()))
            .collect();
        for (k, coefficients) in &terms {
            constant.iter_mut().zip(coefficients).for_each(|(b, c)| *b -= c * self.means[*k]);
        }
        Linear { constant, terms }
    }
}

/// All fits that are chosen from, simplest first.
fn path(
    method: Sparse,
    (features, ys): (&Batch, &Batch),
    most: usize,
    ledger: &Ledger,
) -> Result<Vec<Linear>> {
    ledger.flops(4 * features.len() as u64)?;
    let standard = Standard::of(features, ys);
    match method {
        Sparse::MatchingPursuit => pursue(&standard, most, ledger),
        Sparse::Lasso => lasso(&standard, ledger),
    }
}

/// Fits of 0 up to `most` terms. Where nothing is left to explain, the rest repeat the last.
fn pursue(standard: &Standard, most: usize, ledger: &Ledger) -> Result<Vec<Linear>> {
    let Standard { columns, labels, .. } = standard;
    let (n_columns, n, outputs) = (columns.nrows(), columns.ncols(), labels.nrows());
    let mut left = labels.clone();
    let all: f64 = labels.iter().map(|y| y * y).sum();
    let (mut taken, mut basis): (Vec<usize>, Vec<ndarray::Array1<f64>>) = (Vec::new(), Vec::new());
    // Column k of the triangle: the k-th taken column in the basis. Row k of `along`: labels along basis vector k.
    let (mut triangle, mut along): (Vec<Vec<f64>>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
    let mut open: Vec<bool> = standard.lengths.iter().map(|length| *length > 0.0).collect();
    let mut path = vec![standard.linear(std::iter::empty())];
    while path.len() <= most {
        let unexplained: f64 = left.iter().map(|y| y * y).sum();
        ledger.flops((2 * n * (n_columns * outputs + 4 * taken.len() + 2 * outputs)) as u64)?;
        let scores = columns.dot(&left.t());
        let score = |k: usize| scores.row(k).iter().map(|s| s * s).sum::<f64>();
        let candidates = (0..n_columns).filter(|k| open[*k]);
        let next = candidates.max_by(|&a, &b| score(a).total_cmp(&score(b)).then(b.cmp(&a)));
        let Some(k) = next.filter(|_| unexplained > NOTHING_LEFT * NOTHING_LEFT * all) else {
            break;
        };
        open[k] = false;
        let mut direction = columns.row(k).to_owned();
        let mut coordinates = vec![0.0; basis.len() + 1];
        // Twice is enough (Kahan and Parlett).
        for _ in 0..2 {
            for (q, coordinate) in basis.iter().zip(&mut coordinates) {
                let share = q.dot(&direction);
                direction.scaled_add(-share, q);
                *coordinate += share;
            }
        }
        let length = direction.dot(&direction).sqrt();
        if length < 1e-6 {
            continue;
        }
        direction /= length;
        coordinates[basis.len()] = length;
        let shares: Vec<f64> = left.rows().into_iter().map(|y| y.dot(&direction)).collect();
        for (mut y, share) in left.rows_mut().into_iter().zip(&shares) {
            y.scaled_add(-share, &direction);
        }
        taken.push(k);
        basis.push(direction);
        triangle.push(coordinates);
        along.push(shares);
        path.push(standard.linear(taken.iter().copied().zip(back(&triangle, &along))));
    }
    while path.len() <= most {
        path.push(path[path.len() - 1].clone());
    }
    Ok(path)
}

/// The coefficients, a row a taken column, that the triangle maps to `along`.
fn back(triangle: &[Vec<f64>], along: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut solution = along.to_vec();
    for k in (0..triangle.len()).rev() {
        for o in 0..solution[k].len() {
            let known: f64 = (k + 1..triangle.len()).map(|j| triangle[j][k] * solution[j][o]).sum();
            solution[k][o] = (along[k][o] - known) / triangle[k][k];
        }
    }
    solution
}

/// Fits for λ from the largest down, each begun where the one before it ended.
fn lasso(standard: &Standard, ledger: &Ledger) -> Result<Vec<Linear>> {
    let Standard { columns, labels, lengths, .. } = standard;
    let (n_columns, n, outputs) = (columns.nrows(), columns.ncols(), labels.nrows());
    let largest = columns.dot(&labels.t()).iter().fold(0.0_f64, |top, c| top.max(c.abs()));
    let mut betas = Array2::<f64>::zeros((outputs, n_columns));
    let mut left = labels.clone();
    let mut path = Vec::with_capacity(N_LAMBDAS as usize);
    for step in 0..N_LAMBDAS {
        let share = LEAST_SHARE.powf(f64::from(step) / f64::from(N_LAMBDAS - 1));
        let lambda = share * largest;
        for o in 0..outputs {
            let (mut beta, mut rest) = (betas.row_mut(o), left.row_mut(o));
            let settled = SETTLED * labels.row(o).dot(&labels.row(o)).sqrt();
            let mut active: Vec<usize> = (0..n_columns).filter(|k| lengths[*k] > 0.0).collect();
            let every = active.clone();
            for _ in 0..MOST_SWEEPS {
                ledger.flops((4 * n * active.len()) as u64)?;
                let mut most_moved = 0.0_f64;
                for &k in &active {
                    let wanted = beta[k] + columns.row(k).dot(&rest);
                    let shrunk = wanted.signum() * (wanted.abs() - lambda).max(0.0);
                    let moved = shrunk - beta[k];
                    if moved.abs() > 0.0 {
                        rest.scaled_add(-moved, &columns.row(k));
                        beta[k] = shrunk;
                        most_moved = most_moved.max(moved.abs());
                    }
                }
                let was_all = active.len() == every.len();
                if most_moved <= settled && was_all {
                    break;
                }
                // Sweeps over what is not 0 until that has settled, then one over all.
                active = if most_moved <= settled {
                    every.clone()
                } else {
                    every.iter().copied().filter(|k| beta[*k].abs() > 0.0).collect()
                };
            }
        }
        let used = (0..n_columns).filter(|k| betas.column(*k).iter().any(|b| b.abs() > 0.0));
        path.push(standard.linear(used.map(|k| (k, betas.column(k).to_vec()))));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Budget;
    use crate::rng::{Seed, normal};

    fn table(n: usize, columns: usize) -> Batch {
        let mut rng = Seed::new(5).stream("table");
        Batch::from_shape_simple_fn((n, columns), || normal(&mut rng))
    }

    fn fit(method: Sparse, features: &Batch, ys: &Batch) -> Linear {
        let ledger = Ledger::new(Budget::UNLIMITED);
        let mut rng = Seed::new(6).stream("folds");
        let (fit, _) = sparse_fit(method, (features, ys), &ledger, &mut rng).unwrap();
        assert!(ledger.spent().flops > 0);
        fit
    }

    #[test]
    fn pursuit_finds_few_terms_among_many_more_columns_than_samples_exactly() {
        let features = table(60, 300);
        let ys = crate::data::stack(
            2,
            features.rows().into_iter().map(|x| vec![2.0 * x[7] - x[123] + 0.5, 3.0 * x[7]]),
        );
        let Linear { constant, mut terms } = fit(Sparse::MatchingPursuit, &features, &ys);
        terms.sort_by_key(|(k, _)| *k);
        let ks: Vec<usize> = terms.iter().map(|(k, _)| *k).collect();
        assert_eq!(ks, [7, 123]);
        let close =
            |got: &[f64], want: &[f64]| got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-9);
        assert!(close(&terms[0].1, &[2.0, 3.0]) && close(&terms[1].1, &[-1.0, 0.0]), "{terms:?}");
        assert!(close(&constant, &[0.5, 0.0]));
    }

    #[test]
    fn labels_of_pure_noise_get_no_terms_from_pursuit() {
        let features = table(100, 50);
        let mut rng = Seed::new(7).stream("noise");
        let ys = Batch::from_shape_simple_fn((100, 1), || normal(&mut rng));
        assert!(fit(Sparse::MatchingPursuit, &features, &ys).terms.is_empty());
    }

    #[test]
    fn lasso_on_one_orthonormal_column_is_the_soft_threshold() {
        // One column of length 1 and labels three times it: β = 3 − λ, and λ runs from 3 to 0.03.
        let features = ndarray::array![[1.0], [-1.0], [1.0], [-1.0]];
        let ledger = Ledger::new(Budget::UNLIMITED);
        let ys = &features * 1.5;
        let path = path(Sparse::Lasso, (&features, &ys), 1, &ledger).unwrap();
        assert!(path[0].terms.is_empty() || path[0].terms[0].1[0].abs() < 1e-9);
        // In the column's own units (its length is 2): 1.5 (1 − λ/λ_max), λ_max/100 at the end.
        assert!((path[19].terms[0].1[0] - 1.5 * 0.99).abs() < 1e-6, "{:?}", path[19]);
        assert!((path[10].terms[0].1[0] - 1.5 * (1.0 - 0.01_f64.powf(10.0 / 19.0))).abs() < 1e-6);
    }

    #[test]
    fn lasso_meets_its_optimality_conditions() {
        // Subgradient of ½‖y − Zβ‖² + λ‖β‖₁ at the end of the path: |zᵀr| ≤ λ, with equality and the sign of β where β ≠ 0.
        let features = table(80, 30);
        let ys = crate::data::column(
            features.rows().into_iter().map(|x| x[0] - 2.0 * x[1] + 0.3 * x[2] * x[3]).collect(),
        );
        let ledger = Ledger::new(Budget::UNLIMITED);
        let standard = Standard::of(&features, &ys);
        let last = lasso(&standard, &ledger).unwrap().pop().unwrap();
        let largest =
            standard.columns.dot(&standard.labels.t()).iter().fold(0.0_f64, |t, c| t.max(c.abs()));
        let lambda = LEAST_SHARE * largest;
        let mut beta = vec![0.0; 30];
        last.terms.iter().for_each(|(k, c)| beta[*k] = c[0] * standard.lengths[*k]);
        let fitted = standard.columns.t().dot(&ndarray::aview1(&beta));
        let rest = &standard.labels.row(0) - &fitted;
        for (k, b) in beta.iter().enumerate() {
            let slope = standard.columns.row(k).dot(&rest);
            assert!(slope.abs() <= lambda + 1e-3 * largest, "{k}: {slope}");
            if b.abs() > 0.0 {
                assert!((slope - lambda * b.signum()).abs() < 1e-3 * largest, "{k}: {slope}");
            }
        }
    }

    #[test]
    fn too_few_samples_are_refused() {
        let ledger = Ledger::new(Budget::UNLIMITED);
        let mut rng = Seed::new(6).stream("folds");
        let table = table(9, 2);
        let refused = sparse_fit(Sparse::Lasso, (&table, &table), &ledger, &mut rng);
        assert!(refused.unwrap_err().to_string().contains("10 samples"));
    }
}
