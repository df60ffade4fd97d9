//! Singular values and vectors of a matrix, by one-sided Jacobi rotations.
//!
//! Hestenes 1958; as in Demmel and Veselić, "Jacobi's method is more accurate than QR" (SIAM J. Matrix Anal. Appl. 13, 1992): columns
//! are rotated in pairs until all are orthogonal; what rotates them are the right singular vectors, their lengths the singular
//! values. For a matrix that is wider than tall, its transpose.
//!
//! Cost: with r rows and c ≤ r columns, a sweep over all c(c − 1)/2 pairs is charged before it runs: 6r a pair for three inner
//! products, 6r + 6c for turning two columns and two vectors, 10 for the angle. In the end 2rc for the lengths.
use ndarray::{Array1, Array2, Axis};

use crate::error::Result;
use crate::ledger::Ledger;

/// A matrix as Σ σₖ uₖ vₖᵀ, largest σ first.
#[derive(Clone, Debug)]
pub struct Singular {
    /// Singular values, descending.
    pub values: Array1<f64>,
    /// Rows: uₖ or, of a matrix taller than wide or square, σₖ uₖ.
    left: Array2<f64>,
    /// Rows: vₖ or, of a matrix wider than tall, σₖ vₖ.
    right: Array2<f64>,
    /// Sweeps that were made.
    pub sweeps: usize,
}

/// Most sweeps. Convergence is quadratic in the end; ten are rarely needed.
const MOST_SWEEPS: usize = 60;

/// The cosine between two columns below which they count as orthogonal.
const ORTHOGONAL: f64 = 1e-13;

impl Singular {
    /// Decomposes `matrix`.
    ///
    /// # Errors
    /// If the budget does not reach.
    pub fn of(matrix: &Array2<f64>, ledger: &Ledger) -> Result<Self> {
        // A row of `turned` is a column of the matrix or, of one wider than tall, of its transpose.
        let wide = matrix.ncols() > matrix.nrows();
        let mut turned = if wide { matrix.clone() } else { matrix.t().to_owned() };
        let (c, r) = turned.dim();
        let mut by = Array2::eye(c);
        let a_sweep = (c * c.saturating_sub(1) / 2) as u64 * (12 * r + 6 * c + 10) as u64;
        let mut sweeps = 0;
        while sweeps < MOST_SWEEPS && c > 1 {
            ledger.flops(a_sweep)?;
            sweeps += 1;
            if sweep(&mut turned, &mut by) < ORTHOGONAL {
                break;
            }
        }
        ledger.flops(2 * (r * c) as u64)?;
        let lengths = turned.map_axis(Axis(1), |column| column.dot(&column).sqrt());
        let mut order: Vec<usize> = (0..c).collect();
        order.sort_by(|&i, &j| lengths[j].total_cmp(&lengths[i]).then(i.cmp(&j)));
        let turned = turned.select(Axis(0), &order);
        let by = by.select(Axis(0), &order);
        let values = order.iter().map(|&k| lengths[k]).collect();
        let (left, right) = if wide { (by, turned) } else { (turned, by) };
        Ok(Self { values, left, right, sweeps })
    }

    /// Adds the term numbered `k`, σₖ uₖ vₖᵀ, to `sum`. Charges 2 a number.
    ///
    /// # Errors
    /// If the budget does not reach.
    pub fn add_term(&self, k: usize, sum: &mut Array2<f64>, ledger: &Ledger) -> Result<()> {
        ledger.flops(2 * sum.len() as u64)?;
        for (mut row, u) in sum.rows_mut().into_iter().zip(self.left.row(k)) {
            row.scaled_add(*u, &self.right.row(k));
        }
        Ok(())
    }
}

/// Turns every pair of rows until it is orthogonal, and the rows of `by` with it; the largest cosine that it met.
fn sweep(turned: &mut Array2<f64>, by: &mut Array2<f64>) -> f64 {
    let c = turned.nrows();
    let mut largest = 0.0_f64;
    for p in 0..c {
        for q in p + 1..c {
            let (x, y) = (turned.row(p), turned.row(q));
            let (xx, yy, xy) = (x.dot(&x), y.dot(&y), x.dot(&y));
            let size = xx.sqrt() * yy.sqrt();
            if size <= f64::MIN_POSITIVE || xy.abs() <= f64::EPSILON * 1e-3 * size {
                continue;
            }
            largest = largest.max(xy.abs() / size);
            let slant = (yy - xx) / (2.0 * xy);
            let tangent = slant.signum() / (slant.abs() + slant.hypot(1.0));
            let cos = 1.0 / tangent.hypot(1.0);
            let turn = (cos, cos * tangent);
            rotate(turned, (p, q), turn);
            rotate(by, (p, q), turn);
        }
    }
    largest
}

fn rotate(matrix: &mut Array2<f64>, (p, q): (usize, usize), (cos, sin): (f64, f64)) {
    let (mut before, mut from) = matrix.view_mut().split_at(Axis(0), q);
    let (mut x, mut y) = (before.row_mut(p), from.row_mut(0));
    for (x, y) in x.iter_mut().zip(&mut y) {
        (*x, *y) = (cos * *x - sin * *y, sin * *x + cos * *y);
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::ledger::Budget;
    use crate::rng::{Seed, normal};

    fn ledger() -> Ledger {
        Ledger::new(Budget::UNLIMITED)
    }

    fn rebuilt(singular: &Singular, shape: (usize, usize), rank: usize) -> Array2<f64> {
        let mut sum = Array2::zeros(shape);
        (0..rank).for_each(|k| singular.add_term(k, &mut sum, &ledger()).unwrap());
        sum
    }

    #[test]
    fn known_matrices_have_their_known_values() {
        // [[3, 0], [4, 5]]: W Wᵀ = [[9, 12], [12, 41]] has eigenvalues 45 and 5.
        let values = Singular::of(&array![[3.0, 0.0], [4.0, 5.0]], &ledger()).unwrap().values;
        assert!((values[0] - 45.0_f64.sqrt()).abs() < 1e-12);
        assert!((values[1] - 5.0_f64.sqrt()).abs() < 1e-12);
        // A column of length 5; a matrix of zeros; one of rank one.
        assert!(
            (Singular::of(&array![[3.0], [4.0]], &ledger()).unwrap().values[0] - 5.0).abs() < 1e-12
        );
        assert!(
            Singular::of(&Array2::zeros((3, 2)), &ledger())
                .unwrap()
                .values
                .iter()
                .all(|v| v.abs() < 1e-300)
        );
        let values =
            Singular::of(&array![[1.0, 2.0, 2.0], [2.0, 4.0, 4.0]], &ledger()).unwrap().values;
        assert!((values[0] - 45.0_f64.sqrt()).abs() < 1e-12 && values[1] < 1e-12);
    }

    #[test]
    fn the_best_approximation_is_off_by_the_tail_of_the_spectrum() {
        // Eckart and Young 1936: the squared error of rank k is the sum of the squares of the other singular values.
        let mut rng = Seed::new(1).stream("matrix");
        for shape in [(7, 4), (4, 7), (30, 30)] {
            let matrix = Array2::from_shape_simple_fn(shape, || normal(&mut rng));
            let singular = Singular::of(&matrix, &ledger()).unwrap();
            for rank in 0..=singular.values.len() {
                let off = &matrix - &rebuilt(&singular, shape, rank);
                let error: f64 = off.iter().map(|x| x * x).sum();
                let tail: f64 = singular.values.iter().skip(rank).map(|s| s * s).sum();
                assert!(
                    (error - tail).abs() < 1e-9 * (1.0 + tail),
                    "{shape:?} {rank}: {error} {tail}"
                );
            }
        }
    }

    #[test]
    fn every_sweep_is_charged_by_the_count_of_the_header() {
        let mut rng = Seed::new(2).stream("matrix");
        let matrix = Array2::from_shape_simple_fn((3, 9), || normal(&mut rng));
        let spent = ledger();
        let singular = Singular::of(&matrix, &spent).unwrap();
        // Transposed: 9 rows, 3 columns, 3 pairs: 3 (108 + 18 + 10) = 408 a sweep, 54 for the lengths.
        assert_eq!(spent.spent().flops, 408 * singular.sweeps as u64 + 54);
        assert!((2..12).contains(&singular.sweeps), "{}", singular.sweeps);
    }
}
