//! A program as a suspect, as the command line names it.
use std::time::Duration;

use crate::access::{Access, Oracle, Suspect};
use crate::data::Shape;
use crate::error::{Error, Result};
use crate::external::{External, Program, Protocol, words};
use crate::ledger::Budget;
use crate::net::ModelFile;

#[derive(Debug, clap::Args)]
pub(super) struct ProgramArgs {
    /// In place of MODEL: a program that answers rows on its pipes, for black-box mitigators. Blanks separate its arguments,
    /// quotes keep them; no shell is asked
    #[arg(long, value_name = "COMMAND", conflicts_with = "model")]
    suspect_command: Option<String>,
    /// What the program speaks
    #[arg(long, value_name = "NAME", default_value = "jsonl", requires = "suspect_command")]
    protocol: ProtocolName,
    /// Longest time for a block of at most 1,024 rows
    #[arg(long, value_name = "SECONDS", default_value = "60", requires = "suspect_command")]
    timeout: f64,
    /// Width of the program's input rows [default: that of the task, or of --clean]
    #[arg(long, value_name = "N", requires = "suspect_command")]
    inputs: Option<usize>,
    /// Width of the program's answers [default: that of the task, or 1 with --clean]
    #[arg(long, value_name = "K", requires = "suspect_command")]
    outputs: Option<usize>,
}

/// What a program speaks.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum ProtocolName {
    /// A JSON array a row, a row a line
    Jsonl,
    /// Blocks of rows as .npy arrays
    Npy,
}

impl From<ProtocolName> for Protocol {
    fn from(name: ProtocolName) -> Self {
        match name {
            ProtocolName::Jsonl => Self::Jsonl,
            ProtocolName::Npy => Self::Npy,
        }
    }
}

impl ProgramArgs {
    /// The command line of the program, if one was given.
    pub(super) fn command(&self) -> Option<&str> {
        self.suspect_command.as_deref()
    }

    /// Its shape, as far as it was given, over what is known from elsewhere.
    pub(super) fn shape(&self, known: Shape) -> Shape {
        let inputs = self.inputs.unwrap_or(known.inputs);
        Shape { inputs, outputs: self.outputs.unwrap_or(known.outputs) }
    }

    /// Refuses a program where the method `name` needs more than answers.
    pub(super) fn admit(&self, name: &str, access: &str) -> Result<()> {
        if self.command().is_none() || access == <dyn Oracle>::NAME {
            return Ok(());
        }
        let want = format!("it needs the weights ({access}), and a program shows its answers only");
        Err(Error::parameter("--suspect-command", name, want))
    }

    /// Publishes the net of `file`, or the program as something of shape `shape`.
    pub(super) fn publish(
        &self,
        file: Option<&ModelFile>,
        shape: Shape,
        budget: Budget,
    ) -> Result<Suspect> {
        if let Some(file) = file {
            return Ok(Suspect::publish(file.net.clone(), budget));
        }
        let program = self.start(self.command().unwrap_or_default(), shape)?;
        Ok(Suspect::publish_external(program, budget))
    }

    /// Starts it as something of shape `shape`, which must be what was said of it.
    fn start(&self, command: &str, shape: Shape) -> Result<External> {
        for (name, given, known) in
            [("--inputs", self.inputs, shape.inputs), ("--outputs", self.outputs, shape.outputs)]
        {
            if let Some(given) = given.filter(|given| *given != known) {
                return Err(Error::parameter(
                    name,
                    given,
                    format!("the clean samples want {known}"),
                ));
            }
        }
        let timeout = Duration::try_from_secs_f64(self.timeout).map_err(|_| {
            Error::parameter("--timeout", self.timeout, "a positive number of seconds is needed")
        })?;
        let protocol = self.protocol.into();
        External::start(Program { command: words(command)?, shape, protocol, timeout })
    }
}
