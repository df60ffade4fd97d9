//! What a sweep is, as people write it: a TOML file.
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::registry::{attack_named, mitigator_named};
use crate::storage;
use crate::study::{self, MethodSpec, Task};

/// Largest specification that is read.
const MAX_BYTES: u64 = 1 << 20;
/// Most models, and most values of one sweep.
const MOST: u32 = 100_000;
const MOST_VALUES: usize = 1000;

/// A sweep: one assumption of one mitigator through its limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// The question it asks.
    pub question: String,
    /// Seed of model 0; model i has seed `first_seed + i`.
    pub first_seed: u64,
    /// Models: each has a truth and an adversary of its own.
    pub models: u32,
    /// The values of the swept parameter, rising.
    pub values: Vec<f64>,
    /// What the parameter means for the assumption.
    pub axis: Axis,
    /// What is known of failures beyond the claim.
    #[serde(default)]
    pub prediction: Prediction,
    /// Who is between the truth and the mitigator.
    pub adversary: Adversary,
    /// The mitigator; its parameters stay as they are.
    pub mitigator: MethodSpec,
    /// The task: nets are compiled from its truth, and its `test` is the number of answers a model.
    pub task: Task,
}

/// What the swept parameter means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// It is the mass on which the suspect is wrong; the limit is the mass that the mitigator assumes.
    Mass,
    /// It is the largest distance to the truth on all inputs; the limit is the mitigator's δ.
    Cutoff,
    /// The distance to the truth in root mean square follows from it, and is computed (exactly, on cubes up to dimension 20);
    /// the limit is the mitigator's.
    Distance,
}

impl Axis {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mass => "mass",
            Self::Cutoff => "largest error",
            Self::Distance => "root mean square distance",
        }
    }
}

/// An upper bound of the failure probability at every value of the sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Prediction {
    /// What the mitigator claims, inside the limit; nothing beyond.
    #[default]
    Claim,
    /// An answer is the median of independent estimates, each of which is spoilt with a probability of at most `share` times
    /// the value: `P[Bin(m, share · value) > m/2]`.
    Majority {
        /// Queries of one estimate.
        queries: u32,
        /// Probability of a spoilt estimate in units of the mass.
        share: f64,
    },
    /// The value is the height of a suspect's errors, all of one sign, and estimates are those of `affine-ray`: one is spoilt
    /// only if its ray's two points are so close that the height is amplified beyond the bar.
    TwoPointNoise,
}

/// Who is between the truth and the mitigator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Adversary {
    /// An attack by name on the exact net of the truth; answers are asked at triggered test inputs.
    Attack {
        /// The attack, with the parameters that stay as they are.
        attack: MethodSpec,
        /// The parameter that is swept.
        sweep: String,
    },
    /// The truth plus the value times a character that the truth does not have, of so many coordinates. Clipped to ±1, all
    /// that it does to a truth of ±1 is to move weight to this character: the worst that an error of its size can do.
    Character {
        /// Coordinates.
        degree: usize,
    },
}

impl Spec {
    /// Reads a sweep from a file.
    ///
    /// # Errors
    /// If it cannot be read, or is no sweep; the error names the line.
    pub fn load(path: &Path) -> Result<Self> {
        let text = String::from_utf8(storage::read(path, MAX_BYTES)?)
            .map_err(|_| Error::file(path, "not text in UTF-8"))?;
        study::parse(&text, &path.display().to_string())
    }

    /// Resolves names, checks parameters and fills in defaults.
    ///
    /// # Errors
    /// On an unknown name, a parameter out of range, or a method that does not apply.
    pub fn check(mut self) -> Result<Self> {
        if self.models == 0 || self.models > MOST {
            let want = format!("from 1 to {MOST} models are needed");
            return Err(Error::parameter("models", self.models, want));
        }
        if self.first_seed.checked_add(u64::from(self.models)).is_none() {
            let want = format!("{} seeds must fit above it", self.models);
            return Err(Error::parameter("first_seed", self.first_seed, want));
        }
        let rising = self.values.windows(2).all(|pair| pair[0] < pair[1]);
        let finite = self.values.iter().all(|value| value.is_finite());
        if self.values.is_empty() || self.values.len() > MOST_VALUES || !rising || !finite {
            let want = format!("from 1 to {MOST_VALUES} finite and rising numbers are needed");
            return Err(Error::parameter("values", format!("{:?}", self.values), want));
        }
        if let Prediction::Majority { queries, share } = self.prediction
            && !(queries > 0 && share > 0.0 && share.is_finite())
        {
            let want = "at least one query and a positive share are needed";
            return Err(Error::parameter("prediction", format!("{queries}, {share}"), want));
        }
        self.task.check()?;
        let world = self.task.population.world()?;
        let refuse = |kind: &str, name: &str, scope: &str| {
            let why = format!("it does not apply to task {}; it is for {scope}", self.task.name);
            Err(Error::Spec { place: format!("{kind} {name}"), why })
        };
        let entry = mitigator_named(&self.mitigator.method)?;
        if !(entry.applies)(&world) {
            return refuse("mitigator", entry.name, entry.scope);
        }
        let built = (entry.build)(&self.mitigator.params)?;
        built.method.check(&world)?;
        self.mitigator.params = built.params;
        if let Adversary::Attack { attack, sweep } = &self.adversary {
            let entry = attack_named(&attack.method)?;
            if !(entry.applies)(&world) {
                return refuse("attack", entry.name, entry.scope);
            }
            for &value in &self.values {
                let mut params = attack.params.clone();
                params.insert(sweep.clone(), toml::Value::Float(value));
                (entry.build)(&params)?.method.check(&world)?;
            }
        }
        Ok(self)
    }
}
