//! Label noise of real-valued families: random, or placed where it hurts most.
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Distance;
use crate::domain::{ConvexBody, Domain};
use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt, normal};

/// Most points that an adversary chooses around.
const MOST_POINTS: usize = 1000;

/// What is added to the truth to make a label.
///
/// A specification says `noise = 0.01` for uniform noise, or a table: `noise = { kind = "skewed", width = 0.01 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Noise {
    /// Uniform on [−width, width].
    Uniform {
        /// Largest noise; at least 0.
        width: f64,
    },
    /// Normal with mean 0. It has no bound, so no closeness but in mean square follows from it.
    Gaussian {
        /// Standard deviation; at least 0.
        deviation: f64,
    },
    /// `width (3u² − 1)/2` for u uniform on (0, 1): between −width/2 and width, with mean 0, variance width²/5 and skewness
    /// (2/35)·5^1.5 = 0.639.
    Skewed {
        /// Largest noise; at least 0.
        width: f64,
    },
    /// On the worst `mass` of the inputs around given points, `by`; elsewhere uniform on [−width, width].
    ///
    /// For a convex body K and a point p of it, K shrunk towards p, which is p + r (K − p), lies in K and has a share rⁿ of
    /// its volume exactly. It is the set of its mass that queries on rays towards p meet most often. With k points each gets
    /// a share `mass`/k by r = (`mass`/k)^{1/n}, so the mass in all is `mass` if the sets do not meet, and never more.
    Adversarial {
        /// Mass ε of the inputs that get the worst; between 0 and 1.
        mass: f64,
        /// What they get.
        by: f64,
        /// The points, in the body; a row each.
        around: Vec<Vec<f64>>,
        /// Largest noise elsewhere; at least 0.
        #[serde(default)]
        width: f64,
    },
}

impl From<f64> for Noise {
    fn from(width: f64) -> Self {
        Self::Uniform { width }
    }
}

impl Noise {
    /// Checks its numbers, and that it can be placed on `domain`.
    pub fn check(&self, domain: &Domain) -> Result<()> {
        let (Self::Uniform { width: size }
        | Self::Gaussian { deviation: size }
        | Self::Skewed { width: size }
        | Self::Adversarial { width: size, .. }) = self;
        if !(*size >= 0.0 && size.is_finite()) {
            return Err(Error::parameter("noise", size, "a number of at least 0 is needed"));
        }
        let Self::Adversarial { mass, by, around, .. } = self else { return Ok(()) };
        if !(*mass > 0.0 && *mass < 1.0) {
            return Err(Error::parameter("mass", mass, "a mass between 0 and 1 is needed"));
        }
        if !by.is_finite() {
            return Err(Error::parameter("by", by, "a finite number is needed"));
        }
        if domain.body().is_none() {
            let want = "the worst mass around a point is known exactly for convex bodies only";
            return Err(Error::parameter("noise", "adversarial", want));
        }
        if around.is_empty() || around.len() > MOST_POINTS {
            let want = format!("from 1 to {MOST_POINTS} points are needed");
            return Err(Error::parameter("around", format!("{} points", around.len()), want));
        }
        for (i, point) in around.iter().enumerate() {
            if point.len() != domain.n() {
                return Err(Error::Width { what: "around", want: domain.n(), got: point.len() });
            }
            if !domain.contains(point) {
                let want = "every point has to lie in the domain";
                return Err(Error::parameter("around", format!("point {i}"), want));
            }
        }
        Ok(())
    }

    /// How far labels are from the truth, exactly.
    pub fn distance(&self) -> Distance {
        let bounded = |width: f64, mean_square: f64| Distance {
            mass: 0.0,
            width,
            mean_square: Some(mean_square),
        };
        match self {
            Self::Uniform { width } => bounded(*width, width * width / 3.0),
            Self::Gaussian { deviation } if *deviation > 0.0 => {
                bounded(f64::INFINITY, deviation * deviation)
            }
            Self::Gaussian { .. } => Distance::ZERO,
            Self::Skewed { width } => bounded(*width, width * width / 5.0),
            Self::Adversarial { mass, by, around, width } => {
                let harmless = by.abs() <= *width;
                let mean_square = mass * by * by + (1.0 - mass) * width * width / 3.0;
                Distance {
                    mass: if harmless { 0.0 } else { *mass },
                    width: *width,
                    // Of several sets it is not known how far they overlap.
                    mean_square: (around.len() == 1).then_some(mean_square),
                }
            }
        }
    }

    /// Draws the noise of the label of `x`, an input on `body`.
    pub(super) fn draw(&self, x: &[f64], body: Option<&dyn ConvexBody>, rng: &mut Rng) -> f64 {
        match self {
            Self::Uniform { width } => uniform(*width, rng),
            Self::Gaussian { deviation } => deviation * normal(rng),
            Self::Skewed { width } => {
                width * f64::midpoint(3.0 * rng.random::<f64>().powi(2), -1.0)
            }
            Self::Adversarial { mass, by, around, width } => {
                let elsewhere = uniform(*width, rng);
                let share = mass / around.len() as f64;
                let hit =
                    |point: &Vec<f64>| body.is_some_and(|body| is_near(body, x, point, share));
                if around.iter().any(hit) { *by } else { elsewhere }
            }
        }
    }
}

fn uniform(width: f64, rng: &mut Rng) -> f64 {
    width * rng.random_range(-1.0..=1.0)
}

/// Whether `x` is in the body shrunk towards `point` to a share `share` of its volume.
fn is_near(body: &dyn ConvexBody, x: &[f64], point: &[f64], share: f64) -> bool {
    let way: Vec<f64> = x.iter().zip(point).map(|(x, p)| x - p).collect();
    if way.iter().all(|d| d.abs() <= 0.0) {
        return true;
    }
    body.exit(point, &way) >= share.powf(-1.0 / x.len() as f64)
}

impl Serialize for Noise {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Uniform { width } => serializer.serialize_f64(*width),
            // The derived function, not this one.
            _ => Self::serialize(self, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Noise {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrTable;
        impl<'de> Visitor<'de> for NumberOrTable {
            type Value = Noise;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, or a table with kind = \"uniform\", \"gaussian\", \"skewed\" or \"adversarial\"")
            }

            fn visit_f64<E>(self, width: f64) -> Result<Noise, E> {
                Ok(width.into())
            }

            fn visit_i64<E>(self, width: i64) -> Result<Noise, E> {
                Ok((width as f64).into())
            }

            fn visit_u64<E>(self, width: u64) -> Result<Noise, E> {
                Ok((width as f64).into())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Noise, A::Error> {
                Noise::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(NumberOrTable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Ellipsoid, EllipsoidSpec, Polytope, PolytopeSpec};
    use crate::rng::Seed;

    #[test]
    fn a_number_is_uniform_noise_and_a_table_says_its_kind() {
        let read = |text: &str| {
            let table: toml::Table = toml::from_str(&format!("noise = {text}")).unwrap();
            table["noise"].clone().try_into::<Noise>()
        };
        assert_eq!(read("0.25").unwrap(), Noise::Uniform { width: 0.25 });
        assert_eq!(read("0").unwrap(), Noise::Uniform { width: 0.0 });
        assert_eq!(read("{ kind = \"uniform\", width = 0.5 }").unwrap(), 0.5.into());
        let text = "{ kind = \"adversarial\", mass = 0.1, by = 9, around = [[0, 1]] }";
        let adversary = read(text).unwrap();
        let around = vec![vec![0.0, 1.0]];
        assert_eq!(adversary, Noise::Adversarial { mass: 0.1, by: 9.0, around, width: 0.0 });
        for noise in [Noise::Skewed { width: 0.5 }, adversary, 0.5.into()] {
            let json = serde_json::to_string(&noise).unwrap();
            assert_eq!(serde_json::from_str::<Noise>(&json).unwrap(), noise);
        }
        // What a number says stays a number: studies and model files of before keep their bytes.
        assert_eq!(serde_json::to_string(&Noise::from(0.5)).unwrap(), "0.5");
        let said = read("{ kind = \"skewed\", wide = 1 }").unwrap_err().to_string();
        assert!(said.contains("wide"), "{said}");
        assert!(read("\"loud\"").unwrap_err().to_string().contains("a number, or a table"));
    }

    #[test]
    fn random_noise_has_the_moments_and_the_bound_that_its_distance_says() {
        let n_draws = 200_000;
        for (noise, skewness) in [
            (Noise::Uniform { width: 2.0 }, 0.0),
            (Noise::Gaussian { deviation: 2.0 }, 0.0),
            (Noise::Skewed { width: 2.0 }, 2.0 / 35.0 * 5.0_f64.powf(1.5)),
        ] {
            let Distance { width, mean_square, .. } = noise.distance();
            let variance: f64 = mean_square.unwrap();
            let mut rng = Seed::new(2).stream("noise");
            let z: Vec<f64> = (0..n_draws)
                .map(|_| noise.draw(&[0.0], None, &mut rng))
                .inspect(|e| assert!(e.abs() <= width))
                .map(|e| e / variance.sqrt())
                .collect();
            let moment = |k: i32| z.iter().map(|z| z.powi(k)).sum::<f64>() / f64::from(n_draws);
            // Six standard errors of means of z, z² and z³; the normal law has the largest variances of them: 1, 2 and 15.
            // False alarm below 1e-8 each.
            let error = 6.0 / f64::from(n_draws).sqrt();
            assert!(moment(1).abs() < error, "{noise:?}: mean {}", moment(1));
            assert!((moment(2) - 1.0).abs() < error * 2.0_f64.sqrt(), "{noise:?}");
            assert!(
                (moment(3) - skewness).abs() < error * 15.0_f64.sqrt(),
                "{noise:?}: {}",
                moment(3)
            );
            // The bound is not loose: the largest of 200,000 draws comes within a thousandth of it.
            if width.is_finite() {
                let largest = z.iter().fold(0.0_f64, |most, z| most.max(z.abs()));
                assert!(largest * variance.sqrt() > 0.999 * width);
            }
        }
    }

    #[test]
    fn an_adversary_gets_exactly_its_mass_around_any_point_of_any_body() {
        // Hits are Binomial(20,000, ε): six standard deviations, false alarm below 1e-8 each.
        let (n, mass, n_draws) = (4, 0.03, 20_000);
        let ellipsoid =
            EllipsoidSpec { axes: Some(vec![1.0, 2.0, 9.0, 0.1]), ..Default::default() };
        let walls = PolytopeSpec {
            a: (0..=n)
                .map(|i| {
                    (0..n)
                        .map(|j| if i == n { 1.0 } else { -f64::from(u8::from(i == j)) })
                        .collect()
                })
                .collect(),
            b: vec![1.0; n + 1],
        };
        for domain in [
            Domain::Box { n },
            Domain::Ball { n },
            Domain::Simplex { n },
            Domain::Ellipsoid(Ellipsoid::new(ellipsoid).unwrap()),
            Domain::Polytope(Polytope::new(walls).unwrap()),
        ] {
            let body = domain.body().unwrap();
            let mut rng = Seed::new(3).stream("adversary");
            for point in
                [body.anchor(), body.farthest(&[1.0, 0.5, -2.0, 0.1]), body.sample(&mut rng)]
            {
                let noise = Noise::Adversarial { mass, by: 7.0, around: vec![point], width: 0.5 };
                noise.check(&domain).unwrap();
                let mut hits = 0;
                for _ in 0..n_draws {
                    let x = body.sample(&mut rng);
                    let error = noise.draw(&x, Some(&*body), &mut rng);
                    hits += u32::from(error > 6.0);
                    assert!(error > 6.0 || error.abs() <= 0.5);
                }
                let (want, deviation) =
                    (f64::from(n_draws) * mass, (f64::from(n_draws) * mass * (1.0 - mass)).sqrt());
                assert!((f64::from(hits) - want).abs() < 6.0 * deviation, "{domain:?}: {hits}");
                // ε · 49 + (1 − ε) / 12.
                let mean_square = noise.distance().mean_square.unwrap();
                assert!((mean_square - (0.03 * 49.0 + 0.97 / 12.0)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn several_points_share_the_mass_and_impossible_ones_are_refused() {
        // Opposite corners of the square, a quarter of the mass each on [−1, 1]²: two squares of side 1 that do not meet.
        let domain = Domain::Box { n: 2 };
        let around = vec![vec![1.0, 1.0], vec![-1.0, -1.0]];
        let noise = Noise::Adversarial { mass: 0.5, by: 1.0, around, width: 0.0 };
        let body = domain.body().unwrap();
        let mut rng = Seed::new(4).stream("corners");
        for (x, want) in [
            ([0.5, 0.1], 1.0),
            ([-0.1, -0.9], 1.0),
            ([0.5, -0.1], 0.0),
            ([-0.1, 0.1], 0.0),
            ([1.0, 1.0], 1.0),
        ] {
            assert!((noise.draw(&x, Some(&*body), &mut rng) - want).abs() < 1e-12, "{x:?}");
        }
        assert_eq!(noise.distance(), Distance { mass: 0.5, width: 0.0, mean_square: None });
        let at = |mass: f64, by: f64, around: Vec<Vec<f64>>| Noise::Adversarial {
            mass,
            by,
            around,
            width: 0.0,
        };
        for (noise, want) in [
            (at(1.0, 1.0, vec![vec![0.0; 2]]), "mass = 1"),
            (at(f64::NAN, 1.0, vec![vec![0.0; 2]]), "mass = NaN"),
            (at(0.1, f64::INFINITY, vec![vec![0.0; 2]]), "by = inf"),
            (at(0.1, 1.0, vec![vec![0.0, 1.5]]), "point 0"),
            (at(0.1, 1.0, vec![vec![0.0, f64::NAN]]), "point 0"),
            (at(0.1, 1.0, vec![vec![0.0]]), "width 2 wanted"),
            (at(0.1, 1.0, Vec::new()), "0 points"),
            (Noise::Gaussian { deviation: f64::NAN }, "noise = NaN"),
            (Noise::Skewed { width: -1.0 }, "noise = -1"),
        ] {
            let said = noise.check(&domain).unwrap_err().to_string();
            assert!(said.contains(want), "{said}; wanted: {want}");
        }
        let said = at(0.1, 1.0, vec![vec![0.0; 2]]).check(&Domain::Gauss { n: 2 }).unwrap_err();
        assert!(said.to_string().contains("convex bodies only"), "{said}");
    }
}
