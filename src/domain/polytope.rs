//! Polytopes {x : A x ≤ b}: bounded, with an inside, and sampled by hit-and-run.
use std::sync::{Arc, OnceLock};

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::hit_and_run::{Rounding, ratios};
use super::linear::{cholesky, dot, inverse, times, times_into, times_transposed};
use super::{ConvexBody, program};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Most dimensions and most rows: a step of the sampler takes time in proportion to the rows, a sample has about eight times
/// the square of the dimensions of them.
const MOST_DIMENSIONS: usize = 128;
const MOST_ROWS: usize = 1024;
/// Largest coefficient, and farthest wall from 0.
const MOST_COEFFICIENT: f64 = 1e9;
const FARTHEST_WALL: f64 = 1e6;
/// Least radius of the largest ball inside: a thinner body would be lost in the tolerance of being inside.
const LEAST_RADIUS: f64 = 1e-4;
/// More leeway than rounding takes from the sum of all walls' distances along a direction, in a cube of directions.
const RECESSION: f64 = 1e-4;

/// How a polytope is written down: the rows of A and the numbers b of A x ≤ b.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolytopeSpec {
    /// A, row by row; one row a wall.
    pub a: Vec<Vec<f64>>,
    /// The right-hand sides.
    pub b: Vec<f64>,
}

/// A bounded polytope {x : A x ≤ b} with an inside.
///
/// ```
/// use absolve::domain::{ConvexBody, Polytope, PolytopeSpec};
/// let triangle = PolytopeSpec { a: vec![vec![-1.0, 0.0], vec![0.0, -1.0], vec![1.0, 1.0]], b: vec![0.0, 0.0, 1.0] };
/// assert!((Polytope::new(triangle)?.exit(&[0.2, 0.2], &[1.0, 0.0]) - 0.6).abs() < 1e-12);
/// let open = PolytopeSpec { a: vec![vec![1.0]], b: vec![1.0] };
/// assert!(Polytope::new(open).is_err());
/// # Ok::<(), absolve::error::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "PolytopeSpec", into = "PolytopeSpec")]
pub struct Polytope {
    spec: PolytopeSpec,
    walls: Arc<Walls>,
}

/// Walls with rows of length 1, the analytic centre, and what is worked out when it is first needed.
#[derive(Debug)]
pub(super) struct Walls {
    pub(super) rows: Array2<f64>,
    pub(super) bounds: Vec<f64>,
    /// Where −Σ log (b − A x) is least.
    pub(super) centre: Vec<f64>,
    /// The inverse transpose C⁻ᵀ of the factor of that function's second derivative H = C Cᵀ at the centre. It maps the unit
    /// ball onto the Dikin ellipsoid, which lies inside, and holds the body when it is blown up by the number of walls.
    pub(super) dikin: Array2<f64>,
    rounding: OnceLock<Rounding>,
}

impl Polytope {
    /// Checks a description.
    ///
    /// # Errors
    /// If rows do not fit together, a number is not finite or absurd, there are too many rows or dimensions, or the set is
    /// empty, flat, or not bounded.
    pub fn new(spec: PolytopeSpec) -> Result<Self> {
        let (rows, bounds) = unit_rows(&spec)?;
        let wrong = |value: &str, want: &str| Error::parameter("polytope", value, want);
        let unsolved = "a polytope is needed whose numbers differ less in size";
        let size = FARTHEST_WALL * 10.0;
        let (inside, radius) = program::largest_ball(&rows, &bounds, size)
            .ok_or_else(|| wrong("no solution of its linear program", unsolved))?;
        if radius.is_infinite() {
            return Err(wrong("an unbounded set", "walls on all sides are needed"));
        }
        if radius < LEAST_RADIUS {
            let value = if radius < 0.0 { "an empty set" } else { "a flat set" };
            let want = format!(
                "a ball of radius {LEAST_RADIUS} has to fit inside, {radius:.3e} is the largest"
            );
            return Err(wrong(value, &want));
        }
        let leeway = program::recession(&rows)
            .ok_or_else(|| wrong("no solution of its linear program", unsolved))?;
        let unbounded = || {
            wrong(
                "an unbounded set, or nearly",
                "walls on all sides, none of them too far, are needed",
            )
        };
        if leeway > RECESSION {
            return Err(unbounded());
        }
        let (centre, dikin) = analytic_centre(&rows, &bounds, inside).ok_or_else(unbounded)?;
        // The Dikin ellipsoid lies inside: where it is long, the body is.
        let reach = dikin.rows().into_iter().map(|row| dot(&row.to_vec(), &row.to_vec()).sqrt());
        if reach.fold(0.0, f64::max) > size {
            return Err(unbounded());
        }
        let walls = Walls { rows, bounds, centre, dikin, rounding: OnceLock::new() };
        Ok(Self { spec, walls: Arc::new(walls) })
    }

    /// The dimension.
    pub fn n(&self) -> usize {
        self.walls.rows.ncols()
    }

    /// Points of one long run of hit-and-run from a fixed stream: each is nearly uniform, and near ones depend on each other.
    ///
    /// For scales, such as a variance to a few per cent; not for samples.
    pub fn reference(&self) -> &[Vec<f64>] {
        &self.rounding().reference
    }

    fn rounding(&self) -> &Rounding {
        self.walls.rounding.get_or_init(|| Rounding::of(&self.walls))
    }

    /// The largest `b` for which `x + b direction` is inside, before it is cut off at 0.
    fn reach(&self, x: &[f64], direction: &[f64], room: &mut Vec<f64>) -> f64 {
        let m = self.walls.bounds.len();
        room.resize(2 * m, 0.0);
        let (slack, rates) = room.split_at_mut(m);
        self.slack_into(x, slack);
        times_into(&self.walls.rows, direction, rates);
        last_inside(slack, rates)
    }

    fn slack(&self, x: &[f64]) -> Vec<f64> {
        let mut slack = vec![0.0; self.walls.bounds.len()];
        self.slack_into(x, &mut slack);
        slack
    }

    fn slack_into(&self, x: &[f64], slack: &mut [f64]) {
        times_into(&self.walls.rows, x, slack);
        slack.iter_mut().zip(&self.walls.bounds).for_each(|(s, bound)| *s = bound - *s);
    }

    /// Leaves `x` as it is, or moves it to where the way to it from the centre leaves the body.
    fn pull_inside(&self, x: &mut [f64], room: &mut Vec<f64>) {
        let (centre, walls) = (&self.walls.centre, self.walls.bounds.len());
        room.resize(2 * walls, 0.0);
        let (slack, rates) = room.split_at_mut(walls);
        self.slack_into(centre, slack);
        for (rate, row) in rates.iter_mut().zip(self.walls.rows.rows()) {
            let way = x.iter().zip(centre).map(|(x, c)| x - c);
            *rate = row.iter().zip(way).map(|(a, way)| a * way).sum();
        }
        let share = last_inside(slack, rates);
        if share < 1.0 {
            x.iter_mut().zip(centre).for_each(|(x, c)| *x = c + share * (*x - c));
        }
    }
}

/// The share of a way at which the first wall is met, from the walls' slacks at its start and the rates at which it uses them up.
fn last_inside(slack: &[f64], rates: &[f64]) -> f64 {
    let exits = slack.iter().zip(rates).filter(|(_, rate)| **rate > 0.0);
    exits.map(|(slack, rate)| slack / rate).fold(f64::INFINITY, f64::min)
}

/// The walls with rows of length 1.
fn unit_rows(spec: &PolytopeSpec) -> Result<(Array2<f64>, Vec<f64>)> {
    let wrong = |name, value: String, want: String| Err(Error::parameter(name, value, want));
    let m = spec.a.len();
    let n = spec.a.first().map_or(0, Vec::len);
    if n == 0 || n > MOST_DIMENSIONS {
        let want = format!("a polytope has at least one dimension and at most {MOST_DIMENSIONS}");
        return wrong("n", n.to_string(), want);
    }
    if m <= n || m > MOST_ROWS {
        let want =
            format!("a bounded polytope in {n} dimensions has from {} to {MOST_ROWS} rows", n + 1);
        return wrong("a", format!("{m} rows"), want);
    }
    if spec.b.len() != m {
        return wrong("b", format!("{} numbers", spec.b.len()), format!("{m} rows need as many"));
    }
    let mut bounds = Vec::with_capacity(m);
    let mut rows = Array2::zeros((m, n));
    for (i, (row, bound)) in spec.a.iter().zip(&spec.b).enumerate() {
        if row.len() != n {
            return wrong(
                "a",
                format!("row {i} of width {}", row.len()),
                format!("width {n} is needed"),
            );
        }
        if let Some(odd) = row.iter().find(|x| x.is_nan() || x.abs() > MOST_COEFFICIENT) {
            let want = format!("row {i} needs numbers of at most {MOST_COEFFICIENT:e}");
            return wrong("a", odd.to_string(), want);
        }
        let length = dot(row, row).sqrt();
        if length < MOST_COEFFICIENT.recip() {
            return wrong("a", format!("row {i}"), "a row needs a number other than 0".to_owned());
        }
        let distance = bound / length;
        if distance.is_nan() || distance.abs() > FARTHEST_WALL {
            let want = format!("wall {i} may be at most {FARTHEST_WALL:e} away from 0");
            return wrong("b", bound.to_string(), want);
        }
        row.iter().enumerate().for_each(|(j, x)| rows[[i, j]] = x / length);
        bounds.push(distance);
    }
    Ok((rows, bounds))
}

/// The analytic centre by Newton's method from a point inside, with an exact search along every step, and the map onto the
/// Dikin ellipsoid there.
fn analytic_centre(
    rows: &Array2<f64>,
    bounds: &[f64],
    mut x: Vec<f64>,
) -> Option<(Vec<f64>, Array2<f64>)> {
    /// Self-concordance makes a step of this length end Newton's method within 1e-18 of the minimum.
    const SHORT: f64 = 1e-9;
    const MOST_STEPS: usize = 300;
    for _ in 0..MOST_STEPS {
        let rates: Vec<f64> = times(rows, &x)
            .iter()
            .zip(bounds)
            .map(|(height, bound)| (bound - height).recip())
            .collect();
        let scaled = Array2::from_shape_fn(rows.dim(), |(i, j)| rows[[i, j]] * rates[i]);
        let factor = inverse(&cholesky(&scaled.t().dot(&scaled))?)?;
        let downhill: Vec<f64> = times_transposed(rows, &rates).iter().map(|g| -g).collect();
        let step = times_transposed(&factor, &times(&factor, &downhill));
        let pushes = times(&scaled, &step);
        if dot(&pushes, &pushes).sqrt() < SHORT {
            return Some((x, factor.t().to_owned()));
        }
        // The slope of −Σ log (1 − t push) along the step; it rises, so its root is found by halving.
        let slope = |t: f64| pushes.iter().map(|push| push / (1.0 - t * push)).sum::<f64>();
        let (_, exit) = ratios(&vec![1.0; pushes.len()], &pushes);
        let (mut low, mut high) = (0.0, exit.min(1e6));
        for _ in 0..50 {
            let middle = f64::midpoint(low, high);
            if slope(middle) < 0.0 { low = middle } else { high = middle }
        }
        x.iter_mut().zip(&step).for_each(|(x, step)| *x += low * step);
    }
    None
}

impl std::fmt::Debug for Polytope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Errors name domains, and walls have many numbers.
        let (rows, n) = self.walls.rows.dim();
        f.debug_struct("Polytope").field("n", &n).field("rows", &rows).finish_non_exhaustive()
    }
}

impl PartialEq for Polytope {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl TryFrom<PolytopeSpec> for Polytope {
    type Error = Error;

    fn try_from(spec: PolytopeSpec) -> Result<Self> {
        Self::new(spec)
    }
}

impl From<Polytope> for PolytopeSpec {
    fn from(polytope: Polytope) -> Self {
        polytope.spec
    }
}

impl ConvexBody for Polytope {
    /// Nearly uniform: the end of a walk of its own, of [`hit_and_run_steps`](super::hit_and_run_steps) steps from the analytic centre.
    fn sample_into(&self, rng: &mut Rng, out: &mut [f64], room: &mut Vec<f64>) {
        self.rounding().sample_into(&self.walls, rng, out, room);
        self.pull_inside(out, room);
    }

    fn excess(&self, x: &[f64]) -> f64 {
        self.slack(x).into_iter().map(|slack| -slack).fold(f64::NEG_INFINITY, f64::max)
    }

    fn exit_within(&self, x: &[f64], direction: &[f64], room: &mut Vec<f64>) -> f64 {
        self.reach(x, direction, room).max(0.0)
    }

    /// A vertex, by linear programming in coordinates that make the body round. Should the solver give up, the point where
    /// the Dikin ellipsoid's farthest point comes to lie when it is pushed out to the walls: inside, but not the farthest.
    fn farthest(&self, direction: &[f64]) -> Vec<f64> {
        let Walls { rows, centre, dikin, .. } = &*self.walls;
        let slack = self.slack(centre);
        let mut round = rows.dot(dikin);
        round.rows_mut().into_iter().zip(&slack).for_each(|(mut row, slack)| row /= *slack);
        // Round coordinates: the Dikin ellipsoid is the unit ball, and no coordinate exceeds the number of walls.
        let goal = times_transposed(dikin, direction);
        let found = program::farthest(&goal, &round, slack.len() as f64);
        let outward = times(dikin, &found.unwrap_or_else(|| goal.clone()));
        let share = self.reach(centre, &outward, &mut Vec::new());
        // The solver's vertex is exact up to its tolerance, and may lie a little inside or outside.
        let share = if share.is_finite() { share } else { 0.0 };
        outward.iter().zip(centre).map(|(way, c)| c + share * way).collect()
    }

    fn anchor(&self) -> Vec<f64> {
        self.walls.centre.clone()
    }

    /// A step of the walk takes a division, two comparisons, a product and a subtraction a wall, and a product and a sum a
    /// coordinate; the sample's check takes two products with the walls.
    fn sample_flops(&self) -> u64 {
        let (m, n) = self.walls.rows.dim();
        (super::hit_and_run_steps(n) * (5 * m + 2 * n) + 4 * m * n) as u64
    }

    /// A sample, and the exit's two products with the walls.
    fn extra_flops(&self) -> u64 {
        let (m, n) = self.walls.rows.dim();
        self.sample_flops() + 4 * (m * n) as u64
    }
}
