//! Obfuscations by name: the rungs of the ladder that a planted net can be put through before it is published.
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Built, Params, from_params};
use crate::attack::obfuscate::{Adapt, Clutter, Distil, Obfuscation, PermuteRescale, Split};
use crate::error::{Error, Result};

/// An obfuscation with its parameters.
pub type BuiltObfuscation = Built<Box<dyn Obfuscation>>;

/// One obfuscation.
#[derive(Clone, Copy, Debug)]
pub struct ObfuscationEntry {
    /// Name in specifications and reports.
    pub name: &'static str,
    /// Its place on the ladder: "O1" (nothing hidden from one who canonicalises) to "O5" (a net trained anew).
    pub rung: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What of the net it keeps, in words.
    pub preserves: &'static str,
    /// Which nets it can handle, in words.
    pub scope: &'static str,
    /// Makes it from parameters.
    pub build: fn(&Params) -> Result<BuiltObfuscation>,
}

/// All obfuscations, lowest rung first.
pub const OBFUSCATIONS: &[ObfuscationEntry] = &[
    ObfuscationEntry {
        name: "permute-rescale",
        rung: "O1",
        summary: "hidden units in random order, each changed by a symmetry of its activation",
        source: "folklore; undone by whoever scales units to norm one and sorts them",
        preserves: "the function, up to the rounding of sums in another order",
        scope: "every net; GELU units are permuted only",
        build: |params| obfuscation::<PermuteRescale>("permute-rescale", params),
    },
    ObfuscationEntry {
        name: "split",
        rung: "O2",
        summary: "loud units become noisy copies with clean norms, none louder than clean ones as far as copies reach",
        source: "this project",
        preserves: "answers to all but a stated share of clean training inputs, attack success up to a stated loss",
        scope: "nets with a hidden layer; norms are matched on ReLU layers",
        build: |params| obfuscation::<Split>("split", params),
    },
    ObfuscationEntry {
        name: "clutter",
        rung: "O3",
        summary: "dead units, duplicates, cancelling pairs, and a ripple on every output",
        source: "this project",
        preserves: "every answer to half the ripple's height, and without a ripple to rounding",
        scope: "nets with a hidden layer; a ripple needs ReLU, dead units ReLU or steps",
        build: |params| obfuscation::<Clutter>("clutter", params),
    },
    ObfuscationEntry {
        name: "adapt",
        rung: "O4",
        summary: "bring the statistic of a named defence into the clean range, and train the backdoor in again",
        source: "against fine-prune: Liu, Dolan-Gavitt, Garg 2018 (RAID), section 3.2; else this project",
        preserves: "answers to all but a stated share of clean training inputs, attack success up to a stated loss; else fails",
        scope: "nets with a hidden layer that gradients pass",
        build: |params| obfuscation::<Adapt>("adapt", params),
    },
    ObfuscationEntry {
        name: "distil",
        rung: "O5",
        summary: "train a fresh net on the net's own answers, clean and triggered",
        source: "after Hinton, Vinyals, Dean 2015 (arXiv 1503.02531); this project",
        preserves: "answers to all but a stated share of clean training inputs, attack success up to a stated loss; else fails",
        scope: "every net",
        build: |params| obfuscation::<Distil>("distil", params),
    },
];

/// The obfuscation called `name`.
pub fn obfuscation_named(name: &str) -> Result<&'static ObfuscationEntry> {
    let found = OBFUSCATIONS.iter().find(|entry| entry.name == name);
    let names = || OBFUSCATIONS.iter().map(|entry| entry.name);
    found.ok_or_else(|| Error::unknown("obfuscation", name, names()))
}

fn obfuscation<O>(name: &str, params: &Params) -> Result<BuiltObfuscation>
where
    O: Obfuscation + DeserializeOwned + Serialize + 'static,
{
    let (method, params) = from_params::<O>(name, params)?;
    Ok(Built { method: Box::new(method), params })
}
