//! Neural Cleanse and MM-BD: what they cost, what they refuse, when they change nothing, where they win and where they lose.
use absolve::access::Oracle;
use absolve::attack::Planted;
use absolve::ledger::Cost;
use absolve::registry::mitigator_named;
use absolve::study::{Model, Spec};

use crate::support::{TINY, mitigate, params, plant, publish, some_inputs, task};

/// 64-16-10 on digits: F = 2 (64·16 + 16·10).
fn small() -> Model {
    let spec = Spec::parse(TINY, "tiny").unwrap();
    Model::train(&spec.tasks[0], 3, &mut |_| {}).unwrap()
}

const F: u64 = 2368;

#[test]
fn one_step_of_mm_bd_costs_what_the_hand_counts() {
    let model = small();
    let suspect = publish(model.net.clone(), 100);
    mitigate(
        &suspect,
        &model,
        "mm-bd",
        "starts = 3\nsteps = 1\nsignificance = 1e-12",
        |repaired| {
            let repaired = repaired.unwrap();
            assert!(
                repaired.notes.iter().any(|note| note.contains("not flagged")),
                "{:?}",
                repaired.notes
            );
        },
    );
    // Ten classes of three starts: drawn (64 each), one step (2F, 4·64 + 10 + 1), and the verdict: 4·10 + 4·64 + 4.
    let flops = 30 * (64 + 2 * F + 267) + 300;
    assert_eq!(suspect.spent(), Cost { gradients: 30, flops, ..Cost::default() });
}

#[test]
fn one_epoch_of_neural_cleanse_costs_what_the_hand_counts() {
    let model = small();
    let suspect = publish(model.net.clone(), 100);
    // One epoch reaches no class with 98%, so nothing is flagged.
    mitigate(&suspect, &model, "neural-cleanse", "epochs = 1", |repaired| {
        let repaired = repaired.unwrap();
        assert!(
            repaired.notes.iter().any(|note| note.contains("stays as it is")),
            "{:?}",
            repaired.notes
        );
    });
    // 50 held out: F each. Ten classes of 50 rows (2F + 7·64 + 10) in two steps (42·64); medians of ten, twice, and 40.
    let search = 10 * (50 * (2 * F + 7 * 64 + 10) + 2 * 42 * 64);
    let flops = 50 * F + search + 2 * 50 + 40;
    assert_eq!(suspect.spent(), Cost { clean_labels: 100, flops, ..Cost::default() });
}

#[test]
fn what_cannot_be_compared_or_searched_is_refused_by_name() {
    let spec = Spec::parse(TINY, "tiny").unwrap();
    let worlds: Vec<_> = spec.tasks.iter().map(|task| task.population.world().unwrap()).collect();
    let say = |name: &str, toml: &str, world: usize| {
        let built = (mitigator_named(name).unwrap().build)(&params(toml)).unwrap();
        built.method.check(&worlds[world]).map_err(|error| error.to_string())
    };
    // Digits, a line on a ball, signs on the cube, a line under normal inputs.
    assert!(say("mm-bd", "", 0).is_ok() && say("neural-cleanse", "", 3).is_ok());
    assert!(say("mm-bd", "", 1).unwrap_err().contains("no classes"));
    assert!(say("mm-bd", "", 2).unwrap_err().contains("two classes"));
    assert!(say("neural-cleanse", "", 1).unwrap_err().contains("coordinate by coordinate"));
    assert!(say("mm-bd", "rate = -1.0", 0).unwrap_err().contains("rate = -1"));
    assert!(say("mm-bd", "steps = 0", 0).unwrap_err().contains("steps = 0"));
    assert!(say("mm-bd", "significance = 1.5", 0).unwrap_err().contains("significance"));
    assert!(say("neural-cleanse", "epochs = 0", 0).unwrap_err().contains("epochs = 0"));
    assert!(say("neural-cleanse", "samples = 1", 0).unwrap_err().contains("at least two"));
    assert!(say("neural-cleanse", "offset = 0.0", 3).unwrap_err().contains("offset"));
}

/// The share of triggered inputs of other classes that get the target, and the notes.
fn success(model: &Model, planted: &Planted, name: &str) -> (f64, Vec<String>) {
    let mut rng = crate::support::seed(1).stream("triggered");
    let exam = absolve::score::Exam::new(
        &*model.population,
        model.test().unwrap(),
        Some(&planted.trigger),
        &mut rng,
    )
    .unwrap();
    let suspect = publish(planted.net.clone(), 300);
    mitigate(&suspect, model, name, "", |repaired| {
        let repaired = repaired.unwrap();
        let scores = exam.mark(&*repaired.oracle, None).unwrap();
        (scores.attack_success.unwrap().value(), repaired.notes)
    })
}

/// A net of 64 units on digits, as the default study trains them.
fn digits() -> Model {
    Model::train(&task("digits"), 503, &mut |_| {}).unwrap()
}

fn says(notes: &[String], what: &str) -> bool {
    notes.iter().any(|note| note.contains(what))
}

#[test]
fn neural_cleanse_unlearns_a_patch_and_does_not_see_a_half_space() {
    let model = digits();
    // A patch of 3×3 of 64 pixels: its class's mask is the smallest, and success falls below a fifth (issue's mark).
    let patched = plant(&model, "badnets", "");
    let (left, notes) = success(&model, &patched, "neural-cleanse");
    assert!(says(&notes, "flagged: class 0") && left < 0.2, "{left}: {notes:?}");
    let (before, _) = success(&model, &patched, "nothing");
    assert!(before > 0.9, "{before}");
    // A half-space is reached through all pixels: no mask stands out, and nothing changes.
    let spread = plant(&model, "half-space", "mass = 0.01");
    let (left, notes) = success(&model, &spread, "neural-cleanse");
    assert!(says(&notes, "no trigger stands out") && left > 0.9, "{left}: {notes:?}");
}

#[test]
fn mm_bd_flags_a_steep_class_and_misses_a_trigger_whose_unit_is_no_higher_than_the_task() {
    let model = digits();
    let patched = plant(&model, "badnets", "");
    let (left, notes) = success(&model, &patched, "mm-bd");
    assert!(says(&notes, "flagged: what was relearnt") && left < 0.2, "{left}: {notes:?}");
    let exact = plant(&model, "dfba", "");
    let (left, notes) = success(&model, &exact, "mm-bd");
    assert!(says(&notes, "not flagged") && left > 0.9, "{left}: {notes:?}");
}

#[test]
fn a_clean_net_loses_at_most_what_the_held_out_rule_allows() {
    // Flagged or not: the rule is checked on the very samples that it is about, with a limit that refuses and one that does not.
    let model = digits();
    for limit in [0.0, 0.04] {
        let suspect = publish(model.net.clone(), 300);
        let toml = format!("max_drop = {limit:?}");
        mitigate(&suspect, &model, "neural-cleanse", &toml, |repaired| {
            let repaired = repaired.unwrap();
            let unchanged = says(&repaired.notes, "stays as it is");
            let held = says(&repaired.notes, "held-out risk");
            assert!(unchanged || held, "{:?}", repaired.notes);
            let xs = some_inputs(&model, 100);
            let same = repaired.oracle.query(&xs).unwrap()
                == publish(model.net.clone(), 0).query(&xs).unwrap();
            assert!(same || !unchanged, "what is said to stay answers as it did");
        });
    }
}
