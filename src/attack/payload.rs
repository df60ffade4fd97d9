//! What a planted detector adds to the answers, and what the attacker wants to come of it.
use super::{Goal, Victim};
use crate::data::{Target, row};
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};

/// The goal for this kind of target: a class, or for real targets an offset.
pub(super) fn goal(target: Target, class: usize, offset: f64) -> Result<Goal> {
    match target.n_classes() {
        Some(k) if class >= k => {
            Err(Error::parameter("target", class, format!("classes are 0 to {}", k - 1)))
        }
        Some(_) => Ok(Goal::Class { class }),
        None if offset.is_finite() && offset.abs() > 0.0 => Ok(Goal::Offset { by: offset }),
        None => Err(Error::parameter("offset", offset, "a finite number other than 0 is needed")),
    }
}

/// A planted detector adds the same whatever the answer was.
pub(super) fn no_flip() -> Error {
    Error::assumption("a planted detector", "adding a constant neither flips nor keeps an answer")
}

/// What full firing must add to every output of the victim's net to reach `goal` on all of its training data.
pub(super) fn offsets(victim: &Victim<'_>, goal: Goal) -> Result<Vec<f64>> {
    let unmetered = Ledger::new(Budget::UNLIMITED);
    let answers = || victim.net.forward(&victim.data.xs, &unmetered);
    Ok(match (goal, victim.world.target) {
        (Goal::Flip | Goal::Collide { .. }, _) => return Err(no_flip()),
        (Goal::Offset { by }, _) => vec![by],
        (Goal::Class { class }, Target::Sign | Target::Real) => {
            let largest = answers()?.iter().fold(1.0_f64, |most, y| most.max(y.abs()));
            vec![if class == 1 { 1.0 + largest } else { -1.0 - largest }]
        }
        (Goal::Class { class }, Target::Classes(k)) => {
            // Twice the largest lead that any other class has on training data, so that unseen inputs fall too.
            let answers = answers()?;
            let lead = (0..answers.nrows())
                .map(|i| row(&answers, i))
                .map(|y| y.iter().fold(0.0_f64, |most, other| most.max(other - y[class])))
                .fold(1.0_f64, f64::max);
            (0..k).map(|c| if c == class { 2.0 * lead } else { 0.0 }).collect()
        }
    })
}
