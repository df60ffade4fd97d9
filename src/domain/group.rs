//! The two groups that are no cube and no body: the torus [0, 1)^n, and `Z_m^n` as the whole numbers from 0 to m − 1.
use super::TOLERANCE;
use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt};

/// Largest modulus: frequencies times residues stay far from where integers overflow.
pub(super) const MOST_MODULUS: u32 = 1 << 16;

/// Draws a point of the torus, uniformly.
pub(super) fn sample_torus(n: usize, rng: &mut Rng) -> Vec<f64> {
    (0..n).map(|_| rng.random::<f64>()).collect()
}

/// Draws a point of `Z_m^n`, uniformly.
pub(super) fn sample_residues(n: usize, modulus: u32, rng: &mut Rng) -> Vec<f64> {
    (0..n).map(|_| f64::from(rng.random_range(0..modulus))).collect()
}

/// Whether every coordinate lies on [0, 1], up to rounding. The end 1 is the same point as 0.
pub(super) fn on_torus(x: &[f64]) -> bool {
    x.iter().all(|x| (-TOLERANCE..=1.0 + TOLERANCE).contains(x))
}

/// Whether every coordinate is one of 0, …, m − 1, up to rounding.
pub(super) fn are_residues(x: &[f64], modulus: u32) -> bool {
    let last = f64::from(modulus.saturating_sub(1));
    x.iter().all(|x| (x - x.round().clamp(0.0, last)).abs() <= TOLERANCE)
}

/// Checks that a modulus is usable.
pub(super) fn check_modulus(modulus: u32) -> Result<()> {
    if (2..=MOST_MODULUS).contains(&modulus) {
        return Ok(());
    }
    let want = format!("a whole number from 2 to {MOST_MODULUS} is needed");
    Err(Error::parameter("modulus", modulus, want))
}

#[cfg(test)]
mod tests {
    use crate::domain::Domain;
    use crate::rng::Seed;

    #[test]
    fn groups_are_sampled_uniformly_and_hold_what_they_should() {
        const DRAWS: usize = 40_000;
        let mut rng = Seed::new(1).stream("groups");
        let torus = Domain::Torus { n: 3 };
        let residues = Domain::Residues { n: 3, modulus: 5 };
        let mut moments = [0.0; 4];
        let mut counts = [0_usize; 5];
        for _ in 0..DRAWS {
            let x = torus.sample(&mut rng).unwrap();
            assert!(torus.contains(&x) && x.iter().all(|x| (0.0..1.0).contains(x)));
            let angle = std::f64::consts::TAU * (x[0] + x[1]);
            moments[0] += x[2] / DRAWS as f64;
            moments[1] += x[2] * x[2] / DRAWS as f64;
            moments[2] += angle.cos() / DRAWS as f64;
            moments[3] += angle.sin() / DRAWS as f64;
            let r = residues.sample(&mut rng).unwrap();
            assert!(residues.contains(&r));
            counts[r[1] as usize] += 1;
        }
        // Means 1/2, 1/3, 0, 0 of numbers of standard deviation at most 0.71: six standard errors are below 0.0213. A
        // residue comes up 8,000 times, standard deviation 80. False alarm below 1e-8 each.
        for (got, want) in moments.iter().zip([0.5, 1.0 / 3.0, 0.0, 0.0]) {
            assert!((got - want).abs() < 0.0213, "{moments:?}");
        }
        assert!(counts.iter().all(|c| c.abs_diff(8000) < 480), "{counts:?}");
        assert!(!torus.contains(&[0.5, 1.1, 0.5]) && !torus.contains(&[-0.1, 0.0, 0.0]));
        assert!(!torus.contains(&[f64::NAN, 0.0, 0.0]));
        assert!(!residues.contains(&[0.0, 5.0, 1.0]) && !residues.contains(&[0.5, 0.0, 0.0]));
        assert!(!residues.contains(&[-1.0, 0.0, 0.0]) && !residues.contains(&[f64::NAN; 3]));
    }

    #[test]
    fn a_modulus_below_two_is_refused() {
        for modulus in [0, 1, 70_000] {
            let error = Domain::Residues { n: 2, modulus }.check().unwrap_err();
            assert!(error.to_string().contains(&format!("modulus = {modulus}")), "{error}");
        }
        assert!(Domain::Torus { n: 0 }.check().is_err());
    }
}
