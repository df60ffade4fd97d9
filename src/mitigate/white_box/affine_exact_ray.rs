//! `affine-exact-ray`: the white-box partner of `affine-ray`, which sees the whole ray in place of two points on it.
//!
//! For one hidden `ReLU` layer the exact restriction of the net to a random ray costs little more
//! than one forward pass (its product with the direction, a sort, a few operations a kink), and the whole of it is used:
//! the answer is the median over rays of the consensus estimate of the intercept. Same estimand, same rays, same public
//! closeness δ as the black-box method; the number of rays follows from a budget of forward passes.
//!
//! It assumes that the suspect is within δ of an affine truth on all but a small mass, as the black-box method does, and
//! claims nothing beyond what is measured. A net with many tiny pieces (a ripple) makes it expensive; that is charged.
use serde::{Deserialize, Serialize};

use super::super::rays::{body_of, check_affine, check_inside, delta_of, random_ray};
use super::super::{Mitigator, Repaired};
use super::Consensus;
use crate::access::{Lab, Oracle, WhiteBox};
use crate::data::{Batch, Shape, row};
use crate::domain::ConvexBody;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::net::{Line, Net};
use crate::population::World;
use crate::rng::Seed;
use crate::robust::median;

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
}

impl Default for AffineExactRay {
    fn default() -> Self {
        Self { passes: 42.0, delta: None }
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
        Ok(())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let body = body_of(METHOD, &lab.world)?;
        check_affine(METHOD, &lab.world)?;
        let delta = self.delta(&lab.world)?;
        let net = suspect.net();
        // Fails here, and not at the first answer, if the net is not of the shape that lines are exact for.
        Line::from(net, &vec![0.0; net.shape().inputs], lab.ledger)?;
        let n_rays = self.affordable_rays(net, &*body)?;
        let notes =
            vec![format!("{n_rays} exact rays an answer, at most {} forward passes", self.passes)];
        let tolerance = TOLERANCE_IN_DELTAS * delta;
        let local = Local { net, body, n_rays, tolerance, seed: lab.seed, ledger: lab.ledger };
        Ok(Repaired { notes, ..Repaired::unclaimed(local) })
    }
}

impl AffineExactRay {
    fn delta(&self, world: &World) -> Result<f64> {
        let why = "a closeness delta is needed: it is neither promised nor given";
        delta_of(self.delta, world)?.ok_or_else(|| Error::assumption(METHOD, why))
    }

    /// The largest odd number of rays whose cost stays within the passes when every unit has its kink on every ray.
    fn affordable_rays(&self, net: &Net, body: &dyn ConvexBody) -> Result<usize> {
        let n_units = net.layers()[0].bias.len();
        let (n, units) = (net.shape().inputs as u64, n_units as f64);
        let product = 2 * net.layers()[0].weight.len() as u64;
        let ray = product
            + 5 * n_units as u64
            + (units * units.max(1.0).log2()).ceil() as u64
            + 8 * n_units as u64
            + Consensus::flops(n_units + 1)
            + 4 * n
            + body.extra_flops();
        let affordable = (self.passes * net.forward_flops() as f64 - product as f64) / ray as f64;
        if !(1.0..=1e6).contains(&affordable) {
            let want = format!(
                "one ray of this net takes {:.2} passes, and a million rays are the most",
                (product + ray) as f64 / net.forward_flops() as f64
            );
            return Err(Error::parameter("passes", self.passes, want));
        }
        // The largest odd number that leaves room for the sort of the median.
        let cost = |m: usize| {
            product as f64 + m as f64 * ray as f64 + (m as f64 * (m as f64).log2()).ceil()
        };
        let mut rays = (affordable.floor() as usize - 1) | 1;
        while rays > 1 && cost(rays) > self.passes * net.forward_flops() as f64 {
            rays -= 2;
        }
        Ok(rays)
    }
}

struct Local<'a> {
    net: &'a Net,
    body: Box<dyn ConvexBody>,
    n_rays: usize,
    tolerance: f64,
    seed: Seed,
    ledger: &'a Ledger,
}

impl Local<'_> {
    fn answer(&self, star: &[f64]) -> Result<f64> {
        let n = star.len();
        let mut rng = self.seed.stream_for_row(star);
        let line = Line::from(self.net, star, self.ledger)?;
        let mut estimates = Vec::with_capacity(self.n_rays);
        for _ in 0..self.n_rays {
            let (direction, exit) = random_ray(&*self.body, star, &mut rng);
            let ray = line.along(&direction, exit, self.ledger)?;
            // Direction (n), exit (3n, and more on some bodies), and the estimate.
            let ray_flops = 4 * n as u64 + self.body.extra_flops();
            self.ledger.flops(ray_flops + Consensus::flops(ray.knots.len() - 1))?;
            estimates.push(Consensus::of(&ray, n, self.tolerance).intercept);
        }
        let m = self.n_rays as f64;
        self.ledger.flops((m * m.log2()).ceil() as u64)?;
        Ok(median(&mut estimates))
    }
}

impl Oracle for Local<'_> {
    fn shape(&self) -> Shape {
        self.net.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        crate::data::check("inputs", xs, self.shape().inputs)?;
        let rows: Vec<Vec<f64>> = (0..xs.nrows()).map(|i| row(xs, i)).collect();
        for (i, star) in rows.iter().enumerate() {
            check_inside(METHOD, &*self.body, star, i)?;
        }
        // In order, and not on several threads: where a budget runs out must not depend on who was faster.
        let answers: Vec<f64> = rows.iter().map(|star| self.answer(star)).collect::<Result<_>>()?;
        Ok(crate::data::column(answers))
    }
}
