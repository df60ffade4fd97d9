//! Programs as suspects: the same answers as a net behind the same door, and one clear error for whatever goes wrong.
#![cfg(unix)]
use std::fs;
use std::path::Path;
use std::time::Duration;

use absolve::access::{Access, Gradients, Oracle, Suspect, WhiteBox};
use absolve::data::{Batch, Shape};
use absolve::error::Error;
use absolve::external::{External, Program, Protocol, words};
use absolve::ledger::{Budget, Cost};
use absolve::study::{Model, Spec};
use ndarray::Array2;
use ndarray_npy::{read_npy, write_npy};
use tempfile::TempDir;

use crate::support::{TINY, absolve, error_of, mitigate, publish, some_inputs};

const LINES: Protocol = Protocol::Jsonl;
const BLOCKS: Protocol = Protocol::Npy;

fn start(command: &[&str], shape: (usize, usize), protocol: Protocol, seconds: f64) -> External {
    let program = Program {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        shape: Shape { inputs: shape.0, outputs: shape.1 },
        protocol,
        timeout: Duration::from_secs_f64(seconds),
    };
    External::start(program).unwrap()
}

fn rows(n: usize, width: usize) -> Batch {
    Array2::from_shape_fn((n, width), |(i, j)| ((i * 37 + j * 11) as f64 / 7.0).sin() / 3.0)
}

/// Why a program that a shell runs cannot answer three rows of one number.
fn failure(script: &str, protocol: Protocol, seconds: f64) -> String {
    start(&["sh", "-c", script], (1, 1), protocol, seconds)
        .ask(&rows(3, 1))
        .unwrap_err()
        .to_string()
}

#[test]
fn black_box_methods_cannot_tell_a_program_from_the_net_inside_it() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("m.safetensors");
    let spec = Spec::parse(TINY, "tiny").unwrap();
    for (task, methods) in [(1, ["affine-ray", "nothing"]), (2, ["fourier-global", "nothing"])] {
        let model = Model::train(&spec.tasks[task], 3, &mut |_| {}).unwrap();
        model.file(model.net.clone()).save(&file).unwrap();
        let xs = some_inputs(&model, 30);
        for method in methods {
            let run = |suspect: &Suspect| {
                let answers = mitigate(suspect, &model, method, "", |repaired| {
                    repaired.unwrap().oracle.query(&xs).unwrap()
                });
                (answers, suspect.spent())
            };
            let (wanted, cost) = run(&publish(model.net.clone(), 400));
            for (protocol, name) in [(LINES, "jsonl"), (BLOCKS, "npy")] {
                let binary = env!("CARGO_BIN_EXE_absolve");
                let command = [binary, "serve", file.to_str().unwrap(), "--protocol", name];
                let shape = model.net.shape();
                let served = start(&command, (shape.inputs, shape.outputs), protocol, 60.0);
                let budget = Budget { clean_labels: Some(400), ..Budget::UNLIMITED };
                let (got, spent) = run(&Suspect::publish_external(served, budget));
                assert_eq!(got, wanted, "{method} over {name}");
                // The same but for what the net computes inside: F a query.
                let inside = model.net.forward_flops() * cost.queries;
                assert_eq!(spent, Cost { flops: cost.flops - inside, ..cost }, "{method}");
            }
        }
    }
}

#[test]
fn a_program_is_lent_on_the_lowest_rung_only() {
    let suspect = Suspect::publish_external(start(&["cat"], (2, 2), LINES, 9.0), Budget::UNLIMITED);
    assert!(<dyn Oracle>::of(&suspect).is_ok());
    for refused in
        [<dyn Gradients>::of(&suspect).err().unwrap(), <dyn WhiteBox>::of(&suspect).err().unwrap()]
    {
        assert!(
            refused.is_wrong_use() && refused.to_string().contains("the suspect is a program"),
            "{refused}"
        );
    }
}

#[test]
fn large_blocks_pass_both_ways_at_once_to_the_last_bit() {
    // Each block is far larger than a pipe holds, and `cat` answers before it has read all.
    let xs = rows(3000, 200);
    for protocol in [LINES, BLOCKS] {
        // `cat` gives back whole blocks, so its answers are its inputs.
        let cat = start(&["cat"], (200, 200), protocol, 60.0);
        assert_eq!(cat.ask(&xs).unwrap(), xs);
        assert_eq!(
            cat.ask(&xs.slice(ndarray::s![..1, ..]).to_owned()).unwrap(),
            xs.slice(ndarray::s![..1, ..])
        );
        assert_eq!(cat.ask(&Batch::zeros((0, 200))).unwrap().dim(), (0, 200));
    }
}

#[test]
fn queries_are_charged_before_they_are_asked_and_stay_charged() {
    let budget = Budget { queries: Some(5), ..Budget::UNLIMITED };
    let suspect = Suspect::publish_external(start(&["cat"], (1, 1), LINES, 9.0), budget);
    assert_eq!(suspect.query(&rows(3, 1)).unwrap(), rows(3, 1));
    assert!(matches!(suspect.query(&rows(3, 1)), Err(Error::BudgetSpent { what: "queries", .. })));
    assert!(matches!(suspect.query(&rows(1, 2)), Err(Error::Width { .. })));
    let nan = Batch::from_elem((1, 1), f64::NAN);
    assert!(matches!(suspect.query(&nan), Err(Error::NotFinite { .. })));
    assert_eq!(suspect.spent(), Cost { queries: 3, ..Cost::default() });
    let silent = start(&["false"], (1, 1), LINES, 9.0);
    let silent = Suspect::publish_external(silent, Budget::UNLIMITED);
    let first = silent.query(&rows(2, 1)).unwrap_err();
    assert!(matches!(first, Error::External { .. }), "{first}");
    // Every later question fails as the first did, and was asked all the same.
    assert_eq!(silent.query(&rows(2, 1)).unwrap_err().to_string(), first.to_string());
    assert_eq!(silent.spent().queries, 4);
}

#[test]
fn a_program_that_dies_is_quoted() {
    let why = failure("echo one >&2; echo 'no such model' >&2; exit 3", LINES, 9.0);
    assert!(why.contains("its output ended before all was answered (exit status: 3)"), "{why}");
    assert!(why.ends_with("it said: no such model"), "{why}");
    let why = failure("read row; echo 1; kill -9 $$", LINES, 9.0);
    assert!(why.contains("signal: 9"), "{why}");
    let why = failure("printf 'x'; exit 1", BLOCKS, 9.0);
    assert!(why.contains("its output ended before all was answered (exit status: 1)"), "{why}");
}

#[test]
fn a_program_that_is_silent_or_dribbles_is_stopped_in_time() {
    for script in ["exec sleep 100", "read row; while true; do printf ' '; sleep 0.05; done"] {
        let why = failure(script, LINES, 0.3);
        assert!(why.contains("no answer to 3 rows within 300ms"), "{why}");
    }
}

#[test]
fn nonsense_is_refused_with_its_place() {
    for (script, says) in [
        (
            "while read row; do echo NaN; done",
            "answer 0 of 3: \"NaN\" is no JSON array of 1 finite numbers",
        ),
        ("while read row; do echo 1e999; done", "is no JSON array of 1 finite numbers"),
        ("while read row; do echo hello; done", "answer 0 of 3: \"hello\" is no JSON array"),
        (
            "read row; echo 1; while read row; do echo '[1, 2]'; done",
            "answer 1 of 3: 1 numbers wanted, got 2",
        ),
        ("while read row; do echo '[]'; done", "1 numbers wanted, got 0"),
        (
            "read a; read b; read c; printf '1\\n2\\n3\\n4\\n'; read d",
            "it said more than it was asked: \"4\\n\"",
        ),
        (
            "read row; head -c 9999999 /dev/zero; read row",
            "answer 0 has more than the 4160 bytes that a line may have",
        ),
    ] {
        let why = failure(script, LINES, 20.0);
        assert!(why.contains(says), "{script}: {why}");
    }
    let header = |text: &str| {
        let length = text.len();
        // It speaks once it was asked; before, it would have said too much.
        format!(
            "head -c 1 >/dev/null; printf '\\223NUMPY\\001\\000\\{length:03o}\\000%s' \"{text}\"; cat >/dev/null"
        )
    };
    for (script, says) in [
        (
            "read row; echo hello there; cat >/dev/null".to_owned(),
            "is not how an array in .npy format begins",
        ),
        (
            header("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }"),
            "3 × 1 wanted, got 3 × 2",
        ),
        (
            header("{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976, 8), }"),
            "3 × 1 wanted",
        ),
        (
            header("{'descr': '<i8', 'fortran_order': False, 'shape': (3, 1), }"),
            "32 or 64 bit floats in C order",
        ),
        (
            header("{'descr': '<f8', 'fortran_order': True, 'shape': (3, 2), }"),
            "32 or 64 bit floats in C order",
        ),
        (
            "head -c 1 >/dev/null; printf '\\223NUMPY\\002\\000\\377\\377\\377\\377'; cat >/dev/null".to_owned(),
            "header of 4294967295 bytes",
        ),
        (
            "head -c 1 >/dev/null; printf '\\223NUMPY\\011\\000'; cat >/dev/null".to_owned(),
            "version 9",
        ),
    ] {
        let why = failure(&script, BLOCKS, 20.0);
        assert!(why.contains(says), "{script}: {why}");
    }
}

#[test]
fn a_program_that_said_too_much_is_told_at_the_end_at_the_latest() {
    // Two answers for one row: whether the second is there in time to be seen with the first is chance, at the end it is not.
    let twice = ["sh", "-c", "while read x; do echo 1; echo 2; done"];
    let program = start(&twice, (1, 1), Protocol::Jsonl, 10.0);
    let told = program.ask(&rows(1, 1)).and_then(|_| program.end());
    assert!(told.unwrap_err().to_string().contains("more than it was asked"));
    let honest = start(&["cat"], (1, 1), Protocol::Jsonl, 10.0);
    honest.ask(&rows(3, 1)).unwrap();
    honest.end().unwrap();
    assert!(honest.ask(&rows(1, 1)).is_err(), "its input has ended");
}

#[test]
fn no_process_is_left_behind() {
    let dir = TempDir::new().unwrap();
    let note = dir.path().join("pid");
    let gone = |seconds: f64, command: &str, rows: Option<&Batch>| {
        let script = format!("echo $$ > {}; exec {command}", note.display());
        let program = start(&["sh", "-c", &script], (1, 1), LINES, seconds);
        if let Some(rows) = rows {
            drop(program.ask(rows));
        }
        while fs::read_to_string(&note).map_or(true, |text| !text.ends_with('\n')) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let pid = fs::read_to_string(&note).unwrap().trim().to_owned();
        fs::remove_file(&note).unwrap();
        let there = Path::new("/proc").join(pid);
        drop(program);
        !there.exists()
    };
    assert!(gone(9.0, "cat", Some(&rows(3, 1))), "one that ends with its input");
    assert!(gone(0.2, "sleep 100", Some(&rows(3, 1))), "one that is too slow");
    assert!(gone(9.0, "sleep 100", None), "one that is never asked and does not listen");
}

#[test]
fn what_cannot_be_started_says_so() {
    let program = |command: &str, inputs, seconds| Program {
        command: words(command).unwrap(),
        shape: Shape { inputs, outputs: 1 },
        protocol: LINES,
        timeout: Duration::from_secs(seconds),
    };
    let why = External::start(program("no-such-program-here", 1, 9)).unwrap_err();
    assert!(why.to_string().contains("`no-such-program-here`: it cannot be started"), "{why}");
    assert!(External::start(program("cat", 0, 9)).unwrap_err().is_wrong_use());
    assert!(External::start(program("cat", 1 << 40, 9)).unwrap_err().is_wrong_use());
    assert!(External::start(program("cat", 1, 0)).unwrap_err().is_wrong_use());
}

#[test]
fn a_program_is_mitigated_on_the_command_line() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    let train =
        ["train", "affine", "--out", "a model", "--set", "train=300", "--set", "recipe.epochs=2"];
    absolve(here).args(train).assert().success();
    let xs = rows(4, 16);
    write_npy(here.join("x.npy"), &xs).unwrap();
    let command = format!("'{}' serve \"a model\" --protocol npy", env!("CARGO_BIN_EXE_absolve"));
    let ask = |suspect: &[&str], answers: &str| {
        let mut args =
            vec!["mitigate", "affine-ray", "--at", "x.npy", "--answers", answers, "--json"];
        args.extend(suspect);
        let output = absolve(here).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    ask(&["a model"], "net.npy");
    let from = ["--population", "affine", "--seed", "1"];
    let program = [&["--suspect-command", &command, "--protocol", "npy"][..], &from].concat();
    let outcome = ask(&program, "program.npy");
    let read = |name: &str| -> Batch { read_npy(here.join(name)).unwrap() };
    assert_eq!(read("program.npy"), read("net.npy"));
    assert_eq!(outcome["forward_flops"], serde_json::Value::Null);
    assert_eq!(outcome["answers"]["cost"]["queries"], 4 * 42);
    let notes = outcome["notes"].to_string();
    assert!(notes.contains("what it computes inside is not known"), "{notes}");

    let refuse = |args: &[&str], code| {
        let mut all = vec!["mitigate"];
        all.extend(args);
        error_of(absolve(here).args(all), code)
    };
    let said = refuse(
        &["fine-prune", "--suspect-command", "touch started", "--out", "r", "--seed", "1"],
        2,
    );
    assert!(said.contains("it needs the weights (white box)"), "{said}");
    assert!(!here.join("started").exists());
    let said =
        refuse(&["nothing", "--suspect-command", "cat", "--at", "x.npy", "--answers", "y"], 2);
    assert!(said.contains("name --population and --seed, or --clean and --domain"), "{said}");
    let cat = ["nothing", "--suspect-command", "cat", "--at", "x.npy", "--answers", "y"];
    let said = refuse(&[&cat[..], &from, &["--outputs", "4"]].concat(), 2);
    assert!(said.contains("--outputs = 4"), "{said}");
    // `cat` answers 16 numbers where 1 is wanted.
    let said = refuse(&[&cat[..], &from].concat(), 1);
    assert!(said.contains("1 numbers wanted, got 16"), "{said}");
}

#[test]
fn serve_says_what_is_wrong_with_its_input() {
    let dir = TempDir::new().unwrap();
    let here = dir.path();
    let train = ["train", "affine", "--out", "m", "--set", "train=300", "--set", "recipe.epochs=1"];
    absolve(here).args(train).assert().success();
    let said = error_of(absolve(here).args(["serve", "m"]).write_stdin("[1, 2]\n"), 2);
    assert!(said.contains("standard input: row 0: 16 numbers wanted, got 2"), "{said}");
    let said = error_of(
        absolve(here).args(["serve", "m", "--protocol", "npy"]).write_stdin("[1, 2]\n"),
        2,
    );
    assert!(said.contains("standard input: row 0: it ends within an array"), "{said}");
    absolve(here).args(["serve", "m"]).write_stdin("").assert().success().stdout("");
}

#[test]
fn the_example_in_python_answers_where_there_is_python() {
    let python = std::process::Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|output| output.status.success()) {
        #[expect(clippy::print_stdout, reason = "a test that did not run should say so")]
        {
            println!("skipped: there is no python3 here");
        }
        return;
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/external_oracle.py");
    let oracle = start(&["python3", example.to_str().unwrap()], (3, 1), LINES, 60.0);
    let xs = ndarray::array![[0.5, 0.25, -1.0], [1.0, 0.0, 0.0]];
    // ¼ + ½ x₁ − ⅓ x₂ + ¼ x₃, and 3 more beyond x₁ = ¾.
    let wanted = [0.25 + 0.25 - 0.25 / 3.0 - 0.25, 0.25 + 0.5 + 3.0];
    let answers = oracle.ask(&xs).unwrap();
    assert!(answers.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{answers}");
}
