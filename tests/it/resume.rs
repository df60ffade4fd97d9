//! A study that is killed, resumed, run with other threads or damaged comes to the same bytes, or says what is wrong.
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use absolve::study::{Plan, Spec, run};
use tempfile::TempDir;

use crate::support::{TINY, absolve, error_of};

/// The files that have to be the same.
const RESULTS: [&str; 4] = ["records.jsonl", "summary.json", "study.toml", "report.html"];

fn files(dir: &Path) -> Vec<Vec<u8>> {
    RESULTS.iter().map(|name| fs::read(dir.join(name)).unwrap()).collect()
}

/// Says which file differs, without printing it.
fn assert_same(got: &[Vec<u8>], want: &[Vec<u8>]) {
    for ((name, got), want) in RESULTS.iter().zip(got).zip(want) {
        let first = got.iter().zip(want).position(|(a, b)| a != b);
        assert!(got == want, "{name} differs, first at byte {first:?}");
    }
}

fn spec_in(dir: &TempDir) {
    fs::write(dir.path().join("tiny.toml"), TINY).unwrap();
}

fn study(dir: &TempDir, out: &str, jobs: &str) {
    let args = ["study", "tiny.toml", "--out", out, "--jobs", jobs];
    absolve(dir.path()).args(args).assert().success();
}

#[test]
fn a_study_killed_again_and_again_comes_to_the_same_bytes_at_any_number_of_threads() {
    let dir = TempDir::new().unwrap();
    spec_in(&dir);
    study(&dir, "whole", "1");
    let whole = files(&dir.path().join("whole"));
    study(&dir, "wide", "4");
    assert_same(&files(&dir.path().join("wide")), &whole);

    let records = dir.path().join("cut/records.jsonl");
    let mut seen = 0;
    for round in 0..6 {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("absolve"))
            .current_dir(dir.path())
            .args(["study", "tiny.toml", "--out", "cut", "--jobs", "2"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(40 + 60 * round));
        // SIGKILL: no destructor runs, nothing is flushed.
        child.kill().unwrap();
        child.wait().unwrap();
        let there = fs::read_to_string(&records).map_or(0, |text| text.matches('\n').count());
        assert!(there >= seen, "finished cells were lost: {there} of {seen}");
        seen = there;
    }
    study(&dir, "cut", "2");
    assert_same(&files(&dir.path().join("cut")), &whole);
}

#[test]
fn a_line_cut_short_is_dropped_and_its_cell_run_again() {
    let dir = TempDir::new().unwrap();
    spec_in(&dir);
    study(&dir, "out", "2");
    let whole = files(&dir.path().join("out"));
    let records = dir.path().join("out/records.jsonl");
    let text = fs::read(&records).unwrap();
    fs::write(&records, &text[..text.len() * 2 / 3]).unwrap();
    study(&dir, "out", "2");
    assert_same(&files(&dir.path().join("out")), &whole);
}

#[test]
fn a_finished_study_runs_no_cell_again() {
    let dir = TempDir::new().unwrap();
    let plan = Plan::new(Spec::parse(TINY, "tiny").unwrap()).unwrap();
    let first = run(&plan, dir.path(), 2, &|_, _| {}).unwrap();
    let calls = std::sync::Mutex::new(Vec::new());
    let second =
        run(&plan, dir.path(), 2, &|done, of| calls.lock().unwrap().push((done, of))).unwrap();
    assert_eq!(first, second);
    let n = plan.cells().len();
    assert_eq!(*calls.lock().unwrap(), [(n, n)]);
}

#[test]
fn records_of_another_plan_are_not_mixed_in() {
    let dir = TempDir::new().unwrap();
    spec_in(&dir);
    study(&dir, "out", "2");
    let before = files(&dir.path().join("out"));
    fs::write(dir.path().join("tiny.toml"), TINY.replace("first_seed = 11", "first_seed = 12"))
        .unwrap();
    let said = error_of(absolve(dir.path()).args(["study", "tiny.toml", "--out", "out"]), 1);
    assert!(said.contains("another plan"), "{said}");
    assert_same(&files(&dir.path().join("out")), &before);
}

#[test]
fn garbage_in_the_records_is_named_by_line() {
    let dir = TempDir::new().unwrap();
    spec_in(&dir);
    study(&dir, "out", "2");
    let records = dir.path().join("out/records.jsonl");
    let text = fs::read_to_string(&records).unwrap();
    let second = text.lines().nth(1).unwrap();
    fs::write(&records, text.replacen(second, "{\"version\": 99}", 1)).unwrap();
    let said = error_of(absolve(dir.path()).args(["study", "tiny.toml", "--out", "out"]), 1);
    assert!(said.contains("line 2") && said.contains("99"), "{said}");
}

#[test]
fn two_runs_do_not_write_to_one_folder() {
    let dir = TempDir::new().unwrap();
    spec_in(&dir);
    fs::create_dir(dir.path().join("out")).unwrap();
    let lock = fs::File::create(dir.path().join("out/.lock")).unwrap();
    lock.try_lock().unwrap();
    let said = error_of(absolve(dir.path()).args(["study", "tiny.toml", "--out", "out"]), 1);
    assert!(said.contains("another run"), "{said}");
}

#[test]
fn the_report_is_rebuilt_from_the_records_alone() {
    let dir = TempDir::new().unwrap();
    spec_in(&dir);
    study(&dir, "out", "2");
    let page = dir.path().join("out/report.html");
    let before = fs::read(&page).unwrap();
    fs::remove_file(&page).unwrap();
    absolve(dir.path()).args(["report", "out"]).assert().success();
    assert_eq!(fs::read(&page).unwrap(), before);
}

#[test]
fn every_cell_of_a_clean_twin_holds_its_learning_curve_and_no_other_cell_does() {
    let dir = TempDir::new().unwrap();
    spec_in(&dir);
    study(&dir, "out", "2");
    let text = fs::read_to_string(dir.path().join("out/records.jsonl")).unwrap();
    let mut n_curves = 0;
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let curve = record["outcome"]["model"]["curve"].as_array();
        if record["cell"]["attack"] == "none" {
            // Every task of this study trains for four epochs.
            let losses: Vec<f64> =
                curve.unwrap().iter().map(|epoch| epoch["loss"].as_f64().unwrap()).collect();
            assert_eq!(losses.len(), 4);
            assert!(losses[3] < losses[0], "{losses:?}");
            n_curves += 1;
        } else {
            assert!(curve.is_none(), "{line}");
        }
    }
    assert!(n_curves > 0);
}
