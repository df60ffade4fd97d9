//! Least squares for affine functions: the trusted learner of the affine class.
use ndarray::{Array1, Array2, Axis, concatenate};

use crate::data::Labeled;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::net::{Activation, Layer, Net, Precision};

/// The affine function with the least squared error on `data`, as a net of one linear layer.
///
/// Solves the normal equations of centred inputs by Cholesky's method. Charges 2 N n² for the products and 2n³/3 for the
/// elimination.
///
/// # Errors
/// If the inputs do not determine it: fewer samples than unknowns, or inputs on a plane.
pub(crate) fn affine_fit(data: &Labeled, ledger: &Ledger) -> Result<Net> {
    let (n_samples, n) = data.xs.dim();
    let undetermined = |why: String| Err(Error::assumption("least squares", why));
    if n_samples <= n {
        return undetermined(format!("{} unknowns need as many samples, got {n_samples}", n + 1));
    }
    let (rows, width) = (n_samples as u64, (n + data.ys.ncols()) as u64);
    ledger.flops(2 * rows * width * n as u64 + 2 * (n as u64).pow(3) / 3)?;
    let mean = |batch: &Array2<f64>| {
        batch.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(batch.ncols()))
    };
    let (x_mean, y_mean) = (mean(&data.xs), mean(&data.ys));
    let (xs, ys) = (&data.xs - &x_mean, &data.ys - &y_mean);
    let gram = xs.t().dot(&xs);
    let moments = xs.t().dot(&ys);
    let Some(slopes) = solve(&gram, &moments) else {
        return undetermined(
            "the inputs lie on a plane, so slopes across it are not determined".to_owned(),
        );
    };
    let bias = &y_mean - &x_mean.dot(&slopes);
    let weight = slopes.t().to_owned();
    Net::new(vec![Layer { weight, bias, activation: Activation::Identity }], Precision::F64)
}

/// The solution of `a x = b` for a symmetric positive definite `a`, or `None` if it is not, numerically.
pub(super) fn solve(a: &Array2<f64>, b: &Array2<f64>) -> Option<Array2<f64>> {
    let n = a.nrows();
    let mut work = concatenate(Axis(1), &[a.view(), b.view()]).expect("as many rows");
    // Elimination without pivots is Cholesky's method up to scaling, and as stable, for such matrices.
    for k in 0..n {
        if work[[k, k]] <= 1e-12 * a[[k, k]] {
            return None;
        }
        for i in k + 1..n {
            let factor = work[[i, k]] / work[[k, k]];
            for j in k..work.ncols() {
                work[[i, j]] -= factor * work[[k, j]];
            }
        }
    }
    let mut x = Array2::zeros(b.dim());
    for k in (0..n).rev() {
        for c in 0..b.ncols() {
            let known: f64 = (k + 1..n).map(|j| work[[k, j]] * x[[j, c]]).sum();
            x[[k, c]] = (work[[k, n + c]] - known) / work[[k, k]];
        }
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Batch;
    use crate::ledger::Budget;
    use crate::rng::{Seed, normal};

    #[test]
    fn an_affine_function_is_found_exactly_and_a_plane_is_refused() {
        let mut rng = Seed::new(1).stream("xs");
        let xs = Batch::from_shape_simple_fn((40, 5), || normal(&mut rng));
        let slope = Batch::from_shape_vec((5, 1), vec![1.0, -2.0, 0.5, 0.0, 3.0]).unwrap();
        let ys = xs.dot(&slope) + 0.7;
        let ledger = Ledger::new(Budget::UNLIMITED);
        let net = affine_fit(&Labeled { xs: xs.clone(), ys: ys.clone() }, &ledger).unwrap();
        assert!((&net.layers()[0].weight.t() - &slope).iter().all(|d| d.abs() < 1e-10));
        assert!((net.layers()[0].bias[0] - 0.7).abs() < 1e-10);
        assert_eq!(ledger.spent().flops, 2 * 40 * 6 * 5 + 250 / 3);
        let mut flat = xs.clone();
        flat.column_mut(4).assign(&xs.column(0));
        assert!(affine_fit(&Labeled { xs: flat, ys: ys.clone() }, &ledger).is_err());
        let few = Labeled { xs, ys }.select(&[0, 1, 2, 3, 4]);
        assert!(affine_fit(&few, &ledger).unwrap_err().to_string().contains("6 unknowns"));
    }
}
