//! Train a net, plant a backdoor in it, mitigate by queries alone, and score what comes out.
//!
//! Run it with `cargo run --release --example quickstart`; it takes a few seconds.
#![expect(clippy::print_stdout, reason = "an example shows what it found")]
use absolve::access::{LabSeeds, Suspect};
use absolve::attack::{Attack, HalfSpace};
use absolve::error::Result;
use absolve::ledger::Budget;
use absolve::mitigate::Mitigator;
use absolve::mitigate::black_box::FourierGlobal;
use absolve::net::Net;
use absolve::score::{Exam, Scores};
use absolve::stats::Proportion;
use absolve::study::{Model, Task};

fn main() -> Result<()> {
    // Nature: a function with four heavy Fourier coefficients on {−1, +1}^32, and a net that was trained on it.
    let task = Task::named_or_load("fourier")?;
    let model = Model::train(&task, 1, &mut |_| {})?;
    let world = model.world();
    let seed = model.seed();

    // The attacker gets the clean net and gives back a planted one, and apart from it the trigger.
    let attack = HalfSpace { mass: 0.002, ..HalfSpace::default() };
    let planted = attack.plant(&model.victim(&world), seed.child("attack"))?;

    // A published net can only be reached through a suspect, which counts what is asked of it.
    let publish = |net: &Net| {
        let budget = Budget { queries: Some(20_000), clean_labels: Some(400), ..Budget::default() };
        Suspect::publish(net.clone(), budget)
    };
    let seeds = LabSeeds { samples: seed.child("clean"), method: seed.child("mitigator") };
    let suspect = publish(&planted.net);
    let mut lab = suspect.lab(&*model.population, &task.recipe, seeds);
    let repaired = FourierGlobal::default().mitigate(&suspect, &mut lab)?;
    let spent = suspect.spent();

    // Only the exam sees trigger and model together.
    let mut rng = seed.stream("triggered test inputs");
    let exam = Exam::new(&*model.population, model.test()?, Some(&planted.trigger), &mut rng)?;
    let before = exam.mark(&Suspect::publish(planted.net.clone(), Budget::UNLIMITED), None)?;
    let after = exam.mark(&*repaired.oracle, None)?;
    let success = |marks: &Scores| marks.attack_success.map_or(0.0, Proportion::value);
    println!("attack success before: {:.1}%", 100.0 * success(&before));
    println!("attack success after:  {:.1}%", 100.0 * success(&after));
    println!("spent: {} queries, {} clean labels", spent.queries, spent.clean_labels);
    assert!(success(&before) > 0.99, "the planted net obeys its trigger");
    assert!(success(&after) < 0.01, "the repaired function does not");
    assert!(spent.queries <= 20_000 && spent.clean_labels == 400);

    // With the same coins, the clean twin gives the same function to the last bit: the backdoor left no trace in it.
    let twin = publish(&model.net);
    let mut lab = twin.lab(&*model.population, &task.recipe, seeds);
    let canonical = FourierGlobal::default().mitigate(&twin, &mut lab)?;
    assert_eq!(repaired.function, canonical.function);
    println!("the clean twin gives the same function, bit for bit");
    Ok(())
}
