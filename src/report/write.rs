//! The page of a study, written into its folder.
use std::path::{Path, PathBuf};

use super::page::{Page, html};
use crate::error::Result;
use crate::storage::{self, Readers};
use crate::study::summary::Summary;
use crate::study::{Plan, RECORDS, load};

/// Name of the page in a study's folder.
const PAGE: &str = "report.html";

/// Writes `report.html` beside the records in `dir`, whole or not at all, and returns its path.
pub fn write(dir: &Path, plan: &Plan, summary: &Summary) -> Result<PathBuf> {
    let records = load(&dir.join(RECORDS))?;
    let spec = plan.spec.to_toml()?;
    let page = html(&Page { summary, records: &records, spec: &spec })?;
    let path = dir.join(PAGE);
    storage::replace(&path, page.as_bytes(), Readers::Everyone)?;
    Ok(path)
}
