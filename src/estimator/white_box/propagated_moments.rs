//! `propagated-moments`: mean answers, their products with inputs, and the mass above a threshold, from the weights: no query.
//!
//! The white-box arm of `sampled-moments`: means and covariances are followed through the layers as if every layer's sums were
//! jointly normal ([`crate::net::Net::spread`]; Wu et al., arXiv 2605.05179, cumulants to second order). The mass above t is that of a
//! normal answer of this mean and variance.
//!
//! It assumes independent inputs of mean 0 and one variance: normal ones; those of the cube and of the box match
//! in these two moments alone, and a note says so (their first sums are near normal by the central limit theorem, not normal). The other domains are refused. It gives no interval: nothing is proved about its error, except
//! that under normal inputs the means and products of a net with one hidden layer are exact to rounding. Rung: weights.
//! Cost: [`crate::net::Net::spread_flops`], about half a layer's width in forward passes, and n more for the products, which are always
//! computed; 40 for the mass. Defeated by weights that make sums far from normal: a rare unit that a large weight reads, as every planted
//! detector is, so a mass in the tail of a planted net is where it is worst.
use serde::{Deserialize, Serialize};

use super::super::moments::{self, Wanted};
use super::super::{Estimated, Estimator, Quantity};
use crate::access::{Lab, WhiteBox};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::Inputs;
use crate::population::World;

/// Parameters of `propagated-moments`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PropagatedMoments {
    /// Which moments are wanted beside the means.
    pub wanted: Wanted,
}

/// The variance of each input, and whether inputs are normal.
fn inputs(world: &World) -> Result<(Inputs, bool)> {
    match world.domain {
        Domain::Gauss { .. } => Ok((Inputs { variance: 1.0 }, true)),
        Domain::Cube { .. } => Ok((Inputs { variance: 1.0 }, false)),
        Domain::Box { .. } => Ok((Inputs { variance: 1.0 / 3.0 }, false)),
        _ => {
            let why = "independent inputs of mean 0 are needed: normal ones, the cube or the box";
            Err(Error::assumption("propagated-moments", why))
        }
    }
}

impl Estimator for PropagatedMoments {
    type Access = dyn WhiteBox;

    fn check(&self, world: &World) -> Result<()> {
        self.wanted.check()?;
        inputs(world).map(drop)
    }

    fn estimate(&self, suspect: &Self::Access, lab: &mut Lab<'_>) -> Result<Estimated> {
        self.check(&lab.world)?;
        let (inputs, normal) = inputs(&lab.world)?;
        let spread = suspect.net().spread(inputs, lab.ledger)?;
        let of = |name: String, value: f64| Quantity { name, value, interval: None };
        let mut quantities: Vec<Quantity> =
            spread.mean.iter().enumerate().map(|(k, m)| of(moments::mean(k), *m)).collect();
        let Wanted { slopes, threshold } = self.wanted;
        if slopes {
            let row = spread.with_inputs.row(0);
            quantities.extend(row.iter().enumerate().map(|(i, b)| of(moments::slope(i), *b)));
        }
        if let Some(t) = threshold {
            lab.ledger.flops(40)?;
            let (mean, sd) = (spread.mean[0], spread.covariance[[0, 0]].max(0.0).sqrt());
            let mass = if sd > 0.0 {
                0.5 * libm::erfc((t - mean) / (sd * std::f64::consts::SQRT_2))
            } else {
                f64::from(u8::from(mean > t))
            };
            quantities.push(of(moments::above(t), mass));
        }
        let mut notes =
            vec!["no interval: sums are taken for normal, which is not checked".to_owned()];
        if !normal {
            notes.push("inputs are not normal: their first two moments are used".to_owned());
        }
        Ok(Estimated { quantities, notes })
    }
}
