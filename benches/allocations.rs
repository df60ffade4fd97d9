//! Allocations of local answers: they must not grow with the queries an answer takes. Run with `cargo bench --bench allocations`.
//!
//! Each line is 64 answers in one call. What is allocated is for the answers (a stream of coins each, their checks) and for the call
//! (a batch, and what the net's own pass takes); a hundred times as many queries add nothing but the sizes.
use absolve::access::{LabSeeds, Suspect};
use absolve::domain::{Domain, Polytope, PolytopeSpec};
use absolve::ledger::Budget;
use absolve::population::{AffineFamily, Family};
use absolve::registry::{Params, mitigator_named};
use absolve::rng::Seed;
use absolve::study::{Model, Spec};
use divan::{AllocProfiler, Bencher, black_box};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// 64 answers of `method` over a box or over a polytope, with so many queries each.
#[divan::bench(
    args = [
        ("affine-ray", "box", 6), ("affine-ray", "box", 600), ("affine-ray", "polytope", 6), ("affine-ray", "polytope", 600),
        ("affine-contract", "box", 6), ("affine-contract", "box", 600), ("affine-contract", "polytope", 600),
    ],
    sample_count = 3
)]
fn local_answers(bencher: Bencher<'_, '_>, (method, body, queries): (&str, &str, i64)) {
    let walls = PolytopeSpec {
        a: vec![vec![-1.0, 0.0], vec![0.0, -1.0], vec![1.0, 1.0]],
        b: vec![0.0, 0.0, 1.0],
    };
    let domain = match body {
        "box" => Domain::Box { n: 4 },
        _ => Domain::Polytope(Polytope::new(walls).expect("a triangle")),
    };
    let spec = Spec::default_study().expect("the default study");
    let mut task = spec.tasks.into_iter().find(|task| task.name == "affine").expect("a task");
    task.population = Family::Affine(AffineFamily { domain, ..AffineFamily::default() });
    (task.train, task.test, task.recipe.hidden) = (10, 64, vec![8]);
    let model = Model::untrained(&task, 1).expect("a model");
    let xs = model.test().expect("test inputs").xs;
    let suspect = Suspect::publish(model.net.clone(), Budget::UNLIMITED);
    let params = Params::from_iter([("queries".to_owned(), toml::Value::Integer(queries))]);
    let built = (mitigator_named(method).expect("a mitigator").build)(&params).expect("parameters");
    let seeds = LabSeeds { samples: Seed::new(1), method: Seed::new(2) };
    let mut lab = suspect.lab(&*model.population, &task.recipe, seeds);
    let repaired = built.method.mitigate(&suspect, &mut lab).expect("a repaired model");
    bencher.bench_local(|| black_box(repaired.oracle.query(&xs)));
}
