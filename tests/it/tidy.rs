//! Rules about the tree itself, checked like code.
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with all that it may name, bottom first. A change here is a change of design.
const LAYERS: &[(&str, &str)] = &[
    ("error", ""),
    ("digest", ""),
    ("rng", ""),
    ("storage", "error"),
    ("data", "error"),
    ("stats", ""),
    ("ledger", "error"),
    ("external", "error data"),
    ("domain", "error rng data"),
    ("fourier", "error rng data"),
    ("robust", "error stats"),
    ("net", "error digest rng storage data domain fourier ledger"),
    ("population", "error digest rng storage data domain fourier"),
    ("access", "error rng data external ledger net population"),
    ("mitigate", "error rng data stats ledger domain fourier robust net population access"),
    (
        "estimator",
        "error rng data stats ledger domain fourier robust net population access mitigate",
    ),
    ("attack", "error rng data ledger domain net population"),
    ("registry", "error data domain population access attack mitigate estimator"),
    ("score", "error rng data stats ledger domain fourier net population access attack mitigate"),
    (
        "study",
        "error digest rng storage data stats ledger domain fourier net population access attack mitigate registry score",
    ),
    ("report", "error storage stats ledger fourier mitigate score study"),
    ("zoo", "error digest storage stats ledger net access attack registry score study"),
    (
        "game",
        "error digest rng storage data stats ledger domain net population access attack mitigate registry score study",
    ),
    (
        "estimate",
        "error rng storage data stats domain fourier robust net population access attack mitigate registry score study report",
    ),
    (
        "cli",
        "error rng storage data external stats ledger domain net population access attack mitigate registry score study report zoo game estimate estimator",
    ),
];

/// What a method that studies a suspect may not even say: each would be a way past the meter or to the secret.
const UNSPEAKABLE: &[&str] = &[
    "Suspect",
    "External",
    "Trigger",
    "Planted",
    "Truth",
    "truth()",
    "dyn Population",
    "Family",
    "Cursor",
    "Seed::new",
    "Ledger::new",
    "set_budget",
    "allow_answers",
    "Budget",
    "unmetered",
    "unsafe",
];

/// Numbered lines.
type Code = Vec<(usize, String)>;

/// Every source file with its module and its lines of code: comments are left out, and so is what follows `#[cfg(test)]` and
/// files of tests alone.
fn sources() -> Vec<(PathBuf, String, Code)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(Path::new("src"), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix("src").unwrap();
            let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
            let text = fs::read_to_string(&path).unwrap();
            let tests_alone = path.to_str().is_some_and(|path| path.ends_with("tests.rs"));
            let code = text
                .lines()
                .enumerate()
                .take_while(|(_, line)| !tests_alone && line.trim() != "#[cfg(test)]")
                .filter(|(_, line)| !line.trim_start().starts_with("//"))
                .map(|(number, line)| (number + 1, line.to_owned()))
                .collect();
            (path.clone(), module.to_owned(), code)
        })
        .collect()
}

/// The modules that a stretch of code names after `crate::`, also inside braces.
fn named(line: &str) -> Vec<String> {
    line.split("crate::")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn modules_name_only_the_layers_below_them() {
    for (path, module, code) in sources() {
        if ["main", "lib", "documentation"].contains(&module.as_str()) {
            continue;
        }
        let layer = LAYERS.iter().find(|(name, _)| *name == module);
        let (_, allowed) = layer.unwrap_or_else(|| panic!("{module}: no layer"));
        for (number, line) in code {
            assert!(
                !line.contains("crate::{"),
                "{}:{number}: one `use crate::` a line",
                path.display()
            );
            for name in named(&line) {
                let fine = name == module || allowed.split(' ').any(|layer| layer == name);
                assert!(fine, "{}:{number}: `{module}` may not name `{name}`", path.display());
            }
        }
    }
}

#[test]
fn layers_are_listed_bottom_first() {
    let mut below = BTreeSet::new();
    for (module, allowed) in LAYERS {
        for name in allowed.split(' ').filter(|name| !name.is_empty()) {
            assert!(below.contains(name), "{module} names {name}, which is not below it");
        }
        below.insert(*module);
    }
}

#[test]
fn methods_under_test_cannot_step_around_the_meter() {
    let mut n_files = 0;
    for (path, module, code) in sources() {
        if !["mitigate", "estimator"].contains(&module.as_str()) {
            continue;
        }
        n_files += 1;
        for (number, line) in code {
            let said = UNSPEAKABLE.iter().find(|word| line.contains(*word));
            assert!(said.is_none(), "{}:{number}: says {said:?}", path.display());
        }
    }
    assert!(n_files > 5, "the rule looked at {n_files} files");
}

#[test]
fn work_without_a_charge_is_done_where_it_may_be() {
    // The suspect charges for itself, training charges an epoch before it runs, and scoring is nobody's cost.
    let may = ["src/net/mlp.rs", "src/net/fused/mod.rs", "src/access.rs", "src/study/picture.rs"];
    for (path, _, code) in sources() {
        if may.contains(&path.to_str().unwrap()) {
            continue;
        }
        let said = code.iter().find(|(_, line)| line.contains("_unmetered("));
        assert!(said.is_none(), "{}: {said:?}", path.display());
    }
}

#[test]
fn other_programs_start_in_two_places_and_nothing_opens_a_connection() {
    let words = ["process::Command", "Command::new", "std::net", "TcpStream", "UdpSocket"];
    for (path, _, code) in sources() {
        if [Path::new("src/cli/fetch.rs"), Path::new("src/external/pipes.rs")].contains(&&*path) {
            continue;
        }
        let said = code.iter().find(|(_, line)| words.iter().any(|word| line.contains(word)));
        assert!(said.is_none(), "{}: {said:?}", path.display());
    }
}

#[test]
fn black_box_files_name_no_other_access_and_white_box_files_do() {
    for (path, _, code) in sources() {
        let text: String = code.into_iter().map(|(_, line)| line + "\n").collect();
        let declared = text.contains("type Access = dyn ");
        let under = |folder: &str| {
            path.starts_with(Path::new("src/mitigate").join(folder))
                || path.starts_with(Path::new("src/estimator").join(folder))
        };
        if under("black_box") && declared {
            assert!(text.contains("type Access = dyn Oracle;"), "{}", path.display());
            assert!(
                !text.contains("WhiteBox") && !text.contains("Gradients"),
                "{}",
                path.display()
            );
        }
        if under("white_box") && declared {
            assert!(!text.contains("type Access = dyn Oracle;"), "{}", path.display());
        }
    }
}

#[test]
fn distinguishers_see_what_their_folder_says() {
    let mut n_files = [0, 0];
    for (path, _, code) in sources() {
        let text: String = code.into_iter().map(|(_, line)| line + "\n").collect();
        let (black, white) =
            (path.starts_with("src/game/black_box"), path.starts_with("src/game/white_box"));
        if black {
            assert!(
                !text.contains("WhiteBox") && !text.contains("Gradients"),
                "{}",
                path.display()
            );
            assert!(!text.contains("Net"), "{}", path.display());
        }
        if black || white {
            // No key, and no net but behind the meter.
            for word in UNSPEAKABLE {
                assert!(!text.contains(word), "{}: says {word}", path.display());
            }
        }
        n_files[0] += usize::from(black);
        n_files[1] += usize::from(white);
    }
    assert!(n_files[0] >= 2 && n_files[1] >= 5, "the rule looked at {n_files:?} files");
}

#[test]
fn every_file_opens_with_a_header_and_stays_short() {
    for (path, _, _) in sources() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{}: no header", path.display());
        let n_lines = text.lines().count();
        assert!(n_lines <= 400, "{}: {n_lines} lines, over 400", path.display());
    }
}

#[test]
fn nothing_is_left_undone_or_ignored() {
    let words =
        ["todo!", "unimplemented!", "TODO", "FIXME", "#[ignore", "#[allow(", "should_panic"];
    for (path, _, code) in sources() {
        for (number, line) in code {
            let said = words.iter().find(|word| line.contains(*word));
            assert!(said.is_none(), "{}:{number}: {said:?}", path.display());
        }
    }
}

#[test]
fn the_text_that_must_not_compile_differs_from_its_twin_by_one_word() {
    let text = fs::read_to_string("src/access.rs").unwrap();
    let blocks: Vec<&str> = text.split("//! ```").collect();
    let bad = blocks.iter().position(|block| block.starts_with("compile_fail,E0599")).unwrap();
    let lines = |block: &str| block.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let (good, bad) = (lines(blocks[bad - 2]), lines(blocks[bad]));
    assert_eq!(good.len(), bad.len());
    let differ: Vec<_> = good.iter().zip(&bad).filter(|(g, b)| g != b).collect();
    assert_eq!(differ.len(), 1, "{differ:?}");
    assert_eq!(differ[0].0.replace("WhiteBox", "Oracle"), *differ[0].1);
}

#[test]
fn every_method_is_in_the_default_study_or_in_a_committed_one() {
    use absolve::registry::{ATTACKS, MITIGATORS};
    use absolve::study::{Plan, Spec};
    let mut studies = vec![Spec::default_study().unwrap()];
    for folder in ["experiments/attacks", "experiments/mitigators"] {
        let mut files: Vec<_> = fs::read_dir(folder)
            .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        studies.extend(files.iter().map(|path| Spec::load(path).unwrap()));
    }
    studies.iter().for_each(|spec| drop(Plan::new(spec.clone()).unwrap()));
    for name in ATTACKS.iter().map(|entry| entry.name) {
        let mut all = studies.iter().flat_map(|spec| &spec.attacks);
        assert!(all.any(|method| method.method == name), "{name}");
    }
    for name in MITIGATORS.iter().map(|entry| entry.name) {
        let mut all = studies.iter().flat_map(|spec| &spec.mitigators);
        assert!(all.any(|method| method.method == name), "{name}");
    }
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let text = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let mut n_named = 0;
    for module in
        ["tidy", "contract", "claims", "cli", "resume", "external", "exchange", "canonical"]
    {
        let tests = fs::read_to_string(format!("tests/it/{module}.rs")).unwrap();
        for rest in text.split(&format!("`{module}::")).skip(1) {
            let name = rest.split('`').next().unwrap();
            // "every_mitigator_…" stands for all that begin so.
            let wanted = format!("fn {}", name.trim_end_matches('…'));
            assert!(tests.contains(&wanted), "{module}::{name} is named and is not there");
            n_named += 1;
        }
    }
    assert!(n_named > 10, "{n_named} tests are named");
}
