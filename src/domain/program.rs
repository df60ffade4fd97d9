//! Linear programs over polytopes: the largest ball inside, whether a direction runs for ever, the farthest point.
//!
//! The solver is `microlp`, a simplex method. What it says is used only after a check here, or where a check follows.
use microlp::{ComparisonOp, OptimizationDirection, Problem};
use ndarray::Array2;

/// The maximum of `goal · x` under `rows x ≤ bounds` with every coordinate of x in `range`, or `None` if there is no such x,
/// no maximum, or the solver gives up.
fn maximize(
    goal: &[f64],
    range: (f64, f64),
    rows: &Array2<f64>,
    bounds: &[f64],
) -> Option<Vec<f64>> {
    let mut problem = Problem::new(OptimizationDirection::Maximize);
    let variables: Vec<_> = goal.iter().map(|goal| problem.add_var(*goal, range)).collect();
    for (row, bound) in rows.rows().into_iter().zip(bounds) {
        let terms: Vec<_> = variables.iter().copied().zip(row.iter().copied()).collect();
        problem.add_constraint(&terms[..], ComparisonOp::Le, *bound);
    }
    let solution = problem.solve().ok()?.into_solution().ok()?;
    Some(variables.iter().map(|variable| solution.var_value(*variable)).collect())
}

/// The centre and the radius of the largest ball in {x : rows x ≤ bounds}, for rows of length 1; the radius is negative if
/// the set is empty, infinite if there is no largest ball, as far as coordinates up to `most` can tell.
///
/// `None` if the solver gives up.
pub(super) fn largest_ball(
    rows: &Array2<f64>,
    bounds: &[f64],
    most: f64,
) -> Option<(Vec<f64>, f64)> {
    let n = rows.ncols();
    // The last variable is the radius: a ball of radius r around x stays behind a wall if the wall is r away from x.
    let wide = Array2::from_shape_fn(
        (rows.nrows(), n + 1),
        |(i, j)| {
            if j < n { rows[[i, j]] } else { 1.0 }
        },
    );
    let mut goal = vec![0.0; n + 1];
    goal[n] = 1.0;
    let mut centre = maximize(&goal, (-most, most), &wide, bounds)?;
    let radius = centre.pop()?;
    // What the solver says of the radius is not trusted: this is the definition.
    let slack =
        |i: usize| bounds[i] - rows.row(i).iter().zip(&centre).map(|(a, x)| a * x).sum::<f64>();
    let measured = (0..rows.nrows()).map(slack).fold(f64::INFINITY, f64::min);
    Some((centre, if radius >= 0.99 * most { f64::INFINITY } else { measured }))
}

/// How far the constraints `rows d ≤ 0` let a direction d of the cube [−1, 1]^n leave all of them together: 0 for a bounded
/// set, unless the rows do not span the space. `None` if the solver gives up.
pub(super) fn recession(rows: &Array2<f64>) -> Option<f64> {
    let goal: Vec<f64> = rows.columns().into_iter().map(|column| -column.sum()).collect();
    let direction = maximize(&goal, (-1.0, 1.0), rows, &vec![0.0; rows.nrows()])?;
    Some(goal.iter().zip(&direction).map(|(g, d)| g * d).sum())
}

/// A point of {z : rows z ≤ 1, every |zᵢ| ≤ reach} that is farthest along `goal`.
pub(super) fn farthest(goal: &[f64], rows: &Array2<f64>, reach: f64) -> Option<Vec<f64>> {
    let length = goal.iter().map(|x| x * x).sum::<f64>().sqrt();
    let goal: Vec<f64> = goal.iter().map(|x| x / length).collect();
    maximize(&goal, (-reach, reach), rows, &vec![1.0; rows.nrows()])
}
