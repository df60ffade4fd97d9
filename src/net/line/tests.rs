//! Restrictions beside brute force at every depth, by hand, and at the edges.
use ndarray::{Array2, array};

use super::*;
use crate::data::Batch;
use crate::ledger::Budget;
use crate::net::Precision;
use crate::rng::{Rng, RngExt, Seed, direction, normal};

fn free() -> Ledger {
    Ledger::new(Budget::UNLIMITED)
}

fn layer(weight: Array2<f64>, bias: Vec<f64>, activation: Activation) -> Layer {
    Layer { weight, bias: bias.into(), activation }
}

/// A random net, with units that are dead, equal, parallel, and at rest in `start` exactly at their kink.
fn awkward(widths: &[usize], scale: f64, start: &[f64], rng: &mut Rng) -> Net {
    let random = Net::random(widths, Activation::Relu, Precision::F64, rng).unwrap();
    let mut layers = random.layers().to_vec();
    layers.iter_mut().for_each(|l| l.bias.mapv_inplace(|_| 0.5 * normal(rng)));
    for l in &mut layers[..widths.len() - 2] {
        if l.bias.len() < 5 {
            continue;
        }
        l.weight.row_mut(0).fill(0.0);
        l.bias[0] = if rng.random::<bool>() { -1.0 } else { 0.0 };
        let (row, bias) = (l.weight.row(1).to_owned(), l.bias[1]);
        l.weight.row_mut(2).assign(&row);
        l.bias[2] = bias;
        l.weight.row_mut(3).assign(&(&row * -2.0));
    }
    if layers[0].bias.len() >= 5 {
        layers[0].bias[4] = 0.0;
        let z: f64 = layers[0].weight.row(4).iter().zip(start).map(|(w, x)| w * x).sum();
        layers[0].bias[4] = -z;
    }
    layers[0].weight *= scale;
    layers[0].bias *= scale;
    Net::new(layers, Precision::F64).unwrap()
}

/// Sizes of what is added up: the net with absolute values of everything.
fn magnitude(net: &Net, x: &[f64]) -> f64 {
    let mut values: Vec<f64> = x.iter().map(|x| x.abs()).collect();
    for l in net.layers() {
        let rows = l.weight.rows().into_iter().zip(&l.bias);
        values = rows
            .map(|(w, b)| w.iter().zip(&values).map(|(w, x)| w.abs() * x).sum::<f64>() + b.abs())
            .collect();
    }
    values[0]
}

fn answer(net: &Net, start: &[f64], d: &[f64], t: f64) -> (f64, f64) {
    let x: Vec<f64> = start.iter().zip(d).map(|(x, d)| x + t * d).collect();
    let scale = magnitude(net, &x);
    let got = net.forward(&Batch::from_shape_vec((1, x.len()), x).unwrap(), &free()).unwrap();
    (got[[0, 0]], scale)
}

const SHAPES: [&[usize]; 9] = [
    &[6, 1, 1],
    &[6, 30, 1],
    &[1, 9, 1],
    &[6, 1, 1, 1],
    &[6, 24, 17, 1],
    &[1, 7, 9, 1],
    &[6, 16, 12, 9, 1],
    &[6, 1, 1, 1, 1],
    &[6, 10, 9, 8, 7, 1],
];

#[test]
fn a_restriction_is_the_net_itself_at_every_point_of_the_line_at_every_depth() {
    for (seed, (widths, scale)) in (0..3)
        .flat_map(|_| SHAPES)
        .flat_map(|widths| [1.0, 1e6, 1e-6].map(|scale| (widths, scale)))
        .enumerate()
    {
        let mut rng = Seed::new(seed as u64).stream("net");
        let start: Vec<f64> = (0..widths[0]).map(|_| normal(&mut rng)).collect();
        let net = awkward(widths, scale, &start, &mut rng);
        let d = direction(widths[0], &mut rng);
        let line = Line::from(&net, &start, &free()).unwrap();
        let pieces = line.along(&d, 4.0, &free()).unwrap();
        assert!(pieces.knots.windows(2).all(|pair| pair[0] <= pair[1]), "{widths:?} seed {seed}");
        assert_eq!((pieces.knots[0], pieces.end()), (0.0, 4.0));
        let middles = pieces.knots.windows(2).map(|pair| f64::midpoint(pair[0], pair[1]));
        let random = (0..50).map(|_| 4.0 * rng.random::<f64>());
        for t in middles.chain(pieces.knots.iter().copied()).chain(random.collect::<Vec<_>>()) {
            let (want, size) = answer(&net, &start, &d, t);
            let got = pieces.at(t);
            assert!(
                (got - want).abs() <= 1e-11 * size,
                "{widths:?} × {scale}, seed {seed}, t {t}: {got} for {want}"
            );
        }
        // Nowhere to go: a constant.
        let still = line.along(&vec![0.0; widths[0]], 4.0, &free()).unwrap();
        let (want, size) = answer(&net, &start, &d, 0.0);
        assert_eq!(still.knots, [0.0, 4.0]);
        assert!(still.values.iter().all(|v| (v - want).abs() <= 1e-11 * size));
    }
}

#[test]
fn the_piece_of_a_point_ends_at_the_first_knots_of_the_line_through_it() {
    for (seed, widths) in (0..6).flat_map(|_| SHAPES).enumerate() {
        let mut rng = Seed::new(100 + seed as u64).stream("net");
        // The net is at rest at 0; the point is another.
        let net = awkward(widths, 1.0, &vec![0.0; widths[0]], &mut rng);
        let x: Vec<f64> = (0..widths[0]).map(|_| normal(&mut rng)).collect();
        let d = direction(widths[0], &mut rng);
        let spot = Spot::at(&net, &x, &free()).unwrap();
        let piece = spot.piece(&d, &free()).unwrap();
        let line = Line::from(&net, &x, &free()).unwrap();
        for (far, sign) in [(piece.ahead, 1.0), (piece.back, -1.0)] {
            let d: Vec<f64> = d.iter().map(|d| sign * d).collect();
            let knots = line.along(&d, 50.0, &free()).unwrap().knots;
            let first = knots[1];
            assert!((first - far.min(50.0)).abs() < 1e-8 * first, "{widths:?} {first} {far}");
        }
        let still = spot.piece(&vec![0.0; widths[0]], &free()).unwrap();
        assert!(still.length().is_infinite());
    }
}

/// Units relu(t − 1) and relu(2 − t) on a line, and two sums of them: t − 2, 2t − 3 and t − 1 (a kink at 1.5), and 3/2 − t, 1/2
/// and t − 3/2 (none).
fn by_hand(deeper: bool) -> Net {
    let mut layers = vec![
        layer(array![[1.0], [-1.0]], vec![-1.0, 2.0], Activation::Relu),
        layer(array![[1.0, -1.0], [1.0, 1.0]], vec![0.0, -0.5], Activation::Relu),
    ];
    if deeper {
        layers.push(layer(array![[1.0, 1.0]], vec![-1.0], Activation::Relu));
        layers.push(layer(array![[2.0]], vec![0.0], Activation::Identity));
    } else {
        layers.push(layer(array![[1.0, 1.0]], vec![0.0], Activation::Identity));
    }
    Net::new(layers, Precision::F64).unwrap()
}

#[test]
fn a_ray_costs_what_the_formula_says_with_one_hidden_layer() {
    // Two units: sums 1 and −1 at the start, rates −1 and 1, so both kinks are at t = 1.
    let layers = vec![
        layer(array![[-1.0], [1.0]], vec![1.0, -1.0], Activation::Relu),
        layer(array![[1.0, 1.0]], vec![0.0], Activation::Identity),
    ];
    let net = Net::new(layers, Precision::F64).unwrap();
    let ledger = free();
    let line = Line::from(&net, &[0.0], &ledger).unwrap();
    assert_eq!(ledger.spent().flops, 4);
    let pieces = line.along(&[1.0], 3.0, &ledger).unwrap();
    // Product 4, five a unit 10, sort 2 log₂ 2 = 2, crossing 16.
    assert_eq!(ledger.spent().flops, 4 + 4 + 10 + 2 + 16);
    assert_eq!(pieces.knots, [0.0, 1.0, 1.0, 3.0]);
    assert_eq!(pieces.values, [1.0, 0.0, 0.0, 2.0]);
}

#[test]
fn a_ray_costs_what_the_formula_says_with_two_hidden_layers() {
    let (net, ledger) = (by_hand(false), free());
    let line = Line::from(&net, &[0.0], &ledger).unwrap();
    assert_eq!(ledger.spent().flops, 4 + 8);
    let pieces = line.along(&[1.0], 3.0, &ledger).unwrap();
    // Product 4, units 10; product 8, value 6, sort 2; three segments of 14; two updates of 8; one with a kink: 6 + 0 + 10.
    assert_eq!(ledger.spent().flops, 12 + (4 + 10) + (8 + 6 + 2) + 42 + 16 + 16);
    assert_eq!(pieces.knots, [0.0, 1.0, 1.5, 2.0, 3.0]);
    assert_eq!(pieces.values, [1.5, 0.5, 0.5, 1.5, 3.5]);
}

#[test]
fn a_ray_costs_what_the_formula_says_with_three_hidden_layers() {
    let (net, ledger) = (by_hand(true), free());
    let line = Line::from(&net, &[0.0], &ledger).unwrap();
    assert_eq!(ledger.spent().flops, 4);
    let pieces = line.along(&[1.0], 3.0, &ledger).unwrap();
    let first = (4 + 4) + (4 + 2 * (5 + 6) + 2 + 4 * 2);
    let second = 8 * 4 + (3 * 4 + (5 + 6) + 5 * 2);
    let third = 4 * 5 + (4 * 2 + 2 * (5 + 3) + 7);
    assert_eq!(ledger.spent().flops, 4 + first + second + third + 2 * 7);
    assert_eq!(pieces.knots, [0.0, 0.5, 1.0, 1.5, 1.75, 2.0, 3.0]);
    assert_eq!(pieces.values, [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 5.0]);
}

#[test]
fn a_piece_costs_what_the_formula_says_and_a_kink_belongs_to_what_is_ahead() {
    let (net, ledger) = (by_hand(true), free());
    let spot = Spot::at(&net, &[0.0], &ledger).unwrap();
    assert_eq!(ledger.spent().flops, 2 * 8);
    let piece = spot.piece(&[1.0], &ledger).unwrap();
    assert_eq!(ledger.spent().flops, 2 * 8 + (2 * 8 + 4 * 5));
    assert_eq!(piece, Piece { back: f64::INFINITY, ahead: 0.5 });
    // At 1.75 the last unit is at its kink; pieces end at 1.5 and at 2.
    let spot = Spot::at(&net, &[1.75], &ledger).unwrap();
    assert_eq!(spot.piece(&[1.0], &ledger).unwrap(), Piece { back: 0.0, ahead: 0.25 });
    assert_eq!(spot.piece(&[-0.5], &ledger).unwrap(), Piece { back: 0.0, ahead: 0.5 });
}

#[test]
fn limits_stop_the_work_and_what_was_done_is_charged() {
    for (net, n_pieces) in [(by_hand(false), 4), (by_hand(true), 6)] {
        let ledger = free();
        let line = Line::from(&net, &[0.0], &ledger).unwrap();
        let before = ledger.spent().flops;
        let whole = line.along(&[1.0], 3.0, &ledger).unwrap();
        let flops = ledger.spent().flops - before;
        assert_eq!(whole.n_pieces(), n_pieces);
        let within = |pieces, flops| {
            let ledger = free();
            let mut limits = Limits { pieces, flops };
            let made = line.along_within(&[1.0], 3.0, &mut limits, &ledger).unwrap();
            assert_eq!(limits.flops + ledger.spent().flops, flops);
            (made, ledger.spent().flops)
        };
        assert_eq!(within(n_pieces, flops), (Some(whole), flops));
        let (none, spent) = within(n_pieces - 1, flops);
        assert!(none.is_none() && spent < flops);
        for most in 0..flops {
            let (none, spent) = within(n_pieces, most);
            assert!(none.is_none() && spent <= most);
        }
    }
}

#[test]
fn linear_hidden_layers_have_no_kinks() {
    let mut layers = by_hand(true).layers().to_vec();
    layers[1].activation = Activation::Identity;
    let net = Net::new(layers, Precision::F64).unwrap();
    let pieces = Line::from(&net, &[0.0], &free()).unwrap().along(&[1.0], 3.0, &free()).unwrap();
    // The last unit is 2 relu(t − 1) − 3/2, whose kink is at 1.75.
    assert_eq!(pieces.knots, [0.0, 1.0, 1.75, 2.0, 3.0]);
    assert_eq!(pieces.values, [0.0, 0.0, 0.0, 1.0, 5.0]);
}

#[test]
fn what_is_not_piecewise_affine_or_not_the_layers_alone_is_refused() {
    let mut rng = Seed::new(1).stream("n");
    let net = |widths: &[usize], activation, rng: &mut Rng| {
        Net::random(widths, activation, Precision::F32, rng).unwrap()
    };
    let said = |net: &Net, at: &[f64]| Line::from(net, at, &free()).unwrap_err().to_string();
    let tanh = net(&[2, 3, 3, 1], Activation::Tanh, &mut rng);
    assert!(said(&tanh, &[0.0; 2]).contains("layer 0 of 3 is Tanh"));
    assert!(Spot::at(&tanh, &[0.0; 2], &free()).is_err());
    let wide = net(&[2, 3, 2], Activation::Relu, &mut rng);
    assert!(said(&wide, &[0.0; 2]).contains("one output is needed, not 2"));
    assert!(Spot::at(&wide, &[0.0; 2], &free()).is_ok());
    let one = net(&[2, 3, 1], Activation::Relu, &mut rng);
    assert!(said(&one, &[0.0; 3]).contains("width 2 wanted, got 3"));
    let line = Line::from(&one, &[0.0; 2], &free()).unwrap();
    assert!(line.along(&[1.0; 2], f64::NAN, &free()).is_err());
    assert!(line.along(&[1.0; 3], 1.0, &free()).is_err());
}
