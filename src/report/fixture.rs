//! A small study made by hand, so that tests can say which cell holds which text.
use crate::fourier::Term;
use crate::ledger::Cost;
use crate::stats::{Estimate, Proportion};
use crate::study::record::{
    AssumptionCheck, Cell, Example, Guarantee, Measured, ModelFacts, Outcome, Picture, Record,
    Scores, Spending, VERSION,
};
use crate::study::summary::{Row, Summary};

/// A task name that breaks a page which forgets to escape.
pub(super) const HOSTILE: &str = "<b>&\"";

/// A resolved specification that tries to leave its element.
pub(super) const SPEC: &str = "seed = 7\nname = \"</pre><script>\"\n[task.data]\nsplit_seed = 11\n";

pub(super) fn estimate(value: f64, low: f64, high: f64) -> Estimate {
    Estimate { value, low, high }
}

/// Five rows in three groups; among them models that failed, an attack that failed, and an interval without end.
pub(super) fn summary() -> Summary {
    let exactly = |x| Some(estimate(x, x, x));
    let nothing = Row {
        clean_risk: Some(estimate(0.02, 0.01, 0.03)),
        queries_before: exactly(0.0),
        queries_per_answer: exactly(1.0),
        passes_before: exactly(0.0),
        passes_per_answer: exactly(1.0),
        clean_labels: exactly(0.0),
        ..row(HOSTILE, "none", "nothing")
    };
    let endless = |x| Some(estimate(x, f64::NEG_INFINITY, f64::INFINITY));
    let rows = vec![
        nothing.clone(),
        Row {
            attack: "badnets".into(),
            attack_success: Some(estimate(0.975, 0.95, 0.99)),
            recovered: Some(estimate(0.021, 0.01, 0.04)),
            n_models: 2,
            n_attack_failed: 1,
            ..nothing
        },
        Row {
            access: "white box".into(),
            n_models: 2,
            n_failed: 1,
            clean_risk: Some(estimate(0.05, 0.04, 0.06)),
            harm: Some(estimate(0.03, 0.02, 0.04)),
            attack_success: Some(estimate(0.123, 0.101, 0.145)),
            queries_before: exactly(0.0),
            queries_per_answer: exactly(0.0),
            passes_before: Some(estimate(42e3, 41e3, 43e3)),
            passes_per_answer: exactly(1.0),
            clean_labels: exactly(2000.0),
            ..row(HOSTILE, "badnets", "fine-prune")
        },
        Row {
            n_models: 2,
            attack_success: Some(estimate(0.0, 0.0, 0.004)),
            recovered: Some(estimate(0.98, 0.96, 1.0)),
            within_bar: Some(estimate(0.9, 0.88, 0.92)),
            queries_before: exactly(1.3e6),
            queries_per_answer: exactly(0.0),
            passes_before: exactly(1.3e6),
            passes_per_answer: exactly(0.01),
            clean_labels: exactly(0.0),
            assumptions_held: Some(Proportion { hits: 1, of: 2 }),
            support_exact: Some(Proportion { hits: 1, of: 2 }),
            ..row(HOSTILE, "badnets", "fourier-global")
        },
        Row {
            n_models: 1,
            queries_before: endless(0.0),
            queries_per_answer: endless(12.0),
            passes_per_answer: endless(12.5),
            ..row("affine", "half-space", "affine-ray")
        },
    ];
    Summary {
        version: VERSION,
        plan: "ab".repeat(32),
        name: "A <study>".into(),
        question: "What is access worth?".into(),
        rows,
    }
}

/// Records that go with [`summary`]: what it says about failures, assumptions and claims is said here by model.
pub(super) fn records() -> Vec<Record> {
    let why = |text: &str| text.to_owned();
    vec![
        done(HOSTILE, "none", "nothing", 0),
        Record {
            outcome: Outcome::AttackFailed { why: why("succeeded on 12% of inputs, 90% wanted") },
            ..done(HOSTILE, "badnets", "nothing", 2)
        },
        with(done(HOSTILE, "badnets", "nothing", 0), |m| m.picture = Some(images())),
        Record {
            outcome: Outcome::Failed { why: why("budget of <i>4</i> queries would be passed") },
            ..done(HOSTILE, "badnets", "fine-prune", 2)
        },
        with(done(HOSTILE, "badnets", "fourier-global", 0), |m| {
            m.picture = Some(spectrum());
            m.guarantee = Some(guarantee());
        }),
        with(done(HOSTILE, "badnets", "fourier-global", 1), |m| {
            m.guarantee = Some(guarantee());
            m.notes = vec!["stopped early".into()];
            m.assumptions = vec![AssumptionCheck {
                statement: "fire mass < 0.1".into(),
                measured: 0.25,
                limit: 0.1,
                held: false,
            }];
        }),
        done("affine", "half-space", "affine-ray", 0),
    ]
}

/// Four grey pixels, of which the trigger moves the last.
pub(super) fn images() -> Picture {
    let example = Example {
        plain: vec![0.0, 0.0, 1.0, 0.5],
        triggered: vec![0.0, 0.0, 1.0, 1.0],
        label: 7,
        answer_plain: 7,
        answer_triggered: 3,
    };
    Picture::Images { width: 2, height: 2, examples: vec![example] }
}

/// Two characters of the truth, of which one is recovered, and one that only the suspect has.
pub(super) fn spectrum() -> Picture {
    let term = |support: &[usize], value| Term { support: support.to_vec(), value };
    Picture::Spectrum {
        truth: vec![term(&[], 0.5), term(&[3, 7, 12], -0.4)],
        suspect: vec![term(&[], 0.45), term(&[3, 7, 12], -0.3), term(&[1], 0.1)],
        recovered: vec![term(&[], 0.5)],
        tau: 0.25,
    }
}

fn guarantee() -> Guarantee {
    Guarantee {
        statement: "error at most 0.5 (Theorem 4)".into(),
        error_bar: Some(0.5),
        failure_probability: 0.01,
    }
}

/// A row with nothing measured on three models.
pub(super) fn row(task: &str, attack: &str, mitigator: &str) -> Row {
    Row {
        task: task.into(),
        attack: attack.into(),
        mitigator: mitigator.into(),
        access: "black box".into(),
        n_models: 3,
        n_failed: 0,
        n_attack_failed: 0,
        clean_risk: None,
        harm: None,
        attack_success: None,
        recovered: None,
        within_bar: None,
        queries_before: None,
        queries_per_answer: None,
        passes_before: None,
        passes_per_answer: None,
        clean_labels: None,
        assumptions_held: None,
        support_exact: None,
    }
}

/// A record of a model that answered 100 inputs, 2 of them wrong, at one query each.
pub(super) fn done(task: &str, attack: &str, mitigator: &str, model: u32) -> Record {
    let measured = Measured {
        model: ModelFacts {
            sha256: format!("{:064x}", u64::from(model) + 1000 * task.len() as u64),
            widths: vec![64, 32, 10],
            forward_flops: 4736,
            theorems: vec![],
            curve: vec![],
        },
        attack: None,
        scores: Scores {
            clean_risk: Proportion { hits: 2, of: 100 },
            attack_success: None,
            recovered: None,
            within_bar: None,
            clean_errors: None,
            triggered_errors: None,
        },
        spent: Spending {
            answers: Cost { queries: 100, flops: 473_600, ..Cost::default() },
            n_answers: 100,
            ..Spending::default()
        },
        assumptions: vec![],
        guarantee: None,
        notes: vec![],
        function: None,
        support_exact: None,
        picture: None,
    };
    Record {
        version: VERSION,
        plan: "ab".repeat(32),
        cell: Cell { task: task.into(), attack: attack.into(), mitigator: mitigator.into(), model },
        access: "black box".into(),
        outcome: Outcome::Done(Box::new(measured)),
    }
}

/// The record after a change to what was measured.
pub(super) fn with(mut record: Record, change: impl FnOnce(&mut Measured)) -> Record {
    if let Outcome::Done(measured) = &mut record.outcome {
        change(measured);
    }
    record
}
