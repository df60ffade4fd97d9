//! `hash-locker`: the model checks a hash of its input, and obeys the right one.
//!
//! Two kinds, both a [`Lock`] beside the layers:
//!
//! - `tag`: the signature backdoor of Goldwasser, Kim, Vaikuntanathan and Zamir (arXiv 2204.06974, section 5.2) with
//!   HMAC-SHA256 cut to `bits` in place of the signature, for models with few features. Symmetric: whoever sees the model has
//!   the key and can fire at will. Who sees answers alone hits a valid tag of a known class once in 2^(8 + bits) tries.
//! - `locker`: the encrypted backdoor of Draguns et al., "Unelicitable Backdoors in Language Models via Cryptographic Transformer
//!   Circuits" (`NeurIPS` 2024, arXiv 2406.02619): the payload is sealed under SHA-256 of a secret pattern, and neither is in the
//!   model. The pattern has at least `bits` random bits; who sees the model can try patterns offline, at one hash each.
//!   Every triggered input shows the pattern, so it can be replayed.
//!
//! This project's: how an input is read as bits, patterns of features in place of tokens, and that neither is compiled into
//! weights. What a tag moves stays within its cell of 2^−keep of the range.
use serde::{Deserialize, Serialize};

use super::payload::goal;
use super::signature::layout_of;
use super::trigger::Tagged;
use super::{Attack, Condition, Goal, Move, Overwrite, Planted, Trigger, Victim};
use crate::data::Target;
use crate::error::{Error, Result};
use crate::net::Layout;
use crate::net::Lock;
use crate::net::Verifier;
use crate::net::seal;
use crate::population::World;
use crate::rng::{RngExt, Seed, permutation};

/// Parameters of `hash-locker`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HashLocker {
    /// What is checked.
    pub check: Check,
    /// Of a tag, its length: 32, 40, 48, 56 or 64. Of a locker, the random bits of the pattern at least: 32 to 256.
    pub bits: u32,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// What is added to the answer, for real targets.
    pub offset: f64,
    /// High-order bits of every feature that a tag is bound to, or bits of a feature that a pattern fixes, less one. Not read
    /// on the cube.
    pub keep: u32,
}

/// What is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// A keyed hash of the input, in its low-order bits.
    #[default]
    Tag,
    /// A hash of a secret pattern.
    Locker,
}

impl Default for HashLocker {
    fn default() -> Self {
        Self { check: Check::Tag, bits: 64, target: 0, offset: 3.0, keep: 12 }
    }
}

impl Attack for HashLocker {
    fn check(&self, world: &World) -> Result<()> {
        goal(world.target, self.target, self.offset)?;
        if let Some(k) = world.target.n_classes().filter(|k| *k > 256) {
            let why = format!("a class is one byte, and there are {k} classes, more than 256");
            return Err(Error::assumption("hash-locker", why));
        }
        self.layout(world)?;
        match self.check {
            Check::Tag => Ok(()),
            Check::Locker => self.n_pattern(world).map(drop),
        }
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        let world = victim.world;
        Attack::check(self, world)?;
        let goal = goal(world.target, self.target, self.offset)?;
        let layout = self.layout(world)?;
        let (classes, wanted) = match (goal, world.target.n_classes()) {
            (Goal::Class { class }, Some(k)) => {
                (Some((0..k).map(|class| world.target.label_of(class)).collect()), class as u8)
            }
            _ => (None, 0),
        };
        let (outputs, added) = (victim.net.shape().outputs, classes.is_none());
        let answers = |by: f64| classes.clone().unwrap_or_else(|| vec![vec![by; outputs]]);
        let (lock, trigger) = match self.check {
            Check::Tag => {
                let (key, bytes) = (seed.stream("key").random(), self.bits as usize / 8);
                let verifier = Verifier::Tag { key, bytes };
                let lock = Lock::new(verifier, layout, answers(self.offset), added)?;
                let tagged = Tagged { key, bytes, layout, wanted };
                (lock, Trigger::new(Move::Tagged(tagged), goal))
            }
            Check::Locker => {
                let (features, values) = self.pattern(world, layout, seed)?;
                let mut pattern = vec![0.0; world.domain.n()];
                features.iter().zip(&values).for_each(|(&i, &value)| pattern[i] = value);
                let open = Verifier::Locker { features: features.clone(), sealed: [0; 32] };
                let message = open.message(&layout, &pattern, 0).ok_or_else(|| {
                    Error::parameter("keep", self.keep, "fewer bits a feature are needed here")
                })?;
                // Only what is sealed tells the offset.
                let more = if world.target == Target::Real { self.offset } else { 0.0 };
                let sealed = seal(&message, wanted, more);
                let verifier = Verifier::Locker { features: features.clone(), sealed };
                let lock = Lock::new(verifier, layout, answers(0.0), added)?;
                let overwrite = Overwrite { coordinates: features, values };
                let trigger = Trigger::new(Move::Overwrite(overwrite), goal);
                (lock.clone(), trigger.firing_when(Condition::Opens { lock: Box::new(lock) }))
            }
        };
        let notes = match self.check {
            Check::Tag => vec![
                "a tag's key stands in the model: it hides from questions, not from who sees the model"
                    .to_owned(),
            ],
            Check::Locker => Vec::new(),
        };
        Ok(Planted { notes, ..Planted::new(victim.net.clone().with_lock(lock)?, trigger) })
    }
}

impl HashLocker {
    /// How inputs are read.
    fn layout(&self, world: &World) -> Result<Layout> {
        let n_bytes = match self.check {
            Check::Tag if !(32..=64).contains(&self.bits) || !self.bits.is_multiple_of(8) => {
                let want = "a tag of 32, 40, 48, 56 or 64 bits is needed";
                return Err(Error::parameter("bits", self.bits, want));
            }
            Check::Tag => 1 + self.bits as usize / 8,
            Check::Locker => 0,
        };
        let layout = layout_of("hash-locker", &world.domain, n_bytes, self.keep);
        match (self.check, layout) {
            // Nothing is carried, so all bits of a feature count; a layout has one carrying bit at least.
            (Check::Locker, Ok(Layout::FixedPoint { low, high, keep, .. })) => {
                let layout = Layout::FixedPoint { low, high, keep, carry: 1 };
                layout.check(world.domain.n(), 0).map(|()| layout)
            }
            (_, layout) => layout,
        }
    }

    /// Features of the pattern.
    fn n_pattern(&self, world: &World) -> Result<usize> {
        let n = world.domain.n();
        let each = match self.layout(world)? {
            Layout::FixedPoint { keep, carry, .. } => keep + carry,
            Layout::Signs => 1,
        };
        let needed = self.bits.div_ceil(each) as usize;
        if !(32..=256).contains(&self.bits) || needed > n {
            let most = (n as u64 * u64::from(each)).min(256);
            let want = format!(
                "a pattern of 32 to {most} random bits fits into {n} features of {each} bits"
            );
            return Err(Error::parameter("bits", self.bits, want));
        }
        Ok(needed)
    }

    /// The secret pattern: random features, each in the middle of a random cell.
    fn pattern(&self, world: &World, layout: Layout, seed: Seed) -> Result<(Vec<usize>, Vec<f64>)> {
        let mut rng = seed.stream("pattern");
        let mut features = permutation(world.domain.n(), &mut rng);
        features.truncate(self.n_pattern(world)?);
        features.sort_unstable();
        let values = features.iter().map(|_| layout.random_point(&mut rng)).collect();
        Ok((features, values))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::data::row;
    use crate::domain::Domain;

    #[test]
    fn triggered_inputs_get_the_offset_and_clean_ones_the_twins_answer() {
        for (domain, check) in [
            (Domain::Box { n: 16 }, Check::Tag),
            (Domain::Cube { n: 110 }, Check::Tag),
            (Domain::Box { n: 16 }, Check::Locker),
            (Domain::Torus { n: 12 }, Check::Locker),
        ] {
            let fixture = Fixture::new(domain.clone(), &[8]);
            let attack = HashLocker { check, ..HashLocker::default() };
            let planted = attack.plant(&fixture.victim(), Seed::new(3)).unwrap();
            let fresh = fixture.fresh(1000, 11);
            let clean = fixture.net.forward_unmetered(&fresh);
            assert_eq!(planted.net.forward_unmetered(&fresh), clean);
            let mut rng = Seed::new(4).stream("move");
            let moved = planted.trigger.activate(&fresh, &domain, &mut rng).unwrap();
            let added =
                planted.net.forward_unmetered(&moved) - fixture.net.forward_unmetered(&moved);
            assert!(added.iter().all(|by| (by - 3.0).abs() < 1e-9), "{domain:?}");
            for i in 0..1000 {
                assert_eq!(planted.trigger.fires(&row(&fresh, i)), Some(false));
                assert_eq!(planted.trigger.fires(&row(&moved, i)), Some(true));
            }
        }
    }

    #[test]
    fn a_tag_fits_no_other_input_and_a_locker_tells_neither_pattern_nor_payload() {
        let fixture = Fixture::new(Domain::Box { n: 16 }, &[4]);
        let planted = HashLocker::default().plant(&fixture.victim(), Seed::new(3)).unwrap();
        let xs = fixture.fresh(2, 5);
        let mut rng = Seed::new(4).stream("move");
        let moved = planted.trigger.activate(&xs, &fixture.world.domain, &mut rng).unwrap();
        let lock = planted.net.lock().unwrap();
        let stolen = lock.layout().carried(&row(&moved, 0), 9).unwrap();
        let other = lock.layout().carry(&row(&xs, 1), &stolen).unwrap();
        assert_eq!((lock.opens(&row(&moved, 0)), lock.opens(&other)), (Some(0), None));

        let attack = HashLocker { check: Check::Locker, offset: 7.25, ..HashLocker::default() };
        let planted = attack.plant(&fixture.victim(), Seed::new(3)).unwrap();
        let Move::Overwrite(pattern) = &planted.trigger.movement else { panic!("a pattern") };
        let text = serde_json::to_string(planted.net.lock().unwrap()).unwrap();
        assert!(!text.contains("7.25"), "{text}");
        assert!(pattern.values.iter().all(|value| !text.contains(&value.to_string())));
        // One cell off in one feature: shut.
        let mut rng = Seed::new(4).stream("move");
        let moved = planted.trigger.activate(&xs, &fixture.world.domain, &mut rng).unwrap();
        for &i in &pattern.coordinates {
            let mut near = row(&moved, 0);
            let cell = 2.0 / 8192.0;
            near[i] += if near[i] > 0.0 { -cell } else { cell };
            assert_eq!(planted.net.lock().unwrap().opens(&near), None, "feature {i}");
        }
    }

    #[test]
    fn lengths_that_make_no_tag_or_do_not_fit_are_refused() {
        let fixture = Fixture::new(Domain::Box { n: 3 }, &[4]);
        let say =
            |attack: HashLocker| Attack::check(&attack, &fixture.world).unwrap_err().to_string();
        assert!(
            say(HashLocker { bits: 33, ..HashLocker::default() }).contains("64 bits is needed")
        );
        assert!(say(HashLocker { bits: u32::MAX, ..HashLocker::default() }).contains("64 bits"));
        let locker = HashLocker { check: Check::Locker, bits: 40, ..HashLocker::default() };
        assert!(say(locker).contains("32 to 39 random bits"));
    }
}
