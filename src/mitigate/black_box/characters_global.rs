//! `characters-global`: finds the characters of a heavy truth on the torus or on `Z_m^n` by queries, and their values from clean
//! samples only.
//!
//! This project's extension of the global mitigator of Goldwasser, Shafer, Vafa and Vaikuntanathan, "Oblivious Defense in ML
//! Models" (STOC 2025), from the cube to these groups; the constants and proofs are this project's.
//!
//! **Theorem.** Let h be real and τ-heavy (each complex Fourier coefficient is 0 or at least τ in absolute value) with |h| ≤ B, and
//! let the suspect f, clipped to [−B, B], have ‖f − h‖₂ ≤ τ/4. On the torus, and for the searches `list` and, where a degree is
//! known, `tree`, let the frequencies k of h have `Σ |k_i|` at most the degree. Then, except with probability η over the queries,
//! the characters found are exactly the support of h. Given that, the output is a function of the fresh clean samples alone: it has
//! the same distribution for every such f, backdoored or not (total variation at most η), and with the same samples it is the same
//! to the last bit. Its values have the error that `mitigate/heavy.rs` proves for least squares.
//!
//! *Proof.* By Parseval every complex coefficient of f is within τ/4 of that of h, so 3τ/4 against τ/4 is the gap.
//! * `whole` (`Z_m^n` of few points): every coefficient is read without error, and cut at τ/2. η = 0.
//! * `list`: all frequencies up to the degree are estimated from one batch. With φ one of 1, √2 cos, √2 sin we have |φ| ≤ √2 and
//!   `E f²φ² ≤ B²`, so [`Estimation`] with t = τ/8 asks `N = (128 B²/τ² + 16√2 B/(3τ)) ln(2K/η)` queries for K real functions. An error of
//!   at most t in cosine and sine is one of at most t in the modulus of the complex coefficient.
//! * `tree`: see [`HeavyWaves`] for the search, with η/2; the other η/2 is for estimates of what it found, as above.
//!
//! What comes after is the same for all: see `mitigate/heavy.rs`. ∎
//!
//! **Frequencies beyond the degree.** Of the suspect nothing is assumed about them: they are part of f − h. Of the truth it is assumed
//! that it has none. If it has, they are missed, and what is left of the suspect outside the characters found says so: then the run
//! refutes its assumption (proved, up to 2η) and makes no claim.
//!
//! **Differences from the cube.** Coefficients are complex and come in conjugate pairs, of which one is looked for. A character
//! has as many possible entries a coordinate as the group, or the degree, allows. Of low degree the list is cheaper than the tree by
//! a factor of about (B/τ)² · n.
//!
//! **Measured only.** How near trained nets come to τ/4, and the errors of the values where labels are not noise (`heavy.rs` proves
//! a bound with the distance ρ of labels to the best function in the span, which the run can only estimate).
//!
//! Cost: `whole` m^n queries; `list` N and a quarter of it to look at what is left; `tree` 2nN' with N' = 128 B⁴ ln(2K/η)/τ⁴ and as
//! much again as a list of what can be found; m clean samples, whatever n is.
use serde::{Deserialize, Serialize};

use super::super::heavy::{Asked, Found, beyond, fit, heavy, light, n_samples};
use super::super::{Assumption, Guarantee, Mitigator, Repaired};
use crate::access::{Lab, Oracle};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::fourier::{
    Dictionary, Estimation, Group, HeavySearch, HeavyWaves, frequencies, heavy_of_all,
};
use crate::population::{Promise, World};

/// The name in errors.
const METHOD: &str = "characters-global";
/// Largest group that is asked whole, and largest modulus, since its transform takes m operations a point and coordinate.
const MOST_POINTS: u64 = 1 << 22;
const MOST_MODULUS: u32 = 256;
/// Most frequencies that are listed.
const MOST_LISTED: usize = 1 << 16;
/// Queries beyond which nothing is begun: days of work on any net.
const MOST_QUERIES: u64 = 1 << 33;
/// Products of answers and functions beyond which nothing is begun: hours of work.
const MOST_WORK: f64 = 1e13;

/// Parameters of `characters-global`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CharactersGlobal {
    /// The least non-zero complex coefficient τ of the truth. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tau: Option<f64>,
    /// The bound B on values. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// The largest `Σ |k_i|` of a frequency k of the truth. Not given: what the class promises, or on `Z_m^n` no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degree: Option<u32>,
    /// Clean samples for the values. Not given: as many as the theorem wants for the characters found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest probability η that the characters found are not the truth's.
    pub failure: f64,
    /// How heavy characters are searched for.
    pub search: CharacterSearch,
}

/// How heavy characters of a group are searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CharacterSearch {
    /// Whichever of those that are possible takes the fewest queries.
    #[default]
    Auto,
    /// Every point of `Z_m^n`, and its transform: no way to fail.
    Whole,
    /// All frequencies up to the degree, estimated together.
    List,
    /// A coordinate a level: polynomial in n, whatever the degree.
    Tree,
}

impl Default for CharactersGlobal {
    fn default() -> Self {
        Self {
            tau: None,
            bound: None,
            degree: None,
            samples: None,
            failure: 1e-3,
            search: CharacterSearch::Auto,
        }
    }
}

/// What is to be done, with its price.
enum Plan {
    Whole { modulus: u32 },
    List { list: Dictionary, estimation: Estimation },
    Tree { tree: HeavyWaves, estimation: Estimation },
}

impl Plan {
    fn queries(&self, n: usize) -> u64 {
        let twice = |estimation: &Estimation| {
            estimation.queries().saturating_add(estimation.queries().div_ceil(4))
        };
        match self {
            Self::Whole { modulus } => points(*modulus, n),
            Self::List { estimation, .. } => twice(estimation),
            Self::Tree { tree, estimation } => tree.queries().saturating_add(twice(estimation)),
        }
    }
}

fn points(modulus: u32, n: usize) -> u64 {
    u64::from(modulus).saturating_pow(u32::try_from(n).unwrap_or(u32::MAX))
}

impl Mitigator for CharactersGlobal {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        self.plan(&self.problem(world)?).map(drop)
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let problem = self.problem(&lab.world)?;
        let plan = self.plan(&problem)?;
        let HeavyWaves { group, search: HeavySearch { n, tau, bound, .. }, .. } = problem;
        let mut asked = Asked { suspect, ledger: lab.ledger };
        let (domain, mut rng) = (lab.world.domain.clone(), lab.seed.stream("queries"));
        let mut draw = || domain.sample(&mut rng);
        let (found, failure) = match plan {
            Plan::Whole { modulus } => (ask_whole((n, modulus), tau, bound, &mut asked)?, 0.0),
            Plan::List { list, estimation } => {
                (heavy(&list, tau, &estimation, &mut asked, &mut draw)?, self.failure)
            }
            Plan::Tree { tree, estimation } => {
                let list = Dictionary::Waves { group, list: tree.run(&mut asked, &mut draw)? };
                (heavy(&list, tau, &estimation, &mut asked, &mut draw)?, self.failure)
            }
        };
        let Found { dictionary, refutations } = found;
        let n_rows = self.samples.map_or_else(|| n_samples(&dictionary, self.failure), Ok)?;
        let fitted = fit(&dictionary, n_rows, lab)?;
        let statement = format!(
            "the characters are exactly the truth's and the output depends on clean samples alone, if the truth is {tau}-heavy{} and \
             the suspect within τ/4 = {} of it in root mean square (proof: mitigate/black_box/characters_global.rs)",
            problem.degree.map_or(String::new(), |d| format!(" of degree at most {d}")),
            tau / 4.0
        );
        // A claim whose assumption the run itself has refuted is not made.
        let claimed = refutations.is_empty() && !dictionary.is_empty();
        let guarantee = claimed.then_some(Guarantee {
            statement,
            error_bar: None,
            failure_probability: failure,
        });
        let mut notes: Vec<String> =
            refutations.iter().map(|why| format!("the assumption is refuted: {why}")).collect();
        notes.extend(light(&dictionary, &fitted.function, tau));
        notes.push(fitted.note);
        let assumptions = vec![Assumption::CloseInMeanSquare { distance: tau / 4.0, bound }];
        let canonical = guarantee.as_ref().map(|claim| claim.failure_probability);
        let recovered = Repaired::recovered(fitted.function, lab);
        Ok(Repaired { guarantee, assumptions, notes, canonical, ..recovered })
    }
}

impl CharactersGlobal {
    /// What the theorem assumes of a suspect in `world`.
    pub fn assumption(&self, world: &World) -> Result<Assumption> {
        let HeavySearch { tau, bound, .. } = self.problem(world)?.search;
        Ok(Assumption::CloseInMeanSquare { distance: tau / 4.0, bound })
    }

    /// What to look for, after a check that it makes sense here.
    fn problem(&self, world: &World) -> Result<HeavyWaves> {
        let (n, group) = match world.domain {
            Domain::Torus { n } => (n, Group::Torus),
            Domain::Residues { n, modulus } => (n, Group::Residues { modulus }),
            _ => {
                let why = "inputs must be uniform on the torus [0, 1)^n or on Z_m^n";
                return Err(Error::assumption(METHOD, why));
            }
        };
        if matches!(world.target, Target::Classes(_)) {
            let why = "one output is needed, a sign or a number, and these labels are classes";
            return Err(Error::assumption(METHOD, why));
        }
        let promised = match world.promise {
            Promise::Characters { degree, tau, bound } => Some((degree, tau, bound)),
            _ => None,
        };
        let Some(tau) = self.tau.or(promised.map(|(_, tau, _)| tau)) else {
            let why = "the least coefficient tau of the truth is neither promised nor given";
            return Err(Error::assumption(METHOD, why));
        };
        let Some(bound) = self.bound.or(promised.map(|(_, _, bound)| bound)) else {
            let why = "the bound on the truth's values is neither promised nor given";
            return Err(Error::assumption(METHOD, why));
        };
        if self.samples == Some(0) {
            return Err(Error::parameter("samples", 0, "at least one clean sample is needed"));
        }
        let degree = self.degree.or(promised.map(|(degree, _, _)| degree));
        let search = HeavySearch { n, tau, bound, failure: self.failure };
        let problem = HeavyWaves { group, degree, search };
        problem.check()?;
        Ok(problem)
    }

    /// How to look for it, after a check that it is not too much.
    fn plan(&self, problem: &HeavyWaves) -> Result<Plan> {
        let n = problem.search.n;
        let mut plans = Vec::new();
        let mut refused = Vec::new();
        let all = [CharacterSearch::Whole, CharacterSearch::List, CharacterSearch::Tree];
        let tried =
            |way: &&CharacterSearch| self.search == CharacterSearch::Auto || self.search == **way;
        for way in all.iter().filter(tried) {
            let plan = match way {
                CharacterSearch::Whole => whole(problem),
                CharacterSearch::List => list(problem),
                CharacterSearch::Tree | CharacterSearch::Auto => tree(problem),
            };
            match plan {
                Ok(plan) if plan.queries(n) <= MOST_QUERIES => plans.push(plan),
                Ok(plan) => refused.push(format!(
                    "{way:?} would ask {:.1e} queries, and {MOST_QUERIES} are the most",
                    plan.queries(n) as f64
                )),
                Err(why) => refused.push(why),
            }
        }
        // The first of equals: the one that cannot fail.
        plans.into_iter().min_by_key(|plan| plan.queries(n)).ok_or_else(|| {
            let search = format!("{:?}", self.search).to_lowercase();
            Error::parameter("search", search, refused.join("; "))
        })
    }
}

/// The plan to ask every point, or why not.
fn whole(problem: &HeavyWaves) -> Result<Plan, String> {
    match problem.group {
        Group::Torus => Err("the torus cannot be asked whole".to_owned()),
        Group::Residues { modulus } => {
            if modulus > MOST_MODULUS || points(modulus, problem.search.n) > MOST_POINTS {
                return Err(format!(
                    "the whole group is asked up to {MOST_POINTS} points and a modulus of {MOST_MODULUS}"
                ));
            }
            Ok(Plan::Whole { modulus })
        }
    }
}

/// The plan to estimate every frequency up to the degree, or why not.
fn list(problem: &HeavyWaves) -> Result<Plan, String> {
    let Some(degree) = problem.degree else {
        return Err("a list needs the largest degree of a frequency".to_owned());
    };
    let Some(list) = frequencies(problem.group, problem.search.n, degree, MOST_LISTED) else {
        return Err(format!("more than {MOST_LISTED} frequencies have degree at most {degree}"));
    };
    let list = Dictionary::Waves { group: problem.group, list };
    let estimation = estimation(problem, list.n_functions(), problem.search.failure);
    if estimation.queries() as f64 * list.n_functions() as f64 > MOST_WORK {
        return Err(format!(
            "a list of {} functions with {} queries is too much work",
            list.n_functions(),
            estimation.queries()
        ));
    }
    Ok(Plan::List { list, estimation })
}

/// The plan to search a coordinate a level, or why not.
fn tree(problem: &HeavyWaves) -> Result<Plan, String> {
    let failure = problem.search.failure / 2.0;
    let tree = HeavyWaves { search: HeavySearch { failure, ..problem.search }, ..*problem };
    if tree.most_products() > MOST_WORK {
        return Err(format!(
            "a tree may have to take {:.0e} products and cosines, and {MOST_WORK:.0e} are the most",
            tree.most_products()
        ));
    }
    Ok(Plan::Tree { tree, estimation: estimation(problem, 2 * tree.most(), failure) })
}

fn estimation(problem: &HeavyWaves, n_functions: usize, failure: f64) -> Estimation {
    let HeavySearch { tau, bound, .. } = problem.search;
    // √2, and a little more for rounding.
    let largest = std::f64::consts::SQRT_2 * (1.0 + 1e-12);
    let second_moment = bound * bound;
    Estimation { n_functions, bound, largest, second_moment, error: tau / 8.0, failure }
}

/// Asks every point, and cuts the spectrum at τ/2.
fn ask_whole(
    (n, modulus): (usize, u32),
    tau: f64,
    bound: f64,
    asked: &mut Asked<'_>,
) -> Result<Found> {
    let least = tau / 4.0 * (1.0 + 1e-9);
    let (all, mean_square) = heavy_of_all((n, modulus), bound, least, asked)?;
    let group = Group::Residues { modulus };
    let n_ambiguous = all.iter().filter(|(_, modulus)| *modulus < 0.75 * tau).count();
    let (mut list, mut inside) = (Vec::new(), 0.0);
    for (frequency, modulus) in all.into_iter().filter(|(_, modulus)| *modulus >= tau / 2.0) {
        list.push(frequency);
        let one = Dictionary::Waves { group, list: vec![list[list.len() - 1].clone()] };
        // Of a pair both coefficients count.
        inside += one.n_functions() as f64 * modulus * modulus;
    }
    let mut refutations = Vec::new();
    if n_ambiguous > 0 {
        refutations
            .push(format!("{n_ambiguous} coefficients of the suspect lie between τ/4 and 3τ/4"));
    }
    let outside = mean_square - inside;
    if outside > tau * tau / 16.0 * (1.0 + 1e-9) {
        refutations.push(beyond(outside.sqrt(), tau));
    }
    Ok(Found { dictionary: Dictionary::Waves { group, list }, refutations })
}
