//! `absolve report`: the table and the page again, from the records alone.
use std::path::PathBuf;

use super::Streams;
use crate::error::Result;
use crate::report;
use crate::study::{Plan, RECORDS, SPEC, Spec, load_of_plan, summarise};

/// Write the report of a study again, from its records, and print its table
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of a study
    dir: PathBuf,
    /// Print the summary as one JSON document
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        let plan = Plan::new(Spec::load(&self.dir.join(SPEC))?)?;
        let records = load_of_plan(&self.dir.join(RECORDS), &plan)?;
        let summary = summarise(&plan, &records);
        let (have, want) = (records.len(), plan.cells().len());
        if have < want {
            streams.say(&format!(
                "note: {have} of {want} cells are there; run the study again to finish it"
            ));
        }
        let page = report::write(&self.dir, &plan, &summary)?;
        streams.say(&format!("report: {}", page.display()));
        if self.json {
            streams.print_json(&summary)
        } else {
            streams.print(&report::table(&summary))
        }
    }
}
