//! Clean samples in two parts, one to tune on and one to judge by, and the rule that says whether a changed net is accepted.
//!
//! Every method that changes weights can make a net worse. Here it is held to account: the changed net is accepted if its risk on
//! held-out *clean* samples is at most `max_drop` above the suspect's there; else the suspect stays as it is, and a note says
//! so. So on those samples nothing is lost beyond the limit, on planted and on clean models. On fresh inputs the loss can
//! differ: with n held-out samples, both risks are within √(ln(4/β)/(2n)) of the true ones with probability 1 − β (Hoeffding 1963), for
//! one net that was fixed before the held-out samples were looked at; choosing among k nets by them takes ln(4k/β).
//!
//! Neither part is a test set: both are paid for as clean samples.
use super::{Repaired, n_samples};
use crate::access::{Lab, WhiteBox};
use crate::data::{Labeled, row};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::net::Net;
use crate::population::World;
use crate::rng::permutation;

/// Clean samples of one method, and the risk that it may not pass.
#[derive(Debug)]
pub(super) struct Trial {
    /// What the method may tune on.
    pub(super) tune: Labeled,
    /// What decides.
    pub(super) held_out: Labeled,
    /// Share of wrong answers of the suspect on the held-out part.
    pub(super) before: f64,
    max_drop: f64,
}

/// Checks the limit of a trial.
pub(super) fn check_max_drop(max_drop: f64) -> Result<()> {
    if (0.0..=1.0).contains(&max_drop) {
        return Ok(());
    }
    Err(Error::parameter("max_drop", max_drop, "a share from 0 to 1 is needed"))
}

/// Checks a number of clean samples that is halved.
pub(super) fn check_halved(samples: Option<usize>) -> Result<()> {
    if samples != Some(1) {
        return Ok(());
    }
    let want = "none at all, or at least two are needed: one to tune on and one to hold out";
    Err(Error::parameter("samples", 1, want))
}

impl Trial {
    /// Draws the clean samples that were asked for, or all that there are, and splits them at random: the smaller half is held
    /// out. Charges the samples, and F a held-out row for the suspect's own risk. `None` if there are fewer than two: then
    /// nothing may change.
    ///
    /// # Errors
    /// If the budget does not reach.
    pub(super) fn draw(
        asked: Option<usize>,
        max_drop: f64,
        net: &Net,
        lab: &mut Lab<'_>,
    ) -> Result<Option<Self>> {
        let n = n_samples(asked, lab)?;
        if n < 2 {
            return Ok(None);
        }
        let all = lab.clean.draw(n)?;
        let order = permutation(n, &mut lab.seed.stream("tune and held out"));
        let (tune, held_out) = all.select(&order).split_last(n / 2);
        let before = risk(net, &held_out, &lab.world, lab.ledger)?;
        Ok(Some(Self { tune, held_out, before, max_drop }))
    }

    /// The largest held-out risk that is accepted.
    pub(super) fn limit(&self) -> f64 {
        // Shares that are equal on paper differ in the last bit.
        self.before + self.max_drop + 1e-9
    }

    /// The net's held-out risk, and whether it is accepted. Charges F a held-out row.
    pub(super) fn judge(&self, net: &Net, lab: &Lab<'_>) -> Result<(f64, bool)> {
        let risk = risk(net, &self.held_out, &lab.world, lab.ledger)?;
        Ok((risk, risk <= self.limit()))
    }

    /// `changed` if it is accepted, else the suspect. `said` are the method's own notes. Charges F a held-out row.
    pub(super) fn settle<'a>(
        &self,
        suspect: &'a dyn WhiteBox,
        changed: Net,
        said: Vec<String>,
        lab: &Lab<'a>,
    ) -> Result<Repaired<'a>> {
        let (risk, accepted) = self.judge(&changed, lab)?;
        let mut notes = said;
        let Self { before, max_drop, held_out, .. } = self;
        let n = held_out.len();
        if accepted {
            notes.push(format!(
                "held-out risk {before:.3} before and {risk:.3} after, {n} clean samples"
            ));
            return Ok(Repaired { notes, ..Repaired::owned(changed, lab.ledger) });
        }
        notes.push(format!(
            "refused: held-out risk {before:.3} would become {risk:.3}, more than {max_drop} higher, on {n} clean samples; the suspect stays as it is"
        ));
        Ok(Repaired { notes, ..Repaired::unclaimed(suspect) })
    }
}

impl Trial {
    /// The first of `candidates`, strongest change first, that is accepted, else the suspect. A candidate is its name and how it is
    /// made, which is not done for those after the first that is accepted. One whose training diverged is refused. Charges F a
    /// held-out row and candidate that was made.
    ///
    /// Published methods choose so: as much change as clean accuracy bears. The lowest held-out risk would choose no change.
    pub(super) fn first<'a, M>(
        &self,
        suspect: &'a dyn WhiteBox,
        candidates: impl IntoIterator<Item = (String, M)>,
        lab: &Lab<'a>,
    ) -> Result<Repaired<'a>>
    where
        M: FnOnce(&Lab<'_>) -> Result<Net>,
    {
        let Self { before, max_drop, held_out, .. } = self;
        let n = held_out.len();
        let (mut notes, mut refused) = (Vec::new(), Vec::new());
        let mut accepted = None;
        for (name, make) in candidates {
            let changed = match make(lab) {
                Err(Error::Training(_)) => {
                    refused.push(format!("{name} (diverged)"));
                    continue;
                }
                made => made?,
            };
            let (risk, fine) = self.judge(&changed, lab)?;
            if fine {
                accepted = Some((name, risk, changed));
                break;
            }
            refused.push(format!("{name} ({risk:.3})"));
        }
        if !refused.is_empty() {
            let which = refused.join(", ");
            notes.push(format!(
                "refused, by held-out risk more than {max_drop} above {before:.3} on {n} clean samples: {which}"
            ));
        }
        let Some((name, risk, changed)) = accepted else {
            notes.push("the suspect stays as it is".to_owned());
            return Ok(Repaired { notes, ..Repaired::unclaimed(suspect) });
        };
        notes.push(format!(
            "{name}: held-out risk {before:.3} before and {risk:.3} after, {n} clean samples"
        ));
        Ok(Repaired { notes, ..Repaired::owned(changed, lab.ledger) })
    }
}

/// The suspect as it is, since there are not two clean samples to change it by.
pub(super) fn unchanged(suspect: &dyn WhiteBox) -> Repaired<'_> {
    let notes = vec!["fewer than two clean samples: the suspect stays as it is".to_owned()];
    Repaired { notes, ..Repaired::unclaimed(suspect) }
}

/// The suspect as it is, since the training of `what` diverged, for the reason `why`.
pub(super) fn diverged<'a>(suspect: &'a dyn WhiteBox, what: &str, why: &str) -> Repaired<'a> {
    let notes = vec![format!("{what}: training diverged: {why}; the suspect stays as it is")];
    Repaired { notes, ..Repaired::unclaimed(suspect) }
}

/// Share of wrong answers of `net` on `data`, as the world says what is right. Charges F a row.
pub(super) fn risk(net: &Net, data: &Labeled, world: &World, ledger: &Ledger) -> Result<f64> {
    let answers = net.forward(&data.xs, ledger)?;
    let is_wrong = |i: &usize| !world.is_right(&row(&answers, *i), &row(&data.ys, *i));
    let wrong = (0..data.len()).filter(is_wrong).count();
    Ok(wrong as f64 / data.len().max(1) as f64)
}
