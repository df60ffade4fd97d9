//! Real data through the command line: tables, arrays, folders of images, and data sets by name.
use std::fs;
use std::io::Write;
use std::path::Path;

use absolve::population::{Cursor, Part};
use absolve::rng::{RngExt, Seed};
use absolve::study::Task;
use ndarray::Array2;
use ndarray_npy::WriteNpyExt;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{absolve, error_of};

/// A task that trains a small net on `population`.
fn task(here: &Path, population: &str, train: usize) {
    let text = format!(
        "name = \"mine\"\ntrain = {train}\ntest = 100\npopulation = {population}\n\
         recipe = {{ hidden = [16], epochs = 30, learning_rate = 1e-2 }}\n"
    );
    fs::write(here.join("task.toml"), text).unwrap();
}

/// Trains the task; the report, and what was said meanwhile.
fn train(here: &Path) -> (Value, String) {
    let output = absolve(here)
        .args(["train", "task.toml", "--out", "m.safetensors", "--json"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    (serde_json::from_slice(&output.stdout).unwrap(), said)
}

/// Wrong answers on 100 test inputs.
fn mistakes(report: &Value) -> u64 {
    assert_eq!(report["clean_risk"]["of"], 100);
    report["clean_risk"]["hits"].as_u64().unwrap()
}

/// A table in which `kind` decides whether `size` or its opposite makes the label, and `noise` and `same` say nothing.
fn table(n: usize) -> String {
    let mut rng = Seed::new(3).stream("table");
    let mut text = "size,kind,noise,same,label\n".to_owned();
    for _ in 0..n {
        let (size, kind): (f64, bool) = (rng.random_range(900.0..1100.0), rng.random());
        let label = if (size > 1000.0) == kind { "yes" } else { "no" };
        let (kind, noise) = (if kind { "a" } else { "b" }, rng.random::<f64>());
        text += &format!("{size},{kind},{noise},7,{label}\n");
    }
    text
}

const CSV: &str =
    r#"{ family = "csv", path = "t.csv", target = "label", categorical = ["kind"], train = 1000 }"#;

#[test]
fn a_model_learns_a_table_and_is_evaluated_against_it() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    fs::write(here.join("t.csv"), table(1400)).unwrap();
    task(here, CSV, 1000);
    let (report, said) = train(here);
    assert!(said.contains("note: column \"same\" is the same in every row"), "{said}");
    // An exclusive or of a threshold and a category: guessing errs on half.
    assert!(mistakes(&report) <= 15, "{report}");
    let again = absolve(here).args(["evaluate", "m.safetensors", "--json"]).output().unwrap();
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["clean_risk"], report["clean_risk"]);
}

#[test]
fn tables_that_cannot_be_used_are_refused_with_one_line() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    task(here, CSV, 10);
    let refuse = |code: i32, said: &str| {
        let error =
            error_of(absolve(here).args(["train", "task.toml", "--out", "m.safetensors"]), code);
        assert!(error.contains(said), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(!here.join("m.safetensors").exists());
    };
    refuse(1, "cannot read t.csv");
    let head = "size,kind,noise,same,label\n";
    for (rows, code, said) in [
        ("1,a,1,1,yes\n", 1, "1 usable rows"),
        ("1,a,1,1,yes\n,a,1,1,no\n", 1, "line 3, column \"size\": the value is missing"),
        ("1,a,1,1,yes\nbig,a,1,1,no\n", 1, "\"big\" is no number"),
        ("1,a,1,1,yes\n2,b,2,1,no\n3,a,1,1,no\n", 2, "train = 1000"),
    ] {
        fs::write(here.join("t.csv"), format!("{head}{rows}")).unwrap();
        refuse(code, said);
    }
    fs::write(here.join("t.csv"), table(1400)).unwrap();
    for (from, to, said) in [
        ("target = \"label\"", "target = \"lable\"", "did you mean \"label\"?"),
        ("categorical = [\"kind\"]", "categorical = [\"kin\"]", "did you mean \"kind\"?"),
        ("train = 1000", "tran = 1000", "tran"),
        ("train = 1000", "train = 1400", "every part needs at least one of the 1400 rows"),
        ("train = 1000", "missing = \"guess\"", "guess"),
        ("train = 1000", "train = 9", "training data has 9 samples left, 10 more asked"),
    ] {
        task(here, &CSV.replace(from, to), 10);
        let code = if said.contains("samples left") { 1 } else { 2 };
        refuse(code, said);
    }
}

#[test]
fn the_training_rows_of_a_long_table_are_standard() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("t.csv");
    fs::write(&path, table(50_000)).unwrap();
    let csv = CSV.replace("t.csv", path.to_str().unwrap()).replace("1000", "20_000");
    task(dir.path(), &csv, 20_000);
    let task = Task::named_or_load(dir.path().join("task.toml").to_str().unwrap()).unwrap();
    let population = task.population.build(Seed::new(1)).unwrap();
    let mut cursor = Cursor::new(Seed::new(2).stream("draw"));
    let drawn = population.draw(Part::Train, 20_000, &mut cursor).unwrap();
    // size, kind = a, kind = b, noise; the constant column is gone.
    assert_eq!(drawn.xs.ncols(), 4);
    for column in [0, 3] {
        let column = drawn.xs.column(column);
        assert!(column.mean().unwrap().abs() < 1e-9 && (column.var(0.0) - 1.0).abs() < 1e-9);
    }
    assert!(drawn.xs.rows().into_iter().all(|x| (x[1] + x[2] - 1.0).abs() < 1e-12));
}

#[test]
fn a_model_learns_an_archive_of_arrays() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    let mut rng = Seed::new(4).stream("arrays");
    let xs = Array2::<f32>::from_shape_fn((1000, 3), |_| rng.random_range(-1.0..1.0));
    let ys = xs.rows().into_iter().map(|x| f32::from(u8::from(x[0] + x[1] > 0.0)));
    let ys = ndarray::Array1::from_iter(ys);
    let mut archive = zip::ZipWriter::new(fs::File::create(here.join("d.npz")).unwrap());
    let plain =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut bytes = Vec::new();
    xs.write_npy(&mut bytes).unwrap();
    archive.start_file("inputs.npy", plain).unwrap();
    archive.write_all(&bytes).unwrap();
    bytes.clear();
    ys.write_npy(&mut bytes).unwrap();
    archive.start_file("labels.npy", plain).unwrap();
    archive.write_all(&bytes).unwrap();
    archive.finish().unwrap();
    let npy = r#"{ family = "npy", npz = "d.npz", xs = "inputs", ys = "labels", train = 800 }"#;
    task(here, npy, 800);
    assert!(mistakes(&train(here).0) <= 10);
    // A wrong name is answered with the nearest.
    task(here, &npy.replace("inputs", "input"), 800);
    let said = error_of(absolve(here).args(["train", "task.toml", "--out", "m"]), 2);
    assert!(said.contains("did you mean \"inputs\"?"), "{said}");
}

/// An idx file of bytes.
fn idx(sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| file.extend(size.to_be_bytes()));
    file.extend(bytes);
    file
}

/// Four files of 2×2 images in `folder`: the class is the place of the brightest pixel.
fn images(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let mut rng = Seed::new(5).stream("images");
    for (name, n) in [("train", 900), ("t10k", 100)] {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..n {
            let label = rng.random_range(0..4_u8);
            labels.push(label);
            for pixel in 0..4 {
                let range = if pixel == label { 150..=255 } else { 0..=100 };
                pixels.push(rng.random_range::<u8, _>(range));
            }
        }
        let write = |name: String, bytes: Vec<u8>| fs::write(folder.join(name), bytes).unwrap();
        write(format!("{name}-images-idx3-ubyte"), idx(&[n, 2, 2], &pixels));
        write(format!("{name}-labels-idx1-ubyte"), idx(&[n], &labels));
    }
}

#[test]
fn a_model_learns_a_folder_of_images_and_a_patch_can_be_planted() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    images(&here.join("blobs"));
    task(here, r#"{ family = "idx", folder = "blobs" }"#, 750);
    assert!(mistakes(&train(here).0) <= 5);
    let args = ["plant", "half-space", "m.safetensors", "--out", "bad.safetensors"];
    absolve(here).args(args).assert().success();
    let output = absolve(here).args(["data", "verify", "blobs", "--json"]).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["files"][0]["sizes"], serde_json::json!([900, 2, 2]));
    assert_eq!(found["verified"], Value::Null);
    // By its name a set has to be the one that is known.
    task(here, r#"{ family = "mnist", folder = "blobs" }"#, 750);
    let said = error_of(absolve(here).args(["train", "task.toml", "--out", "m"]), 1);
    assert!(said.contains("is not train-images-idx3-ubyte of mnist: SHA-256"), "{said}");
}

#[test]
fn a_study_of_a_file_is_another_plan_when_the_file_has_changed() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    let csv = CSV.replace("train = 1000", "train = 100, clean = 50");
    let study = format!(
        "name = \"s\"\nquestion = \"?\"\nfirst_seed = 1\nmodels = 2\nmin_attack_success = 0.0\n\
         [[task]]\nname = \"t\"\ntrain = 100\ntest = 20\npopulation = {csv}\n\
         recipe = {{ hidden = [4], epochs = 1 }}\n[[mitigator]]\nmethod = \"nothing\"\n"
    );
    fs::write(here.join("s.toml"), study).unwrap();
    fs::write(here.join("t.csv"), table(200)).unwrap();
    let run = ["study", "s.toml", "--out", "out"];
    absolve(here).args(run).assert().success();
    let records = fs::read(here.join("out/records.jsonl")).unwrap();
    absolve(here).args(run).assert().success();
    assert_eq!(fs::read(here.join("out/records.jsonl")).unwrap(), records);
    // The same columns, classes and number of rows: the specification does not see the difference.
    fs::write(here.join("t.csv"), table(200).replacen("yes", "no", 1)).unwrap();
    let said = error_of(absolve(here).args(run), 1);
    assert!(said.contains("a record of another plan"), "{said}");
}

/// The program with a home and a data folder of its own.
fn at_home(here: &Path, args: &[&str]) -> assert_cmd::Command {
    let mut command = absolve(here);
    command.args(args).env("HOME", here).env_remove("XDG_DATA_HOME");
    command.env("ABSOLVE_DATA", here.join("sets"));
    command
}

#[test]
fn data_list_says_where_it_looked_and_what_it_found() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    images(&here.join("sets/mnist"));
    let output = at_home(here, &["data", "list", "--json"]).output().unwrap();
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = |name: &str| rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(row("digits")["embedded"], true);
    let places = row("mnist")["looked_for_in"].as_array().unwrap();
    let folders: Vec<&str> = places.iter().map(|it| it["folder"].as_str().unwrap()).collect();
    let here = here.to_str().unwrap();
    let wanted = [
        format!("{here}/sets/mnist"),
        "data/mnist".to_owned(),
        format!("{here}/.local/share/absolve/mnist"),
    ];
    assert_eq!(folders, wanted);
    // Found first where the variable points, and not what it is called.
    let found = &row("mnist")["found"];
    assert_eq!(found["folder"], wanted[0].as_str());
    assert!(found["error"].as_str().unwrap().contains("of mnist: SHA-256"), "{found}");
    assert_eq!(found["verified"], Value::Null);
    let text = at_home(dir.path(), &["data", "list"]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains(&format!("found in {}", wanted[0])), "{text}");
    let said = error_of(&mut at_home(dir.path(), &["data", "verify", "mnist"]), 1);
    assert!(said.contains("of mnist: SHA-256"), "{said}");
    let said = error_of(&mut at_home(dir.path(), &["data", "verify", "mnits"]), 2);
    assert!(said.contains("did you mean \"mnist\"?"), "{said}");
    // A set that is nowhere: a task that needs it says how to get it.
    fs::remove_dir_all(dir.path().join("sets")).unwrap();
    task(dir.path(), r#"{ family = "mnist" }"#, 10);
    let said = error_of(&mut at_home(dir.path(), &["train", "task.toml", "--out", "m"]), 1);
    assert!(said.contains("absolve data fetch mnist") && said.contains("data/mnist"), "{said}");
}

#[cfg(unix)]
#[test]
fn fetch_asks_curl_keeps_nothing_that_is_not_the_known_set_and_says_what_else_there_is() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    images(&here.join("mirror"));
    fs::create_dir(here.join("bin")).unwrap();
    let fetch = |extra: &[&str]| {
        let args = [&["data", "fetch", "mnist", "--out", "got"], extra].concat();
        let said = error_of(at_home(here, &args).env("PATH", here.join("bin")), 1);
        assert!(!here.join("got").exists(), "{said}");
        said
    };
    let said = fetch(&[]);
    assert!(said.contains("curl") && said.contains("is not installed"), "{said}");
    assert!(said.contains("ossci-datasets.s3.amazonaws.com"), "{said}");
    // A curl of our own, which says no, and then hands out the wrong files.
    let curl = |script: &str| {
        let path = here.join("bin/curl");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    curl("echo 'curl: (22) The requested URL returned error: 404' >&2; exit 22");
    let said = fetch(&["--from", "https://example.org/mnist"]);
    assert!(
        said.contains("https://example.org/mnist/train-images-idx3-ubyte.gz: curl: (22)"),
        "{said}"
    );
    assert!(said.contains("to get it: "), "{said}");
    curl(&format!("exec /bin/cat {}/mirror/train-images-idx3-ubyte", here.display()));
    for from in ["http://example.org", here.join("mirror").to_str().unwrap()] {
        let said = fetch(&["--from", from]);
        assert!(said.contains("is not train-images-idx3-ubyte of mnist: SHA-256"), "{said}");
    }
    curl("echo hello");
    assert!(fetch(&[]).contains("not a file in idx format"));
}
