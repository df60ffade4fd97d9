//! Exact moments of domains: E Π xᵢ^kᵢ, where it has a closed form.
use super::Domain;

impl Domain {
    /// The mean of `Π xᵢ^kᵢ` over the listed pairs (i, k), exactly; `None` where there is no closed form here.
    ///
    /// Every coordinate is listed at most once, and lies in the domain. Coordinates that are not listed have power 0.
    ///
    /// * cube: 1 if all powers are even, else 0;
    /// * box: Π 1/(k + 1) if all are even, else 0;
    /// * standard normal: Π (k − 1)!! if all are even, else 0;
    /// * ball: Π (k − 1)!! / ((n + 2)(n + 4) … (n + K)) with K = Σ k, if all are even, else 0;
    /// * simplex: Π k! / ((n + 1)(n + 2) … (n + K)), the moments of Dirichlet's law.
    ///
    /// ```
    /// use absolve::domain::Domain;
    /// assert_eq!(Domain::Ball { n: 3 }.moment(&[(0, 2)]), Some(0.2));
    /// assert_eq!(Domain::Gauss { n: 2 }.moment(&[(0, 4), (1, 2)]), Some(3.0));
    /// ```
    pub fn moment(&self, powers: &[(usize, u32)]) -> Option<f64> {
        let even = powers.iter().all(|(_, k)| k % 2 == 0);
        let total: u32 = powers.iter().map(|(_, k)| k).sum();
        let product = |of: &dyn Fn(u32) -> f64| powers.iter().map(|(_, k)| of(*k)).product::<f64>();
        let odd_factorial = |k: u32| (1..k).step_by(2).map(f64::from).product::<f64>();
        let n = self.n() as f64;
        match self {
            Self::Cube { .. } | Self::Box { .. } | Self::Gauss { .. } | Self::Ball { .. }
                if !even =>
            {
                Some(0.0)
            }
            Self::Cube { .. } => Some(1.0),
            Self::Box { .. } => Some(product(&|k| (f64::from(k) + 1.0).recip())),
            Self::Gauss { .. } => Some(product(&odd_factorial)),
            Self::Ball { .. } => {
                let below: f64 = (1..=total / 2).map(|j| n + 2.0 * f64::from(j)).product();
                Some(product(&odd_factorial) / below)
            }
            Self::Simplex { .. } => {
                let below: f64 = (1..=total).map(|j| n + f64::from(j)).product();
                Some(product(&|k| (1..=k).map(f64::from).product()) / below)
            }
            Self::Ellipsoid(_)
            | Self::Polytope(_)
            | Self::Torus { .. }
            | Self::Residues { .. }
            | Self::Range { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn moments_are_the_means_of_samples() {
        // Each moment is a mean of 40,000 samples, six standard errors (estimated from a moment of twice the powers, which
        // the same closed form gives): false alarm below 1e-8 each.
        let n = 4;
        let draws = 40_000;
        for domain in [
            Domain::Cube { n },
            Domain::Box { n },
            Domain::Ball { n },
            Domain::Simplex { n },
            Domain::Gauss { n },
        ] {
            let mut rng = Seed::new(8).stream("moments");
            let xs: Vec<Vec<f64>> = (0..draws).map(|_| domain.sample(&mut rng).unwrap()).collect();
            for powers in [
                vec![(0, 1)],
                vec![(1, 2)],
                vec![(0, 1), (2, 1)],
                vec![(0, 2), (3, 2)],
                vec![(2, 3)],
                vec![(0, 4), (1, 1)],
                vec![(0, 2), (1, 2), (2, 2)],
            ] {
                let value = |x: &Vec<f64>| -> f64 {
                    powers.iter().map(|(i, k): &(usize, u32)| x[*i].powi(*k as i32)).product()
                };
                let mean = xs.iter().map(value).sum::<f64>() / f64::from(draws);
                let want = domain.moment(&powers).unwrap();
                let doubled: Vec<(usize, u32)> = powers.iter().map(|(i, k)| (*i, 2 * k)).collect();
                let error = (domain.moment(&doubled).unwrap() / f64::from(draws)).sqrt();
                assert!((mean - want).abs() < 6.0 * error, "{domain:?} {powers:?}: {mean}, {want}");
            }
        }
    }

    #[test]
    fn moments_without_a_closed_form_are_not_made_up() {
        assert_eq!(Domain::Range { n: 2, low: 0.0, high: 1.0 }.moment(&[(0, 1)]), None);
    }
}
