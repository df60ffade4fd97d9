//! Bounds of one box beside one forward pass, in time and in counted operations. Run with `cargo bench --bench bounds`.
//!
//! The pass is one row of a block of 128 on one thread: what a query costs where many are asked at once.
#![expect(clippy::print_stdout, reason = "a bench shows what it measured")]
use std::hint::black_box;
use std::time::Instant;

use absolve::data::Batch;
use absolve::ledger::{Budget, Ledger};
use absolve::net::{Activation, Bounder, Bounding, InputBox, Net, Precision};
use absolve::rng::{RngExt, Seed};

/// Seconds that one of `n` runs takes, the fastest of five times `n`.
fn fastest(n: u32, mut run: impl FnMut()) -> f64 {
    let once = |_| {
        let start = Instant::now();
        (0..n).for_each(|_| run());
        start.elapsed().as_secs_f64() / f64::from(n)
    };
    (0..5).map(once).collect::<Vec<_>>().into_iter().fold(f64::INFINITY, f64::min)
}

fn main() {
    let quick = std::env::args().any(|word| word == "--test");
    println!("widths            pass      interval            CROWN               flip by CROWN");
    println!(
        "                  [µs]      time/F  counted/F   time/F  counted/F   time/F  counted/F"
    );
    for widths in [&[2, 8, 1][..], &[10, 64, 1], &[10, 64, 64, 1], &[32, 128, 128, 1]] {
        let mut rng = Seed::new(1).stream("net");
        let net = Net::random(widths, Activation::Relu, Precision::F32, &mut rng).expect("a net");
        let ledger = Ledger::new(Budget::UNLIMITED);
        let bounder = Bounder::new(&net, &ledger).expect("no lock");
        let n = widths[0];
        let xs = Batch::from_shape_simple_fn((128, n), || rng.random_range(-1.0..=1.0));
        let part = InputBox::cube(n, -0.25, 0.5).expect("a box");
        let runs = if quick { 1 } else { 200 };
        let pass = fastest(runs, || drop(black_box(net.forward(&xs, &ledger)))) / 128.0;
        let mut line = format!("{:<18}{:<10.3}", format!("{widths:?}"), 1e6 * pass);
        let forward = net.forward_flops() as f64;
        for how in [Bounding::Interval, Bounding::Crown] {
            let time = fastest(runs, || drop(black_box(bounder.over(&part, how, &ledger))));
            let counted = bounder.flops(how) as f64 / forward;
            line += &format!("{:<8.1}{counted:<12.1}", time / pass);
        }
        let flip = || drop(black_box(bounder.flip(&part, 0, Bounding::Crown, &ledger)));
        let counted = bounder.flip_flops(Bounding::Crown) as f64 / forward;
        line += &format!("{:<8.1}{counted:.1}", fastest(runs, flip) / pass);
        println!("{line}");
    }
}
