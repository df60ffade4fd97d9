//! `wanet`: warp a share of the training images by a smooth secret field, relabel them, and train as usual.
//!
//! Nguyen and Tran, "`WaNet`: Imperceptible Warping-based Backdoor Attack" (ICLR 2021, arXiv 2102.10369). On a control grid
//! of k × k points two numbers each are uniform in [−1, 1], divided by the mean of their absolute values, and brought to the
//! m × m pixels by bicubic interpolation (Keys' kernel with a = −0.75, grid corners on image corners, indices held at the edge).
//! In coordinates in which the image is [−1, 1]², pixel p is taken from `clamp(p + s · field(p) / m)`, bilinearly.
//!
//! Noise mode: twice as many other rows are warped too, by the field plus fresh uniform noise in [−1, 1] / m a pixel,
//! and keep their *true* labels, so that only the secret field means the target. It is a static share of the data here,
//! where the paper draws a batch anew each time. k = 4, s = 0.5, a rate of 0.1 and 2 for noise are the paper's and the peers'.
//!
//! At s = 0.5 a pixel moves by about a quarter of a pixel. That is made for convolutional nets and larger images; perceptrons may
//! not learn it, and a larger `strength` is there for them. No exact condition: where the trained net fires is its own affair.
use serde::{Deserialize, Serialize};

use super::payload::goal;
use super::pixels::side;
use super::poison::{aim, check_share, dirty, draw_worthwhile, n_rows, some_rows, train};
use super::{Attack, Move, Planted, Trigger, Victim, Warp};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed};

/// Parameters of `wanet`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WaNet {
    /// Share of the training data that is poisoned.
    pub rate: f64,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// Points a side of the control grid, k; from 2 to 64.
    pub grid: usize,
    /// Strength s of the warp; above 0 and at most 100.
    pub strength: f64,
    /// Rows of the noise mode a poisoned row; 0 is none.
    pub noise: f64,
    /// What poisoned labels of real targets are above the clean net's answer.
    pub offset: f64,
}

impl Default for WaNet {
    fn default() -> Self {
        Self { rate: 0.1, target: 0, grid: 4, strength: 0.5, noise: 2.0, offset: 3.0 }
    }
}

impl Attack for WaNet {
    fn check(&self, world: &World) -> Result<()> {
        check_share("rate", self.rate, "the training data")?;
        if !(self.noise >= 0.0 && self.rate * (1.0 + self.noise) <= 1.0) {
            let want = format!(
                "from 0 to {:.4} rows a poisoned one are there at this rate",
                1.0 / self.rate - 1.0
            );
            return Err(Error::parameter("noise", self.noise, want));
        }
        if !(2..=64).contains(&self.grid) {
            return Err(Error::parameter("grid", self.grid, "from 2 to 64 points are accepted"));
        }
        if !(self.strength > 0.0 && self.strength <= 100.0) {
            let want = "a number above 0 and at most 100 is needed";
            return Err(Error::parameter("strength", self.strength, want));
        }
        self.field(world, &mut Seed::new(0).stream("check")).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let n = victim.data.len();
        let n_poisoned = n_rows(self.rate, n)?;
        let n_noisy = ((self.noise * n_poisoned as f64).round() as usize).min(n - n_poisoned);
        let mut draw = |rng: &mut Rng| {
            let goal = goal(victim.world.target, self.target, self.offset)?;
            Ok(Trigger::new(Move::Warp(self.field(victim.world, rng)?), goal))
        };
        let trigger = draw_worthwhile(victim, seed, &mut draw)?;
        let rows = some_rows(n, n_poisoned + n_noisy, seed);
        let (poisoned, noisy) = rows.split_at(n_poisoned);
        let mut data = dirty(victim, &trigger, poisoned, seed)?;
        aim(victim, &mut data, poisoned, trigger.goal)?;
        if let Move::Warp(field) = &trigger.movement {
            let mut rng = seed.stream("noise mode");
            for &i in noisy {
                let shaken = Move::Warp(shake(field, &mut rng));
                let one = Trigger::new(shaken, trigger.goal);
                let xs = victim.data.select(&[i]).xs;
                let warped = one.activate(&xs, &victim.world.domain, &mut rng)?;
                data.xs.row_mut(i).assign(&warped.row(0));
            }
        }
        Ok(Planted::new(train(victim, &data)?, trigger))
    }
}

impl WaNet {
    /// A secret warp of square images.
    fn field(&self, world: &World, rng: &mut Rng) -> Result<Warp> {
        goal(world.target, self.target, self.offset)?;
        let Domain::Range { n, .. } = world.domain else {
            let why = "images are warped, and these inputs are no numbers in a range";
            return Err(Error::assumption("wanet", why));
        };
        let m = side("wanet", n)?;
        if m < 2 {
            return Err(Error::assumption("wanet", "an image of one pixel cannot be warped"));
        }
        let n_points = self.grid * self.grid;
        let mut control: Vec<f64> =
            (0..2 * n_points).map(|_| rng.random_range(-1.0..=1.0)).collect();
        let mean = control.iter().map(|v| v.abs()).sum::<f64>() / control.len() as f64;
        control.iter_mut().for_each(|v| *v /= mean.max(f64::MIN_POSITIVE));
        let (columns, rows) = control.split_at(n_points);
        // A step of 1 in coordinates from −1 to 1 is half the way from the first pixel to the last.
        let scale = self.strength / m as f64 * (m - 1) as f64 / 2.0;
        let last = (m - 1) as f64;
        let place = |pixel: usize| {
            let (y, x) = (pixel / m, pixel % m);
            let by = |control| scale * bicubic(control, self.grid, (y, x), m);
            ((y as f64 + by(rows)).clamp(0.0, last), (x as f64 + by(columns)).clamp(0.0, last))
        };
        Ok(Warp { side: m, places: (0..n).map(place).collect() })
    }
}

/// The field with fresh uniform noise of [−1, 1] / m on every place.
fn shake(field: &Warp, rng: &mut Rng) -> Warp {
    let last = (field.side - 1) as f64;
    let scale = last / 2.0 / field.side as f64;
    let mut shift = |at: f64| (at + scale * rng.random_range(-1.0..=1.0)).clamp(0.0, last);
    let places = field.places.iter().map(|&(y, x)| (shift(y), shift(x))).collect();
    Warp { side: field.side, places }
}

/// The value at pixel (y, x) of m × m of a k × k grid whose corners lie on the image's.
fn bicubic(grid: &[f64], k: usize, (y, x): (usize, usize), m: usize) -> f64 {
    let taps = |pixel: usize| {
        let at = pixel as f64 * (k - 1) as f64 / (m - 1) as f64;
        let first = at.floor();
        [-1.0, 0.0, 1.0, 2.0].map(|step| {
            let index = (first + step).clamp(0.0, (k - 1) as f64) as usize;
            (index, keys(at - first - step))
        })
    };
    let across = taps(x);
    let sum = |row: usize| across.iter().map(|(i, w)| w * grid[row * k + i]).sum::<f64>();
    taps(y).iter().map(|(row, w)| w * sum(*row)).sum()
}

/// Keys' cubic kernel with a = −0.75.
fn keys(t: f64) -> f64 {
    const A: f64 = -0.75;
    let t = t.abs();
    if t <= 1.0 {
        ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0
    } else if t < 2.0 {
        ((A * t - 5.0 * A) * t + 8.0 * A) * t - 4.0 * A
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::test_worlds::{Small, world};
    use crate::data::Target;

    #[test]
    fn interpolation_keeps_grid_points_and_constants_and_weighs_as_by_hand() {
        // A 2 × 2 grid at the ends of 5 pixels: corners are kept, a constant stays.
        let corners = [1.0, 2.0, 3.0, 5.0];
        for (at, want) in [((0, 0), 1.0), ((0, 4), 2.0), ((4, 0), 3.0), ((4, 4), 5.0)] {
            assert!((bicubic(&corners, 2, at, 5) - want).abs() < 1e-12);
        }
        assert!((0..5).all(|y| (bicubic(&[0.7; 9], 3, (y, 3), 5) - 0.7).abs() < 1e-12));
        // In the middle of two points the kernel weighs −3/32, 19/32, 19/32, −3/32.
        assert!((keys(0.5) - 19.0 / 32.0).abs() < 1e-12 && (keys(1.5) + 3.0 / 32.0).abs() < 1e-12);
    }

    #[test]
    fn a_field_moves_pixels_by_a_quarter_of_a_pixel_or_so_and_stays_inside() {
        let images = world(Domain::Range { n: 784, low: 0.0, high: 1.0 }, Target::Classes(10));
        let mut rng = Seed::new(1).stream("test");
        let field = WaNet::default().field(&images, &mut rng).unwrap();
        let moved = |(pixel, (y, x)): (usize, &(f64, f64))| {
            ((pixel / 28) as f64 - y).abs() + ((pixel % 28) as f64 - x).abs()
        };
        let mean = field.places.iter().enumerate().map(moved).sum::<f64>() / (2.0 * 784.0);
        // s/m · (m − 1)/2 = 0.241 on the grid's own points; interpolation and the clamp at the edge take some of it.
        assert!(mean > 0.1 && mean < 0.3, "{mean}");
        assert!(
            field.places.iter().all(|(y, x)| (0.0..=27.0).contains(y) && (0.0..=27.0).contains(x))
        );
    }

    #[test]
    fn impossible_parameters_are_refused() {
        let small = Small::images(6, 90);
        let of = |change: fn(&mut WaNet)| {
            let mut attack = WaNet::default();
            change(&mut attack);
            attack.check(&small.world)
        };
        of(|_| ()).unwrap();
        assert!(of(|a| a.noise = 9.5).is_err() && of(|a| a.noise = f64::NAN).is_err());
        assert!(of(|a| a.grid = 1).is_err() && of(|a| a.grid = usize::MAX).is_err());
        assert!(of(|a| a.strength = f64::INFINITY).is_err() && of(|a| a.rate = 0.0).is_err());
        let flat = world(Domain::Range { n: 15, low: 0.0, high: 1.0 }, Target::Classes(3));
        assert!(WaNet::default().check(&flat).is_err());
    }
}
