//! Points that lie on one line exactly, although they are written as `f64`.
//!
//! A point x* + t (u − x*) rounded to `f64` is off the line by up to 2^−53 of its coordinates, in all directions, and what that
//! does to a value is amplified with the errors of the values. Here instead coordinates are whole multiples of a power of two,
//! 2^−52 of the reach of the body along their axis: x* is rounded to one, once, so that its rounding is not amplified; the
//! ray's direction is rounded to a step s so small that the exit lies about 2^26 steps away; and places are whole numbers k of
//! steps, so x* + k s is a multiple as well, below 2^53 of them, and is computed without error.
//!
//! What that costs: the points of one ray lie up to 2^−25 of the body's reach from where the real numbers would have them. In
//! the theorems, which speak of uniform real points, that is rounding like any other, though it is coarser than an `f64`'s own.
use crate::domain::ConvexBody;
use crate::error::{Error, Result};

/// Steps to the exit, about.
const STEPS: f64 = (1_u64 << 26) as f64;
/// Steps by which places are rounded down, at most, in units of the exit's.
pub(in crate::mitigate) const UNIT: f64 = 1.0 / (1_u64 << 25) as f64;

/// Multiples of a power of two along each axis.
#[derive(Clone, Debug)]
pub(in crate::mitigate) struct Lattice {
    grid: Vec<f64>,
}

/// A ray whose points at whole numbers of steps are exact.
#[derive(Clone, Debug)]
pub(in crate::mitigate) struct Line {
    /// Where it begins, next to the input.
    pub(in crate::mitigate) base: Vec<f64>,
    /// One step.
    pub(in crate::mitigate) step: Vec<f64>,
    /// How many steps the body reaches.
    pub(in crate::mitigate) exit: f64,
}

impl Lattice {
    /// The lattice of a body in `n` dimensions.
    ///
    /// # Errors
    /// If the body lies so far from the origin for its width that the lattice would be coarse in it.
    pub(in crate::mitigate) fn of(
        method: &'static str,
        body: &dyn ConvexBody,
        n: usize,
    ) -> Result<Self> {
        /// Inputs may lie outside by rounding.
        const MARGIN: f64 = 1.0 + 1e-5;
        /// Reach over width: a step at the exit is then below a thousandth of the width.
        const MOST_OFFSET: f64 = (1_u64 << 15) as f64;
        let along = |i: usize, sign: f64| {
            let axis: Vec<f64> = (0..n).map(|j| if i == j { sign } else { 0.0 }).collect();
            body.farthest(&axis)[i]
        };
        let spacing = |i: usize| {
            let (low, high) = (along(i, -1.0), along(i, 1.0));
            let reach = MARGIN * low.abs().max(high.abs());
            if reach > MOST_OFFSET * (high - low) {
                let why = format!(
                    "along coordinate {i} the body reaches to {reach:e} and is {:e} wide: points = \"lattice\" would be coarse",
                    high - low
                );
                return Err(Error::assumption(method, why));
            }
            // The least power of two that is no less than the reach; a logarithm may miss by one.
            let power = 2_f64.powi(reach.log2().ceil() as i32);
            let power = if power < reach { 2.0 * power } else { power };
            Ok(power * f64::EPSILON)
        };
        Ok(Self { grid: (0..n).map(spacing).collect::<Result<_>>()? })
    }

    /// The ray from next to `star` along `direction`, which reaches the border at `exit`; `None` if it is too short to be written so.
    pub(in crate::mitigate) fn line(
        &self,
        body: &dyn ConvexBody,
        star: &[f64],
        direction: &[f64],
        exit: f64,
    ) -> Option<Line> {
        let round = |x: f64, grid: f64| (x / grid).round() * grid;
        let base: Vec<f64> = star.iter().zip(&self.grid).map(|(x, g)| round(*x, *g)).collect();
        let step = direction.iter().zip(&self.grid).map(|(d, g)| round(d * exit / STEPS, *g));
        let step: Vec<f64> = step.collect();
        if step.iter().all(|s| s.abs() <= 0.0) {
            return None;
        }
        let exit = body.exit(&base, &step);
        (0.5 * STEPS..=2.0 * STEPS).contains(&exit).then_some(Line { base, step, exit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Domain;
    use crate::rng::{RngExt, Seed};

    #[test]
    fn points_at_whole_steps_are_exact_and_in_the_body() {
        let mut rng = Seed::new(3).stream("lattice");
        for domain in [Domain::Box { n: 7 }, Domain::Ball { n: 7 }, Domain::Simplex { n: 7 }] {
            let body = domain.body().unwrap();
            let lattice = Lattice::of("test", &*body, 7).unwrap();
            for _ in 0..200 {
                let (star, u) = (body.sample(&mut rng), body.sample(&mut rng));
                let direction: Vec<f64> = u.iter().zip(&star).map(|(u, x)| u - x).collect();
                let exit = body.exit(&star, &direction);
                let line = lattice.line(&*body, &star, &direction, exit).unwrap();
                let k = (line.exit * rng.random::<f64>()).floor();
                let mut point = Vec::new();
                for i in 0..7 {
                    let x = line.base[i] + k * line.step[i];
                    // In whole multiples of the grid, as integers: no digit is lost.
                    let units = |x: f64| (x / lattice.grid[i]) as i128;
                    assert_eq!(units(x), units(line.base[i]) + k as i128 * units(line.step[i]));
                    assert!((line.base[i] - star[i]).abs() <= 0.5 * lattice.grid[i]);
                    // A step, and with it each of k, is rounded by half of the grid.
                    let want = star[i] + k / STEPS * exit * direction[i];
                    let off = 0.501 * lattice.grid[i] * (k + 1.0);
                    assert!((x - want).abs() <= off && off < 1e-7, "{x}, {want}");
                    point.push(x);
                }
                assert!(body.excess(&point) <= 1e-12, "{domain:?}");
            }
        }
    }

    #[test]
    fn a_body_far_from_the_origin_is_refused() {
        let text = "shape = 'ellipsoid'\naxes = [1, 1]\ncentre = [0, 1e6]";
        let domain: Domain = toml::from_str(text).unwrap();
        let said = Lattice::of("test", &*domain.body().unwrap(), 2).unwrap_err().to_string();
        assert!(said.contains("coordinate 1"), "{said}");
    }
}
