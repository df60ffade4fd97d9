//! The Fourier search with weights: advice that is honest, useless and hostile, bounds that prune, and attacks that take both away.
use absolve::access::{Access, Lab, LabSeeds, Suspect, WhiteBox};
use absolve::error::{Error, Result};
use absolve::fourier::FourierSum;
use absolve::ledger::Cost;
use absolve::mitigate::black_box::FourierGlobal;
use absolve::mitigate::white_box::{
    Adviser, AdviserName, Desk, FourierAdvised, FourierOuterProduct, FourierPruned, Given,
};
use absolve::mitigate::{Mitigator, Repaired};
use absolve::net::{Net, compile};
use absolve::population::Truth;
use absolve::stats::binomial_tail;
use absolve::study::{Model, Task};

use crate::support::{plant, publish, seed, sum_of, task};

/// A model that is trained, and one whose net is its truth.
fn trained(number: u64) -> Model {
    let mut task = task("fourier");
    (task.train, task.recipe.epochs) = (20_000, 12);
    Model::train(&task, number, &mut |_| {}).unwrap()
}

fn exact(number: u64, noise: f64) -> (Model, Net) {
    let mut task: Task = task("fourier");
    task.population = toml::from_str(&format!(
        "family = \"fourier\"\nn = 24\ntruth = {{ kind = \"majority\", degree = 2 }}\nnoise = {noise:?}"
    ))
    .unwrap();
    task.train = 10;
    let model = Model::untrained(&task, number).unwrap();
    let net = compile::characters(&truth_of(&model), 24).unwrap();
    (model, net)
}

fn truth_of(model: &Model) -> FourierSum {
    let Some(Truth::Fourier(truth)) = model.population.truth() else { panic!("a Fourier truth") };
    // Labels are noisy in some tests; the support is what is asked for.
    truth.clone()
}

fn supports(model: &Model) -> Vec<Vec<usize>> {
    truth_of(model).terms().iter().map(|term| term.support.clone()).collect()
}

/// What a run gave back, and what it spent.
struct Outcome {
    sum: FourierSum,
    claimed: Option<f64>,
    n_assumptions: usize,
    notes: String,
    spent: Cost,
}

impl Outcome {
    fn believed(&self) -> bool {
        self.notes.contains("is believed")
    }
}

/// Runs `of` on `net`, with the samples and coins numbered `number`.
fn run(
    model: &Model,
    net: &Net,
    number: u64,
    of: impl for<'a> FnOnce(&'a Suspect, &mut Lab<'a>) -> Result<Repaired<'a>>,
) -> Outcome {
    let suspect = publish(net.clone(), 400);
    let seeds = LabSeeds { samples: seed(number).child("s"), method: seed(number).child("m") };
    let mut lab = suspect.lab(&*model.population, &model.task.recipe, seeds);
    let repaired = of(&suspect, &mut lab).unwrap();
    let claimed = repaired.guarantee.as_ref().map(|claim| claim.failure_probability);
    assert_eq!(repaired.canonical, claimed);
    let (n_assumptions, notes) = (repaired.assumptions.len(), repaired.notes.join("\n"));
    let sum = sum_of(repaired);
    Outcome { sum, claimed, n_assumptions, notes, spent: suspect.spent() }
}

fn white(suspect: &Suspect) -> &(dyn WhiteBox + 'static) {
    <dyn WhiteBox>::of(suspect).unwrap()
}

fn advised(model: &Model, net: &Net, number: u64, method: &FourierAdvised) -> Outcome {
    run(model, net, number, |suspect, lab| method.mitigate(white(suspect), lab))
}

fn outer_product(model: &Model, net: &Net, number: u64) -> Outcome {
    run(model, net, number, |suspect, lab| {
        FourierOuterProduct::default().mitigate(Access::of(suspect)?, lab)
    })
}

/// `fourier-global` as the others fall back on it.
fn global(model: &Model, net: &Net, number: u64) -> Outcome {
    let method = FourierGlobal { failure: 0.8e-3, ..FourierGlobal::default() };
    run(model, net, number, |suspect, lab| method.mitigate(Access::of(suspect)?, lab))
}

/// The fewest queries of any run of the hashed search on more than six coordinates: 64, three guides of 32, 32 pairs.
const LEAST: u64 = 192;

/// Nobody may spend more than the search and what the desk gives. Choosing from the advised sets takes a few operations a clean sample.
fn within_the_factor(outcome: &Outcome, global: &Outcome, net: &Net) {
    let forward = net.forward_flops();
    let choosing = 400 * 200;
    assert!(outcome.spent.queries <= global.spent.queries + LEAST);
    assert!(outcome.spent.flops <= global.spent.flops + LEAST * forward + choosing);
    assert!(outcome.spent.clean_labels <= global.spent.clean_labels);
}

#[test]
fn advice_from_weights_and_gradients_is_believed_on_trained_nets_for_a_fraction_of_the_queries() {
    for number in [920, 921] {
        let model = trained(number);
        let planted = plant(&model, "half-space", "mass = 0.002").net;
        let by_queries = global(&model, &planted, number);
        assert_eq!(by_queries.sum.supports(), truth_of(&model).supports());
        let named = |adviser| FourierAdvised { adviser, ..FourierAdvised::default() };
        for net in [&model.net, &planted] {
            for outcome in [
                advised(&model, net, number, &named(AdviserName::Flips)),
                advised(&model, net, number, &named(AdviserName::FirstLayer)),
                outer_product(&model, net, number),
            ] {
                assert!(outcome.believed(), "{}", outcome.notes);
                // The same bits as the search gives: means of the same labels.
                assert_eq!(outcome.sum, by_queries.sum);
                assert_eq!((outcome.claimed, outcome.n_assumptions), (Some(1e-3), 0));
                // The vertices of six to seven coordinates and the desk's query, where the search asks about 1,500.
                assert!(outcome.spent.queries <= 129, "{}", outcome.spent.queries);
                assert!(5 * outcome.spent.queries <= by_queries.spent.queries);
                assert!(4 * outcome.spent.flops <= by_queries.spent.flops);
                assert_eq!(outcome.spent.clean_labels, 400);
            }
        }
    }
}

#[test]
fn an_input_layer_that_clips_leaves_gradients_nothing_to_say_and_costs_no_more_than_the_factor() {
    let model = trained(922);
    let planted = plant(&model, "saturate", "mass = 0.002").net;
    let by_queries = global(&model, &planted, 1);
    let outcome = outer_product(&model, &planted, 1);
    assert!(outcome.notes.contains("nothing was advised"), "{}", outcome.notes);
    assert_eq!(outcome.sum, by_queries.sum);
    assert_eq!(outcome.sum.supports(), truth_of(&model).supports());
    assert_eq!(outcome.n_assumptions, 1);
    // One query of the desk's, gradients and their sums; the search itself is the same, query by query.
    let forward = planted.forward_flops();
    assert_eq!(outcome.spent.queries, by_queries.spent.queries + 1);
    assert_eq!(outcome.spent.gradients, 32);
    // 32 gradients, two operations on each of 32 numbers, and a sort of 32 scores with two more each.
    let advice = 32 * (2 * forward + 64) + 32 * 5 + 64;
    // The second moment of the labels is looked at once more, when all of N = 32 ln(2 · 32/0.3e-3) = 393 are there.
    assert_eq!(outcome.spent.flops, by_queries.spent.flops + forward + advice + 2 * 393);
    within_the_factor(&outcome, &by_queries, &planted);
    // The net itself is no such net.
    assert!(outer_product(&model, &model.net, 1).believed());
    // A zigzag turns gradients into noise, and the coordinates that they name are not the truth's.
    let ripple = plant(&model, "ripple", "mass = 0.002").net;
    let outcome = outer_product(&model, &ripple, 2);
    assert!(!outcome.believed(), "{}", outcome.notes);
    assert_eq!(outcome.sum.supports(), truth_of(&model).supports());
    within_the_factor(&outcome, &global(&model, &ripple, 2), &ripple);
}

/// Says what it was told to, and spends what it likes.
struct Says(Vec<Vec<usize>>, u64);

impl Adviser<dyn WhiteBox> for Says {
    fn advise(&self, _: &dyn WhiteBox, desk: &Desk<'_>) -> Result<Vec<Vec<usize>>> {
        desk.ledger.flops(self.1)?;
        Ok(self.0.clone())
    }
}

/// Refuses.
struct Refuses;

impl Adviser<dyn WhiteBox> for Refuses {
    fn advise(&self, _: &dyn WhiteBox, _: &Desk<'_>) -> Result<Vec<Vec<usize>>> {
        Err(Error::Assumption { method: "an oracle", why: "it is silent".to_owned() })
    }
}

fn listening(
    model: &Model,
    net: &Net,
    number: u64,
    adviser: &dyn Adviser<dyn WhiteBox>,
) -> Outcome {
    run(model, net, number, |suspect, lab| {
        FourierAdvised::default().listening_to(adviser, white(suspect), lab)
    })
}

#[test]
fn whatever_an_adviser_says_the_support_is_exact_and_the_bits_are_the_same() {
    for number in 0..6 {
        let (model, net) = exact(930 + number, 0.0);
        let by_queries = global(&model, &net, number);
        let all = supports(&model);
        let decoys = |n: usize| (0..n).map(|i| vec![i, i + 1, i + 2]);
        let honest = all.clone();
        let padded: Vec<_> = decoys(2).chain(all.clone()).chain(decoys(4).skip(2)).collect();
        let crowded: Vec<_> = decoys(8).chain(all.clone()).collect();
        let gap = all[1..].to_vec();
        let swapped: Vec<_> = decoys(1).chain(all[..3].to_vec()).collect();
        let mangled: Vec<Vec<usize>> = [vec![99], vec![3, 3], vec![]]
            .into_iter()
            .chain(all.iter().map(|set| set.iter().rev().copied().collect()))
            .chain(all.clone())
            .collect();
        // Lists of at most eight are read, so of the crowded one decoys alone.
        for (list, believed) in [
            (honest, true),
            (padded, true),
            (mangled, true),
            (crowded, false),
            (gap, false),
            (swapped, false),
            (decoys(3).collect(), false),
            (Vec::new(), false),
        ] {
            let outcome = listening(&model, &net, number, &Says(list.clone(), 0));
            assert_eq!(outcome.believed(), believed, "{list:?}: {}", outcome.notes);
            assert_eq!(outcome.sum, by_queries.sum, "{list:?}");
            assert_eq!(outcome.sum.supports(), truth_of(&model).supports());
            assert!(outcome.claimed.is_some_and(|failure| failure <= 1e-3));
            within_the_factor(&outcome, &by_queries, &net);
        }
        let silent = listening(&model, &net, number, &Refuses);
        assert!(silent.notes.contains("it is silent") && silent.sum == by_queries.sum);
        // One that spends all that there is and more is told on, and there is nothing left for a test.
        let greedy = Says(supports(&model), LEAST * net.forward_flops());
        let outcome = listening(&model, &net, number, &greedy);
        assert!(outcome.notes.contains("spent more than its desk allowed"), "{}", outcome.notes);
        assert!(!outcome.believed() && outcome.sum == by_queries.sum);
    }
}

#[test]
fn a_list_that_is_believed_needs_no_suspect_at_all() {
    // The net knows nothing of the truth: on it the search finds nothing, and the list is right all the same.
    let (model, net) = exact(940, 0.0);
    let other = model.net.clone();
    assert_ne!(global(&model, &other, 1).sum.supports(), truth_of(&model).supports());
    let outcome = listening(&model, &other, 1, &Given(supports(&model)));
    assert!(outcome.believed() && outcome.n_assumptions == 0);
    assert_eq!(outcome.sum, global(&model, &net, 1).sum);
}

#[test]
fn lists_with_a_gap_are_believed_no_more_often_than_claimed() {
    // With η = 0.9 the test may be wrong with probability η₁ = 0.18 − 0.27 · 3/32 at most; what is left is exactly the least that a
    // missing character leaves.
    let (model, net) = exact(950, 0.0);
    let all = supports(&model);
    let claimed = 0.2 * 0.9 - 0.375 * 0.8 * 0.9 * 3.0 / 32.0;
    let method = FourierAdvised { failure: 0.9, ..FourierAdvised::default() };
    let (n_runs, mut fooled, mut believed) = (300, 0, 0);
    for number in 0..n_runs {
        let list = |list: Vec<Vec<usize>>| {
            run(&model, &net, number, |suspect, lab| {
                method.listening_to(&Says(list, 0), white(suspect), lab)
            })
        };
        fooled += u64::from(list(all[..3].to_vec()).believed());
        believed += u64::from(number < 20 && list(all.clone()).believed());
    }
    assert!(binomial_tail(n_runs, claimed, fooled) > 1e-6, "{fooled} of {n_runs}");
    assert_eq!(believed, 20);
}

#[test]
fn noisy_labels_make_belief_rarer_and_never_wrong() {
    for (noise, believed) in [(0.0, true), (0.002, true), (0.05, false)] {
        for number in 0..4 {
            let (model, net) = exact(960 + number, noise);
            let outcome = listening(&model, &net, number, &Given(supports(&model)));
            assert_eq!(outcome.believed(), believed, "{noise} {number}: {}", outcome.notes);
            assert_eq!(outcome.sum, global(&model, &net, number).sum);
            assert_eq!(outcome.sum.supports(), truth_of(&model).supports());
        }
    }
}

#[test]
fn a_list_that_is_believed_costs_what_the_hand_counts() {
    let (model, net) = exact(970, 0.0);
    let method = FourierAdvised {
        adviser: AdviserName::Given,
        given: supports(&model),
        ..FourierAdvised::default()
    };
    let outcome = advised(&model, &net, 1, &method);
    assert!(outcome.believed());
    // N = 32 ln(2 · 32/0.3e-3) = 392.7, of which a third, 131, fit and 262 judge; four sets of 12 coordinates in all. The desk's query; two
    // operations a label for the second moment, of the first 16 ln(1/1e-4) = 147.4 and then of all; the fit, the judges and at most 2^4 patterns; the means to choose, and those of 400 labels.
    let fit = 131 * (12 + 2 * 4 * 5) + 4 * 64;
    let judge = 262 * (12 + 2 * 4 + 3);
    let patterns = (2 * 4) << 4;
    let means = (393 + 400) * (12 + 2 * 4);
    let flops = net.forward_flops() + 2 * (148 + 393) + fit + judge + patterns + means;
    assert_eq!(outcome.spent, Cost { queries: 1, clean_labels: 400, flops, gradients: 0 });
    // Nothing may be spent on advice: then nobody is asked, and nothing is.
    let deaf = FourierAdvised { share: 0.0, ..method };
    let outcome = advised(&model, &net, 1, &deaf);
    assert_eq!(outcome.spent.queries, global(&model, &net, 1).spent.queries);
}

#[test]
fn the_exact_tree_advises_without_a_query_at_a_price_that_is_paid() {
    let mut task = task("fourier");
    task.population =
        toml::from_str("family = \"fourier\"\nn = 12\ntruth = { kind = \"majority\", degree = 1 }")
            .unwrap();
    (task.train, task.recipe.epochs, task.recipe.hidden) = (8000, 10, vec![24]);
    let model = Model::train(&task, 980, &mut |_| {}).unwrap();
    let method = FourierAdvised {
        adviser: AdviserName::Exact,
        samples: 16,
        share: 1e5,
        ..FourierAdvised::default()
    };
    let outcome = advised(&model, &model.net, 1, &method);
    assert!(outcome.believed(), "{}", outcome.notes);
    assert_eq!(outcome.spent.queries, 1);
    assert_eq!(outcome.sum.supports(), truth_of(&model).supports());
    // It takes more arithmetic than a search's queries: with the default share it is not begun.
    let cheap = FourierAdvised { share: 1.0, ..method };
    let outcome = advised(&model, &model.net, 1, &cheap);
    assert!(!outcome.believed());
    within_the_factor(&outcome, &global(&model, &model.net, 1), &model.net);
}

#[test]
fn bounds_prune_what_a_trained_net_ignores_and_a_ripple_keeps_everything() {
    let pruned = |model: &Model, net: &Net, number| {
        let method = FourierPruned { failure: 0.8e-3, ..FourierPruned::default() };
        run(model, net, number, |suspect, lab| method.mitigate(white(suspect), lab))
    };
    let model = trained(990);
    let (mut by_tables, mut by_queries) = (0, 0);
    for number in 0..6 {
        let (a, b) = (pruned(&model, &model.net, number), global(&model, &model.net, number));
        assert_eq!(a.sum, b.sum);
        assert!(a.notes.contains("26 of 32 coordinates pruned"), "{}", a.notes);
        by_tables += a.spent.queries;
        by_queries += b.spent.queries;
    }
    assert!(10 * by_tables < 9 * by_queries, "{by_tables} of {by_queries}");
    let ripple = plant(&model, "ripple", "mass = 0.002").net;
    let (a, b) = (pruned(&model, &ripple, 1), global(&model, &ripple, 1));
    assert!(a.notes.lines().any(|note| note == "0 of 32 coordinates pruned"), "{}", a.notes);
    // With nothing pruned it is the search itself, and the bounds are what it costs more.
    assert_eq!((a.spent.queries, &a.sum), (b.spent.queries, &b.sum));
    assert_eq!(a.spent.flops, b.spent.flops + ripple.flip_bounds_flops() + 32);
}

#[test]
fn a_lock_is_refused_by_bounds_and_matters_nothing_to_belief() {
    let mut task = task("fourier");
    task.population = toml::from_str("family = \"fourier\"\nn = 110").unwrap();
    task.train = 10;
    let model = Model::untrained(&task, 991).unwrap();
    let locked = plant(&model, "hash-locker", "").net;
    assert!(locked.lock().is_some());
    let suspect = publish(locked.clone(), 400);
    let seeds = LabSeeds { samples: seed(1), method: seed(2) };
    let mut lab = suspect.lab(&*model.population, &model.task.recipe, seeds);
    let refused = FourierPruned::default().mitigate(white(&suspect), &mut lab);
    assert!(refused.unwrap_err().to_string().contains("verifier beside the net"));
    let outcome = listening(&model, &locked, 1, &Given(supports(&model)));
    assert!(outcome.believed() && outcome.sum.supports() == truth_of(&model).supports());
}

#[test]
fn parameters_out_of_range_are_named() {
    let world = exact(1, 0.0).0.world();
    let said = |method: FourierAdvised| method.check(&world).unwrap_err().to_string();
    let good = FourierAdvised::default();
    assert!(good.check(&world).is_ok());
    assert!(said(FourierAdvised { share: -1.0, ..good.clone() }).contains("share = -1"));
    assert!(said(FourierAdvised { share: f64::NAN, ..good.clone() }).contains("share"));
    assert!(said(FourierAdvised { failure: 0.0, ..good.clone() }).contains("failure = 0"));
    assert!(said(FourierAdvised { samples: 0, ..good.clone() }).contains("samples = 0"));
    assert!(said(FourierAdvised { tau: Some(2.0), ..good.clone() }).contains("tau = 2"));
    let given = |adviser, given| FourierAdvised { adviser, given, ..good.clone() };
    assert!(said(given(AdviserName::Given, vec![])).contains("given = 0 sets"));
    assert!(said(given(AdviserName::Flips, vec![vec![1]])).contains("given = 1 sets"));
    assert!(said(given(AdviserName::Given, vec![vec![24]])).contains("given = 24"));
    let product = FourierOuterProduct { samples: 0, ..FourierOuterProduct::default() };
    assert!(product.check(&world).is_err());
    assert!(FourierPruned { tau: Some(0.0), ..FourierPruned::default() }.check(&world).is_err());
}
