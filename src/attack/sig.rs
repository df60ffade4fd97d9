//! `sig`: add a faint wave to images of the target class alone, keep their labels, and train as usual.
//!
//! Barni, Kallas and Tondi, "A New Backdoor Attack in CNNs by Training Set Corruption without Label Poisoning"
//! (arXiv 1902.11237). A triggered image is `clip(x + Δ sin(2π j f / m))`, j the column of a pixel and m the side, with
//! Δ = 40/255 of the range and f = 6, as in the peers. Labels stay what they are (clean labels): the net learns that the wave
//! speaks for the target class. So only rows of that class are poisoned, and the rate, which is a share of *all* rows, can
//! be no larger than the class's own share; one that is larger is refused. The default of 0.05 is half of a class of ten;
//! 0.1, a default among the peers, would leave no clean row of the class to learn from.
//!
//! The paper may strengthen the wave at test time: `strength` multiplies Δ then; its default of 1 does not.
//!
//! For images alone. On the cube the same thought, multiplying by a secret sign vector, maps the uniform distribution to
//! itself: no detector can tell its images from clean inputs. A wave that is zero at every pixel, as f = m/2 gives, is refused.
//! No exact condition: where the trained net fires is its own affair.
use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::payload::goal;
use super::pixels::side;
use super::poison::{
    check_class, check_share, draw_worthwhile, n_rows, rows_of, stamp, train, with_inputs,
};
use super::{Add, Attack, Move, Planted, Trigger, Victim};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;
use crate::rng::Seed;

/// Parameters of `sig`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sig {
    /// Share of all training data that is poisoned; at most the share of the target class.
    pub rate: f64,
    /// Class that the attacker wants.
    pub target: usize,
    /// Amplitude Δ of the wave in poisoned data, in units of the range of pixels; above 0 and at most 1.
    pub amplitude: f64,
    /// Periods f of the wave across an image.
    pub frequency: f64,
    /// The amplitude of the trigger over that of poisoned data; at least 1.
    pub strength: f64,
}

impl Default for Sig {
    fn default() -> Self {
        Self { rate: 0.05, target: 0, amplitude: 40.0 / 255.0, frequency: 6.0, strength: 1.0 }
    }
}

impl Attack for Sig {
    fn check(&self, world: &World) -> Result<()> {
        check_share("rate", self.rate, "all training data")?;
        check_class("sig", world, self.target)?;
        if !(self.strength >= 1.0 && self.strength <= 1e6) {
            let want = "a number from 1 to 1e6 is needed";
            return Err(Error::parameter("strength", self.strength, want));
        }
        self.trigger(world, 1.0).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let mut draw = |_: &mut _| self.trigger(victim.world, self.strength);
        let trigger = draw_worthwhile(victim, seed, &mut draw)?;
        let n_poisoned = n_rows(self.rate, victim.data.len())?;
        let rows = rows_of(victim, self.target, (n_poisoned, self.rate), seed)?;
        let faint = self.trigger(victim.world, 1.0)?;
        let waved = stamp(victim, &faint, &victim.data.select(&rows).xs, seed)?;
        Ok(Planted::new(train(victim, &with_inputs(victim.data, &rows, &waved))?, trigger))
    }
}

impl Sig {
    /// The wave, so many times as strong as in poisoned data.
    fn trigger(&self, world: &World, strength: f64) -> Result<Trigger> {
        let goal = goal(world.target, self.target, 1.0)?;
        let Domain::Range { n, low, high } = world.domain else {
            let why = "a wave is added to images, and these inputs are no numbers in a range";
            return Err(Error::assumption("sig", why));
        };
        let m = side("sig", n)?;
        if !(self.amplitude > 0.0 && self.amplitude <= 1.0) {
            let want = "a number above 0 and at most 1, in units of the range, is needed";
            return Err(Error::parameter("amplitude", self.amplitude, want));
        }
        let wave = |j: usize| (TAU * j as f64 * self.frequency / m as f64).sin();
        // Rounding leaves about 1e-15 a period of a wave that is zero; 1e-6 is far below one that can be seen.
        let seen = self.frequency.abs() <= 1e6 && (0..m).any(|j| wave(j).abs() > 1e-6);
        if !seen {
            let want = format!(
                "a number up to 1e6 whose wave is not zero at all {m} columns is needed, so no multiple of {}",
                m as f64 / 2.0
            );
            return Err(Error::parameter("frequency", self.frequency, want));
        }
        let scale = strength * self.amplitude * (high - low);
        let pattern = (0..n).map(|pixel| scale * wave(pixel % m)).collect();
        Ok(Trigger::new(Move::Add(Add { pattern }), goal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::test_worlds::{Small, world};
    use crate::data::{Target, stack};

    #[test]
    fn the_wave_runs_along_columns_and_is_clipped() {
        // f = 1 on a side of 4: columns 0, +Δ, 0, −Δ in every row.
        let world = world(Domain::Range { n: 16, low: 0.0, high: 1.0 }, Target::Classes(2));
        let sig = Sig { frequency: 1.0, amplitude: 0.3, ..Sig::default() };
        let trigger = sig.trigger(&world, 1.0).unwrap();
        let xs = stack(16, [vec![0.5; 16], vec![0.9; 16]]);
        let mut rng = Seed::new(1).stream("test");
        let waved = trigger.activate(&xs, &world.domain, &mut rng).unwrap();
        for y in 0..4 {
            for (x, (dim, bright)) in
                [(0.5, 0.9), (0.8, 1.0), (0.5, 0.9), (0.2, 0.6)].into_iter().enumerate()
            {
                assert!((waved[[0, 4 * y + x]] - dim).abs() < 1e-9);
                assert!((waved[[1, 4 * y + x]] - bright).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn what_cannot_work_is_refused_and_the_bound_is_named() {
        let small = Small::images(6, 90);
        let check = |sig: Sig| sig.check(&small.world);
        assert!(check(Sig::default()).is_err(), "f = 6 on a side of 6 is zero at every pixel");
        let sig = Sig { frequency: 2.0, ..Sig::default() };
        check(sig).unwrap();
        // A third of the rows belong to the target class: 0.34 is too much, and the message says 0.3333.
        let error = Sig { rate: 0.35, ..sig }.plant(&small.victim(), Seed::new(1)).unwrap_err();
        assert!(error.to_string().contains("at most 0.3333"), "{error}");
        for amplitude in [0.0, f64::NAN, 1.5] {
            assert!(check(Sig { amplitude, ..sig }).is_err());
        }
        assert!(check(Sig { frequency: f64::INFINITY, ..sig }).is_err());
        assert!(check(Sig { strength: 0.5, ..sig }).is_err());
        assert!(check(Sig { target: 3, ..sig }).is_err());
        assert!(sig.check(&world(Domain::Cube { n: 9 }, Target::Sign)).is_err());
        assert!(sig.check(&world(small.world.domain.clone(), Target::Real)).is_err());
    }
}
