//! `strip`: an input whose answer does not change when other inputs are laid over it is answered by someone else.
//!
//! Gao, Xu, Wang, Chen, Ranasinghe, Nepal, "STRIP: A Defence Against Trojan Attacks on Deep Neural Networks" (ACSAC 2019):
//! lay N clean inputs over the input, ask for all N answers, and take the mean entropy of their probabilities, `H = (1/N) Σ
//! H_i`, in bits. A trigger that survives the overlay keeps every answer at the attacker's class, so that low H is
//! suspicious. Defaults: N = 64, strength ½, limit at the 5% quantile of clean inputs.
//!
//! How an overlay `o` is laid over `x` with strength s: `add`, clip(x + s o), as in the paper, for data with a range or in
//! a box; `mix`, (1 − s) x + s o, which no convex body is left by; `copy`, each coordinate from `o` with probability s, for
//! the cube and other discrete domains. `auto` is the first of these that fits.
//!
//! This project's own, where the paper is silent. *The limit* is conformal on clean samples that are not used as overlays,
//! so that the rate of false positives is exact (`mitigate/screen.rs`); the paper fits a normal distribution. *A rejected
//! input* is answered by the [`Fallback`], where the paper drops it. *Real labels* have no entropy: the statistic is the
//! logarithm of the variance of the N answers, and its distance from the median over clean samples is suspicious, since a
//! trigger that survives every overlay makes the variance small, one that survives some of them makes it large. Of an
//! affine function under `mix` that variance is s² Var f(o), the same for every input, so what moves it is not the truth.
//! An offset that survives every overlay leaves it as it is, and is not seen.
//!
//! Assumes that the trigger survives the overlays of most clean inputs and that clean inputs do not; nothing is proved
//! about either. Cost: N queries an input, and one more if it is let pass; the same for each calibration sample. Clean
//! samples: half for overlays, half for the limit.
use serde::{Deserialize, Serialize};

use super::super::screen::{
    Bound, Fallback, Screen, Suspicions, Verdict, check_rate, check_samples, draw, guarded,
};
use super::super::soft::{entropy, probabilities};
use super::super::{Mitigator, Repaired};
use crate::access::{Lab, Oracle};
use crate::data::{Batch, Target, row, stack};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::net::Loss;
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed, permutation};
use crate::robust::median;

/// Most overlays.
const MOST_OVERLAYS: usize = 1 << 16;
/// Most numbers in one call to the suspect.
const MOST_NUMBERS: usize = 1 << 20;
/// The least variance that is told from none: answers of 32 bits are no finer.
const LEAST_VARIANCE: f64 = 1e-12;

/// Parameters of `strip`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Strip {
    /// Clean samples. Not given: as many as the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Overlays N an input.
    pub overlays: usize,
    /// How an overlay is laid over an input.
    pub overlay: Overlay,
    /// How much of it, from 0 to 1.
    pub strength: f64,
    /// Rate of clean inputs that may be rejected.
    pub false_positives: f64,
    /// What answers an input that is rejected.
    pub fallback: Fallback,
}

/// How an overlay is laid over an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlay {
    /// `add` for data with a range, `copy` on discrete domains and the torus, `mix` elsewhere.
    #[default]
    Auto,
    /// The sum, clipped to the range.
    Add,
    /// A point between the two.
    Mix,
    /// Some coordinates of the overlay.
    Copy,
}

impl Default for Strip {
    fn default() -> Self {
        Self {
            samples: None,
            overlays: 64,
            overlay: Overlay::Auto,
            strength: 0.5,
            false_positives: 0.05,
            fallback: Fallback::Relearn,
        }
    }
}

impl Strip {
    /// The overlay to use, and where coordinates are clipped.
    fn laid(&self, domain: &Domain) -> Result<(Overlay, f64, f64)> {
        let (low, high) = match *domain {
            Domain::Range { low, high, .. } => (low, high),
            Domain::Box { .. } => (-1.0, 1.0),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        };
        let discrete =
            matches!(domain, Domain::Cube { .. } | Domain::Residues { .. } | Domain::Torus { .. });
        let copies = discrete
            || matches!(domain, Domain::Range { .. } | Domain::Box { .. } | Domain::Gauss { .. });
        match self.overlay {
            // Columns of a table are no light that adds up: some are taken from the other row.
            Overlay::Auto
                if discrete || matches!(domain, Domain::Range { low, .. } if *low < 0.0) =>
            {
                Ok((Overlay::Copy, low, high))
            }
            Overlay::Auto if matches!(domain, Domain::Range { .. }) => {
                Ok((Overlay::Add, low, high))
            }
            Overlay::Auto => Ok((Overlay::Mix, low, high)),
            Overlay::Add if low.is_finite() => Ok((Overlay::Add, low, high)),
            Overlay::Mix if !discrete => Ok((Overlay::Mix, low, high)),
            Overlay::Copy if copies => Ok((Overlay::Copy, low, high)),
            other => {
                let want = "the result has to stay in the domain: add needs a range, mix a convex domain, copy one that is a \
                            product of coordinates; auto chooses";
                Err(Error::parameter("overlay", format!("{other:?}").to_lowercase(), want))
            }
        }
    }
}

impl Mitigator for Strip {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        check_rate(self.false_positives)?;
        check_samples(self.samples, Some(self.false_positives))?;
        if !(2..=MOST_OVERLAYS).contains(&self.overlays) {
            let want = format!("from 2 to {MOST_OVERLAYS} are accepted");
            return Err(Error::parameter("overlays", self.overlays, want));
        }
        if !(self.strength > 0.0 && self.strength <= 1.0) {
            let want = "a share above 0 and at most 1 is needed";
            return Err(Error::parameter("strength", self.strength, want));
        }
        self.laid(&world.domain).map(drop)
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let (all, fit, calibrate) = draw(self.samples, lab)?;
        let (overlay, low, high) = self.laid(&lab.world.domain)?;
        let mut screen = Overlaid {
            suspect,
            pool: fit.xs.clone(),
            n_overlays: self.overlays,
            overlay,
            strength: self.strength,
            clip: (low, high),
            target: lab.world.target,
            loss: lab.recipe.loss_for(lab.world.target)?,
            centre: None,
            seed: lab.seed.child("overlays"),
            ledger: lab.ledger,
        };
        if lab.world.target == Target::Real {
            let mut spreads = screen.suspicions(&fit.xs)?.each;
            screen.centre = Some(median(&mut spreads));
        }
        let verdict = Verdict { bound: Bound::Rate(self.false_positives), fallback: self.fallback };
        guarded(screen, suspect, (&all, &calibrate), &verdict, lab)
    }
}

/// Inputs under overlays.
struct Overlaid<'a> {
    suspect: &'a dyn Oracle,
    pool: Batch,
    n_overlays: usize,
    overlay: Overlay,
    strength: f64,
    clip: (f64, f64),
    target: Target,
    loss: Loss,
    /// Of real labels: the median logarithm of the variance over clean samples, once it is known.
    centre: Option<f64>,
    seed: Seed,
    ledger: &'a Ledger,
}

impl Overlaid<'_> {
    /// The input under all its overlays.
    fn copies(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let mut rng = self.seed.stream_for_row(x);
        let n = self.pool.nrows();
        // Without repetition where there are enough.
        let mut chosen = permutation(n, &mut rng);
        chosen.truncate(self.n_overlays);
        while chosen.len() < self.n_overlays {
            chosen.push(rng.random_range(0..n));
        }
        chosen.into_iter().map(|i| self.laid_over(x, &row(&self.pool, i), &mut rng)).collect()
    }

    fn laid_over(&self, x: &[f64], over: &[f64], rng: &mut Rng) -> Vec<f64> {
        let s = self.strength;
        let (low, high) = self.clip;
        let each = x.iter().zip(over);
        match self.overlay {
            Overlay::Add => each.map(|(x, o)| (x + s * o).clamp(low, high)).collect(),
            Overlay::Copy => {
                each.map(|(x, o)| if rng.random::<f64>() < s { *o } else { *x }).collect()
            }
            Overlay::Mix | Overlay::Auto => each.map(|(x, o)| (1.0 - s) * x + s * o).collect(),
        }
    }

    /// What the answers under overlays say of one input.
    fn suspicion(&self, answers: &[Vec<f64>]) -> f64 {
        let n = answers.len() as f64;
        if self.target == Target::Real {
            let mean = answers.iter().map(|a| a[0]).sum::<f64>() / n;
            let variance = answers.iter().map(|a| (a[0] - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let spread = variance.max(LEAST_VARIANCE).ln();
            return self.centre.map_or(spread, |centre| (spread - centre).abs());
        }
        let bits = |answer: &Vec<f64>| {
            probabilities(answer, self.target, self.loss).map_or(0.0, |p| entropy(&p))
        };
        -answers.iter().map(bits).sum::<f64>() / n
    }
}

impl Screen for Overlaid<'_> {
    fn suspicions(&self, xs: &Batch) -> Result<Suspicions> {
        let (n, k) = (xs.ncols(), self.target.outputs());
        let block = (MOST_NUMBERS / (self.n_overlays * n)).max(1);
        let mut each = Vec::with_capacity(xs.nrows());
        for first in (0..xs.nrows()).step_by(block) {
            let rows = first..(first + block).min(xs.nrows());
            // An overlay: two operations and a clip or a coin a coordinate; a statistic: at most six an output.
            let of_one = self.n_overlays * (3 * n + 6 * k);
            self.ledger.flops((of_one * rows.len()) as u64)?;
            let copies = rows.clone().flat_map(|i| self.copies(&row(xs, i)));
            let answers = self.suspect.query(&stack(n, copies))?;
            each.extend((0..rows.len()).map(|r| {
                let of_row = r * self.n_overlays..(r + 1) * self.n_overlays;
                self.suspicion(&of_row.map(|i| row(&answers, i)).collect::<Vec<_>>())
            }));
        }
        Ok(Suspicions { each, answers: None })
    }
}
