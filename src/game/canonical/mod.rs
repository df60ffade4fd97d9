//! Canonicity as a game (Goldwasser, Shafer, Vafa, Vaikuntanathan 2025): does what a mitigator gives back depend on the backdoor?
//!
//! The definition speaks of one population at a time: for every suspect f of low loss the law of the output, over clean samples
//! and the method's coins, is within a small total variation (TV) distance of one canonical law. So a *pair* here is one
//! population, a clean net f for it and a planted net f', both fixed; the mitigator is run on each again and again, every time
//! with samples and coins of its own. Distinguishers learn on half of the runs to say which net the mitigator had, and are
//! scored on the other half: TV is at least what they achieve (`measure.rs`: an exact limit, no law assumed). What is looked at
//! is the whole output of a mitigator that gives back a net or a function, with its answers at some inputs; and of a local one its
//! answer at one input, clean or triggered, each input by itself.
//!
//! A second set of runs on f' has the samples and coins of those on f. If a method's output is, except with probability η, a
//! function of samples and coins alone (`Repaired::canonical`), the two have the same bits except with probability η + η';
//! whatever the method, TV is at most the probability that they differ.
//!
//! **The theorem's bound** is the triangle inequality through the canonical law: η + η' for two suspects that both satisfy the
//! assumption, which the scorer checks on either net. Runs that claim nothing (their assumption was refuted on the way) count
//! as if they told everything: the upper limit of their share is added. A local mitigator with error bar α and failure
//! probability η is within 2α of itself on another suspect, except with η + η', and that alone bounds no TV: inside the bar the
//! suspect may steer.
//!
//! **Errors.** The limits that are printed hold, lower ones and upper ones each, for all pairs, inputs and distinguishers at once with 95% (Bonferroni), so one
//! of them would pass a tight bound in one game of twenty. A theorem counts as refuted only where its limit passes the bound
//! with all of that at [`REFUTE`]; then something here is wrong, and the game says so.
mod measure;
mod observe;
mod pair;
mod play;
mod spec;

pub use measure::{N_READERS, Verdict};
pub use play::play;
pub use spec::{Checked, Spec};

use serde::Serialize;

use crate::score::AssumptionCheck;
use crate::stats::{Estimate, Proportion};

/// Probability, for all of a game at once, that a true theorem is said to be refuted.
pub const REFUTE: f64 = 1e-6;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed {
    /// The whole output of a mitigator that gives back a net or a function.
    Output,
    /// The answer at one clean input.
    Clean,
    /// The answer at one triggered input.
    Triggered,
}

impl Observed {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Clean => "clean",
            Self::Triggered => "triggered",
        }
    }
}

/// One thing that is looked at of one pair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unit {
    /// What it is.
    pub observed: Observed,
    /// Which of the inputs of its kind, from 0.
    pub input: Option<usize>,
    /// What distinguishers show.
    pub verdicts: Vec<Verdict>,
    /// The largest of their lower limits of the total variation distance.
    pub at_least: f64,
    /// Coupled runs with the same bits on both nets.
    pub identical: Proportion,
    /// Upper limit of the total variation distance by the coupling, at the confidence of `at_least`.
    pub at_most: f64,
    /// Largest difference between the numbers of two coupled runs.
    pub largest_difference: f64,
    /// Coupled runs of a method with error bars whose answers differ by more than the two bars together.
    pub beyond_bars: Option<Proportion>,
    /// The two bars together, the largest of all runs.
    pub bars: Option<f64>,
}

impl Unit {
    /// What it is, in words.
    pub fn place(&self) -> String {
        match self.input {
            Some(input) => format!("{} input {input}", self.observed.name()),
            None => format!("whole {}", self.observed.name()),
        }
    }
}

/// One population with a clean net and its planted twin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Seed of both nets.
    pub seed: u64,
    /// Attack success on the planted net without a defence.
    pub attack_success: Proportion,
    /// What the mitigator's theorem assumes of the clean and of the planted net, where that could be checked.
    pub assumptions: [Vec<AssumptionCheck>; 2],
    /// Whether all of it held on both; `None` if it could not be checked, or nothing is claimed.
    pub held: Option<bool>,
    /// The theorem's bound of the total variation distance if it does, where there is one.
    pub theorem: Option<f64>,
    /// Runs that claimed nothing about it, of clean, planted and coupled ones.
    pub unclaimed: [u64; 3],
    /// Runs in which the mitigator refused.
    pub refused: [u64; 3],
    /// Why the first of these refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Everything that was looked at.
    pub units: Vec<Unit>,
    /// Theorems that were refuted though their assumptions held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

impl Pair {
    /// The largest lower limit of the total variation distance.
    pub fn at_least(&self) -> f64 {
        self.units.iter().map(|unit| unit.at_least).fold(0.0, f64::max)
    }
}

/// One distinguisher on everything of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What was looked at.
    pub observed: Observed,
    /// The distinguisher.
    pub distinguisher: &'static str,
    /// True minus false positive rate, mean over inputs of each pair and then over pairs, with Student's interval over pairs.
    pub advantage: Estimate,
    /// Its largest lower limit.
    pub at_least: f64,
}

/// Coupled runs on everything of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coupled {
    /// What was looked at.
    pub observed: Observed,
    /// Share with the same bits, mean over pairs.
    pub identical: Estimate,
    /// Upper limit of the total variation distance, the largest of all.
    pub at_most: f64,
    /// Largest difference between numbers.
    pub largest_difference: f64,
    /// The largest sum of two error bars, and coupled runs that differ by more than theirs.
    pub beyond_bars: Option<(f64, Proportion)>,
}

/// A game that was played.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Played {
    /// The specification, with every default filled in.
    pub spec: Spec,
    /// Pairs left out since the attack did not take hold.
    pub left_out: usize,
    /// Attack success without a defence, mean over pairs.
    pub attack_success: Option<Estimate>,
    /// Total variation is at least this on the worst pair and input, with 95% for all of the game at once.
    pub at_least: f64,
    /// The largest lower limit of each pair, mean over these pairs; at the same confidence.
    pub mean_at_least: f64,
    /// The theorem's largest bound over pairs on which its assumption held or could not be checked.
    pub theorem: Option<f64>,
    /// Pairs on which the theorem's assumption held, and on which that is known.
    pub held: Proportion,
    /// Distinguishers.
    pub rows: Vec<Row>,
    /// Coupled runs.
    pub coupled: Vec<Coupled>,
    /// What a reader has to know.
    pub notes: Vec<String>,
    /// Theorems that were refuted where their assumptions held: something here is wrong.
    pub errors: Vec<String>,
    /// Every pair.
    pub pairs: Vec<Pair>,
}

#[cfg(test)]
mod tests;
