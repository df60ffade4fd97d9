//! What the ray mitigators, black-box and white-box, have in common: rays from an input through a body.
use crate::data::Target;
use crate::domain::{ConvexBody, Domain};
use crate::error::{Error, Result};
use crate::population::{Promise, World};
use crate::rng::Rng;

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
        Promise::Characters { .. } => {
            let why =
                "it restores affine truths, and a heavy sum of products or characters is promised";
            Err(Error::assumption(method, why))
        }
        _ => Ok(()),
    }
}

/// The closeness δ to use: the method's own if it was given, else what the class promises.
pub(crate) fn delta_of(given: Option<f64>, world: &World) -> Result<Option<f64>> {
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
    let mut direction = vec![0.0; x.len()];
    let exit = random_ray_into(body, x, rng, &mut direction, &mut Vec::new());
    (direction, exit)
}

/// As [`random_ray`], with the direction in `out`, and in space that is kept from call to call.
pub(super) fn random_ray_into(
    body: &dyn ConvexBody,
    x: &[f64],
    rng: &mut Rng,
    out: &mut [f64],
    room: &mut Vec<f64>,
) -> f64 {
    loop {
        body.sample_into(rng, out, room);
        out.iter_mut().zip(x).for_each(|(u, x)| *u -= x);
        if out.iter().any(|d| d.abs() > 0.0) {
            return body.exit_within(x, out, room);
        }
    }
}
