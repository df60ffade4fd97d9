//! `fourier-global`: finds the characters of a Fourier-heavy truth by queries, and their values from clean samples only.
//!
//! This project's version of the global mitigator of Goldwasser, Shafer, Vafa and Vaikuntanathan, "Oblivious Defense in ML
//! Models" (STOC 2025), with its own constants and proof.
//!
//! **Theorem.** Let h be τ-heavy (each Fourier coefficient is 0 or at least τ in absolute value), |h| ≤ B, and let the
//! suspect f, clipped to [−B, B], have ‖f − h‖₂ ≤ τ/4. Then, except with probability η over the queries, the characters
//! found are exactly the support of h. Given that, the output is a function of the fresh clean samples alone: it has the
//! same distribution for every such f, backdoored or not (total variation at most η), and with the same samples it is the
//! same to the last bit. With m = |L| B²/ε samples for |L| characters its mean squared distance to the best function on
//! them is at most ε in expectation.
//!
//! *Proof.* The gap between 3τ/4 and τ/4 makes the support exact (see [`HeavySearch`] for the tree; the full transform
//! reads every coefficient without error, and cuts at τ/2). Each value is a mean of m numbers in [−B, B] that never saw f,
//! with variance at most B²/m; by Parseval the errors of |L| of them add up to at most |L| B²/m. ∎
//!
//! Cost: 2nN queries for the tree, 2^n for the transform; m clean samples, whatever n is. Where the whole cube is cheaper
//! to ask than the tree, it is asked.
use serde::{Deserialize, Serialize};

use super::super::{Assumption, Guarantee, Mitigator, Repaired};
use crate::access::{Lab, Oracle};
use crate::data::{Batch, Target, stack};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::fourier::{
    FourierSum, HeavySearch, HeavySet, Questions, Term, character, spectrum, vertex,
};
use crate::ledger::Ledger;
use crate::population::{Promise, World};

/// The name in errors.
const METHOD: &str = "fourier-global";
/// The largest cube that is asked whole: 2^24 answers are 128 MiB.
const MAX_WHOLE: usize = 24;
/// Queries of the tree beyond which nothing is begun: days of work on any net.
const MOST_QUERIES: u64 = 1 << 33;
/// Clean samples a character beyond which nothing is begun.
const MOST_SAMPLES: f64 = 1e7;
/// Vertices asked in one call.
const BLOCK: usize = 4096;

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
}

/// How heavy characters are searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Search {
    /// Whichever of the two takes fewer queries.
    #[default]
    Auto,
    /// The tree of Kushilevitz and Mansour: polynomial in n.
    Tree,
    /// The whole cube and one fast transform: 2^n queries, and no way to fail.
    Transform,
}

impl Default for FourierGlobal {
    fn default() -> Self {
        Self { tau: None, bound: None, failure: 1e-3, accuracy: 0.01, search: Search::Auto }
    }
}

impl Mitigator for FourierGlobal {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        let HeavySearch { n, .. } = self.plan(world)?;
        if self.search == Search::Transform && n > MAX_WHOLE {
            let want =
                format!("the transform asks 2^n points and stops at n = {MAX_WHOLE}; use tree");
            return Err(Error::parameter("search", "transform", want));
        }
        Ok(())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let plan = self.plan(&lab.world)?;
        let HeavySearch { n, tau, bound, .. } = plan;
        let whole_is_cheaper = n <= MAX_WHOLE && 1_u64 << n <= plan.queries();
        let whole = match self.search {
            Search::Transform => true,
            Search::Tree => false,
            Search::Auto => whole_is_cheaper,
        };
        let mut asked = Metered { suspect, ledger: lab.ledger };
        let (found, failure) = if whole {
            (ask_whole(&mut asked, &plan)?, 0.0)
        } else {
            (plan.run(&mut asked, &mut lab.seed.stream("tree"))?, self.failure)
        };

        let n_terms = found.supports.len();
        let n_samples = (n_terms as f64 * bound * bound / self.accuracy).ceil() as usize;
        let clean = lab.clean.draw(n_samples)?;
        let degrees: usize = found.supports.iter().map(Vec::len).sum();
        lab.ledger.flops((n_samples * (degrees + 2 * n_terms)) as u64)?;
        let terms: Vec<Term> = found
            .supports
            .iter()
            .map(|support| {
                let products = clean.xs.rows().into_iter().zip(&clean.ys);
                let sum: f64 = products.map(|(x, y)| y * character(support, &x.to_vec())).sum();
                Term { support: support.clone(), value: sum / n_samples as f64 }
            })
            .collect();

        let notes = warnings(&found, &terms, tau);
        // A claim whose assumption the run itself has refuted is not made.
        let refuted = found.n_ambiguous > 0 || terms.is_empty();
        let guarantee = (!refuted).then(|| Guarantee {
            statement: format!(
                "the characters are exactly the truth's and the output depends on clean samples alone, with mean squared \
                 error at most {} in expectation, if the truth is {tau}-heavy and the suspect within τ/4 = {} of it in root \
                 mean square (proof: mitigate/black_box/fourier_global.rs)",
                self.accuracy,
                tau / 4.0
            ),
            error_bar: None,
            failure_probability: failure,
        });
        let assumptions = vec![self.assumption(&lab.world)?];
        Ok(Repaired {
            guarantee,
            assumptions,
            notes,
            ..Repaired::recovered(FourierSum::new(terms), lab)
        })
    }
}

/// The suspect and the ledger, as a search sees them.
struct Metered<'a> {
    suspect: &'a dyn Oracle,
    ledger: &'a Ledger,
}

impl Questions for Metered<'_> {
    fn ask(&mut self, xs: &Batch) -> Result<Batch> {
        self.suspect.query(xs)
    }

    fn work(&mut self, flops: u64) -> Result<()> {
        self.ledger.flops(flops)
    }
}

impl FourierGlobal {
    /// What the theorem assumes of a suspect in `world`.
    pub fn assumption(&self, world: &World) -> Result<Assumption> {
        let HeavySearch { tau, bound, .. } = self.search(world)?;
        Ok(Assumption::CloseInMeanSquare { distance: tau / 4.0, bound })
    }

    /// What to look for, after a check that it makes sense here and is not too much.
    fn plan(&self, world: &World) -> Result<HeavySearch> {
        let plan = self.search(world)?;
        let HeavySearch { n, tau, bound, .. } = plan;
        if bound * bound / self.accuracy > MOST_SAMPLES {
            let want = format!("that takes more than {MOST_SAMPLES} clean samples a character");
            return Err(Error::parameter("accuracy", self.accuracy, want));
        }
        let whole = n <= MAX_WHOLE && self.search != Search::Tree;
        if plan.queries() > MOST_QUERIES && !whole {
            let want = format!(
                "the tree would ask {:.1e} queries for it, and {MOST_QUERIES} are the most",
                plan.queries() as f64
            );
            return Err(Error::parameter("tau", tau, want));
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

/// Asks every vertex, and cuts the spectrum at τ/2.
fn ask_whole(asked: &mut dyn Questions, plan: &HeavySearch) -> Result<HeavySet> {
    let HeavySearch { n, tau, .. } = *plan;
    // n 2^n additions and subtractions.
    asked.work((n as u64) << n)?;
    let mut values = Vec::with_capacity(1 << n);
    for first in (0..1_usize << n).step_by(BLOCK) {
        let vertices = first..(first + BLOCK).min(1 << n);
        let answers = asked.ask(&stack(n, vertices.map(|index| vertex(index, n))))?;
        values.extend(answers.iter().map(|y| plan.clip(*y)));
    }
    let heavy = spectrum(values, tau / 4.0 * (1.0 + 1e-9));
    let n_ambiguous = heavy.terms().iter().filter(|t| t.value.abs() < 0.75 * tau).count();
    let supports = heavy.terms().iter().filter(|t| t.value.abs() >= 0.5 * tau);
    let supports = supports.map(|term| term.support.clone()).collect();
    Ok(HeavySet { supports, n_ambiguous })
}

/// What the run itself says about the assumption. It can refute it; it cannot confirm it.
fn warnings(found: &HeavySet, terms: &[Term], tau: f64) -> Vec<String> {
    let mut notes = Vec::new();
    if found.n_ambiguous > 0 {
        notes.push(format!(
            "the assumption is refuted: {} coefficients of the suspect lie between τ/4 and 3τ/4",
            found.n_ambiguous
        ));
    }
    if terms.is_empty() {
        notes.push(format!(
            "no character of weight tau = {tau} was found; the output is 0 everywhere"
        ));
    }
    for term in terms.iter().filter(|term| term.value.abs() < tau / 2.0) {
        notes.push(format!(
            "on clean samples the character {:?} has value {:.3}, less than half of tau = {tau}: the suspect may have \
             planted it, or tau is too large",
            term.support, term.value
        ));
    }
    notes
}
