//! Slopes of a smoothed suspect by gradients and by differences.
use absolve::access::{Access, LabSeeds, Suspect};
use absolve::attack::ripple::{Zigzag, wrap};
use absolve::ledger::{Budget, Cost};
use absolve::mitigate::black_box::SmoothedDifference;
use absolve::mitigate::white_box::SmoothedGradient;
use absolve::mitigate::{Mitigator, Smoothing};
use absolve::net::Net;
use absolve::population::Truth;
use absolve::study::Model;
use ndarray::Array1;

use crate::gradients::{BOX, compiled, trained, worst};
use crate::support::{mitigate, plant, publish, seed, some_inputs};

const NORMAL: &str = r#"{ shape = "gauss", n = 3 }"#;

/// The slope that a method finds, with coins numbered `number`: both methods then look around the same centres.
fn slope<M: Mitigator>(method: &M, model: &Model, net: &Net, number: u64) -> Array1<f64> {
    let suspect = Suspect::publish(net.clone(), Budget::UNLIMITED);
    let seeds = LabSeeds { samples: seed(0), method: seed(number) };
    let mut lab = suspect.lab(&*model.population, &model.task.recipe, seeds);
    let repaired = method.mitigate(M::Access::of(&suspect).unwrap(), &mut lab).unwrap();
    repaired.net.unwrap().layers()[0].weight.row(0).to_owned()
}

fn truth(model: &Model) -> Array1<f64> {
    let Some(Truth::Affine { weights, .. }) = model.population.truth() else {
        panic!("an affine truth")
    };
    weights.clone()
}

fn squared(x: &Array1<f64>) -> f64 {
    x.dot(x)
}

#[test]
fn draws_are_charged_by_the_hand_count() {
    // K = 3, M = 4. A median of 3 points: 15 n. The intercept: 2n + 5 a point.
    for (domain, n, length) in [(BOX, 8, 3 * 8 + 2), (NORMAL, 3, 0)] {
        let model = compiled(domain, 1);
        let f = model.net.forward_flops();
        let toml = "centres = 3\ndraws = 4";
        let around = 3 * (n + 3 * n) + 15 * n;
        let (error, spent) = worst(&model, &model.net, "smoothed-gradient", toml);
        let flops = around + 12 * (3 * n + length + n + 2 * f + 2 * n + 5);
        assert_eq!(spent, Cost { gradients: 12, flops, ..Cost::default() });
        assert!(error < 1e-9, "{error}");
        let (_, spent) = worst(&model, &model.net, "smoothed-difference", toml);
        let flops = around + 12 * (4 * n + length + 2 * n + 2) + 24 * (f + 2 * n + 5);
        assert_eq!(spent, Cost { queries: 24, flops, ..Cost::default() });
    }
}

#[test]
fn nothing_drawn_leaves_the_suspect_as_it_is() {
    let model = compiled(BOX, 2);
    let xs = some_inputs(&model, 20);
    for method in ["smoothed-gradient", "smoothed-difference"] {
        for toml in ["centres = 0", "draws = 0"] {
            let suspect = publish(model.net.clone(), 0);
            mitigate(&suspect, &model, method, toml, |repaired| {
                let repaired = repaired.unwrap();
                assert_eq!(suspect.spent(), Cost::default());
                assert!(repaired.notes[0].contains("stays as it is"), "{:?}", repaired.notes);
                let answers = repaired.oracle.query(&xs).unwrap();
                assert_eq!(suspect.spent().queries, 20);
                assert_eq!(answers.nrows(), 20);
            });
        }
        let suspect = publish(model.net.clone(), 0);
        mitigate(&suspect, &model, method, "width = 1.0", |repaired| {
            let said = repaired.unwrap_err().to_string();
            assert!(said.contains("width = 1") && said.contains("between 0 and 1"), "{said}");
        });
    }
}

#[test]
fn both_arms_have_one_mean_around_a_centre_of_a_rippled_net() {
    // A zigzag of four teeth, amplitude 0.3: its slope s is 0.6 · 8 over the span of 12. Six standard deviations of both means together,
    // for each of 2 · 3 · 3 coordinates: a false alarm has probability 4e-8.
    let draws = 20_000;
    let smoothing = Smoothing { centres: 1, draws, ..Smoothing::default() };
    for (domain, n, span, width) in
        [(NORMAL, 3.0, 12.0, 0.5), (r#"{ shape = "box", n = 3 }"#, 3.0, 2.0, 0.25)]
    {
        let smoothing = Smoothing { width: Some(width), ..smoothing };
        for number in 0..3 {
            let model = compiled(domain, number);
            let world = model.world();
            let zigzag = Zigzag::across(&world.domain, vec![1.0, 0.0, 0.0], 3);
            let net = wrap(&model.net, &zigzag, &[0.3]).unwrap();
            let by_gradients = slope(&SmoothedGradient(smoothing), &model, &net, number);
            let by_values = slope(&SmoothedDifference(smoothing), &model, &net, number);
            let w = squared(&truth(&model));
            let s: f64 = 0.6 * 8.0 / span;
            // Second moments of one draw: s² beside a constant; by differences at most twice those of both parts.
            let (affine, ripple) = if span > 2.0 {
                ((n + 2.0) * w, 0.09 * n / (width * width))
            } else {
                (n * w, (0.3 * n / width) * (0.3 * n / width))
            };
            let deviation = ((s * s + 2.0 * (affine + ripple)) / draws as f64).sqrt();
            let apart = &by_gradients - &by_values;
            assert!(apart.iter().all(|d| d.abs() < 6.0 * deviation), "{apart} {deviation}");
            // What the ripple adds to both is far from what it adds to one gradient.
            let added = &by_gradients - &truth(&model);
            assert!(added[0].abs() < s + 1e-9 && added[1].abs() < 1e-9, "{added}");
        }
    }
}

#[test]
fn the_variance_of_a_draw_is_the_closed_form_and_gradients_have_none_on_the_truth() {
    // 300 means of 64 draws, which are nearly normal: the mean of their squared lengths has a relative deviation of at most
    // √(2/n)/√300 < 0.05 for n ≥ 3 (more coordinates, or unequal ones, within √2 of it): 0.35 is five of them.
    for (domain, factor) in [(NORMAL, 4.0), (BOX, 7.0)] {
        let model = compiled(domain, 5);
        let w = truth(&model);
        let smoothing = Smoothing { centres: 1, draws: 64, ..Smoothing::default() };
        let mut mean = 0.0;
        for number in 0..300 {
            let off = slope(&SmoothedDifference(smoothing), &model, &model.net, number) - &w;
            mean += squared(&off) / 300.0;
        }
        let want = factor * squared(&w) / 64.0;
        assert!((mean / want - 1.0).abs() < 0.35, "{mean}, {want}");
        let off = slope(&SmoothedGradient(smoothing), &model, &model.net, 1) - &w;
        assert!(squared(&off) < 1e-18);
    }
}

#[test]
fn a_fast_ripple_drowns_means_of_gradients_and_differences_do_not_see_its_slope() {
    // Amplitude 0.025 and 2^16 pieces: the slope s along the ripple is over 300. A mean of 255 of ±s is off by s/255 = 1.2 or more, whatever the
    // coins (an even number may balance). By differences a draw adds at most 0.025 · 8 · 9 = 1.8, beside √7 |w| = 4.6: 0.08 for the median.
    let model = compiled(BOX, 6);
    let fast = plant(&model, "ripple", "mass = 0.0005\ntents = 15").net;
    let (by_gradients, a) = worst(&model, &fast, "smoothed-gradient", "draws = 255");
    let (by_values, b) = worst(&model, &fast, "smoothed-difference", "draws = 255");
    assert_eq!(a.gradients * 2, b.queries);
    assert!(by_gradients > 1.0, "{by_gradients}");
    assert!(by_values < 1.0, "{by_values}");
}

#[test]
fn on_an_honest_net_gradients_are_nearer_than_differences() {
    // A draw of gradients has no variance on an affine function, one of differences has (n − 1) |w|².
    let honest = trained(BOX, 7);
    let (by_gradients, _) = worst(&honest, &honest.net, "smoothed-gradient", "");
    let (by_values, _) = worst(&honest, &honest.net, "smoothed-difference", "");
    assert!(by_gradients < 0.2 && by_gradients < by_values, "{by_gradients}, {by_values}");
}
