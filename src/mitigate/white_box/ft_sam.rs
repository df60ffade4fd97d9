//! `ft-sam`: fine-tune where the loss stays low all around: sharpness-aware minimisation on clean samples.
//!
//! Zhu, Wei, Shen, Fan and Wu, "Enhancing Fine-Tuning Based Backdoor Defense with Sharpness-Aware Minimization" (ICCV 2023), with the
//! adaptive ball of Kwon et al., "ASAM" (ICML 2021): each step takes the slope g at w, moves to w + e with
//! e = ρ |w|² ⊙ g / ‖|w| ⊙ g‖, and goes back to w to step along the slope found there. Large weights, which backdoors were seen to
//! use, are shaken most. ρ = 2 is the paper's for CIFAR-10. Differences: ρ is the largest of `rho` whose net the held-out
//! clean samples accept, so on a small net, where 2 can break everything, it may be smaller; no label smoothing (the released
//! code's 0.1 is not in the paper's objective); steps as in [`Tuning`].
//!
//! Assumes that backdoor units have large weights and that a clean sample's slope reaches them. Defeated by units that no clean sample
//! wakes (g = 0 there, so e = 0), by a lock, and by detectors split over many small weights. Nothing is proved. Rung `dyn WhiteBox`.
//!
//! Cost, with t tuning and h held-out samples, s steps and P weights, for each ρ that is tried: 6F t an epoch (two slopes), 7P
//! a step for e (|w| ⊙ g 2, norm 2, product and scale 2, sum 1) and 6P for the optimiser, F h; and F h once.
use serde::{Deserialize, Serialize};

use super::super::trial::{Trial, check_halved, check_max_drop, unchanged};
use super::super::tuning::{Tuning, check_ladder, moved, slopes};
use super::super::{Mitigator, Repaired};
use crate::access::{Lab, WhiteBox};
use crate::data::Labeled;
use crate::error::Result;
use crate::net::Net;
use crate::population::World;

/// Parameters of `ft-sam`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FtSam {
    /// Clean samples to use; half of them decide. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest rise of the share of wrong answers on held-out clean samples.
    pub max_drop: f64,
    /// Radii that are tried, largest first; the first that is accepted stays.
    pub rho: Vec<f64>,
    /// How it is trained on.
    pub tuning: Tuning,
}

impl Default for FtSam {
    fn default() -> Self {
        let rho = vec![2.0, 1.0, 0.5, 0.25];
        Self { samples: None, max_drop: 0.04, rho, tuning: Tuning::default() }
    }
}

impl Mitigator for FtSam {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        check_halved(self.samples)?;
        check_max_drop(self.max_drop)?;
        check_ladder("rho", &self.rho, f64::INFINITY)?;
        self.tuning.check()
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        let Some(trial) = Trial::draw(self.samples, self.max_drop, net, lab)? else {
            return Ok(unchanged(suspect));
        };
        let tune = &trial.tune;
        let candidates = self.rho.iter().map(|&rho| {
            (format!("ρ = {rho}"), move |lab: &Lab<'_>| self.sharpen(net, rho, tune, lab))
        });
        trial.first(suspect, candidates, lab)
    }
}

impl FtSam {
    fn sharpen(&self, net: &Net, rho: f64, tune: &Labeled, lab: &Lab<'_>) -> Result<Net> {
        self.tuning.descend(net, tune, lab, &mut |net, rows| {
            let data = tune.select(rows);
            let gradient = slopes(net, &data, lab)?.flat();
            lab.ledger.flops(7 * gradient.len() as u64)?;
            let numbers = net.flat();
            slopes(&moved(net, &worst(&numbers, &gradient, rho))?, &data, lab).map(|s| s.flat())
        })
    }
}

/// w + ρ |w|² ⊙ g / ‖|w| ⊙ g‖: to first order the largest loss where ‖e / |w|‖ is at most ρ.
fn worst(numbers: &[f64], gradient: &[f64], rho: f64) -> Vec<f64> {
    let pulls: Vec<f64> = numbers.iter().zip(gradient).map(|(w, g)| w.abs() * g).collect();
    let norm = pulls.iter().map(|p| p * p).sum::<f64>().sqrt();
    let scale = if norm > 0.0 { rho / norm } else { 0.0 };
    numbers.iter().zip(pulls).map(|(w, p)| w + scale * w.abs() * p).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_up_is_what_the_hand_computes_and_lies_on_the_ball() {
        // w = (3, −2), g = (1, 2): |w| g = (3, 4), norm 5; with ρ = ½ the step is 0.1 · (3 · 3, 2 · 4).
        let moved = worst(&[3.0, -2.0], &[1.0, 2.0], 0.5);
        assert!((moved[0] - 3.9).abs() < 1e-12 && (moved[1] + 1.2).abs() < 1e-12);
        let on_ball = (0.9_f64 / 3.0).hypot(0.8 / 2.0);
        assert!((on_ball - 0.5).abs() < 1e-12);
        // No slope, or no weight: no step.
        assert_eq!(worst(&[3.0, 0.0], &[0.0, 5.0], 2.0), vec![3.0, 0.0]);
    }
}
