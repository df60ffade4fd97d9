//! Moments from weights beside sampled ones, and sizes of affine pieces beside second differences: where each arm wins and loses.
use absolve::access::{LabSeeds, Suspect};
use absolve::data::Batch;
use absolve::estimator::Estimated;
use absolve::ledger::{Budget, Cost, Ledger};
use absolve::net::{Activation, Inputs, Layer, Net, Precision};
use absolve::registry::{ESTIMATORS, OBFUSCATIONS, Params};
use absolve::rng::{Seed, normal};
use absolve::study::{Model, Spec};

use crate::support::{TINY, plant};

fn free() -> Ledger {
    Ledger::new(Budget::UNLIMITED)
}

/// A net with weights as drawn and no training.
fn untrained(widths: &[usize], seed: u64) -> Net {
    let mut rng = Seed::new(seed).stream("untrained");
    Net::random(widths, Activation::Relu, Precision::F64, &mut rng).unwrap()
}

fn sampled_mean(net: &Net, n: usize, seed: u64) -> f64 {
    let mut rng = Seed::new(seed).stream("normal inputs");
    let xs = Batch::from_shape_simple_fn((n, net.shape().inputs), || normal(&mut rng));
    net.forward(&xs, &free()).unwrap().mean().unwrap()
}

#[test]
fn means_of_untrained_wide_nets_are_nearer_from_weights_than_from_as_much_work_on_samples() {
    // Ten nets 16-64-64-1. The reference is right to about 1/450 of the answers' spread, samples at equal work to about 1/9.
    let (mut by_weights, mut by_samples) = (0.0, 0.0);
    for seed in 0..10 {
        let net = untrained(&[16, 64, 64, 1], seed);
        let said = net.spread(Inputs { variance: 1.0 }, &free()).unwrap();
        let n = (net.spread_flops() / net.forward_flops()) as usize;
        assert!((40..200).contains(&n), "{n}");
        let truth = sampled_mean(&net, 200_000, 100 + seed);
        by_weights += (said.mean[0] - truth).powi(2);
        by_samples += (sampled_mean(&net, n, 200 + seed) - truth).powi(2);
    }
    assert!(3.0 * by_weights < by_samples, "{by_weights} {by_samples}");
}

#[test]
fn the_product_with_inputs_and_the_mass_above_a_threshold_agree_with_samples_on_one_hidden_layer() {
    let net = untrained(&[8, 128, 1], 5);
    let said = net.spread(Inputs { variance: 1.0 }, &free()).unwrap();
    let mut rng = Seed::new(6).stream("normal inputs");
    let xs = Batch::from_shape_simple_fn((100_000, 8), || normal(&mut rng));
    let ys = net.forward(&xs, &free()).unwrap();
    let spread = said.covariance[[0, 0]];
    for i in 0..8 {
        let products = &xs.column(i) * &ys.column(0);
        // The mean of 10⁵ products; five standard errors, one in two million.
        let error = products.std(1.0) / 1e5_f64.sqrt();
        assert!((products.mean().unwrap() - said.with_inputs[[0, i]]).abs() < 5.0 * error, "{i}");
    }
    let variance = ys.var(1.0);
    assert!((variance - spread).abs() < 0.03 * variance, "{variance} {spread}");
}

/// Runs an estimator with parameters on a net of the affine task, to all the clean samples that it asks for.
fn estimate(name: &str, params: &str, model: &Model, net: &Net) -> (Estimated, Cost) {
    let entry = ESTIMATORS.iter().find(|entry| entry.name == name).unwrap();
    let params: Params = toml::from_str(params).unwrap();
    let method = (entry.build)(&params).unwrap().method;
    let suspect = Suspect::publish(net.clone(), Budget::UNLIMITED);
    let seed = Seed::new(9);
    let seeds = LabSeeds { samples: seed.child("clean"), method: seed.child("method") };
    let mut lab = suspect.lab(&*model.population, &model.task.recipe, seeds);
    (method.estimate(&suspect, &mut lab).unwrap(), suspect.spent())
}

fn line() -> Model {
    let spec = Spec::parse(TINY, "tiny").unwrap();
    let task = spec.tasks.iter().find(|task| task.name == "line").unwrap();
    Model::train(task, 3, &mut |_| {}).unwrap()
}

#[test]
fn both_arms_of_the_region_pair_agree_where_every_kink_bends_the_answer() {
    // One unit, kink at x₀ = 0.5 on the first coordinate: the answer bends there and nowhere else.
    let model = line();
    let n = model.net.shape().inputs;
    let mut weight = ndarray::Array2::zeros((1, n));
    weight[[0, 0]] = 4.0;
    let hidden = Layer { weight, bias: ndarray::array![-2.0], activation: Activation::Relu };
    let output = Layer {
        weight: ndarray::array![[1.0]],
        bias: ndarray::array![1.0],
        activation: Activation::Identity,
    };
    let net = Net::new(vec![hidden, output], Precision::F64).unwrap();
    let (exact, cost) = estimate("region-size", "samples = 40\ndirections = 4", &model, &net);
    let (searched, asked) = estimate("kink-search", "samples = 40\ndirections = 4", &model, &net);
    // The search knows a distance to a factor of √2 either way: half a unit of the logarithm.
    let gap = exact.quantities[0].value - searched.quantities[0].value;
    assert!(gap.abs() <= 0.5, "{exact:?} {searched:?}");
    assert_eq!(exact.quantities[0].name, searched.quantities[0].name);
    // 40 inputs and 160 lines, 6n a line to draw; exactly 2n a point, and 2n + 4 a line.
    let (n, lines) = (n as u64, 160);
    let drawing = cost.flops - 40 * 2 * n - lines * (2 * n + 4);
    assert!(drawing >= lines * 6 * n && drawing <= lines * 12 * n + lines * 200, "{drawing}");
    assert_eq!((cost.queries, cost.clean_labels), (0, 40));
    // A query an input; 14 outcomes (12 levels, none, all) take 3 or 4 steps of 2 queries.
    assert!(asked.queries >= 40 + lines * 6 && asked.queries <= 40 + lines * 8, "{asked:?}");
    let passes = asked.queries * net.forward_flops();
    assert_eq!(asked.flops, passes + drawing + (asked.queries - 40) / 2 * (4 * n + 6));
}

#[test]
fn a_ripple_makes_regions_small_for_who_reads_weights_and_not_for_who_asks() {
    let model = line();
    let plain = estimate("region-size", "samples = 40", &model, &model.net).0.quantities[0].value;
    let rippled = plant(&model, "ripple", "").net;
    let read = estimate("region-size", "samples = 40", &model, &rippled).0.quantities[0].value;
    assert!(read < plain - 1.0, "{read} {plain}");
    // A half-space leaves regions as they were, almost: it is no small region, and is not seen by their size.
    let half = plant(&model, "half-space", "").net;
    let read = estimate("region-size", "samples = 40", &model, &half).0.quantities[0].value;
    assert!((read - plain).abs() < 1.0, "{read} {plain}");
}

#[test]
fn the_lowest_rung_of_obfuscation_is_undone_by_the_canonical_form() {
    let model = line();
    let world = model.world();
    let entry = OBFUSCATIONS.iter().find(|entry| entry.rung == "O1").unwrap();
    for params in ["", "scales = 'any'"] {
        let params: Params = toml::from_str(params).unwrap();
        let method = (entry.build)(&params).unwrap().method;
        let subject = absolve::attack::obfuscate::Subject { net: &model.net, trigger: None };
        let other = method.apply(subject, &model.victim(&world), Seed::new(4)).unwrap();
        assert_ne!(other.layers()[0].weight, model.net.layers()[0].weight);
        let [a, b] = [&model.net, &other].map(|net| net.canonical(&free()).unwrap());
        for (a, b) in a.layers().iter().zip(b.layers()) {
            // Weights of 32 bits, rounded anew for any scale.
            let near = |a: &f64, b: &f64| (a - b).abs() < 1e-5 * a.abs().max(1.0);
            assert!(a.weight.iter().zip(&b.weight).all(|(a, b)| near(a, b)), "{params:?}");
            assert!(a.bias.iter().zip(&b.bias).all(|(a, b)| near(a, b)), "{params:?}");
        }
    }
}
