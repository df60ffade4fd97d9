//! `fourier-outer-product`: as `fourier-advised`, advised by input gradients: a rung below the weights.
//!
//! The average gradient outer product `E[∇f ∇fᵀ]` shows which directions a trained net has come to look along (Radhakrishnan, Beaglehole,
//! Pandit, Belkin, "Mechanism for feature learning in neural networks", Science 2024). On the cube single coordinates are what matters, so
//! its diagonal is read: the mean squared derivative by each coordinate, at a few random vertices. Of the coordinates before the widest
//! gap every vertex is asked. Theorem, test and fallback are those of [`super::FourierAdvised`].
//!
//! The oracle's promise is about answers, and gradients are not answers: between the vertices a net may do what it likes. An input layer that clips
//! (`saturate`) makes every gradient exactly 0; then there is no advice, and the search costs what it costs. Cost: 2F a gradient, two
//! operations a number.
use serde::{Deserialize, Serialize};

use super::super::super::{Mitigator, Repaired};
use super::Advised;
use super::desk::{Adviser, Desk};
use crate::access::{Gradients, Lab};
use crate::data::{Batch, stack};
use crate::error::Result;
use crate::fourier::Bits;
use crate::population::World;

/// Parameters of `fourier-outer-product`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FourierOuterProduct {
    /// The least non-zero coefficient τ of the truth. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tau: Option<f64>,
    /// The bound B on values. Not given: what the class promises, or 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// Largest probability η that the characters found are not the truth's.
    pub failure: f64,
    /// Expected mean squared error ε that the values may have.
    pub accuracy: f64,
    /// Most that advice and its test may cost, in the fewest queries that any run of `fourier-global` asks.
    pub share: f64,
    /// Gradients that are taken.
    pub samples: usize,
}

impl Default for FourierOuterProduct {
    fn default() -> Self {
        Self { tau: None, bound: None, failure: 1e-3, accuracy: 0.01, share: 1.0, samples: 32 }
    }
}

impl Mitigator for FourierOuterProduct {
    type Access = dyn Gradients;

    fn check(&self, world: &World) -> Result<()> {
        super::check_samples(self.samples)?;
        self.advised().check(world)
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        self.advised().run(&Diagonal { samples: self.samples }, suspect, lab)
    }
}

impl FourierOuterProduct {
    fn advised(&self) -> Advised {
        let Self { tau, bound, failure, accuracy, share, .. } = *self;
        Advised::new((tau, bound), failure, accuracy, share)
    }
}

/// The adviser.
struct Diagonal {
    samples: usize,
}

impl Adviser<dyn Gradients> for Diagonal {
    fn advise(&self, suspect: &dyn Gradients, desk: &Desk<'_>) -> Result<Vec<Vec<usize>>> {
        let n = desk.plan.n;
        // At most half of what there is, as the vertices of what is found are asked too.
        let one = desk.passes(2) + 2 * n as u64;
        let mut samples = self.samples as u64;
        while samples > 0 && !desk.may(2 * samples * one) {
            samples -= 1;
        }
        if samples == 0 {
            return Ok(Vec::new());
        }
        let mut rng = desk.seed.stream("gradients");
        let rows = (0..samples).map(|_| Bits::random(n, &mut rng).signs(n).collect());
        let xs: Batch = stack(n, rows.collect::<Vec<Vec<f64>>>());
        let slopes = suspect.gradient(&xs, &Batch::ones((samples as usize, 1)))?;
        desk.ledger.flops(2 * samples * n as u64)?;
        let scores: Vec<f64> =
            slopes.columns().into_iter().map(|column| column.iter().map(|g| g * g).sum()).collect();
        desk.heavy_among(desk.before_the_gap(&scores)?, &suspect)
    }
}
