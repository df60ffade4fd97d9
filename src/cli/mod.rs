//! The command line. One small file a subcommand; each writes its result to the writer it is handed, and talks to people
//! on the other.
mod arrays;
mod canonical;
mod compile;
mod data;
mod domain;
mod estimate;
mod estimator;
mod evaluate;
mod export;
mod fetch;
mod game;
mod import;
mod inspect;
mod list;
mod mitigate;
mod obfuscate;
mod plant;
mod predict;
mod program;
mod report;
mod serve;
mod source;
mod study;
mod train;
mod zoo;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::net::ModelFile;
use crate::registry::Params;
use crate::study::Task;

/// Plant backdoors in small neural networks, remove them with or without the weights, and measure what access is worth.
#[derive(Debug, Parser)]
#[command(name = "absolve", version, max_term_width = 110)]
#[command(
    after_help = "Start with:  absolve study --out runs/first\n\nExit codes: 0 done, 1 failed at run time, 2 wrong use."
)]
pub struct Cli {
    /// Threads to work with; results do not depend on it [default: all cores]
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Study(study::Args),
    Report(report::Args),
    Train(train::Args),
    Compile(compile::Args),
    Plant(plant::Args),
    Obfuscate(obfuscate::Args),
    Mitigate(mitigate::Args),
    Game(game::Args),
    Estimate(estimate::Args),
    Evaluate(evaluate::Args),
    Predict(predict::Args),
    Inspect(inspect::Args),
    Import(import::Args),
    Export(export::Args),
    Serve(serve::Args),
    List(list::Args),
    Data(data::Args),
    Zoo(zoo::Args),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Where a subcommand writes: its result, and what it has to say meanwhile.
struct Streams<'a> {
    out: &'a mut dyn Write,
    log: &'a mut (dyn Write + Send),
}

impl Cli {
    /// Runs the command. A reader of `out` that goes away is not an error.
    pub fn run(self, out: &mut dyn Write, log: &mut (dyn Write + Send)) -> Result<()> {
        let jobs = match self.jobs {
            Some(jobs) => usize::from(jobs),
            None => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        };
        // Fails only if a pool exists already, which is then the one to use.
        drop(rayon::ThreadPoolBuilder::new().num_threads(jobs).build_global());
        let mut streams = Streams { out, log };
        match self.command {
            Command::Study(args) => args.run(jobs, &mut streams),
            Command::Report(args) => args.run(&mut streams),
            Command::Train(args) => args.run(&mut streams),
            Command::Compile(args) => args.run(&mut streams),
            Command::Plant(args) => args.run(&mut streams),
            Command::Obfuscate(args) => args.run(&mut streams),
            Command::Mitigate(args) => args.run(&mut streams),
            Command::Game(args) => args.run(&mut streams),
            Command::Estimate(args) => args.run(&mut streams),
            Command::Evaluate(args) => args.run(&mut streams),
            Command::Predict(args) => args.run(&mut streams),
            Command::Inspect(args) => args.run(&mut streams),
            Command::Import(args) => args.run(&mut streams),
            Command::Export(args) => args.run(&mut streams),
            Command::Serve(args) => args.run(&mut streams),
            Command::List(args) => args.run(&mut streams),
            Command::Data(args) => args.run(&mut streams),
            Command::Zoo(args) => args.run(&mut streams),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Self::command(), "absolve", &mut script);
                streams.print(&String::from_utf8_lossy(&script))
            }
        }
    }
}

/// A line on whether a theorem's assumption held.
fn verdict(check: &crate::score::AssumptionCheck) -> String {
    let verdict = if check.held { "held" } else { "not held" };
    format!("assumption     {verdict}, {:.4}: {}\n", check.measured, check.statement)
}

impl Streams<'_> {
    /// Writes `text` as the result.
    fn print(&mut self, text: &str) -> Result<()> {
        match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Error::io("write to", Path::new("standard output"))(error))
            }
            _ => Ok(()),
        }
    }

    /// Writes `value` as one JSON document.
    fn print_json(&mut self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Error::Training(format!("a result cannot be written: {error}")))?;
        self.print(&format!("{text}\n"))
    }

    /// Tells people something; that nobody listens is not an error.
    fn say(&mut self, text: &str) {
        drop(writeln!(self.log, "{text}"));
    }
}

/// Refuses to write to a file that is read: what it held would be lost.
fn keep_apart(out: &Path, inputs: &[&Path]) -> Result<()> {
    let same = |input: &&&Path| match (out.canonicalize(), input.canonicalize()) {
        (Ok(out), Ok(input)) => out == input,
        _ => false,
    };
    match inputs.iter().find(same) {
        Some(input) => Err(Error::parameter(
            "out",
            out.display(),
            format!("another file than {}, which is read, is needed", input.display()),
        )),
        None => Ok(()),
    }
}

/// Deepest key that `--set` takes.
const MOST_DOTS: usize = 8;

/// Parameters given as `--set key=value`, where a value is read as TOML, and as text if it is none.
fn parse_settings(settings: &[String]) -> Result<Params> {
    let mut params = Params::new();
    for setting in settings {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(Error::parameter("--set", setting, "key=value is needed"));
        };
        let read: std::result::Result<Params, _> = toml::from_str(&format!("value = {value}"));
        let value = match read {
            Ok(mut table) if table.len() == 1 => table.remove("value"),
            Ok(_) => return Err(Error::parameter("--set", setting, "one value is needed")),
            Err(_) => None,
        };
        if key.matches('.').count() > MOST_DOTS {
            let want = format!("keys have at most {MOST_DOTS} dots");
            return Err(Error::parameter(
                "--set",
                format!("{}…", setting.chars().take(16).collect::<String>()),
                want,
            ));
        }
        let text = setting[key.len() + 1..].to_owned();
        insert(&mut params, key.trim(), value.unwrap_or(toml::Value::String(text)))?;
    }
    Ok(params)
}

/// Puts `value` at a key that may have dots in it: `recipe.epochs`.
fn insert(params: &mut Params, key: &str, value: toml::Value) -> Result<()> {
    match key.split_once('.') {
        None => drop(params.insert(key.to_owned(), value)),
        Some((first, rest)) => {
            let inner = params.entry(first).or_insert_with(|| toml::Value::Table(Params::new()));
            match inner {
                toml::Value::Table(inner) => insert(inner, rest, value)?,
                other => {
                    let want = format!("{first} is {other}, which has no parts");
                    return Err(Error::parameter("--set", key, want));
                }
            }
        }
    }
    Ok(())
}

/// The task with the settings put over it.
fn task_with(task: &Task, settings: &[String]) -> Result<Task> {
    /// Keys that say which kind of thing a table describes: another kind has other keys, so the table is replaced.
    const TAGS: [&str; 3] = ["kind", "shape", "family"];
    fn merge(under: &mut Params, over: Params) {
        if TAGS.iter().any(|tag| over.get(*tag).is_some_and(|kind| under.get(*tag) != Some(kind))) {
            under.clear();
        }
        for (key, value) in over {
            match (under.get_mut(&key), value) {
                (Some(toml::Value::Table(under)), toml::Value::Table(over)) => merge(under, over),
                (_, value) => drop(under.insert(key, value)),
            }
        }
    }
    let bad = |why: String| Error::Spec { place: format!("task {}", task.name), why };
    let mut table = Params::try_from(task).map_err(|error| bad(error.to_string()))?;
    merge(&mut table, parse_settings(settings)?);
    table.try_into().map_err(|error: toml::de::Error| bad(error.message().to_owned()))
}

/// The task and seed that a model file says it comes from, unless others are given.
fn origin(model: &ModelFile, task: Option<&str>, seed: Option<u64>) -> Result<(Task, u64)> {
    let unknown = |what: &str, flag: &str| Error::Spec {
        place: "model file".to_owned(),
        why: format!("it does not say which {what} it comes from; name one with {flag}"),
    };
    let task = match task {
        Some(name) => Task::named_or_load(name)?,
        None if model.provenance.task.is_null() => return Err(unknown("task", "--population")),
        None => serde_json::from_value(model.provenance.task.clone()).map_err(|error| {
            Error::Spec { place: "task in the model file".to_owned(), why: error.to_string() }
        })?,
    };
    task.check()?;
    let world = task.population.world()?;
    let shape = world.shape();
    if model.net.shape() != shape {
        let why = format!(
            "task {} maps {} inputs to {} outputs, the model {} to {}",
            task.name,
            shape.inputs,
            shape.outputs,
            model.net.shape().inputs,
            model.net.shape().outputs
        );
        return Err(Error::Spec { place: "model file".to_owned(), why });
    }
    let contradicts = model.domain.as_ref().is_some_and(|domain| *domain != world.domain)
        || model.target.is_some_and(|target| target != world.target);
    if contradicts {
        let why = format!(
            "its own domain {:?} and target {:?} are not those of task {}",
            model.domain, model.target, task.name
        );
        return Err(Error::Spec { place: "model file".to_owned(), why });
    }
    let seed = seed.or(model.provenance.seed).ok_or_else(|| unknown("seed", "--seed"))?;
    Ok((task, seed))
}

/// The key file that goes with a model file.
fn key_path(model: &Path) -> PathBuf {
    let mut name = model.as_os_str().to_owned();
    name.push(".key.json");
    PathBuf::from(name)
}
