//! Robust means and breaking points: committed records against their bounds, and the same measured again, smaller.
use std::fs;
use std::path::{Path, PathBuf};

use absolve::estimate::breaking_point::{FALSE_ALARM, Spec, Swept, sweep};
use absolve::estimate::robust_mean::{self, Cell, Measured};
use absolve::estimate::{Law, Outliers};
use absolve::stats::{Proportion, binomial_tail, clopper_pearson};

use crate::support::{absolve, error_of};

/// Every sweep in the repository: a new file is tested without a line here.
fn sweeps() -> Vec<PathBuf> {
    let entries = fs::read_dir("experiments/breaking").unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    files
}

fn record(path: &Path) -> Swept {
    let text = fs::read_to_string(path.with_extension("json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn no_committed_rate_is_above_its_bound() {
    for path in sweeps() {
        let swept = record(&path);
        let spec = Spec::load(&path).unwrap();
        assert_eq!(swept.spec, spec, "{}: the record is of another sweep", path.display());
        assert_eq!(swept.points.len(), spec.values.len());
        assert!(path.with_extension("svg").exists(), "{}", path.display());
        assert_eq!(swept.violations(), Vec::<String>::new());
        // It goes through the limit, and the mitigator is seen to fail beyond it: with 99.9% confidence above its claim.
        assert!(swept.points.iter().any(|p| p.inside && p.claimed.is_some()), "{}", path.display());
        let claimed = swept.points.iter().find_map(|p| p.claimed).unwrap();
        let broken = |rate: Proportion| clopper_pearson(rate, 0.998).0 > claimed;
        assert!(swept.points.iter().any(|p| !p.inside && broken(p.failed)), "{}", path.display());
    }
}

#[test]
fn rates_measured_again_are_not_above_their_bounds() {
    // Up to four values inside the limit and one beyond, a few models; the test inputs stay as they are.
    for path in sweeps() {
        let before = record(&path);
        let mut spec = Spec::load(&path).unwrap();
        let inside: Vec<f64> = before.points.iter().filter(|p| p.inside).map(|p| p.value).collect();
        let beyond = before.points.iter().rev().map(|p| p.value).take(1);
        spec.values = inside.into_iter().rev().take(2).rev().chain(beyond).collect();
        spec.models = spec.models.min(3);
        // Seeds that the record does not hold.
        spec.first_seed += 1_000_000;
        let swept = sweep(&spec).unwrap();
        assert_eq!(swept.violations(), Vec::<String>::new());
        let last = swept.points.last().unwrap();
        assert!(last.failed.hits > 0 || last.declined.hits > 0, "{}: {last:?}", path.display());
        assert!(swept.points[0].inside, "{}", path.display());
    }
}

#[test]
fn a_rate_above_its_bound_is_named() {
    let mut swept = record(Path::new("experiments/breaking/affine-ray-mass.toml"));
    let point = swept.points.iter_mut().find(|p| p.inside).unwrap();
    point.failed.hits = point.failed.of / 2;
    let said = swept.violations();
    assert!(said.len() == 2 && said[0].contains("claimed") && said[1].contains("predicted"));
}

#[test]
fn the_prediction_of_the_mass_sweep_is_attained() {
    // The region gets all of its 2v but for a ramp of 2%: between P[Bin(m, 1.96 v) > m/2] and P[Bin(m, 2v) > m/2], where m
    // is half of the queries. Two tails at 1e-6 for each point.
    let swept = record(Path::new("experiments/breaking/affine-ray-mass.toml"));
    for p in &swept.points {
        let m = (p.queries / 2.0).round() as u64;
        let least = binomial_tail(m, 1.96 * p.value, m / 2 + 1);
        let misses = p.failed.of - p.failed.hits;
        assert!(binomial_tail(p.failed.of, 1.0 - least, misses) > FALSE_ALARM, "{p:?}");
        assert!((p.predicted.unwrap() - binomial_tail(m, 2.0 * p.value, m / 2 + 1)).abs() < 1e-12);
    }
}

fn means() -> Measured {
    let text = fs::read_to_string("experiments/robust/robust-mean.json").unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Whether a rate is what it should be, or at most that.
fn fits(rate: Proportion, p: f64) -> bool {
    let Proportion { hits, of } = rate;
    binomial_tail(of, p, hits) > FALSE_ALARM && binomial_tail(of, 1.0 - p, of - hits) > FALSE_ALARM
}

fn check_cells(cells: &[Cell], failure: f64) {
    for cell in cells {
        if let Some(predicted) = cell.predicted_outside {
            assert!(fits(cell.outside, predicted), "{cell:?}");
        }
        if let Some(beyond) = cell.beyond {
            let tail = binomial_tail(beyond.of, failure, beyond.hits);
            assert!(beyond.hits == 0 || tail > FALSE_ALARM, "{cell:?}");
        }
    }
}

#[test]
fn committed_robust_means_are_as_predicted() {
    let measured = means();
    assert_eq!(measured.spec, robust_mean::Spec::default(), "the record is of another run");
    check_cells(&measured.cells, measured.spec.failure);
    // The bias of a mean of medians is the mean of its group's median, clipped; where no group is spoilt nothing is
    // clipped. Six standard errors: the spread of one mean of medians is at most its root mean square.
    let mut n_checked = 0;
    for cell in &measured.cells {
        let Some(want) = cell.predicted_bias else { continue };
        if cell.estimator.spoilt(measured.spec.n, cell.share).is_some_and(|p| p < 1e-9) {
            let spread = (cell.rms * cell.rms - cell.bias * cell.bias).max(0.0).sqrt();
            let error = 6.0 * spread / f64::from(measured.spec.repetitions).sqrt() + 6e-4;
            assert!((cell.bias - want).abs() <= error, "{want}: {cell:?}");
            n_checked += 1;
        }
    }
    assert!(n_checked > 100, "{n_checked} biases were checked");
}

#[test]
fn the_claim_of_the_figure_holds_in_its_record() {
    let measured = means();
    let of = |law: Law, share: f64, name: &str| -> Cell {
        let is = |cell: &&Cell| {
            cell.law == law
                && cell.outliers == Outliers::Far
                && (cell.share - share).abs() < 1e-12
                && cell.name == name
        };
        measured.cells.iter().find(is).unwrap_or_else(|| panic!("{name}")).clone()
    };
    let third = 1.0 / 3.0;
    // ⅔ U + ⅓ Q: the fixed median of means is out of the bar in every sample, the mean of medians in (nearly) none.
    let failing = of(Law::Uniform, third, "median of means, 55 groups");
    assert_eq!(failing.outside.hits, failing.outside.of);
    let holding = of(Law::Uniform, third, "mean of medians, tuned");
    assert!(holding.outside.hits <= 8, "{holding:?}");
    // But the outliers are on one side: it is off by ε/(1 − ε) = 1/2, as is every other method.
    assert!((of(Law::Uniform, third, "mean of medians, groups of 101").bias - 0.5).abs() < 0.02);
    // On a coin the median is a whole bar off, and the mean of medians is not.
    let share = 0.05;
    assert!(of(Law::Coin, share, "median").rms > 0.99);
    assert!(of(Law::Coin, share, "mean of medians, tuned").rms < 0.2);
    // On skewed values without any outlier the mean of medians is off by what it converges to.
    assert!(of(Law::Bernoulli, 0.0, "mean of medians, groups of 31").bias < -0.1);
    assert!(of(Law::Bernoulli, 0.0, "trimmed, tuned").rms < 0.02);
}

#[test]
fn robust_means_are_measured_again_by_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "estimate",
        "robust-mean",
        "--law",
        "exponential",
        "--law",
        "beta",
        "--outliers",
        "far",
        "--share",
        "0.03",
        "--n",
        "1200",
        "--repetitions",
        "150",
        "--seed",
        "77",
        "--json",
        "--out",
        "figure.svg",
    ];
    let run = || absolve(dir.path()).args(args).output().unwrap();
    let output = run();
    assert!(output.status.success());
    let measured: Measured = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(measured.cells.len(), 2 * 13);
    check_cells(&measured.cells, measured.spec.failure);
    let figure = fs::read(dir.path().join("figure.svg")).unwrap();
    assert_eq!(run().stdout, output.stdout);
    assert_eq!(fs::read(dir.path().join("figure.svg")).unwrap(), figure);
}

#[test]
fn wrong_use_of_estimates_is_answered_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let said = |args: &[&str]| error_of(absolve(dir.path()).arg("estimate").args(args), 2);
    assert!(said(&["robust-mean", "--law", "unifrom"]).contains("did you mean \"uniform\""));
    assert!(said(&["robust-mean", "--share", "0.5"]).contains("below 1/2"));
    assert!(said(&["robust-mean", "--n", "100000000000"]).contains("are the most"));
    assert!(said(&["robust-mean", "--failure", "0"]).contains("failure = 0"));
    let text = fs::read_to_string("experiments/breaking/affine-ray-noise.toml").unwrap();
    let path = dir.path().join("sweep.toml");
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replace(from, to)).unwrap();
        said(&["breaking-point", "--spec", "sweep.toml"])
    };
    assert!(with("axis = \"cutoff\"", "axis = \"distance\"").contains("axis"));
    assert!(with("sweep = \"offset\"", "sweep = \"ofset\"").contains("ofset"));
    assert!(with("models = 32", "models = 0").contains("models = 0"));
    assert!(with("0.0025, 0.005", "0.005, 0.0025").contains("rising"));
    assert!(
        with("method = \"affine-ray\"", "method = \"fourier-global\"").contains("does not apply")
    );
}
