//! `absolve serve`: a model as a program that answers on its pipes.
use std::path::PathBuf;

use super::Streams;
use super::program::ProtocolName;
use crate::error::Result;
use crate::external::serve;
use crate::ledger::{Budget, Ledger};
use crate::net::ModelFile;

/// Answer rows on standard input until it ends: the reference for programs that want to be suspects
///
/// With --protocol jsonl a row is a line with a JSON array, and so is its answer. With --protocol npy a block of rows is an array
/// in .npy format, and so are its answers. Every answer is flushed before more input is waited for.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model
    model: PathBuf,
    /// What is spoken on the pipes
    #[arg(long, value_name = "NAME", default_value = "jsonl")]
    protocol: ProtocolName,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        let net = ModelFile::load(&self.model)?.net;
        let ledger = Ledger::new(Budget::UNLIMITED);
        let input = std::io::stdin().lock();
        serve(self.protocol.into(), net.shape(), input, streams.out, &mut |xs| {
            net.forward(xs, &ledger)
        })
    }
}
