//! The phase statistic of numbers: how far they lie near the multiples of some spacing.

/// Frequencies that are tried.
pub(super) const N_STEPS: usize = 320;
/// The least frequency and the step between them, for numbers scaled to deviation 1: up to 40, beyond 2√n at n = 256. The
/// peak of normal numbers on a lattice is about 1/(2π) ≈ 0.16 wide.
const STEP: f64 = 0.125;
/// Where the scan begins: below, a normal law has a large |E exp(2πi γ z)| = exp(−2π²γ²) by itself (0.007 at a half).
const FIRST: f64 = 0.5;

/// The largest `|mean of exp(2πi γ z)|` over the frequencies, z being `values` divided by their deviation from 0.
pub(super) fn largest(values: &[f64]) -> f64 {
    let square = values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64;
    if square < 1e-280 {
        return 0.0;
    }
    let turn = |v: &f64, gamma: f64| (std::f64::consts::TAU * gamma * v / square.sqrt()).sin_cos();
    // One turn of a step for each number; then products, and not sines.
    let mut now: Vec<(f64, f64)> = values.iter().map(|v| turn(v, FIRST)).collect();
    let step: Vec<(f64, f64)> = values.iter().map(|v| turn(v, STEP)).collect();
    let mut most = 0.0_f64;
    for _ in 0..N_STEPS {
        let (s, c) = now.iter().fold((0.0, 0.0), |(s, c), (ds, dc)| (s + ds, c + dc));
        most = most.max(f64::hypot(s, c) / values.len() as f64);
        for ((s, c), (ds, dc)) in now.iter_mut().zip(&step) {
            (*s, *c) = (*s * dc + *c * ds, *c * dc - *s * ds);
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Seed, normal};

    #[test]
    fn numbers_near_a_lattice_have_a_phase_and_normal_ones_have_none() {
        let mut rng = Seed::new(1).stream("numbers");
        let plain: Vec<f64> = (0..400).map(|_| normal(&mut rng)).collect();
        // At the nearest frequency, off by at most 1/16: normal numbers then lose no more than exp(−2π²/256) = 0.926.
        let spaced: Vec<f64> = plain.iter().map(|z| (z * 7.3).round() / 7.3).collect();
        assert!(largest(&spaced) > 0.85, "{}", largest(&spaced));
        // Rayleigh: over 320 frequencies 4.9/√400 is passed with probability 320 exp(−24) < 2e-8.
        assert!(largest(&plain) < 0.245, "{}", largest(&plain));
    }
}
