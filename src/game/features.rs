//! What distinguishers compute numbers from: public inputs, moments, robust scores, leading directions.
use ndarray::{Array1, Array2};

use crate::access::Lab;
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::rng::{Rng, direction};

/// Public inputs that a distinguisher looks at, where there are as many.
pub(super) const N_INPUTS: usize = 256;

/// Public inputs; the labels that come with them are charged, and not looked at.
pub(super) fn inputs(lab: &mut Lab<'_>) -> Result<Batch> {
    let n = lab.clean.left().map_or(N_INPUTS, |left| left.min(N_INPUTS));
    if n < 2 {
        return Err(Error::parameter("clean", n, "at least 2 clean public inputs are needed"));
    }
    Ok(lab.clean.draw(n)?.xs)
}

/// Mean, standard deviation, skewness and excess kurtosis; 0 where they are not defined.
pub(super) fn moments(values: &[f64]) -> Vec<f64> {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let central = |k: i32| values.iter().map(|v| (v - mean).powi(k)).sum::<f64>() / n;
    let sd = central(2).sqrt();
    if sd <= 1e-12 * mean.abs() || sd < 1e-150 {
        return vec![mean, sd, 0.0, 0.0];
    }
    vec![mean, sd, central(3) / sd.powi(3), central(4) / sd.powi(4) - 3.0]
}

/// Mean and standard deviation of every column.
pub(super) fn scales(xs: &Batch) -> (Vec<f64>, Vec<f64>) {
    let of = |column: ndarray::ArrayView1<'_, f64>| {
        let m = moments(&column.to_vec());
        (m[0], m[1])
    };
    xs.columns().into_iter().map(of).unzip()
}

/// The middle value, 0 of none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() { 0.0 } else { crate::stats::quantile(&sorted, 0.5) }
}

/// Largest and least robust score `(x − median) / (1.4826 MAD)`: for normal numbers, of the scale of standard deviations.
pub(super) fn robust(values: &[f64]) -> [f64; 2] {
    let middle = median(values);
    let spread = 1.4826 * median(&values.iter().map(|v| (v - middle).abs()).collect::<Vec<_>>());
    let scores = values.iter().map(|v| (v - middle) / spread.max(1e-12));
    let ends = |(least, most): (f64, f64), s: f64| (least.min(s), most.max(s));
    let (least, most) = scores.fold((0.0, 0.0), ends);
    [most, least]
}

/// Euclidean norms of rows.
pub(super) fn row_norms(weight: &Array2<f64>) -> Vec<f64> {
    weight.rows().into_iter().map(|w| w.dot(&w).sqrt()).collect()
}

/// Steps of the power iteration.
const N_STEPS: usize = 200;

/// The `k` largest eigenvalues of a symmetric positive matrix with their vectors, by power iteration and deflation.
pub(super) fn leading(matrix: &Array2<f64>, k: usize, rng: &mut Rng) -> Vec<(f64, Array1<f64>)> {
    let n = matrix.nrows();
    let mut found: Vec<(f64, Array1<f64>)> = Vec::new();
    for _ in 0..k.min(n) {
        let mut v = Array1::from(direction(n, rng));
        for _ in 0..N_STEPS {
            let mut next = matrix.dot(&v);
            for (_, before) in &found {
                let along = before.dot(&next);
                next.scaled_add(-along, before);
            }
            let norm = next.dot(&next).sqrt();
            if norm < 1e-150 {
                break;
            }
            v = next / norm;
        }
        found.push((v.dot(&matrix.dot(&v)), v));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn leading_directions_of_a_known_matrix_are_found() {
        // Eigenvalues 9, 4, 1 on the axes.
        let matrix = Array2::from_diag(&Array1::from(vec![4.0, 9.0, 1.0]));
        let found = leading(&matrix, 2, &mut Seed::new(1).stream("start"));
        assert!((found[0].0 - 9.0).abs() < 1e-9 && (found[1].0 - 4.0).abs() < 1e-9);
        assert!((found[0].1[1].abs() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn moments_and_robust_scores_are_those_of_a_hand_count() {
        // −1 and 1: mean 0, deviation 1, no skew, kurtosis 1 − 3.
        assert_eq!(moments(&[-1.0, 1.0]), vec![0.0, 1.0, 0.0, -2.0]);
        // Median 3, MAD 1: (100 − 3) / 1.4826.
        assert!((robust(&[1.0, 2.0, 3.0, 4.0, 100.0])[0] - 97.0 / 1.4826).abs() < 1e-9);
    }
}
