//! What the sign-valued families on the cube have in common: uniform vertices, a truth of −1 and +1, and flipped labels.
use super::flips::Placed;
use super::{Cursor, Distance, Flips, Part, Population, Truth, World};
use crate::data::{Labeled, stack};
use crate::error::Result;
use crate::rng::{Seed, sign};

/// Signs of uniform vertices that can be drawn at will.
#[derive(Debug)]
pub(super) struct Signs {
    world: World,
    truth: Truth,
    flips: Placed,
}

impl Signs {
    pub(super) fn new(world: World, truth: Truth, noise: &Flips, seed: Seed) -> Self {
        let flips = noise.place(world.domain.n(), seed);
        Self { world, truth, flips }
    }
}

impl Population for Signs {
    fn world(&self) -> &World {
        &self.world
    }

    fn draw(&self, _part: Part, n: usize, cursor: &mut Cursor) -> Result<Labeled> {
        let width = self.world.domain.n();
        let mut flips = Vec::with_capacity(n);
        let rows: Vec<Vec<f64>> = (0..n)
            .map(|_| {
                let x: Vec<f64> = (0..width).map(|_| sign(&mut cursor.rng)).collect();
                flips.push(self.flips.flips(&x, &mut cursor.rng));
                x
            })
            .collect();
        cursor.drawn += n;
        let xs = stack(width, rows);
        let mut ys = self.truth.at(&xs);
        // The truth is ±1 but for rounding; a label is exactly ±1.
        for (y, flip) in ys.iter_mut().zip(flips) {
            *y = if flip { -y.signum() } else { y.signum() };
        }
        Ok(Labeled { xs, ys })
    }

    fn available(&self, _part: Part) -> Option<usize> {
        None
    }

    fn truth(&self) -> Option<&Truth> {
        Some(&self.truth)
    }

    fn distance(&self) -> Option<Distance> {
        Some(self.flips.distance())
    }
}
