//! Positive controls: distinguishers that are given the key. Whatever the key's kind, its direction is taken from what it
//! does to public inputs. They must win wherever there is a backdoor; that they do says that the game can be won.
use crate::access::{Lab, Oracle, WhiteBox};
use crate::attack::{Goal, Trigger};
use crate::data::row;
use crate::error::Result;
use crate::game::features::{inputs, leading, moments};
use crate::game::phase;

/// How answers change when the key's own movement is made: moments of all changes.
pub(super) fn answers(oracle: &dyn Oracle, lab: &mut Lab<'_>, key: &Trigger) -> Result<Vec<f64>> {
    let xs = inputs(lab)?;
    let moved = key.activate(&xs, &lab.world.domain, &mut lab.seed.stream("activate"))?;
    let (before, after) = (oracle.query(&xs)?, oracle.query(&moved)?);
    let change = &after - &before;
    let mut features = moments(&change.iter().copied().collect::<Vec<_>>());
    let reached = |(own, y): &(Vec<f64>, Vec<f64>)| match key.goal {
        // What the offset is from only nature knows.
        Goal::Offset { .. } => false,
        // These look at no truth.
        Goal::Class { .. } | Goal::Flip | Goal::Collide { .. } => {
            key.goal.reached(lab.world.target, y, own, own)
        }
    };
    let pairs = (0..after.nrows()).map(|i| (row(&before, i), row(&after, i)));
    let n_reached = pairs.filter(reached).count();
    features.push(n_reached as f64 / after.nrows() as f64);
    Ok(features)
}

/// First-layer rows along the leading direction of the key's movements: phase, moments, and the largest cosine.
pub(super) fn direction(
    suspect: &dyn WhiteBox,
    lab: &mut Lab<'_>,
    key: &Trigger,
) -> Result<Vec<f64>> {
    let xs = inputs(lab)?;
    let steps = key.activate(&xs, &lab.world.domain, &mut lab.seed.stream("activate"))? - &xs;
    let (_, v) = leading(&steps.t().dot(&steps), 1, &mut lab.seed.stream("leading")).remove(0);
    let weight = &suspect.net().layers()[0].weight;
    let along = weight.dot(&v);
    let own = moments(&along.to_vec());
    let square = weight.mapv(|w| w * w).mean().unwrap_or(0.0).max(1e-300);
    let cosine = weight
        .rows()
        .into_iter()
        .map(|w| w.dot(&v).abs() / w.dot(&w).sqrt().max(1e-300))
        .fold(0.0, f64::max);
    Ok(vec![phase::largest(&along.to_vec()), own[1] / square.sqrt(), own[2], own[3], cosine])
}
