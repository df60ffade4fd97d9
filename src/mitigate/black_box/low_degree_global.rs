//! `low-degree-global`: finds the products of Hermite's or Legendre's polynomials that a heavy polynomial truth is a sum of, by
//! queries, and their values from clean samples only.
//!
//! This project's extension of the global mitigator of Goldwasser, Shafer, Vafa and Vaikuntanathan, "Oblivious Defense in ML
//! Models" (STOC 2025), from the cube to polynomials under normal inputs and on the box [−1, 1]^n; constants and proofs are this
//! project's.
//!
//! **Theorem.** Let h be a polynomial of degree at most d with ‖h‖₂ ≤ s, each of whose coefficients in the orthonormal basis of
//! products is 0 or at least τ in absolute value, and let the suspect f, clipped to [−B, B], have ‖f − h‖₂ ≤ τ/4. Then, except with
//! probability η over the queries, the products found are exactly those of h. Given that, the output is a function of the fresh
//! clean samples alone: it has the same distribution for every such f, backdoored or not (total variation at most η), and with the
//! same samples it is the same to the last bit. Its values have the error that `mitigate/heavy.rs` proves for least squares.
//!
//! *Proof.* There are K = C(n + d, d) products φ; every coefficient is estimated from one batch of N inputs drawn as inputs are
//! spread, to within τ/8 ([`Estimation`]), and `mitigate/heavy.rs` does the rest. What has to be shown is a bound V of `E f²φ²` and a
//! bound M of |φ|.
//! * Legendre on the box: M = max sup|φ|, at a corner. `E f²φ² ≤ B²` and `≤ M²‖f‖² ≤ M²(s + τ/4)²`; V is the smaller. t = τ/8.
//! * Hermite under normal inputs: φ has no bound. Values beyond M are taken as 0, where M is such that `‖φ 1{|φ| > M}‖₂ ≤
//!   (τ/64)/(s + τ/4)` for every φ, by Markov's inequality from exact moments. By Cauchy and Schwarz that moves the mean of fφ by at
//!   most τ/64, and t = 7τ/64 is left for chance. With e = f − h, by Minkowski `‖fφ_M‖₂ ≤ ‖h‖₄‖φ‖₄ + M‖e‖₂ ≤ 3^{d/2} s ‖φ‖₄ + Mτ/4`
//!   (Nelson's hypercontractivity); V is the square of that, or B² if it is smaller. ∎
//!
//! **The clip.** B is not a promise about the truth: under normal inputs no polynomial has a bound. Not given, it is chosen so that
//! clipping cannot matter: on the box B = s²M/τ, since at most s²/τ² products have coefficients, so |h| ≤ B everywhere; under normal
//! inputs so large that ‖h − clip h‖₂ ≤ τ/32 for every polynomial of degree d and norm s (`mitigate/moments.rs`). Then
//! ‖f − h‖₂ ≤ τ/4 − τ/32 before clipping is enough. The cost grows with B only through the smaller term of N. The assumption that
//! the scorer checks is that of the theorem: the distance of the **clipped** suspect to the **unclipped** truth.
//!
//! **Degrees beyond d.** Of the suspect nothing is assumed about them: they are part of f − h. A truth that has them is refuted by
//! what is left of the suspect outside the products found, where that is more than chance (proved, up to 2η).
//!
//! **Measured only.** Under normal inputs, that the number of clean samples is enough for least squares: with no bound on φ it is
//! chosen by fourth moments, looked at on the samples, and nothing is claimed about values where it was not. How near trained nets
//! come to τ/4.
//!
//! Why means of clipped and cut products, and not a median of means: with a bound BM and a second moment V the mean's cost
//! is (2V/t² + 2BM/(3t)) ln(2K/η), where a median of means takes about 19 V/t² ln(K/η).
//!
//! Cost: N queries and a quarter of it to look at what is left, N K operations off the net, m clean samples.
use serde::{Deserialize, Serialize};

use super::super::heavy::{Asked, Found, fit, heavy, light, n_samples};
use super::super::moments::{clip_at, cut, fourth_norm, kinds, supremum};
use super::super::{Assumption, Guarantee, Mitigator, Repaired};
use crate::access::{Lab, Oracle};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::fourier::{Dictionary, Estimation, Polynomials, all_degrees, n_products};
use crate::population::{Promise, World};

/// The name in errors.
const METHOD: &str = "low-degree-global";
/// Most products that are looked at.
const MOST_PRODUCTS: u64 = 1 << 16;
/// Largest degree: moments of higher ones lose their digits.
const MOST_DEGREE: u32 = 8;
/// Queries beyond which nothing is begun: days of work on any net.
const MOST_QUERIES: u64 = 1 << 33;
/// Queries times products beyond which a list is not gone through: hours of work.
const MOST_WORK: f64 = 1e13;

/// Parameters of `low-degree-global`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LowDegreeGlobal {
    /// The least non-zero coefficient τ of the truth. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tau: Option<f64>,
    /// The largest degree d of the truth. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degree: Option<u32>,
    /// The largest root mean square s of the truth. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub norm: Option<f64>,
    /// Answers are clipped to [−bound, bound]. Not given: so that it cannot matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// Clean samples for the values. Not given: as many as the theorem wants for the products found, or by fourth moments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest probability η that the products found are not the truth's.
    pub failure: f64,
}

impl Default for LowDegreeGlobal {
    fn default() -> Self {
        Self { tau: None, degree: None, norm: None, bound: None, samples: None, failure: 1e-3 }
    }
}

/// How large a product of these degrees is, in one sense or another.
type Size<'a> = dyn Fn(&[(usize, u32)]) -> f64 + 'a;

/// What to look for.
struct Problem {
    basis: Polynomials,
    n: usize,
    degree: u32,
    tau: f64,
    bound: f64,
    estimation: Estimation,
}

impl Mitigator for LowDegreeGlobal {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        self.problem(world)?.affordable()
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let problem = self.problem(&lab.world)?;
        problem.affordable()?;
        let Problem { basis, n, degree, tau, bound, estimation } = problem;
        let list = Dictionary::Products { basis, list: all_degrees(n, degree) };
        let mut asked = Asked { suspect, ledger: lab.ledger };
        let (domain, mut rng) = (lab.world.domain.clone(), lab.seed.stream("queries"));
        let mut draw = || domain.sample(&mut rng);
        let found = heavy(&list, tau, &estimation, &mut asked, &mut draw)?;
        let Found { dictionary, refutations } = found;
        let n_rows = self.samples.map_or_else(|| n_samples(&dictionary, self.failure), Ok)?;
        let fitted = fit(&dictionary, n_rows, lab)?;
        let statement = format!(
            "the products are exactly the truth's and the output depends on clean samples alone, if the truth is a {tau}-heavy \
             polynomial of degree at most {degree} and the suspect, clipped to ±{bound:.3}, within τ/4 = {} of it in root mean \
             square (proof: mitigate/black_box/low_degree_global.rs)",
            tau / 4.0
        );
        // A claim whose assumption the run itself has refuted is not made.
        let claimed = refutations.is_empty() && !dictionary.is_empty();
        let guarantee = claimed.then_some(Guarantee {
            statement,
            error_bar: None,
            failure_probability: self.failure,
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

impl LowDegreeGlobal {
    /// What the theorem assumes of a suspect in `world`.
    pub fn assumption(&self, world: &World) -> Result<Assumption> {
        let Problem { tau, bound, .. } = self.problem(world)?;
        Ok(Assumption::CloseInMeanSquare { distance: tau / 4.0, bound })
    }

    /// What to look for, after a check that it makes sense here.
    fn problem(&self, world: &World) -> Result<Problem> {
        let (n, basis) = match world.domain {
            Domain::Gauss { n } => (n, Polynomials::Hermite),
            Domain::Box { n } => (n, Polynomials::Legendre),
            _ => {
                let why = "inputs must be standard normal, or uniform on the box [−1, 1]^n";
                return Err(Error::assumption(METHOD, why));
            }
        };
        if matches!(world.target, Target::Classes(_)) {
            let why = "one output is needed, a sign or a number, and these labels are classes";
            return Err(Error::assumption(METHOD, why));
        }
        let (promised, heavy) = match world.promise {
            Promise::Characters { degree, tau, bound } => (Some(degree), Some((tau, bound))),
            Promise::Polynomial { degree, .. } => (Some(degree), None),
            Promise::Affine { .. } => (Some(1), None),
            _ => (None, None),
        };
        let missing = |what: &str| {
            Error::assumption(METHOD, format!("{what} of the truth is neither promised nor given"))
        };
        let degree = self.degree.or(promised).ok_or_else(|| missing("the degree"))?;
        let tau = self.tau.or(heavy.map(|(tau, _)| tau));
        let tau = tau.ok_or_else(|| missing("the least coefficient tau"))?;
        let norm = self.norm.or(heavy.map(|(_, norm)| norm));
        let norm = norm.ok_or_else(|| missing("the root mean square, norm,"))?;
        if degree > MOST_DEGREE {
            let want = format!("a degree of at most {MOST_DEGREE} is needed");
            return Err(Error::parameter("degree", degree, want));
        }
        if !(norm > 0.0 && norm.is_finite()) {
            return Err(Error::parameter("norm", norm, "a positive number is needed"));
        }
        if !(tau > 0.0 && tau <= norm) {
            let want = format!("a coefficient above 0 and at most norm = {norm} is needed");
            return Err(Error::parameter("tau", tau, want));
        }
        if let Some(bound) = self.bound
            && !(bound > 0.0 && bound.is_finite())
        {
            return Err(Error::parameter("bound", bound, "a positive number is needed"));
        }
        if !(self.failure > 0.0 && self.failure < 1.0) {
            let want = "a probability between 0 and 1 is needed";
            return Err(Error::parameter("failure", self.failure, want));
        }
        if self.samples == Some(0) {
            return Err(Error::parameter("samples", 0, "at least one clean sample is needed"));
        }
        let n_functions = usize::try_from(n_products(n, degree)).unwrap_or(usize::MAX);
        let of =
            |size: &Size<'_>| kinds(n, degree).iter().map(|kind| size(kind)).fold(0.0, f64::max);
        let estimation = match basis {
            Polynomials::Legendre => {
                let largest = of(&supremum);
                let bound = self.bound.unwrap_or(norm * norm * largest / tau);
                let second_moment = bound.powi(2).min((largest * (norm + tau / 4.0)).powi(2));
                let (error, largest) = (tau / 8.0, largest * (1.0 + 1e-12));
                let failure = self.failure;
                Estimation { n_functions, bound, largest, second_moment, error, failure }
            }
            Polynomials::Hermite => {
                let tail = tau / 64.0 / (norm + tau / 4.0);
                let largest = of(&|kind| cut(kind, tail));
                let bound = self.bound.unwrap_or_else(|| clip_at(degree, norm, tau / 32.0));
                let grown = 3.0_f64.powf(f64::from(degree) / 2.0) * norm;
                let size = grown * of(&fourth_norm) + largest * tau / 4.0;
                let second_moment = bound.powi(2).min(size.powi(2));
                let (error, failure) = (7.0 * tau / 64.0, self.failure);
                Estimation { n_functions, bound, largest, second_moment, error, failure }
            }
        };
        Ok(Problem { basis, n, degree, tau, bound: estimation.bound, estimation })
    }
}

impl Problem {
    /// Checks that it is not too much.
    fn affordable(&self) -> Result<()> {
        let (products, queries) = (n_products(self.n, self.degree), self.estimation.queries());
        if products > MOST_PRODUCTS {
            let want = format!(
                "in {} coordinates {products} products have at most that degree, and {MOST_PRODUCTS} are the most",
                self.n
            );
            return Err(Error::parameter("degree", self.degree, want));
        }
        if queries > MOST_QUERIES || queries as f64 * products as f64 > MOST_WORK {
            let want = format!(
                "{queries} queries for {products} products would be needed for it, and {MOST_QUERIES} queries and {MOST_WORK:.0e} \
                 products of both are the most"
            );
            return Err(Error::parameter("tau", self.tau, want));
        }
        Ok(())
    }
}
