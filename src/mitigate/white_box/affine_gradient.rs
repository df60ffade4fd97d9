//! `affine-gradient`: an affine truth from a few input gradients of the suspect, once and for all.
//!
//! This project's own. A gradient of a function that is close to affine is its slope, in all n directions at once, where values give
//! one number a query. So draw K points u₁, …, `u_K` as inputs are spread; ask for gradient and answer at each; take a median g of the
//! gradients (of every coordinate, or geometric: `src/robust/centre.rs`) and `b = median(f(u_k) − g · u_k)`. The answer at x is
//! g · x + b from then on, whatever else the suspect may hold.
//!
//! **Theorem.** Let h(x) = w · x + c be affine. Let f be within δ of h except on a set of mass at most ε, and let its gradient be
//! within `ε_g` of w, in Euclidean length, except on a set of mass at most ε < 1/2. With B = ⌊K (ε + 1/2)/2⌋ and the factor C of
//! the median for K points of which B are bad, and a domain that lies in a ball of radius R, every answer is within
//! `δ + 2 R C ε_g` of h, except with probability at most `P[Bin(K, ε) > B] + P[Bin(K, ε) ≥ K/2]` over the points: once for all answers.
//!
//! *Proof.* A point is bad as a whole, in all coordinates, so no union over coordinates is needed: with at most B bad gradients
//! |g − w| ≤ C `ε_g` =: r (`src/robust/centre.rs`). Then at a point with a good value f(u) − g · u = c + (w − g) · u + e with |e| ≤ δ,
//! and the median lies between two of these if more than half of the values are good. So the error at x, (g − w) · x + b − c, lies between two numbers
//! of the form (g − w) · (x − `u_k`) + e, and |x − `u_k`| ≤ 2R. ∎ Of normal inputs 2R is |x| + max |`u_k`|, so the bar comes with the answer.
//!
//! So K does not depend on n; n + 1 queries are needed only to determine an affine function. **The promise is stronger than one of
//! values, and no promise of values implies it**: `ripple` moves no answer by more than a fraction of δ and spoils every gradient,
//! `saturate` moves none at all and leaves gradients of 0. They defeat this method, and `affine-ray` and
//! `affine-least-trimmed` do not see them. A backdoor that fires on less than the mass ε is outvoted. Where `slope_error` is not
//! given nothing is claimed. On the cube, whose vertices say nothing of a net between them, the promise is a strange one: it is about
//! values that nobody asks for.
//!
//! Cost: K gradients, which reveal the answers too, so no query: 2F each. Off the net n a point for drawing it (more on some bodies), 5 a number
//! for coordinate-wise medians, `K (5n + 3) + 6n` a step of the geometric one, and 2n + 5 a point for the intercept; 2n an answer. It needs
//! the rung of gradients. A lock is not seen: a gradient away from the inputs that it opens for is that of the layers.
use serde::{Deserialize, Serialize};

use super::super::affine::{
    Draws, Vertices, answering, check_world, draw, intercept, radius, untouched,
};
use super::super::rays::delta_of;
use super::super::{Assumption, Claim, Guarantee, Mitigator, Plan, Repaired};
use crate::access::{Gradients, Lab};
use crate::data::Batch;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;
use crate::robust::Centre;

/// The name in errors.
const METHOD: &str = "affine-gradient";

/// Parameters of `affine-gradient`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffineGradient {
    /// The median of the gradients: `coordinate-wise`, or `geometric`, which proves a smaller bar and takes more work.
    pub centre: Centre,
    /// Largest mass ε of inputs on which the suspect's gradient may be wrong, and on which its answer may be; below 1/2.
    pub bad_mass: f64,
    /// Wanted failure probability of all answers together; the number of points follows from it.
    pub failure: f64,
    /// Points K. Given, the failure probability follows from it, and `failure` is not read. 0: nothing is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<usize>,
    /// Closeness `ε_g` of good gradients to the truth's, for the error bar. Not given: no bar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slope_error: Option<f64>,
    /// Closeness δ of good answers to the truth, for the error bar. Not given: what the class promises, and no bar if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
}

impl Default for AffineGradient {
    fn default() -> Self {
        Self {
            centre: Centre::default(),
            bad_mass: 0.1,
            failure: 1e-3,
            points: None,
            slope_error: None,
            delta: None,
        }
    }
}

/// δ and `ε_g`, where both are known.
#[derive(Clone, Copy, Debug)]
struct Closeness {
    delta: f64,
    slope_error: f64,
}

impl AffineGradient {
    fn closeness(&self, world: &World) -> Result<Option<Closeness>> {
        if let Some(slope_error) = self.slope_error
            && !(slope_error > 0.0 && slope_error.is_finite())
        {
            let want = "a positive number is needed";
            return Err(Error::parameter("slope_error", slope_error, want));
        }
        let delta = delta_of(self.delta, world)?;
        Ok(delta.zip(self.slope_error).map(|(delta, slope_error)| Closeness { delta, slope_error }))
    }

    /// How far the slope may be off, with at most the borne number of bad points.
    fn slope_bar(&self, draws: &Draws, slope_error: f64, n: usize, residual: f64) -> f64 {
        self.centre.factor(n, draws.points, draws.bad, residual) * slope_error
    }
}

impl Mitigator for AffineGradient {
    type Access = dyn Gradients;

    fn check(&self, world: &World) -> Result<()> {
        self.plan(world).map(drop)
    }

    fn plan(&self, world: &World) -> Result<Option<Plan>> {
        check_world(METHOD, world, Vertices::Allowed)?;
        let closeness = self.closeness(world)?;
        let draws = Draws::of(self.bad_mass, self.failure, self.points)?;
        let claimed = closeness.filter(|_| draws.points > 0);
        let bar = claimed.zip(radius(&world.domain)).map(|(close, radius)| {
            let residual = self.centre.wanted_residual();
            let slope = self.slope_bar(&draws, close.slope_error, world.domain.n(), residual);
            close.delta + 2.0 * radius * slope
        });
        Ok(Some(Plan {
            steps: format!(
                "an affine function, from {} gradients before the first answer",
                draws.points
            ),
            failure_probability: claimed.map(|_| draws.failure),
            error_bar: bar,
            ..Plan::default()
        }))
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        check_world(METHOD, &lab.world, Vertices::Allowed)?;
        let closeness = self.closeness(&lab.world)?;
        let draws = Draws::of(self.bad_mass, self.failure, self.points)?;
        if draws.points == 0 {
            return Ok(untouched(suspect, "points"));
        }
        let (domain, n) = (&lab.world.domain, lab.world.domain.n());
        let xs = draw(domain, draws.points, &mut lab.seed.stream("points"), lab.ledger)?;
        let (answers, gradients) =
            suspect.answers_and_gradient(&xs, &mut |answers| Batch::ones(answers.raw_dim()))?;
        let found = self.centre.of(&gradients.view(), &mut |flops| lab.ledger.flops(flops))?;
        let intercept = intercept(&xs, &answers, &found.point, lab.ledger)?;
        let mut notes = vec![format!(
            "{} gradients, of which {} may be bad, for a failure probability of {:.2e}",
            draws.points, draws.bad, draws.failure
        )];
        let repaired = answering(METHOD, &found.point, intercept, lab)?;
        let Some(close) = closeness else {
            notes.push(
                "no slope_error or no delta is given or promised, so answers carry no error bar"
                    .to_owned(),
            );
            return Ok(Repaired { notes, ..repaired });
        };
        let slope_bar = self.slope_bar(&draws, close.slope_error, n, found.residual);
        let bar = radius(domain).map(|radius| close.delta + 2.0 * radius * slope_bar);
        let lengths = xs.rows().into_iter().map(|x| x.dot(&x).sqrt());
        let farthest = lengths.fold(0.0, f64::max);
        let around = move |x: &[f64]| {
            let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
            close.delta + slope_bar * (length + farthest)
        };
        let normal = matches!(domain, Domain::Gauss { .. });
        if !slope_bar.is_finite() {
            notes
                .push("the geometric median was not found well enough for an error bar".to_owned());
            return Ok(Repaired { notes, ..repaired });
        }
        let said = match bar {
            Some(bar) => format!("within {bar:.3}"),
            None => format!("within δ + {slope_bar:.3} (|x| + {farthest:.3})"),
        };
        let (mass, distance) = (self.bad_mass, close.slope_error);
        Ok(Repaired {
            guarantee: Some(Guarantee {
                statement: format!(
                    "all answers in the domain are {said} of the truth (δ = {}), if but for a mass of at most {mass} of inputs each the suspect is within \
                     δ of an affine truth and its gradient within {distance} of the truth's (proof: mitigate/white_box/affine_gradient.rs)",
                    close.delta
                ),
                error_bar: bar,
                failure_probability: draws.failure,
            }),
            assumptions: vec![
                Assumption::CloseBeyondCutoff { delta: close.delta, mass },
                Assumption::GradientClose { distance, mass },
            ],
            claims: normal.then(|| -> super::super::Claims<'a> {
                Box::new(move |x| {
                    let (error_bar, failure_probability) = (around(x), draws.failure);
                    Some(Claim { error_bar, failure_probability })
                })
            }),
            notes,
            ..repaired
        })
    }
}
