//! Blending: the input is mixed with a pattern.
use serde::{Deserialize, Serialize};

use super::Movement;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt};

/// `(1 − share) x + share · pattern`: inside every convex domain that holds the pattern.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blend {
    /// A number a coordinate.
    pub pattern: Vec<f64>,
    /// Share of the pattern, above 0 and at most 1.
    pub share: f64,
}

impl Movement for Blend {
    fn width(&self, _: usize) -> Result<usize> {
        check_share("share", self.share)?;
        Ok(self.pattern.len())
    }

    fn apply(&self, x: Vec<f64>, _: &Domain, _: &mut Rng) -> Result<Vec<f64>> {
        let mix = |(x, p): (&f64, &f64)| (1.0 - self.share) * x + self.share * p;
        Ok(x.iter().zip(&self.pattern).map(mix).collect())
    }
}

/// Each of some coordinates is set with a probability, independently: blending where a mean of two points is no point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sprinkle {
    /// Which.
    pub coordinates: Vec<usize>,
    /// To what.
    pub values: Vec<f64>,
    /// With which probability, above 0 and at most 1.
    pub probability: f64,
}

impl Movement for Sprinkle {
    fn width(&self, n: usize) -> Result<usize> {
        check_share("probability", self.probability)?;
        super::overwrite::width(&self.coordinates, &self.values, n)
    }

    fn apply(&self, mut x: Vec<f64>, _: &Domain, rng: &mut Rng) -> Result<Vec<f64>> {
        for (&i, &value) in self.coordinates.iter().zip(&self.values) {
            if rng.random::<f64>() < self.probability {
                x[i] = value;
            }
        }
        Ok(x)
    }
}

fn check_share(name: &'static str, share: f64) -> Result<()> {
    if share > 0.0 && share <= 1.0 {
        return Ok(());
    }
    Err(Error::parameter(name, share, "a number above 0 and at most 1 is needed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn sprinkled_coordinates_are_set_as_often_as_said_and_others_never() {
        // 20000 coins of probability (1 + 0.6)/2 = 0.8 from a random start: six deviations are 0.017.
        let domain = Domain::Cube { n: 4 };
        let sprinkle =
            Sprinkle { coordinates: vec![1, 3], values: vec![1.0, -1.0], probability: 0.6 };
        let mut rng = Seed::new(1).stream("test");
        let mut hits = [0; 2];
        for _ in 0..20_000 {
            let x = domain.sample(&mut rng).unwrap();
            let y = sprinkle.apply(x.clone(), &domain, &mut rng).unwrap();
            assert!((x[0], x[2]) == (y[0], y[2]) && domain.contains(&y));
            hits[0] += usize::from(y[1] > 0.0);
            hits[1] += usize::from(y[3] < 0.0);
        }
        assert!(hits.iter().all(|h| (*h as f64 / 20_000.0 - 0.8).abs() < 0.017), "{hits:?}");
        for probability in [0.0, f64::NAN, 1.1] {
            assert!(Sprinkle { probability, ..sprinkle.clone() }.width(4).is_err());
        }
    }
}
