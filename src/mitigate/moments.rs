//! Sizes of products of orthonormal polynomials: moments, largest values, and tails under normal inputs.
//!
//! Two facts about polynomials h of degree at most d in independent standard normal coordinates are used, both from Nelson's
//! hypercontractivity (Janson, "Gaussian Hilbert Spaces", 1997, Theorem 5.10; O'Donnell, "Analysis of Boolean Functions", 2014,
//! chapter 11): `‖h‖_q ≤ (q − 1)^{d/2} ‖h‖₂` for q ≥ 2. So `‖h‖₄ ≤ 3^{d/2} ‖h‖₂`, and clipping h at B changes it by little: for
//! q > 2, by Markov's inequality, `E (|h| − B)₊² ≤ c_q E|h|^q / B^{q−2}` with `c_q = (2/q)² (1 − 2/q)^{q−2}`, the largest value of
//! `(s − 1)²/s^q`.
use crate::fourier::{Polynomials, total};

/// `E p_k^{2r}` for the polynomial of degree k, under its own distribution.
pub(super) fn even_moment(basis: Polynomials, degree: u32, r: u32) -> f64 {
    let one = basis.powers(degree);
    let mut all = vec![1.0];
    for _ in 0..2 * r {
        let mut next = vec![0.0; all.len() + one.len() - 1];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in one.iter().enumerate() {
                next[i + j] += a * b;
            }
        }
        all = next;
    }
    let moment = |k: usize| match (k % 2, basis) {
        (1, _) => 0.0,
        (_, Polynomials::Hermite) => (1..k).step_by(2).map(|j| j as f64).product(),
        (_, Polynomials::Legendre) => (k as f64 + 1.0).recip(),
    };
    all.iter().enumerate().map(|(k, c)| c * moment(k)).sum()
}

/// The least M for which these moments show `E φ² 1{|φ| > M} ≤ tail²`, for the product φ of Hermite's polynomials of these degrees:
/// by Markov's inequality `E φ² 1{|φ| > M} ≤ E φ^{2r} / M^{2r−2}`.
pub(super) fn cut(degrees: &[(usize, u32)], tail: f64) -> f64 {
    /// Moments beyond this lose digits to cancellation, and gain little.
    const MOST_MOMENT: u32 = 9;
    let least = |r: u32| {
        let moment: f64 =
            degrees.iter().map(|(_, k)| even_moment(Polynomials::Hermite, *k, r)).product();
        (moment / (tail * tail)).powf(1.0 / f64::from(2 * r - 2))
    };
    (2..=MOST_MOMENT).map(least).fold(f64::INFINITY, f64::min)
}

/// `‖φ‖₄` of a product of Hermite's polynomials.
pub(super) fn fourth_norm(degrees: &[(usize, u32)]) -> f64 {
    let fourth = degrees.iter().map(|(_, k)| even_moment(Polynomials::Hermite, *k, 2));
    fourth.product::<f64>().powf(0.25)
}

/// `sup |φ|` of a product of Legendre's polynomials: `Π √(2k + 1)`, at a corner.
pub(super) fn supremum(degrees: &[(usize, u32)]) -> f64 {
    degrees.iter().map(|(_, k)| f64::from(2 * k + 1).sqrt()).product()
}

/// The least B at which clipping changes no polynomial of degree at most `degree` and root mean square at most `norm` by more than
/// `tail` in root mean square, as far as the bound above shows.
pub(super) fn clip_at(degree: u32, norm: f64, tail: f64) -> f64 {
    let least = |q: f64| {
        let c = (2.0 / q).powi(2) * (1.0 - 2.0 / q).powf(q - 2.0);
        // Logarithms: the powers themselves overflow.
        let top = c.ln() + q * (f64::from(degree) / 2.0 * (q - 1.0).ln() + norm.ln());
        ((top - 2.0 * tail.ln()) / (q - 2.0)).exp()
    };
    (6..200).map(|i| least(f64::from(i) / 2.0)).fold(f64::INFINITY, f64::min)
}

/// One product of every kind of total degree at most `degree` in `n` coordinates: the degrees of its factors, sorted.
pub(super) fn kinds(n: usize, degree: u32) -> Vec<Vec<(usize, u32)>> {
    fn extend(from: &[(usize, u32)], n: usize, left: u32, all: &mut Vec<Vec<(usize, u32)>>) {
        all.push(from.to_vec());
        if from.len() == n {
            return;
        }
        let most = from.last().map_or(left, |(_, k)| *k).min(left);
        for k in 1..=most {
            let more: Vec<(usize, u32)> = from.iter().copied().chain([(from.len(), k)]).collect();
            extend(&more, n, left - k, all);
        }
    }
    let mut all = Vec::new();
    extend(&[], n, degree, &mut all);
    debug_assert!(all.iter().all(|degrees| total(degrees) <= degree));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Seed, normal};

    #[test]
    fn moments_are_those_of_normal_and_uniform_numbers() {
        // E x⁴ = 3, E ((x² − 1)/√2)⁴ = 60/4, E (√3 u)⁴ = 9/5.
        for (basis, k, want) in [
            (Polynomials::Hermite, 1, 3.0),
            (Polynomials::Hermite, 2, 15.0),
            (Polynomials::Legendre, 1, 1.8),
            (Polynomials::Hermite, 0, 1.0),
        ] {
            assert!((even_moment(basis, k, 2) - want).abs() < 1e-9, "{basis:?} {k}");
            assert!((even_moment(basis, k, 1) - 1.0).abs() < 1e-9);
        }
        assert!((fourth_norm(&[(0, 2), (3, 1)]) - 45.0_f64.powf(0.25)).abs() < 1e-9);
        assert!((supremum(&[(0, 2), (3, 1)]) - 15.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn cuts_and_clips_keep_the_tails_that_they_are_for() {
        // Samples of 200,000: the tails are far below what is allowed, so a sample that exceeds it is no accident.
        let mut rng = Seed::new(3).stream("tails");
        let n = 200_000;
        let (m, b) = (cut(&[(0, 2)], 0.05), clip_at(2, 1.0, 0.05));
        let (mut cut_off, mut clipped) = (0.0, 0.0);
        for _ in 0..n {
            let x = normal(&mut rng);
            let value = (x * x - 1.0) / std::f64::consts::SQRT_2;
            cut_off += if value.abs() > m { value * value } else { 0.0 };
            clipped += (value.abs() - b).max(0.0).powi(2);
        }
        assert!(cut_off / f64::from(n) <= 0.05_f64.powi(2), "{m}: {cut_off}");
        assert!(clipped / f64::from(n) <= 0.05_f64.powi(2), "{b}: {clipped}");
        assert!(m < 30.0 && b < 30.0, "{m} {b}");
    }

    #[test]
    fn kinds_are_partitions() {
        // Partitions of 0, …, 4 into at most 3 parts: 1 + 1 + 2 + 3 + 4.
        assert_eq!(kinds(3, 4).len(), 11);
        assert_eq!(kinds(1, 4).len(), 5);
    }
}
