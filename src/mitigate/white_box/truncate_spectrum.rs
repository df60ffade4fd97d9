//! `truncate-spectrum`: keep the largest r singular values of every layer.
//!
//! This project's version of low-rank purification (experiments.md B.6; LASER of Sharma, Ash and Misra, ICLR 2024, truncates layers
//! so): every weight matrix is replaced by its best approximation of rank r (Eckart and Young 1936), the same r for all, layers of
//! lower rank as they are; biases stay. r is the smallest for which the held-out clean samples accept the net. With `tuning` each
//! candidate is fine-tuned before it is judged (which gives the weights full rank again); without, nothing is trained and the
//! tuning half of the samples is not read.
//!
//! Assumes that the trigger's direction carries little of each layer's energy, so that it goes first. Defeated by a loud trigger,
//! which is among the largest values and stays: a planted unit of large weights is a singular value of its own. Truncation can
//! also do harm: cutting a direction that held a dormant backdoor down *activates* it (arXiv 2601.16880 reports latent backdoors that
//! low rank activates; a test here builds one). A lock stays. Nothing is proved of backdoors. Rung `dyn WhiteBox`.
//!
//! Cost: the decomposition of each layer as [`Singular`] counts it, once; for each r that is tried 2 m n for a layer of m outputs
//! and n inputs that has an r-th value, the tuning if there is any, and F a held-out row; and F a held-out row once.
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::super::trial::{Trial, check_halved, check_max_drop, unchanged};
use super::super::tuning::Tuning;
use super::super::{Mitigator, Repaired};
use crate::access::{Lab, WhiteBox};
use crate::error::Result;
use crate::net::{Layer, Net, Singular};
use crate::population::World;

/// Parameters of `truncate-spectrum`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TruncateSpectrum {
    /// Clean samples to use; half of them decide. Not given: all that the budget and the data allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Largest rise of the share of wrong answers on held-out clean samples.
    pub max_drop: f64,
    /// How each truncated net is trained on before it is judged. Not given: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
}

impl Default for TruncateSpectrum {
    fn default() -> Self {
        Self { samples: None, max_drop: 0.04, tuning: None }
    }
}

impl Mitigator for TruncateSpectrum {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        check_halved(self.samples)?;
        check_max_drop(self.max_drop)?;
        self.tuning.map_or(Ok(()), |tuning| tuning.check())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        let Some(trial) = Trial::draw(self.samples, self.max_drop, net, lab)? else {
            return Ok(unchanged(suspect));
        };
        let spectra: Vec<Singular> = net
            .layers()
            .iter()
            .map(|layer| Singular::of(&layer.weight, lab.ledger))
            .collect::<Result<_>>()?;
        let full = spectra.iter().map(|spectrum| spectrum.values.len()).max().unwrap_or(0);
        // The sum of terms so far, layer by layer, one more for each candidate.
        let mut sums: Vec<Array2<f64>> =
            net.layers().iter().map(|layer| Array2::zeros(layer.weight.dim())).collect();
        let (sums, spectra, tune) = (std::cell::RefCell::new(&mut sums), &spectra, &trial.tune);
        let candidates = (1..full).map(|rank| {
            let sums = &sums;
            let make = move |lab: &Lab<'_>| {
                let mut sums = sums.borrow_mut();
                let layers = sums.iter_mut().zip(spectra).zip(net.layers());
                let layers = layers.map(|((sum, spectrum), layer)| {
                    if rank > spectrum.values.len() {
                        return Ok(layer.clone());
                    }
                    spectrum.add_term(rank - 1, sum, lab.ledger)?;
                    let whole = rank == spectrum.values.len();
                    let weight = if whole { layer.weight.clone() } else { sum.clone() };
                    Ok(Layer { weight, ..layer.clone() })
                });
                let layers = layers.collect::<Result<_>>()?;
                let cut = Net::new(layers, net.precision())?.locked_as(net)?;
                match self.tuning {
                    Some(tuning) => tuning.tune(&cut, tune, lab.seed, lab),
                    None => Ok(cut),
                }
            };
            (format!("rank {rank} of {full}"), make)
        });
        trial.first(suspect, candidates, lab)
    }
}
