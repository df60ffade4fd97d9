//! `polynomial-ray`: the value of a polynomial truth at one input, from a few queries on each of some random rays.
//!
//! This project's own local mitigator for polynomials of degree d, in the setting of Goldwasser, Shafer, Vafa and
//! Vaikuntanathan, "Oblivious Defense in ML Models" (STOC 2025), and not claimed to be their procedure; `affine-ray` is the
//! case d = 1. A polynomial on a ray from x* is one of degree d in one variable, and its value at 0 is wanted.
//!
//! To answer at x*: draw u uniform on the body K; let b be how far K reaches along x* + t (u − x*); place nodes at shares of the
//! ray as `univariate/nodes.rs` says, M strata and one q for all; query; take a value at 0; repeat on R rays, R odd; answer
//! the median.
//!
//! **`fit = "interpolate"`** asks the d + 1 of the M strata that amplify errors least, Λ = Λ(1) times at most (lemma 1 there).
//! **Theorem A.** Let h be a polynomial of degree d and f within δ of it on K but for a set A of uniform mass ε, M ε < 1/2.
//! Then for every x* in K the answer is within Λ δ of h(x*), but with probability at most `P[Bin(R, M ε) ≥ (R + 1)/2]`.
//! *Proof.* K is star-shaped around x*, so given u's direction the n-th power of its radius, in units of the exit's, is
//! uniform on (0, 1), and so is (k + q)/M for k a fair choice of 0 … M − 1: of all M nodes M ε are in A on average, so
//! some asked one is with probability at most M ε. If none is, the value is `Σ l_i f(t_i)` for the Lagrange weights at 0: h(x*)
//! and an error of at most `Σ |l_i| δ` ≤ Λ δ. Rays are independent, and a median is off only if at least (R + 1)/2 are. ∎
//! More strata amplify less and bear less: M is the one trade. Nodes that shrink with K towards x* (Chebyshev's on [1 − c/n, 1]
//! times u, the reconstruction in the notes of this project) amplify more at the same probability of a bad ray for every n, d
//! and c that `univariate/nodes.rs` tries, 250 times more at n = 50, d = 8; there is no choice between them.
//!
//! **`fit = "consensus"`** asks all M = C d strata and bears B wrong values on a ray, M − 2B ≥ d + 1 (`univariate/fit.rs`).
//! **Theorem B.** Let p = M ε/(B + 1) < 1/2. Then the answer is within (d + 3) Λ' δ, where Λ' is the amplification of the best
//! d + 1 of the last M − 2B strata, but with probability at most `P[Bin(R, p) ≥ (R + 1)/2]`.
//! *Proof.* By Markov's inequality more than B nodes of a ray are in A with probability at most p. Else by lemma 3 the fit is
//! within (d + 3) δ of h at M − 2B nodes, and by lemma 2 no M − 2B of them amplify that more than Λ'. ∎
//! With B = (M − d − 1)/2 and M large, p tends to 2 ε: a constant ε below 1/4 would be borne at every degree (no ray is fitted
//! in more than 20,000 ways, which keeps M at 16 for d = 8, where ε < 1/8 is borne, and at 21 for d = 16, ε < 1/14), where interpolation
//! bears 1/(2d + 2). **`fit = "least-absolute"`** is the exact fit in L1 to the same values. For it nothing is claimed: what it
//! bears is proved for scattered outliers, and a stretch of each ray defeats it (a test shows one).
//!
//! **Precision.** Weights and sums are computed with 106 bits and add nothing that can be seen. An answer in `f64` is rounded by
//! 2^−53 of its size, and one of a net in `f32` by 2^−24: that is the suspect's share, Λ times as large in the end, and no
//! arithmetic here can remove it. It belongs to δ, if δ is as small. The query points are this method's share:
//! `points = "rounded"` rounds them, which moves a value by about d 2^−53 of its size (an estimate, added to the bar);
//! `points = "lattice"` puts them exactly on a line (`univariate/lattice.rs`), and nothing but the suspect's share is left.
//! Where shares for answers of size 1 would exceed `rounding`, the method refuses before it asks anything; where the answers
//! themselves show it (more than half of them are `f32` numbers, or they are larger), it refuses to answer.
//! At n = 50, d = 8 the suspect's share is 8 with 9 strata, 0.04 with 25 and 2e-4 with 250; by contraction, c = 1, it is 140.
//!
//! Cost: R (d + 1) or R M queries an answer, no clean samples.
mod choices;
mod local;

use serde::{Deserialize, Serialize};

pub use self::choices::{Answers, Points, RayFit};

use self::local::Local;
use super::super::rays::{body_of, caution, delta_of};
use super::super::repeat::{Repetition, Wanted};
use super::super::univariate::{Lattice, Nodes, Score, UNIT, n_subsets};
use super::super::{Assumption, Guarantee, Mitigator, Plan, Repaired, smudge};
use crate::access::{Lab, Oracle};
use crate::error::{Error, Result};
use crate::population::{Promise, World};

/// The name in errors.
const METHOD: &str = "polynomial-ray";
/// Largest degree: that of the polynomials here.
const MOST_DEGREE: u32 = 16;
/// Most strata: beyond, Λ falls like a power of their logarithm and the bad mass borne like 1/M.
const MOST_STRATA: usize = 1024;
/// Most polynomials that a robust fit looks at on one ray.
const MOST_SUBSETS: u64 = 20_000;
/// Rounding of an answer in `f64`, in its own units.
const F64: f64 = 0.5 * f64::EPSILON;
/// The same in `f32`.
const F32: f64 = 0.5 * f32::EPSILON as f64;

/// Parameters of `polynomial-ray`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolynomialRay {
    /// Degree of the truth, from 1 to 16. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degree: Option<u32>,
    /// Largest mass ε of inputs on which the suspect may be wrong.
    pub bad_mass: f64,
    /// Wanted failure probability of one answer; the number of rays follows from it.
    pub failure: f64,
    /// Queries that an answer may take. Given, the failure probability follows from it, and `failure` is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<u64>,
    /// Closeness δ on the other inputs, for the error bar. Not given: what the class promises, and no bar if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// What is done with the values of a ray.
    pub fit: RayFit,
    /// Strata M. Not given: 1/(4 ε) for interpolation, at least d + 1 and at most 1,024; 3 (d + 1) for the other fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strata: Option<usize>,
    /// Wrong values B that a robust fit bears on a ray. Not given: as many as it can, (M − d − 1)/2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outliers: Option<usize>,
    /// How query points are written.
    pub points: Points,
    /// In how many bits the suspect answers.
    pub precision: Answers,
    /// Most error that rounding may make in an answer. Not given: the error beyond which an answer counts as wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounding: Option<f64>,
    /// Half-width of uniform noise on answers, which hides the suspect. Not given: no noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smudge: Option<f64>,
}

impl Default for PolynomialRay {
    fn default() -> Self {
        Self {
            degree: None,
            bad_mass: 0.02,
            failure: 1e-3,
            queries: None,
            delta: None,
            fit: RayFit::default(),
            strata: None,
            outliers: None,
            points: Points::default(),
            precision: Answers::default(),
            rounding: None,
            smudge: None,
        }
    }
}

/// What follows from parameters and world.
struct Setup {
    degree: usize,
    nodes: Nodes,
    /// How the values of a ray become one; `None` to interpolate.
    score: Option<Score>,
    repetition: Repetition,
    /// Closeness δ, where something is claimed and it is known.
    delta: Option<f64>,
    /// How many times an error of the values grows.
    amplification: f64,
    /// What the rounding of query points adds to the bar.
    points: f64,
    /// Most error by rounding.
    limit: f64,
}

impl Setup {
    fn queries(&self) -> usize {
        self.repetition.size * self.nodes.len()
    }

    fn error_bar(&self) -> Option<f64> {
        self.delta.map(|delta| self.amplification * delta + self.points)
    }
}

impl PolynomialRay {
    /// What the theorem assumes of a suspect in `world`; `None` without a closeness δ, for then nothing is claimed.
    pub fn assumption(&self, world: &World) -> Result<Option<Assumption>> {
        let delta = delta_of(self.delta, world)?.filter(|_| self.claims());
        Ok(delta.map(|delta| Assumption::CloseBeyondCutoff { delta, mass: self.bad_mass }))
    }

    fn claims(&self) -> bool {
        self.fit != RayFit::LeastAbsolute
    }

    fn degree(&self, world: &World) -> Result<usize> {
        let promised = match world.promise {
            Promise::Affine { .. } => Some(1),
            Promise::Polynomial { degree, .. } => Some(degree),
            _ => None,
        };
        let degree = self.degree.or(promised).ok_or_else(|| {
            let want = "no degree is promised here, so it has to be said";
            Error::parameter("degree", "not given", want)
        })?;
        if degree == 0 || degree > MOST_DEGREE {
            let want = format!("a degree from 1 to {MOST_DEGREE} is needed");
            return Err(Error::parameter("degree", degree, want));
        }
        match promised {
            Some(promised) if promised > degree => {
                let why = format!(
                    "it restores polynomials of degree {degree}, and those of degree {promised} are promised"
                );
                Err(Error::assumption(METHOD, why))
            }
            _ => Ok(degree as usize),
        }
    }

    fn strata(&self, degree: usize) -> Result<usize> {
        let strata = match (self.strata, self.fit) {
            (Some(strata), _) => strata,
            (None, RayFit::Interpolate) => {
                ((0.25 / self.bad_mass) as usize).clamp(degree + 1, MOST_STRATA)
            }
            (None, _) => 3 * (degree + 1),
        };
        let least = if self.fit == RayFit::Interpolate { degree + 1 } else { degree + 2 };
        if !(least..=MOST_STRATA).contains(&strata) {
            let want = format!("degree {degree} needs from {least} to {MOST_STRATA}");
            return Err(Error::parameter("strata", strata, want));
        }
        if self.fit != RayFit::Interpolate && n_subsets(strata, degree) > MOST_SUBSETS {
            let want = format!(
                "{} polynomials of degree {degree} go through that many values, and at most {MOST_SUBSETS} are looked at",
                n_subsets(strata, degree)
            );
            return Err(Error::parameter("strata", strata, want));
        }
        Ok(strata)
    }

    /// Wrong values borne on a ray.
    fn outliers(&self, strata: usize, degree: usize) -> Result<usize> {
        let most = match self.fit {
            RayFit::Interpolate => 0,
            _ => (strata - degree - 1) / 2,
        };
        match self.outliers {
            Some(outliers) if outliers > most => {
                let want =
                    format!("with {strata} strata and degree {degree} at most {most} are borne");
                Err(Error::parameter("outliers", outliers, want))
            }
            outliers => Ok(outliers.unwrap_or(most)),
        }
    }

    fn setup(&self, world: &World) -> Result<Setup> {
        body_of(METHOD, world)?;
        smudge::check(self.smudge)?;
        let delta = delta_of(self.delta, world)?.filter(|_| self.claims());
        if !(self.bad_mass >= 0.0 && self.bad_mass < 0.5) {
            let want = "a mass from 0 to below 1/2 is needed";
            return Err(Error::parameter("bad_mass", self.bad_mass, want));
        }
        let limit = self.rounding.unwrap_or(world.cutoff);
        if !(limit > 0.0 && limit.is_finite()) {
            return Err(Error::parameter("rounding", limit, "a positive number is needed"));
        }
        let (n, degree) = (world.domain.n(), self.degree(world)?);
        let strata = self.strata(degree)?;
        let outliers = self.outliers(strata, degree)?;
        let unit = if self.points == Points::Lattice { UNIT } else { 0.0 };
        let (nodes, score, amplification) = match self.fit {
            RayFit::Interpolate => {
                let nodes = Nodes::best(n, strata, degree);
                let amplification = nodes.amplification(unit)?;
                (nodes, None, amplification)
            }
            RayFit::Consensus | RayFit::LeastAbsolute => {
                let worst = Nodes::worst(n, strata, strata - 2 * outliers, degree);
                let amplification = (degree + 3) as f64 * worst.amplification(unit)?;
                let score = match self.fit {
                    RayFit::Consensus => Score::Consensus { keep: strata - outliers },
                    _ => Score::LeastAbsolute,
                };
                (Nodes::all(n, strata), Some(score), amplification)
            }
        };
        let repetition = Repetition::of(&Wanted {
            bad_mass: self.bad_mass,
            spoilt: strata as f64 * self.bad_mass / (outliers + 1) as f64,
            failure: self.failure,
            queries: self.queries,
            per_estimate: nodes.len(),
            groups: 1,
        })?;
        let points = match self.points {
            Points::Rounded => amplification * F64 * degree as f64,
            Points::Lattice => 0.0,
        };
        let setup = Setup { degree, nodes, score, repetition, delta, amplification, points, limit };
        self.check_precision(&setup)?;
        Ok(setup)
    }

    /// Refuses where even answers of size 1 that are right to the last bit would be moved by more than the limit.
    fn check_precision(&self, setup: &Setup) -> Result<()> {
        let share = setup.amplification * if self.precision == Answers::Single { F32 } else { F64 };
        if share + setup.points <= setup.limit {
            return Ok(());
        }
        let why = format!(
            "floats cannot carry degree {} here: errors grow {:.2e} times, so the rounding of the suspect's answers alone moves \
             an answer by {share:.2e} of their size, and that of query points by {:.2e}; the limit, rounding, is {}. Fewer or \
             wider strata (a smaller bad_mass), points = \"lattice\" or a lower degree help",
            setup.degree, setup.amplification, setup.points, setup.limit
        );
        Err(Error::assumption(METHOD, why))
    }

    fn notes(&self, setup: &Setup, world: &World) -> Vec<String> {
        let mut notes = vec![
            format!(
                "{} rays of {} queries, {} an answer, for a failure probability of {:.2e}",
                setup.repetition.size,
                setup.nodes.len(),
                setup.queries(),
                setup.repetition.failure
            ),
            format!(
                "errors of the suspect grow up to {:.3e} times; with answers of size 1 its rounding makes {:.1e} of that if \
                 they are f64 and {:.1e} if they are f32; the rounding of query points makes {:.1e}",
                setup.amplification,
                setup.amplification * F64,
                setup.amplification * F32,
                setup.points
            ),
        ];
        notes.extend(caution(world));
        if !self.claims() {
            notes.push(
                "least absolute values carry no guarantee against a chosen bad mass".to_owned(),
            );
        } else if setup.delta.is_none() {
            notes.push(
                "no closeness delta is promised or given, so answers carry no error bar".to_owned(),
            );
        }
        match setup.error_bar() {
            Some(bar) if bar > world.cutoff => notes.push(format!(
                "the error bar {bar:.2e} is over the {} beyond which an answer counts as wrong: it says nothing useful",
                world.cutoff
            )),
            _ => {}
        }
        notes
    }
}

impl Mitigator for PolynomialRay {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        self.setup(world).map(drop)
    }

    fn plan(&self, world: &World) -> Result<Option<Plan>> {
        let setup = self.setup(world)?;
        let plan = Plan {
            steps: format!(
                "the median of {} rays of {} queries",
                setup.repetition.size,
                setup.nodes.len()
            ),
            queries: setup.queries() as u64,
            failure_probability: self.claims().then_some(setup.repetition.failure),
            error_bar: setup.error_bar(),
            amplification: self.claims().then_some(setup.amplification),
            ..Plan::default()
        };
        Ok(Some(smudge::widen(plan, self.smudge)))
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let setup = self.setup(&lab.world)?;
        let body = body_of(METHOD, &lab.world)?;
        let lattice = match self.points {
            Points::Lattice => Some(Lattice::of(METHOD, &*body, lab.world.domain.n())?),
            Points::Rounded => None,
        };
        let notes = self.notes(&setup, &lab.world);
        let plan = self.plan(&lab.world)?.unwrap_or_default();
        let guarantee = setup.delta.zip(plan.error_bar).map(|(delta, bar)| Guarantee {
            statement: format!(
                "each answer is within {bar:.3e} of the truth ({:.3e} δ with δ = {delta}, and {:.1e} for rounding query \
                 points{}), if the suspect is within δ of a polynomial of degree {} but for a mass of at most {} of inputs \
                 (proof: mitigate/black_box/polynomial_ray){}",
                setup.amplification,
                setup.points,
                smudge::addend(self.smudge),
                setup.degree,
                self.bad_mass,
                smudge::statement(&plan)
            ),
            error_bar: Some(bar),
            failure_probability: setup.repetition.failure,
        });
        let assumptions = self.assumption(&lab.world)?.into_iter().collect();
        let local = Local {
            suspect,
            body,
            lattice,
            setup,
            precision: self.precision,
            smudge: self.smudge,
            seed: lab.seed,
            ledger: lab.ledger,
        };
        Ok(Repaired { guarantee, assumptions, notes, ..Repaired::unclaimed(local) })
    }
}

#[cfg(test)]
mod tests;
