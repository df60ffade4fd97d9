//! Studies: a specification becomes a plan, a plan becomes cells, cells become records, records become a summary.
mod cell;
mod model;
mod picture;
mod plan;
pub mod record;
mod run;
mod spec;
pub mod summary;

pub use model::Model;
pub use plan::{Plan, TaskPlan};
pub use run::{Progress, RECORDS, SPEC, SUMMARY, TIMINGS, load, load_of_plan, run, summarise};
pub(crate) use spec::parse;
pub use spec::{MethodSpec, Spec, StepSpec, Task};
