//! Local mitigators: what they plan, what they cost, and the hypotheses that they name.
use absolve::data::Target;
use absolve::domain::Domain;
use absolve::error::Error;
use absolve::ledger::{Budget, Cost};
use absolve::mitigate::Plan;
use absolve::population::{Promise, World};
use absolve::registry::mitigator_named;
use absolve::stats::binomial_tail;
use absolve::study::Model;
use ndarray::Array2;
use ndarray_npy::write_npy;

use crate::support::{absolve, error_of, mitigate, params, publish, some_inputs, task};

/// A net of 64 units on a domain, not trained: for costs.
fn model(domain: &str) -> Model {
    let mut task = task("affine");
    task.population = toml::from_str(&format!("family = \"affine\"\ndomain = {domain}")).unwrap();
    (task.train, task.test) = (10, 20);
    Model::untrained(&task, 1).unwrap()
}

fn plan(name: &str, toml: &str, world: &World) -> Result<Option<Plan>, Error> {
    (mitigator_named(name).unwrap().build)(&params(toml)).unwrap().method.plan(world)
}

/// What three answers cost, and the plan for them.
fn cost_of_three(model: &Model, name: &str, toml: &str) -> (Cost, Plan) {
    let suspect = publish(model.net.clone(), 0);
    let xs = some_inputs(model, 3);
    mitigate(&suspect, model, name, toml, |repaired| repaired.unwrap().oracle.query(&xs).unwrap());
    (suspect.spent(), plan(name, toml, &model.world()).unwrap().unwrap())
}

fn sort(m: u64) -> u64 {
    (m as f64 * (m as f64).log2()).ceil() as u64
}

#[test]
fn answers_cost_what_the_hand_counts() {
    let cube = model("{ shape = \"box\", n = 16 }");
    let oval = model("{ shape = \"ellipsoid\", axes = [1, 2, 3, 4] }");
    let spread = model("{ shape = \"gauss\", n = 10 }");
    let forward = |n: u64| 2 * (n * 64 + 64);
    // (model, method, parameters, queries an answer, operations off the suspect an answer)
    let cases = [
        // Seven pairs: a contracted point takes 3 operations a coordinate, a combination 3.
        (&cube, "affine-contract", "queries = 15", 14, 7 * (3 * 16 + 3) + sort(7)),
        // On an ellipsoid a sample is a product with its map, 2n².
        (&oval, "affine-contract", "queries = 14", 14, 7 * (3 * 4 + 3 + 2 * 16) + sort(7)),
        (&cube, "affine-ray", "queries = 43\nsmudge = 1.0", 42, 21 * 138 + sort(21) + 5),
        // Five groups of three rays: five sorts, and a mean of five.
        (&cube, "affine-average", "groups = 5\nqueries = 34", 30, 15 * 138 + 5 * sort(3) + 5),
        (
            &cube,
            "affine-average",
            "draw = \"contract\"\ngroups = 2\nqueries = 12",
            12,
            6 * 51 + 2 * sort(3) + 2,
        ),
        // A length and a shift take 3n, three points 3n, weights and combination 8.
        (&spread, "affine-gauss", "queries = 29\nsmudge = 0.1", 27, 9 * (6 * 10 + 8) + sort(9) + 5),
    ];
    for (model, name, toml, queries, own) in cases {
        let (spent, plan) = cost_of_three(model, name, toml);
        assert_eq!((spent.queries, plan.queries), (3 * queries, queries), "{name} {toml}");
        let n = model.world().domain.n() as u64;
        assert_eq!(spent.flops, 3 * (queries * forward(n) + own), "{name} {toml}");
        assert_eq!((spent.gradients, spent.clean_labels), (0, 0));
    }
}

#[test]
fn the_failure_probability_follows_from_the_queries_and_the_queries_from_the_failure_probability() {
    let world = model("{ shape = \"box\", n = 16 }").world();
    let of = |name: &str, toml: &str| plan(name, toml, &world).unwrap().unwrap();
    let ray = of("affine-ray", "queries = 50");
    assert!((ray.failure_probability.unwrap() - binomial_tail(25, 0.2, 13)).abs() < 1e-15);
    // A failure probability asked for is kept, with the fewest queries: two pairs less would not.
    for (name, p) in
        [("affine-ray", 0.2), ("affine-contract", 0.05 * (1.0 + (15.0_f64 / 16.0).powi(-16)))]
    {
        for failure in [0.1, 1e-3, 1e-9] {
            let made = of(name, &format!("failure = {failure:e}"));
            let m = made.queries / 2;
            let tail = |m: u64| binomial_tail(m, p, m.div_ceil(2));
            assert!(
                (made.failure_probability.unwrap() - tail(m)).abs() < 1e-12 * tail(m).max(1e-3)
            );
            assert!(tail(m) <= failure && tail(m - 2) > failure, "{name} {failure}");
            let back = of(name, &format!("queries = {}", made.queries));
            assert_eq!(back.failure_probability, made.failure_probability);
        }
    }
    let said = plan("affine-ray", "queries = 1", &world).unwrap_err().to_string();
    assert!(said.contains("queries = 1") && said.contains("at least 2"), "{said}");
}

#[test]
fn answers_stop_at_the_budget_to_the_query() {
    let model = model("{ shape = \"box\", n = 16 }");
    for name in ["affine-ray", "affine-contract", "affine-average"] {
        let toml =
            if name == "affine-average" { "groups = 3\nqueries = 30" } else { "queries = 30" };
        let each = plan(name, toml, &model.world()).unwrap().unwrap().queries;
        for (allowed, fits) in [(3 * each, true), (3 * each - 1, false)] {
            let budget = Budget { queries: Some(allowed), ..Budget::UNLIMITED };
            let suspect = absolve::access::Suspect::publish(model.net.clone(), budget);
            let xs = some_inputs(&model, 3);
            let answers = mitigate(&suspect, &model, name, toml, |repaired| {
                repaired.unwrap().oracle.query(&xs)
            });
            assert_eq!(answers.is_ok(), fits, "{name}");
            assert!(suspect.spent().queries <= allowed);
        }
    }
}

#[test]
fn an_answer_too_large_for_one_call_is_the_same_in_pieces() {
    // 3 · 15,001 estimates of two queries in 64 dimensions are 5.8 million numbers, more than a call holds: the first pieces end
    // inside an answer. The same inputs alone and together.
    let model = model("{ shape = \"ball\", n = 64 }");
    let suspect = publish(model.net.clone(), 0);
    let xs = some_inputs(&model, 2);
    mitigate(&suspect, &model, "affine-average", "groups = 15001\nqueries = 90006", |repaired| {
        let oracle = repaired.unwrap().oracle;
        let together = oracle.query(&xs).unwrap();
        for i in 0..2 {
            let alone = oracle.query(&xs.select(ndarray::Axis(0), &[i])).unwrap();
            assert_eq!(alone.row(0), together.row(i));
        }
        // A linear read of the whole: the mean is near the untrained net's own trend, and in any case a number.
        assert!(together.iter().all(|y| y.is_finite()));
    });
    assert_eq!(suspect.spent().queries, 4 * 90_006);
}

#[test]
fn wrong_hypotheses_are_named() {
    let world = |domain: Domain, target: Target, promise: Promise| World {
        domain,
        target,
        promise,
        cutoff: 0.1,
    };
    let affine = Promise::Affine { delta: 0.01 };
    let of_box = world(Domain::Box { n: 8 }, Target::Real, affine);
    let of_gauss = world(Domain::Gauss { n: 8 }, Target::Real, affine);
    let curved = Promise::Polynomial { degree: 2, delta: 0.01 };
    let on_bodies = ["affine-ray", "affine-contract", "affine-average"];
    let says = |name: &str, toml: &str, world: &World, want: &str| {
        let said = plan(name, toml, world).unwrap_err().to_string();
        assert!(said.contains(want), "{name} {toml}: {said}; wanted {want}");
        let built = (mitigator_named(name).unwrap().build)(&params(toml)).unwrap();
        assert_eq!(built.method.check(world).unwrap_err().to_string(), said);
    };
    for name in on_bodies.into_iter().chain(["affine-gauss"]) {
        let own = if name == "affine-gauss" { &of_gauss } else { &of_box };
        says(name, "bad_mass = 0.3", own, "bad_mass = 0.3");
        says(name, "bad_mass = -0.1", own, "bad_mass = -0.1");
        says(name, "failure = 0.0", own, "failure = 0");
        says(name, "queries = 0", own, "queries = 0");
        says(name, "delta = -1.0", own, "delta = -1");
        says(name, "smudge = 0.0", own, "smudge = 0");
        let classes = World { target: Target::Classes(3), ..own.clone() };
        says(name, "", &classes, "these labels are classes");
        says(name, "", &World { promise: curved, ..own.clone() }, "degree 2");
        // A polynomial of degree 1 is affine.
        let straight = Promise::Polynomial { degree: 1, delta: 0.01 };
        plan(name, "delta = 0.01", &World { promise: straight, ..own.clone() }).unwrap();
        // No closeness, no bar; the failure probability stays, for it needs none.
        let unknown =
            plan(name, "", &World { promise: Promise::Nothing, ..own.clone() }).unwrap().unwrap();
        assert_eq!(unknown.error_bar, None);
        assert!(unknown.failure_probability.is_some());
    }
    for name in on_bodies {
        for domain in [
            Domain::Cube { n: 8 },
            Domain::Gauss { n: 8 },
            Domain::Range { n: 8, low: 0.0, high: 1.0 },
        ] {
            says(name, "", &World { domain, ..of_box.clone() }, "uniform on a convex body");
        }
    }
    says("affine-gauss", "", &of_box, "standard normal");
    says("affine-gauss", "shift = 0.0", &of_gauss, "shift = 0");
    says("affine-contract", "contraction = 8.0", &of_box, "contraction = 8");
    says("affine-average", "groups = 0", &of_box, "groups = 0");
}

#[test]
fn the_plan_is_printed_before_anything_runs_and_every_answer_has_its_claim() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let model = model("{ shape = \"gauss\", n = 4 }");
    model.file(model.net.clone()).save(&here.join("m.safetensors")).unwrap();
    write_npy(here.join("y.npy"), &Array2::<f64>::zeros((3, 1))).unwrap();
    let xs = Array2::from_shape_fn((3, 4), |(i, _)| i as f64);
    write_npy(here.join("x.npy"), &xs).unwrap();
    let run = |set: &[&str], json: bool| {
        let mut command = absolve(here);
        command.args(["mitigate", "affine-gauss", "m.safetensors", "--clean", "x.npy", "y.npy"]);
        command.args(["--domain", "gauss", "--at", "x.npy", "--answers", "a.npy"]);
        for set in set {
            command.args(["--set", set]);
        }
        if json {
            command.arg("--json");
        }
        command
    };
    let output = run(&["delta=0.01", "queries=30"], true).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        log.starts_with(
            "plan         27 queries an answer: the median of 9 draws of three queries"
        ),
        "{log}"
    );
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(outcome["plan"]["queries"], 27);
    assert_eq!(outcome["answers"]["cost"]["queries"], 81);
    let claims = outcome["answers"]["claims"].as_array().unwrap();
    // Lengths 0, 2 and 4, shift 1/2: bars δ, 4 δ and 8 δ; at 0 nothing is shifted, and less can fail.
    for (claim, bar) in claims.iter().zip([0.01, 0.04, 0.08]) {
        assert!((claim["error_bar"].as_f64().unwrap() - bar).abs() < 1e-12);
    }
    let failure = |i: usize| claims[i]["failure_probability"].as_f64().unwrap();
    assert!(failure(0) < failure(1) && (failure(1) - failure(2)).abs() < 1e-15);
    let planned = outcome["plan"]["failure_probability"].as_f64().unwrap();
    assert!((planned - failure(2)).abs() < 1e-15);
    let text = String::from_utf8(run(&["delta=0.01"], false).output().unwrap().stdout).unwrap();
    assert!(text.contains("error bars   from 0.0100 to 0.0800, 0 answers without one"), "{text}");
    // Without a closeness no answer has a claim, and that is said.
    let bare = run(&[], true).output().unwrap();
    let outcome: serde_json::Value = serde_json::from_slice(&bare.stdout).unwrap();
    assert_eq!(outcome["answers"]["claims"][0], serde_json::Value::Null);
    assert!(outcome["notes"].to_string().contains("no closeness delta"));
    let said = error_of(&mut run(&["bad_mass=0.2"], false), 2);
    assert!(said.contains("bad_mass = 0.2") && !said.contains("plan  "), "{said}");
}
