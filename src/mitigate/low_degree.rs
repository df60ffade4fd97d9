//! Low-degree learning: the trusted learner of the Fourier-heavy class, from clean samples alone.
//!
//! Linial, Mansour and Nisan, "Constant depth circuits, Fourier transform, and learnability" (J. ACM 1993): estimate every
//! coefficient of low degree from the same samples. Here the truth is promised to have no coefficient between 0 and τ, so
//! estimates below τ/2 are dropped. The degree is the largest for which there are at most [`MAX_CHARACTERS`]; up to n = 20
//! that is every degree.
use crate::data::Labeled;
use crate::error::Result;
use crate::fourier::{FourierSum, Term};
use crate::ledger::Ledger;

/// Most characters that are tried.
const MAX_CHARACTERS: u64 = 1 << 20;

/// The largest degree d ≤ n for which there are at most [`MAX_CHARACTERS`] characters, and how many there are.
pub(super) fn degree_for(n: usize) -> (usize, u64) {
    let (mut degree, mut total, mut binomial) = (0, 1_u64, 1_u64);
    while degree < n {
        binomial = binomial.saturating_mul((n - degree) as u64) / (degree as u64 + 1);
        if total.saturating_add(binomial) > MAX_CHARACTERS {
            break;
        }
        (degree, total) = (degree + 1, total + binomial);
    }
    (degree, total)
}

/// All coefficients of at least τ/2 among the characters of degree at most [`degree_for`] `n`, as estimated on `data`.
///
/// Charges two operations a sample and character.
pub(super) fn low_degree_fit(data: &Labeled, tau: f64, ledger: &Ledger) -> Result<FourierSum> {
    let (n_samples, n) = data.xs.dim();
    let (degree, n_characters) = degree_for(n);
    ledger.flops(n_characters.saturating_mul(2 * n_samples as u64))?;
    let columns: Vec<Vec<f64>> = (0..n).map(|i| data.xs.column(i).to_vec()).collect();
    let mut terms = Vec::new();
    // The labels times the characters of the sets on the path: each set multiplies one more column onto its parent's.
    let mut path: Vec<(usize, Vec<f64>)> = vec![(0, data.ys.column(0).to_vec())];
    let mut support: Vec<usize> = Vec::new();
    keep(&support, &path[0].1, tau, &mut terms);
    while let Some((next, products)) = path.last_mut() {
        if *next >= n || support.len() >= degree {
            path.pop();
            support.pop();
            continue;
        }
        let i = *next;
        *next += 1;
        let longer: Vec<f64> = products.iter().zip(&columns[i]).map(|(p, x)| p * x).collect();
        support.push(i);
        keep(&support, &longer, tau, &mut terms);
        path.push((i + 1, longer));
    }
    Ok(FourierSum::new(terms))
}

fn keep(support: &[usize], products: &[f64], tau: f64, terms: &mut Vec<Term>) {
    let value = products.iter().sum::<f64>() / products.len().max(1) as f64;
    if value.abs() >= tau / 2.0 {
        terms.push(Term { support: support.to_vec(), value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fourier::{spectrum, vertex};
    use crate::ledger::Budget;

    #[test]
    fn on_the_whole_cube_it_is_the_spectrum() {
        let truth = FourierSum::new(vec![
            Term { support: vec![0, 2, 3, 5], value: 0.5 },
            Term { support: vec![], value: -0.5 },
            Term { support: vec![1, 4], value: 0.75 },
        ]);
        let xs = crate::data::stack(6, (0..64).map(|i| vertex(i, 6)));
        let data = Labeled { ys: truth.at_all(&xs), xs };
        let ledger = Ledger::new(Budget::UNLIMITED);
        let found = low_degree_fit(&data, 0.5, &ledger).unwrap();
        assert_eq!(found, spectrum(data.ys.into_raw_vec_and_offset().0, 0.25));
        assert_eq!(found.supports(), truth.supports());
        assert_eq!(ledger.spent().flops, 2 * 64 * 64);
    }

    #[test]
    fn the_degree_is_the_largest_that_fits() {
        assert_eq!(degree_for(20), (20, 1 << 20));
        // 1 + 32 + 496 + 4,960 + 35,960 + 201,376; degree 6 would add 906,192.
        assert_eq!(degree_for(32), (5, 242_825));
        assert_eq!(degree_for(100_000), (1, 100_001));
    }
}
