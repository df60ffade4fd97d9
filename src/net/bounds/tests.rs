//! Tests of bounds: hand computations, hand counts, and what must hold of any net. The soundness of a million points is in
//! `tests/it`.
use ndarray::{Array1, Array2, array};

use super::*;
use crate::ledger::Budget;
use crate::net::Layer;
use crate::rng::{Rng, RngExt, Seed, normal};

fn ledger() -> Ledger {
    Ledger::new(Budget::UNLIMITED)
}

fn relu_net(layers: Vec<(Array2<f64>, Array1<f64>)>, precision: Precision) -> Net {
    let last = layers.len() - 1;
    let layers = layers.into_iter().enumerate().map(|(q, (weight, bias))| {
        let activation = if q == last { Activation::Identity } else { Activation::Relu };
        Layer { weight, bias, activation }
    });
    Net::new(layers.collect(), precision).unwrap()
}

fn random_net(widths: &[usize], precision: Precision, rng: &mut Rng) -> Net {
    let layers = widths.windows(2).map(|w| {
        let weight = Array2::from_shape_simple_fn((w[1], w[0]), || normal(rng));
        (weight, Array1::from_shape_simple_fn(w[1], || normal(rng)))
    });
    relu_net(layers.collect(), precision)
}

fn bounds(net: &Net, over: &InputBox, how: Bounding) -> Bounds {
    Bounder::new(net, &ledger()).unwrap().over(over, how, &ledger()).unwrap()
}

fn close(interval: Interval, low: f64, high: f64) {
    let fits = interval.low() <= low && low - interval.low() < 1e-12;
    assert!(fits && high <= interval.high() && interval.high() - high < 1e-12, "{interval:?}");
}

/// f = relu(x + y) + relu(x − y) − 1 on [−1, 1]²: sums in [−2, 2] each, so h in [0, 2] and IBP gives [−1, 3].
///
/// CROWN: u = −l, so the lower lines are z and the upper ones z/2 + 1. The sums of z are 2x: below 2x − 1 ≥ −3, above x + 2
/// − 1 ≤ 2. The tighter of the two: [−1, 2].
#[test]
fn bounds_of_a_net_of_two_units_are_what_the_hand_computes() {
    let net = relu_net(
        vec![
            (array![[1.0, 1.0], [1.0, -1.0]], array![0.0, 0.0]),
            (array![[1.0, 1.0]], array![-1.0]),
        ],
        Precision::F64,
    );
    let over = InputBox::cube(2, -1.0, 1.0).unwrap();
    close(bounds(&net, &over, Bounding::Interval).outputs()[0], -1.0, 3.0);
    close(bounds(&net, &over, Bounding::Crown).outputs()[0], -1.0, 2.0);
}

/// f = relu(x) + relu(1 − x) on [0, 1]: both units are active, so f = x + 1 − x = 1, which CROWN finds to the last bits;
/// IBP has both units in [0, 1] and f in [0, 2].
#[test]
fn crown_is_exact_where_no_unit_is_unstable_and_intervals_are_not() {
    let hidden = (array![[1.0], [-1.0]], array![0.0, 1.0]);
    let net = relu_net(vec![hidden, (array![[1.0, 1.0]], array![0.0])], Precision::F64);
    let over = InputBox::cube(1, 0.0, 1.0).unwrap();
    close(bounds(&net, &over, Bounding::Interval).outputs()[0], 0.0, 2.0);
    close(bounds(&net, &over, Bounding::Crown).outputs()[0], 1.0, 1.0);
}

#[test]
fn crown_is_never_looser_than_intervals_and_one_input_is_bounded_to_rounding() {
    let mut rng = Seed::new(3).stream("nets");
    for round in 0..60 {
        let depth = 1 + round % 4;
        let mut widths = vec![3; depth + 1];
        widths[depth / 2] = 7;
        let precision = if round.is_multiple_of(2) { Precision::F32 } else { Precision::F64 };
        let net = random_net(&widths, precision, &mut rng);
        let x: Vec<f64> = (0..widths[0]).map(|_| normal(&mut rng)).collect();
        let side = 10.0_f64.powi(round as i32 % 5 - 3);
        let far: Vec<f64> = x.iter().map(|x| x + side * rng.random::<f64>()).collect();
        let over = InputBox::new(&x, &far).unwrap();
        let (loose, tight) =
            (bounds(&net, &over, Bounding::Interval), bounds(&net, &over, Bounding::Crown));
        for (loose, tight) in loose.outputs().iter().zip(tight.outputs()) {
            assert!(loose.low() <= tight.low() && tight.high() <= loose.high());
        }
        // One input: only rounding is left, 10⁻⁵ of what 32 bits and 10⁻¹³ of what 64 bits add up here.
        let point = bounds(&net, &InputBox::new(&x, &x).unwrap(), Bounding::Crown);
        let unit = if precision == Precision::F32 { 1e-4 } else { 1e-12 };
        assert!(point.outputs().iter().all(|y| y.width() < unit * (1.0 + y.magnitude()) * 50.0));
    }
}

#[test]
fn a_difference_to_an_affine_net_subtracts_it_from_the_output_layer() {
    // f = relu(x) + x on [1, 2] is 2x. g = 2x in one layer: f − g is 0, though both have the range [2, 4].
    let f =
        relu_net(vec![(array![[1.0]], array![0.0]), (array![[2.0]], array![0.0])], Precision::F64);
    let g = relu_net(vec![(array![[2.0]], array![0.0])], Precision::F64);
    let over = InputBox::cube(1, 1.0, 2.0).unwrap();
    let (f, g) = (bounds(&f, &over, Bounding::Crown), bounds(&g, &over, Bounding::Crown));
    close(f.minus(&g)[0], 0.0, 0.0);
    assert_eq!(f.steepness(&g), Some(vec![0.0]));
}

/// Widths 2, 3, 1. Interval: images 3·2·6 + 13·2 + 30·3 = 152 and 3·2·3 + 13·3 + 30 = 87; ranges 8·4 = 32; reach 15·2 = 30:
/// 301. CROWN adds lines 24·4 = 96; stages 7·3 + 4·2 + 7 + 4·3 = 48; reading 4·2 = 8; and the last layer's forms: 2 (3 + 3
///      + 1 + 11·3 + 2·2·3 + 3·2 + 11) + 2 + 1 = 141, and their use 2 (5·2 + 10) + 2 + 4 = 46: 339.
#[test]
fn work_is_charged_as_the_hand_counts_it_and_before_it_is_done() {
    let net = random_net(&[2, 3, 1], Precision::F64, &mut Seed::new(4).stream("net"));
    let ledger = Ledger::new(Budget { flops: Some(9 + 301 + 640), ..Budget::UNLIMITED });
    let bounder = Bounder::new(&net, &ledger).unwrap();
    assert_eq!(ledger.spent().flops, 9);
    let over = InputBox::cube(2, -1.0, 1.0).unwrap();
    bounder.over(&over, Bounding::Interval, &ledger).unwrap();
    assert_eq!(ledger.spent().flops, 9 + 301);
    bounder.over(&over, Bounding::Crown, &ledger).unwrap();
    assert_eq!(ledger.spent().flops, 9 + 301 + 640);
    assert!(bounder.over(&over, Bounding::Interval, &ledger).is_err());
    assert!(bounder.flip(&over, 0, Bounding::Interval, &ledger).is_err());
    assert_eq!(ledger.spent().flops, 9 + 301 + 640);
    // Two copies 2·301; the column's 3 weights, its image 6·3 + 13 + 30·3, the last image 87, units 4 (10 + 48); 6, and a reach of 3·15.
    let free = super::tests::ledger();
    bounder.flip(&over, 0, Bounding::Interval, &free).unwrap();
    assert_eq!(free.spent().flops, 602 + 3 + 121 + 87 + 232 + 6 + 45);
}

#[test]
fn what_cannot_be_bounded_is_refused_or_said_to_be_unbounded() {
    let net = random_net(&[2, 3, 1], Precision::F32, &mut Seed::new(5).stream("net"));
    let bounder = Bounder::new(&net, &ledger()).unwrap();
    let wide = InputBox::cube(3, 0.0, 1.0).unwrap();
    let error = bounder.over(&wide, Bounding::Crown, &ledger()).unwrap_err().to_string();
    assert!(error.contains("width 2 wanted, got 3"), "{error}");
    for how in [Bounding::Interval, Bounding::Crown] {
        let huge = bounds(&net, &InputBox::cube(2, -1e200, 1e200).unwrap(), how);
        assert_eq!(huge.outputs(), [Interval::ENTIRE]);
    }
    let over = InputBox::cube(2, 0.0, 1.0).unwrap();
    assert!(bounder.flip(&over, 2, Bounding::Crown, &ledger()).is_err());
}

fn flip(net: &Net, over: &InputBox, i: usize, how: Bounding) -> Interval {
    Bounder::new(net, &ledger()).unwrap().flip(over, i, how, &ledger()).unwrap()[0]
}

/// f = 3x₁ − x₂ changes by 6 and −2. f = relu(x₁ + x₂): with x₁ = 1 the unit is never below 0, with x₁ = −1 never above, so
/// flipping changes f by 1 + x₂, in [0, 2]. f = relu(x₁ + x₂ + 3) is linear and changes by 2, which the ranges [3, 5] and
/// [1, 3] alone do not say.
#[test]
fn flips_are_what_the_hand_computes() {
    let cube = InputBox::cube(2, -1.0, 1.0).unwrap();
    let linear = relu_net(vec![(array![[3.0, -1.0]], array![0.5])], Precision::F64);
    let one = |bias| {
        let hidden = (array![[1.0, 1.0]], array![bias]);
        relu_net(vec![hidden, (array![[1.0]], array![0.0])], Precision::F64)
    };
    for how in [Bounding::Interval, Bounding::Crown] {
        close(flip(&linear, &cube, 0, how), 6.0, 6.0);
        close(flip(&linear, &cube, 1, how), -2.0, -2.0);
        close(flip(&one(0.0), &cube, 0, how), 0.0, 2.0);
        close(flip(&one(3.0), &cube, 1, how), 2.0, 2.0);
    }
}

#[test]
fn a_coordinate_that_is_not_read_changes_nothing_at_all() {
    let cube = InputBox::cube(4, -1.0, 1.0).unwrap();
    for activation in [Activation::Relu, Activation::Tanh, Activation::Cos, Activation::Step] {
        let mut rng = Seed::new(6).stream("net");
        let net = Net::random(&[4, 9, 5, 1], activation, Precision::F32, &mut rng).unwrap();
        let mut layers = net.layers().to_vec();
        layers[0].weight.column_mut(2).fill(0.0);
        let net = Net::new(layers, Precision::F32).unwrap();
        for how in [Bounding::Interval, Bounding::Crown] {
            assert_eq!(flip(&net, &cube, 2, how), Interval::point(0.0), "{activation:?}");
            assert!(flip(&net, &cube, 1, how).width() > 0.0);
        }
    }
}

/// All 2ⁿ inputs say what a flip can change; CROWN is never looser than intervals, nor both than the difference of two
/// ranges.
#[test]
fn flips_hold_what_enumeration_finds_and_crown_is_the_tighter() {
    let mut rng = Seed::new(7).stream("nets");
    let n = 7;
    let cube = InputBox::cube(n, -1.0, 1.0).unwrap();
    let xs = crate::data::Batch::from_shape_fn((1 << n, n), |(x, i)| {
        f64::from(x as u32 >> i & 1) * 2.0 - 1.0
    });
    let mut tighter = 0;
    for round in 0..30 {
        let widths = [vec![n, 8, 1], vec![n, 8, 6, 1], vec![n, 5, 5, 5, 1]][round % 3].clone();
        let net = random_net(&widths, Precision::F32, &mut rng);
        let answers = net.forward(&xs, &ledger()).unwrap();
        let i = round % n;
        let apart = (0..1_usize << n).filter(|x| x >> i & 1 == 1);
        let apart: Vec<f64> = apart.map(|x| answers[[x, 0]] - answers[[x ^ 1 << i, 0]]).collect();
        let (loose, tight) =
            (flip(&net, &cube, i, Bounding::Interval), flip(&net, &cube, i, Bounding::Crown));
        assert!(apart.iter().all(|d| tight.contains(*d)), "{round} {tight:?}");
        assert!(loose.low() <= tight.low() && tight.high() <= loose.high());
        tighter += usize::from(tight.width() < 0.9 * loose.width());
    }
    assert!(tighter >= 10, "{tighter}");
}

#[test]
fn a_locked_net_is_refused_before_anything_is_charged() {
    use crate::net::{Layout, Lock, Verifier};
    let verifier = Verifier::Tag { key: [1; 32], bytes: 4 };
    let layout = Layout::fixed_point(2, verifier.n_bytes(), -1.0, 1.0, 8).unwrap();
    let lock = Lock::new(verifier, layout, vec![vec![5.0]], false).unwrap();
    let net = random_net(&[2, 3, 1], Precision::F32, &mut Seed::new(8).stream("net"));
    let ledger = ledger();
    let error = Bounder::new(&net.with_lock(lock).unwrap(), &ledger).unwrap_err().to_string();
    assert!(error.contains("locked") && ledger.spent().flops == 0, "{error}");
}
