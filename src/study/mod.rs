//! Studies: a specification becomes a plan, a plan becomes cells, cells become records, records become a summary.
pub mod record;
pub mod summary;
