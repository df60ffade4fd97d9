//! The sweep of `experiments/fourier`: the hashed search against sums of characters that are corrupted in seven ways.
//!
//! ```sh
//! cargo run --release --example fourier_sweep -- sweep > experiments/fourier/sweep.csv
//! cargo run --release --example fourier_sweep -- targets > experiments/fourier/targets.csv
//! cargo run --release --example fourier_sweep -- missing > experiments/fourier/missing.csv
//! ```
//!
//! One line a cell. `complete`: nothing of the support is missing from the list. `exact`: the list, after a choice by clean
//! samples as many as the mitigator would draw, is the support. `seconds` are those of the search without the answers.
//! A search is told τ, B and the failure probability, and nothing of k or of the corruption.
#![expect(clippy::print_stdout, reason = "it prints its records")]
mod adversary;

use absolve::error::Result;
use absolve::fourier::{Bits, Certificate, HashedSearch, Promised};
use absolve::rng::Seed;
use adversary::{Adversary, Attack, BOUND};

/// Failure probability of a certificate: the mitigator's default of 1e-3, less what its clean samples may take.
const FAILURE: f64 = 5e-4;
/// The first seed: those below 20,000 were looked at while the search's constants and the optimiser of its certificate were chosen, so no record is made with them.
const FIRST_SEED: u64 = 20_000;
/// Fresh inputs on which a missing coefficient is measured.
const N_MEASURED: u32 = 100_000;
/// Most queries of one search.
const MOST: u64 = 1 << 23;

/// One kind of instance.
#[derive(Clone, Copy)]
struct Cell {
    n: usize,
    k: usize,
    few: bool,
    attack: Attack,
    share: f64,
    trials: u64,
}

/// What became of its trials.
#[derive(Default)]
struct Tally {
    shut: u64,
    wrong: u64,
    complete: u64,
    exact: u64,
    spectrum: u64,
    queries: u64,
    most_queries: u64,
    certificate: u64,
    seconds: f64,
    tables: usize,
    numbers: usize,
}

fn main() -> Result<()> {
    let which = std::env::args().nth(1).unwrap_or_default();
    if which == "missing" {
        return missing();
    }
    let only: Option<usize> = std::env::args().nth(2).and_then(|n| n.parse().ok());
    let mut cells = if which == "targets" { targets() } else { sweep() };
    cells.retain(|cell| only.is_none_or(|n| n == cell.n));
    println!(
        "n,k,degree,attack,share,trials,shut,shut_and_incomplete,complete,exact_after_clean,by_spectrum,mean_queries,\
         most_queries,mean_certificate_queries,mean_seconds,mean_tables,most_megabytes"
    );
    for cell in cells {
        let mut tally = Tally::default();
        for trial in 0..cell.trials {
            run(&cell, trial, &mut tally)?;
        }
        print(&cell, &tally);
    }
    Ok(())
}

/// The cells that the method's targets are about.
fn targets() -> Vec<Cell> {
    let cell = |n, k, few, attack, share, trials| Cell { n, k, few, attack, share, trials };
    let mut cells = vec![
        cell(100, 20, false, Attack::None, 0.0, 100),
        cell(100, 20, false, Attack::Random, 0.05, 100),
        cell(1000, 20, true, Attack::Random, 0.01, 100),
        cell(1000, 100, false, Attack::Random, 0.01, 20),
        cell(100, 20, false, Attack::Point, 0.0, 100),
        cell(12, 5, false, Attack::Point, 0.0, 100),
    ];
    for attack in [Attack::Random, Attack::Decoy] {
        for share in [0.01, 0.05, 0.1] {
            cells.extend([false, true].map(|few| cell(100, 20, few, attack, share, 100)));
        }
    }
    cells
}

/// Every attack and share, over dimensions, numbers of characters and degrees.
fn sweep() -> Vec<Cell> {
    let attacks =
        [Attack::Random, Attack::Flip, Attack::Kill, Attack::Decoy, Attack::Cube, Attack::Tail];
    let mut cells = Vec::new();
    for n in [50, 100, 500, 1000] {
        for k in [5, 20, 100] {
            for few in [false, true] {
                let trials = if n * k > 20_000 { 5 } else { 20 };
                let at = |attack, share| Cell { n, k, few, attack, share, trials };
                cells.push(at(Attack::None, 0.0));
                for attack in attacks {
                    cells.extend([0.01, 0.05, 0.1].map(|share| at(attack, share)));
                }
            }
        }
    }
    cells
}

/// The cells of dimension 100 whose certificates were shut with something missing: how far the corruption moved what is missing.
/// More than τ/4 breaks the promise that the certificate rests on.
fn missing() -> Result<()> {
    println!("n,k,degree,attack,share,trial,truth,in_the_function,standard_error,moved_over_tau");
    let cells = sweep().into_iter().filter(|cell| {
        cell.n == 100
            && matches!(cell.attack, Attack::Kill | Attack::Cube)
            && cell.share > 0.01
            && cell.k < 100
    });
    for Cell { n, k, few, attack, share, trials } in cells {
        for trial in 0..trials {
            let seed =
                Seed::new(FIRST_SEED + trial).child(&format!("{n} {k} {few} {attack:?} {share}"));
            let mut function = Adversary::new(n, k, few, (attack, share), seed);
            let tau = function.tau();
            let search =
                HashedSearch { n, tau, bound: BOUND, failure: FAILURE, most_queries: MOST };
            let found = search.run(&mut function, &mut seed.stream("search"))?;
            let list: Vec<Bits> = found.terms.iter().map(|t| Bits::of(n, &t.support)).collect();
            if matches!(found.certificate, Certificate::Open { .. }) {
                continue;
            }
            for (set, value) in function.sets.iter().zip(&function.values) {
                if list.contains(set) {
                    continue;
                }
                let (mut sum, mut squares, mut rng) = (0.0, 0.0, seed.stream("missing"));
                for _ in 0..N_MEASURED {
                    let x = Bits::random(n, &mut rng);
                    let product = function.at(&x) * set.character(&x);
                    sum += product;
                    squares += product * product;
                }
                let count = f64::from(N_MEASURED);
                let (mean, error) = (sum / count, (squares / count).sqrt() / count.sqrt());
                let degree = if few { "few" } else { "any" };
                let name = format!("{attack:?}").to_lowercase();
                println!(
                    "{n},{k},{degree},{name},{share},{trial},{value:.4},{mean:.4},{error:.4},{:.3}",
                    (mean - value).abs() / tau
                );
            }
        }
    }
    Ok(())
}

/// One search, and the choice by clean samples.
fn run(cell: &Cell, trial: u64, tally: &mut Tally) -> Result<()> {
    let Cell { n, k, few, attack, share, .. } = *cell;
    let name = format!("{n} {k} {few} {attack:?} {share}");
    let seed = Seed::new(FIRST_SEED + trial).child(&name);
    let mut function = Adversary::new(n, k, few, (attack, share), seed);
    let tau = function.tau();
    let search = HashedSearch { n, tau, bound: BOUND, failure: FAILURE, most_queries: MOST };
    let from = std::time::Instant::now();
    let found = search.run(&mut function, &mut seed.stream("search"))?;
    tally.seconds += from.elapsed().as_secs_f64() - function.seconds;
    assert_eq!(found.queries, function.asked, "every query is counted");
    let list: Vec<Bits> = found.terms.iter().map(|term| Bits::of(n, &term.support)).collect();
    let complete = function.sets.iter().all(|set| list.contains(set));
    let kept = choose(&function, &list, seed);
    tally.complete += u64::from(complete);
    tally.exact += u64::from(complete && kept == k);
    tally.queries += found.queries;
    tally.most_queries = tally.most_queries.max(found.queries);
    tally.tables += found.n_tables;
    tally.numbers = tally.numbers.max(found.n_numbers);
    if let Certificate::Shut { promise, n_pilots, n_points, .. } = found.certificate {
        tally.shut += 1;
        tally.wrong += u64::from(!complete);
        tally.spectrum += u64::from(promise == Promised::Spectrum);
        tally.certificate += (n_pilots * n_points) as u64;
    }
    Ok(())
}

/// How many of the list have at least τ/2 on clean samples: as many as the mitigator draws for labels of second moment 1,
/// failure 1e-3 (see `mitigate/black_box/fourier_global/clean.rs`).
fn choose(function: &Adversary, list: &[Bits], seed: Seed) -> usize {
    let tau = function.tau();
    let union = 2.0 * (8.0 * (BOUND / tau).powi(2)).ceil() / 3.75e-4;
    let n_samples = ((8.0 + 8.0 * BOUND * tau / 3.0) * union.ln() / tau.powi(2)).ceil() as usize;
    let mut sums = vec![0.0; list.len()];
    let mut rng = seed.stream("clean");
    for _ in 0..n_samples {
        let x = Bits::random(function.n, &mut rng);
        let y = function.truth(&x);
        sums.iter_mut().zip(list).for_each(|(sum, set)| *sum += y * set.character(&x));
    }
    sums.iter().filter(|sum| sum.abs() / n_samples as f64 >= tau / 2.0).count()
}

fn print(cell: &Cell, tally: &Tally) {
    let Cell { n, k, few, attack, share, trials } = *cell;
    let mean = |sum: f64| sum / trials as f64;
    println!(
        "{n},{k},{},{},{share},{trials},{},{},{},{},{},{:.0},{},{:.0},{:.4},{:.1},{:.1}",
        if few { "few" } else { "any" },
        format!("{attack:?}").to_lowercase(),
        tally.shut,
        tally.wrong,
        tally.complete,
        tally.exact,
        tally.spectrum,
        mean(tally.queries as f64),
        tally.most_queries,
        tally.certificate as f64 / tally.shut.max(1) as f64,
        mean(tally.seconds),
        mean(tally.tables as f64),
        tally.numbers as f64 * 8e-6,
    );
}
