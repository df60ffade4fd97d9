//! `fourier-global`: finds the characters of a Fourier-heavy truth by queries, and their values from clean samples only.
//!
//! This project's version of the global mitigator of Goldwasser, Shafer, Vafa and Vaikuntanathan, "Oblivious Defense in ML
//! Models" (STOC 2025), with its own constants and proof.
//!
//! **Theorem.** Let h be τ-heavy (each Fourier coefficient is 0 or at least τ in absolute value), |h| ≤ B, let clean labels
//! have E[y|x] = h(x) and |y| ≤ B, and let the suspect f, clipped to [−B, B], have ‖f − h‖₂ ≤ τ/4. Then, except with probability
//! η over the queries and the clean samples, a run that makes a claim has kept exactly the support of h, and its output is a function of
//! the clean samples alone: the same for every such f, backdoored or not, to the last bit. So the total variation between the
//! output's laws for f and for h is at most 2η and the probabilities that a run on f or on h claims nothing: 0 for the tree and the
//! transform; the hashed search's certificate may stay open, which it says and no theorem bounds. With m = |L| B²/ε samples for |L| characters its mean squared distance to the
//! best function on them is at most ε in expectation over the samples of the support alone.
//!
//! *Proof.* By Parseval every coefficient of f is within τ/4 of that of h, so at least 3τ/4 on the support and at most τ/4 off it.
//! The tree (see [`HeavySearch`]) and the transform, which reads every coefficient without error and cuts at τ/2, list
//! exactly the support. The hashed search (see [`crate::fourier::HashedSearch`]) lists at least the support, except with
//! probability η/2, and what else it lists has coefficient 0 in h, which clean samples tell from τ, except with probability η/2;
//! by the lemma in `clean.rs` it is harmless that the same samples then give the values. Each value is a mean of m numbers
//! with variance at most B²/m that never saw f; by Parseval the errors of |L| of them add up to at most |L| B²/m. ∎
//!
//! Where the run itself shows that f is farther than τ/4 in mean square, the hashed certificate is planned for the weaker promise
//! that no coefficient of f is off by more than τ/4, which a corrupted mass ε keeps if ε(B + ‖h‖∞) ≤ τ/4, and the guarantee says so.
//! Where the certificate stays open, or a coefficient lies where neither promise lets it, nothing is claimed.
//!
//! Cost: measured, 2kn to 5kn queries for k characters of an exact suspect with the hashed search (see `experiments/fourier`), 2nN
//! for the tree, 2^n for the transform; max(m, N) clean samples, N = O(ln(B/τη) E[y²]/τ²), whatever n is.
use serde::{Deserialize, Serialize};

mod clean;
mod listed;
mod rounded;

use super::super::{Assumption, Guarantee, Mitigator, Repaired};
use crate::access::{Lab, Oracle};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::fourier::{Certificate, FourierSum, HeavySearch, Promised, Term};
use crate::population::{Promise, World};
pub(in super::super) use clean::{Clean, SHARE, most_listed};
use listed::{Listed, MAX_WHOLE, Way};
use rounded::Rounded;

/// The name in errors.
const METHOD: &str = "fourier-global";
/// Queries of the tree beyond which nothing is begun: days of work on any net.
const MOST_QUERIES: u64 = 1 << 33;
/// Clean samples a character beyond which nothing is begun.
const MOST_SAMPLES: f64 = 1e7;

/// Parameters of `fourier-global`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FourierGlobal {
    /// The least non-zero coefficient τ of the truth. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tau: Option<f64>,
    /// The bound B on values. Not given: what the class promises, or 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// Largest probability η that the characters found are not the truth's.
    pub failure: f64,
    /// Expected mean squared error ε that the values may have; the number of clean samples follows from it.
    pub accuracy: f64,
    /// How heavy characters are searched for.
    pub search: Search,
    /// Most queries of the hashed search, past which it answers without a certificate. Not given: ten times what was
    /// measured to be needed under the heaviest noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<u64>,
    /// Whether to answer with the sign of the recovered function; for labels of ±1.
    pub round: bool,
}

/// How heavy characters are searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Search {
    /// Whichever takes the fewest queries.
    #[default]
    Auto,
    /// Hashing into random cosets, with a certificate.
    Hashed,
    /// The tree of Kushilevitz and Mansour: polynomial in n.
    Tree,
    /// The whole cube and one fast transform: 2^n queries, and no way to fail.
    Transform,
}

impl Default for FourierGlobal {
    fn default() -> Self {
        Self {
            tau: None,
            bound: None,
            failure: 1e-3,
            accuracy: 0.01,
            search: Search::Auto,
            queries: None,
            round: false,
        }
    }
}

impl Mitigator for FourierGlobal {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        let plan = self.plan(world)?;
        if self.search == Search::Transform && plan.n > MAX_WHOLE {
            let want =
                format!("the transform asks 2^n points and stops at n = {MAX_WHOLE}; use hashed");
            return Err(Error::parameter("search", "transform", want));
        }
        if self.round && world.target != Target::Sign {
            let want = "only labels of −1 and +1 can be rounded to";
            return Err(Error::parameter("round", true, want));
        }
        if self.queries == Some(0) {
            return Err(Error::parameter("queries", 0, "at least one query is needed"));
        }
        Ok(())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.search_from(suspect, lab, Clean::new(), None)
    }
}

impl FourierGlobal {
    /// The method with clean samples that are drawn already, and with tables for the sets of some coordinates only: see
    /// [`crate::fourier::HashedSearch::run_among`]. The other ways of searching do not look at those.
    pub(in super::super) fn search_from<'a>(
        &self,
        suspect: &dyn Oracle,
        lab: &mut Lab<'a>,
        mut clean: Clean,
        among: Option<Vec<usize>>,
    ) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let plan = self.plan(&lab.world)?;
        let HeavySearch { tau, bound, .. } = plan;
        let mut listed = listed::list(self, (&plan, among), suspect, lab)?;
        let mut failure = listed.proved.map_or(0.0, |(_, failure)| failure);
        if listed.to_be_chosen {
            clean.draw_to_choose((tau, bound, self.failure), lab)?;
            failure += self.failure * clean::SHARE;
            let kept = clean.values(&listed.supports, lab)?;
            let (kept, gone): (Vec<Term>, Vec<Term>) =
                kept.into_iter().partition(|term| term.value.abs() >= tau / 2.0);
            listed.supports = kept.into_iter().map(|term| term.support).collect();
            listed.planted(&gone, tau);
        }
        let terms = self.values(&listed.supports, &mut clean, bound, lab)?;
        listed.doubts(&terms, &clean, &plan, lab)?;

        // A claim whose assumption the run itself has refuted is not made.
        let beyond = clean.largest() > bound * (1.0 + 1e-9);
        if beyond {
            listed.notes.push(format!(
                "a clean label of {:.4} is beyond bound = {bound}, which the theorem assumes of all: nothing is claimed",
                clean.largest()
            ));
        }
        let refuted = listed.spectrum_refuted || beyond;
        let proved = listed.proved.filter(|_| !refuted && !terms.is_empty());
        let guarantee = proved.map(|(promise, _)| Guarantee {
            statement: self.statement(promise, tau),
            error_bar: None,
            failure_probability: failure,
        });
        let assumptions = vec![self.assumption(&lab.world)?];
        let notes = listed.notes;
        let repaired = Repaired::recovered(FourierSum::new(terms), lab);
        let canonical = guarantee.as_ref().map(|claim| claim.failure_probability);
        let repaired = Repaired { guarantee, assumptions, notes, canonical, ..repaired };
        Ok(if self.round { Rounded::of(repaired, lab.ledger) } else { repaired })
    }

    /// The lemma's function F on `supports`: as many clean samples as their number asks for, or all that are drawn.
    fn values(
        &self,
        supports: &[Vec<usize>],
        clean: &mut Clean,
        bound: f64,
        lab: &mut Lab<'_>,
    ) -> Result<Vec<Term>> {
        let n_samples = (supports.len() as f64 * bound * bound / self.accuracy).ceil() as usize;
        clean.draw_to(n_samples.max(clean.len()), lab)?;
        clean.values(supports, lab)
    }

    /// What this method gives back for a list from elsewhere: clean samples choose from it, and give the values.
    pub(in super::super) fn of_list(
        &self,
        list: &[Vec<usize>],
        clean: &mut Clean,
        lab: &mut Lab<'_>,
    ) -> Result<FourierSum> {
        let HeavySearch { tau, bound, .. } = self.plan(&lab.world)?;
        clean.draw_to_choose((tau, bound, self.failure), lab)?;
        let kept = clean.values(list, lab)?.into_iter();
        let kept = kept.filter(|term| term.value.abs() >= tau / 2.0).map(|term| term.support);
        Ok(FourierSum::new(self.values(&kept.collect::<Vec<_>>(), clean, bound, lab)?))
    }

    /// The fewest queries that any run asks.
    pub(in super::super) fn least_queries(&self, plan: &HeavySearch) -> u64 {
        listed::least_queries(self.search, plan)
    }

    /// Whether the search is the hashed one, which has tables.
    pub(in super::super) fn searches_by_tables(&self, plan: &HeavySearch) -> bool {
        listed::way(self.search, plan) == Way::Hashed
    }

    /// What is claimed under a promise.
    fn statement(&self, promise: Promised, tau: f64) -> String {
        let quarter = tau / 4.0;
        let close = match promise {
            Promised::MeanSquare => {
                format!("the suspect within τ/4 = {quarter} of it in root mean square")
            }
            Promised::Spectrum => format!(
                "no Fourier coefficient of the suspect farther than τ/4 = {quarter} from the truth's (weaker than a root mean \
                 square distance of τ/4, for which the pilots saw too much noise)"
            ),
        };
        format!(
            "the characters are exactly the truth's and the output depends on clean samples alone, with mean squared error at \
             most {} in expectation, if the truth is {tau}-heavy and {close} (proof: mitigate/black_box/fourier_global)",
            self.accuracy
        )
    }

    /// What the theorem assumes of a suspect in `world`.
    pub fn assumption(&self, world: &World) -> Result<Assumption> {
        let HeavySearch { tau, bound, .. } = self.search(world)?;
        Ok(Assumption::CloseInMeanSquare { distance: tau / 4.0, bound })
    }

    /// What to look for, after a check that it makes sense here and is not too much.
    pub(in super::super) fn plan(&self, world: &World) -> Result<HeavySearch> {
        let plan = self.search(world)?;
        let HeavySearch { tau, bound, .. } = plan;
        if bound * bound / self.accuracy > MOST_SAMPLES {
            let want = format!("that takes more than {MOST_SAMPLES} clean samples a character");
            return Err(Error::parameter("accuracy", self.accuracy, want));
        }
        if plan.queries() > MOST_QUERIES && listed::way(self.search, &plan) == Way::Tree {
            let want = format!(
                "the tree would ask {:.1e} queries for it, and {MOST_QUERIES} are the most",
                plan.queries() as f64
            );
            return Err(Error::parameter("tau", tau, want));
        }
        if listed::way(self.search, &plan) == Way::Hashed {
            if clean::n_to_choose(tau, bound, self.failure, bound * bound) as f64
                > 100.0 * MOST_SAMPLES
            {
                let want =
                    "that many clean samples, over a billion, to tell it from 0 are out of reach";
                return Err(Error::parameter("tau", tau, want));
            }
            listed::hashed(self, &plan).check()?;
        }
        Ok(plan)
    }

    /// What to look for, whatever it takes.
    fn search(&self, world: &World) -> Result<HeavySearch> {
        let Domain::Cube { n } = world.domain else {
            let why = "inputs must be uniform on the cube {−1, +1}^n";
            return Err(Error::assumption(METHOD, why));
        };
        if matches!(world.target, Target::Classes(_)) {
            let why = "one output is needed, a sign or a number, and these labels are classes";
            return Err(Error::assumption(METHOD, why));
        }
        let promised = match world.promise {
            Promise::FourierHeavy { tau, bound } => Some((tau, bound)),
            Promise::Nothing
            | Promise::Affine { .. }
            | Promise::Polynomial { .. }
            | Promise::Characters { .. }
            | Promise::LowDegree { .. } => None,
        };
        let Some(tau) = self.tau.or(promised.map(|(tau, _)| tau)) else {
            let why = "the least coefficient tau of the truth is neither promised nor given";
            return Err(Error::assumption(METHOD, why));
        };
        let bound = self.bound.or(promised.map(|(_, bound)| bound)).unwrap_or(1.0);
        if !(self.accuracy > 0.0 && self.accuracy.is_finite()) {
            return Err(Error::parameter("accuracy", self.accuracy, "a positive number is needed"));
        }
        let plan = HeavySearch { n, tau, bound, failure: self.failure };
        plan.check()?;
        Ok(plan)
    }
}

impl Listed {
    /// Says what was taken out because clean samples do not have it.
    fn planted(&mut self, gone: &[Term], tau: f64) {
        let Some(found) = &self.hashed else { return };
        let error = 5.0 * found.value_error;
        for term in gone {
            let theirs = found.terms.iter().find(|t| t.support == term.support);
            let value = theirs.map_or(0.0, |t| t.value);
            let shut = matches!(found.certificate, Certificate::Shut { .. });
            let heavy = shut && value.abs() > tau / 4.0 + error;
            self.spectrum_refuted |= heavy;
            let verdict = if heavy {
                "heavier than τ/4 in one and below τ/2 in the other: somebody may have planted it, or clean labels are noisy and the truth is \
                 lighter than tau"
            } else {
                "the suspect may have it without breaking the assumption"
            };
            self.notes.push(format!(
                "taken out: the character {:?}, of weight {value:.3} in the suspect and {:.3} on clean samples; {verdict}",
                term.support, term.value
            ));
        }
    }

    /// What the run itself says about the assumption. It can refute it; it cannot confirm it.
    fn doubts(
        &mut self,
        terms: &[Term],
        clean: &Clean,
        plan: &HeavySearch,
        lab: &Lab<'_>,
    ) -> Result<()> {
        let tau = plan.tau;
        if terms.is_empty() {
            self.notes.push(format!(
                "no character of weight tau = {tau} was found; the output is 0 everywhere"
            ));
        }
        for term in terms.iter().filter(|term| term.value.abs() < tau / 2.0) {
            self.notes.push(format!(
                "on clean samples the character {:?} has value {:.3}, less than half of tau = {tau}: the suspect may have \
                 planted it, or tau is too large",
                term.support, term.value
            ));
        }
        if clean.len() == 0 {
            return Ok(());
        }
        let (left, error) = clean.unexplained(terms, lab)?;
        // One character that is missing leaves at least tau². Noise of labels leaves its variance, of which the theorem says nothing.
        if left - 3.0 * error >= 0.5 * tau.powi(2) {
            self.notes.push(format!(
                "ALARM: the characters found leave {left:.4} ± {error:.4} of the clean labels' mean square unexplained, and one \
                 heavy character is at least tau² = {:.4}: either clean labels are noisy by as much{}, or heavy characters are missing \
                 and tau may be too large",
                tau.powi(2),
                if self.proved.is_some() { ", which is likelier as nothing heavy was seen" } else { "" }
            ));
        }
        Ok(())
    }
}
