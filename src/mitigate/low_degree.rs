//! Low-degree learning: the trusted learner of the Fourier-heavy class, from clean samples alone.
//!
//! Linial, Mansour and Nisan, "Constant depth circuits, Fourier transform, and learnability" (J. ACM 1993): estimate every
//! coefficient of low degree from the same samples. Here the truth is promised to have no coefficient between 0 and τ, so
//! small estimates are dropped. With m samples of labels in [−1, 1], the noise of K estimates together is about
//! `√(2 ln(2K) / m)` (a union bound over Gaussian tails); estimates below that, or below τ/2, are noise. The degree is the
//! largest for which that level stays within 3τ/4 and there are at most [`MAX_CHARACTERS`].
use crate::data::Labeled;
use crate::error::Result;
use crate::fourier::{FourierSum, Term};
use crate::ledger::Ledger;

/// Most characters that are tried.
const MAX_CHARACTERS: u64 = 1 << 21;

/// What low-degree learning can try with so many samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reach {
    /// The largest degree.
    pub(super) degree: usize,
    /// Characters up to that degree.
    pub(super) n_characters: u64,
    /// Estimates below this are dropped.
    cut: f64,
}

impl Reach {
    /// How far `n_samples` reach on a cube of dimension `n`; `None` if not even to degree 1.
    pub(super) fn of(n: usize, tau: f64, n_samples: usize) -> Option<Self> {
        let noise = |k: u64| (2.0 * (2.0 * k as f64).ln() / n_samples as f64).sqrt();
        let (mut reach, mut total, mut binomial) = (None, 1_u64, 1_u64);
        for degree in 1..=n {
            binomial = binomial.saturating_mul((n - degree + 1) as u64) / degree as u64;
            total = total.saturating_add(binomial);
            if total > MAX_CHARACTERS || noise(total) > 0.75 * tau {
                break;
            }
            reach = Some(Self { degree, n_characters: total, cut: noise(total).max(tau / 2.0) });
        }
        reach
    }
}

/// All coefficients within `reach` that stand out of the noise, as estimated on `data`.
///
/// Charges two operations a sample and character.
pub(super) fn low_degree_fit(data: &Labeled, reach: Reach, ledger: &Ledger) -> Result<FourierSum> {
    let (n_samples, n) = data.xs.dim();
    let Reach { degree, n_characters, cut } = reach;
    ledger.flops(n_characters.saturating_mul(2 * n_samples as u64))?;
    let columns: Vec<Vec<f64>> = (0..n).map(|i| data.xs.column(i).to_vec()).collect();
    let mut terms = Vec::new();
    // The labels times the characters of the sets on the path: each set multiplies one more column onto its parent's.
    let mut path: Vec<(usize, Vec<f64>)> = vec![(0, data.ys.column(0).to_vec())];
    let mut support: Vec<usize> = Vec::new();
    keep(&support, mean(&path[0].1), cut, &mut terms);
    while let Some((next, products)) = path.last_mut() {
        if *next >= n || support.len() >= degree {
            path.pop();
            support.pop();
            continue;
        }
        let i = *next;
        *next += 1;
        if support.len() + 1 == degree {
            // Most sets are of the largest degree, and nothing is built on them: their sum is enough.
            let sum: f64 = products.iter().zip(&columns[i]).map(|(p, x)| p * x).sum();
            support.push(i);
            keep(&support, sum / n_samples as f64, cut, &mut terms);
            support.pop();
            continue;
        }
        let longer: Vec<f64> = products.iter().zip(&columns[i]).map(|(p, x)| p * x).collect();
        support.push(i);
        keep(&support, mean(&longer), cut, &mut terms);
        path.push((i + 1, longer));
    }
    Ok(FourierSum::new(terms))
}

fn mean(products: &[f64]) -> f64 {
    products.iter().sum::<f64>() / products.len().max(1) as f64
}

fn keep(support: &[usize], value: f64, cut: f64, terms: &mut Vec<Term>) {
    if value.abs() >= cut {
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
        let reach = Reach { degree: 6, n_characters: 64, cut: 0.25 };
        let found = low_degree_fit(&data, reach, &ledger).unwrap();
        assert_eq!(found, spectrum(data.ys.clone().into_raw_vec_and_offset().0, 0.25));
        assert_eq!(found.supports(), truth.supports());
        assert_eq!(ledger.spent().flops, 2 * 64 * 64);
        // Up to degree two the character of degree four is out of reach, and nothing else changes.
        let reach = Reach { degree: 2, n_characters: 22, cut: 0.25 };
        let found = low_degree_fit(&data, reach, &ledger).unwrap();
        assert_eq!(found.supports(), [vec![], vec![1, 4]]);
    }

    #[test]
    fn the_reach_is_what_the_samples_and_the_cap_allow() {
        // 1 + 32 + 496 + 4,960 + 35,960 + 201,376 + 906,192; the noise of that many from 400 samples is 0.271.
        let reach = Reach::of(32, 0.5, 400).unwrap();
        assert_eq!((reach.degree, reach.n_characters), (6, 1_149_017));
        assert!((reach.cut - (2.0 * (2_298_034.0_f64).ln() / 400.0).sqrt()).abs() < 1e-12);
        // With plenty of samples the cut is τ/2, and on twenty coordinates every degree is in reach.
        let reach = Reach::of(20, 0.5, 100_000).unwrap();
        assert_eq!((reach.degree, reach.n_characters), (20, 1 << 20));
        assert!((reach.cut - 0.25).abs() < 1e-12);
        // A light truth and few samples: not even single coordinates stand out.
        assert_eq!(Reach::of(16, 0.125, 400), None);
    }
}
