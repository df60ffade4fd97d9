//! The fast Walsh-Hadamard transform, and whole spectra where the cube is small enough to list.
use super::{FourierSum, Term};

/// The unnormalised Walsh-Hadamard transform in place: `out[s] = Σ_x in[x] (−1)^{|s ∧ x|}`.
///
/// # Panics
/// If the length is not a power of two: a bug in the caller.
///
/// ```
/// let mut values = [1.0, 0.0, 0.0, 0.0];
/// absolve::fourier::walsh_hadamard(&mut values);
/// assert_eq!(values, [1.0, 1.0, 1.0, 1.0]);
/// ```
pub fn walsh_hadamard(values: &mut [f64]) {
    assert!(values.len().is_power_of_two(), "a table of 2^n values");
    let mut half = 1;
    while half < values.len() {
        for block in values.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

/// The vertex numbered `index`: coordinate `i` is −1 where bit `i` is set, else +1.
pub fn vertex(index: usize, n: usize) -> Vec<f64> {
    (0..n).map(|i| if index >> i & 1 == 1 { -1.0 } else { 1.0 }).collect()
}

/// All coefficients of at least `threshold` in absolute value, from the 2^n values at [`vertex`] 0, 1, ….
pub fn spectrum(mut values: Vec<f64>, threshold: f64) -> FourierSum {
    let scale = 1.0 / values.len() as f64;
    let n = values.len().trailing_zeros() as usize;
    walsh_hadamard(&mut values);
    let terms = values
        .iter()
        .enumerate()
        .filter(|(_, value)| (*value * scale).abs() >= threshold)
        .map(|(set, value)| Term {
            support: (0..n).filter(|i| set >> i & 1 == 1).collect(),
            value: value * scale,
        })
        .collect();
    FourierSum::new(terms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spectrum_of_a_sum_of_characters_is_that_sum() {
        let sum = FourierSum::new(vec![
            Term { support: vec![0, 3], value: 0.5 },
            Term { support: vec![1], value: -0.75 },
            Term { support: vec![], value: 0.25 },
        ]);
        let values = (0..16).map(|index| sum.at(&vertex(index, 4))).collect();
        assert_eq!(spectrum(values, 1e-9), sum);
    }

    #[test]
    fn energy_is_kept() {
        // Parseval: Σ_s out[s]² = 2^n Σ_x in[x]².
        let values: Vec<f64> = (0..64).map(|i| f64::from(i * i % 17) - 5.0).collect();
        let mut out = values.clone();
        walsh_hadamard(&mut out);
        let energy = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>();
        assert!((energy(&out) - 64.0 * energy(&values)).abs() < 1e-6);
    }
}
