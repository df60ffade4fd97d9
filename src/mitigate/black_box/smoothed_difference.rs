//! `smoothed-difference`: an affine truth from means of differences around a few centres.
//!
//! The black-box arm of `smoothed-gradient`: the same number, the gradient of the suspect averaged over noise, by differences
//! `(f(u + s) − f(u − s)) s` of values at both ends of random steps (Nesterov, Spokoiny 2017; Flaxman, Kalai, `McMahan` 2005 on the sphere).
//! A pair costs two passes, as a gradient does. `src/mitigate/smoothed.rs` has the estimand, where points lie, and the variance of a draw in
//! both arms.
//!
//! It assumes an affine truth, and that at most centres the smoothed suspect has nearly its slope; a bad query spoils its centre. Nothing is
//! claimed. What is proved is the mean and the variance of a draw. That variance is at least (n − 1) |w|² even on the truth
//! itself, so `affine-least-trimmed` is better where values are nearly exact. What defeats it: a backdoor on so large a mass that half
//! of the centres have a query in it, at 2M queries a centre.
//!
//! Cost: 2 K M queries. Off the net a centre costs drawing and 3n; a draw 4n, and 3n + 2 more on a body; 2n + 2 a draw for differences and
//! means; the median of K points and 2n + 5 a query for the intercept; 2n an answer.
use serde::{Deserialize, Serialize};

use super::super::affine::untouched;
use super::super::smoothed::{Kernel, Smoothing, each_draw};
use super::super::{Mitigator, Plan, Repaired};
use crate::access::{Lab, Oracle};
use crate::data::{Batch, stack};
use crate::error::Result;
use crate::population::World;

/// The name in errors.
const METHOD: &str = "smoothed-difference";

/// Parameters of `smoothed-difference`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SmoothedDifference(pub Smoothing);

impl Mitigator for SmoothedDifference {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        self.0.check(METHOD, world)
    }

    fn plan(&self, world: &World) -> Result<Option<Plan>> {
        self.check(world)?;
        Ok(Some(self.0.plan(2)))
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let Smoothing { centres, draws, centre, .. } = self.0;
        if self.0.is_none() {
            return Ok(untouched(suspect, "centres · draws"));
        }
        let (kernel, n) = (self.0.kernel(METHOD, &lab.world)?, lab.world.domain.n());
        let mut rng = lab.seed.stream("points");
        let around = kernel.centres(centres, &mut rng, lab)?;
        let n_draws = (centres * draws) as u64;
        lab.ledger.flops(n_draws * (kernel.draw_flops(n, 2) + 2 * n as u64 + 2))?;
        let steps: Vec<Vec<f64>> = (0..n_draws).map(|_| kernel.step(n, &mut rng)).collect();
        let ends = each_draw(&around, draws).zip(&steps).flat_map(|(u, step)| {
            let end = |sign: f64| u.iter().zip(step).map(|(u, s)| u + sign * s).collect::<Vec<_>>();
            [end(1.0), end(-1.0)]
        });
        let xs = stack(n, ends.collect::<Vec<_>>());
        let answers = suspect.query(&xs)?;
        let scale = kernel.scale(n);
        let each = Batch::from_shape_fn((steps.len(), n), |(i, j)| {
            scale * (answers[[2 * i, 0]] - answers[[2 * i + 1, 0]]) * steps[i][j]
        });
        let slopes = Kernel::means(&each, draws);
        kernel.answer(METHOD, (&xs, &answers), (&slopes, centre), lab)
    }
}
