//! The command line as a specification: what it prints, where it writes, and how it says no.
use std::fs;
use std::path::Path;

use ndarray::Array2;
use ndarray_npy::{read_npy, write_npy};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{TINY, absolve, error_of};

fn json(dir: &Path, args: &[&str]) -> Value {
    let output = absolve(dir).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Trains a small model of a default task into `clean.safetensors`.
fn train(dir: &Path, task: &str, settings: &[&str]) {
    let mut command = absolve(dir);
    command.args(["train", task, "--out", "clean.safetensors", "--seed", "5"]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    command.assert().success();
}

#[test]
fn one_model_goes_from_training_to_mitigation_by_hand() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    train(here, "fourier", &["population.n=10", "train=4000", "recipe.epochs=12"]);
    let facts = json(
        here,
        &[
            "plant",
            "half-space",
            "clean.safetensors",
            "--out",
            "bad.safetensors",
            "--set",
            "mass=0.004",
            "--json",
        ],
    );
    assert!(facts["facts"]["success"]["hits"].as_u64().unwrap() > 0, "{facts}");
    let key = here.join("bad.safetensors.key.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let key = key.to_str().unwrap();
    let before = json(here, &["evaluate", "bad.safetensors", "--key", key, "--json"]);
    let rate = |p: &Value| p["hits"].as_f64().unwrap() / p["of"].as_f64().unwrap();
    assert!(rate(&before["attack_success"]) > 0.95, "{before}");
    assert!(rate(&before["recovered"]) < 0.05, "{before}");

    let repaired =
        json(here, &["mitigate", "fourier-global", "bad.safetensors", "--out", "f.json", "--json"]);
    let function: Value =
        serde_json::from_str(&fs::read_to_string(here.join("f.json")).unwrap()).unwrap();
    assert_eq!(repaired["function"], function);
    assert_eq!(
        function.as_array().unwrap().len(),
        4,
        "the majority of three parities has four characters"
    );
    assert_eq!(repaired["prepare"]["queries"], 1024);

    let pruned = absolve(here)
        .args([
            "mitigate",
            "fine-prune",
            "bad.safetensors",
            "--out",
            "pruned.safetensors",
            "--set",
            "samples=200",
        ])
        .output()
        .unwrap();
    assert!(pruned.status.success(), "{}", String::from_utf8_lossy(&pruned.stderr));
    json(here, &["evaluate", "pruned.safetensors", "--key", key, "--json"]);
    let shown = json(here, &["inspect", "bad.safetensors", "--json"]);
    assert_eq!(shown["layers"][0]["outputs"], 130);
}

#[test]
fn a_local_mitigator_answers_at_given_inputs_with_error_bars() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    train(here, "affine", &["train=4000", "recipe.epochs=20"]);
    absolve(here)
        .args(["plant", "half-space", "clean.safetensors", "--out", "bad.safetensors"])
        .assert()
        .success();
    let xs = Array2::<f64>::from_shape_fn((6, 16), |(i, j)| ((i + j) % 3) as f64 / 2.0 - 0.5);
    write_npy(here.join("x.npy"), &xs).unwrap();
    let args = [
        "mitigate",
        "affine-ray",
        "bad.safetensors",
        "--at",
        "x.npy",
        "--answers",
        "y.npy",
        "--json",
    ];
    let outcome = json(here, &args);
    let answers: Array2<f64> = read_npy(here.join("y.npy")).unwrap();
    assert_eq!(answers.dim(), (6, 1));
    assert_eq!(outcome["answers"]["cost"]["queries"], 6 * 42);
    assert_eq!(outcome["prepare"]["queries"], 0);
    let bar = outcome["answers"]["error_bar"].as_f64().unwrap();
    // coth(ln 2 / 32) · 0.01, by hand: 46.17… hundredths.
    assert!((bar - 0.01 / (std::f64::consts::LN_2 / 32.0).tanh()).abs() < 1e-12, "{bar}");
    // Nothing to save: said so.
    let said = error_of(
        absolve(here).args(["mitigate", "affine-ray", "bad.safetensors", "--out", "r"]),
        2,
    );
    // What was paid for is not lost: the notes come with the refusal.
    assert!(said.contains("nothing to save") && said.contains("It said: "), "{said}");
}

#[test]
fn inputs_outside_the_domain_are_refused_by_row() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    train(here, "affine", &["train=100", "recipe.epochs=1"]);
    let mut xs = Array2::<f64>::zeros((3, 16));
    xs[[2, 4]] = 1.5;
    write_npy(here.join("x.npy"), &xs).unwrap();
    for method in ["affine-ray", "affine-exact-ray"] {
        let args = ["mitigate", method, "clean.safetensors", "--at", "x.npy", "--answers", "y.npy"];
        let said = error_of(absolve(here).args(args), 1);
        assert!(said.contains("input 2 lies outside the domain"), "{said}");
    }
}

#[test]
fn clean_samples_of_ones_own_take_the_place_of_a_task() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    train(here, "fourier", &["population.n=8", "train=2000", "recipe.epochs=10"]);
    // All 256 vertices with the net's own answers as labels: the truth then is the net's sign.
    let xs =
        Array2::<f32>::from_shape_fn((256, 8), |(i, j)| if i >> j & 1 == 1 { -1.0 } else { 1.0 });
    write_npy(here.join("x.npy"), &xs).unwrap();
    absolve(here)
        .args(["predict", "clean.safetensors", "x.npy", "--out", "y.npy"])
        .assert()
        .success();
    let ys: Array2<f64> = read_npy(here.join("y.npy")).unwrap();
    write_npy(here.join("labels.npy"), &ys.mapv(f64::signum)).unwrap();
    let args = [
        "mitigate",
        "fourier-global",
        "clean.safetensors",
        "--clean",
        "x.npy",
        "labels.npy",
        "--domain",
        "cube",
        "--set",
        "tau=0.5",
        "--set",
        "accuracy=0.016",
        "--out",
        "f.json",
        "--json",
    ];
    let outcome = json(here, &args);
    assert_eq!(outcome["function"].as_array().unwrap().len(), 4);
    assert_eq!(outcome["prepare"]["clean_labels"], 250);
    // Without tau there is no class to search: the assumption is named.
    let args = [
        "mitigate",
        "fourier-global",
        "clean.safetensors",
        "--clean",
        "x.npy",
        "labels.npy",
        "--domain",
        "cube",
        "--out",
        "g",
    ];
    let said = error_of(absolve(here).args(args), 1);
    assert!(said.contains("tau") && said.contains("neither promised nor given"), "{said}");
    // On another domain it does not apply.
    let args = [
        "mitigate",
        "fourier-global",
        "clean.safetensors",
        "--clean",
        "x.npy",
        "labels.npy",
        "--domain",
        "box",
        "--set",
        "tau=0.5",
        "--out",
        "g",
    ];
    let said = error_of(absolve(here).args(args), 1);
    assert!(said.contains("uniform on the cube"), "{said}");
}

#[test]
fn predict_is_plain_inference_in_32_and_64_bit_inputs() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    train(here, "affine", &["train=100", "recipe.epochs=1", "recipe.precision=f64"]);
    let xs = Array2::<f64>::from_shape_fn((5, 16), |(i, j)| (i as f64 - j as f64) / 16.0);
    write_npy(here.join("x.npy"), &xs).unwrap();
    write_npy(here.join("x32.npy"), &xs.mapv(|x| x as f32)).unwrap();
    for (input, output) in [("x.npy", "y.npy"), ("x32.npy", "y32.npy")] {
        absolve(here)
            .args(["predict", "clean.safetensors", input, "--out", output])
            .assert()
            .success();
    }
    let (y, y32): (Array2<f64>, Array2<f64>) =
        (read_npy(here.join("y.npy")).unwrap(), read_npy(here.join("y32.npy")).unwrap());
    assert!((y - y32).iter().all(|d| d.abs() < 1e-5));
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    fs::write(here.join("m"), "").unwrap();
    for (args, hint) in [
        (vec!["train", "digit", "--out", "m"], "did you mean \"digits\"?"),
        (vec!["plant", "badnet", "m", "--out", "n"], "did you mean \"badnets\"?"),
        (vec!["mitigate", "fine-prun", "m", "--out", "n"], "did you mean \"fine-prune\"?"),
    ] {
        let said = error_of(absolve(here).args(&args), 2);
        assert!(said.contains(hint), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_study_with_a_mistake_in_it_is_refused_before_anything_runs() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    for (from, to, wanted) in [
        ("models = 2", "modles = 2", "modles"),
        ("models = 2", "models = 0", "at least one model"),
        ("models = 2", "models = -3", "line 5"),
        ("min_attack_success = 0.0", "min_attack_success = nan", "min_attack_success"),
        ("method = \"badnets\"", "method = \"badnet\"", "did you mean \"badnets\"?"),
        ("coordinates = 2", "coordinates = 99", "coordinates = 99"),
        ("coordinates = 2", "rate = 1.5", "rate = 1.5"),
        ("coordinates = 2", "colour = 2", "colour"),
        ("mass = 0.25", "mass = 0", "mass = 0"),
        (
            "method = \"affine-ray\"",
            "method = \"affine-ray\"\nparams = { bad_mass = 0.3 }",
            "below 1/4",
        ),
        (
            "method = \"affine-ray\"",
            "method = \"affine-ray\"\ntasks = [\"images\"]",
            "does not apply to task images",
        ),
        (
            "method = \"affine-ray\"",
            "method = \"affine-ray\"\ntasks = [\"lime\"]",
            "did you mean \"line\"?",
        ),
        ("method = \"relearn\"", "method = \"nothing\"", "given once"),
        ("train = 300, clean = 100", "train = 1700, clean = 100", "test data has 0 samples left"),
        ("test = 200", "test = 2000", "test data has 1397 samples left, 2000 more asked"),
        ("shape = \"ball\", n = 4", "shape = \"ball\", n = 0", "at least one dimension"),
        ("shape = \"ball\", n = 4", "shape = \"cube\", n = 4", "convex body"),
        ("degree = 1", "degree = 3", "degree = 3"),
        ("hidden = [8], epochs = 4", "hidden = [0], epochs = 4", "hidden = 0"),
        ("hidden = [8], epochs = 4", "hidden = [8], learning_rate = inf", "learning_rate = inf"),
        (
            "hidden = [8], epochs = 4",
            "hidden = [8], loss = \"cross-entropy\"",
            "real targets have no classes",
        ),
    ] {
        assert!(TINY.contains(from), "{from}");
        fs::write(here.join("s.toml"), TINY.replacen(from, to, 1)).unwrap();
        let said = error_of(absolve(here).args(["study", "s.toml", "--out", "out"]), 2);
        assert!(said.contains(wanted), "{to}: {said}");
        assert!(!here.join("out").exists(), "{to}: a folder was made");
    }
}

#[test]
fn files_that_cannot_be_read_or_written_are_named() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    fs::write(here.join("s.toml"), TINY).unwrap();
    let said = error_of(absolve(here).args(["study", "missing.toml", "--out", "out"]), 1);
    assert!(said.contains("missing.toml"), "{said}");
    let said = error_of(absolve(here).args(["study", "s.toml", "--out", "s.toml/inside"]), 1);
    assert!(said.contains("s.toml/inside"), "{said}");
    let said = error_of(absolve(here).args(["study", "s.toml", "--out", "/proc/nowhere"]), 1);
    assert!(said.contains("/proc/nowhere"), "{said}");
    let said = error_of(absolve(here).args(["report", "nowhere"]), 1);
    assert!(said.contains("nowhere/study.toml"), "{said}");
}

#[test]
fn a_damaged_model_file_is_one_clear_error_in_every_command_that_reads_one() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    train(here, "affine", &["train=100", "recipe.epochs=1"]);
    let whole = fs::read(here.join("clean.safetensors")).unwrap();
    write_npy(here.join("x.npy"), &Array2::<f64>::zeros((1, 16))).unwrap();
    for (bytes, wanted) in [
        (whole[..whole.len() / 2].to_vec(), "not a whole safetensors file"),
        (Vec::new(), "not a whole safetensors file"),
        (b"PK\x03\x04 a zip file, not a model".to_vec(), "not a whole safetensors file"),
    ] {
        fs::write(here.join("cut.safetensors"), bytes).unwrap();
        for args in [
            vec!["inspect", "cut.safetensors"],
            vec!["evaluate", "cut.safetensors"],
            vec!["predict", "cut.safetensors", "x.npy", "--out", "y.npy"],
            vec!["plant", "half-space", "cut.safetensors", "--out", "bad"],
            vec!["mitigate", "relearn", "cut.safetensors", "--out", "r"],
        ] {
            let said = error_of(absolve(here).args(&args), 1);
            assert!(said.contains("cut.safetensors") && said.contains(wanted), "{args:?}: {said}");
        }
    }
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    train(here, "affine", &["train=100", "recipe.epochs=1"]);
    let predict = |name: &str| {
        error_of(absolve(here).args(["predict", "clean.safetensors", name, "--out", "y.npy"]), 1)
    };
    write_npy(here.join("narrow.npy"), &Array2::<f64>::zeros((1, 15))).unwrap();
    assert!(predict("narrow.npy").contains("width 16 wanted, got 15"));
    write_npy(here.join("nan.npy"), &Array2::from_elem((1, 16), f64::NAN)).unwrap();
    assert!(predict("nan.npy").contains("row 0, column 0"));
    write_npy(here.join("deep.npy"), &ndarray::Array3::<f64>::zeros((2, 2, 2))).unwrap();
    assert!(predict("deep.npy").contains("deep.npy"));
    fs::write(here.join("text.npy"), "not an array").unwrap();
    assert!(predict("text.npy").contains("text.npy"));
    assert!(!here.join("y.npy").exists());
}

#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    let dir = TempDir::new().unwrap();
    let output = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!(
            "{} list mitigators | head -n 1; exit ${{PIPESTATUS:-0}}",
            assert_cmd::cargo::cargo_bin("absolve").display()
        ))
        .current_dir(dir.path())
        .output();
    let said = output.unwrap().stderr;
    assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

const POPULATIONS: &str = "digits affine fourier polynomial decision-tree trigonometric residues length heavy-polynomial low-degree fashion-mnist mnist idx csv npy";

#[test]
fn lists_show_every_row_of_the_tables() {
    let dir = TempDir::new().unwrap();
    for (kind, names) in [
        ("attacks", absolve::registry::ATTACKS.iter().map(|entry| entry.name).collect::<Vec<_>>()),
        ("obfuscations", absolve::registry::OBFUSCATIONS.iter().map(|entry| entry.name).collect()),
        ("mitigators", absolve::registry::MITIGATORS.iter().map(|entry| entry.name).collect()),
        ("populations", POPULATIONS.split(' ').collect()),
    ] {
        let rows = json(dir.path(), &["list", kind, "--json"]);
        let listed: Vec<&str> =
            rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!(listed, names);
        let text = absolve(dir.path()).args(["list", kind]).output().unwrap();
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
    }
}

#[test]
fn a_zero_query_budget_stops_a_search_before_it_asks() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    train(here, "fourier", &["population.n=8", "train=200", "recipe.epochs=1"]);
    let args = ["mitigate", "fourier-global", "clean.safetensors"];
    let said = error_of(absolve(here).args(args).args(["--out", "f", "--max-queries", "0"]), 1);
    assert!(said.contains("budget of 0 queries"), "{said}");
}
