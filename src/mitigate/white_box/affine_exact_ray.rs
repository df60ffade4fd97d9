//! `affine-exact-ray`: the white-box partner of `affine-ray`, which sees the whole ray in place of two points on it.
//!
//! This project's own, on the exact restriction of a `ReLU` net to a line (`net/line`; Sotoudeh and Thakur, `NeurIPS` 2019). Rays are
//! those of `affine-ray`: from the input through a uniform point of the body. Each is restricted exactly, an estimate of the truth at
//! its start is made of all of it (`ray_fit.rs`), and the answer is the median over rays. Same estimand, same rays, same public
//! closeness δ as the black-box method.
//!
//! **Assumed**: that the suspect is within δ of an affine truth on all but a small mass, as the black-box method does; that its
//! layers are `ReLU` or linear, and all there is (a locked net is refused). **Proved**: the restriction is exact but for rounding. Nothing
//! is claimed about answers: what the estimates bear is measured. The tolerance is 2 δ, a rule and not tuned.
//!
//! **Cost**: an answer takes at most `passes` forward passes, in operations, and the number of rays, odd, is fixed before the first
//! answer. With one hidden layer it is what fits when every unit has its kink on every ray. Else nine pilot rays from
//! uniform points are restricted, at their price, and 1.25 times the worst of them is allowed for each. If an answer's rays turn out longer,
//! they stop when the passes are used up, at least one being made; of an even number the last is left out.
//!
//! **What defeats it**: many tiny pieces (`ripple`: 2^k of them from 2k units). A ray with more than `most_pieces` pieces, or that the passes
//! do not reach for, is given up at its price, and the two-point rule of `affine-ray` is used on a fresh ray, for two queries. If
//! most pilots are given up, every ray is: the method is then `affine-ray` within the same passes, and the pilots are lost.
use serde::{Deserialize, Serialize};

use super::super::black_box::Rays;
use super::super::rays::{body_of, check_affine, delta_of};
use super::super::{Mitigator, Repaired};
use super::LineFit;
use super::exact_rays::{Course, ExactRays};
use crate::access::{Lab, WhiteBox};
use crate::error::{Error, Result};
use crate::population::World;

/// The name in errors.
const METHOD: &str = "affine-exact-ray";

/// Parameters of `affine-exact-ray`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffineExactRay {
    /// Forward passes that an answer may cost; the number of rays follows from it. The default is what `affine-ray`
    /// spends at its own defaults.
    pub passes: f64,
    /// Closeness δ of good values to the truth. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// What is made of a ray.
    pub estimator: LineFit,
    /// Most pieces of a ray. Not given: four a hidden unit, where random nets have about one (Hanin and Rolnick 2019).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_pieces: Option<usize>,
}

impl Default for AffineExactRay {
    fn default() -> Self {
        Self { passes: 42.0, delta: None, estimator: LineFit::default(), most_pieces: None }
    }
}

/// A good stretch stays within so many δ of the robust line: one for the function, one for the line drawn through it.
const TOLERANCE_IN_DELTAS: f64 = 2.0;

impl Mitigator for AffineExactRay {
    type Access = dyn WhiteBox;

    fn check(&self, world: &World) -> Result<()> {
        body_of(METHOD, world)?;
        check_affine(METHOD, world)?;
        self.delta(world)?;
        if !(self.passes > 0.0 && self.passes.is_finite()) {
            return Err(Error::parameter("passes", self.passes, "a positive number is needed"));
        }
        if self.most_pieces == Some(0) {
            return Err(Error::parameter("most_pieces", 0, "a ray has one piece at least"));
        }
        Ok(())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        let widths = net.widths();
        let n_hidden: usize = widths[1..widths.len() - 1].iter().sum();
        let most_pieces = self.most_pieces.unwrap_or(4 * n_hidden.max(1));
        let mut rays = ExactRays {
            suspect,
            two_points: Rays { method: METHOD, body: body_of(METHOD, &lab.world)? },
            fit: self.estimator,
            tolerance: TOLERANCE_IN_DELTAS * self.delta(&lab.world)?,
            allowance: (self.passes * net.forward_flops() as f64) as u64,
            most_pieces,
            course: Course::default(),
            seed: lab.seed,
            ledger: lab.ledger,
        };
        rays.course = rays.plan(self.passes, lab)?;
        let Course { n_rays, exact, .. } = rays.course;
        let note = if exact {
            format!("{n_rays} exact rays an answer, at most {} forward passes", self.passes)
        } else {
            format!(
                "most pilot rays have more than {most_pieces} pieces or take more than {} passes, so rays are not exact: \
                 {n_rays} rays of two queries an answer",
                self.passes
            )
        };
        Ok(Repaired { notes: vec![note], ..Repaired::unclaimed(rays) })
    }
}

impl AffineExactRay {
    fn delta(&self, world: &World) -> Result<f64> {
        let why = "a closeness delta is needed: it is neither promised nor given";
        delta_of(self.delta, world)?.ok_or_else(|| Error::assumption(METHOD, why))
    }
}
