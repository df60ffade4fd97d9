//! Medians of points: what most points are near to, wherever the others lie.
//!
//! The setting: K points, of which at most B are bad and may be anything; the others are within ε of a point w, in Euclidean
//! length. Two medians, each with a factor C for which it is within C ε of w, and a failure of neither kind: the statements hold
//! for every placement of the bad points.
//!
//! **Coordinate by coordinate.** `C = √((K − B)/(⌈K/2⌉ − B))` for B < ⌈K/2⌉, and C ≤ √n.
//!
//! *Proof.* Let m be the median and `t_j = |m_j − w_j|`, with `m_j = w_j + t_j`, say. At least ⌈K/2⌉ points have a j-th coordinate of
//! at least `m_j` (of an even number of points the upper middle value is at least `m_j`), and at least ⌈K/2⌉ − B of these are good. So
//! the good points' squared distances from w in coordinate j sum to at least (⌈K/2⌉ − B) `t_j²`. Summed over j, the left side is
//! at most (K − B) ε². And a good point has every coordinate within ε, so `t_j` ≤ ε for each j. ∎
//!
//! **Geometric** (the point of least total distance to all; Weber). `C = (1 − α)/√((1 − α)² − (α + η)²)` with α = B/K, where
//! ηK is the length of a subgradient of the total distance at the point that was found, and α + η < 1 − α. With η = 0
//! this is lemma 2.1 of Minsker (Bernoulli 21, 2015).
//!
//! *Proof.* Let z be that point and |z − w| > C' ε with C' ≥ 1. From a good point z is seen at an angle from z − w whose sine is at
//! most ε/|z − w| < 1/C', so the unit vector from it to z has a component of more than √(1 − 1/C'²) along z − w; from a bad one it has at least −1, and
//! so has what a point at z itself may contribute (no good point is at z). Their sum has length at most ηK: (K − B) √(1 − 1/C'²) < B + ηK.
//! For C' = C both sides are equal: a contradiction. ∎
//!
//! It is found by Weiszfeld's iteration, as Vardi and Zhang (PNAS 97, 2000) have it for points that are met. η is what is left when
//! it stops, so that the statement is about the number that was computed and not about a limit.
use ndarray::{Array1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::median;
use super::order::SELECTION;
use crate::error::Result;

/// Which median of points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Centre {
    /// The median of every coordinate.
    #[default]
    CoordinateWise,
    /// The point of least total distance.
    Geometric,
}

/// A median of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Median {
    /// Where it is.
    pub point: Array1<f64>,
    /// η: what is left of the subgradient, as a share of the number of points; 0 coordinate by coordinate.
    pub residual: f64,
}

/// Where the iteration stops: the factor C grows by about this share.
const ENOUGH: f64 = 0.01;
/// Steps after which it stops anyway, with the residual that it then has.
const MOST_STEPS: usize = 1000;
/// Points that are nearer than this are met: one over it is still a number.
const MET: f64 = 1e-150;

impl Centre {
    /// The median of the rows. A row with a number that is not finite is a bad point: infinitely far in that coordinate, or left out.
    /// `charge` is told the operations of every step before it is taken.
    ///
    /// # Errors
    /// What `charge` says.
    pub fn of(
        self,
        points: &ArrayView2<'_, f64>,
        charge: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<Median> {
        let (k, n) = points.dim();
        charge(SELECTION * (k * n) as u64)?;
        let start: Array1<f64> =
            points.columns().into_iter().map(|c| median(&mut c.to_vec())).collect();
        match self {
            Self::CoordinateWise => Ok(Median { point: start, residual: 0.0 }),
            Self::Geometric => geometric(points, start, charge),
        }
    }

    /// C, for `k` points of which at most `bad` are bad and a residual of at most `residual`; infinite where nothing is proved.
    pub fn factor(self, n: usize, k: usize, bad: usize, residual: f64) -> f64 {
        match self {
            Self::CoordinateWise if bad < k.div_ceil(2) => {
                let factor = ((k - bad) as f64 / (k.div_ceil(2) - bad) as f64).sqrt();
                factor.min((n as f64).sqrt())
            }
            Self::Geometric if bad < k => {
                let share = bad as f64 / k as f64;
                let (good, against) = (1.0 - share, share + residual);
                if against < good {
                    good / (good * good - against * against).sqrt()
                } else {
                    f64::INFINITY
                }
            }
            _ => f64::INFINITY,
        }
    }

    /// The residual that it stops at, unless steps run out.
    pub fn wanted_residual(self) -> f64 {
        match self {
            Self::CoordinateWise => 0.0,
            Self::Geometric => ENOUGH,
        }
    }
}

/// Operations of a step on `k` points in `n` dimensions: differences, lengths and weighted sums (5n a point), a root, a quotient and a
/// sum a point, and the step itself (6n).
fn step_flops(k: usize, n: usize) -> u64 {
    (k * (5 * n + 3) + 6 * n) as u64
}

fn geometric(
    points: &ArrayView2<'_, f64>,
    start: Array1<f64>,
    charge: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Median> {
    let rows: Vec<_> =
        points.rows().into_iter().filter(|row| row.iter().all(|x| x.is_finite())).collect();
    let k = rows.len();
    if k == 0 || start.iter().any(|x| !x.is_finite()) {
        return Ok(Median { point: start, residual: f64::INFINITY });
    }
    let mut point = start;
    let mut residual = f64::INFINITY;
    for _ in 0..MOST_STEPS {
        charge(step_flops(k, point.len()))?;
        let (mut pull, mut total, mut n_met) = (Array1::<f64>::zeros(point.len()), 0.0, 0_usize);
        for row in &rows {
            let way = row - &point;
            let distance = way.dot(&way).sqrt();
            if distance <= MET {
                n_met += 1;
            } else {
                pull.scaled_add(distance.recip(), &way);
                total += distance.recip();
            }
        }
        let length = pull.dot(&pull).sqrt();
        let left = (length - n_met as f64).max(0.0);
        residual = left / k as f64;
        if residual <= ENOUGH || total <= 0.0 {
            break;
        }
        // Weiszfeld's step, shortened by what the points that are met hold back.
        point.scaled_add(left / length / total, &pull);
    }
    Ok(Median { point, residual })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, array};

    use super::*;
    use crate::rng::{Seed, direction, normal};

    fn find(centre: Centre, points: &Array2<f64>) -> (Median, u64) {
        let mut spent = 0;
        let found = centre.of(&points.view(), &mut |flops| {
            spent += flops;
            Ok(())
        });
        (found.unwrap(), spent)
    }

    #[test]
    fn three_corners_have_the_point_of_fermat_and_a_wide_angle_its_own_corner() {
        // An equilateral triangle's is its middle; with an angle of at least 120 degrees the corner of that angle is.
        let even = array![[0.0, 0.0], [1.0, 0.0], [0.5, 0.75_f64.sqrt()]];
        let (found, _) = find(Centre::Geometric, &even);
        let middle = array![0.5, 0.75_f64.sqrt() / 3.0];
        let off = &found.point - &middle;
        // The second derivative of the total distance is 3/2 over the distance 1/√3: a residual of 0.03 is a shift of 0.0115.
        assert!(off.dot(&off).sqrt() < 0.0125, "{found:?}");
        let wide = array![[0.0, 0.0], [-1.0, 0.1], [1.0, 0.1]];
        let (found, _) = find(Centre::Geometric, &wide);
        assert!(
            found.residual <= ENOUGH && found.point.iter().all(|x| x.abs() < 0.02),
            "{found:?}"
        );
    }

    #[test]
    fn equal_points_are_their_own_median_after_one_look() {
        let points = Array2::from_elem((5, 3), 0.25);
        let (found, spent) = find(Centre::Geometric, &points);
        assert_eq!(found, Median { point: Array1::from_elem(3, 0.25), residual: 0.0 });
        // The median of three coordinates, 5 a value, and one step: 5 (15 + 3) + 18.
        assert_eq!(spent, 5 * 15 + 5 * 18 + 18);
        assert_eq!(find(Centre::CoordinateWise, &points).1, 75);
    }

    #[test]
    fn no_placement_of_bad_points_moves_a_median_farther_than_its_factor() {
        // Good points on a sphere of radius ε = 1 around w, bad ones together in one direction at any distance: 300 placements.
        let mut rng = Seed::new(3).stream("placements");
        let mut widest = [0.0_f64; 2];
        for trial in 0..300 {
            let n = 1 + trial % 7;
            let k = 11 + trial % 4;
            let bad = trial % 5;
            let w: Vec<f64> = (0..n).map(|_| normal(&mut rng)).collect();
            let away = direction(n, &mut rng);
            let distance = 10.0_f64.powi((trial % 9) as i32 - 2);
            let tilt = direction(n, &mut rng);
            let points = Array2::from_shape_fn((k, n), |(i, j)| match i {
                _ if i < bad => w[j] + distance * away[j],
                // Half of the good ones lean to the bad side as far as they may.
                _ if i < bad + (k - bad) / 2 => w[j] + away[j],
                _ => w[j] + tilt[j],
            });
            for (which, centre) in
                [Centre::CoordinateWise, Centre::Geometric].into_iter().enumerate()
            {
                let (found, _) = find(centre, &points);
                let off =
                    found.point.iter().zip(&w).map(|(m, w)| (m - w).powi(2)).sum::<f64>().sqrt();
                let most = centre.factor(n, k, bad, found.residual);
                assert!(off <= most + 1e-9, "{centre:?}, {n}, {k}, {bad}: {off} beyond {most}");
                widest[which] = widest[which].max(off);
            }
        }
        assert!(widest.iter().all(|off| *off > 0.99), "{widest:?}: the good points are that far");
    }

    #[test]
    fn factors_are_the_closed_forms() {
        // 10 points, 2 bad: √(8/3), and 0.8/√(0.64 − 0.04).
        assert!(
            (Centre::CoordinateWise.factor(9, 10, 2, 0.0) - (8.0_f64 / 3.0).sqrt()).abs() < 1e-12
        );
        assert!((Centre::Geometric.factor(9, 10, 2, 0.0) - 0.8 / 0.6_f64.sqrt()).abs() < 1e-12);
        assert!((Centre::CoordinateWise.factor(1, 10, 4, 0.0) - 1.0).abs() < 1e-12);
        assert!(Centre::CoordinateWise.factor(9, 10, 5, 0.0).is_infinite());
        assert!(Centre::Geometric.factor(9, 10, 5, 0.0).is_infinite());
    }

    #[test]
    fn a_row_that_is_not_finite_is_one_bad_point() {
        let mut points = Array2::zeros((5, 2));
        points[[0, 0]] = f64::NAN;
        points.index_axis_mut(Axis(0), 1).fill(7.0);
        for centre in [Centre::CoordinateWise, Centre::Geometric] {
            let (found, _) = find(centre, &points);
            assert!(found.point.iter().all(|x| x.abs() < 0.1), "{centre:?}: {found:?}");
        }
    }
}
