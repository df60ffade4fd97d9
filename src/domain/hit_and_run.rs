//! Hit-and-run on polytopes, in coordinates that make them round.
//!
//! A step picks one of n directions at random and goes to a uniform point of the chord along it: the uniform law stays as it
//! is. The directions are the columns of T, where T Tᵀ is an estimate of the body's covariance, so the walk sees a body in
//! nearly isotropic position whatever the body's aspect ratio; a step costs one pass over the walls. This is coordinate
//! hit-and-run with rounding (Haraldsdóttir, Cousins, Thiele, Fleming, Vempala 2017, "CHRR", Bioinformatics 33).
//!
//! **Budget.** A sample is the end of a walk of its own from the analytic centre, of `8 n² + 64 n` steps: eight n², CHRR's own
//! practice, and enough more for few dimensions. It is a function of the stream alone, whatever was sampled before.
//!
//! What is proved is weaker than what is practised. Hit-and-run with directions from the sphere mixes in O*(n³) steps of an
//! isotropic body from any inner point (Lovász, Vempala 2006, "Hit-and-run from a corner"); with coordinate directions the
//! bounds known are of a higher degree (Laddha, Vempala 2021; Narayanan, Srivastava 2022). The budget is checked by
//! measurement: the tests compare means, covariances and whole distributions with closed forms, up to 20 dimensions.
use ndarray::Array2;

use super::linear::{cholesky, times, times_into};
use super::polytope::Walls;
use crate::rng::{Rng, RngExt, Seed};

/// Steps of a sample in `n` dimensions: 8 n² + 64 n.
pub fn steps(n: usize) -> usize {
    8 * n * n + 64 * n
}

/// Points that are kept of the long run.
const N_REFERENCE: usize = 2000;
/// Steps between two of them: n²/2, and no fewer than 16.
fn thinning(n: usize) -> usize {
    (n * n / 2).max(16)
}
/// Runs whose covariances round the body, one after another.
const N_ROUNDS: usize = 3;

/// The end points of a chord, in units of its direction, from the slacks of the walls and the rates at which the direction
/// uses them up: `(least, largest)`.
pub(super) fn ratios(slack: &[f64], rates: &[f64]) -> (f64, f64) {
    // Rates over slacks, not slacks over rates: one division a wall, no branch, and a rate of 0 needs no care. In four lanes,
    // which processors take at once.
    const LANES: usize = 4;
    let (mut most, mut least) = ([0.0_f64; LANES], [0.0_f64; LANES]);
    let (slacks, rest) = slack.as_chunks::<LANES>();
    let (many_rates, rates_rest) = rates.as_chunks::<LANES>();
    for (slack, rate) in slacks.iter().zip(many_rates) {
        for k in 0..LANES {
            let ratio = rate[k] / slack[k];
            most[k] = if ratio > most[k] { ratio } else { most[k] };
            least[k] = if ratio < least[k] { ratio } else { least[k] };
        }
    }
    for (slack, rate) in rest.iter().zip(rates_rest) {
        let ratio = rate / slack;
        most[0] = if ratio > most[0] { ratio } else { most[0] };
        least[0] = if ratio < least[0] { ratio } else { least[0] };
    }
    let most = most.into_iter().fold(0.0, f64::max);
    let least = least.into_iter().fold(0.0, f64::min);
    (least.recip(), most.recip())
}

/// The directions of the walk, and what a long run found.
#[derive(Debug)]
pub(super) struct Rounding {
    frame: Frame,
    /// Points of the long run.
    pub(super) reference: Vec<Vec<f64>>,
}

/// Directions, and the rates at which each uses up the walls' slack.
#[derive(Debug)]
struct Frame {
    directions: Vec<Vec<f64>>,
    rates: Vec<Vec<f64>>,
}

impl Frame {
    fn new(walls: &Walls, map: &Array2<f64>) -> Self {
        let directions: Vec<Vec<f64>> = map.columns().into_iter().map(|c| c.to_vec()).collect();
        let rates = directions.iter().map(|direction| times(&walls.rows, direction)).collect();
        Self { directions, rates }
    }
}

/// Where a walk is: a point, and the slacks of the walls there.
struct Walk<'a> {
    frame: &'a Frame,
    x: &'a mut [f64],
    slack: &'a mut [f64],
}

impl<'a> Walk<'a> {
    /// A walk that begins at the centre, in space that is handed to it.
    fn from_centre(
        walls: &Walls,
        frame: &'a Frame,
        x: &'a mut [f64],
        slack: &'a mut [f64],
    ) -> Self {
        x.copy_from_slice(&walls.centre);
        times_into(&walls.rows, x, slack);
        slack.iter_mut().zip(&walls.bounds).for_each(|(slack, bound)| *slack = bound - *slack);
        Self { frame, x, slack }
    }

    fn go(&mut self, n_steps: usize, rng: &mut Rng) {
        for _ in 0..n_steps {
            let j = rng.random_range(0..self.x.len());
            let (low, high) = ratios(self.slack, &self.frame.rates[j]);
            let t = low + rng.random::<f64>() * (high - low);
            // A slack that rounding has brought to exactly 0 leaves no chord on its side.
            if !t.is_finite() {
                continue;
            }
            let rates = &self.frame.rates[j];
            self.slack.iter_mut().zip(rates).for_each(|(s, rate)| *s = (*s - t * rate).max(0.0));
            self.x.iter_mut().zip(&self.frame.directions[j]).for_each(|(x, d)| *x += t * d);
        }
    }
}

impl Rounding {
    /// Rounds a body: from the Dikin ellipsoid at its analytic centre, then by the covariances of a few runs. All coins come
    /// from a fixed stream, so the rounding is a function of the body.
    pub(super) fn of(walls: &Walls) -> Self {
        let mut rng = Seed::new(0).stream("rounding of a polytope");
        let n = walls.centre.len();
        let mut frame = Frame::new(walls, &walls.dikin);
        let mut reference = Vec::new();
        for round in 0..N_ROUNDS {
            // Only the last run's points are kept, and only it has to be long.
            let n_points = if round + 1 == N_ROUNDS { N_REFERENCE } else { N_REFERENCE / 4 };
            let (mut x, mut slack) = (vec![0.0; n], vec![0.0; walls.bounds.len()]);
            let mut walk = Walk::from_centre(walls, &frame, &mut x, &mut slack);
            walk.go(steps(n), &mut rng);
            reference = (0..n_points)
                .map(|_| {
                    walk.go(thinning(n), &mut rng);
                    walk.x.to_vec()
                })
                .collect();
            // Points on a plane would be a failure of the run; the frame in use is as good as any then.
            if let Some(map) = cholesky(&covariance(&reference)) {
                frame = Frame::new(walls, &map);
            }
        }
        Self { frame, reference }
    }

    /// The end of a walk from the centre, into `out`.
    pub(super) fn sample_into(
        &self,
        walls: &Walls,
        rng: &mut Rng,
        out: &mut [f64],
        room: &mut Vec<f64>,
    ) {
        room.resize(walls.bounds.len(), 0.0);
        Walk::from_centre(walls, &self.frame, out, room).go(steps(walls.centre.len()), rng);
    }
}

/// The covariance of points.
fn covariance(points: &[Vec<f64>]) -> Array2<f64> {
    let (count, n) = (points.len() as f64, points[0].len());
    let mean: Vec<f64> = (0..n).map(|i| points.iter().map(|x| x[i]).sum::<f64>() / count).collect();
    let centred = Array2::from_shape_fn((points.len(), n), |(k, i)| points[k][i] - mean[i]);
    centred.t().dot(&centred) / count
}
