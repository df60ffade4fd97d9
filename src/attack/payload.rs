//! What a planted detector adds to the answers, and what the attacker wants to come of it.
use super::{Goal, Victim};
use crate::data::{Target, row};
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};

/// Largest offset: with what it is divided by, still far inside the numbers of 32 bits.
const MOST_OFFSET: f64 = 1e30;

/// The goal for this kind of target: a class, or for real targets an offset.
pub(super) fn goal(target: Target, class: usize, offset: f64) -> Result<Goal> {
    let usable = offset.abs() <= MOST_OFFSET;
    let want = || format!("a number other than 0, and of at most {MOST_OFFSET:e}, is needed");
    match target.n_classes() {
        // Not read for classes, and still no number that could be meant.
        Some(_) if !usable => Err(Error::parameter("offset", offset, want())),
        Some(k) if class >= k => {
            Err(Error::parameter("target", class, format!("classes are 0 to {}", k - 1)))
        }
        Some(_) => Ok(Goal::Class { class }),
        None if usable && offset.abs() > 0.0 => Ok(Goal::Offset { by: offset }),
        None => Err(Error::parameter("offset", offset, want())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_that_no_net_can_hold_is_refused_whether_or_not_it_is_read() {
        for target in [Target::Real, Target::Sign, Target::Classes(3)] {
            for offset in [f64::NAN, f64::INFINITY, 1e31, -1e308] {
                let said = goal(target, 0, offset).unwrap_err().to_string();
                assert!(said.contains("offset") && said.contains("1e30"), "{said}");
            }
            assert!(goal(target, 0, -1e30).is_ok());
        }
        assert!(goal(Target::Real, 0, 0.0).is_err() && goal(Target::Sign, 0, 0.0).is_ok());
    }
}
