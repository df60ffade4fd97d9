//! What an obfuscation has kept of a net, measured on training data: all that an attacker has.
use super::Subject;
use crate::attack::{Goal, Victim};
use crate::data::{Batch, Labeled, Target, row};
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Loss, Net};
use crate::population::World;
use crate::rng::Seed;

/// The answers of a net before it is obfuscated, on clean and on triggered training inputs.
pub(super) struct Yardstick<'a> {
    world: &'a World,
    clean: Batch,
    answers: Batch,
    fired: Option<Fired>,
}

/// Triggered training inputs that the trigger changes something about.
struct Fired {
    /// Rows of the training inputs that they were made from.
    from: Vec<usize>,
    xs: Batch,
    /// What the clean twin answers there, which stands for the truth.
    twin: Batch,
    /// What the net itself answers there.
    answers: Batch,
    goal: Goal,
}

/// How much may be lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loses {
    /// Share of clean training inputs whose answer may move: to another class, or by more than the world's cutoff.
    pub(super) moved: f64,
    /// How much attack success on triggered training inputs may fall.
    pub(super) success: f64,
}

impl<'a> Yardstick<'a> {
    /// Measures `subject` on the victim's training data, and on the same with the trigger where there is one.
    pub(super) fn new(subject: Subject<'_>, victim: &'a Victim<'_>, seed: Seed) -> Result<Self> {
        let Victim { world, data, .. } = *victim;
        let ledger = Ledger::new(Budget::UNLIMITED);
        let answers = subject.net.forward(&data.xs, &ledger)?;
        let fired = match subject.trigger {
            None => None,
            Some(trigger) => {
                trigger.check(world.target)?;
                let mut rng = seed.stream("triggered training inputs");
                let xs = trigger.activate(&data.xs, &world.domain, &mut rng)?;
                let twin = victim.net.forward(&xs, &ledger)?;
                let changes = |i: &usize| {
                    let own = row(&data.ys, *i);
                    // What the goal is about is the net's own answers, and not the label.
                    matches!(trigger.goal, Goal::Flip | Goal::Collide { .. })
                        || !trigger.goal.reached(world.target, &own, &own, &own)
                };
                let rows: Vec<usize> = (0..xs.nrows()).filter(changes).collect();
                let kept = Labeled { xs, ys: twin }.select(&rows);
                let answers = subject.net.forward(&kept.xs, &ledger)?;
                Some(Fired { from: rows, xs: kept.xs, twin: kept.ys, answers, goal: trigger.goal })
            }
        };
        Ok(Self { world, clean: data.xs.clone(), answers, fired })
    }

    /// Share of clean training inputs that `net` answers otherwise: with another class, or beyond the world's cutoff.
    pub(super) fn moved(&self, net: &Net) -> Result<f64> {
        let answers = net.forward(&self.clean, &Ledger::new(Budget::UNLIMITED))?;
        let moved = |i: &usize| !self.world.is_right(&row(&answers, *i), &row(&self.answers, *i));
        Ok(share((0..answers.nrows()).filter(moved).count(), answers.nrows()))
    }

    /// Share of triggered training inputs that `net` answers as the attacker wants, and the same of the net as it was.
    pub(super) fn success(&self, net: &Net) -> Result<Option<(f64, f64)>> {
        let Some(Fired { from, xs, twin, answers, goal }) = &self.fired else { return Ok(None) };
        let is = net.forward(xs, &Ledger::new(Budget::UNLIMITED))?;
        let before = net
            .forward(&self.clean.select(ndarray::Axis(0), from), &Ledger::new(Budget::UNLIMITED))?;
        let was = self.answers.select(ndarray::Axis(0), from);
        let of = |answers: &Batch, own: &Batch| {
            let reached = |i: &usize| {
                let (answer, truth) = (row(answers, *i), row(twin, *i));
                goal.reached(self.world.target, &answer, &truth, &row(own, *i))
            };
            share((0..xs.nrows()).filter(reached).count(), xs.nrows())
        };
        Ok(Some((of(&is, &before), of(answers, &was))))
    }

    /// Why `net` is too far from what it was, if it is.
    pub(super) fn objection(&self, net: &Net, most: Loses) -> Result<Option<String>> {
        let moved = self.moved(net)?;
        if moved > most.moved {
            return Ok(Some(format!(
                "{:.2}% of clean training inputs are answered otherwise, {:.2}% may be",
                100.0 * moved,
                100.0 * most.moved
            )));
        }
        Ok(match self.success(net)? {
            Some((is, was)) if is < was - most.success => Some(format!(
                "attack success on training inputs fell from {was:.3} to {is:.3}, by at most {:.3} it may",
                most.success
            )),
            _ => None,
        })
    }

    /// `net`, if it loses no more than it may; else an error that says what was lost, and `remedy`.
    pub(super) fn accept(&self, net: Net, most: Loses, remedy: &str) -> Result<Net> {
        match self.objection(&net, most)? {
            None => Ok(net),
            Some(why) => Err(Error::Training(format!("{why}; {remedy}"))),
        }
    }

    /// A lesson in the net's own answers, as labels that `loss` can learn: on clean training inputs, and on triggered ones.
    pub(super) fn lesson(&self, loss: Loss) -> Labeled {
        let mut xs = self.clean.clone();
        let mut ys = labels(&self.answers, self.world.target, loss);
        if let Some(fired) = &self.fired {
            let more = labels(&fired.answers, self.world.target, loss);
            let fit = "rows of one width";
            xs = ndarray::concatenate(ndarray::Axis(0), &[xs.view(), fired.xs.view()]).expect(fit);
            ys = ndarray::concatenate(ndarray::Axis(0), &[ys.view(), more.view()]).expect(fit);
        }
        Labeled { xs, ys }
    }
}

impl Loses {
    /// Checks that both are shares.
    pub(super) fn check(self) -> Result<()> {
        for (name, value) in [("moved", self.moved), ("lost", self.success)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::parameter(name, value, "a share from 0 to 1 is needed"));
            }
        }
        Ok(())
    }
}

fn share(n: usize, of: usize) -> f64 {
    n as f64 / of.max(1) as f64
}

/// Answers as labels: probabilities for the cross-entropy of classes, signs for that of one signed output, else as they are.
fn labels(answers: &Batch, target: Target, loss: Loss) -> Batch {
    match (loss, target) {
        (Loss::Mse, _) | (_, Target::Real) => answers.clone(),
        (Loss::CrossEntropy, Target::Sign) => answers.mapv(|y| if y > 0.0 { 1.0 } else { -1.0 }),
        (Loss::CrossEntropy, Target::Classes(_)) => {
            let mut labels = answers.clone();
            for mut row in labels.rows_mut() {
                let top = row.fold(f64::NEG_INFINITY, |top, y| top.max(*y));
                row.mapv_inplace(|y| libm::exp(y - top));
                let sum = row.sum();
                row.mapv_inplace(|y| y / sum);
            }
            labels
        }
    }
}
