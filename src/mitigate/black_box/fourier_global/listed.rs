//! The three ways to list heavy characters by queries, and what each proves.
use super::super::super::heavy::Asked;
use super::FourierGlobal;
use super::Search;
use super::clean::{SHARE, most_listed};
use crate::access::{Lab, Oracle};
use crate::data::stack;
use crate::error::Result;
use crate::fourier::{
    Certificate, HashedFound, HashedSearch, HeavySearch, HeavySet, Promised, Questions, spectrum,
    vertex,
};

/// The largest cube that is asked whole: 2^24 answers are 128 MiB.
pub(super) const MAX_WHOLE: usize = 24;
/// Largest dimension that the hashed search takes.
const MAX_HASHED: usize = 1 << 12;
/// Vertices asked in one call.
const BLOCK: usize = 4096;

/// A way to list them, settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Hashed,
    Tree,
    Whole,
}

/// What was listed.
pub(super) struct Listed {
    /// The sets.
    pub(super) supports: Vec<Vec<usize>>,
    /// Whether the list may hold sets that the truth has not: then clean samples choose.
    pub(super) to_be_chosen: bool,
    /// What the proof assumes, and the probability that something is missing; none if nothing is proved.
    pub(super) proved: Option<(Promised, f64)>,
    /// Why there is no proof, what refutes the promise, and what else is to be said.
    pub(super) notes: Vec<String>,
    /// Whether a coefficient of the suspect lies where none can under either promise.
    pub(super) spectrum_refuted: bool,
    /// The suspect's coefficients there, with their standard error, if the search measured them.
    pub(super) hashed: Option<HashedFound>,
}

/// The way of the fewest queries, or the one that was named. The hashed search's queries are not known before it runs; for
/// this choice they count as `4 (n + 1) B²/τ² + 1000`, about what it takes for as many characters as there can be.
pub(super) fn way(search: Search, plan: &HeavySearch) -> Way {
    let HeavySearch { n, tau, bound, .. } = *plan;
    match search {
        Search::Hashed => Way::Hashed,
        Search::Tree => Way::Tree,
        Search::Transform => Way::Whole,
        Search::Auto => {
            let hashed = 4.0 * (n + 1) as f64 * (bound / tau).powi(2) + 1000.0;
            if n <= MAX_WHOLE && (n as f64).exp2() <= hashed {
                Way::Whole
            } else if n <= MAX_HASHED {
                Way::Hashed
            } else {
                Way::Tree
            }
        }
    }
}

/// The fewest queries that any run asks, if its limit on queries allows them: of the hashed search a first pilot, three guides and as
/// many pairs as a guide has points.
pub(super) fn least_queries(search: Search, plan: &HeavySearch) -> u64 {
    match way(search, plan) {
        Way::Whole => 1 << plan.n,
        Way::Tree => plan.queries(),
        Way::Hashed => (1 << plan.n.min(6)) + 4 * (1 << plan.n.min(5)),
    }
}

/// Lists the heavy characters of `suspect`.
pub(super) fn list(
    method: &FourierGlobal,
    (plan, among): (&HeavySearch, Option<Vec<usize>>),
    suspect: &dyn Oracle,
    lab: &Lab<'_>,
) -> Result<Listed> {
    let mut asked = Asked { suspect, ledger: lab.ledger };
    match way(method.search, plan) {
        Way::Whole => {
            let (found, outside) = ask_whole(&mut asked, plan)?;
            let mut listed = Listed::exact(found, 0.0);
            let allowed = plan.tau / 4.0;
            if outside > allowed * (1.0 + 1e-9) {
                listed.notes.push(format!(
                    "the assumption is refuted: the suspect is {outside:.4} from every function on the characters found, and τ/4 = \
                     {allowed:.4} is assumed"
                ));
                listed.proved = None;
                listed.spectrum_refuted = true;
            }
            Ok(listed)
        }
        Way::Tree => {
            let found = plan.run(&mut asked, &mut lab.seed.stream("tree"))?;
            Ok(Listed::exact(found, plan.failure))
        }
        Way::Hashed => {
            let search = hashed(method, plan);
            let among = among.unwrap_or_else(|| (0..plan.n).collect());
            let found = search.run_among(among, &mut asked, &mut lab.seed.stream("hashed"))?;
            Ok(Listed::hashed(found, plan))
        }
    }
}

/// The hashed search for a plan: it gets the failure probability that clean samples leave.
pub(super) fn hashed(method: &FourierGlobal, plan: &HeavySearch) -> HashedSearch {
    let HeavySearch { n, tau, bound, failure } = *plan;
    // What the method measured at most, 24 n B²/τ² for tables at noise B² and a certificate, ten times over.
    let by_default = (1 << 16) + (256.0 * n as f64 * (bound / tau).powi(2)).min(1e9) as u64;
    let most_queries = method.queries.unwrap_or(by_default);
    HashedSearch { n, tau, bound, failure: failure * (1.0 - SHARE), most_queries }
}

impl Listed {
    /// A list that is the support, by the gap.
    fn exact(found: HeavySet, failure: f64) -> Self {
        let refuted = found.n_ambiguous > 0;
        let note = format!(
            "the assumption is refuted: {} coefficients of the suspect lie between τ/4 and 3τ/4",
            found.n_ambiguous
        );
        Self {
            supports: found.supports,
            to_be_chosen: false,
            proved: (!refuted).then_some((Promised::MeanSquare, failure)),
            notes: if refuted { vec![note] } else { Vec::new() },
            spectrum_refuted: refuted,
            hashed: None,
        }
    }

    /// A list that has the support in it, if its certificate is shut.
    fn hashed(found: HashedFound, plan: &HeavySearch) -> Self {
        let tau = plan.tau;
        let mut notes = Vec::new();
        let mut proved = match &found.certificate {
            Certificate::Shut { promise, failure, n_pilots, n_points } => {
                notes.push(format!(
                    "certified complete: {n_pilots} fresh cosets of {n_points} inputs show no other heavy character"
                ));
                Some((*promise, *failure))
            }
            Certificate::Open { why } => {
                notes.push(format!("NOT CERTIFIED: {why}; heavy characters may be missing"));
                None
            }
        };
        let error = 5.0 * found.value_error;
        let between = |value: f64| value > tau / 4.0 + error && value < 0.75 * tau - error;
        // Where the certificate is open the list may be half decoded, and then its coefficients are no proof of anything.
        let shut = matches!(found.certificate, Certificate::Shut { .. });
        let n_between = found.terms.iter().filter(|term| shut && between(term.value.abs())).count();
        if n_between > 0 {
            notes.push(format!(
                "the assumption is refuted: {n_between} coefficients of the suspect lie between τ/4 and 3τ/4, by five \
                 standard errors of {:.1e}",
                found.value_error
            ));
        }
        // Of the residual the coefficients' own errors are a part, one variance each.
        let fitted = found.terms.len() as f64 * found.value_error.powi(2);
        let least = found.residual - fitted - 5.0 * found.residual_error;
        if shut && least > tau.powi(2) / 16.0 {
            notes.push(format!(
                "the assumption of mean square is refuted: the suspect is {:.4} from every function on the characters found, \
                 at least {:.4} by five standard errors, and τ/4 = {:.4} is assumed",
                found.residual.sqrt(),
                least.sqrt(),
                tau / 4.0
            ));
        }
        if found.terms.len() > most_listed(tau, plan.bound) {
            notes.push(format!(
                "NOT CERTIFIED: {} characters were found, more than the clean samples are enough to choose from",
                found.terms.len()
            ));
            proved = None;
        }
        Self {
            supports: found.terms.iter().map(|term| term.support.clone()).collect(),
            to_be_chosen: true,
            proved,
            notes,
            spectrum_refuted: n_between > 0,
            hashed: Some(found),
        }
    }
}

/// Asks every vertex, and cuts the spectrum at τ/2; besides, how far the suspect is from every function on what is left, in root
/// mean square.
fn ask_whole(asked: &mut dyn Questions, plan: &HeavySearch) -> Result<(HeavySet, f64)> {
    let HeavySearch { n, tau, .. } = *plan;
    // n 2^n additions and subtractions.
    asked.work((n as u64) << n)?;
    let mut values = Vec::with_capacity(1 << n);
    for first in (0..1_usize << n).step_by(BLOCK) {
        let vertices = first..(first + BLOCK).min(1 << n);
        let answers = asked.ask(&stack(n, vertices.map(|index| vertex(index, n))))?;
        values.extend(answers.iter().map(|y| plan.clip(*y)));
    }
    let energy = values.iter().map(|y| y * y).sum::<f64>() / values.len() as f64;
    let heavy = spectrum(values, tau / 4.0 * (1.0 + 1e-9));
    let light = 0.75 * tau * (1.0 - 1e-9);
    let n_ambiguous = heavy.terms().iter().filter(|t| t.value.abs() < light).count();
    let kept = heavy.terms().iter().map(|t| t.value).filter(|value| value.abs() >= 0.5 * tau);
    let outside = (energy - kept.map(|value| value * value).sum::<f64>()).max(0.0).sqrt();
    let supports = heavy.terms().iter().filter(|t| t.value.abs() >= 0.5 * tau);
    let supports = supports.map(|term| term.support.clone()).collect();
    Ok((HeavySet { supports, n_ambiguous }, outside))
}
