//! Absolve beside PyTorch, JAX and onnxruntime: the same work on the same data, in turns, in one run.
//!
//! `cargo bench --bench peers`. The peers are started with `$ABSOLVE_PYTHON`, else `python3`; what is not installed there is
//! said to be skipped. With `--test` only Absolve runs, on little data, to see that it does.
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use absolve::access::{Oracle, Suspect};
use absolve::data::{Batch, Labeled, Target};
use absolve::ledger::{Budget, Ledger};
use absolve::net::{Activation, Lesson, Net, Precision, Recipe, Trainer, fit};
use absolve::rng::{RngExt, Seed, sign};
use rayon::prelude::*;

/// The program's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turns that Absolve and a peer take; of each the best counts, because neighbours only ever slow a run down.
const TURNS: usize = 3;

/// Times one kind of work: seconds of each repeat, after one to warm up.
type Work = Box<dyn Fn() -> Vec<f64>>;

/// A kind of work, and the peer that it is compared with.
struct Case {
    unit: &'static str,
    /// What is done in one repeat, in units.
    amount: f64,
    peer: Option<(&'static str, &'static str)>,
    target: f64,
    work: Work,
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let folder = tempfile::tempdir().expect("a folder for data");
    rayon::ThreadPoolBuilder::new()
        .num_threads(if quick { 1 } else { 2 })
        .build_global()
        .expect("no pool yet");
    let python = std::env::var("ABSOLVE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    say(&format!(
        "{:<46} {:>12} {:>12} {:>6} {:>7} {:>8}",
        "", "absolve", "peer", "ratio", "target", "peak MB"
    ));
    // A word on the command line picks the cases with that word in their names.
    let word = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |name: &str| word.as_ref().is_none_or(|word| name.contains(word.as_str()));
    for (name, case) in CASES.iter().filter(|(name, _)| wanted(name)) {
        let case = case(folder.path(), quick);
        let (mut ours, mut theirs) = (Vec::new(), Ok((String::new(), Vec::new())));
        for _ in 0..if quick { 1 } else { TURNS } {
            ours.extend((case.work)());
            if let (Some((work, _)), Ok((version, seconds)), false) =
                (case.peer, &mut theirs, quick)
            {
                match peer(&python, work, folder.path()) {
                    Ok((v, more)) => {
                        *version = v;
                        seconds.extend(more);
                    }
                    Err(why) => theirs = Err(why),
                }
            }
        }
        let rate = |seconds: &[f64]| case.amount / seconds.iter().copied().fold(f64::MAX, f64::min);
        let own = rate(&ours);
        let (number, ratio, note) = match (case.peer, &theirs) {
            (Some((_, name)), Err(why)) => {
                ("-".into(), "-".into(), format!("{name} skipped: {why}"))
            }
            (Some((_, name)), Ok((version, seconds))) if !seconds.is_empty() => {
                let other = rate(seconds);
                let ratio = format!("{:.2}", own / other);
                (format!("{other:.3}"), ratio, format!("{name} {version}"))
            }
            _ => ("-".into(), "-".into(), String::new()),
        };
        let label = format!("{name} ({})", case.unit);
        let (target, peak) = (case.target, peak());
        say(&format!(
            "{label:<46} {own:>12.3} {number:>12} {ratio:>6} {target:>7} {peak:>8} {note}"
        ));
    }
}

/// Makes a case with its data in a folder, large or to try it only.
type Make = fn(&Path, bool) -> Case;

/// What is compared, by name. The oracle first: the data to train on would hide how little memory it takes.
const CASES: &[(&str, Make)] = &[
    ("2^20 queries of 100-256-128-1", queries),
    ("one-row queries of 100-256-128-1", |_, _| one_row()),
    ("train 64 nets of 20-64-32-1, batch 64", |_, quick| many(quick)),
    ("train 784-256-128-10, batch 128", |folder, quick| training(folder, quick, 128, "train-128")),
    ("train 784-256-128-10, batch 1024", |folder, quick| {
        training(folder, quick, 1024, "train-1024")
    }),
];

#[expect(clippy::print_stdout, reason = "where the table of a benchmark goes")]
fn say(line: &str) {
    println!("{line}");
}

/// The most memory that was resident so far, in MB, where the system says.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kb.map_or_else(|| "-".to_owned(), |kb| (kb / 1000).to_string())
}

/// Runs one kind of work in Python: its package's version and the seconds of each repeat.
fn peer(python: &str, work: &str, folder: &Path) -> Result<(String, Vec<f64>), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/peers.py");
    let out = Command::new(python)
        .arg(script)
        .arg(work)
        .arg(folder)
        .output()
        .map_err(|error| format!("{python}: {error}"))?;
    let said = String::from_utf8_lossy(&out.stdout);
    let why = String::from_utf8_lossy(&out.stderr);
    let read: serde_json::Value = serde_json::from_str(&said)
        .map_err(|_| why.lines().last().unwrap_or("it said nothing").to_owned())?;
    let seconds = read["seconds"].as_array().into_iter().flatten();
    let version = read["version"].as_str().unwrap_or_default().to_owned();
    Ok((version, seconds.filter_map(serde_json::Value::as_f64).collect()))
}

fn net(widths: &[usize]) -> Net {
    let mut rng = Seed::new(1).stream("net");
    Net::random(widths, Activation::Relu, Precision::F32, &mut rng).expect("a net")
}

fn timed(work: impl Fn()) -> Vec<f64> {
    work();
    (0..3)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect()
}

fn training(folder: &Path, quick: bool, batch: usize, peer: &'static str) -> Case {
    let n = if quick { 1000 } else { 60_000 };
    let mut rng = Seed::new(2).stream("pixels");
    let pixels: Vec<u8> = (0..n * 784).map(|_| rng.random::<u8>()).collect();
    let classes: Vec<u8> = (0..n).map(|i| pixels[i * 784] / 26).collect();
    std::fs::write(folder.join("pixels.u8"), &pixels).expect("room for data");
    std::fs::write(folder.join("classes.u8"), &classes).expect("room for data");
    let xs = pixels.iter().map(|p| f64::from(*p) / 255.0).collect();
    let xs = Batch::from_shape_vec((n, 784), xs).expect("784 a row");
    let target = Target::Classes(10);
    let rows = classes.iter().map(|class| target.label_of(usize::from(*class)));
    let data = Labeled { xs, ys: absolve::data::stack(10, rows) };
    let work = move || {
        // One epoch to warm up, then three, timed each from the end of the one before.
        let recipe = Recipe {
            batch,
            epochs: if quick { 2 } else { 4 },
            learning_rate: 1e-3,
            trainer: Trainer::Fused,
            ..Recipe::default()
        };
        let lesson = Lesson { data: &data, target, recipe: &recipe, seed: Seed::new(3) };
        let mut last = None;
        let mut seconds = Vec::new();
        fit(&net(&[784, 256, 128, 10]), lesson, &Ledger::new(Budget::UNLIMITED), &mut |_| {
            if let Some(last) = last.replace(Instant::now()) {
                seconds.push(Instant::now().duration_since(last).as_secs_f64());
            }
        })
        .expect("training");
        seconds
    };
    Case {
        unit: "rows/s",
        amount: n as f64,
        peer: Some((peer, "torch")),
        target: 1.3,
        work: Box::new(work),
    }
}

fn many(quick: bool) -> Case {
    let n_nets: u32 = if quick { 2 } else { 64 };
    let mut rng = Seed::new(4).stream("many");
    let data: Vec<Labeled> = (0..n_nets)
        .map(|_| {
            let xs = Batch::from_shape_simple_fn((1024, 20), || sign(&mut rng));
            let ys = (&xs.column(0) * &xs.column(1)).insert_axis(ndarray::Axis(1));
            Labeled { xs, ys }
        })
        .collect();
    let recipe = Recipe { batch: 64, epochs: 16, learning_rate: 1e-3, ..Recipe::default() };
    let work = move || {
        timed(|| {
            data.par_iter().for_each(|data| {
                let lesson =
                    Lesson { data, target: Target::Real, recipe: &recipe, seed: Seed::new(3) };
                let ledger = Ledger::new(Budget::UNLIMITED);
                fit(&net(&[20, 64, 32, 1]), lesson, &ledger, &mut |_| {}).expect("training");
            });
        })
    };
    Case {
        unit: "net-steps/s",
        amount: 256.0 * f64::from(n_nets),
        peer: Some(("many", "jax")),
        target: 2.5,
        work: Box::new(work),
    }
}

fn queries(folder: &Path, quick: bool) -> Case {
    let (block, blocks) = (65_536, if quick { 1 } else { 16 });
    let mut rng = Seed::new(5).stream("signs");
    let bytes: Vec<u8> = (0..block * 100 / 8).map(|_| rng.random::<u8>()).collect();
    std::fs::write(folder.join("signs.bits"), &bytes).expect("room for data");
    // Most significant bit first, as numpy unpacks them.
    let signs = bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| f64::from(byte >> (7 - bit) & 1) * 2.0 - 1.0));
    let xs = Batch::from_shape_vec((block, 100), signs.collect()).expect("100 a row");
    let suspect = Suspect::publish(net(&[100, 256, 128, 1]), Budget::UNLIMITED);
    // Of three sizes of a batch all times count, as for the peer.
    let of_size = move |rows: usize| {
        let parts: Vec<Batch> =
            xs.axis_chunks_iter(ndarray::Axis(0), rows).map(|part| part.to_owned()).collect();
        timed(|| {
            for part in (0..blocks).flat_map(|_| &parts) {
                std::hint::black_box(suspect.query(part).expect("answers"));
            }
        })
    };
    let work = move || [1024, 8192, 65_536].into_iter().flat_map(&of_size).collect();
    Case {
        unit: "million/s",
        amount: (block * blocks) as f64 / 1e6,
        peer: Some(("oracle", "onnxruntime")),
        target: 1.2,
        work: Box::new(work),
    }
}

fn one_row() -> Case {
    let mut rng = Seed::new(6).stream("rows");
    let rows: Vec<Batch> =
        (0..1000).map(|_| Batch::from_shape_simple_fn((1, 100), || sign(&mut rng))).collect();
    let suspect = Suspect::publish(net(&[100, 256, 128, 1]), Budget::UNLIMITED);
    let work = move || {
        timed(|| {
            for x in &rows {
                std::hint::black_box(suspect.query(x).expect("an answer"));
            }
        })
    };
    Case { unit: "million/s", amount: 1000.0 / 1e6, peer: None, target: 0.2, work: Box::new(work) }
}
