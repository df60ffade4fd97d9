//! What the estimators of wrong mass measure against: an affine function learnt from clean samples, and a closeness δ.
//!
//! Both arms of the pair must ask the same question, so both take it from here: g is the affine least squares fit on the
//! same clean samples (each charged, and the work of the fit), δ is the class's promise or a parameter. The mass that is
//! estimated is of inputs where some output of the suspect is farther than δ from g's, as both are computed. It bounds the
//! mass where the suspect is farther than δ + e from the truth if g is within e of the truth; how close g is, is not their
//! subject.
use super::Quantity;
use crate::access::Lab;
use crate::error::{Error, Result};
use crate::mitigate::{affine_fit, delta_of, n_samples};
use crate::net::Net;
use crate::population::World;

/// The name of the quantity, in both arms.
const NAME: &str = "mass beyond delta";

/// The affine function of best fit to `samples` clean samples, or to all that there are.
pub(super) fn fitted(samples: Option<usize>, lab: &mut Lab<'_>) -> Result<Net> {
    let n = n_samples(samples, lab)?;
    let data = lab.clean.draw(n)?;
    affine_fit(&data, lab.ledger)
}

/// The closeness δ: given, or promised.
pub(super) fn closeness(
    method: &'static str,
    delta: Option<f64>,
    samples: Option<usize>,
    world: &World,
) -> Result<f64> {
    let least = world.domain.n() + 1;
    if let Some(n) = samples.filter(|n| *n < least) {
        let want =
            format!("an affine reference on {} coordinates needs {least} or more", least - 1);
        return Err(Error::parameter("samples", n, want));
    }
    let why = "a closeness delta is needed: it is neither promised nor given";
    delta_of(delta, world)?.ok_or_else(|| Error::assumption(method, why))
}

/// An estimate of the mass.
pub(super) fn mass(value: f64, interval: super::Interval) -> Quantity {
    Quantity { name: NAME.to_owned(), value, interval: Some(interval) }
}
