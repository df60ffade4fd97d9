//! Which backdoors of trained digits nets pruning removes, and which it does not: fixed seeds, margins of about half of what was
//! measured. More nets: experiments/mitigators/pruning.md.
use absolve::attack::Planted;
use absolve::net::Net;
use absolve::score::Exam;
use absolve::study::Model;

use crate::support::{mitigate, plant, publish, task};

fn victim(width: usize, number: u64, attack: &str) -> (Model, Planted) {
    let mut task = task("digits");
    task.recipe.hidden = vec![width];
    let model = Model::train(&task, number, &mut |_| {}).unwrap();
    let planted = plant(&model, attack, "");
    (model, planted)
}

/// Attack success on `net` after a method, and what it had to say.
fn after(victim: &(Model, Planted), net: &Net, name: &str, toml: &str) -> (f64, String) {
    let (model, planted) = victim;
    let mut rng = model.seed().stream("exam");
    let (test, trigger) = (model.test().unwrap(), Some(&planted.trigger));
    let exam = Exam::new(&*model.population, test, trigger, &mut rng).unwrap();
    let suspect = publish(net.clone(), 300);
    mitigate(&suspect, model, name, toml, |repaired| {
        let repaired = repaired.unwrap();
        let success = exam.mark(&*repaired.oracle, None).unwrap().attack_success.unwrap();
        (success.estimate().value, repaired.notes.join("; "))
    })
}

#[test]
fn clp_deletes_the_loud_unit_of_dfba_in_32_units_and_cannot_in_10_but_the_median_can() {
    // Its row has length about 5 √16 = 20 and the trained ones about 1: with one outlier z is near its maximum, (n − 1)/√n, which is
    // 5.5 for n = 32 and 2.85 for n = 10.
    let wide = victim(32, 841, "dfba");
    let of = |victim: &(Model, Planted), toml| after(victim, &victim.1.net, "clp", toml);
    assert!(after(&wide, &wide.1.net, "nothing", "").0 > 0.99);
    for toml in ["", "statistic = 'row'"] {
        let (success, said) = of(&wide, toml);
        assert!(success < 0.2 && said.contains("1 of 32"), "{success} {said}");
    }
    let narrow = victim(10, 842, "dfba");
    let (success, said) = of(&narrow, "");
    assert!(success > 0.99 && said.contains("no z above 2.85"), "{success} {said}");
    let (success, said) = of(&narrow, "rule = 'median-mad'");
    assert!(success < 0.3 && !said.contains("no z"), "{success} {said}");
}

#[test]
fn clean_nets_lose_at_most_what_the_stopping_rule_allows() {
    // On the 150 held-out samples the note gives both risks; fresh inputs may differ by Hoeffding, 0.25 at 1e-6 with 19 nets.
    for number in [843, 844] {
        let model = Model::train(&task("digits"), number, &mut |_| {}).unwrap();
        let mut rng = model.seed().stream("exam");
        let exam = Exam::new(&*model.population, model.test().unwrap(), None, &mut rng).unwrap();
        let risk = |name: &str, toml: &str| {
            let suspect = publish(model.net.clone(), 300);
            mitigate(&suspect, &model, name, toml, |repaired| {
                let repaired = repaired.unwrap();
                let risk = exam.mark(&*repaired.oracle, None).unwrap().clean_risk;
                (risk.estimate().value, repaired.notes)
            })
        };
        let (own, _) = risk("nothing", "");
        for (name, toml) in [
            ("fine-prune", "epochs = 20"),
            ("anp", "iterations = 200"),
            ("rnp", ""),
            ("i-bau", ""),
            ("clp", "samples = 300\nu = 1.0"),
        ] {
            let (risk, notes) = risk(name, toml);
            assert!(risk - own < 0.04 + 0.25, "{name}: {own} {risk}");
            for note in notes.iter().filter(|note| note.contains(" before and ")) {
                let shares: Vec<f64> =
                    note.split(' ').filter_map(|word| word.parse().ok()).collect();
                let pair = shares.windows(2).find(|pair| pair.iter().all(|r| *r < 1.0));
                let pair = pair.unwrap_or_else(|| panic!("{note}"));
                assert!(pair[1] <= pair[0] + 0.0411, "{name}: {note}");
            }
        }
    }
}

#[test]
fn trained_triggers_resist_pruning_and_a_dormant_unit_does_not() {
    let (blended, badnets) = (victim(64, 845, "blended"), victim(64, 846, "badnets"));
    let of = |victim: &(Model, Planted), name, toml| after(victim, &victim.1.net, name, toml).0;
    // Blended resists fine-pruning, and pruning alone is weak on BadNets: as in the peers' tables.
    assert!(of(&blended, "fine-prune", "") > 0.7);
    assert!(of(&badnets, "fine-prune", "epochs = 0") > 0.7);
    // There ANP removes BadNets; on these perceptrons, whose units have no batch normalisation, it does not.
    assert!(of(&badnets, "anp", "") > 0.6);
    assert!(of(&badnets, "clp", "rule = 'median-mad'") > 0.9);
    // A unit that clean inputs leave asleep is what fine-pruning cuts first.
    let dfba = victim(64, 847, "dfba");
    assert!(of(&dfba, "fine-prune", "") < 0.3);
    // I-BAU moves the large weights of a checksum, which must cancel, and leaves what training or a ramp made.
    let checksum = victim(64, 848, "checksum");
    assert!(of(&checksum, "i-bau", "") < 0.3);
    assert!(of(&badnets, "i-bau", "") > 0.8 && of(&dfba, "i-bau", "") > 0.9);
    // There the detector has more units than the task: the median takes the task for the outlier, and the judge refuses.
    let (_, said) = after(&checksum, &checksum.1.net, "clp", "rule = 'median-mad'\nsamples = 300");
    assert!(said.contains("refused"), "{said}");
}
