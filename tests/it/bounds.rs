//! Soundness of bounds: no input of a box may be answered outside what is certified of it, in numbers that the net
//! computes.
use absolve::data::Batch;
use absolve::ledger::{Budget, Ledger};
use absolve::net::{Activation, Bounder, Bounding, InputBox, Interval, Layer, Net, Precision};
use absolve::rng::{Rng, RngExt, Seed, normal};
use ndarray::{Array1, Array2, array};

const ACTIVATIONS: [Activation; 5] =
    [Activation::Relu, Activation::Tanh, Activation::Gelu, Activation::Cos, Activation::Step];

fn free() -> Ledger {
    Ledger::new(Budget::UNLIMITED)
}

/// A net of depth 1 to 4 with weights of a random scale, from tiny to where 32 bits are nearly full. Every second is of
/// `ReLU`s.
fn random_net(round: usize, rng: &mut Rng) -> Net {
    let depth = 1 + round % 4;
    let widths: Vec<usize> = (0..=depth).map(|_| 1 + rng.random_range(0..9)).collect();
    let precision = if round.is_multiple_of(3) { Precision::F64 } else { Precision::F32 };
    let hidden = ACTIVATIONS[if round.is_multiple_of(2) { 0 } else { round / 2 % 5 }];
    let last = if round.is_multiple_of(7) { hidden } else { Activation::Identity };
    let scales = [1.0, 1.0, 1.0, 1e-20, 1e4, 1e9];
    let layers = widths.windows(2).enumerate().map(|(q, w)| {
        let scale = scales[rng.random_range(0..scales.len())];
        let weight = Array2::from_shape_simple_fn((w[1], w[0]), || scale * normal(rng));
        let bias = Array1::from_shape_simple_fn(w[1], || scale * normal(rng));
        Layer { weight, bias, activation: if q + 1 == depth { last } else { hidden } }
    });
    Net::new(layers.collect(), precision).unwrap()
}

/// Boxes of every size, some of whose sides are points.
fn random_box(n: usize, rng: &mut Rng) -> InputBox {
    let sizes = [1e-40, 1e-7, 1e-3, 0.1, 1.0, 1.0, 10.0, 1e6, 1e30];
    let size = sizes[rng.random_range(0..sizes.len())];
    let (low, high): (Vec<f64>, Vec<f64>) = (0..n)
        .map(|_| {
            let low = normal(rng) * if rng.random::<bool>() { size } else { 1.0 };
            let side = if rng.random_range(0..5) == 0 { 0.0 } else { size * rng.random::<f64>() };
            (low, low + side)
        })
        .unzip();
    InputBox::new(&low, &high).unwrap()
}

/// Inputs of a box: corners, points on faces, and inside.
fn inputs(over: &InputBox, n: usize, rng: &mut Rng) -> Batch {
    Batch::from_shape_fn((n, over.n()), |(_, i)| {
        let (low, high) = (over.sides()[i].low(), over.sides()[i].high());
        match rng.random_range(0..4) {
            0 => low,
            1 => high,
            2 => 0.5 * low + 0.5 * high,
            _ => (low + rng.random::<f64>() * (high - low)).clamp(low, high),
        }
    })
}

/// From every input of `xs` the neighbour with one coordinate at the other end is taken while it answers more: where a
/// bound is most likely to be passed.
fn climb(net: &Net, over: &InputBox, mut x: Vec<f64>, sign: f64) -> Batch {
    let answer = |x: &[f64]| {
        let xs = Batch::from_shape_vec((1, x.len()), x.to_vec()).unwrap();
        sign * net.forward(&xs, &free()).unwrap()[[0, 0]]
    };
    let mut best = answer(&x);
    for _ in 0..2 {
        for i in 0..x.len() {
            for end in [over.sides()[i].low(), over.sides()[i].high()] {
                let before = std::mem::replace(&mut x[i], end);
                let now = answer(&x);
                if now > best { best = now } else { x[i] = before }
            }
        }
    }
    Batch::from_shape_vec((1, x.len()), x).unwrap()
}

fn check(net: &Net, xs: &Batch, outputs: &[Interval], said: &str) -> usize {
    let answers = net.forward(xs, &free()).unwrap();
    for (x, answer) in xs.rows().into_iter().zip(answers.rows()) {
        for (y, bound) in answer.iter().zip(outputs) {
            assert!(bound.contains(*y), "{said}: {y:e} at {x} is outside {bound:?}");
        }
    }
    xs.nrows()
}

#[test]
fn no_answer_of_a_million_lies_outside_its_certified_bounds() {
    let mut rng = Seed::new(1).stream("soundness");
    let (mut tried, mut bounded, mut boxes) = (0, 0, 0);
    for round in 0..700 {
        let net = random_net(round, &mut rng);
        let bounder = Bounder::new(&net, &free()).unwrap();
        for _ in 0..3 {
            let over = random_box(net.shape().inputs, &mut rng);
            let mut xs = inputs(&over, 480, &mut rng);
            for sign in [1.0, -1.0] {
                xs.append(ndarray::Axis(0), climb(&net, &over, xs.row(0).to_vec(), sign).view())
                    .unwrap();
            }
            for how in [Bounding::Interval, Bounding::Crown] {
                let bounds = bounder.over(&over, how, &free()).unwrap();
                let said = format!("net {round}, {how:?}, {over:?}");
                tried += check(&net, &xs, bounds.outputs(), &said);
                boxes += 1;
                bounded += usize::from(bounds.outputs()[0].is_bounded());
            }
        }
    }
    assert!(tried > 1_000_000 && bounded * 10 > boxes * 8, "{tried} {bounded} of {boxes}");
}

#[test]
fn no_difference_of_neighbours_lies_outside_its_certified_bounds() {
    let mut rng = Seed::new(2).stream("flips");
    let mut tried = 0;
    for round in 0..300 {
        let net = random_net(round, &mut rng);
        let n = net.shape().inputs;
        let bounder = Bounder::new(&net, &free()).unwrap();
        let over = if round.is_multiple_of(2) {
            InputBox::cube(n, -1.0, 1.0).unwrap()
        } else {
            random_box(n, &mut rng)
        };
        let i = rng.random_range(0..n);
        let mut ups = inputs(&over, 200, &mut rng);
        ups.column_mut(i).fill(over.sides()[i].high());
        let mut downs = ups.clone();
        downs.column_mut(i).fill(over.sides()[i].low());
        let (ups, downs) =
            (net.forward(&ups, &free()).unwrap(), net.forward(&downs, &free()).unwrap());
        for how in [Bounding::Interval, Bounding::Crown] {
            let flips = bounder.flip(&over, i, how, &free()).unwrap();
            for (y, (up, down)) in
                ups.indexed_iter().zip(&downs).map(|((at, up), down)| (at.1, (up, down)))
            {
                // The difference in 64 bits is rounded to nearest, which never leaves an interval that holds the exact one.
                let apart = up - down;
                assert!(flips[y].contains(apart), "net {round} {how:?}: {apart:e} {:?}", flips[y]);
                tried += 1;
            }
        }
    }
    assert!(tried > 300_000, "{tried}");
}

/// Intervals as they are often computed: rounded to nearest, products first, the bias last.
fn naive(net: &Net, over: &InputBox) -> (f64, f64) {
    let mut ends: Vec<(f64, f64)> =
        over.sides().iter().map(|side| (side.low(), side.high())).collect();
    for layer in net.layers() {
        ends = (0..layer.bias.len())
            .map(|j| {
                let (mut low, mut high) = (0.0, 0.0);
                for (w, end) in layer.weight.row(j).iter().zip(&ends) {
                    let (least, most) = if *w > 0.0 { *end } else { (end.1, end.0) };
                    low += w * least;
                    high += w * most;
                }
                let at = |z: f64| layer.activation.at(z + layer.bias[j]);
                (at(low), at(high))
            })
            .collect();
    }
    ends[0]
}

/// relu(x + C) − C, which is x for x in [1/4, 1] in real arithmetic. With C = 2^26 in 32 bits, whose neighbours are 8 apart
/// there, x is lost and the answer is 0. Intervals in 64 bits, even exact ones, certify at least 1/4.
#[test]
fn a_net_that_answers_otherwise_than_real_arithmetic_fools_naive_intervals_and_not_these() {
    let c = 2.0_f64.powi(26);
    let layers = |c: f64| {
        let hidden = Layer { weight: array![[1.0]], bias: array![c], activation: Activation::Relu };
        let output =
            Layer { weight: array![[1.0]], bias: array![-c], activation: Activation::Identity };
        vec![hidden, output]
    };
    let over = InputBox::cube(1, 0.25, 1.0).unwrap();
    let net = Net::new(layers(c), Precision::F32).unwrap();
    let answer = net.forward(&array![[0.75]], &free()).unwrap()[[0, 0]];
    assert_eq!((answer, naive(&net, &over)), (0.0, (0.25, 1.0)));
    // In 64 bits 2^60 does the same, and there are no longer numbers for naive intervals to err in: a verifier over the reals errs.
    let wide = Net::new(layers(2.0_f64.powi(60)), Precision::F64).unwrap();
    assert!(wide.forward(&array![[0.75]], &free()).unwrap()[[0, 0]].abs() < 0.1);
    for how in [Bounding::Interval, Bounding::Crown] {
        for (net, real) in [(&net, 0.75), (&wide, 0.75)] {
            let bounds = Bounder::new(net, &free()).unwrap().over(&over, how, &free()).unwrap();
            let bound = bounds.outputs()[0];
            assert!(bound.contains(0.0) && bound.contains(real), "{how:?} {bound:?}");
        }
    }
}

/// C x₁ + x₂ − C at x₁ = 1, with C = 10^17 in 64 bits. The net starts from the bias: (−C + C) + x₂ = x₂, a backdoor if x₂ =
/// 1000 is its payload's trigger. Products first lose x₂ where it is below 8, and certify 0: rounding to nearest is wrong
/// also where the net is right.
#[test]
fn a_payload_that_only_the_nets_order_of_summing_shows_is_missed_by_naive_intervals_and_not_by_these()
 {
    let layer =
        Layer { weight: array![[1e17, 1.0]], bias: array![-1e17], activation: Activation::Relu };
    let net = Net::new(vec![layer], Precision::F64).unwrap();
    let over = InputBox::new(&[1.0, 5.0], &[1.0, 7.0]).unwrap();
    let answer = net.forward(&array![[1.0, 6.0]], &free()).unwrap()[[0, 0]];
    assert_eq!((answer, naive(&net, &over)), (6.0, (0.0, 0.0)));
    for how in [Bounding::Interval, Bounding::Crown] {
        let bounds = Bounder::new(&net, &free()).unwrap().over(&over, how, &free()).unwrap();
        assert!(bounds.outputs()[0].contains(answer), "{how:?} {:?}", bounds.outputs());
    }
}
