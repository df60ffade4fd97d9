//! `affine-least-trimmed`: an affine truth from uniform queries by robust regression, once and for all.
//!
//! The black-box arm of `affine-gradient`: the same estimand from values. K gradients cost 2K forward passes, and so do 2K queries.
//! Inputs are drawn as inputs are spread and asked; slope and intercept are those of least trimmed squares (Rousseeuw 1984, by the
//! algorithm of Rousseeuw and Van Driessen 2006; `src/mitigate/trimmed.rs` says what was changed). The answer at x is that
//! function's from then on.
//!
//! It assumes that the suspect is close to an affine truth but for a mass of inputs well below one half. The minimum that the algorithm
//! looks for stands up to ⌊(Q − n − 1)/2⌋ wrong values of Q (Rousseeuw 1984), but it is not proved to be found: it starts from
//! random sets of n + 1 points, of which one should be clean, and **the number of starts for that grows like (1 − ε)^−(n + 1)**:
//! 38 at n = 16 and ε = 0.1, over 6,000 at n = 64. So nothing is claimed. Queries do not depend on values and are spread as
//! inputs are: a ripple of small amplitude, or a gradient that is wrong, is not seen. What defeats it is a wrong mass of about
//! a half that lies on an affine function of its own; and more often than that, an error that is spread: least squares averages
//! it, and is no better than it.
//!
//! Cost: Q queries before the first answer, and the regression, which is most of the work for small nets (the header of
//! `trimmed.rs` counts it); n a query for drawing it (more on some bodies); 2n an answer.
use serde::{Deserialize, Serialize};

use super::super::affine::{Draws, Vertices, answering, check_world, draw, untouched};
use super::super::trimmed::{MOST_STARTS, fit, starts_needed};
use super::super::{Mitigator, Plan, Repaired};
use crate::access::{Lab, Oracle};
use crate::error::{Error, Result};
use crate::population::World;

/// The name in errors.
const METHOD: &str = "affine-least-trimmed";

/// Queries an unknown, at least, where a number is not given: what Rousseeuw and van Zomeren (1990) advise.
const POINTS_AN_UNKNOWN: usize = 5;

/// Parameters of `affine-least-trimmed`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffineLeastTrimmed {
    /// Mass ε of inputs on which the suspect may be wrong, for the number of starts and of queries; below 1/2.
    pub bad_mass: f64,
    /// Wanted probability that no start is clean, for the number of starts.
    pub failure: f64,
    /// Queries Q. Not given: two for each gradient that `affine-gradient` takes with the same parameters, and at least five an unknown.
    /// 0: nothing is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<usize>,
    /// Random starts. Not given: what `bad_mass` and `failure` ask for, and at most the 500 of the paper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<usize>,
}

impl Default for AffineLeastTrimmed {
    fn default() -> Self {
        Self { bad_mass: 0.1, failure: 1e-3, queries: None, starts: None }
    }
}

impl AffineLeastTrimmed {
    fn queries(&self, n: usize) -> Result<usize> {
        let draws = Draws::of(self.bad_mass, self.failure, None)?;
        let least = n + 3;
        match self.queries {
            Some(queries @ 1..) if queries < least => {
                let want =
                    format!("{} unknowns and a residual to trim need {least} at least", n + 1);
                Err(Error::parameter("queries", queries, want))
            }
            Some(queries) => Ok(queries),
            None => Ok((2 * draws.points).max(POINTS_AN_UNKNOWN * (n + 1))),
        }
    }

    fn starts(&self, n: usize) -> Result<usize> {
        match self.starts {
            Some(0) => Err(Error::parameter("starts", 0, "at least one start is needed")),
            Some(starts) if starts > 1_000_000 => {
                Err(Error::parameter("starts", starts, "at most a million are accepted"))
            }
            Some(starts) => Ok(starts),
            None => {
                let needed = starts_needed(n + 1, self.bad_mass, self.failure);
                Ok(needed.min(MOST_STARTS as f64) as usize)
            }
        }
    }
}

impl Mitigator for AffineLeastTrimmed {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        self.plan(world).map(drop)
    }

    fn plan(&self, world: &World) -> Result<Option<Plan>> {
        check_world(METHOD, world, Vertices::Allowed)?;
        let n = world.domain.n();
        let (queries, starts) = (self.queries(n)?, self.starts(n)?);
        crate::data::check_size("queries", queries, n)?;
        Ok(Some(Plan {
            steps: format!("an affine function by least trimmed squares from {starts} starts"),
            prepare_queries: queries as u64,
            ..Plan::default()
        }))
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        check_world(METHOD, &lab.world, Vertices::Allowed)?;
        let n = lab.world.domain.n();
        let (queries, starts) = (self.queries(n)?, self.starts(n)?);
        if queries == 0 {
            return Ok(untouched(suspect, "queries"));
        }
        let xs = draw(&lab.world.domain, queries, &mut lab.seed.stream("points"), lab.ledger)?;
        let values = suspect.query(&xs)?;
        let mut coins = lab.seed.stream("starts");
        let found = fit(&xs, &values.column(0), starts, &mut coins, lab.ledger)?;
        let mut notes = vec![format!(
            "{queries} queries, {starts} starts; {} values kept in the last step",
            found.kept
        )];
        let needed = starts_needed(n + 1, self.bad_mass, self.failure);
        if (starts as f64) < needed {
            notes.push(format!(
                "with a bad mass of {} a clean start takes {needed:.0} starts to be as sure as asked",
                self.bad_mass
            ));
        }
        Ok(Repaired { notes, ..answering(METHOD, &found.slope, found.intercept, lab)? })
    }
}
