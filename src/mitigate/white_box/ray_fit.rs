//! What is made of a piecewise linear function on a ray: an estimate of the affine truth at its start.
//!
//! Three of this project's own, none with a theorem. **Consensus** (`consensus.rs`) follows a robust line inward from the far
//! half. **Least absolute**: the line of least absolute error at 32 equal steps of the ray, by the descent of Bloomfield and
//! Steiger ("Least Absolute Deviations", 1983): a line turned about one of its points is best at a weighted median of slopes, and
//! a point that is met becomes the next. Under uniform t it stands any wrong values on a share s < 1/4 at the start of the ray,
//! up to the steps, and not on more: a line off by 1 − t/c gains at most s − s²/(2c) there and loses c/2 + (1 − c)²/(2c) − s + s²/(2c) elsewhere; the two are
//! equal where 2c² − 4c(s + 1/2) + 1 + 2s² = 0, which at the best c = s + 1/2 is s = 1/4. (With c = 1 alone it would be 1 − 1/√2 = 29.3%.) **Max consensus**: of eight lines, each through two points half a ray apart, the one that the
//! function is within the tolerance of on the greatest length, counted exactly piece by piece (RANSAC, Fischler and Bolles 1981, with
//! no sample of residuals), and least squares on that set; any wrong stretch at the start shorter than 7/16 leaves a pair that is right.
use serde::{Deserialize, Serialize};

use super::Consensus;
use crate::net::{Piecewise, sort_flops};
use crate::robust::median;

/// Points of the least absolute line, and steps of its descent at most.
const N_POINTS: usize = 32;
const MOST_STEPS: usize = 8;
/// Lines that max consensus tries.
const N_LINES: usize = 8;

/// Which estimate is made of a ray.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineFit {
    /// A robust line far out, followed inward while the function stays close to it.
    #[default]
    Consensus,
    /// The least absolute error along the ray.
    LeastAbsolute,
    /// The line that the function is close to on the greatest length.
    MaxConsensus,
}

impl LineFit {
    /// Operations of one estimate on `n_pieces` pieces.
    ///
    /// Least absolute: a search and an interpolation for each of 32 points (12 each), the median of levels that it starts from, and
    /// eight steps of 32 slopes (3), weights (2), a sort, sums and choices (4); charged for eight also where fewer do. Max
    /// consensus: 16 points (12), 8 lines (4), for each line and piece both residuals (6) and the interval between two
    /// walls (10), and 24 a piece for the integrals of least squares.
    pub fn flops(self, n_pieces: usize) -> u64 {
        let (points, pieces) = (N_POINTS as u64, n_pieces as u64);
        match self {
            Self::Consensus => Consensus::flops(n_pieces),
            Self::LeastAbsolute => {
                let sort = sort_flops(N_POINTS);
                12 * points + sort + MOST_STEPS as u64 * (9 * points + sort)
            }
            Self::MaxConsensus => {
                let lines = N_LINES as u64;
                12 * 2 * lines + 4 * lines + 16 * lines * pieces + 24 * pieces
            }
        }
    }

    /// The estimate of the value at the start of `ray`, in a body of dimension `n`.
    pub fn of(self, ray: &Piecewise, n: usize, tolerance: f64) -> f64 {
        match self {
            Self::Consensus => Consensus::of(ray, n, tolerance).intercept,
            Self::LeastAbsolute => least_absolute(ray),
            Self::MaxConsensus => max_consensus(ray, tolerance),
        }
    }
}

fn steps(ray: &Piecewise, n: usize) -> Vec<(f64, f64)> {
    let times = (0..n).map(|i| ray.end() * (i as f64 + 0.5) / n as f64);
    times.map(|t| (t, ray.at(t))).collect()
}

fn least_absolute(ray: &Piecewise) -> f64 {
    let points = steps(ray, N_POINTS);
    // Begin at the point of median value, and turn.
    let middle = median(&mut points.iter().map(|p| p.1).collect::<Vec<_>>());
    let nearest = |a: &usize, b: &usize| {
        (points[*a].1 - middle).abs().total_cmp(&(points[*b].1 - middle).abs())
    };
    let mut pivot = (0..N_POINTS).min_by(nearest).unwrap_or(0);
    let (mut best, mut intercept) = (f64::INFINITY, points[pivot].1);
    for _ in 0..MOST_STEPS {
        let (t0, v0) = points[pivot];
        let mut slopes: Vec<(f64, f64, usize)> = (0..N_POINTS)
            .filter(|i| *i != pivot)
            .map(|i| {
                let (t, v) = points[i];
                ((v - v0) / (t - t0), (t - t0).abs(), i)
            })
            .collect();
        slopes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let half = 0.5 * slopes.iter().map(|s| s.1).sum::<f64>();
        let mut weight = 0.0;
        let turned = slopes.iter().find(|s| {
            weight += s.1;
            weight >= half
        });
        let Some(&(slope, _, met)) = turned else { break };
        let level = v0 - slope * t0;
        let error = points.iter().map(|(t, v)| (v - level - slope * t).abs()).sum::<f64>();
        if error >= best {
            break;
        }
        (best, intercept, pivot) = (error, level, met);
    }
    intercept
}

/// The part of a piece, in shares of it, on which a residual from `a` to `b` is within `tolerance` of 0.
fn close(a: f64, b: f64, tolerance: f64) -> (f64, f64) {
    if (b - a).abs() > 0.0 {
        let (p, q) = ((-tolerance - a) / (b - a), (tolerance - a) / (b - a));
        let (from, to) = (p.min(q).clamp(0.0, 1.0), p.max(q).clamp(0.0, 1.0));
        (from, to)
    } else if a.abs() <= tolerance {
        (0.0, 1.0)
    } else {
        (0.0, 0.0)
    }
}

fn max_consensus(ray: &Piecewise, tolerance: f64) -> f64 {
    let points = steps(ray, 2 * N_LINES);
    let mut best = (f64::NEG_INFINITY, 0.0, 0.0);
    let pieces = || {
        let (knots, values) = (ray.knots.windows(2), ray.values.windows(2));
        knots.zip(values).map(|(t, v)| (t[0], t[1], v[0], v[1]))
    };
    for (near, far) in points[..N_LINES].iter().zip(&points[N_LINES..]) {
        let slope = (far.1 - near.1) / (far.0 - near.0);
        let level = near.1 - slope * near.0;
        let length = pieces().map(|(t0, t1, v0, v1)| {
            let (from, to) = close(v0 - level - slope * t0, v1 - level - slope * t1, tolerance);
            (t1 - t0) * (to - from)
        });
        let length: f64 = length.sum();
        if length > best.0 {
            best = (length, level, slope);
        }
    }
    let (_, level, slope) = best;
    // Least squares of what is left over, with exact integrals about the start: 1, t, t², r, t r.
    let mut moments = [0.0; 5];
    for (t0, t1, v0, v1) in pieces() {
        let (a, b) = (v0 - level - slope * t0, v1 - level - slope * t1);
        let (from, to) = close(a, b, tolerance);
        let (p, q) = (t0 + from * (t1 - t0), t0 + to * (t1 - t0));
        let (r, s) = (a + from * (b - a), a + to * (b - a));
        let width = q - p;
        let parts = [
            1.0,
            f64::midpoint(p, q),
            (p * p + p * q + q * q) / 3.0,
            f64::midpoint(r, s),
            (2.0 * (p * r + q * s) + p * s + q * r) / 6.0,
        ];
        moments.iter_mut().zip(parts).for_each(|(m, part)| *m += width * part);
    }
    let [one, t, tt, r, tr] = moments;
    let spread = one * tt - t * t;
    // A sliver has no slope to speak of.
    if spread > 1e-6 * one * tt { level + (r * tt - tr * t) / spread } else { level }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line 1 + 2t on [0, 2], raised by 5 up to `until`.
    fn raised(until: f64) -> Piecewise {
        let at = |t: f64| 1.0 + 2.0 * t;
        Piecewise {
            knots: vec![0.0, until, until, 2.0],
            values: vec![at(0.0) + 5.0, at(until) + 5.0, at(until), at(2.0)],
        }
    }

    #[test]
    fn a_line_in_l1_breaks_at_a_quarter() {
        // 0.22 and 0.28 of the ray, on both sides of 1/4.
        let held = LineFit::LeastAbsolute.of(&raised(0.44), 8, 0.1);
        assert!((held - 1.0).abs() < 1e-9, "{held}");
        let broken = LineFit::LeastAbsolute.of(&raised(0.56), 8, 0.1);
        assert!((broken - 1.0).abs() > 0.5, "{broken}");
    }

    #[test]
    fn the_longest_line_wins_up_to_seven_sixteenths_and_not_beyond_a_half() {
        let held = LineFit::MaxConsensus.of(&raised(0.86), 8, 0.1);
        assert!((held - 1.0).abs() < 1e-9, "{held}");
        let broken = LineFit::MaxConsensus.of(&raised(1.2), 8, 0.1);
        assert!((broken - 6.0).abs() < 1e-9, "{broken}");
    }

    #[test]
    fn every_fit_is_exact_on_a_line_and_costs_what_its_formula_says() {
        let ray = Piecewise { knots: vec![0.0, 0.7, 2.0], values: vec![1.0, 2.4, 5.0] };
        for fit in [LineFit::Consensus, LineFit::LeastAbsolute, LineFit::MaxConsensus] {
            assert!((fit.of(&ray, 8, 0.1) - 1.0).abs() < 1e-9, "{fit:?}");
        }
        // 384 and a sort of 160, and eight times 288 and a sort.
        assert_eq!(LineFit::LeastAbsolute.flops(7), 384 + 160 + 8 * (288 + 160));
        // 16 points, 8 lines, and 128 + 24 a piece.
        assert_eq!(LineFit::MaxConsensus.flops(2), 192 + 32 + 304);
    }
}
