//! One run of the mitigator, and what is kept of it.
use sha2::{Digest, Sha256};

use super::Checked;
use crate::access::{LabSeeds, Suspect};
use crate::data::Batch;
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::mitigate::{Assumption, Claim, Repaired};
use crate::net::Net;
use crate::study::Model;

/// What was seen of one run.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Whether it gave back a net or a function, and not only answers.
    pub(super) whole: bool,
    /// The set of characters, if it recovered a function.
    support: Option<String>,
    /// All bits of the net or function and of the answers; of a refusal, its reason.
    all: String,
    /// Number of characters and sum of their squares, if it recovered a function.
    about: Vec<f64>,
    /// Answers at every input, one after the other; none if it refused.
    answers: Vec<f64>,
    /// Why it refused.
    pub(super) refused: Option<String>,
    /// See [`Repaired::canonical`].
    pub(super) canonical: Option<f64>,
    /// What it claims of the answer at every input.
    pub(super) claims: Vec<Option<Claim>>,
    /// What its claims assume.
    pub(super) assumptions: Vec<Assumption>,
}

/// Numbers that distinguishers see of a whole output or of one answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    /// The set of characters as a number, where there is one.
    pub(super) support: Option<f64>,
    /// All bits as a number.
    pub(super) bits: f64,
    /// Answers, and what else is a number.
    pub(super) numbers: Vec<f64>,
}

/// Runs the mitigator on `net` and asks at `inputs`. That it refuses is a thing that it may do, and is seen.
///
/// # Errors
/// If it was used wrongly.
pub(super) fn run(
    game: &Checked,
    model: &Model,
    net: &Net,
    inputs: &Batch,
    seeds: LabSeeds,
) -> Result<Seen> {
    let task = &game.spec.task;
    let suspect = Suspect::publish(net.clone(), task.budget);
    let mut lab = suspect.lab(&*model.population, &task.recipe, seeds);
    let outcome = game.mitigator.mitigate(&suspect, &mut lab).and_then(|repaired| {
        suspect.allow_answers(task.per_answer, inputs.nrows() as u64);
        let answers = repaired.oracle.query(inputs)?;
        Ok(Seen::of(&repaired, inputs, &answers))
    });
    match outcome {
        Err(error) if !error.is_wrong_use() => Ok(Seen::refusal(&error)),
        outcome => outcome,
    }
}

impl Seen {
    fn of(repaired: &Repaired<'_>, inputs: &Batch, answers: &Batch) -> Self {
        let mut all = Sha256::new();
        if let Some(net) = &repaired.net {
            all.update(net.sha256());
        }
        let (mut support, mut about) = (None, Vec::new());
        if let Some(function) = &repaired.function {
            let terms = function.coefficients();
            for (_, value) in &terms {
                all.update(value.to_bits().to_le_bytes());
            }
            let names: Vec<&str> = terms.iter().map(|(name, _)| name.as_str()).collect();
            let names = names.join(";");
            all.update(&names);
            support = Some(hex(Sha256::new_with_prefix(&names)));
            about = vec![terms.len() as f64, terms.iter().map(|(_, value)| value.powi(2)).sum()];
        }
        let answers: Vec<f64> = answers.iter().copied().collect();
        answers.iter().for_each(|y| all.update(y.to_bits().to_le_bytes()));
        Self {
            whole: repaired.net.is_some() || repaired.function.is_some(),
            support,
            all: hex(all),
            about,
            refused: None,
            canonical: repaired.canonical,
            claims: inputs.rows().into_iter().map(|x| repaired.claim_at(&x.to_vec())).collect(),
            assumptions: repaired.assumptions.clone(),
            answers,
        }
    }

    fn refusal(error: &Error) -> Self {
        let why = error.to_string();
        Self {
            whole: false,
            support: None,
            all: hex(Sha256::new_with_prefix(&why)),
            about: Vec::new(),
            answers: Vec::new(),
            refused: Some(why),
            canonical: None,
            claims: Vec::new(),
            assumptions: Vec::new(),
        }
    }

    /// The answer of width `outputs` at input `i`, or none of a refusal.
    pub(super) fn answer(&self, i: usize, outputs: usize) -> &[f64] {
        self.answers.get(i * outputs..(i + 1) * outputs).unwrap_or_default()
    }

    /// The whole output as distinguishers see it, `width` numbers in any case.
    pub(super) fn output(&self, width: usize) -> Look {
        let support = self.support.as_ref().map(|support| code(support));
        let numbers = self.about.iter().chain(&self.answers);
        Look { support, bits: code(&self.all), numbers: self.padded(numbers, width) }
    }

    /// One answer as distinguishers see it.
    pub(super) fn at(&self, i: usize, outputs: usize) -> Look {
        let answer = self.answer(i, outputs);
        let mut bits = Sha256::new_with_prefix(self.refused.as_deref().unwrap_or_default());
        answer.iter().for_each(|y| bits.update(y.to_bits().to_le_bytes()));
        let bits = code(&hex(bits));
        Look { support: None, bits, numbers: self.padded(answer.iter(), outputs) }
    }

    /// Whether the whole output is that of `other`, to the last bit.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.all == other.all
    }

    /// Whether the answer at input `i` is that of `other`, to the last bit.
    pub(super) fn is_at(&self, other: &Self, i: usize, outputs: usize) -> bool {
        let bits = |seen: &Self| -> Vec<u64> {
            seen.answer(i, outputs).iter().map(|y| y.to_bits()).collect()
        };
        self.refused == other.refused && bits(self) == bits(other)
    }

    /// The largest difference between the finite answers of two whole outputs.
    pub(super) fn distance(&self, other: &Self) -> f64 {
        largest_difference(&self.answers, &other.answers)
    }

    /// The same of the answers at input `i`.
    pub(super) fn distance_at(&self, other: &Self, i: usize, outputs: usize) -> f64 {
        largest_difference(self.answer(i, outputs), other.answer(i, outputs))
    }

    /// How many numbers a whole output shows.
    pub(super) fn width(&self) -> usize {
        self.about.len() + self.answers.len()
    }

    /// Finite numbers, as many as wanted, and whether it refused.
    fn padded<'a>(&self, numbers: impl Iterator<Item = &'a f64>, width: usize) -> Vec<f64> {
        let finite = numbers.map(|y| if y.is_finite() { *y } else { 0.0 });
        let refused = f64::from(u8::from(self.refused.is_some()));
        finite.chain(std::iter::repeat(0.0)).take(width).chain(std::iter::once(refused)).collect()
    }
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.filter(|difference| difference.is_finite()).fold(0.0, f64::max)
}

/// The first 52 bits of a digest, a whole number that a float holds.
fn code(hex: &str) -> f64 {
    u64::from_str_radix(&hex[..13], 16).map_or(0.0, |code| code as f64)
}
