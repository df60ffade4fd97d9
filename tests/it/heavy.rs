//! The hashed search and `fourier-global` on it, against adversaries. Each test says how often it would fail if the claim were
//! true.
#[path = "../../examples/fourier_sweep/adversary.rs"]
mod adversary;

use absolve::access::{Lab, LabSeeds, Oracle, Suspect};
use absolve::data::{Batch, Shape};
use absolve::error::Result;
use absolve::fourier::{
    Bits, Certificate, FourierSum, HashedFound, HashedSearch, Promised, Questions,
};
use absolve::ledger::Budget;
use absolve::mitigate::black_box::{FourierGlobal, Search};
use absolve::mitigate::{Mitigator, Repaired};
use absolve::study::{Model, Task};

use self::adversary::{Adversary, Attack, BOUND};
use crate::support::{Function, seed, sum_of};

/// Certified failure in these tests: with at most 100 searches each, a false alarm has probability at most 1e-7.
const FAILURE: f64 = 1e-9;

fn search(function: &mut Adversary, number: u64) -> HashedFound {
    let (n, tau) = (function.n, function.tau());
    let search = HashedSearch { n, tau, bound: BOUND, failure: FAILURE, most_queries: 1 << 24 };
    search.run(function, &mut seed(number).stream("search")).unwrap()
}

/// Whether everything heavy is in the list.
fn complete(function: &Adversary, found: &HashedFound) -> bool {
    let list: Vec<Bits> =
        found.terms.iter().map(|term| Bits::of(function.n, &term.support)).collect();
    function.sets.iter().all(|set| list.contains(set))
}

#[test]
fn a_shut_certificate_is_right_against_every_adversary() {
    // Kill at 5% moves the lightest coefficient by 0.05 · (3 + τ) ≈ 0.17, past τ/4 for k = 20 and past τ/2: no promise holds, and
    // then nothing is claimed. All others keep the spectrum's promise, up to chance: flip moves a coefficient by 2ε|c|.
    let all = [
        (Attack::None, 0.0),
        (Attack::Random, 0.01),
        (Attack::Random, 0.05),
        (Attack::Random, 0.1),
        (Attack::Flip, 0.05),
        (Attack::Kill, 0.01),
        (Attack::Decoy, 0.01),
        (Attack::Decoy, 0.1),
        (Attack::Cube, 0.02),
        (Attack::Tail, 0.5),
        (Attack::Point, 0.0),
    ];
    for (attack, share) in all {
        for (n, k, few) in [(60, 5, false), (100, 20, false), (300, 20, true)] {
            let mut function = Adversary::new(n, k, few, (attack, share), seed(3));
            let found = search(&mut function, 4);
            let what = format!("{attack:?} {share}, n = {n}, k = {k}: {:?}", found.certificate);
            assert!(matches!(found.certificate, Certificate::Shut { .. }), "{what}");
            assert!(complete(&function, &found), "{what}");
            assert_eq!(found.queries, function.asked, "{what}");
        }
    }
}

#[test]
fn the_mean_square_promise_is_used_where_it_holds_and_not_where_it_is_refuted() {
    let promise = |attack, share| {
        let mut function = Adversary::new(80, 10, false, (attack, share), seed(5));
        match search(&mut function, 6).certificate {
            Certificate::Shut { promise, failure, .. } => {
                assert!(failure <= FAILURE);
                promise
            }
            Certificate::Open { why } => panic!("{why}"),
        }
    };
    assert_eq!(promise(Attack::None, 0.0), Promised::MeanSquare);
    assert_eq!(promise(Attack::Point, 0.0), Promised::MeanSquare);
    assert_eq!(promise(Attack::Random, 0.05), Promised::Spectrum);
}

#[test]
fn one_poisoned_input_changes_not_even_a_bit() {
    // The poisoned input is among fewer than 2^20 of 2^100 with probability below 2^−80.
    let of = |attack| {
        let mut function = Adversary::new(100, 20, false, (attack, 0.0), seed(7));
        search(&mut function, 8)
    };
    assert_eq!(of(Attack::None), of(Attack::Point));
}

#[test]
fn a_budget_is_kept_to_the_query_and_leaves_the_certificate_open() {
    let whole = search(&mut Adversary::new(60, 10, false, (Attack::None, 0.0), seed(1)), 2).queries;
    for most in [0, 100, 500, 2000, whole - 1] {
        let mut function = Adversary::new(60, 10, false, (Attack::None, 0.0), seed(1));
        let (n, tau) = (60, function.tau());
        let search = HashedSearch { n, tau, bound: BOUND, failure: FAILURE, most_queries: most };
        let found = search.run(&mut function, &mut seed(2).stream("search")).unwrap();
        assert!(function.asked <= most, "{} of {most}", function.asked);
        let Certificate::Open { why } = found.certificate else { panic!("shut at {most}") };
        assert!(why.contains("queries"), "{why}");
    }
}

#[test]
fn no_number_of_threads_changes_anything() {
    let at = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            search(&mut Adversary::new(70, 10, true, (Attack::Random, 0.02), seed(9)), 10)
        })
    };
    assert_eq!(at(1), at(4));
}

#[test]
fn a_function_beyond_every_promise_is_left_open_or_complete_and_never_certified_wrong() {
    // Coefficients of τ/2 in the thousands: a sum of squares of many characters just at the threshold.
    struct Crowd(Vec<Bits>);
    impl Questions for Crowd {
        fn ask(&mut self, xs: &Batch) -> Result<Batch> {
            let values = xs.rows().into_iter().map(|row| {
                let minus: Vec<usize> = (0..40).filter(|&i| row[i] < 0.0).collect();
                let x = Bits::of(40, &minus);
                0.09 * self.0.iter().map(|set| set.character(&x)).sum::<f64>()
            });
            Ok(absolve::data::column(values.collect()))
        }
        fn work(&mut self, _: u64) -> Result<()> {
            Ok(())
        }
    }
    let mut rng = seed(11).stream("crowd");
    let sets: Vec<Bits> = (0..60).map(|_| Bits::random(40, &mut rng)).collect();
    let search =
        HashedSearch { n: 40, tau: 0.18, bound: 1.0, failure: FAILURE, most_queries: 60_000 };
    let found = search.run(&mut Crowd(sets), &mut rng).unwrap();
    if let Certificate::Shut { .. } = found.certificate {
        // Clipped to ±1 each of the sixty has a coefficient near 0.09 = τ/2: shut is right only if none of 3τ/4 is missing.
        assert!(found.terms.iter().all(|term| term.value.abs() < 0.18));
    }
}

/// A task whose truth is a majority of three parities, four characters of weight 1/2, on a cube of forty.
fn listed_task() -> Task {
    let mut task = crate::support::task("fourier");
    task.population =
        toml::from_str("family = \"fourier\"\nn = 40\ntruth = { kind = \"majority\", degree = 3 }")
            .unwrap();
    task.train = 100;
    task
}

/// What `method` makes of an oracle in place of the net of `model`.
fn repair<T>(
    model: &Model,
    method: FourierGlobal,
    oracle: &(dyn Oracle + 'static),
    look: impl FnOnce(Result<Repaired<'_>>) -> T,
) -> T {
    let suspect = Suspect::publish(model.net.clone(), Budget::UNLIMITED);
    let seeds = LabSeeds { samples: seed(1), method: seed(2) };
    let mut lab: Lab<'_> = suspect.lab(&*model.population, &model.task.recipe, seeds);
    look(method.mitigate(oracle, &mut lab))
}

fn answers_of(truth: &FourierSum) -> impl Fn(&[f64]) -> f64 + Send + Sync + use<> {
    let truth = truth.clone();
    move |x: &[f64]| truth.at(x)
}

fn truth_of(model: &Model) -> FourierSum {
    let Some(absolve::population::Truth::Fourier(truth)) = model.population.truth() else {
        panic!("a Fourier truth")
    };
    truth.clone()
}

#[test]
fn planted_characters_are_taken_out_and_the_output_is_the_same_to_the_last_bit() {
    // The claim fails with probability at most 1e-6 a run; six runs.
    let model = Model::untrained(&listed_task(), 1).unwrap();
    let truth = truth_of(&model);
    let method = FourierGlobal { failure: 1e-6, ..FourierGlobal::default() };
    let clean = Function { n: 40, at: answers_of(&truth) };
    let want = repair(&model, method, &clean, |repaired| {
        let repaired = repaired.unwrap();
        assert!(repaired.guarantee.is_some(), "{:?}", repaired.notes);
        sum_of(repaired)
    });
    assert_eq!(want.supports(), truth.supports());
    let planted = [0.1, 0.3, 0.9].map(|weight| {
        let truth = truth.clone();
        move |x: &[f64]| truth.at(x) + weight * x[5] * x[6] * x[7] * x[30]
    });
    for (i, at) in planted.into_iter().enumerate() {
        let (function, notes) = repair(&model, method, &Function { n: 40, at }, |repaired| {
            let repaired = repaired.unwrap();
            let notes = repaired.notes.clone();
            (sum_of(repaired), notes)
        });
        let bits = |f: &FourierSum| -> Vec<(Vec<usize>, u64)> {
            f.terms().iter().map(|t| (t.support.clone(), t.value.to_bits())).collect()
        };
        assert_eq!(bits(&function), bits(&want), "weight {i}: {notes:?}");
    }
}

#[test]
fn a_tau_too_large_is_said_aloud() {
    let model = Model::untrained(&listed_task(), 1).unwrap();
    let truth = truth_of(&model);
    let clean = Function { n: 40, at: answers_of(&truth) };
    // The truth's coefficients are 1/2. Told 0.9, the search sees them between τ/4 and 3τ/4; told 1, it may see nothing.
    for tau in [0.9, 1.0] {
        let method = FourierGlobal { tau: Some(tau), ..FourierGlobal::default() };
        repair(&model, method, &clean, |repaired| {
            let repaired = repaired.unwrap();
            assert_eq!(repaired.guarantee, None, "tau = {tau}");
            let said = repaired.notes.join("\n");
            assert!(said.contains("refuted") || said.contains("ALARM"), "tau = {tau}: {said}");
        });
    }
}

/// What is made of the truth of `task` and of the truth with `other` in its place on what `other` answers.
fn of_truth(toml: &str, method: FourierGlobal, change: fn(&[f64], f64) -> f64) -> (bool, String) {
    let mut task = listed_task();
    task.population = toml::from_str(toml).unwrap();
    let model = Model::untrained(&task, 1).unwrap();
    let truth = truth_of(&model);
    let n = model.world().domain.n();
    let oracle = Function { n, at: move |x: &[f64]| change(x, truth.at(x)) };
    repair(&model, method, &oracle, |repaired| {
        let repaired = repaired.unwrap();
        (repaired.guarantee.is_some(), repaired.notes.join("\n"))
    })
}

#[test]
fn an_exact_truth_of_many_light_characters_rings_no_alarm() {
    // 32 characters of about 1/16 and more, found exactly: what is left of the labels is the error of their own means.
    let junta = "family = 'fourier'\nn = 10\ntruth = { kind = 'junta', coordinates = 5 }";
    for search in [Search::Transform, Search::Hashed] {
        let method = FourierGlobal { search, ..FourierGlobal::default() };
        let (claimed, said) = of_truth(junta, method, |_, y| y);
        assert!(
            claimed && !said.contains("ALARM") && !said.contains("refuted"),
            "{search:?}: {said}"
        );
    }
}

#[test]
fn the_transform_sees_how_far_the_suspect_is_and_labels_beyond_the_bound_are_noticed() {
    let majority = "family = 'fourier'\nn = 10\ntruth = { kind = 'majority', degree = 2 }";
    let method = FourierGlobal { search: Search::Transform, ..FourierGlobal::default() };
    assert!(of_truth(majority, method, |_, y| y).0);
    // Turned on a subcube of 1/64: 2 · 1/8 in root mean square, less what the four coefficients take of it, where τ/4 = 1/8 is
    // assumed; no coefficient moves by 1/8.
    let turned = |x: &[f64], y: f64| if x[..6].iter().all(|x| *x > 0.0) { -y } else { y };
    let (claimed, said) = of_truth(majority, method, turned);
    assert!(!claimed && said.contains("from every function on the characters found"), "{said}");
    let low = FourierGlobal { bound: Some(0.9), ..method };
    let (claimed, said) = of_truth(majority, low, |_, y| y);
    assert!(!claimed && said.contains("beyond bound = 0.9"), "{said}");
}

#[test]
fn a_tau_that_clean_samples_cannot_tell_from_zero_is_refused_before_anything_is_asked() {
    let model = Model::untrained(&listed_task(), 1).unwrap();
    for tau in [1e-5, 1e-20, 1e-300] {
        let method = FourierGlobal { tau: Some(tau), ..FourierGlobal::default() };
        let said = method.check(&model.world()).unwrap_err().to_string();
        assert!(said.contains("tau = ") && said.contains("clean samples"), "{said}");
    }
}

#[test]
fn too_few_queries_give_an_answer_that_says_not_certified() {
    let model = Model::untrained(&listed_task(), 1).unwrap();
    let truth = truth_of(&model);
    let clean = Function { n: 40, at: answers_of(&truth) };
    let method = FourierGlobal { queries: Some(200), ..FourierGlobal::default() };
    repair(&model, method, &clean, |repaired| {
        let repaired = repaired.unwrap();
        assert_eq!(repaired.guarantee, None);
        assert!(repaired.notes.iter().any(|note| note.contains("NOT CERTIFIED")));
    });
}

#[test]
fn hashed_and_tree_find_the_same_and_round_answers_signs() {
    let mut task = listed_task();
    task.population =
        toml::from_str("family = \"fourier\"\nn = 16\ntruth = { kind = \"majority\", degree = 2 }")
            .unwrap();
    let model = Model::untrained(&task, 2).unwrap();
    let truth = truth_of(&model);
    let clean = Function { n: 16, at: answers_of(&truth) };
    let supports = |search| {
        let method = FourierGlobal { search, round: true, ..FourierGlobal::default() };
        repair(&model, method, &clean, |repaired| {
            let repaired = repaired.unwrap();
            let xs = crate::support::some_inputs(&model, 50);
            let answers = repaired.oracle.query(&xs).unwrap();
            // A majority of signs: the recovered function has its sign everywhere.
            assert!(answers.iter().all(|y| (y.abs() - 1.0).abs() < 1e-15));
            assert_eq!(answers, truth.at_all(&xs).mapv(f64::signum));
            assert_eq!(repaired.oracle.shape(), Shape { inputs: 16, outputs: 1 });
            let found = sum_of(repaired);
            found.supports().into_iter().map(<[usize]>::to_vec).collect::<Vec<_>>()
        })
    };
    let hashed = supports(Search::Hashed);
    assert_eq!(hashed, truth.supports());
    assert_eq!(hashed, supports(Search::Tree));
    assert_eq!(hashed, supports(Search::Transform));
}

#[test]
fn a_marginal_that_is_not_uniform_on_the_cube_is_refused() {
    let model = Model::untrained(&crate::support::task("affine"), 1).unwrap();
    let error = FourierGlobal::default().check(&model.world()).unwrap_err().to_string();
    assert!(error.contains("uniform on the cube"), "{error}");
    let model = Model::untrained(&listed_task(), 1).unwrap();
    let zero = FourierGlobal { queries: Some(0), ..FourierGlobal::default() };
    assert!(zero.check(&model.world()).unwrap_err().to_string().contains("queries = 0"));
}

#[test]
fn the_ledger_stops_the_hashed_search_at_the_query_and_charges_every_one() {
    let model = Model::compiled(&listed_task(), 1).unwrap();
    let run = |budget| {
        let suspect = Suspect::publish(model.net.clone(), budget);
        let toml = "search = \"hashed\"";
        let ended =
            crate::support::mitigate(&suspect, &model, "fourier-global", toml, |repaired| {
                repaired.map(sum_of)
            });
        (ended, suspect.spent())
    };
    let (function, spent) = run(Budget::UNLIMITED);
    assert_eq!(function.unwrap().supports(), truth_of(&model).supports());
    for (queries, flops) in [(Some(spent.queries - 1), None), (None, Some(spent.flops - 1))] {
        let (ended, less) = run(Budget { queries, flops, ..Budget::UNLIMITED });
        assert!(matches!(ended, Err(absolve::error::Error::BudgetSpent { .. })), "{ended:?}");
        assert!(queries.is_none_or(|most| less.queries <= most), "{less:?}");
        assert!(flops.is_none_or(|most| less.flops <= most), "{less:?}");
    }
}
