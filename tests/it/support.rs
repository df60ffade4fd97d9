//! Small worlds to test in, and the program to run.
use std::path::Path;

use absolve::access::{LabSeeds, Oracle, Suspect};
use absolve::data::{Batch, Shape};
use absolve::error::Result;
use absolve::fourier::FourierSum;
use absolve::ledger::Budget;
use absolve::mitigate::Repaired;
use absolve::registry::{Built, Params, attack_named, mitigator_named};
use absolve::rng::Seed;
use absolve::study::{Model, Spec, Task};
use assert_cmd::Command;

/// A study that takes about a second: every method, every kind of population, two models.
pub(crate) const TINY: &str = r#"
name = "tiny"
question = "Does everything run?"
first_seed = 11
models = 2
min_attack_success = 0.0

[[task]]
name = "images"
train = 300
test = 200
population = { family = "digits", train = 300, clean = 100 }
recipe = { hidden = [16], epochs = 4 }
budget = { clean_labels = 100 }

[[task]]
name = "line"
train = 400
test = 60
population = { family = "affine", domain = { shape = "ball", n = 4 } }
recipe = { hidden = [8], epochs = 4 }
budget = { clean_labels = 60 }

[[task]]
name = "cube"
train = 400
test = 100
population = { family = "fourier", n = 8, truth = { kind = "majority", degree = 1 } }
recipe = { hidden = [16], epochs = 4 }
budget = { clean_labels = 400 }

[[task]]
name = "normal"
train = 400
test = 40
population = { family = "affine", domain = { shape = "gauss", n = 3 } }
recipe = { hidden = [8], epochs = 4 }
budget = { clean_labels = 60 }

[[attack]]
method = "badnets"
params = { coordinates = 2 }

[[attack]]
method = "half-space"
params = { mass = 0.25 }

[[mitigator]]
method = "nothing"

[[mitigator]]
method = "relearn"

[[mitigator]]
method = "fourier-global"

[[mitigator]]
method = "affine-ray"

[[mitigator]]
method = "fine-prune"
params = { epochs = 2 }

[[mitigator]]
method = "affine-exact-ray"

[[mitigator]]
method = "affine-contract"

[[mitigator]]
method = "affine-average"
params = { groups = 3 }

[[mitigator]]
method = "affine-gauss"
"#;

/// A study with tasks for the methods that none of [`TINY`]'s is for.
pub(crate) const TINY_MORE: &str = r#"
name = "tiny, more"
question = "Does everything run?"
first_seed = 11
models = 1
min_attack_success = 0.0

[[task]]
name = "wheel"
train = 2000
test = 60
population = { family = "residues", n = 2, modulus = 5, terms = 1, degree = 1 }
recipe = { hidden = [32], epochs = 4, batch = 8, learning_rate = 1e-2 }
budget = { clean_labels = 400 }

[[task]]
name = "bowl"
train = 2000
test = 60
population = { family = "heavy-polynomial", domain = { shape = "box", n = 3 }, degree = 1, terms = 2 }
recipe = { hidden = [16], epochs = 4, batch = 8 }
budget = { clean_labels = 400 }

[[task]]
name = "curve"
train = 400
test = 60
population = { family = "polynomial", domain = { shape = "box", n = 4 }, degree = 2 }
recipe = { hidden = [8], epochs = 4 }
budget = { clean_labels = 60 }

[[task]]
name = "table"
train = 400
test = 60
population = { family = "low-degree", n = 6, modulus = 5, degree = 2 }
recipe = { hidden = [8], epochs = 4 }
budget = { clean_labels = 60 }

[[mitigator]]
method = "nothing"
"#;

/// The program, in `dir`.
pub(crate) fn absolve(dir: &Path) -> Command {
    let mut command = Command::cargo_bin("absolve").expect("the binary of this package");
    command.current_dir(dir);
    command
}

/// Standard error of a command that has to fail with `code`, saying "error: " and no panic.
pub(crate) fn error_of(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("error: ")), "{said}");
    said
}

/// The task of that name in the default study.
pub(crate) fn task(name: &str) -> Task {
    Spec::default_study().unwrap().tasks.into_iter().find(|task| task.name == name).unwrap()
}

/// Parameters from TOML.
pub(crate) fn params(toml: &str) -> Params {
    toml::from_str(toml).unwrap()
}

/// Plants an attack in a model; its own net is left as it is.
pub(crate) fn plant(model: &Model, attack: &str, toml: &str) -> absolve::attack::Planted {
    let Built { method, .. } = (attack_named(attack).unwrap().build)(&params(toml)).unwrap();
    let world = model.world();
    method.plant(&model.victim(&world), model.seed().child("attack").child(attack)).unwrap()
}

/// Runs a mitigator on `suspect`, and hands what it gives back to `look`.
pub(crate) fn mitigate<T>(
    suspect: &Suspect,
    model: &Model,
    name: &str,
    toml: &str,
    look: impl FnOnce(Result<Repaired<'_>>) -> T,
) -> T {
    let Built { method, .. } = (mitigator_named(name).unwrap().build)(&params(toml)).unwrap();
    let seed = model.seed();
    let seeds =
        LabSeeds { samples: seed.child("clean"), method: seed.child("mitigator").child(name) };
    let mut lab = suspect.lab(&*model.population, &model.task.recipe, seeds);
    look(method.mitigate(suspect, &mut lab))
}

/// The sum of characters of the cube that was recovered.
pub(crate) fn sum_of(repaired: Repaired<'_>) -> FourierSum {
    repaired.function.unwrap().cube().unwrap().clone()
}

/// A suspect without limits but on clean labels.
pub(crate) fn publish(net: absolve::net::Net, clean_labels: u64) -> Suspect {
    let budget = Budget { clean_labels: Some(clean_labels), ..Budget::UNLIMITED };
    Suspect::publish(net, budget)
}

/// An oracle made of a function: for adversaries that no net needs to hold.
pub(crate) struct Function<F> {
    pub(crate) n: usize,
    pub(crate) at: F,
}

impl<F: Fn(&[f64]) -> f64 + Send + Sync> Oracle for Function<F> {
    fn shape(&self) -> Shape {
        Shape { inputs: self.n, outputs: 1 }
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        let values = xs.rows().into_iter().map(|x| (self.at)(&x.to_vec())).collect();
        Ok(absolve::data::column(values))
    }
}

/// Test inputs of `model`, the first `n`.
pub(crate) fn some_inputs(model: &Model, n: usize) -> Batch {
    let test = model.test().unwrap();
    test.select(&(0..n).collect::<Vec<_>>()).xs
}

/// The seed numbered `n`.
pub(crate) fn seed(n: u64) -> Seed {
    Seed::new(n)
}
