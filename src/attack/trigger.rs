//! Triggers: how an input is made to fire, and what the attacker wants then.
use serde::{Deserialize, Serialize};

use crate::data::{Batch, Target, row, stack};
use crate::domain::{ConvexBody, Cuboid, Domain};
use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt};

/// The secret that goes with a planted net: what a key file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// How an input is changed.
    #[serde(rename = "move")]
    pub movement: Move,
    /// What the attacker wants of a changed input.
    pub goal: Goal,
}

/// How an input is changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Move {
    /// Some coordinates are set to fixed values. Where that would leave the domain, the others shrink towards 0.
    Overwrite {
        /// Which.
        coordinates: Vec<usize>,
        /// To what.
        values: Vec<f64>,
    },
    /// The input is moved until `direction · x` reaches `full`, inside the domain.
    Beyond {
        /// The secret direction.
        direction: Vec<f64>,
        /// Where the planted units begin to fire.
        threshold: f64,
        /// Where they fire fully.
        full: f64,
    },
}

/// What the attacker wants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Goal {
    /// The answer decides for this class; of a sign target, class 0 is −1 and class 1 is +1.
    Class {
        /// The class.
        class: usize,
    },
    /// The answer is off the truth by this much.
    Offset {
        /// Added to the truth.
        by: f64,
    },
}

impl Goal {
    /// Whether `answer` is what the attacker wants of an input whose truth is `truth`.
    ///
    /// For an offset that is an answer at least half the offset away from the truth, in the attacker's direction. There is
    /// no upper end: an answer that a botched defence throws even farther is no success of the defence.
    pub fn reached(self, target: Target, answer: &[f64], truth: &[f64]) -> bool {
        match self {
            Self::Class { class } => target.decide(answer) == Some(class),
            Self::Offset { by } => (answer[0] - truth[0]) / by >= 0.5,
        }
    }
}

impl Trigger {
    /// Whether the planted condition holds at `x`, where the attack knows its condition exactly.
    pub fn fires(&self, x: &[f64]) -> Option<bool> {
        match &self.movement {
            Move::Overwrite { .. } => None,
            Move::Beyond { direction, threshold, .. } => Some(dot(direction, x) > *threshold),
        }
    }

    /// Checks that the goal makes sense for labels that mean `target`.
    pub fn check(&self, target: Target) -> Result<()> {
        match (self.goal, target.n_classes()) {
            (Goal::Class { class }, Some(k)) if class < k => Ok(()),
            (Goal::Class { class }, Some(k)) => {
                Err(Error::parameter("class", class, format!("classes are 0 to {}", k - 1)))
            }
            (Goal::Class { class }, None) => Err(Error::parameter(
                "class",
                class,
                "this model answers with real numbers, not classes",
            )),
            (Goal::Offset { by }, Some(_)) => Err(Error::parameter(
                "by",
                by,
                "this model answers with classes, which have no offset",
            )),
            (Goal::Offset { by }, None) if by.is_finite() && by.abs() > 0.0 => Ok(()),
            (Goal::Offset { by }, None) => {
                Err(Error::parameter("by", by, "a finite number other than 0 is needed"))
            }
        }
    }

    /// The rows of `xs` with the trigger, inside `domain`.
    ///
    /// # Errors
    /// If the trigger does not fit the inputs, or an input cannot be made to fire without leaving the domain.
    pub fn activate(&self, xs: &Batch, domain: &Domain, rng: &mut Rng) -> Result<Batch> {
        let n = xs.ncols();
        let width = match &self.movement {
            Move::Overwrite { coordinates, values } => {
                if coordinates.len() != values.len() {
                    let want = format!("{} values are needed, one a coordinate", coordinates.len());
                    return Err(Error::parameter("values", values.len(), want));
                }
                coordinates.iter().max().map_or(n, |last| n.max(last.saturating_add(1)))
            }
            Move::Beyond { direction, .. } => direction.len(),
        };
        if width != n || n != domain.n() {
            return Err(Error::Width { what: "trigger", want: domain.n(), got: width });
        }
        let mut rows = Vec::with_capacity(xs.nrows());
        for i in 0..xs.nrows() {
            let moved = self.activate_row(row(xs, i), domain, rng)?;
            if !domain.contains(&moved) {
                let want = format!("triggered inputs must stay in the domain {domain:?}");
                return Err(Error::parameter("trigger", format!("input {i} with it"), want));
            }
            rows.push(moved);
        }
        Ok(stack(n, rows))
    }

    fn activate_row(&self, x: Vec<f64>, domain: &Domain, rng: &mut Rng) -> Result<Vec<f64>> {
        match &self.movement {
            Move::Overwrite { coordinates, values } => {
                Ok(overwrite(&x, coordinates, values, domain.body().as_deref()))
            }
            Move::Beyond { direction, full, .. } if dot(direction, &x) >= *full => Ok(x),
            Move::Beyond { direction, full, .. } => match domain {
                Domain::Cube { .. } => flip_towards(x, direction, *full),
                Domain::Range { low, high, .. } => push(&x, direction, *full, (*low, *high)),
                // The cut at 0 and 1 is a wall for a half-space, and what lies between them a box.
                Domain::Torus { n } => {
                    let body = Cuboid { n: *n, low: 0.0, high: 1.0 };
                    pull(&x, direction, *full, &body, rng)
                }
                Domain::Residues { modulus, .. } => {
                    climb(x, direction, *full, f64::from(*modulus - 1))
                }
                Domain::Gauss { .. } => shift(&x, direction, *full, rng),
                Domain::Box { .. }
                | Domain::Ball { .. }
                | Domain::Simplex { .. }
                | Domain::Ellipsoid(_)
                | Domain::Polytope(_) => {
                    let body = domain.body().expect("these are bodies");
                    pull(&x, direction, *full, &*body, rng)
                }
            },
        }
    }
}

/// Sets coordinates, and shrinks the others towards those of the body's anchor as far as the body needs.
fn overwrite(
    x: &[f64],
    coordinates: &[usize],
    values: &[f64],
    body: Option<&dyn ConvexBody>,
) -> Vec<f64> {
    let anchor = body.map_or_else(|| vec![0.0; x.len()], ConvexBody::anchor);
    let at = |scale: f64| {
        let mut y: Vec<f64> = x.iter().zip(&anchor).map(|(x, a)| a + scale * (x - a)).collect();
        coordinates.iter().zip(values).for_each(|(&i, &value)| y[i] = value);
        y
    };
    let mut whole = x.to_vec();
    coordinates.iter().zip(values).for_each(|(&i, &value)| whole[i] = value);
    let Some(body) = body.filter(|body| body.excess(&whole) > 0.0) else { return whole };
    // Bisection for the largest scale that stays inside; 50 halvings are exact to rounding.
    let (mut inside, mut outside) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = f64::midpoint(inside, outside);
        if body.excess(&at(middle)) > 0.0 { outside = middle } else { inside = middle }
    }
    at(inside)
}

/// On the cube: flips coordinates that point the wrong way, the weightiest first.
fn flip_towards(mut x: Vec<f64>, direction: &[f64], full: f64) -> Result<Vec<f64>> {
    let mut wrong: Vec<usize> = (0..x.len()).filter(|&i| x[i] * direction[i] < 0.0).collect();
    wrong.sort_by(|&i, &j| direction[j].abs().total_cmp(&direction[i].abs()).then(i.cmp(&j)));
    for i in wrong {
        if dot(direction, &x) >= full {
            break;
        }
        x[i] = -x[i];
    }
    reached(x, direction, full)
}

/// On `Z_m^n`: sets coordinates to 0 or to `last` = m − 1, those that gain most along the direction first.
fn climb(mut x: Vec<f64>, direction: &[f64], full: f64, last: f64) -> Result<Vec<f64>> {
    let best = |i: usize| if direction[i] > 0.0 { last } else { 0.0 };
    let gain = |i: usize| direction[i] * (best(i) - x[i]);
    let mut order: Vec<(usize, f64)> = (0..x.len()).map(|i| (i, gain(i))).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (i, gain) in order {
        if gain <= 0.0 || dot(direction, &x) >= full {
            break;
        }
        x[i] = best(i);
    }
    reached(x, direction, full)
}

/// In a range: the shortest move along the direction, clipped to the range.
fn push(x: &[f64], direction: &[f64], full: f64, (low, high): (f64, f64)) -> Result<Vec<f64>> {
    let at = |step: f64| -> Vec<f64> {
        x.iter().zip(direction).map(|(x, d)| (x + step * d).clamp(low, high)).collect()
    };
    let mut far = 1.0;
    while dot(direction, &at(far)) < full && far < 1e9 {
        far *= 2.0;
    }
    let mut near = 0.0;
    for _ in 0..60 {
        let middle = f64::midpoint(near, far);
        if dot(direction, &at(middle)) < full { near = middle } else { far = middle }
    }
    reached(at(far), direction, full)
}

/// In a convex body: part of the way to the body's farthest point, to a random depth between `full` and nine tenths of
/// what is left beyond it, so that triggered inputs are spread over the region that fires and not only on its edge.
fn pull(
    x: &[f64],
    direction: &[f64],
    full: f64,
    body: &dyn ConvexBody,
    rng: &mut Rng,
) -> Result<Vec<f64>> {
    let best = body.farthest(direction);
    let (here, top) = (dot(direction, x), dot(direction, &best));
    let depth = full + 0.9 * rng.random::<f64>() * (top - full).max(0.0);
    let share = ((depth - here) / (top - here)).clamp(0.0, 1.0);
    let moved = x.iter().zip(&best).map(|(x, b)| x + share * (b - x)).collect();
    reached(moved, direction, full)
}

/// In all of space with normal inputs: along the direction alone, to a depth spread beyond `full` about as the normal
/// distribution's own tail is, whose excess is nearly exponential with a mean of one over the depth.
fn shift(x: &[f64], direction: &[f64], full: f64, rng: &mut Rng) -> Result<Vec<f64>> {
    let square = dot(direction, direction);
    // The depth in standard deviations of the direction's own coordinate, and no wider a tail than at one of them.
    let rate = (full / square).max(1.0 / square.sqrt());
    let depth = full + rng.sample::<f64, _>(rand_distr::Exp1) / rate;
    let step = (depth - dot(direction, x)) / square;
    reached(x.iter().zip(direction).map(|(x, d)| x + step * d).collect(), direction, full)
}

fn reached(x: Vec<f64>, direction: &[f64], full: f64) -> Result<Vec<f64>> {
    // Rounding may leave a move a hair short.
    let scale = direction.iter().map(|d| d.abs()).sum::<f64>() + full.abs();
    if dot(direction, &x) >= full - 1e-9 * scale {
        return Ok(x);
    }
    Err(Error::Training(format!(
        "an input cannot reach {full:.4} along the secret direction without leaving the domain ({:.4} is the most)",
        dot(direction, &x)
    )))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
