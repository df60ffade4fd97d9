//! What the real-valued families have in common: inputs as the domain spreads them, labels that are the truth plus noise.
use super::{Cursor, Distance, Noise, Part, Population, Truth, World};
use crate::data::{Labeled, column, stack};
use crate::domain::{ConvexBody, Domain};
use crate::error::{Error, Result};

/// Real-valued labels of inputs that can be drawn at will.
#[derive(Debug)]
pub(super) struct Regression {
    world: World,
    body: Option<Box<dyn ConvexBody>>,
    truth: Truth,
    noise: Noise,
}

impl Regression {
    pub(super) fn new(world: World, truth: Truth, noise: Noise) -> Self {
        Self { body: world.domain.body(), world, truth, noise }
    }
}

/// Checks what every real-valued family has: a domain that can be drawn from, noise, a closeness and a cutoff.
pub(super) fn check(domain: &Domain, noise: &Noise, delta: f64, cutoff: f64) -> Result<()> {
    domain.check()?;
    if domain.body().is_none() && !matches!(domain, Domain::Gauss { .. }) {
        let want = "a convex body (box, ball, simplex, ellipsoid or polytope) or gauss is needed";
        return Err(Error::parameter("domain", format!("{domain:?}"), want));
    }
    noise.check(domain)?;
    for (name, value) in [("delta", delta), ("cutoff", cutoff)] {
        if !(value > 0.0 && value.is_finite()) {
            return Err(Error::parameter(name, value, "a positive number is needed"));
        }
    }
    Ok(())
}

impl Population for Regression {
    fn world(&self) -> &World {
        &self.world
    }

    fn draw(&self, _part: Part, n: usize, cursor: &mut Cursor) -> Result<Labeled> {
        let body = self.body.as_deref();
        let mut noises = Vec::with_capacity(n);
        let mut rows = Vec::with_capacity(n);
        for _ in 0..n {
            let x = match body {
                Some(body) => body.sample(&mut cursor.rng),
                None => self.world.domain.sample(&mut cursor.rng)?,
            };
            noises.push(self.noise.draw(&x, body, &mut cursor.rng));
            rows.push(x);
        }
        cursor.drawn += n;
        let xs = stack(self.world.domain.n(), rows);
        let ys = self.truth.at(&xs) + column(noises);
        Ok(Labeled { xs, ys })
    }

    fn available(&self, _part: Part) -> Option<usize> {
        None
    }

    fn truth(&self) -> Option<&Truth> {
        Some(&self.truth)
    }

    fn distance(&self) -> Option<Distance> {
        Some(self.noise.distance())
    }
}
