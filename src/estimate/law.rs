//! Laws of good values, and where outliers stand.
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt, sign};
use crate::robust::Spread;

/// The law of the good part, moved and scaled to mean 0 and to the bar [−1, 1].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// Uniform on [−1, 1].
    Uniform,
    /// ±1 with equal probability: no mass near its median.
    Coin,
    /// 1 with probability 0.1, else −1/9: skewed, with the median at the lower value.
    Bernoulli,
    /// Beta(1, 9), whose mean is 0.1, moved and scaled by 0.9.
    Beta,
    /// Exponential, cut off at 5 means, moved and scaled.
    Exponential,
}

/// Where outliers stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outliers {
    /// All at 10⁶.
    Far,
    /// At 10⁶ or −10⁶ with equal probability.
    FarTwoSided,
    /// At 1, the upper end of the bar: nothing tells them from good values.
    Edge,
}

/// How far the far ones are, in bars.
const FAR: f64 = 1e6;
/// Where the exponential is cut off.
const CUT: f64 = 5.0;

impl Law {
    /// All laws with their names.
    pub const ALL: [(&'static str, Self); 5] = [
        ("uniform", Self::Uniform),
        ("coin", Self::Coin),
        ("bernoulli", Self::Bernoulli),
        ("beta", Self::Beta),
        ("exponential", Self::Exponential),
    ];

    /// The law called `name`.
    pub fn named(name: &str) -> Result<Self> {
        named("law", &Self::ALL, name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        name_of(&Self::ALL, self)
    }

    /// What is known of its shape.
    pub fn spread(self) -> Spread {
        match self {
            Self::Uniform | Self::Coin => Spread::Symmetric,
            Self::Bernoulli | Self::Beta | Self::Exponential => Spread::Any,
        }
    }

    /// One value.
    pub fn draw(self, rng: &mut Rng) -> f64 {
        match self {
            Self::Uniform => 2.0 * rng.random::<f64>() - 1.0,
            Self::Coin => sign(rng),
            Self::Bernoulli => {
                if rng.random::<f64>() < 0.1 {
                    1.0
                } else {
                    -1.0 / 9.0
                }
            }
            // By the inverse of the distribution function.
            Self::Beta => {
                let x = 1.0 - (1.0 - rng.random::<f64>()).powf(1.0 / 9.0);
                (x - 0.1) / 0.9
            }
            Self::Exponential => {
                let cut = 1.0 - (-CUT).exp();
                let x = -(-rng.random::<f64>() * cut).ln_1p();
                (x - exponential_mean()) / (CUT - exponential_mean())
            }
        }
    }

    /// P[a value is at most `at`], for `at` in [−1, 1].
    pub fn at_most(self, at: f64) -> f64 {
        match self {
            Self::Uniform => f64::midpoint(1.0, at),
            Self::Coin if at < 1.0 => 0.5,
            Self::Bernoulli if at < -1.0 / 9.0 => 0.0,
            Self::Bernoulli if at < 1.0 => 0.9,
            Self::Coin | Self::Bernoulli => 1.0,
            Self::Beta => 1.0 - (1.0 - (0.1 + 0.9 * at).clamp(0.0, 1.0)).powi(9),
            Self::Exponential => {
                let x = exponential_mean() + at * (CUT - exponential_mean());
                ((1.0 - (-x).exp()) / (1.0 - (-CUT).exp())).clamp(0.0, 1.0)
            }
        }
    }
}

impl Outliers {
    /// All places with their names.
    pub const ALL: [(&'static str, Self); 3] =
        [("far", Self::Far), ("far-two-sided", Self::FarTwoSided), ("edge", Self::Edge)];

    /// The place called `name`.
    pub fn named(name: &str) -> Result<Self> {
        named("place of outliers", &Self::ALL, name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        name_of(&Self::ALL, self)
    }

    /// One outlier.
    pub fn draw(self, rng: &mut Rng) -> f64 {
        match self {
            Self::Far => FAR,
            Self::FarTwoSided => FAR * sign(rng),
            Self::Edge => 1.0,
        }
    }

    /// The share of outliers that are at most a value of the bar below its upper end.
    pub fn below(self) -> f64 {
        match self {
            Self::Far | Self::Edge => 0.0,
            Self::FarTwoSided => 0.5,
        }
    }
}

/// The mean of the exponential that is cut off: 1 − 5 e⁻⁵ / (1 − e⁻⁵).
fn exponential_mean() -> f64 {
    1.0 - CUT * (-CUT).exp() / (1.0 - (-CUT).exp())
}

fn named<T: Copy>(kind: &'static str, all: &[(&'static str, T)], name: &str) -> Result<T> {
    let found = all.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, it)| *it)
        .ok_or_else(|| Error::unknown(kind, name, all.iter().map(|(known, _)| *known)))
}

fn name_of<T: Copy + PartialEq>(all: &[(&'static str, T)], it: T) -> &'static str {
    all.iter().find(|(_, other)| *other == it).map_or("?", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn laws_have_mean_0_in_the_bar_and_are_spread_as_they_say() {
        // 40,000 draws in a bar of half-width 1: six standard errors are at most 0.03; a share has 0.015.
        let n = 40_000;
        for (name, law) in Law::ALL {
            let mut rng = Seed::new(3).stream(name);
            let values: Vec<f64> = (0..n).map(|_| law.draw(&mut rng)).collect();
            let mean = values.iter().sum::<f64>() / f64::from(n);
            assert!(mean.abs() < 0.03, "{name}: {mean}");
            assert!(values.iter().all(|v| v.abs() <= 1.0 + 1e-12), "{name}");
            for at in [-0.9, -0.3, -0.05, 0.0, 0.4, 0.99] {
                let share = values.iter().filter(|v| **v <= at).count() as f64 / f64::from(n);
                assert!((share - law.at_most(at)).abs() < 0.015, "{name} at {at}: {share}");
            }
            assert_eq!(Law::named(name).unwrap().name(), name);
        }
        assert!(Law::named("unifrom").unwrap_err().to_string().contains("uniform"));
    }
}
