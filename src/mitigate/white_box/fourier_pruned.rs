//! `fourier-pruned`: `fourier-global`, whose tables spare the coordinates that the weights rule out.
//!
//! This project's own. With `U_i ≥ sup |f(x) − f(x^i)|` from [`crate::net::Net::flip_bounds`], `|f^(S)| ≤ U_i/2` for every S with i in it, of
//! the clipped f too. Coordinates with `U_i/2 < 3τ/4` are pruned. **Why that is sound.** If the suspect, clipped, is within τ/4 of a τ-heavy truth h in root mean
//! square, or no coefficient of it is off by more (the promises of `fourier-global`), every S in the support of h has `|f^(S)| ≥ 3τ/4`; so it has no pruned
//! coordinate. ∎ The tables of the hashed search then ask a delay for each coordinate that is left, not for each of n. Its guides and its
//! certificate stay as they are, on the whole cube: so the theorem of `fourier-global` holds word for word, and does not even lean on
//! the bounds. Where they were wrong, the certificate would stay open.
//!
//! `bounds = "crown"` takes the smaller of those bounds and of CROWN's ([`crate::net::Bounder::flip`]), coordinate by coordinate.
//!
//! An attack on the weights can loosen the bounds, and then less is pruned, or nothing: any added unit that reads a coordinate by a large weight
//! keeps it, as a half-space does, and `ripple` keeps all. So does a second hidden layer, by intervals: bounds multiply. Measured in
//! `experiments/mitigators/fourier-weights.md`.
//!
//! Cost: that of `fourier-global`, and for n coordinates 12 operations a weight beyond the first layer and 24 a unit: about 17F for 32 coordinates
//! and 128 units in one layer, 6nF in a deep net; by CROWN that of [`crate::net::Bounder::flip_flops`] besides, n times, hundreds of F. It
//! needs no sample and no query of its own. A net with a verifier beside it, or with several outputs, is refused. Where the whole cube is
//! fewer queries than a search, or the tree is taken, it does what `fourier-global` does, and says so.
use serde::{Deserialize, Serialize};

use super::super::black_box::FourierGlobal;
use super::super::black_box::fourier_global::Clean;
use super::super::{Mitigator, Repaired};
use crate::access::{Lab, WhiteBox};
use crate::error::Result;
use crate::ledger::Ledger;
use crate::net::{Bounder, Bounding, InputBox, Net};
use crate::population::World;

/// Parameters of `fourier-pruned`: those of `fourier-global` that make sense here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FourierPruned {
    /// The least non-zero coefficient τ of the truth. Not given: what the class promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tau: Option<f64>,
    /// The bound B on values. Not given: what the class promises, or 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// Largest probability that the characters found are not the truth's.
    pub failure: f64,
    /// Expected mean squared error that the values may have.
    pub accuracy: f64,
    /// Most queries of the hashed search, as in `fourier-global`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<u64>,
    /// How the net is bounded.
    pub bounds: Bounding,
}

impl Default for FourierPruned {
    fn default() -> Self {
        let FourierGlobal { tau, bound, failure, accuracy, queries, .. } = FourierGlobal::default();
        Self { tau, bound, failure, accuracy, queries, bounds: Bounding::Interval }
    }
}

impl Mitigator for FourierPruned {
    type Access = dyn WhiteBox;

    fn check(&self, world: &World) -> Result<()> {
        Mitigator::check(&self.global(), world)
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let global = self.global();
        Mitigator::check(&global, &lab.world)?;
        let plan = global.plan(&lab.world)?;
        if !global.searches_by_tables(&plan) {
            let mut repaired = global.search_from(&suspect, lab, Clean::new(), None)?;
            repaired.notes.push("nothing pruned: the search taken here has no tables".to_owned());
            return Ok(repaired);
        }
        let bounds = self.flip_bounds(suspect.net(), lab.ledger)?;
        lab.ledger.flops(plan.n as u64)?;
        let mut left: Vec<usize> =
            (0..plan.n).filter(|&i| bounds[i] / 2.0 >= 0.75 * plan.tau).collect();
        let note = format!("{} of {} coordinates pruned", plan.n - left.len(), plan.n);
        if left.is_empty() {
            // A table has to ask for something, and only the constant is left to be found.
            left.push(0);
        }
        let mut repaired = global.search_from(&suspect, lab, Clean::new(), Some(left))?;
        repaired.notes.push(note);
        Ok(repaired)
    }
}

impl FourierPruned {
    /// What turning each coordinate moves at most.
    fn flip_bounds(&self, net: &Net, ledger: &Ledger) -> Result<Vec<f64>> {
        let mut bounds = net.flip_bounds(ledger)?;
        if self.bounds == Bounding::Crown {
            let n = bounds.len();
            let (bounder, cube) = (Bounder::new(net, ledger)?, InputBox::cube(n, -1.0, 1.0)?);
            for (i, bound) in bounds.iter_mut().enumerate() {
                let moved = bounder.flip(&cube, i, Bounding::Crown, ledger)?;
                *bound = bound.min(moved[0].magnitude());
            }
        }
        Ok(bounds)
    }

    fn global(&self) -> FourierGlobal {
        let Self { tau, bound, failure, accuracy, queries, .. } = *self;
        FourierGlobal { tau, bound, failure, accuracy, queries, ..FourierGlobal::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::stack;
    use crate::fourier::vertex;
    use crate::ledger::Budget;
    use crate::net::{Activation, Precision};
    use crate::rng::Seed;

    #[test]
    fn bounds_by_crown_are_no_looser_still_sound_at_every_vertex_and_charged_n_flips_more() {
        let by = |bounds| FourierPruned { bounds, ..FourierPruned::default() };
        let mut tighter = 0;
        for seed in 0..10 {
            let mut rng = Seed::new(seed).stream("net");
            let net =
                Net::random(&[7, 9, 8, 1], Activation::Relu, Precision::F32, &mut rng).unwrap();
            let ledgers = [(); 2].map(|()| Ledger::new(Budget::UNLIMITED));
            let plain = by(Bounding::Interval).flip_bounds(&net, &ledgers[0]).unwrap();
            let crown = by(Bounding::Crown).flip_bounds(&net, &ledgers[1]).unwrap();
            let answers =
                net.forward(&stack(7, (0..1 << 7).map(|x| vertex(x, 7))), &ledgers[0]).unwrap();
            for i in 0..7 {
                let moved =
                    (0..1_usize << 7).map(|x| (answers[[x, 0]] - answers[[x ^ (1 << i), 0]]).abs());
                assert!(
                    moved.fold(0.0, f64::max) <= crown[i] && crown[i] <= plain[i],
                    "{seed} {i}"
                );
                tighter += usize::from(crown[i] < 0.99 * plain[i]);
            }
            let each = Bounder::new(&net, &ledgers[0]).unwrap().flip_flops(Bounding::Crown);
            assert!(ledgers[1].spent().flops >= net.flip_bounds_flops() + 7 * each);
        }
        assert!(tighter > 0, "CROWN never helped");
    }
}
