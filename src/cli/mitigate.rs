//! `absolve mitigate`: one mitigator on one model file.
use std::path::PathBuf;

use serde::Serialize;

use super::program::ProgramArgs;
use super::source::{Setting, SourceArgs};
use super::{Streams, arrays, parse_settings};
use crate::access::Suspect;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Cost};
use crate::mitigate::{Claim, Guarantee, Plan, Repaired};
use crate::net::{ModelFile, Provenance};
use crate::population::World;
use crate::registry::{Params, mitigator_named};
use crate::storage::{self, Readers};

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
    #[command(flatten)]
    source: SourceArgs,
    /// A parameter of the mitigator, such as tau=0.25
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Answer with −1 or +1, the sign of what is recovered; for fourier-global on labels of ±1, and short for --set round=true
    #[arg(long)]
    round: bool,
    /// Most queries before the first answer [default: the task's budget]
    #[arg(long)]
    max_queries: Option<u64>,
    /// Print as one JSON document: plan, cost, guarantee, notes, function, answers each with its error bar and failure probability
    #[arg(long)]
    json: bool,
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
        let mut settings = parse_settings(&self.set)?;
        if self.round {
            settings.insert("round".to_owned(), true.into());
        }
        let built = (mitigator_named(&self.mitigator)?.build)(&settings)?;
        if self.out.is_none() && self.at.is_none() {
            let want = "something to do is needed: --out FILE to save what is repaired, or --at X.npy --answers Y.npy";
            return Err(Error::parameter("--out", "not given", want));
        }
        let program = self.program.command();
        self.program.admit(&self.mitigator, built.method.access())?;
        let file = self.model.as_deref().map(ModelFile::load).transpose()?;
        let Setting { population, recipe, mut budget, per_answer, number } =
            self.source.setting(file.as_ref(), &self.program)?;
        built.method.check(population.world())?;
        let plan = built.method.plan(population.world())?;
        if let Some(plan) = &plan {
            streams.say(&format!("plan         {plan}"));
        }
        budget.queries = self.max_queries.or(budget.queries);
        let shape = population.world().shape();
        let suspect = self.program.publish(file.as_ref(), shape, budget)?;
        let seeds = self.source.seeds(number, &self.mitigator);
        let mut lab = suspect.lab(&*population, &recipe, seeds);
        let repaired = built.method.mitigate(&suspect, &mut lab)?;
        let prepare = suspect.spent();
        let answers = self.answer(&suspect, &repaired, prepare, per_answer)?;
        suspect.end()?;
        let mut notes = repaired.notes.clone();
        notes.extend(self.source.cautions(file.is_some(), &self.program));
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
        (None, None) => {
            let said = match repaired.notes.as_slice() {
                [] => String::new(),
                notes => format!(". It said: {}", notes.join("; ")),
            };
            let want = format!(
                "there is nothing to save, no net and no function: such a method asks the suspect at every answer, or left it as it is; use --at X.npy --answers Y.npy{said}"
            );
            Err(Error::parameter("--out", out.display(), want))
        }
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
    text + &written(outcome.function.as_ref())
}

/// A recovered function, a basis function a line: its value, or those of its cosine and sine, and which it is.
fn written(function: Option<&serde_json::Value>) -> String {
    let Some(function) = function else { return String::new() };
    let list = |of: &serde_json::Value| of.as_array().cloned().unwrap_or_default();
    let line = |left: String, which: &serde_json::Value| format!("             {left} {which}\n");
    let cube = list(function).into_iter().map(|t| line(t["value"].to_string(), &t["support"]));
    let products =
        list(&function["terms"]).into_iter().map(|t| line(t["value"].to_string(), &t["degrees"]));
    let waves = list(&function["waves"])
        .into_iter()
        .map(|w| line(format!("{} cos {} sin", w["cos"], w["sin"]), &w["frequency"]));
    cube.chain(products).chain(waves).collect()
}
