//! `fourier-advised`: someone who reads the weights says which characters the truth may have, and clean samples say whether to believe it.
//!
//! This project's own. An [`Adviser`] may read the net, take gradients, or be a liar. Its list L is believed only if clean labels have
//! next to no mass outside its span. Where they do, or where that cannot be told, the black-box search of `fourier-global` runs as if
//! nobody had said anything. The clean samples, their number and the values are those of `fourier-global` in both cases.
//!
//! **Theorem.** Let the truth h be τ-heavy with |h| ≤ B, clean labels independent with uniform inputs, E[y|x] = h(x), |y| ≤ B. Let K = 8B²/τ²
//! and let the suspect, the adviser and their coins be independent of the clean samples.
//! 1. *Safe.* Except with probability η, a run that makes a claim has kept exactly the support of h, and its output is the function F
//!    of the clean samples that the lemma of `fourier-global` names, if either the list was believed, *whatever the suspect is*, or the
//!    suspect, clipped, is within τ/4 of h in root mean square (or the weaker promise that the note names).
//! 2. *Cheap.* It spends at most what `fourier-global` with failure probability η' = 0.8 η spends on the same suspect, samples and coins, and
//!    besides at most `share` times the fewest queries that any run of that asks, in forward passes: so at most 1 + `share` times its
//!    work, but for the few operations a clean sample that choosing from a believed list takes. It draws at most max(N, |L|B²/ε) samples, as
//!    that does where it hashes; where that asks the whole cube or takes the tree, it needs no N, and this draws them all the same.
//!
//! *Proof of 1.* Split the first N samples into A and C, with the size of either fixed before C is looked at (N follows from the first
//! samples' second moment, which for labels of ±1 is known, and else all from A). Let g be any function in the span of L that A
//! gives, here least squares, and `R ≥ B + sup|g|`. Suppose L lacks a set S of the support. Then g has coefficient 0 at S, so by Parseval
//! `E(y − g)² ≥ h^(S)² ≥ τ²`. On C, `Z = (y − g)²/R²` are independent numbers in [0, 1] of mean at least q = τ²/R², so their mean is at most t < q
//! with probability at most `exp(−|C| KL(t‖q))` (Hoeffding 1963, Theorem 1; KL of two coins; it only falls as the mean grows). Believe if
//! that is at most η₁. Noise in labels adds to E(y − g)²: it makes belief rarer, never wrong. That what L holds beyond the support falls
//! out by its mean over the first N fails with probability at most (3/8) η' |L|/K, as in `fourier-global`, and the second moment with η'/8. With
//! `η₁ = 0.2 η − (3/8) η' |L|/K` and at most η' for a search, all fail together with at most η. In both cases the support is that of h, so F
//! is the same function. ∎ *Proof of 2.* Every step of the adviser and of the test asks the desk first, and what the desk has left to give
//! is `share` times those fewest queries times F. The searches use the same stream of coins, so queries are equal, one by one. ∎
//!
//! So the advice needs no assumption, and the search keeps its own. An adviser that is wrong costs what the desk may give. Where labels are noisy, belief
//! is out of reach: τ²/4 of noise (2% of flipped labels at τ = 1/2) is about what the sizes here let pass. Then `fourier-global` it is.
//!
//! Advisers, all heuristic: `first-layer` and `flips` find coordinates that matter and ask all their vertices, the others random;
//! `exact` runs the tree of [`crate::net::ExactTree`]; `given` is a list from the user; [`super::FourierOuterProduct`] reads gradients. What defeats
//! them: an input layer that clips (`saturate`) leaves gradients nothing to say, shows a first layer in which all coordinates look alike, and
//! is too deep for `exact`; `ripple` makes gradients noise and is too deep as well. `flips` looks at answers, which neither changes, but in a
//! deep net n flips cost n passes, and the desk lets it look at few inputs. All of them together cost a search, no more, and never a wrong answer.
//!
//! Rung: the weights; by gradients [`super::FourierOuterProduct`]. A net with a verifier beside it is advised on by its layers; belief does not ask
//! about the suspect at all. With no clean sample to draw it fails as `fourier-global` does: there is no output without values.
mod advisers;
mod desk;
mod outer_product;
mod verdict;

use serde::{Deserialize, Serialize};

pub use advisers::{ExactTreeAdviser, FirstLayer, Flips, Given};
pub use desk::{Adviser, Desk};
pub use outer_product::FourierOuterProduct;

use super::super::black_box::FourierGlobal;
use super::super::black_box::fourier_global::{Clean, SHARE, most_listed};
use super::super::{Guarantee, Mitigator, Repaired};
use crate::access::{Lab, Oracle, WhiteBox};
use crate::data::Target;
use crate::error::{Error, Result};
use crate::fourier::HeavySearch;
use crate::population::World;
use verdict::{Test, Verdict};

/// Share of the failure probability that a search gets; the rest is for belief.
const OF_SEARCH: f64 = 0.8;
/// Sets that are read of a list, in units of B²/τ²: there are at most one of these in the truth, and K = 8 of them were allowed for.
const LISTED: f64 = 2.0;

/// Parameters of `fourier-advised`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FourierAdvised {
    /// The least non-zero coefficient τ of the truth. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tau: Option<f64>,
    /// The bound B on values. Not given: what the class promises, or 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// Largest probability η that the characters found are not the truth's.
    pub failure: f64,
    /// Expected mean squared error ε that the values may have.
    pub accuracy: f64,
    /// Most that advice and its test may cost, in the fewest queries that any run of `fourier-global` asks.
    pub share: f64,
    /// Who advises.
    pub adviser: AdviserName,
    /// Inputs at which `flips` looks, and samples a level of `exact`.
    pub samples: usize,
    /// The list of `given`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Vec<usize>>,
}

/// Who advises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdviserName {
    /// The coordinates that many units of the first layer weigh.
    FirstLayer,
    /// The coordinates whose turning moves answers, by all bit flips of a few inputs.
    #[default]
    Flips,
    /// The exact tree search of a net with one hidden layer.
    Exact,
    /// The list in `given`.
    Given,
}

impl Default for FourierAdvised {
    fn default() -> Self {
        Self {
            tau: None,
            bound: None,
            failure: 1e-3,
            accuracy: 0.01,
            share: 1.0,
            adviser: AdviserName::Flips,
            samples: 32,
            given: Vec::new(),
        }
    }
}

impl Mitigator for FourierAdvised {
    type Access = dyn WhiteBox;

    fn check(&self, world: &World) -> Result<()> {
        self.advised().check(world)?;
        check_samples(self.samples)?;
        let n = world.domain.n();
        if let Some(outside) = self.given.iter().flatten().find(|i| **i >= n) {
            let want = format!("coordinates of an n = {n} cube are 0 to {}", n - 1);
            return Err(Error::parameter("given", outside, want));
        }
        if self.given.is_empty() == (self.adviser == AdviserName::Given) {
            let want = "a list is needed for adviser = \"given\", and for no other";
            return Err(Error::parameter("given", format!("{} sets", self.given.len()), want));
        }
        Ok(())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let samples = self.samples;
        match self.adviser {
            AdviserName::FirstLayer => self.listening_to(&FirstLayer, suspect, lab),
            AdviserName::Flips => self.listening_to(&Flips { samples }, suspect, lab),
            AdviserName::Exact => self.listening_to(&ExactTreeAdviser { samples }, suspect, lab),
            AdviserName::Given => self.listening_to(&Given(self.given.clone()), suspect, lab),
        }
    }
}

impl FourierAdvised {
    /// Runs the method with an adviser of one's own in place of the one that is named.
    pub fn listening_to<'a>(
        &self,
        adviser: &dyn Adviser<dyn WhiteBox>,
        suspect: &'a (dyn WhiteBox + 'static),
        lab: &mut Lab<'a>,
    ) -> Result<Repaired<'a>> {
        self.advised().run(adviser, suspect, lab)
    }

    fn advised(&self) -> Advised {
        let Self { tau, bound, failure, accuracy, share, .. } = *self;
        Advised::new((tau, bound), failure, accuracy, share)
    }
}

/// Checks how many inputs an adviser looks at.
fn check_samples(samples: usize) -> Result<()> {
    if (1..=1 << 20).contains(&samples) {
        return Ok(());
    }
    Err(Error::parameter("samples", samples, "from one to 2^20 inputs are looked at"))
}

/// What all rungs share: the search that is fallen back on, and what may be spent before.
#[derive(Clone, Copy, Debug)]
struct Advised {
    global: FourierGlobal,
    failure: f64,
    share: f64,
}

impl Advised {
    fn new(
        (tau, bound): (Option<f64>, Option<f64>),
        failure: f64,
        accuracy: f64,
        share: f64,
    ) -> Self {
        let defaults = FourierGlobal::default();
        let global =
            FourierGlobal { tau, bound, failure: OF_SEARCH * failure, accuracy, ..defaults };
        Self { global, failure, share }
    }

    fn check(&self, world: &World) -> Result<()> {
        if !(self.failure > 0.0 && self.failure < 1.0) {
            let want = "a probability between 0 and 1 is needed";
            return Err(Error::parameter("failure", self.failure, want));
        }
        if !(self.share >= 0.0 && self.share <= 1e6) {
            return Err(Error::parameter("share", self.share, "a number from 0 to 1e6 is needed"));
        }
        Mitigator::check(&self.global, world)
    }

    fn run<'a, A: Oracle + ?Sized>(
        &self,
        adviser: &dyn Adviser<A>,
        suspect: &'a A,
        lab: &mut Lab<'a>,
    ) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let plan = self.global.plan(&lab.world)?;
        let HeavySearch { tau, bound, .. } = plan;
        let mut notes = Vec::new();
        let least = self.global.least_queries(&plan);
        let mut list = Vec::new();
        let mut desk = None;
        if self.share * least as f64 >= 1.0 {
            let open = Desk::open(&plan, self.share * least as f64, &suspect, lab)?;
            list = match adviser.advise(suspect, &open) {
                Ok(list) => list,
                // An adviser that does not apply here is one that says nothing.
                Err(error @ (Error::Assumption { .. } | Error::Parameter { .. })) => {
                    notes.push(format!("no advice: {error}"));
                    Vec::new()
                }
                Err(error) => return Err(error),
            };
            if open.overdrawn() {
                notes.push("the adviser spent more than its desk allowed".to_owned());
            }
            desk = Some(open);
        }
        let listed = clean_list(list, plan.n, (LISTED * (bound / tau).powi(2)).floor() as usize);
        let mut clean = Clean::new();
        let global = self.global;
        clean.draw_to_choose((tau, bound, global.failure), lab)?;
        let verdict = match &desk {
            Some(desk) if !listed.is_empty() => {
                let of_extras = (SHARE - 0.125) * global.failure * listed.len() as f64
                    / most_listed(tau, bound) as f64;
                let failure = (1.0 - OF_SEARCH) * self.failure - of_extras;
                let n_first = match lab.world.target {
                    Target::Sign => 0,
                    _ => Clean::n_first((tau, bound, global.failure)),
                };
                let n_fit = (clean.len() / 3).max(n_first);
                Test { list: &listed, tau, bound, failure, n_fit }.verdict(&clean, desk)?
            }
            _ => Verdict::Open("nothing was advised".to_owned()),
        };
        match verdict {
            Verdict::Complete(note) => {
                let sum = global.of_list(&listed, &mut clean, lab)?;
                notes.push(format!("the advice of {} sets is believed: {note}", listed.len()));
                let claimed = !sum.terms().is_empty() && clean.largest() <= bound * (1.0 + 1e-9);
                let guarantee = claimed.then(|| self.believed(tau));
                let canonical = guarantee.as_ref().map(|claim| claim.failure_probability);
                Ok(Repaired { guarantee, notes, canonical, ..Repaired::recovered(sum, lab) })
            }
            Verdict::Open(why) => {
                let mut found = global.search_from(&suspect, lab, clean, None)?;
                notes.push(format!("searched by queries: {why}"));
                notes.append(&mut found.notes);
                let more = (1.0 - OF_SEARCH) * self.failure;
                if let Some(claim) = &mut found.guarantee {
                    claim.failure_probability += more;
                }
                let canonical = found.canonical.map(|failure| failure + more);
                Ok(Repaired { notes, canonical, ..found })
            }
        }
    }

    /// What is claimed where the advice is believed.
    fn believed(&self, tau: f64) -> Guarantee {
        Guarantee {
            statement: format!(
                "the characters are exactly the truth's whatever the suspect is, and the output depends on clean samples alone, with mean \
                 squared error at most {} in expectation, if the truth is {tau}-heavy (proof: mitigate/white_box/fourier_advised)",
                self.global.accuracy
            ),
            error_bar: None,
            failure_probability: self.failure,
        }
    }
}

/// The sets of a list that are sets of coordinates, each once, the first of them.
fn clean_list(list: Vec<Vec<usize>>, n: usize, most: usize) -> Vec<Vec<usize>> {
    let mut kept: Vec<Vec<usize>> = Vec::new();
    for mut set in list {
        set.sort_unstable();
        let is_set = set.windows(2).all(|pair| pair[0] < pair[1]);
        if is_set && set.last().is_none_or(|last| *last < n) && !kept.contains(&set) {
            kept.push(set);
        }
        if kept.len() == most {
            break;
        }
    }
    kept
}
