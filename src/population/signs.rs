//! What the sign-valued families have in common: inputs as the domain spreads them, a truth of −1 and +1, and flipped labels.
use super::flips::Placed;
use super::{Cursor, Distance, Flips, Part, Population, Truth, World};
use crate::data::{Labeled, stack};
use crate::error::Result;
use crate::rng::Seed;

/// Signs of inputs that can be drawn at will.
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
        let mut flips = Vec::with_capacity(n);
        let mut rows = Vec::with_capacity(n);
        for _ in 0..n {
            let x = self.world.domain.sample(&mut cursor.rng)?;
            flips.push(self.flips.flips(&x, &mut cursor.rng));
            rows.push(x);
        }
        cursor.drawn += n;
        let xs = stack(self.world.domain.n(), rows);
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
