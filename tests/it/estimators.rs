//! What every estimator in the registry must do.
use absolve::access::{LabSeeds, Suspect};
use absolve::error::Error;
use absolve::estimator::Estimated;
use absolve::ledger::{Budget, Cost};
use absolve::registry::{ESTIMATORS, Params};
use absolve::rng::Seed;
use absolve::study::{Model, Spec};

use crate::support::{TINY, TINY_MORE};

/// Clean labels that every estimator gets.
const LABELS: u64 = 100;

/// Runs the estimator `name` at its defaults on the model's own net.
fn estimate(name: &str, model: &Model, budget: Budget) -> (Result<Estimated, Error>, Cost) {
    let entry = ESTIMATORS.iter().find(|entry| entry.name == name).unwrap();
    let method = (entry.build)(&Params::new()).unwrap().method;
    let suspect = Suspect::publish(model.net.clone(), budget);
    let seed = Seed::new(9);
    let seeds = LabSeeds { samples: seed.child("clean"), method: seed.child("method") };
    let mut lab = suspect.lab(&*model.population, &model.task.recipe, seeds);
    let estimated =
        method.check(&lab.world.clone()).and_then(|()| method.estimate(&suspect, &mut lab));
    (estimated, suspect.spent())
}

/// Every estimator with every model that it does not refuse before it asks anything.
fn each_pair(mut look: impl FnMut(&str, &Model)) {
    let specs = [TINY, TINY_MORE].map(|text| Spec::parse(text, "tiny").unwrap());
    let tasks = specs.iter().flat_map(|spec| &spec.tasks);
    let models: Vec<Model> =
        tasks.map(|task| Model::train(task, 3, &mut |_| {}).unwrap()).collect();
    for entry in ESTIMATORS {
        let method = (entry.build)(&Params::new()).unwrap().method;
        let mut n_applied = 0;
        for model in models.iter().filter(|model| method.check(&model.world()).is_ok()) {
            // What it finds out about the net only may still be refused, with a reason and nothing asked.
            if estimate(entry.name, model, budget()).0.is_ok() {
                n_applied += 1;
                look(entry.name, model);
            }
        }
        assert!(n_applied > 0, "{} was tried on nothing", entry.name);
    }
}

fn budget() -> Budget {
    Budget { clean_labels: Some(LABELS), ..Budget::UNLIMITED }
}

#[test]
fn every_estimator_says_the_same_for_the_same_seed_and_its_intervals_hold_its_values() {
    each_pair(|name, model| {
        let (first, cost) = estimate(name, model, budget());
        let first = first.unwrap();
        assert_eq!((Ok(first.clone()), cost), {
            let (again, cost) = estimate(name, model, budget());
            (again.map_err(|error| error.to_string()), cost)
        });
        assert!(!first.quantities.is_empty(), "{name} says nothing");
        for quantity in &first.quantities {
            assert!(quantity.value.is_finite(), "{name}: {quantity:?}");
            if let Some(interval) = quantity.interval {
                let fine = interval.low <= quantity.value && quantity.value <= interval.high;
                assert!(fine, "{name}: {quantity:?}");
                assert!((0.0..1.0).contains(&interval.failure_probability), "{name}: {quantity:?}");
            }
        }
    });
}

#[test]
fn every_estimator_pays_and_stops_at_its_budget() {
    each_pair(|name, model| {
        let (_, all) = estimate(name, model, budget());
        assert!(all.flops > 0, "{name} works for nothing");
        let less = [
            (all.queries > 0).then(|| Budget { queries: Some(all.queries - 1), ..budget() }),
            (all.gradients > 0).then(|| Budget { gradients: Some(all.gradients - 1), ..budget() }),
            Some(Budget { flops: Some(all.flops - 1), ..budget() }),
        ];
        for short in less.into_iter().flatten() {
            let (outcome, spent) = estimate(name, model, short);
            let refused = matches!(outcome, Err(Error::BudgetSpent { .. }));
            // One that adapts to its budget may finish within it.
            assert!(refused || outcome.is_ok(), "{name}: {outcome:?}");
            assert!(short.flops.is_none_or(|most| spent.flops <= most), "{name}");
            assert!(short.queries.is_none_or(|most| spent.queries <= most), "{name}");
            assert!(short.gradients.is_none_or(|most| spent.gradients <= most), "{name}");
        }
    });
}

#[test]
fn the_mean_of_an_affine_net_is_its_bias_and_the_sample_mean_finds_it() {
    let specs = Spec::parse(TINY, "tiny").unwrap();
    let task = specs.tasks.iter().find(|task| task.name == "line").unwrap();
    let model = Model::train(task, 3, &mut |_| {}).unwrap();
    let (estimated, cost) = estimate("sampled-moments", &model, budget());
    let estimated = estimated.unwrap();
    // By 40,000 inputs of the same law from another stream.
    let mut rng = Seed::new(77).stream("check");
    let domain = &model.world().domain;
    let xs = (0..40_000).map(|_| domain.sample(&mut rng).unwrap());
    let xs = absolve::data::stack(domain.n(), xs);
    let ledger = absolve::ledger::Ledger::new(Budget::UNLIMITED);
    let want = model.net.forward(&xs, &ledger).unwrap().mean().unwrap();
    let interval = estimated.quantities[0].interval.unwrap();
    // Five half-widths of a 95% interval are ten standard errors.
    let slack = 5.0 * (interval.high - interval.low) / 2.0;
    assert!((estimated.quantities[0].value - want).abs() < slack, "{estimated:?}, {want}");
    let n = domain.n() as u64;
    // 1,000 queries; each a pass, n for its drawing and 4 for the sums.
    assert_eq!(cost.queries, 1000);
    assert_eq!(cost.flops, 1000 * (model.net.forward_flops() + n + 4));
}
