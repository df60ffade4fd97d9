//! Held to candle: gradients, moments and loss curves; and to itself, on any number of threads.
use super::Fused;
use crate::data::{Batch, Labeled, Target};
use crate::net::candle::Autodiff;
use crate::net::learner::Learner;
use crate::net::{Activation, Layer, Loss, Net, Optimizer, Precision, Recipe};
use crate::rng::{RngExt, Seed, normal};

/// Widths that fill no panel and widths that do; one layer and four.
const SHAPES: [&[usize]; 4] = [&[5, 3], &[7, 33, 3], &[16, 32, 16, 3], &[37, 20, 9, 18, 3]];

fn case(widths: &[usize], activation: Activation, target: Target) -> (Net, Labeled) {
    let mut rng = Seed::new(1).stream("case");
    let mut widths = widths.to_vec();
    *widths.last_mut().unwrap() = target.outputs();
    let net = Net::random(&widths, activation, Precision::F64, &mut rng).unwrap();
    let n = 77;
    let xs = Batch::from_shape_simple_fn((n, widths[0]), || normal(&mut rng));
    let ys = crate::data::stack(
        target.outputs(),
        (0..n).map(|_| match target.n_classes() {
            Some(k) => target.label_of(rng.random_range(0..k)),
            None => vec![normal(&mut rng)],
        }),
    );
    (net, Labeled { xs, ys })
}

fn recipe(loss: Loss, optimizer: Optimizer) -> Recipe {
    Recipe { loss: Some(loss), optimizer, ..Recipe::default() }
}

/// The gradient, read off one step of plain descent of size 1.
fn gradient(mut learner: impl Learner, start: &Net, rows: &[u32]) -> Vec<f64> {
    learner.step(rows, 1.0).unwrap();
    let moved = learner.net().unwrap();
    let parts = |layer: &Layer| layer.weight.iter().chain(&layer.bias).copied().collect::<Vec<_>>();
    let before = start.layers().iter().flat_map(parts);
    before.zip(moved.layers().iter().flat_map(parts)).map(|(w, m)| w - m).collect()
}

#[test]
fn gradients_are_candles_to_ten_digits() {
    let plain = Optimizer::Sgd { momentum: 0.0 };
    let losses = [
        (Loss::Mse, Target::Real),
        (Loss::Mse, Target::Classes(3)),
        (Loss::CrossEntropy, Target::Sign),
        (Loss::CrossEntropy, Target::Classes(3)),
    ];
    for widths in SHAPES {
        for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu] {
            for (loss, target) in losses {
                let (net, data) = case(widths, activation, target);
                let recipe = recipe(loss, plain);
                let rows: Vec<u32> = (0..70).map(|i| (i * 31) % 77).collect();
                let candle = Autodiff::new(&net, &data, target, &recipe).unwrap();
                let fused = Fused::<f64>::new(&net, &data, target, &recipe).unwrap();
                let want = gradient(candle, &net, &rows);
                let got = gradient(fused, &net, &rows);
                let size = want.iter().map(|w| w.abs()).fold(0.0, f64::max);
                let worst = got.iter().zip(&want).map(|(g, w)| (g - w).abs()).fold(0.0, f64::max);
                assert!(
                    worst <= 1e-10 * size,
                    "{widths:?} {activation:?} {loss:?}: {worst:e} of {size:e}"
                );
            }
        }
    }
}

#[test]
fn two_hundred_steps_follow_candles_loss_curve() {
    let rules = [(Optimizer::Adam, 0.01, 1e-3), (Optimizer::Sgd { momentum: 0.9 }, 1e-4, 0.02)];
    for (optimizer, weight_decay, rate) in rules {
        for (activation, target) in
            [(Activation::Relu, Target::Classes(3)), (Activation::Gelu, Target::Real)]
        {
            let (net, data) = case(&[16, 40, 24, 3], activation, target);
            let net = Net::new(net.layers().to_vec(), Precision::F32).unwrap();
            let recipe = Recipe { optimizer, weight_decay, ..Recipe::default() };
            let mut candle = Autodiff::new(&net, &data, target, &recipe).unwrap();
            let mut fused = Fused::<f32>::new(&net, &data, target, &recipe).unwrap();
            for step in 0..200_u32 {
                let rows: Vec<u32> = (0..32).map(|i| (step * 32 + i) % 77).collect();
                let (a, b) = (candle.step(&rows, rate).unwrap(), fused.step(&rows, rate).unwrap());
                assert!(
                    (a - b).abs() <= 1e-4 * a.max(1.0),
                    "{optimizer:?} {target:?} step {step}: {a} and {b}"
                );
            }
            let (a, b) = (candle.loss_on(&data).unwrap(), fused.loss_on(&data).unwrap());
            assert!((a - b).abs() <= 1e-4 * a.max(1.0), "{optimizer:?} at the end: {a} and {b}");
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_chunks_or_threads() {
    let (net, data) = case(&[16, 40, 24, 3], Activation::Tanh, Target::Classes(3));
    let recipe = Recipe::default();
    let rows: Vec<u32> = (0..300).map(|i| (i * 7) % 77).collect();
    let trained = |threads: usize, spread: bool| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut fused = Fused::<f64>::new(&net, &data, Target::Classes(3), &recipe).unwrap();
        fused.threads = threads;
        pool.install(|| {
            let losses: Vec<f64> = (0..5)
                .map(|_| {
                    let loss = fused.differentiate(&rows, spread);
                    fused.update(rows.len(), 1e-2, spread);
                    loss
                })
                .collect();
            (losses, fused.net().unwrap())
        })
    };
    let want = trained(1, false);
    assert_eq!(want, trained(2, true));
    assert_eq!(want, trained(5, true));
}
