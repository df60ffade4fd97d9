//! The paths on which a study spends its time. Run with `cargo bench`; compare figures of one run only.
use absolve::access::{LabSeeds, Oracle, Suspect};
use absolve::attack::Victim;
use absolve::data::{Batch, Labeled, Target};
use absolve::domain::Domain;
use absolve::fourier::{FourierSum, HeavySearch, Questions, Term, walsh_hadamard};
use absolve::ledger::{Budget, Ledger};
use absolve::net::{Activation, Lesson, Net, Precision, Recipe, fit};
use absolve::population::{AffineFamily, Family, Promise, World};
use absolve::registry::{Params, attack_named, mitigator_named};
use absolve::rng::{RngExt, Seed, sign};
use absolve::study::{Model, Spec, Task};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

fn net(widths: &[usize], precision: Precision) -> Net {
    Net::random(widths, Activation::Relu, precision, &mut Seed::new(1).stream("net"))
        .expect("a net")
}

fn signs(n: usize, width: usize) -> Batch {
    let mut rng = Seed::new(2).stream("xs");
    Batch::from_shape_simple_fn((n, width), || sign(&mut rng))
}

/// Forward passes of 100-256-128-1, rows a call.
#[divan::bench(args = [1, 256, 1024, 65536], sample_count = 20)]
fn forward(bencher: Bencher<'_, '_>, rows: usize) {
    let net = net(&[100, 256, 128, 1], Precision::F32);
    let xs = signs(rows, 100);
    let ledger = Ledger::new(Budget::UNLIMITED);
    bencher.counter(ItemsCount::new(rows)).bench_local(|| black_box(net.forward(&xs, &ledger)));
}

/// Planting in a net of 784-256-128-10, with what an attacker measures on 1,000 training rows.
#[divan::bench(
    args = ["half-space", "small-ball", "handcrafted", "dfba", "ripple", "checksum", "signature", "persistent"],
    sample_count = 3
)]
fn plant(bencher: Bencher<'_, '_>, method: &str) {
    let net = net(&[784, 256, 128, 10], Precision::F32);
    let mut rng = Seed::new(3).stream("images");
    let xs = Batch::from_shape_simple_fn((1000, 784), || rng.random::<f64>());
    let ys = Batch::from_shape_fn((1000, 10), |(i, class)| f64::from(u8::from(i % 10 == class)));
    let data = Labeled { xs, ys };
    let domain = Domain::Range { n: 784, low: 0.0, high: 1.0 };
    let world =
        World { domain, target: Target::Classes(10), promise: Promise::Nothing, cutoff: 0.0 };
    let recipe = Recipe { hidden: vec![256, 128], ..Recipe::default() };
    let victim = Victim {
        net: &net,
        init: &net,
        data: &data,
        world: &world,
        recipe: &recipe,
        training: Seed::new(4),
    };
    let entry = attack_named(method).expect("an attack");
    let attack = (entry.build)(&Params::default()).expect("its defaults").method;
    bencher.bench_local(|| black_box(attack.plant(&victim, Seed::new(5)).is_ok()));
}

/// One epoch of 4,096 rows in batches, nets of 20-64-32-1.
#[divan::bench(args = [32, 128], sample_count = 10)]
fn training_epoch(bencher: Bencher<'_, '_>, batch: usize) {
    let start = net(&[20, 64, 32, 1], Precision::F32);
    let xs = signs(4096, 20);
    let ys = signs(4096, 1);
    let data = Labeled { xs, ys };
    let recipe = Recipe { batch, epochs: 1, ..Recipe::default() };
    let ledger = Ledger::new(Budget::UNLIMITED);
    bencher.counter(ItemsCount::new(4096_usize)).bench_local(|| {
        let lesson =
            Lesson { data: &data, target: Target::Sign, recipe: &recipe, seed: Seed::new(3) };
        black_box(fit(&start, lesson, &ledger, &mut |_| {}))
    });
}

/// Answers of the two ray mitigators on the affine task of the default study, at their defaults.
#[divan::bench(args = ["affine-ray", "affine-exact-ray"], sample_count = 10)]
fn ray_answers(bencher: Bencher<'_, '_>, method: &str) {
    let task = affine_task();
    let model = Model::untrained(&task, 1).expect("a model");
    let xs = model.test().expect("test inputs").xs;
    let suspect = Suspect::publish(model.net.clone(), Budget::UNLIMITED);
    let entry = mitigator_named(method).expect("a mitigator");
    let built = (entry.build)(&Params::new()).expect("defaults");
    let seeds = LabSeeds { samples: Seed::new(1), method: Seed::new(2) };
    let mut lab = suspect.lab(&*model.population, &task.recipe, seeds);
    let repaired = built.method.mitigate(&suspect, &mut lab).expect("a repaired model");
    bencher
        .counter(ItemsCount::new(xs.nrows()))
        .bench_local(|| black_box(repaired.oracle.query(&xs)));
}

/// 10,000 answers on a net of 64-128-1 over a box, at the methods' defaults; `alone` is the net asked once an answer, and
/// `alone, as often` as many times as `affine-ray` asks it, in calls of the same size.
#[divan::bench(
    args = ["alone", "alone, as often", "affine-ray", "affine-contract", "affine-gauss"],
    sample_count = 5
)]
fn local_answers(bencher: Bencher<'_, '_>, method: &str) {
    const ANSWERS: usize = 10_000;
    let domain = match method {
        "affine-gauss" => Domain::Gauss { n: 64 },
        _ => Domain::Box { n: 64 },
    };
    let mut task = affine_task();
    task.population = Family::Affine(AffineFamily { domain, ..AffineFamily::default() });
    (task.test, task.recipe.hidden) = (ANSWERS, vec![128]);
    let model = Model::untrained(&task, 1).expect("a model");
    let xs = model.test().expect("test inputs").xs;
    let suspect = Suspect::publish(model.net.clone(), Budget::UNLIMITED);
    let bencher = bencher.counter(ItemsCount::new(ANSWERS));
    let name = if method.starts_with("alone") { "affine-ray" } else { method };
    let entry = mitigator_named(name).expect("a mitigator");
    let built = (entry.build)(&Params::new()).expect("defaults");
    let plan = built.method.plan(&model.world()).expect("defaults fit").expect("a plan");
    let block = 64;
    match method {
        "alone" => bencher.bench_local(|| black_box(suspect.query(&xs))),
        "alone, as often" => {
            let call = xs.slice(ndarray::s![..block, ..]).to_owned();
            let one =
                ndarray::concatenate(ndarray::Axis(0), &vec![call.view(); plan.queries as usize]);
            let one = one.expect("rows of one width");
            bencher.bench_local(|| {
                (0..ANSWERS.div_ceil(block)).for_each(|_| drop(black_box(suspect.query(&one))));
            });
        }
        _ => {
            let seeds = LabSeeds { samples: Seed::new(1), method: Seed::new(2) };
            let mut lab = suspect.lab(&*model.population, &task.recipe, seeds);
            let repaired = built.method.mitigate(&suspect, &mut lab).expect("a repaired model");
            bencher.bench_local(|| black_box(repaired.oracle.query(&xs)));
        }
    }
}

fn affine_task() -> Task {
    let spec = Spec::default_study().expect("the default study");
    let task = spec.tasks.into_iter().find(|task| task.name == "affine");
    Task { train: 10, ..task.expect("an affine task") }
}

/// The tree search for a majority of three parities, estimates and all, on an oracle that costs next to nothing.
#[divan::bench(args = [16, 32], sample_count = 3)]
fn heavy_tree(bencher: Bencher<'_, '_>, n: usize) {
    let term = |support: Vec<usize>, value| Term { support, value };
    let truth = FourierSum::new(vec![
        term(vec![0, 3], 0.5),
        term(vec![1, 4], 0.5),
        term(vec![2], 0.5),
        term(vec![0, 1, 2, 3, 4], -0.5),
    ]);
    let search = HeavySearch { n, tau: 0.5, bound: 1.0, failure: 1e-3 };
    bencher
        .counter(ItemsCount::new(search.queries()))
        .bench_local(|| search.run(&mut Free(&truth), &mut Seed::new(1).stream("search")));
}

/// A function that answers without a charge.
struct Free<'a>(&'a FourierSum);

impl Questions for Free<'_> {
    fn ask(&mut self, xs: &Batch) -> absolve::error::Result<Batch> {
        Ok(self.0.at_all(xs))
    }

    fn work(&mut self, _: u64) -> absolve::error::Result<()> {
        Ok(())
    }
}

/// The fast transform of a table of 2^n values.
#[divan::bench(args = [12, 16, 20], sample_count = 20)]
fn transform(bencher: Bencher<'_, '_>, n: u32) {
    let table: Vec<f64> = (0..1_usize << n).map(|i| (i % 7) as f64).collect();
    bencher.counter(ItemsCount::new(table.len())).with_inputs(|| table.clone()).bench_local_values(
        |mut values| {
            walsh_hadamard(&mut values);
            values
        },
    );
}
