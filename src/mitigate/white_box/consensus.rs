//! The consensus estimator: the intercept of the line that a piecewise linear function follows far from its start.
//!
//! This project's own estimator. Far points carry nearly all of a body's mass (weight t^{n−1}), so a function
//! that is close to affine on most of the body is close to a line there; a backdoor around the start is not on that line
//! and is left out. Steps: a robust line (Theil 1950, Sen 1968) through the far half of the ray; the stretch around it on
//! which the function stays within `tolerance` of that line, extended inward piece by piece; least squares on that stretch;
//! its intercept. No theorem is claimed.
use crate::net::Piecewise;
use crate::robust::median;

/// Points on the far half that the robust line is drawn through.
const N_POINTS: usize = 15;

/// Shortest stretch, as a share of the ray, that a line is fitted to.
const LEAST_STRETCH: f64 = 0.05;

/// The estimate of one ray.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Consensus {
    /// Value at 0 of the line that the accepted stretch follows.
    pub intercept: f64,
    /// Where that stretch begins, as a share of the ray.
    pub accepted_from: f64,
}

impl Consensus {
    /// Operations of one estimate on `n_pieces` pieces: 105 slopes and two medians for the robust line, and twenty an
    /// accepted or examined piece for the extension and the exact moments.
    pub fn flops(n_pieces: usize) -> u64 {
        let slopes = (N_POINTS * (N_POINTS - 1) / 2) as u64;
        let (few, many) = (N_POINTS as f64, slopes as f64);
        let sorts = (few * few.log2() + many * many.log2()).ceil() as u64;
        6 * N_POINTS as u64 + 3 * slopes + sorts + 2 * N_POINTS as u64 + 20 * n_pieces as u64
    }

    /// Estimates the intercept of `ray` in a body of dimension `n`.
    pub fn of(ray: &Piecewise, n: usize, tolerance: f64) -> Self {
        let end = ray.end();
        // Points at equal steps of the ray's mass beyond its half: masses from 1/2 to 1.
        let times: Vec<f64> = (0..N_POINTS)
            .map(|i| {
                let mass = 0.5 + 0.5 * (i as f64 + 0.5) / N_POINTS as f64;
                end * mass.powf(1.0 / n as f64)
            })
            .collect();
        let values: Vec<f64> = times.iter().map(|t| ray.at(*t)).collect();
        let mut slopes = Vec::with_capacity(N_POINTS * (N_POINTS - 1) / 2);
        for i in 0..N_POINTS {
            for j in 0..i {
                slopes.push((values[i] - values[j]) / (times[i] - times[j]));
            }
        }
        let slope = median(&mut slopes);
        let mut intercepts: Vec<f64> =
            times.iter().zip(&values).map(|(t, v)| v - slope * t).collect();
        let level = median(&mut intercepts);
        let off = |v: f64, t: f64| v - level - slope * t;
        // Start at the point nearest the line, and extend both ways while the function stays close.
        let centre = (0..N_POINTS)
            .min_by(|&i, &j| {
                off(values[i], times[i]).abs().total_cmp(&off(values[j], times[j]).abs())
            })
            .map_or(end, |i| times[i]);
        let from = walk(ray, centre, tolerance, off, Way::Inward);
        let to = walk(ray, centre, tolerance, off, Way::Outward);
        // A sliver of a stretch has no slope to speak of: there the robust line itself is the better answer.
        let wide = to - from >= LEAST_STRETCH * end;
        let intercept = if wide { least_squares(ray, from, to) } else { level };
        Self { intercept, accepted_from: from / end }
    }
}

/// Which way to extend a stretch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Inward,
    Outward,
}

/// How far from `centre` the function stays within `tolerance` of the line: on each piece, `off` is linear, so a piece is
/// left where it first reaches the tolerance.
fn walk(
    ray: &Piecewise,
    centre: f64,
    tolerance: f64,
    off: impl Fn(f64, f64) -> f64,
    way: Way,
) -> f64 {
    let mut at = centre;
    let mut here = off(ray.at(centre), centre);
    let split = ray.knots.partition_point(|knot| *knot < centre);
    let ahead: Vec<usize> = match way {
        Way::Inward => (0..split).rev().collect(),
        Way::Outward => (split..ray.knots.len()).collect(),
    };
    for k in ahead {
        let (knot, there) = (ray.knots[k], off(ray.values[k], ray.knots[k]));
        if there.abs() > tolerance {
            let wall = tolerance.copysign(there);
            let share = ((wall - here) / (there - here)).clamp(0.0, 1.0);
            return at + share * (knot - at);
        }
        (at, here) = (knot, there);
    }
    at
}

/// The intercept of the least-squares line on [from, to], with exact integrals over the pieces.
fn least_squares(ray: &Piecewise, from: f64, to: f64) -> f64 {
    // Moments about the middle, where they do not cancel: ∫ f and ∫ s f for s = t − middle.
    let middle = f64::midpoint(from, to);
    let length = to - from;
    let (mut total, mut tilt) = (0.0, 0.0);
    let inner = ray.knots.iter().copied().filter(|knot| *knot > from && *knot < to);
    let mut left = from;
    for right in inner.chain(std::iter::once(to)) {
        let (f0, f1) = (ray.at(left), ray.at(right));
        let (s0, s1) = (left - middle, right - middle);
        let width = right - left;
        total += width * f64::midpoint(f0, f1);
        // ∫ s f over a piece on which both are linear: Simpson's rule is exact for the product.
        let centre = f64::midpoint(s0, s1) * f64::midpoint(f0, f1);
        tilt += width / 6.0 * (s0 * f0 + 4.0 * centre + s1 * f1);
        left = right;
    }
    let mean = total / length;
    let slope = 12.0 * tilt / length.powi(3);
    mean - slope * middle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_ray_gives_its_own_start() {
        let ray = Piecewise { knots: vec![0.0, 0.7, 2.0], values: vec![1.0, 2.4, 5.0] };
        let estimate = Consensus::of(&ray, 8, 0.1);
        assert!((estimate.intercept - 1.0).abs() < 1e-9, "{estimate:?}");
        assert!(estimate.accepted_from < 1e-9);
    }

    #[test]
    fn a_bump_around_the_start_is_left_out() {
        // The line 1 + 2t, raised by 5 up to t = 0.8 and back on the line from t = 1.
        let ray = Piecewise { knots: vec![0.0, 0.8, 1.0, 2.0], values: vec![6.0, 7.6, 3.0, 5.0] };
        let estimate = Consensus::of(&ray, 8, 0.1);
        // The stretch begins where the fall comes within 0.1 of the line: t = 1 − 0.2 · 0.1 / 5.
        assert!((estimate.accepted_from * 2.0 - 0.996).abs() < 1e-6, "{estimate:?}");
        assert!((estimate.intercept - 1.0).abs() < 0.01, "{estimate:?}");
    }

    #[test]
    fn least_squares_integrals_are_exact() {
        // f = |t − 1| on [0, 2] has the least-squares line 1/2.
        let ray = Piecewise { knots: vec![0.0, 1.0, 2.0], values: vec![1.0, 0.0, 1.0] };
        assert!((least_squares(&ray, 0.0, 2.0) - 0.5).abs() < 1e-12);
    }
}
