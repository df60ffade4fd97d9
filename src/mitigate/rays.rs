//! What the ray mitigators, black-box and white-box, have in common: rays from an input through a body, and medians.
use crate::data::Target;
use crate::domain::{ConvexBody, Domain};
use crate::error::{Error, Result};
use crate::population::{Promise, World};
use crate::rng::Rng;
use crate::stats::binomial_tail;

/// A closeness beyond which no error bar means anything.
const MOST_DELTA: f64 = 1e100;

/// The body that inputs are uniform on, after a check that rays through it make sense here.
pub(super) fn body_of(method: &'static str, world: &World) -> Result<Box<dyn ConvexBody>> {
    if world.target != Target::Real {
        return Err(Error::assumption(
            method,
            "it restores real values, and these labels are classes or signs",
        ));
    }
    world.domain.body().ok_or_else(|| {
        let why =
            "inputs must be uniform on a convex body (box, ball, simplex, ellipsoid or polytope) that is publicly known";
        Error::assumption(method, why)
    })
}

/// Checks that nothing but an affine truth is promised: a method for affine truths would draw lines through curves.
pub(super) fn check_affine(method: &'static str, world: &World) -> Result<()> {
    match world.promise {
        Promise::Polynomial { degree, .. } if degree > 1 => {
            let why = format!(
                "it restores affine truths, and polynomials of degree {degree} are promised"
            );
            Err(Error::assumption(method, why))
        }
        _ => Ok(()),
    }
}

/// The closeness δ to use: the method's own if it was given, else what the class promises.
pub(super) fn delta_of(given: Option<f64>, world: &World) -> Result<Option<f64>> {
    match (given, world.promise) {
        (Some(delta), _) if delta > 0.0 && delta < MOST_DELTA => Ok(Some(delta)),
        (Some(delta), _) => {
            let want = format!("a positive number below {MOST_DELTA:e} is needed");
            Err(Error::parameter("delta", delta, want))
        }
        (None, Promise::Affine { delta } | Promise::Polynomial { delta, .. }) => Ok(Some(delta)),
        (None, _) => Ok(None),
    }
}

/// Estimates that are never exceeded: far beyond any useful failure probability.
const MOST_TRIALS: u64 = 10_001;

/// How many estimates a median has to be of, the least odd number for which at least half of them are bad with probability at
/// most `failure` if each is with probability `bad`, and that probability.
pub(super) fn trials(bad: f64, failure: f64) -> Result<(usize, f64)> {
    if !(failure > 0.0 && failure < 1.0) {
        let want = "a probability between 0 and 1 is needed";
        return Err(Error::parameter("failure", failure, want));
    }
    (1..=MOST_TRIALS)
        .step_by(2)
        .map(|m| (m as usize, binomial_tail(m, bad, m.div_ceil(2))))
        .find(|(_, tail)| *tail <= failure)
        .ok_or_else(|| {
            let want = format!(
                "where one estimate is bad with probability up to {bad:.3} that takes over {MOST_TRIALS} of them"
            );
            Error::parameter("failure", failure, want)
        })
}

/// What a reader of a guarantee should know of where its rays come from.
pub(super) fn caution(world: &World) -> Option<String> {
    matches!(world.domain, Domain::Polytope(_)).then(|| {
        "rays through a polytope come from hit-and-run, whose uniformity is measured here and not proved".to_owned()
    })
}

/// Checks that an input lies in the body: outside it, nothing is promised and rays need not exist.
pub(super) fn check_inside(
    method: &'static str,
    body: &dyn ConvexBody,
    x: &[f64],
    row: usize,
) -> Result<()> {
    /// Rounding, no more.
    const TOLERANCE: f64 = 1e-6;
    let excess = body.excess(x);
    if excess <= TOLERANCE {
        return Ok(());
    }
    Err(Error::assumption(method, format!("input {row} lies outside the domain, by {excess:.3e}")))
}

/// The direction from `x` to a uniformly random point of the body, and how far the body reaches along it.
pub(super) fn random_ray(body: &dyn ConvexBody, x: &[f64], rng: &mut Rng) -> (Vec<f64>, f64) {
    loop {
        let u = body.sample(rng);
        let direction: Vec<f64> = u.iter().zip(x).map(|(u, x)| u - x).collect();
        if direction.iter().any(|d| d.abs() > 0.0) {
            let exit = body.exit(x, &direction);
            return (direction, exit);
        }
    }
}

/// The median: the middle of an odd number of values, the mean of the two in the middle of an even one.
///
/// # Panics
/// Of no values: a bug in the caller.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
}
