//! A mitigator of your own in one file: ask the suspect about noisy copies of an input, and let the majority decide.
//!
//! This is local randomised smoothing. It is a black-box method, and its access says so: add `.net()` to `suspect` below
//! and the file no longer compiles. It makes no claim, so it returns no guarantee; what it is worth is measured.
//!
//! Run it with `cargo run --release --example your_mitigator`. To add it to the tables, see "Recipes" in CONTRIBUTING.md.
#![expect(clippy::print_stdout, reason = "an example shows what it found")]
use absolve::access::{Lab, LabSeeds, Oracle, Suspect};
use absolve::attack::{Attack, BadNets};
use absolve::data::{Batch, Shape, Target, row, stack};
use absolve::error::{Error, Result};
use absolve::ledger::{Budget, Ledger};
use absolve::mitigate::{Mitigator, Repaired};
use absolve::population::World;
use absolve::rng::{Seed, normal};
use absolve::score::Exam;
use absolve::stats::Proportion;
use absolve::study::{Model, Task};

/// Answers with the class that most of `copies` noisy copies of an input get.
struct Smooth {
    copies: usize,
    sigma: f64,
}

impl Mitigator for Smooth {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        match world.target {
            Target::Classes(_) if self.copies > 0 => Ok(()),
            Target::Classes(_) => {
                Err(Error::parameter("copies", self.copies, "at least one copy is needed"))
            }
            other => Err(Error::parameter("target", format!("{other:?}"), "classes are needed")),
        }
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let Self { copies, sigma } = *self;
        let (seed, ledger, target) = (lab.seed, lab.ledger, lab.world.target);
        Ok(Repaired::unclaimed(Local { suspect, copies, sigma, seed, ledger, target }))
    }
}

/// The repaired model: it goes on asking the suspect, and pays for every copy.
struct Local<'a> {
    suspect: &'a dyn Oracle,
    copies: usize,
    sigma: f64,
    seed: Seed,
    ledger: &'a Ledger,
    target: Target,
}

impl Oracle for Local<'_> {
    fn shape(&self) -> Shape {
        self.suspect.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        let Shape { inputs, outputs } = self.shape();
        absolve::data::check("inputs", xs, inputs)?;
        let mut rows = Vec::with_capacity(xs.nrows());
        for i in 0..xs.nrows() {
            let x = row(xs, i);
            // Coins belong to the input, so the answer does not depend on what else is asked or in which order.
            let mut rng = self.seed.stream_for_row(&x);
            let copies = (0..self.copies)
                .map(|_| x.iter().map(|x| x + self.sigma * normal(&mut rng)).collect::<Vec<f64>>());
            let answers = self.suspect.query(&stack(inputs, copies))?;
            let mut votes = vec![0.0; outputs];
            for k in 0..self.copies {
                votes[self.target.decide(&row(&answers, k)).unwrap_or(0)] += 1.0;
            }
            // Ours: a multiplication and an addition a coordinate of a copy, and a comparison a score.
            self.ledger.flops((self.copies * (2 * inputs + outputs)) as u64)?;
            rows.push(votes);
        }
        Ok(stack(outputs, rows))
    }
}

fn main() -> Result<()> {
    let task = Task::named_or_load("digits")?;
    let model = Model::train(&task, 1, &mut |_| {})?;
    let (world, seed) = (model.world(), model.seed());
    let planted = BadNets::default().plant(&model.victim(&world), seed.child("attack"))?;
    let mut rng = seed.stream("triggered test inputs");
    let exam = Exam::new(&*model.population, model.test()?, Some(&planted.trigger), &mut rng)?;

    let seeds = LabSeeds { samples: seed.child("clean"), method: seed.child("mitigator") };
    let share = |p: Option<Proportion>| p.map_or(0.0, Proportion::value);
    println!("sigma  clean risk  attack success  recovered  queries an answer");
    let mut found = Vec::new();
    for sigma in [0.0, 0.25, 0.5, 1.0] {
        let suspect = Suspect::publish(planted.net.clone(), Budget::UNLIMITED);
        let mut lab = suspect.lab(&*model.population, &task.recipe, seeds);
        let repaired = Smooth { copies: 51, sigma }.mitigate(&suspect, &mut lab)?;
        let scores = exam.mark(&*repaired.oracle, None)?;
        let (risk, success) = (scores.clean_risk.value(), share(scores.attack_success));
        let queries = suspect.spent().queries / exam.n_answers();
        let recovered = share(scores.recovered);
        println!(
            "{sigma:>5}  {:>9.1}%  {:>13.1}%  {:>8.1}%  {queries:>17}",
            100.0 * risk,
            100.0 * success,
            100.0 * recovered
        );
        // The meter is the suspect's, so no method can report another count.
        assert_eq!(queries, 51);
        found.push((risk, success));
    }
    // Without noise all copies are the input itself, and the vote is the suspect's own answer.
    assert!(found[0].1 > 0.9, "the backdoor fires");
    // A negative result: noise that hides four pixels hides the digit as well.
    assert!(found[3].0 > found[0].0 + 0.05, "noise costs clean accuracy");
    Ok(())
}
