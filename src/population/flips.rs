//! Label noise of sign-valued families: flips of random labels, or of the worst ones.
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Distance;
use crate::error::{Error, Result};
use crate::fourier::vertex;
use crate::rng::{Rng, RngExt, Seed, sign};

/// Most points that an adversary chooses around.
const MOST_POINTS: usize = 1000;

/// Largest cube whose vertices are listed to see how far balls meet.
const MAX_LISTED: usize = 16;

/// Which labels have their signs changed.
///
/// A specification says `noise = 0.1` for random flips, or a table: `noise = { kind = "adversarial", mass = 0.01, around = 1 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Flips {
    /// Each label with this probability, whatever its input.
    Random {
        /// A probability below 1/2.
        probability: f64,
    },
    /// All labels of the worst `mass` of the inputs around given points, and no others.
    ///
    /// Around each of k points a Hamming ball gets a share `mass`/k. The mass of a ball of radius r is `Σ_{i ≤ r} C(n, i) / 2^n`
    /// and nothing between, so r is the largest radius whose ball is not heavier than the share: the balls together have
    /// the largest mass of this kind that is at most `mass`. What it is, the population's [`Distance`] says.
    Adversarial {
        /// Largest mass of the inputs whose labels are flipped; below 1/2, and at least a vertex a point.
        mass: f64,
        /// The points.
        around: Around,
    },
}

/// The points that an adversary chooses around.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number of points to draw at random, or a list of vertices")]
pub enum Around {
    /// So many vertices, drawn uniformly with the population.
    Random(usize),
    /// These vertices, as −1 and +1.
    Points(Vec<Vec<f64>>),
}

impl From<f64> for Flips {
    fn from(probability: f64) -> Self {
        Self::Random { probability }
    }
}

impl Flips {
    /// Checks its numbers for a cube of `n` dimensions.
    pub fn check(&self, n: usize) -> Result<()> {
        let (mass, around) = match self {
            Self::Random { probability } if (0.0..0.5).contains(probability) => return Ok(()),
            Self::Random { probability } => {
                let want = "a probability below 1/2 is needed";
                return Err(Error::parameter("noise", probability, want));
            }
            Self::Adversarial { mass, around } => (*mass, around),
        };
        if !(mass > 0.0 && mass < 0.5) {
            return Err(Error::parameter("mass", mass, "a mass between 0 and 1/2 is needed"));
        }
        let n_points = match around {
            Around::Random(n_points) => *n_points,
            Around::Points(points) => points.len(),
        };
        if n_points == 0 || n_points > MOST_POINTS {
            let want = format!("from 1 to {MOST_POINTS} points are needed");
            return Err(Error::parameter("around", format!("{n_points} points"), want));
        }
        if let Around::Points(points) = around {
            for (i, point) in points.iter().enumerate() {
                if point.len() != n {
                    return Err(Error::Width { what: "around", want: n, got: point.len() });
                }
                if point.iter().any(|x| !(x.abs() - 1.0).abs().le(&0.0)) {
                    let want = "a vertex of the cube has the coordinates −1 and +1";
                    return Err(Error::parameter("around", format!("point {i}"), want));
                }
            }
        }
        let share = mass / n_points as f64;
        let vertex = (-(n as f64)).exp2();
        if share < vertex {
            let want = format!(
                "a vertex has the mass 2^-{n} = {vertex:.3e}, and each of {n_points} points needs one"
            );
            return Err(Error::parameter("mass", mass, want));
        }
        Ok(())
    }

    /// Fixes what is left to chance about the places, for a cube of `n` dimensions. Numbers have been checked.
    pub(super) fn place(&self, n: usize, seed: Seed) -> Placed {
        match self {
            Self::Random { probability } => Placed::Anywhere(*probability),
            Self::Adversarial { mass, around } => {
                let mut rng = seed.stream("points of the noise");
                let points = match around {
                    Around::Points(points) => points.clone(),
                    Around::Random(n_points) => {
                        (0..*n_points).map(|_| (0..n).map(|_| sign(&mut rng)).collect()).collect()
                    }
                };
                let (radius, each) = largest_ball(n, mass / points.len() as f64);
                Placed::Balls(Balls { points, radius, each })
            }
        }
    }
}

/// Flips with nothing left to chance but the coins of random ones.
#[derive(Debug)]
pub(super) enum Placed {
    Anywhere(f64),
    Balls(Balls),
}

/// Hamming balls of one radius.
#[derive(Debug)]
pub(super) struct Balls {
    points: Vec<Vec<f64>>,
    radius: usize,
    /// The mass of one.
    each: f64,
}

impl Placed {
    /// Whether the label of `x` is flipped.
    pub(super) fn flips(&self, x: &[f64], rng: &mut Rng) -> bool {
        match self {
            Self::Anywhere(probability) => rng.random::<f64>() < *probability,
            Self::Balls(Balls { points, radius, .. }) => {
                points.iter().any(|point| hamming(point, x) <= *radius)
            }
        }
    }

    /// How far labels are from a truth of −1 and +1, exactly; of balls that meet on a cube too large to list, at most.
    pub(super) fn distance(&self) -> Distance {
        match self {
            Self::Anywhere(probability) => Distance {
                mass: 0.0,
                width: if *probability > 0.0 { 2.0 } else { 0.0 },
                mean_square: Some(4.0 * probability),
            },
            Self::Balls(Balls { points, radius, each }) => {
                // Of the same point twice one is enough.
                let mut apart: Vec<&Vec<f64>> = Vec::with_capacity(points.len());
                for point in points {
                    if apart.iter().all(|other| hamming(other, point) > 0) {
                        apart.push(point);
                    }
                }
                let meet = apart.iter().enumerate().any(|(i, point)| {
                    apart[..i].iter().any(|other| hamming(other, point) <= 2 * radius)
                });
                let n = points[0].len();
                let mass = if meet && n <= MAX_LISTED {
                    let near =
                        |x: Vec<f64>| apart.iter().any(|point| hamming(point, &x) <= *radius);
                    let flipped = (0..1_usize << n).filter(|&index| near(vertex(index, n))).count();
                    flipped as f64 * (-(n as f64)).exp2()
                } else {
                    each * apart.len() as f64
                };
                let exact = !meet || n <= MAX_LISTED;
                Distance { mass, width: 0.0, mean_square: exact.then_some(4.0 * mass) }
            }
        }
    }
}

fn hamming(a: &[f64], b: &[f64]) -> usize {
    a.iter().zip(b).filter(|(a, b)| **a * **b < 0.0).count()
}

/// The largest Hamming ball on {−1, +1}^n whose mass is at most `most`: its radius, and its mass.
///
/// Binomials are multiplied up one by one with the power of two kept apart, so that n in the thousands neither overflows nor
/// vanishes; the relative error is about n rounding errors.
fn largest_ball(n: usize, most: f64) -> (usize, f64) {
    /// Shifts by this power keep the sums far from both ends of what 64 bits can hold.
    const SHIFT: i32 = 512;
    let (mut term, mut total, mut power) = (1.0_f64, 1.0_f64, -(n as i32));
    // 2^power in two factors, since a part of it may be too small where the product is not.
    let scaled =
        |total: f64, power: i32| total * 2.0_f64.powi(power / 2) * 2.0_f64.powi(power - power / 2);
    let mut best = (0, scaled(total, power));
    for radius in 1..=n {
        term *= (n - radius + 1) as f64 / radius as f64;
        total += term;
        if total > 2.0_f64.powi(SHIFT) {
            term *= 2.0_f64.powi(-SHIFT);
            total *= 2.0_f64.powi(-SHIFT);
            power += SHIFT;
        }
        let mass = scaled(total, power);
        if mass > most {
            break;
        }
        best = (radius, mass);
    }
    best
}

impl Serialize for Flips {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Random { probability } => serializer.serialize_f64(*probability),
            // The derived function, not this one.
            Self::Adversarial { .. } => Self::serialize(self, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Flips {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrTable;
        impl<'de> Visitor<'de> for NumberOrTable {
            type Value = Flips;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a probability, or a table with kind = \"random\" or \"adversarial\"")
            }

            fn visit_f64<E>(self, probability: f64) -> Result<Flips, E> {
                Ok(probability.into())
            }

            fn visit_i64<E>(self, probability: i64) -> Result<Flips, E> {
                Ok((probability as f64).into())
            }

            fn visit_u64<E>(self, probability: u64) -> Result<Flips, E> {
                Ok((probability as f64).into())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Flips, A::Error> {
                Flips::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(NumberOrTable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_ball_has_the_largest_mass_that_is_not_too_large() {
        // n = 6: balls have 1, 7, 22, 42, … of 64 vertices.
        assert_eq!(largest_ball(6, 0.34), (1, 7.0 / 64.0));
        assert_eq!(largest_ball(6, 0.35), (2, 22.0 / 64.0));
        assert_eq!(largest_ball(6, 22.0 / 64.0), (2, 22.0 / 64.0));
        assert_eq!(largest_ball(6, 1.0 / 64.0), (0, 1.0 / 64.0));
        // By symmetry a ball of radius (n − 1)/2 on an odd cube is half of it, whatever n is.
        for n in [1, 999, 1001, 65_535] {
            let (radius, mass) = largest_ball(n, 0.5 + 1e-9);
            assert_eq!(radius, (n - 1) / 2, "n = {n}");
            assert!((mass - 0.5).abs() < 1e-11, "n = {n}: {mass}");
        }
        // Far out in the tail: 1 + 1000 + 499,500 vertices of 2^1000.
        let (radius, mass) = largest_ball(1000, 5.1e5 * 2.0_f64.powi(-1000));
        assert_eq!(radius, 2);
        assert!((mass / 2.0_f64.powi(-1000) - 500_501.0).abs() < 1e-6);
    }

    #[test]
    fn the_distance_of_balls_is_their_share_of_the_vertices() {
        let n = 8;
        let mut coins = Seed::new(1).stream("coins");
        let far = vec![vertex(0, n), vertex(0b1111_1111, n)];
        let near = vec![vertex(0, n), vertex(0b11, n)];
        for (around, mass) in [
            (Around::Points(vec![vertex(5, n)]), 0.2),
            (Around::Points(far), 0.3),
            (Around::Points(near), 0.3),
            (Around::Points(vec![vertex(9, n); 2]), 0.4),
            (Around::Random(3), 0.05),
        ] {
            let noise = Flips::Adversarial { mass, around };
            noise.check(n).unwrap();
            let placed = noise.place(n, Seed::new(7));
            let flipped = (0..256).filter(|&i| placed.flips(&vertex(i, n), &mut coins)).count();
            let Distance { mass: said, width, mean_square } = placed.distance();
            let share = flipped as f64 / 256.0;
            assert!(share > 0.0 && said <= mass && width == 0.0, "{noise:?}");
            // E (label − truth)² = 4 Pr[flipped], to the last bit, whether the balls meet or not.
            assert_eq!((said, mean_square), (share, Some(4.0 * share)), "{noise:?}");
        }
        // On a larger cube it is exact where the balls are apart, and elsewhere an upper bound that says so.
        let n = 40;
        let at = |set: usize| Flips::Adversarial {
            mass: 1e-8,
            around: Around::Points(vec![vertex(0, n), vertex(set, n)]),
        };
        // Balls of radius 3 have 1 + 40 + 780 + 9,880 vertices of 2^40: 9.73e-9. Those of 2 fit twice: 821 each.
        let Distance { mass, mean_square, .. } = at(0b1_1111).place(n, Seed::new(1)).distance();
        assert_eq!(
            (mass, mean_square),
            (1642.0 / 2.0_f64.powi(40), Some(6568.0 / 2.0_f64.powi(40)))
        );
        let Distance { mass, mean_square, .. } = at(0b1111).place(n, Seed::new(1)).distance();
        assert_eq!((mass, mean_square), (1642.0 / 2.0_f64.powi(40), None));
    }

    #[test]
    fn a_number_is_a_probability_and_stays_one() {
        let read = |text: &str| {
            let table: toml::Table = toml::from_str(&format!("noise = {text}")).unwrap();
            table["noise"].clone().try_into::<Flips>()
        };
        assert_eq!(read("0.25").unwrap(), 0.25.into());
        assert_eq!(read("0").unwrap(), 0.0.into());
        let points = read("{ kind = \"adversarial\", mass = 0.1, around = [[1, -1]] }").unwrap();
        let around = Around::Points(vec![vec![1.0, -1.0]]);
        assert_eq!(points, Flips::Adversarial { mass: 0.1, around });
        let drawn = read("{ kind = \"adversarial\", mass = 0.1, around = 4 }").unwrap();
        assert_eq!(drawn, Flips::Adversarial { mass: 0.1, around: Around::Random(4) });
        for noise in [points, drawn, 0.5.into()] {
            let json = serde_json::to_string(&noise).unwrap();
            assert_eq!(serde_json::from_str::<Flips>(&json).unwrap(), noise);
        }
        // Studies and model files of before keep their bytes.
        assert_eq!(serde_json::to_string(&Flips::from(0.0)).unwrap(), "0.0");
        assert!(read("\"much\"").unwrap_err().to_string().contains("a probability, or a table"));
        let said = read("{ kind = \"adversarial\", mass = 0.1, around = -1 }").unwrap_err();
        assert!(said.to_string().contains("a number of points"), "{said}");
    }

    #[test]
    fn impossible_noise_is_refused_by_name() {
        let at = |mass, around| Flips::Adversarial { mass, around };
        let centre = || Around::Points(vec![vec![1.0; 3]]);
        for (noise, want) in [
            (0.5.into(), "noise = 0.5"),
            (f64::NAN.into(), "noise = NaN"),
            (at(0.0, centre()), "mass = 0"),
            (at(0.5, centre()), "mass = 0.5"),
            (at(0.1, centre()), "2^-3"),
            (at(0.2, Around::Random(2)), "each of 2 points"),
            (at(0.2, Around::Random(0)), "0 points"),
            (at(0.2, Around::Random(usize::MAX)), "from 1 to 1000"),
            (at(0.2, Around::Points(vec![vec![1.0; 4]])), "width 3 wanted"),
            (at(0.2, Around::Points(vec![vec![1.0, 0.5, 1.0]])), "point 0"),
            (at(0.2, Around::Points(vec![vec![1.0, f64::NAN, 1.0]])), "point 0"),
        ] {
            let said = noise.check(3).unwrap_err().to_string();
            assert!(said.contains(want), "{said}; wanted: {want}");
        }
    }
}
