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
mod format;
mod group;
mod heat;
mod pictures;
mod scatter;
mod spectrum;
mod svg;
mod table;

#[cfg(test)]
mod fixture;

pub use table::table;
