//! `absolve predict`: plain inference.
use std::path::PathBuf;

use super::{Streams, arrays};
use crate::error::Result;
use crate::ledger::{Budget, Ledger};
use crate::net::ModelFile;

/// Answer the rows of an array: plain inference, so that other tools can check ours
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model
    model: PathBuf,
    /// Inputs, a .npy file with a row an input
    inputs: PathBuf,
    /// Where to write the answers, a .npy file of 64 bit floats
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print shape and cost as one JSON document
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        super::keep_apart(&self.out, &[&self.model, &self.inputs])?;
        let net = ModelFile::load(&self.model)?.net;
        let xs = arrays::read(&self.inputs)?;
        let ledger = Ledger::new(Budget::UNLIMITED);
        let answers = net.forward(&xs, &ledger)?;
        crate::data::check("answers of the model", &answers, net.shape().outputs)?;
        arrays::write(&self.out, &answers)?;
        let (rows, columns) = answers.dim();
        if self.json {
            let flops = ledger.spent().flops;
            return streams.print_json(&serde_json::json!({
                "answers": self.out, "rows": rows, "columns": columns, "flops": flops,
            }));
        }
        streams.print(&format!("{}: {rows} answers of {columns} numbers\n", self.out.display()))
    }
}
