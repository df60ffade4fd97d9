//! What people look at: records in, tables and one self-contained page out. Reads nothing but records.
//!
//! ```
//! use absolve::report::table;
//! use absolve::study::summary::Summary;
//! let summary = Summary {
//!     version: 1,
//!     plan: String::new(),
//!     name: "empty".into(),
//!     question: String::new(),
//!     rows: vec![],
//! };
//! assert!(table(&summary).starts_with("task  attack  mitigator"));
//! ```
mod claims;
mod figures;
mod format;
mod group;
mod heat;
pub mod lines;
mod measured;
mod names;
mod page;
mod pictures;
mod provenance;
mod results;
mod scatter;
mod spectrum;
mod svg;
mod table;
mod write;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod showcase;

pub use page::{Page, html};
pub use table::table;
pub use write::write;
