//! Whether a theorem's assumption held for the model under test. The scorer may see the truth; the mitigator could not.
use serde::{Deserialize, Serialize};

use crate::data::{Batch, row, stack};
use crate::domain::Domain;
use crate::error::Result;
use crate::fourier::vertex;
use crate::ledger::{Budget, Ledger};
use crate::mitigate::Assumption;
use crate::net::Net;
use crate::population::{Population, Truth};
use crate::rng::Rng;
use crate::stats::Proportion;

/// One assumption of a theorem, and whether the model under test met it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssumptionCheck {
    /// The statement, with its limit.
    pub statement: String,
    /// What was measured.
    pub measured: f64,
    /// The limit that it has to keep.
    pub limit: f64,
    /// Whether it did.
    pub held: bool,
}

/// Cubes up to this dimension are checked vertex by vertex.
const MAX_EXACT: usize = 20;
/// Fresh inputs where the domain cannot be listed.
const N_SAMPLES: usize = 20_000;
/// Inputs computed in one go, and numbers in them at most.
const BLOCK: usize = 1 << 14;
const BLOCK_NUMBERS: usize = 1 << 24;

/// Checks `assumption` of `net` against the population's truth; `None` if the truth or the spread of inputs is not known.
pub fn check(
    assumption: &Assumption,
    net: &Net,
    population: &dyn Population,
    rng: &mut Rng,
) -> Result<Option<AssumptionCheck>> {
    let domain = &population.world().domain;
    let Some(truth) = population.truth() else { return Ok(None) };
    if let Domain::Range { .. } = domain {
        return Ok(None);
    }
    Ok(Some(match *assumption {
        Assumption::CloseInMeanSquare { distance, bound } => {
            let (mut sum, mut squares) = (0.0, 0.0);
            let n = each_block(domain, net, truth, rng, &mut |answers, truth| {
                let errors = answers.mapv(|y| y.clamp(-bound, bound)) - truth;
                sum += errors.mapv(|e| e * e).sum();
                squares += errors.mapv(|e| e.powi(4)).sum();
            })?;
            let mean = sum / n as f64;
            // Exact where the cube was listed; of a sample, the upper end of the mean's one-sided 97.5% interval.
            let listed = matches!(domain, Domain::Cube { n } if *n <= MAX_EXACT);
            let error = ((squares / n as f64 - mean * mean).max(0.0) / n as f64).sqrt();
            let measured = if listed { mean.sqrt() } else { (mean + 1.96 * error).sqrt() };
            let sampled = if listed { "" } else { " (upper end of its 95% interval)" };
            AssumptionCheck {
                statement: format!(
                    "root mean square distance to the truth, answers clipped to ±{bound}{sampled}, is at most {distance}"
                ),
                measured,
                limit: distance,
                held: measured <= distance,
            }
        }
        Assumption::RightBeyondMass { mass } => {
            let mut wrong = Proportion { hits: 0, of: 0 };
            let world = population.world();
            each_block(domain, net, truth, rng, &mut |answers, truth| {
                let right = |i: usize| world.is_right(&row(answers, i), &row(truth, i));
                let block = Proportion::count((0..answers.nrows()).map(|i| !right(i)));
                (wrong.hits, wrong.of) = (wrong.hits + block.hits, wrong.of + block.of);
            })?;
            // Exact where the cube was listed; of a sample, the upper end of the interval.
            let listed = matches!(domain, Domain::Cube { n } if *n <= MAX_EXACT);
            let measured = if listed { wrong.value() } else { wrong.estimate().high };
            let sampled = if listed { "" } else { " (upper end of its 95% interval)" };
            AssumptionCheck {
                statement: format!(
                    "the mass of inputs answered wrongly{sampled} is at most {mass}"
                ),
                measured,
                limit: mass,
                held: measured <= mass,
            }
        }
        Assumption::CloseBeyondCutoff { delta, mass } => {
            let mut far = Proportion { hits: 0, of: 0 };
            each_block(domain, net, truth, rng, &mut |answers, truth| {
                let errors = answers - truth;
                far.hits += errors.iter().filter(|e| e.is_nan() || e.abs() > delta).count() as u64;
                far.of += errors.len() as u64;
            })?;
            // A sample decides only up to its interval: the upper end has to keep the limit.
            let upper = far.estimate().high;
            AssumptionCheck {
                statement: format!(
                    "the mass of inputs farther than {delta} from the truth (upper end of its 95% interval) is at most {mass}"
                ),
                measured: upper,
                limit: mass,
                held: upper <= mass,
            }
        }
        Assumption::GradientClose { distance, mass } => {
            let Truth::Affine { weights, .. } = truth else { return Ok(None) };
            let mut far = Proportion { hits: 0, of: 0 };
            let unmetered = Ledger::new(Budget::UNLIMITED);
            each_input(domain, rng, &mut |xs| {
                let ones = Batch::ones((xs.nrows(), net.shape().outputs));
                let off = net.gradient(xs, &ones, &unmetered)? - weights;
                let lengths = off.rows().into_iter().map(|g| g.dot(&g).sqrt());
                let block = Proportion::count(lengths.map(|l| l.is_nan() || l > distance));
                (far.hits, far.of) = (far.hits + block.hits, far.of + block.of);
                Ok(())
            })?;
            let upper = far.estimate().high;
            AssumptionCheck {
                statement: format!(
                    "the mass of inputs at which the gradient is farther than {distance} from the truth's (upper end of its 95% interval) is at most {mass}"
                ),
                measured: upper,
                limit: mass,
                held: upper <= mass,
            }
        }
    }))
}

/// Answers and truths at every vertex of a small cube, else at fresh uniform inputs; returns how many there were.
fn each_block(
    domain: &Domain,
    net: &Net,
    truth: &Truth,
    rng: &mut Rng,
    look: &mut dyn FnMut(&Batch, &Batch),
) -> Result<usize> {
    let unmetered = Ledger::new(Budget::UNLIMITED);
    each_input(domain, rng, &mut |xs| {
        look(&net.forward(xs, &unmetered)?, &truth.at(xs));
        Ok(())
    })
}

/// Every vertex of a small cube, else fresh inputs, in blocks; returns how many there were.
fn each_input(
    domain: &Domain,
    rng: &mut Rng,
    look: &mut dyn FnMut(&Batch) -> Result<()>,
) -> Result<usize> {
    let n = domain.n();
    let listed = matches!(domain, Domain::Cube { n } if *n <= MAX_EXACT);
    let total = if listed { 1 << n } else { N_SAMPLES };
    let rows_a_block = BLOCK.min(BLOCK_NUMBERS / n.max(1)).max(1);
    for first in (0..total).step_by(rows_a_block) {
        let block = first..(first + rows_a_block).min(total);
        let rows: Vec<Vec<f64>> = block
            .map(|index| if listed { Ok(vertex(index, n)) } else { domain.sample(rng) })
            .collect::<Result<_>>()?;
        look(&stack(n, rows))?;
    }
    Ok(total)
}
