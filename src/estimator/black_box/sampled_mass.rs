//! `sampled-mass`: the mass of inputs where the suspect is far from an affine reference, from random queries.
//!
//! The partner of `certified-mass`. m independent inputs as the domain spreads them are asked; k answers are farther than δ
//! from the reference. The upper end is the exact one-sided bound of Clopper and Pearson (Biometrika 1934): it is below the
//! mass with at most the probability `failure`, whatever suspect and reference, provided the coins are not known to whoever
//! made the suspect. For k = 0 it is 1 − `failure`^(1/m): 3/m at 5%, 14/m at 10⁻⁶. The lower end is 0, which cannot fail; a
//! certificate is about the upper end, and so all of the probability goes there.
//!
//! It assumes that inputs can be drawn and that clean samples determine an affine function
//! ([`reference`](super::super::reference)). Rung: answers. Cost: for each of m queries a query, the reference's pass, the
//! drawing (one operation a coordinate, and what the body takes beyond) and three operations an output. Its error falls as
//! 1/m in any dimension, and never below that: a backdoor of mass far below 1/m is not seen, and the bound stays at 3/m for
//! a suspect without one.
use serde::{Deserialize, Serialize};

use super::super::reference::{closeness, fitted, mass};
use super::super::{Estimated, Estimator, Interval};
use crate::access::{Lab, Oracle};
use crate::data::stack;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;
use crate::stats::{Proportion, clopper_pearson};

/// Parameters of `sampled-mass`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SampledMass {
    /// Queries m.
    pub queries: usize,
    /// Probability that the upper end is too low.
    pub failure: f64,
    /// How far from the reference is too far, δ. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// Clean samples to fit the reference to. Not given: as many as the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
}

impl Default for SampledMass {
    fn default() -> Self {
        Self { queries: 1000, failure: 0.05, delta: None, samples: None }
    }
}

/// The name in errors.
const METHOD: &str = "sampled-mass";

impl Estimator for SampledMass {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        crate::data::check_size("queries", self.queries, world.domain.n())?;
        if !(self.failure > 0.0 && self.failure < 1.0) {
            let want = "a probability between 0 and 1 is needed";
            return Err(Error::parameter("failure", self.failure, want));
        }
        if matches!(world.domain, Domain::Range { .. }) {
            let why = "how the inputs are spread is not known, so none can be drawn";
            return Err(Error::assumption(METHOD, why));
        }
        closeness(METHOD, self.delta, self.samples, world).map(drop)
    }

    fn estimate(&self, suspect: &Self::Access, lab: &mut Lab<'_>) -> Result<Estimated> {
        self.check(&lab.world)?;
        let delta = closeness(METHOD, self.delta, self.samples, &lab.world)?;
        let reference = fitted(self.samples, lab)?;
        let interval =
            |high| Interval { low: 0.0, high, failure_probability: self.failure, proved: true };
        if self.queries == 0 {
            let notes = vec!["nothing was asked, so nothing is known".to_owned()];
            return Ok(Estimated { quantities: vec![mass(0.0, interval(1.0))], notes });
        }
        let (n, outputs) = (lab.world.domain.n(), suspect.shape().outputs as u64);
        let body = lab.world.domain.body();
        let drawing = n as u64 + body.map_or(0, |body| body.sample_flops());
        lab.ledger.flops((drawing + 3 * outputs) * self.queries as u64)?;
        let mut rng = lab.seed.stream("inputs");
        let xs: Vec<Vec<f64>> =
            (0..self.queries).map(|_| lab.world.domain.sample(&mut rng)).collect::<Result<_>>()?;
        let xs = stack(n, xs);
        let apart = suspect.query(&xs)? - reference.forward(&xs, lab.ledger)?;
        // An answer that is not a number is far from everything.
        let is_far = |y: &f64| y.is_nan() || y.abs() > delta;
        let far = Proportion::count(apart.rows().into_iter().map(|row| row.iter().any(is_far)));
        let (_, high) = clopper_pearson(far, 1.0 - 2.0 * self.failure);
        let notes = vec![format!(
            "{} of {} answers are farther than {delta} from an affine fit",
            far.hits, far.of
        )];
        Ok(Estimated { quantities: vec![mass(far.value(), interval(high))], notes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hit_gives_the_closed_form_down_to_a_millionth() {
        // The one-sided bound of k = 0 is 1 − failure^(1/m).
        for (failure, m) in [(0.05_f64, 1000), (1e-6, 20_000), (0.05, 1_000_000)] {
            let (_, high) = clopper_pearson(Proportion { hits: 0, of: m }, 1.0 - 2.0 * failure);
            let want = 1.0 - failure.powf((m as f64).recip());
            assert!((high / want - 1.0).abs() < 1e-3, "{failure} {m}: {high} {want}");
        }
    }
}
