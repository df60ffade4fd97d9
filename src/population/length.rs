//! Whether a normal input is long: what a net of random `ReLU` features without a trained layer can learn.
//!
//! x ~ N(0, I) in n dimensions; the label is +1 where |x|² is above the median of the chi-squared distribution with n degrees of
//! freedom, else −1. The learner of the `random-relu` attack knows nothing about an input but its length, so this is
//! the kind of task on which its nets, honest or planted, are any good.
use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::signs::Signs;
use super::{Flips, Population, Promise, Truth, World};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::Seed;

/// Normal inputs that are long, +1, or short, −1, with equal probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LengthFamily {
    /// Dimension.
    pub n: usize,
    /// Probability that a label is flipped; below 1/2.
    pub noise: f64,
}

impl Default for LengthFamily {
    fn default() -> Self {
        Self { n: 64, noise: 0.0 }
    }
}

impl LengthFamily {
    pub(super) fn world(&self) -> Result<World> {
        let domain = Domain::Gauss { n: self.n };
        domain.check()?;
        self.flips().check(self.n)?;
        Ok(World { domain, target: Target::Sign, promise: Promise::Nothing, cutoff: 0.5 })
    }

    pub(super) fn build(&self, seed: Seed) -> Result<Box<dyn Population>> {
        let world = self.world()?;
        let law = ChiSquared::new(self.n as f64)
            .map_err(|error| Error::parameter("n", self.n, error.to_string()))?;
        let truth = Truth::Length { square: law.inverse_cdf(0.5) };
        Ok(Box::new(Signs::new(world, truth, &self.flips(), seed)))
    }

    fn flips(&self) -> Flips {
        self.noise.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::{Cursor, Part};

    #[test]
    fn half_of_the_inputs_are_long_and_the_label_says_which() {
        // The medians of the chi-squared distribution, from tables.
        for (n, noise, median) in [(1, 0.0, 0.4549), (5, 0.0, 4.3515), (64, 0.1, 63.334)] {
            let population = LengthFamily { n, noise }.build(Seed::new(n as u64)).unwrap();
            let mut cursor = Cursor::new(Seed::new(7).stream("draw"));
            let drawn = population.draw(Part::Test, 20_000, &mut cursor).unwrap();
            let truth = population.truth().unwrap().at(&drawn.xs);
            let n_long = truth.iter().filter(|y| **y > 0.0).count();
            let flipped = (&truth - &drawn.ys).iter().filter(|d| d.abs() > 0.0).count();
            // Binomial, 20,000 draws: six standard deviations.
            let six = |p: f64| 6.0 * (20_000.0 * p * (1.0 - p)).sqrt();
            assert!((n_long as f64 - 10_000.0).abs() <= six(0.5), "{n}: {n_long}");
            assert!((flipped as f64 - 20_000.0 * noise).abs() <= six(noise), "{n}: {flipped}");
            let squares = drawn.xs.rows().into_iter().map(|x| x.dot(&x)).zip(&truth);
            let longest_short =
                squares.filter(|(_, y)| **y < 0.0).map(|(s, _)| s).fold(0.0, f64::max);
            assert!(
                longest_short <= median + 1e-3 && longest_short > 0.95 * median,
                "{longest_short}"
            );
        }
    }

    #[test]
    fn parameters_out_of_range_are_named() {
        for (family, name) in [
            (LengthFamily { n: 0, noise: 0.0 }, "n = 0"),
            (LengthFamily { n: 4, noise: 0.5 }, "noise = 0.5"),
            (LengthFamily { n: 4, noise: f64::NAN }, "noise = NaN"),
        ] {
            assert!(family.world().unwrap_err().to_string().contains(name), "{family:?}");
        }
    }
}
