//! `field-correct`: the value of a low-degree table over a finite field, from queries that are each exactly uniform.
//!
//! Self-correction, the cleanest of random self-reductions: nothing is amplified, and answers are exact. Sources: Blum, Luby,
//! Rubinfeld, "Self-testing/correcting with applications to numerical problems" (1993) for linear functions; Lipton, "New
//! directions in testing" (1991) for polynomials on random lines; Gemmell, Sudan, "Highly resilient correctors for polynomials"
//! (1992) for lines with errors; Alon, Kaufman, Krivelevich, Litsyn, Ron, "Testing Reed-Muller codes" (2005), for subspaces
//! over two elements. That a backdoored model is corrected as a faulty program is, is the idea of Goldwasser, Shafer, Vafa and
//! Vaikuntanathan (2025).
//!
//! The truth P is a polynomial of degree d in n variables over the field of p elements, on the vectors of residues (or on the
//! cube: p = 2, with −1 for 1). An answer at x is the value most often got in R trials, R odd. One trial is one of
//!
//! - **a line**, if d ≤ p − 2: v uniform; f is asked at x + t v, t = 1 … m, m from d + 1 to p − 1. With m = d + 1 the value is
//!   `Σ_t (−1)^{t+1} C(d + 1, t) f(x + t v)`; with more it is that at 0 of the polynomial of degree d that agrees with f at all
//!   but B = ⌊(m − d − 1)/2⌋ of the t, by Berlekamp's and Welch's equations;
//! - **a subspace**, if not: k = ⌊d/(p − 1)⌋ + 1 directions `a_i`, uniform; the value is `−Σ_c f(x + Σ_i c_i a_i)` over the
//!   p^k − 1 vectors c ≠ 0 of residues. For p = 2 that is the sum over the other 2^{d+1} − 1 points of an affine subspace of d + 1
//!   dimensions. If P(0) = 0 is known (`origin = "zero"`, p = 2), the last direction is `x + a_1 + … + a_d`: then one of the
//!   points is 0 and need not be asked. For d = 1 that is Blum, Luby and Rubinfeld's f(x + z) + f(z).
//!
//! **Theorem.** Let f be P but on a share ε of all inputs. Then for every x the answer is P(x), but with probability at most
//! `P[Bin(R, p₁) ≥ (R + 1)/2]`, where p₁ = m ε/(B + 1) for a line (so (d + 1) ε at its least) and Q ε for a subspace of Q
//! queries, if p₁ < 1/2.
//! *Proof.* Every query is uniform, whatever x is. On a line: t v is, for t ≠ 0 has an inverse. In a subspace: `c_i a_i` is for
//! some `c_i ≠ 0`. With the last direction `x + a_1 + … + a_d` =: a, over two elements: a point `x + Σ_{i∈S} a_i`, S not empty, is
//! uniform; and a point `x + a + Σ_{i∈S} a_i` is the sum of the `a_i` with i not in S, uniform unless S holds all i, where it is 0.
//! So the expected number of wrong answers in a trial is ε times its queries: by Markov's inequality more than B are wrong with
//! probability at most p₁. If not, the trial gives P(x). On a line P is a polynomial of degree d in t, the d + 1st difference of
//! which is 0; and two such that agree with f at m − B places each agree with each other at m − 2B ≥ d + 1, so are one. In a
//! subspace P is a polynomial of degree at most d < k (p − 1) in c, so each of its monomials has a power below p − 1, and the
//! sum of that power over the field is 0. Trials are independent, and P(x) is the most frequent value if (R + 1)/2 give it. ∎
//!
//! What is wrong may be chosen with x in mind, but not with the coins. Cost: R m or R Q queries an answer, no clean samples.
//! With B > 0 a constant ε below 1/4 is borne at every degree if p is large. All of this is proved; nothing is estimated.
mod local;

use serde::{Deserialize, Serialize};

use self::local::Local;
use super::super::repeat::{Repetition, Wanted};
use super::super::{Assumption, Guarantee, Mitigator, Plan, Repaired};
use crate::access::{Lab, Oracle};
use crate::data::Target;
use crate::domain::{Domain, PrimeField};
use crate::error::{Error, Result};
use crate::population::{Promise, World};

/// The name in errors.
const METHOD: &str = "field-correct";
/// Most queries of a trial.
const MOST_QUERIES: u64 = 4096;
/// Most points of a line some of which may be wrong: decoding takes the cube of their number.
const MOST_DECODED: u64 = 128;

/// Parameters of `field-correct`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldCorrect {
    /// Degree of the truth. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degree: Option<u32>,
    /// Largest share ε of inputs on which the suspect may be wrong.
    pub bad_mass: f64,
    /// Wanted failure probability of one answer; the number of trials follows from it.
    pub failure: f64,
    /// Queries that an answer may take. Given, the failure probability follows from it, and `failure` is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<u64>,
    /// Points m asked on a line, from d + 1 to p − 1; more of them bear wrong values. Not given: d + 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<usize>,
    /// What is known of the value at 0.
    pub origin: Origin,
}

/// What is known of a table's value at 0, which on the cube is the vertex of ones alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Nothing.
    #[default]
    Unknown,
    /// It is 0: +1 on the cube.
    Zero,
}

impl Default for FieldCorrect {
    fn default() -> Self {
        Self {
            degree: None,
            bad_mass: 0.05,
            failure: 1e-3,
            queries: None,
            nodes: None,
            origin: Origin::default(),
        }
    }
}

/// What one trial asks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trial {
    Line { nodes: usize, outliers: usize },
    Subspace { dimension: u32, origin: Origin },
}

/// What follows from parameters and world.
#[derive(Clone, Copy, Debug)]
struct Setup {
    field: PrimeField,
    degree: usize,
    trial: Trial,
    repetition: Repetition,
}

impl Trial {
    /// Queries of one trial.
    fn width(self, field: PrimeField) -> usize {
        match self {
            Self::Line { nodes, .. } => nodes,
            Self::Subspace { dimension, origin } => {
                field.order().pow(dimension) as usize - if origin == Origin::Zero { 2 } else { 1 }
            }
        }
    }
}

impl Setup {
    fn width(&self) -> usize {
        self.trial.width(self.field)
    }

    fn steps(&self) -> String {
        let trial = match self.trial {
            Trial::Line { nodes, outliers: 0 } => format!("lines of {nodes} queries"),
            Trial::Line { nodes, outliers } => {
                format!("lines of {nodes} queries that bear {outliers} wrong answers")
            }
            Trial::Subspace { dimension, .. } => {
                format!("subspaces of {dimension} dimensions, {} queries", self.width())
            }
        };
        format!("the most frequent value of {} {trial}", self.repetition.size)
    }
}

impl FieldCorrect {
    /// What the theorem assumes of a suspect.
    pub fn assumption(&self) -> Assumption {
        Assumption::RightBeyondMass { mass: self.bad_mass }
    }

    fn setup(&self, world: &World) -> Result<Setup> {
        let field = match (&world.domain, world.target) {
            (Domain::Cube { .. }, Target::Sign) => PrimeField::new(2)?,
            (Domain::Residues { modulus, .. }, Target::Real) => PrimeField::new(*modulus)?,
            _ => {
                let why = "it restores signs on the cube, and whole numbers on vectors of residues; inputs must be uniform there";
                return Err(Error::assumption(METHOD, why));
            }
        };
        if !(self.bad_mass >= 0.0 && self.bad_mass < 0.5) {
            let want = "a mass from 0 to below 1/2 is needed";
            return Err(Error::parameter("bad_mass", self.bad_mass, want));
        }
        let degree = self.degree(world)?;
        let trial = self.trial(field, degree)?;
        let outliers = if let Trial::Line { outliers, .. } = trial { outliers } else { 0 };
        let width = trial.width(field);
        let repetition = Repetition::of(&Wanted {
            bad_mass: self.bad_mass,
            spoilt: width as f64 * self.bad_mass / (outliers + 1) as f64,
            failure: self.failure,
            queries: self.queries,
            per_estimate: width,
            groups: 1,
        })?;
        Ok(Setup { field, degree, trial, repetition })
    }

    fn degree(&self, world: &World) -> Result<usize> {
        let promised = match world.promise {
            Promise::LowDegree { degree } => Some(degree),
            _ => None,
        };
        match (self.degree, promised) {
            (None, None) => {
                let want = "no degree over a field is promised here, so it has to be said";
                Err(Error::parameter("degree", "not given", want))
            }
            (Some(degree), Some(promised)) if degree < promised => {
                let why = format!(
                    "it restores tables of degree {degree}, and those of degree {promised} are promised"
                );
                Err(Error::assumption(METHOD, why))
            }
            (given, promised) => Ok(given.or(promised).unwrap_or_default() as usize),
        }
    }

    fn trial(&self, field: PrimeField, degree: usize) -> Result<Trial> {
        let p = field.order();
        let on_line = degree as u64 + 2 <= p;
        if self.origin == Origin::Zero && p != 2 {
            let want = "what is known of the value at 0 saves a query over two elements alone";
            return Err(Error::parameter("origin", "zero", want));
        }
        if on_line {
            if degree as u64 + 1 > MOST_QUERIES {
                let want = format!(
                    "a line takes {} queries, and at most {MOST_QUERIES} are asked",
                    degree + 1
                );
                return Err(Error::parameter("degree", degree, want));
            }
            let nodes = self.nodes.unwrap_or(degree + 1);
            let most = (p - 1).min(MOST_DECODED.max(degree as u64 + 1)).min(MOST_QUERIES);
            if nodes <= degree || nodes as u64 > most {
                let want = format!(
                    "a line over {p} elements and degree {degree} need from {} to {most}",
                    degree + 1
                );
                return Err(Error::parameter("nodes", nodes, want));
            }
            return Ok(Trial::Line { nodes, outliers: (nodes - degree - 1) / 2 });
        }
        if let Some(nodes) = self.nodes {
            let want = format!(
                "a line over {p} elements has too few points for degree {degree}, so subspaces are asked, all of them"
            );
            return Err(Error::parameter("nodes", nodes, want));
        }
        let dimension = u32::try_from(degree as u64 / (p - 1) + 1).unwrap_or(u32::MAX);
        match p.checked_pow(dimension) {
            Some(points) if points <= MOST_QUERIES => {
                Ok(Trial::Subspace { dimension, origin: self.origin })
            }
            _ => {
                let want = format!(
                    "over {p} elements that takes {p}^{dimension} − 1 queries a trial, and at most {MOST_QUERIES} are asked"
                );
                Err(Error::parameter("degree", degree, want))
            }
        }
    }
}

impl Mitigator for FieldCorrect {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        self.setup(world).map(drop)
    }

    fn plan(&self, world: &World) -> Result<Option<Plan>> {
        let setup = self.setup(world)?;
        Ok(Some(Plan {
            steps: setup.steps(),
            queries: (setup.repetition.size * setup.width()) as u64,
            failure_probability: Some(setup.repetition.failure),
            error_bar: Some(0.0),
            ..Plan::default()
        }))
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let setup = self.setup(&lab.world)?;
        let notes = vec![format!(
            "{}, {} an answer, for a failure probability of {:.2e}; nothing is amplified",
            setup.steps(),
            setup.repetition.size * setup.width(),
            setup.repetition.failure
        )];
        let local = Local {
            suspect,
            domain: lab.world.domain.clone(),
            setup,
            seed: lab.seed,
            ledger: lab.ledger,
        };
        Ok(Repaired {
            guarantee: Some(Guarantee {
                statement: format!(
                    "each answer is the truth exactly, if that is a polynomial of degree {} over the field of {} elements and \
                     the suspect is right but for a mass of at most {} of inputs (proof: mitigate/black_box/field_correct)",
                    setup.degree,
                    setup.field.order(),
                    self.bad_mass
                ),
                error_bar: Some(0.0),
                failure_probability: setup.repetition.failure,
            }),
            assumptions: vec![self.assumption()],
            notes,
            ..Repaired::unclaimed(local)
        })
    }
}
