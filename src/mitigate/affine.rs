//! What the global methods for affine truths have in common: where they ask, and the affine function that they answer with.
//!
//! A global method finds slope and intercept once and then answers without the suspect, from a net of one linear layer: 2n
//! operations an answer.
use ndarray::Array1;

use super::Repaired;
use super::rays::check_affine;
use crate::access::{Lab, Oracle};
use crate::data::{Batch, Target, check_size, stack};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::net::{Activation, Layer, Net, Precision};
use crate::population::{Promise, World};
use crate::rng::Rng;
use crate::robust::{RobustMean, median};
use crate::stats::binomial_tail;

/// Checks that real values are wanted, that no truth but an affine one is promised, and that inputs can be drawn: uniform on a
/// body or, where `cube` says so, on the cube's vertices, or normal.
pub(super) fn check_world(method: &'static str, world: &World, cube: Vertices) -> Result<()> {
    if world.target != Target::Real {
        let why = "it restores real values, and these labels are classes or signs";
        return Err(Error::assumption(method, why));
    }
    check_affine(method, world)?;
    if matches!(world.promise, Promise::FourierHeavy { .. } | Promise::LowDegree { .. }) {
        let why = "it restores affine truths, and a truth of another kind is promised";
        return Err(Error::assumption(method, why));
    }
    let fits = match world.domain {
        Domain::Gauss { .. } => true,
        Domain::Cube { .. } => cube == Vertices::Allowed,
        ref other => other.body().is_some(),
    };
    if fits {
        return Ok(());
    }
    let also = if cube == Vertices::Allowed { ", on the vertices of the cube" } else { "" };
    let why = format!(
        "inputs must be uniform on a convex body (box, ball, simplex, ellipsoid or polytope) that is publicly known{also}, or normal"
    );
    Err(Error::assumption(method, why))
}

/// Whether a method works on the vertices of the cube.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vertices {
    Allowed,
    Refused,
}

/// Draws `count` inputs as inputs are spread. Charges n operations and what the body's sampler takes for each.
pub(super) fn draw(domain: &Domain, count: usize, rng: &mut Rng, ledger: &Ledger) -> Result<Batch> {
    let n = domain.n();
    check_size("points", count, n)?;
    ledger.flops(count as u64 * draw_flops(domain))?;
    let rows: Vec<Vec<f64>> = (0..count).map(|_| domain.sample(rng)).collect::<Result<_>>()?;
    Ok(stack(n, rows))
}

/// Operations of drawing one input.
pub(super) fn draw_flops(domain: &Domain) -> u64 {
    domain.n() as u64 + domain.body().map_or(0, |body| body.sample_flops())
}

/// A radius of a ball around the middle of the domain's bounding box that holds the domain; `None` for normal inputs.
pub(super) fn radius(domain: &Domain) -> Option<f64> {
    let n = domain.n();
    match (domain.body(), domain) {
        (Some(body), _) => {
            let reach = |i: usize, sign: f64| {
                let way: Vec<f64> = (0..n).map(|j| if i == j { sign } else { 0.0 }).collect();
                body.farthest(&way)[i]
            };
            let sides = (0..n).map(|i| 0.5 * (reach(i, 1.0) - reach(i, -1.0)));
            Some(sides.map(|half| half * half).sum::<f64>().sqrt())
        }
        (None, Domain::Cube { .. }) => Some((n as f64).sqrt()),
        (None, _) => None,
    }
}

/// The intercept that the middle value of `answers − slope · x` gives. Charges it: 2n a row and a median.
pub(super) fn intercept(
    xs: &Batch,
    answers: &Batch,
    slope: &Array1<f64>,
    ledger: &Ledger,
) -> Result<f64> {
    let (rows, n) = xs.dim();
    ledger.flops((2 * n * rows) as u64 + RobustMean::Median.flops(rows))?;
    let mut rest = (answers.column(0).to_owned() - xs.dot(slope)).to_vec();
    Ok(median(&mut rest))
}

/// The affine function as what answers from now on.
pub(super) fn answering<'a>(
    method: &'static str,
    slope: &Array1<f64>,
    intercept: f64,
    lab: &Lab<'a>,
) -> Result<Repaired<'a>> {
    if !(intercept.is_finite() && slope.iter().all(|w| w.is_finite())) {
        let why = "the suspect's values leave no finite slope and intercept";
        return Err(Error::assumption(method, why));
    }
    let layer = Layer {
        weight: slope.clone().insert_axis(ndarray::Axis(0)),
        bias: Array1::from_elem(1, intercept),
        activation: Activation::Identity,
    };
    Ok(Repaired::owned(Net::new(vec![layer], Precision::F64)?, lab.ledger))
}

/// The suspect as it is, for a method that was told to ask nothing.
pub(super) fn untouched<'a>(suspect: &'a (impl Oracle + ?Sized), what: &str) -> Repaired<'a> {
    let notes = vec![format!("{what} = 0: nothing is asked, and the suspect stays as it is")];
    Repaired { notes, ..Repaired::unclaimed(suspect) }
}

/// How many points a method draws, and how many of them may be bad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Draws {
    /// Points.
    pub(super) points: usize,
    /// The number of bad ones that is borne.
    pub(super) bad: usize,
    /// Probability of more bad ones for the slope, or of a bad majority for the intercept, at most.
    pub(super) failure: f64,
}

/// Most points that are ever drawn: far beyond any useful failure probability.
const MOST_POINTS: usize = 1_000_001;

impl Draws {
    /// `points` of them, or the fewest, an odd number, that keep the failure probability. Half-way between the mass of bad points and
    /// a half, that is the share of bad ones that is borne.
    pub(super) fn of(bad_mass: f64, failure: f64, points: Option<usize>) -> Result<Self> {
        if !(0.0..0.5).contains(&bad_mass) {
            let want = "the theorem needs a mass from 0 to below 1/2";
            return Err(Error::parameter("bad_mass", bad_mass, want));
        }
        if !(failure > 0.0 && failure < 1.0) {
            let want = "a probability between 0 and 1 is needed";
            return Err(Error::parameter("failure", failure, want));
        }
        let made = |points: usize| {
            let bad = (0.5 * (bad_mass + 0.5) * points as f64).floor() as usize;
            let more = binomial_tail(points as u64, bad_mass, bad as u64 + 1);
            let half = (points as u64).div_ceil(2);
            let failure = (more + binomial_tail(points as u64, bad_mass, half)).min(1.0);
            Self { points, bad, failure }
        };
        if let Some(points) = points {
            if points > MOST_POINTS {
                let want = format!("at most {MOST_POINTS} are accepted");
                return Err(Error::parameter("points", points, want));
            }
            return Ok(made(points));
        }
        let mut points = 1;
        while points <= MOST_POINTS {
            let draws = made(points);
            if draws.failure <= failure {
                return Ok(draws);
            }
            // Small steps where a point counts, long ones where the search would take its time.
            points = (points + 2).max((points + points / 100) | 1);
        }
        let want = format!("with bad_mass {bad_mass} that takes over {MOST_POINTS} points");
        Err(Error::parameter("failure", failure, want))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Ellipsoid, EllipsoidSpec};

    #[test]
    fn the_number_of_points_is_the_least_odd_one_that_keeps_the_failure() {
        let draws = Draws::of(0.1, 1e-3, None).unwrap();
        assert!(draws.failure <= 1e-3 && draws.points % 2 == 1, "{draws:?}");
        let fewer = Draws::of(0.1, 1e-3, Some(draws.points - 2)).unwrap();
        assert!(fewer.failure > 1e-3);
        assert_eq!(Draws::of(0.0, 1e-3, None).unwrap().points, 1);
        let said = Draws::of(0.5, 1e-3, None).unwrap_err().to_string();
        assert!(said.contains("bad_mass") && said.contains("below 1/2"), "{said}");
        assert!(Draws::of(0.499_99, 1e-9, None).unwrap_err().to_string().contains("failure"));
    }

    #[test]
    fn radii_are_those_of_bounding_boxes() {
        let radius = |domain: Domain| radius(&domain).unwrap();
        assert!((radius(Domain::Box { n: 9 }) - 3.0).abs() < 1e-12);
        assert!((radius(Domain::Cube { n: 9 }) - 3.0).abs() < 1e-12);
        assert!((radius(Domain::Simplex { n: 4 }) - 1.0).abs() < 1e-12);
        let axes = Some(vec![3.0, 4.0]);
        let spec = EllipsoidSpec { axes, centre: Some(vec![7.0, 9.0]), map: None };
        assert!((radius(Domain::Ellipsoid(Ellipsoid::new(spec).unwrap())) - 5.0).abs() < 1e-9);
    }
}
