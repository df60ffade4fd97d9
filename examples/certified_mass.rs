//! What weights buy for a certificate: `certified-mass` beside `sampled-mass` at equal work, as the work and the dimension
//! grow.
//!
//! `cargo run --release --example certified_mass` prints a small table; with `full` it prints the records of
//! `experiments/estimators/certified-mass.csv`, in about two minutes.
#![expect(clippy::print_stdout, reason = "an example shows what it found")]
use absolve::access::{LabSeeds, Suspect};
use absolve::attack::{Attack, HalfSpace};
use absolve::domain::Domain;
use absolve::error::Result;
use absolve::estimator::{Estimated, Interval};
use absolve::ledger::Budget;
use absolve::net::Net;
use absolve::population::{AffineFamily, Family};
use absolve::registry::{Params, estimator_named};
use absolve::rng::Seed;
use absolve::study::{Model, Task};

/// What is too far: five times the closeness that the class promises, so that a clean net is hardly anywhere too far.
const DELTA: f64 = 0.05;
/// Clean samples for the reference.
const SAMPLES: i64 = 300;

/// Which nets are searched, and with how much work.
struct Grid {
    dimensions: &'static [usize],
    hidden: &'static [&'static [usize]],
    models: u64,
    passes: &'static [f64],
}

const SMALL: Grid = Grid { dimensions: &[2, 4], hidden: &[&[8]], models: 1, passes: &[1e3, 1e4] };
const FULL: Grid = Grid {
    dimensions: &[2, 3, 4, 6, 8, 10],
    hidden: &[&[8], &[16], &[32], &[64], &[16, 16]],
    models: 3,
    passes: &[1e2, 1e3, 1e4, 1e5, 1e6],
};

fn main() -> Result<()> {
    let grid = if std::env::args().any(|word| word == "full") { FULL } else { SMALL };
    println!("n,hidden,model,net,bounding,passes,low,high,queries,hits,high_95,high_1e-6");
    for &n in grid.dimensions {
        for &hidden in grid.hidden {
            for number in 1..=grid.models {
                let mut task = Task::named_or_load("affine")?;
                let family = AffineFamily { domain: Domain::Box { n }, ..AffineFamily::default() };
                task.population = Family::Affine(family);
                task.recipe.hidden = hidden.to_vec();
                let widths: Vec<String> = hidden.iter().map(usize::to_string).collect();
                let widths = widths.join("-");
                let model = Model::train(&task, number, &mut |_| {})?;
                let attack = HalfSpace { mass: 0.002, ..HalfSpace::default() };
                let seed = model.seed().child("attack");
                let planted = attack.plant(&model.victim(&model.world()), seed)?.net;
                for (name, net) in [("clean", &model.net), ("planted", &planted)] {
                    // A million where it can still turn the tables, and intervals only as far as it takes to see that they do not.
                    for passes in grid.passes.iter().filter(|passes| n <= 4 || **passes < 1e6) {
                        for bounding in
                            ["crown", "interval"].iter().take(if *passes < 1e5 { 2 } else { 1 })
                        {
                            let row = compare(&model, net, bounding, *passes)?;
                            println!("{n},{widths},{number},{name},{bounding},{passes},{row}");
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Both arms on `net`, the black-box one with as many queries as cost no more than what the search spent.
fn compare(model: &Model, net: &Net, bounding: &str, passes: f64) -> Result<String> {
    let (certified, spent) = estimate(model, net, "certified-mass", |params| {
        params.insert("passes".to_owned(), passes.into());
        params.insert("bounding".to_owned(), bounding.into());
    })?;
    // The fit of the reference is in both; a query costs its pass, the reference's, the drawing and the comparison.
    let (_, fit) = estimate(model, net, "certified-mass", |params| {
        params.insert("passes".to_owned(), 0.0.into());
    })?;
    let n = model.world().domain.n() as u64;
    let queries = (spent - fit) / (net.forward_flops() + 2 * n + n + 3);
    let sampled = |failure: f64| {
        estimate(model, net, "sampled-mass", |params| {
            params.insert("queries".to_owned(), (queries as i64).into());
            params.insert("failure".to_owned(), failure.into());
        })
    };
    let ((often, _), (surely, _)) = (sampled(0.05)?, sampled(1e-6)?);
    let Interval { low, high, .. } = interval(&certified);
    let hits = (often.quantities[0].value * queries as f64).round();
    let (often, surely) = (interval(&often).high, interval(&surely).high);
    Ok(format!("{low:e},{high:e},{queries},{hits},{often:.4e},{surely:.4e}"))
}

fn interval(estimated: &Estimated) -> Interval {
    estimated.quantities[0].interval.expect("both arms give one")
}

/// What an estimator says, and the operations that it took.
fn estimate(
    model: &Model,
    net: &Net,
    name: &str,
    set: impl Fn(&mut Params),
) -> Result<(Estimated, u64)> {
    let mut params = Params::new();
    params.insert("delta".to_owned(), DELTA.into());
    params.insert("samples".to_owned(), SAMPLES.into());
    set(&mut params);
    let method = (estimator_named(name)?.build)(&params)?.method;
    let suspect = Suspect::publish(net.clone(), Budget::UNLIMITED);
    let seed = Seed::new(1);
    let seeds = LabSeeds { samples: seed.child("clean"), method: seed.child(name) };
    let mut lab = suspect.lab(&*model.population, &model.task.recipe, seeds);
    let estimated = method.estimate(&suspect, &mut lab)?;
    Ok((estimated, suspect.spent().flops))
}
