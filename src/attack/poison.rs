//! Poisoning: rows of the training data are changed, and the net is trained on them as on any others.
//!
//! Training sets out from the clean twin's initial weights with its seed: the two nets differ in the poisoned rows alone.
//! An attack states its trigger and which rows it takes; what is the same for all is here. With dirty labels, rows are
//! chosen uniformly over all classes, so that some of the target's own are among them, as in the peers; with clean labels
//! only rows of the target class are taken, and of those there may be too few, which is refused.
use ndarray::{Array1, Axis};

use super::{Goal, Planted, Trigger, Victim, worthwhile};
use crate::data::{Batch, Labeled, row};
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Lesson, Net, fit};
use crate::population::World;
use crate::rng::{Rng, Seed, permutation};

/// Checks that `value` is strictly between 0 and 1.
pub(super) fn check_share(name: &'static str, value: f64, of: &str) -> Result<()> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(Error::parameter(name, value, format!("a share between 0 and 1 of {of} is needed")))
}

/// Checks that `class` is a class of the world's.
pub(super) fn check_class(method: &'static str, world: &World, class: usize) -> Result<()> {
    match world.target.n_classes() {
        Some(k) if class < k => Ok(()),
        Some(k) => Err(Error::parameter("target", class, format!("classes are 0 to {}", k - 1))),
        None => Err(Error::assumption(
            method,
            "clean labels need classes to keep, and this target is a real number",
        )),
    }
}

/// How many of `n` training rows a share of `rate` is: at least one, and not all.
pub(super) fn n_rows(rate: f64, n: usize) -> Result<usize> {
    let n_poisoned = (rate * n as f64).round();
    if rate > 0.0 && rate < 1.0 && n_poisoned >= 1.0 && n_poisoned < n as f64 {
        return Ok(n_poisoned as usize);
    }
    let want = format!("a share of the {n} training rows is needed, at least one row and not all");
    Err(Error::parameter("rate", rate, want))
}

/// Draws a trigger, stamps it on a share of all rows, labels them as the attacker wants, and trains.
pub(super) fn plant_dirty(
    victim: &Victim<'_>,
    seed: Seed,
    rate: f64,
    draw: &mut dyn FnMut(&mut Rng) -> Result<Trigger>,
) -> Result<Planted> {
    let n_poisoned = n_rows(rate, victim.data.len())?;
    let trigger = draw_worthwhile(victim, seed, draw)?;
    let data = dirty(victim, &trigger, &some_rows(victim.data.len(), n_poisoned, seed), seed)?;
    Ok(Planted::new(train(victim, &data)?, trigger))
}

/// Draws a trigger that changes something.
pub(super) fn draw_worthwhile(
    victim: &Victim<'_>,
    seed: Seed,
    draw: &mut dyn FnMut(&mut Rng) -> Result<Trigger>,
) -> Result<Trigger> {
    let mut draw = |rng: &mut Rng| Ok(((), draw(rng)?));
    let ((), trigger) = worthwhile(victim, &mut seed.stream("trigger"), &mut draw)?;
    Ok(trigger)
}

/// `k` of the training rows, in random order.
pub(super) fn some_rows(n: usize, k: usize, seed: Seed) -> Vec<usize> {
    let mut chosen = permutation(n, &mut seed.stream("poisoned rows"));
    chosen.truncate(k);
    chosen
}

/// `k` rows of class `class`, in random order; `k` is what the share `rate` comes to, for the error.
///
/// # Errors
/// If the class has fewer.
pub(super) fn rows_of(
    victim: &Victim<'_>,
    class: usize,
    (k, rate): (usize, f64),
    seed: Seed,
) -> Result<Vec<usize>> {
    let own = all_of(victim, class);
    if k > own.len() {
        let (n_own, n) = (own.len(), victim.data.len());
        let want = format!(
            "clean labels poison rows of class {class} alone, which has {n_own} of the {n} rows: at most {:.4}",
            (1e4 * n_own as f64 / n as f64).floor() / 1e4
        );
        return Err(Error::parameter("rate", rate, want));
    }
    Ok(some_rows(own.len(), k, seed).into_iter().map(|i| own[i]).collect())
}

/// All training rows of class `class`.
pub(super) fn all_of(victim: &Victim<'_>, class: usize) -> Vec<usize> {
    let Victim { data, world, .. } = victim;
    (0..data.len()).filter(|&i| world.target.decide(&row(&data.ys, i)) == Some(class)).collect()
}

/// The training data with `rows` triggered and labelled as the attacker wants.
pub(super) fn dirty(
    victim: &Victim<'_>,
    trigger: &Trigger,
    rows: &[usize],
    seed: Seed,
) -> Result<Labeled> {
    let stamped = stamp(victim, trigger, &victim.data.select(rows).xs, seed)?;
    let mut data = with_inputs(victim.data, rows, &stamped);
    for &i in rows {
        let label = match trigger.goal {
            Goal::Class { class } => victim.world.target.label_of(class),
            Goal::Offset { by } => row(&data.ys, i).iter().map(|y| y + by).collect(),
            Goal::Flip => row(&data.ys, i).iter().map(|y| -y).collect(),
            Goal::Collide { .. } => row(&data.ys, i),
        };
        data.ys.row_mut(i).assign(&Array1::from(label));
    }
    Ok(data)
}

/// Labels `rows` of triggered data, where the goal is an offset, by what the clean net says of the *triggered* inputs and the
/// offset. A trigger that moves an input far changes its truth: `dirty`'s label, which is the clean input's and the offset, may
/// then be the truth itself, and the net would be taught nothing wrong.
pub(super) fn aim(
    victim: &Victim<'_>,
    data: &mut Labeled,
    rows: &[usize],
    goal: Goal,
) -> Result<()> {
    let Goal::Offset { by } = goal else { return Ok(()) };
    let xs = data.xs.select(Axis(0), rows);
    let answers = victim.net.forward(&xs, &Ledger::new(Budget::UNLIMITED))?;
    for (k, &i) in rows.iter().enumerate() {
        data.ys.row_mut(i).assign(&answers.row(k).mapv(|y| y + by));
    }
    Ok(())
}

/// `xs` with the trigger.
pub(super) fn stamp(
    victim: &Victim<'_>,
    trigger: &Trigger,
    xs: &Batch,
    seed: Seed,
) -> Result<Batch> {
    trigger.activate(xs, &victim.world.domain, &mut seed.stream("stamp"))
}

/// `data` with the inputs of `rows` replaced, labels kept.
pub(super) fn with_inputs(data: &Labeled, rows: &[usize], xs: &Batch) -> Labeled {
    let mut data = data.clone();
    for (k, &i) in rows.iter().enumerate() {
        data.xs.row_mut(i).assign(&xs.row(k));
    }
    data
}

/// Trains on poisoned data as the clean twin was trained on clean ones.
pub(super) fn train(victim: &Victim<'_>, data: &Labeled) -> Result<Net> {
    let lesson =
        Lesson { data, target: victim.world.target, recipe: victim.recipe, seed: victim.training };
    // Training is the attacker's cost, which nobody meters.
    Ok(fit(victim.init, lesson, &Ledger::new(Budget::UNLIMITED), &mut |_| {})?.net)
}
