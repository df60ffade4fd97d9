//! `absolve mitigate`: one mitigator on one model file.
use std::path::PathBuf;

use serde::Serialize;

use super::program::ProgramArgs;
use super::{Streams, arrays, origin, parse_settings};
use crate::access::{LabSeeds, Suspect};
use crate::data::Shape;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Cost};
use crate::mitigate::{Claim, Guarantee, Plan, Repaired};
use crate::net::{ModelFile, Provenance, Recipe};
use crate::population::{Population, Table, World};
use crate::registry::{AnyMitigator, Params, mitigator_named};
use crate::rng::Seed;
use crate::storage::{self, Readers};
use crate::study::Task;

/// Run a mitigator on a model and say what it cost
///
/// A mitigator that makes a net of its own writes it to OUT as a model file; one that recovers a function writes it there
/// as JSON (supports as sorted lists of coordinates, and values). A local mitigator has nothing to write: ask it with --at
/// and --answers.
///
/// Clean samples, the domain and the budget come from the model's own task, from --population, or (with no budget) from
/// --clean and --domain.
///
/// The suspect may also be a program in any language that answers rows on its pipes (--suspect-command), for mitigators that need
/// no more than answers. It is asked nothing but the method's own queries, so its task or its clean samples must be named, and
/// what it computes inside is counted as 0 operations.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A mitigator by name (`absolve list mitigators`)
    mitigator: String,
    /// The suspect
    #[arg(required_unless_present = "suspect_command")]
    model: Option<PathBuf>,
    #[command(flatten)]
    program: ProgramArgs,
    /// Where to write the repaired net or the recovered function
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Inputs to answer, a .npy file with a row an input
    #[arg(long, value_name = "X.npy", requires = "answers")]
    at: Option<PathBuf>,
    /// Where to write the answers, a .npy file
    #[arg(long, value_name = "Y.npy", requires = "at")]
    answers: Option<PathBuf>,
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
    /// Seed of the mitigator's own coins; guarantees hold if whoever made the model could not know it [default: 1]
    #[arg(long, value_name = "SECRET")]
    coins: Option<u64>,
    /// A parameter of the mitigator, such as tau=0.25
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Most queries before the first answer [default: the task's budget]
    #[arg(long)]
    max_queries: Option<u64>,
    /// Print as one JSON document: plan, cost, guarantee, notes, function, answers each with its error bar and failure probability
    #[arg(long)]
    json: bool,
}

/// Where clean samples come from, the recipe for relearning, the budget and the seed.
struct Setting {
    population: Box<dyn Population>,
    recipe: Recipe,
    budget: Budget,
    per_answer: Budget,
    number: u64,
}

#[derive(Serialize)]
struct Outcome<'a> {
    mitigator: &'a str,
    access: &'a str,
    params: &'a Params,
    suspect: String,
    forward_flops: Option<u64>,
    plan: Option<Plan>,
    prepare: Cost,
    answers: Option<Answers>,
    guarantee: &'a Option<Guarantee>,
    notes: &'a [String],
    function: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct Answers {
    cost: Cost,
    n: usize,
    error_bar: Option<f64>,
    failure_probability: Option<f64>,
    /// What is claimed of each answer.
    claims: Vec<Option<Claim>>,
    values: Vec<Vec<f64>>,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        let built = (mitigator_named(&self.mitigator)?.build)(&parse_settings(&self.set)?)?;
        if self.out.is_none() && self.at.is_none() {
            let want = "something to do is needed: --out FILE to save what is repaired, or --at X.npy --answers Y.npy";
            return Err(Error::parameter("--out", "not given", want));
        }
        let program = self.program.command();
        if program.is_some() && !matches!(built.method, AnyMitigator::Oracle(_)) {
            let want = format!(
                "it needs the weights ({}), and a program shows its answers only",
                built.method.access()
            );
            return Err(Error::parameter("--suspect-command", &self.mitigator, want));
        }
        let file = self.model.as_deref().map(ModelFile::load).transpose()?;
        let Setting { population, recipe, mut budget, per_answer, number } =
            self.setting(file.as_ref())?;
        built.method.check(population.world())?;
        let plan = built.method.plan(population.world())?;
        if let Some(plan) = &plan {
            streams.say(&format!("plan         {plan}"));
        }
        budget.queries = self.max_queries.or(budget.queries);
        let suspect = match (&file, program) {
            (Some(file), _) => Suspect::publish(file.net.clone(), budget),
            (None, command) => {
                let shape = population.world().shape();
                Suspect::publish_external(
                    self.program.start(command.unwrap_or_default(), shape)?,
                    budget,
                )
            }
        };
        let method = Seed::new(self.coins.unwrap_or(1)).child("mitigator").child(&self.mitigator);
        let seeds = LabSeeds { samples: Seed::new(number).child("clean"), method };
        let mut lab = suspect.lab(&*population, &recipe, seeds);
        let repaired = built.method.mitigate(&suspect, &mut lab)?;
        let prepare = suspect.spent();
        let answers = self.answer(&suspect, &repaired, prepare, per_answer)?;
        suspect.end()?;
        let mut notes = repaired.notes.clone();
        notes.extend(self.cautions());
        if let Some(out) = &self.out {
            save(out, file.as_ref(), population.world(), &repaired)?;
        }
        let outcome = Outcome {
            mitigator: &self.mitigator,
            access: built.method.access(),
            params: &built.params,
            suspect: file
                .as_ref()
                .map_or_else(|| program.unwrap_or_default().to_owned(), |file| file.net.sha256()),
            forward_flops: file.as_ref().map(|file| file.net.forward_flops()),
            plan,
            prepare,
            answers,
            guarantee: &repaired.guarantee,
            notes: &notes,
            function: repaired.function.as_ref().and_then(|f| serde_json::to_value(f).ok()),
        };
        if self.json { streams.print_json(&outcome) } else { streams.print(&describe(&outcome)) }
    }

    /// What a reader of the outcome should know about where its premises come from.
    fn cautions(&self) -> Vec<String> {
        let mut cautions = Vec::new();
        if self.coins.is_none() {
            cautions.push(
                "the coins are the default ones, which a hostile maker could have known; --coins makes them a secret"
                    .to_owned(),
            );
        }
        if self.model.is_some() && self.population.is_none() && self.clean.is_none() {
            cautions.push(
                "task, promise and clean samples are what the model file says of itself; --population or --clean do \
                 without its word"
                    .to_owned(),
            );
        }
        if self.program.command().is_some() {
            cautions.push(
                "the suspect is a program: what it computes inside is not known, and counted as 0 operations".to_owned(),
            );
        }
        cautions
    }

    /// Where clean samples come from, and what may be spent.
    fn setting(&self, file: Option<&ModelFile>) -> Result<Setting> {
        if let (Some(paths), Some(domain)) = (&self.clean, &self.domain) {
            let xs = arrays::read(&paths[0])?;
            let ys = arrays::read(&paths[1])?;
            let alone = Shape { inputs: xs.ncols(), outputs: 1 };
            let shape = file.map_or_else(|| self.program.shape(alone), |file| file.net.shape());
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
            return Ok(Setting {
                population: Box::new(table),
                recipe,
                budget: Budget::UNLIMITED,
                per_answer: Budget::UNLIMITED,
                number,
            });
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
                    self.program.command().unwrap_or_default(),
                    want,
                ));
            }
        };
        let population = task.population.build(Seed::new(number).child("population"))?;
        let Task { recipe, budget, per_answer, .. } = task;
        Ok(Setting { population, recipe, budget, per_answer, number })
    }

    fn answer(
        &self,
        suspect: &Suspect,
        repaired: &Repaired<'_>,
        before: Cost,
        per_answer: Budget,
    ) -> Result<Option<Answers>> {
        let (Some(at), Some(to)) = (&self.at, &self.answers) else { return Ok(None) };
        let xs = arrays::read(at)?;
        suspect.allow_answers(per_answer, xs.nrows() as u64);
        let answers = repaired.oracle.query(&xs)?;
        arrays::write(to, &answers)?;
        let guarantee = repaired.guarantee.as_ref();
        Ok(Some(Answers {
            cost: suspect.spent() - before,
            n: xs.nrows(),
            error_bar: guarantee.and_then(|guarantee| guarantee.error_bar),
            failure_probability: guarantee.map(|guarantee| guarantee.failure_probability),
            claims: xs.rows().into_iter().map(|x| repaired.claim_at(&x.to_vec())).collect(),
            values: answers.rows().into_iter().map(|row| row.to_vec()).collect(),
        }))
    }
}

fn save(
    out: &std::path::Path,
    file: Option<&ModelFile>,
    world: &World,
    repaired: &Repaired<'_>,
) -> Result<()> {
    match (&repaired.net, &repaired.function) {
        (Some(net), _) => {
            let net = net.clone();
            let crate_version = env!("CARGO_PKG_VERSION").to_owned();
            let alone = || ModelFile {
                net: net.clone(),
                domain: Some(world.domain.clone()),
                target: Some(world.target),
                provenance: Provenance { crate_version, ..Provenance::default() },
            };
            file.map_or_else(alone, |file| ModelFile { net: net.clone(), ..file.clone() }).save(out)
        }
        (None, Some(function)) => {
            let mut text =
                serde_json::to_string_pretty(function).map_err(|e| Error::file(out, e))?;
            text.push('\n');
            storage::replace(out, text.as_bytes(), Readers::Everyone)
        }
        (None, None) => Err(Error::parameter(
            "--out",
            out.display(),
            "this mitigator asks the suspect at every answer, so there is nothing to save; use --at X.npy --answers Y.npy",
        )),
    }
}

/// The bars of answers, where they differ or some answers have none.
fn bars(claims: &[Option<Claim>]) -> String {
    let bars: Vec<f64> = claims.iter().flatten().map(|claim| claim.error_bar).collect();
    let least = bars.iter().copied().fold(f64::INFINITY, f64::min);
    let most = bars.iter().copied().fold(0.0, f64::max);
    if bars.is_empty() || (bars.len() == claims.len() && most <= least) {
        return String::new();
    }
    let without = claims.len() - bars.len();
    format!("error bars   from {least:.4} to {most:.4}, {without} answers without one\n")
}

fn describe(outcome: &Outcome<'_>) -> String {
    let work = |flops: u64| match outcome.forward_flops {
        Some(forward) => format!("{:.1} forward passes of work", flops as f64 / forward as f64),
        None => format!("{flops} operations beside the suspect's own"),
    };
    let cost = |cost: &Cost| {
        format!(
            "{} queries, {} gradients, {} clean labels, {}",
            cost.queries,
            cost.gradients,
            cost.clean_labels,
            work(cost.flops)
        )
    };
    let mut text = format!(
        "{} ({})\nto prepare   {}\n",
        outcome.mitigator,
        outcome.access,
        cost(&outcome.prepare)
    );
    if let Some(answers) = &outcome.answers {
        text += &format!("{} answers   {}\n", answers.n, cost(&answers.cost));
        text += &bars(&answers.claims);
    }
    if let Some(guarantee) = outcome.guarantee {
        let chance = guarantee.failure_probability;
        let chance = if chance > 0.0 {
            format!("fails with probability at most {chance:.2e}")
        } else {
            "cannot fail then".to_owned()
        };
        text += &format!("guarantee    {}; {chance}\n", guarantee.statement);
    }
    for note in outcome.notes {
        text += &format!("note         {note}\n");
    }
    if let Some(serde_json::Value::Array(terms)) = &outcome.function {
        for term in terms {
            text += &format!("             {} {}\n", term["value"], term["support"]);
        }
    }
    text
}
