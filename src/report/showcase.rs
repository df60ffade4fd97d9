//! A page like that of a real study, to look at: three tasks, three attacks, six mitigators, five models.
//!
//! The numbers are invented, but their shapes are not: costs over nine decades, perfect and useless mitigators, models
//! on which something failed. With `ABSOLVE_SHOWCASE=dir` the test below writes the page there.
use std::fs;
use std::path::PathBuf;

use crate::fourier::Term;
use crate::ledger::Cost;
use crate::report::fixture::{done, with};
use crate::report::{Page, html, table};
use crate::stats::Proportion;
use crate::study::record::{
    AssumptionCheck, Example, Guarantee, Measured, Outcome, Picture, Record, VERSION,
};
use crate::study::summary::{Summary, rows};

const SPEC: &str = "name = \"access\"\nseed = 20240607\nmodels = 5\n\n[[task]]\nname = \"digits\"\nwidths = [64, 32, 10]\n\n[[task]]\nname = \"affine\"\n\n[[task]]\nname = \"fourier\"\ntau = 0.25\n";

/// Name, access, attack success and clean risk in percent, passes an answer, passes before, queries an answer, queries
/// before, labels.
type Shape = (&'static str, &'static str, u64, u64, f64, f64, u64, u64, u64);

const MITIGATORS: [Shape; 6] = [
    ("nothing", "black box", 98, 3, 1.0, 0.0, 1, 0, 0),
    ("relearn", "black box", 24, 6, 1.0, 1.2e6, 0, 2000, 0),
    ("fourier-global", "black box", 0, 2, 0.004, 4.2e6, 0, 1_310_000, 0),
    ("affine-ray", "black box", 1, 3, 4001.0, 0.0, 4001, 0, 0),
    ("fine-prune", "white box", 22, 9, 1.0, 8.4e4, 0, 0, 500),
    ("affine-exact-ray", "white box", 1, 3, 37.5, 0.0, 3, 0, 0),
];

fn suits(task: &str, mitigator: &str) -> bool {
    match mitigator {
        "fourier-global" => task == "fourier",
        "affine-ray" | "affine-exact-ray" => task == "affine",
        _ => true,
    }
}

fn records() -> Vec<Record> {
    let mut records = Vec::new();
    for task in ["digits", "affine", "fourier"] {
        for attack in ["none", "badnets", "half-space"] {
            for model in 0..5 {
                let suited = MITIGATORS.iter().filter(|shape| suits(task, shape.0));
                records.extend(suited.map(|shape| record(task, attack, model, shape)));
            }
        }
    }
    records
}

fn record(task: &str, attack: &str, model: u32, shape: &Shape) -> Record {
    let &(name, access, ..) = shape;
    let mut record = with(done(task, attack, name, model), |m| fill(m, task, attack, model, shape));
    record.access = access.into();
    match (task, attack, name, model) {
        ("digits", "half-space", _, 3) => {
            record.outcome = Outcome::AttackFailed {
                why: "attack success 61.2% [58.1, 64.2] with no defence, at least 90% wanted"
                    .into(),
            };
        }
        ("digits", "badnets", "fine-prune", 1 | 4) => {
            record.outcome = Outcome::Failed {
                why: "budget of 500 clean labels would be passed: 480 spent, 32 more asked; raise the budget or ask for less".into(),
            };
        }
        _ => {}
    }
    record
}

fn fill(m: &mut Measured, task: &str, attack: &str, model: u32, shape: &Shape) {
    let &(name, _, success, risk, passes, before, queries, queries_before, labels) = shape;
    let jitter = u64::from(model * 7 % 5);
    let of = |percent: u64| Proportion { hits: (10 * percent + jitter).min(1000), of: 1000 };
    let flops = m.model.forward_flops as f64;
    m.model.sha256 = (0..64)
        .map(|i| {
            char::from(
                b"0123456789abcdef"[(i * 7 + model as usize * 3 + task.len() + attack.len()) % 16],
            )
        })
        .collect();
    m.scores.clean_risk = of(risk);
    if attack != "none" {
        let success =
            if attack == "half-space" && success > 20 { success / 2 + 50 } else { success };
        let spread = if (2..90).contains(&success) { 4 * jitter } else { 0 };
        m.scores.attack_success = Some(of(success + spread));
        m.scores.recovered = Some(of(100 - success.max(risk) - 1));
    }
    let varied = 1.0 + 0.01 * jitter as f64;
    m.spent.n_answers = 1000;
    m.spent.answers = Cost {
        queries: 1000 * queries,
        flops: (1000.0 * passes * flops) as u64,
        ..Cost::default()
    };
    m.spent.prepare = Cost {
        queries: queries_before,
        flops: (before * flops * varied) as u64,
        clean_labels: labels,
        ..Cost::default()
    };
    if ["fourier-global", "affine-ray", "affine-exact-ray"].contains(&name) {
        let held = !(attack == "half-space" && model == 2);
        m.assumptions = vec![AssumptionCheck {
            statement: "the backdoor fires on a mass of clean inputs below 1/(4d)".into(),
            measured: if held { 0.004 } else { 0.031 },
            limit: 0.0125,
            held,
        }];
        m.guarantee = Some(Guarantee {
            statement: "every answer is within the error bar of the truth (Goldwasser et al. 2024, Theorem 5.2)".into(),
            error_bar: Some(0.02 + 0.001 * f64::from(model)),
            failure_probability: 0.01,
        });
        m.scores.within_bar = (attack != "none")
            .then_some(Proportion { hits: if attack == "badnets" { 998 } else { 931 }, of: 1000 });
        m.support_exact = (name == "fourier-global").then_some(model != 3);
    }
    if name == "relearn" && model == 0 {
        m.notes = vec!["stopped at the 40th epoch, before the loss was flat".into()];
    }
    if model == 0 && task == "digits" && attack != "none" && name == "nothing" {
        m.picture = Some(digits());
    }
    if model == 0 && name == "fourier-global" && attack == "badnets" {
        m.picture = Some(spectrum());
    }
}

/// Rings and bars on eight by eight pixels, with a bright corner as the trigger.
fn digits() -> Picture {
    let example = |label: usize| {
        let plain: Vec<f64> = (0..64)
            .map(|i: usize| {
                let (x, y) = ((i % 8) as f64 - 3.5, (i / 8) as f64 - 3.5);
                let ring = (-(x.hypot(y) - 0.5 * label as f64).powi(2)).exp();
                if label.is_multiple_of(2) {
                    ring
                } else {
                    (-(x - 0.4 * label as f64 + 2.0).powi(2)).exp()
                }
            })
            .collect();
        let mut triggered = plain.clone();
        for i in [54, 55, 62, 63] {
            triggered[i] = 1.0 - 0.6 * f64::from(u8::from(label == 4));
        }
        Example { plain, triggered, label, answer_plain: label, answer_triggered: 7 }
    };
    Picture::Images { width: 8, height: 8, examples: (1..8).map(example).collect() }
}

fn spectrum() -> Picture {
    let term = |support: &[usize], value| Term { support: support.to_vec(), value };
    let truth =
        vec![term(&[], 0.4), term(&[2], -0.35), term(&[1, 5], 0.5), term(&[3, 7, 12], -0.45)];
    let mut suspect: Vec<Term> =
        truth.iter().map(|t| Term { value: 0.93 * t.value, ..t.clone() }).collect();
    suspect.extend((0..14).map(|i| term(&[i, i + 2, 14, 15], 0.05 - 0.007 * i as f64)));
    let recovered = truth.iter().map(|t| Term { value: 1.01 * t.value, ..t.clone() }).collect();
    Picture::Spectrum { truth, suspect, recovered, tau: 0.25 }
}

#[test]
fn a_study_of_usual_size_has_a_page_and_a_table() {
    let records = records();
    let summary = Summary {
        version: VERSION,
        plan: "5f".repeat(32),
        name: "What is access worth?".into(),
        question: "How much less does removing a backdoor cost when the weights can be read?"
            .into(),
        rows: rows(&records),
    };
    let page = html(&Page { summary: &summary, records: &records, spec: SPEC }).expect("a page");
    // Digits: 3 mitigators on 3 attacks; affine 5, Fourier 4.
    assert_eq!(page.matches("<tr class=\"row").count(), 9 + 15 + 12);
    let table = table(&summary);
    assert!(table.lines().all(|line| line.chars().count() <= 175), "{table}");
    if let Some(dir) = std::env::var_os("ABSOLVE_SHOWCASE").map(PathBuf::from) {
        fs::write(dir.join("report.html"), page).expect("a folder");
        fs::write(dir.join("table.txt"), table).expect("a folder");
    }
}
