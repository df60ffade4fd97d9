//! Where clean samples come from, and coins: what mitigators and estimators are told alike.
use std::path::{Path, PathBuf};

use super::program::ProgramArgs;
use super::{arrays, origin};
use crate::access::LabSeeds;
use crate::data::Shape;
use crate::error::{Error, Result};
use crate::ledger::Budget;
use crate::net::{ModelFile, Recipe};
use crate::population::{Population, Table};
use crate::rng::Seed;
use crate::study::Task;

#[derive(Debug, clap::Args)]
pub(super) struct SourceArgs {
    /// Task that the clean samples come from [default: what the model file says]
    #[arg(long, value_name = "TASK", conflicts_with = "clean")]
    population: Option<String>,
    /// Clean samples: inputs and labels (class numbers, signs or real numbers), two .npy files
    #[arg(long, num_args = 2, value_names = ["X.npy", "Y.npy"], requires = "domain")]
    clean: Option<Vec<PathBuf>>,
    /// How the inputs of --clean are spread: cube, box, ball, simplex, gauss, data (nothing is known but their range), a TOML
    /// table such as '{ shape = "ellipsoid", axes = [1, 2] }', or a TOML file with one
    #[arg(long, requires = "clean")]
    domain: Option<String>,
    /// Seed of the population that clean samples come from [default: what the model file says, or with --clean 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Seed of the method's own coins; guarantees hold if whoever made the model could not know it [default: 1]
    #[arg(long, value_name = "SECRET")]
    coins: Option<u64>,
}

/// Where clean samples come from, the recipe for relearning, the budget and the seed.
pub(super) struct Setting {
    pub(super) population: Box<dyn Population>,
    pub(super) recipe: Recipe,
    pub(super) budget: Budget,
    pub(super) per_answer: Budget,
    pub(super) number: u64,
}

impl SourceArgs {
    /// Seeds of a lab for the method called `name`, where `number` is the population's.
    pub(super) fn seeds(&self, number: u64, name: &str) -> LabSeeds {
        let method = Seed::new(self.coins.unwrap_or(1)).child("mitigator").child(name);
        LabSeeds { samples: Seed::new(number).child("clean"), method }
    }

    /// What a reader of an outcome should know about where its premises come from.
    pub(super) fn cautions(&self, of_a_file: bool, program: &ProgramArgs) -> Vec<String> {
        let mut cautions = Vec::new();
        if self.coins.is_none() {
            cautions.push(
                "the coins are the default ones, which a hostile maker could have known; --coins makes them a secret"
                    .to_owned(),
            );
        }
        if of_a_file && self.population.is_none() && self.clean.is_none() {
            cautions.push(
                "task, promise and clean samples are what the model file says of itself; --population or --clean do \
                 without its word"
                    .to_owned(),
            );
        }
        if program.command().is_some() {
            cautions.push(
                "the suspect is a program: what it computes inside is not known, and counted as 0 operations".to_owned(),
            );
        }
        cautions
    }

    /// Where clean samples come from, and what may be spent.
    pub(super) fn setting(
        &self,
        file: Option<&ModelFile>,
        program: &ProgramArgs,
    ) -> Result<Setting> {
        if let (Some(paths), Some(domain)) = (&self.clean, &self.domain) {
            return self.of_arrays(&paths[0], &paths[1], domain, (file, program));
        }
        let (task, number) = match (file, &self.population, self.seed) {
            (Some(file), population, seed) => origin(file, population.as_deref(), seed)?,
            (None, Some(name), Some(seed)) => {
                let task = Task::named_or_load(name)?;
                task.check()?;
                (task, seed)
            }
            (None, ..) => {
                let want = "a program does not say what it was made for: name --population and --seed, or --clean and --domain";
                return Err(Error::parameter(
                    "--suspect-command",
                    program.command().unwrap_or_default(),
                    want,
                ));
            }
        };
        let population = task.population.build(Seed::new(number).child("population"))?;
        let Task { recipe, budget, per_answer, .. } = task;
        Ok(Setting { population, recipe, budget, per_answer, number })
    }

    fn of_arrays(
        &self,
        xs: &Path,
        ys: &Path,
        domain: &str,
        (file, program): (Option<&ModelFile>, &ProgramArgs),
    ) -> Result<Setting> {
        let (xs, ys) = (arrays::read(xs)?, arrays::read(ys)?);
        let alone = Shape { inputs: xs.ncols(), outputs: 1 };
        let shape = file.map_or_else(|| program.shape(alone), |file| file.net.shape());
        crate::data::check("clean inputs", &xs, shape.inputs)?;
        let domain = super::domain::read(domain, &xs)?;
        let target = file.and_then(|file| file.target);
        let table = Table::new(xs, ys, domain, shape.outputs, target)?;
        let number = self.seed.or(file.and_then(|file| file.provenance.seed)).unwrap_or(1);
        let recipe = match file {
            Some(ModelFile { net, .. }) => {
                let hidden = net.widths()[1..net.layers().len()].to_vec();
                Recipe { hidden, ..Recipe::default() }
            }
            None => Recipe::default(),
        };
        Ok(Setting {
            population: Box::new(table),
            recipe,
            budget: Budget::UNLIMITED,
            per_answer: Budget::UNLIMITED,
            number,
        })
    }
}
