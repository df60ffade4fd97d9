//! What a study writes down: one record a cell, one line of JSON each. Reports read nothing else.
//!
//! Records hold no clock times, so two runs of the same plan can be compared byte for byte.
use serde::{Deserialize, Serialize};

use crate::fourier::{Function, Term};
use crate::ledger::Cost;
pub use crate::mitigate::Guarantee;
use crate::net::Epoch;
pub use crate::score::{AssumptionCheck, AttackFacts, Scores};

/// The version of the record format; it goes up with any change that a reader could notice.
pub const VERSION: u32 = 2;

/// The attack name of cells that run on the clean twin: the same net before any attack.
pub const CLEAN_TWIN: &str = "none";

/// Which cell of the plan a record belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cell {
    /// Name of the task: a population and how nets are trained on it.
    pub task: String,
    /// Name of the attack, or [`CLEAN_TWIN`].
    pub attack: String,
    /// Name of the mitigator.
    pub mitigator: String,
    /// Number of the independently trained model, from 0.
    pub model: u32,
}

/// All that is known about one cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this format.
    pub version: u32,
    /// SHA-256 of the plan that the cell belongs to.
    pub plan: String,
    /// Which cell.
    pub cell: Cell,
    /// The mitigator's access: "black box", "gradients" or "white box".
    pub access: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Outcome {
    /// It ran to its end.
    Done(Box<Measured>),
    /// The mitigator or the scorer failed. Counted, and never a success of anybody.
    Failed {
        /// The error.
        why: String,
    },
    /// The attack did not take hold of this model, so no defence can be credited with its absence.
    AttackFailed {
        /// How often the attack succeeded with no defence, and how often it should have.
        why: String,
    },
}

/// Everything measured in one cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The model under test.
    pub model: ModelFacts,
    /// What the attack did to it; `None` on the clean twin.
    pub attack: Option<AttackFacts>,
    /// How the mitigated model answers.
    pub scores: Scores,
    /// What the mitigator spent.
    pub spent: Spending,
    /// The assumptions of the theorems that apply to the mitigator, checked by the scorer, which may see the truth.
    pub assumptions: Vec<AssumptionCheck>,
    /// What the mitigator claimed.
    pub guarantee: Option<Guarantee>,
    /// Warnings and remarks of the mitigator.
    pub notes: Vec<String>,
    /// The function it recovered, where it recovers one.
    pub function: Option<Function>,
    /// Whether that function's support is exactly the truth's, where there is a truth to compare with.
    pub support_exact: Option<bool>,
    /// Something to look at; kept for model 0 under the mitigator `nothing` or the one that recovers a function.
    pub picture: Option<Picture>,
}

/// The model under test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// SHA-256 of its weights.
    pub sha256: String,
    /// Widths of its layers, inputs first.
    pub widths: Vec<usize>,
    /// Operations of one forward pass: F.
    pub forward_flops: u64,
    /// The assumptions of the theorems about this kind of truth, at their default parameters, checked against the truth:
    /// how far this model is from its class, whatever the mitigator. None where there is no theorem or no known truth.
    pub theorems: Vec<AssumptionCheck>,
    /// The learning curve of the clean twin, an entry an epoch; in the clean twin's own cells only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<Epoch>,
}

/// What was spent, before the first answer and for answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spending {
    /// Cost before the first answer.
    pub prepare: Cost,
    /// Cost of all answers together.
    pub answers: Cost,
    /// How many answers that was.
    pub n_answers: u64,
}

/// Something to look at in a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Picture {
    /// Grey images, row by row, each value from 0 to 1.
    Images {
        /// Pixels a row.
        width: usize,
        /// Rows.
        height: usize,
        /// The examples.
        examples: Vec<Example>,
    },
    /// Coefficients of the suspect and of what was recovered from it.
    Spectrum {
        /// The truth.
        truth: Vec<Term>,
        /// The largest coefficients of the suspect.
        suspect: Vec<Term>,
        /// The recovered function.
        recovered: Vec<Term>,
        /// The threshold τ of the truth's class: every coefficient of the truth is 0 or at least this large.
        tau: f64,
    },
}

/// One input with and without its trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The clean input.
    pub plain: Vec<f64>,
    /// The same with the trigger.
    pub triggered: Vec<f64>,
    /// Its true class.
    pub label: usize,
    /// The suspect's class for the clean input.
    pub answer_plain: usize,
    /// The suspect's class for the triggered input.
    pub answer_triggered: usize,
}
