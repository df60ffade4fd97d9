//! What attacks on random-feature nets share: secret sparse directions, ridge heads, and where a spectrum gives a spike away.
use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::data::Batch;
use crate::error::{Error, Result};
use crate::rng::{Rng, direction, normal, permutation, sign};

/// A secret unit vector with `k` of `n` coordinates other than 0, each ±1/√k; of k = n, uniform on the sphere.
///
/// # Errors
/// If k is 0 or more than n.
pub fn sparse_unit(n: usize, k: usize, rng: &mut Rng) -> Result<Vec<f64>> {
    if k == 0 || k > n {
        let want = format!("from 1 to all {n} coordinates can carry the secret");
        return Err(Error::parameter("sparsity", k, want));
    }
    if k == n {
        return Ok(direction(n, rng));
    }
    let mut unit = vec![0.0; n];
    for i in permutation(n, rng).into_iter().take(k) {
        unit[i] = sign(rng) / (k as f64).sqrt();
    }
    Ok(unit)
}

/// `m` rows of `n` independent standard normal numbers.
pub fn gaussian(m: usize, n: usize, rng: &mut Rng) -> Array2<f64> {
    Array2::from_shape_simple_fn((m, n), || normal(rng))
}

/// Every row of `rows` with its part along the unit vector `along` replaced by what `value` gives for it.
pub fn replace_along(rows: &mut Array2<f64>, along: &[f64], mut value: impl FnMut(f64) -> f64) {
    let along = ArrayView1::from(along);
    for mut row in rows.rows_mut() {
        let part = row.dot(&along);
        row.scaled_add(value(part) - part, &along);
    }
}

/// The linear head without a constant that minimises `|Φ aᵀ − y|² / N + ridge |a|²`: outputs × features.
///
/// # Errors
/// If `ridge` is not positive, or so small that the equations have no solution, numerically.
pub fn ridge_head(features: &Batch, ys: &Batch, ridge: f64) -> Result<Array2<f64>> {
    if !(ridge > 0.0 && ridge.is_finite()) {
        return Err(Error::parameter("ridge", ridge, "a positive number is needed"));
    }
    let n = features.nrows().max(1) as f64;
    let mut gram = features.t().dot(features) / n;
    gram.diag_mut().mapv_inplace(|d| d + ridge);
    let mut right = features.t().dot(ys) / n;
    let lower = cholesky(gram).ok_or_else(|| {
        Error::parameter("ridge", ridge, "too small for these features: a larger number is needed")
    })?;
    let m = lower.nrows();
    for i in 0..m {
        let row = lower.row(i);
        for mut y in right.columns_mut() {
            let known: f64 = (0..i).map(|j| row[j] * y[j]).sum();
            y[i] = (y[i] - known) / row[i];
        }
    }
    for i in (0..m).rev() {
        for mut y in right.columns_mut() {
            let known: f64 = (i + 1..m).map(|j| lower[[j, i]] * y[j]).sum();
            y[i] = (y[i] - known) / lower[[i, i]];
        }
    }
    Ok(right.reversed_axes().as_standard_layout().into_owned())
}

/// The lower triangle L with L Lᵀ = `a`, or `None` if `a` is not positive definite, numerically.
fn cholesky(a: Array2<f64>) -> Option<Array2<f64>> {
    let mut lower = a;
    for i in 0..lower.nrows() {
        let (above, mut rest) = lower.view_mut().split_at(Axis(0), i);
        let mut row = rest.row_mut(0);
        let row = row.as_slice_mut()?;
        for (j, done) in above.rows().into_iter().enumerate() {
            let done = done.to_slice()?;
            let known: f64 = done[..j].iter().zip(&row[..j]).map(|(a, b)| a * b).sum();
            row[j] = (row[j] - known) / done[j];
        }
        let left = row[i] - row[..i].iter().map(|l| l * l).sum::<f64>();
        if left <= 1e-13 * row[i] || !left.is_finite() {
            return None;
        }
        row[i] = left.sqrt();
    }
    Some(lower)
}

/// The spike θ of a covariance I + θ s sᵀ in `d` dimensions from which on the top eigenvalue of `m` samples leaves the bulk:
/// √(d/m) (Baik, Ben Arous, Péché 2005).
pub fn spike_edge(d: usize, m: usize) -> f64 {
    (d as f64 / m as f64).sqrt()
}

/// The upper edge of the spectrum of the covariance of `m` samples of N(0, I) in `d` dimensions: (1 + √(d/m))²
/// (Marchenko, Pastur 1967).
pub fn bulk_edge(d: usize, m: usize) -> f64 {
    (1.0 + spike_edge(d, m)).powi(2)
}

/// What the top eigenvalue of the covariance of `m` samples of N(0, I + θ s sᵀ) in `d` dimensions tends to:
/// (1 + θ)(1 + (d/m)/θ) where θ is above [`spike_edge`], else [`bulk_edge`].
pub fn top_eigenvalue_law(theta: f64, d: usize, m: usize) -> f64 {
    if theta > spike_edge(d, m) {
        (1.0 + theta) * (1.0 + d as f64 / m as f64 / theta)
    } else {
        bulk_edge(d, m)
    }
}

/// The largest eigenvalue of `rowsᵀ rows / m`, the uncentred covariance of `m` rows, by power iteration: from below.
///
/// The iteration stops when a step gains less than a part in 10⁶, so it may stay short of the edge of a bulk by about 1%.
pub fn top_eigenvalue(rows: &Array2<f64>, rng: &mut Rng) -> f64 {
    const MOST_STEPS: usize = 1000;
    let (m, d) = rows.dim();
    let (mut v, mut value) = (Array1::from(direction(d.max(1), rng)), 0.0);
    for _ in 0..MOST_STEPS {
        let next = rows.t().dot(&rows.dot(&v)) / m as f64;
        let norm = next.dot(&next).sqrt();
        if norm <= 0.0 || !norm.is_finite() {
            return norm;
        }
        v = next / norm;
        let gained = norm - value;
        value = norm;
        if gained.abs() <= 1e-6 * value {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn a_secret_direction_has_length_one_and_as_many_coordinates_as_asked() {
        let mut rng = Seed::new(1).stream("secret");
        for k in [1, 3, 16] {
            let unit = sparse_unit(16, k, &mut rng).unwrap();
            assert_eq!(unit.iter().filter(|x| x.abs() > 0.0).count(), k);
            assert!((unit.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-12);
        }
        for k in [0, 17] {
            let said = sparse_unit(16, k, &mut rng).unwrap_err().to_string();
            assert!(said.contains("from 1 to all 16"), "{said}");
        }
    }

    #[test]
    fn a_ridge_head_is_where_the_gradient_of_its_loss_vanishes() {
        let mut rng = Seed::new(2).stream("features");
        let (features, ys) = (gaussian(50, 20, &mut rng), gaussian(50, 3, &mut rng));
        let head = ridge_head(&features, &ys, 0.3).unwrap();
        let residual = features.dot(&head.t()) - &ys;
        let gradient = residual.t().dot(&features) / 50.0 + 0.3 * &head;
        assert!(gradient.iter().all(|g| g.abs() < 1e-12));
        assert!(
            ridge_head(&features, &ys, 0.0).is_err()
                && ridge_head(&features, &ys, f64::NAN).is_err()
        );
    }

    #[test]
    fn only_the_part_along_the_secret_is_replaced() {
        let mut rng = Seed::new(3).stream("rows");
        let (before, unit) = (gaussian(9, 7, &mut rng), sparse_unit(7, 3, &mut rng).unwrap());
        let mut after = before.clone();
        replace_along(&mut after, &unit, |part| 5.0 - part);
        let w = ArrayView1::from(&unit);
        let (old, new) = (before.dot(&w), after.dot(&w));
        assert!(old.iter().zip(&new).all(|(old, new)| (new - (5.0 - old)).abs() < 1e-12));
        let across = |rows: &Array2<f64>, i: usize| &rows.row(i) - &(&w * rows.row(i).dot(&w));
        assert!(
            (0..9)
                .all(|i| (across(&before, i) - across(&after, i)).iter().all(|d| d.abs() < 1e-12))
        );
    }
}
