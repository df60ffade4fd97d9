//! `smoothed-gradient`: an affine truth from means of input gradients around a few centres.
//!
//! This project's own. The gradient of the suspect averaged over noise, by gradients: around each of K centres, the mean of M of
//! them; then the median over centres, and the middle value for the intercept. The black-box arm, `smoothed-difference`, estimates
//! the same number by differences of values at the same number of passes. `src/mitigate/smoothed.rs` has the estimand, where points lie,
//! and the variance of a draw in both arms.
//!
//! It assumes an affine truth, and that at most centres the smoothed suspect has nearly its slope; a bad query spoils its centre. Nothing is
//! claimed. What is proved is the mean and the variance of a draw. `ripple` defeats the plain median of gradients; here it
//! cancels in the mean, but its variance is s²/M a centre, for a slope s that the attacker chooses: with a zigzag that is fast
//! enough it drowns this method too, and not its black-box arm. A lock is not seen: gradients are those of the layers.
//!
//! Cost: K M gradients, which reveal answers too: 2F each. Off the net a centre costs drawing and 3n; a draw 3n, and 3n + 2 more on a body;
//! n a draw for means; the median of K points and 2n + 5 a draw for the intercept; 2n an answer.
use serde::{Deserialize, Serialize};

use super::super::affine::untouched;
use super::super::smoothed::{Kernel, Smoothing, each_draw};
use super::super::{Mitigator, Plan, Repaired};
use crate::access::{Gradients, Lab};
use crate::data::{Batch, stack};
use crate::error::Result;
use crate::population::World;

/// The name in errors.
const METHOD: &str = "smoothed-gradient";

/// Parameters of `smoothed-gradient`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SmoothedGradient(pub Smoothing);

impl Mitigator for SmoothedGradient {
    type Access = dyn Gradients;

    fn check(&self, world: &World) -> Result<()> {
        self.0.check(METHOD, world)
    }

    fn plan(&self, world: &World) -> Result<Option<Plan>> {
        self.check(world)?;
        Ok(Some(self.0.plan(0)))
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
        lab.ledger.flops(n_draws * (kernel.draw_flops(n, 1) + n as u64))?;
        let points = each_draw(&around, draws).map(|mut x| {
            x.iter_mut().zip(kernel.noise(n, &mut rng)).for_each(|(x, y)| *x += y);
            x
        });
        let xs = stack(n, points.collect::<Vec<_>>());
        let (answers, gradients) =
            suspect.answers_and_gradient(&xs, &mut |answers| Batch::ones(answers.raw_dim()))?;
        let slopes = Kernel::means(&gradients, draws);
        kernel.answer(METHOD, (&xs, &answers), (&slopes, centre), lab)
    }
}
