//! Small dense linear algebra for bodies: products, Cholesky's factor, inverses.
use ndarray::Array2;

/// The inner product.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The product of a matrix and a column.
pub(super) fn times(a: &Array2<f64>, x: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; a.nrows()];
    times_into(a, x, &mut out);
    out
}

/// The product of a matrix and a column, into `out`.
pub(super) fn times_into(a: &Array2<f64>, x: &[f64], out: &mut [f64]) {
    for (out, row) in out.iter_mut().zip(a.rows()) {
        *out = row.iter().zip(x).map(|(a, x)| a * x).sum();
    }
}

/// The product of a matrix's transpose and a column.
pub(super) fn times_transposed(a: &Array2<f64>, x: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; a.ncols()];
    for (row, x) in a.rows().into_iter().zip(x) {
        sum.iter_mut().zip(row).for_each(|(sum, a)| *sum += a * x);
    }
    sum
}

/// The lower triangular C with C Cᵀ = `a`, or `None` if `a` is not positive definite, numerically.
pub(super) fn cholesky(a: &Array2<f64>) -> Option<Array2<f64>> {
    let n = a.nrows();
    let mut c = Array2::zeros((n, n));
    for j in 0..n {
        for i in j..n {
            let known: f64 = (0..j).map(|k| c[[i, k]] * c[[j, k]]).sum();
            let rest = a[[i, j]] - known;
            if i > j {
                c[[i, j]] = rest / c[[j, j]];
            } else if rest > 1e-13 * a[[j, j]] {
                c[[j, j]] = f64::sqrt(rest);
            } else {
                return None;
            }
        }
    }
    Some(c)
}

/// The inverse by elimination with row exchanges, or `None` of a singular matrix.
pub(super) fn inverse(a: &Array2<f64>) -> Option<Array2<f64>> {
    let n = a.nrows();
    let (mut work, mut inverse) = (a.clone(), Array2::eye(n));
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| work[[i, k]].abs().total_cmp(&work[[j, k]].abs()))?;
        let scale = work[[pivot, k]];
        if scale.is_nan() || scale.abs() <= f64::MIN_POSITIVE {
            return None;
        }
        for j in 0..n {
            work.swap([pivot, j], [k, j]);
            inverse.swap([pivot, j], [k, j]);
            work[[k, j]] /= scale;
            inverse[[k, j]] /= scale;
        }
        for i in (0..n).filter(|i| *i != k) {
            let factor = work[[i, k]];
            for j in 0..n {
                work[[i, j]] -= factor * work[[k, j]];
                inverse[[i, j]] -= factor * inverse[[k, j]];
            }
        }
    }
    Some(inverse)
}

/// The square root of the sum of all squares.
pub(super) fn size(a: &Array2<f64>) -> f64 {
    a.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Seed, normal};

    #[test]
    fn a_factor_and_an_inverse_multiply_back() {
        let mut rng = Seed::new(1).stream("matrix");
        let a = Array2::from_shape_simple_fn((7, 7), || normal(&mut rng));
        let identity = a.dot(&inverse(&a).unwrap());
        assert!(size(&(identity - Array2::<f64>::eye(7))) < 1e-10);
        let gram = a.dot(&a.t());
        let c = cholesky(&gram).unwrap();
        assert!(size(&(c.dot(&c.t()) - &gram)) < 1e-12 * size(&gram));
        let x: Vec<f64> = (0..7).map(|_| normal(&mut rng)).collect();
        let (left, right) = (times_transposed(&a, &x), times(&a.t().to_owned(), &x));
        assert!(left.iter().zip(&right).all(|(l, r)| (l - r).abs() < 1e-12));
    }

    #[test]
    fn a_singular_matrix_has_neither() {
        let a = ndarray::array![[1.0, 2.0], [2.0, 4.0]];
        assert!(cholesky(&a).is_none());
        assert!(inverse(&Array2::zeros((2, 2))).is_none());
        assert!(inverse(&a).is_none());
    }
}
