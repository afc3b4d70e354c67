//! Rows that are to be forgotten: taken out of the tables, of all that was made from them, and looked for afterwards.
//!
//! What is being forgotten stands in a journal until nothing is found of it any more, so that a run that was killed is gone on with.

mod artefacts;
mod journal;
mod needles;
mod plan;
mod rows;
mod steps;
mod tables;
mod traces;

pub use artefacts::Removed;
pub use journal::{ForgottenRow, Why};
pub use plan::{ForgetPlan, ForgetSettings, forget_plan};
pub use steps::{Forgotten, forget};
pub use tables::Thinned;
pub use traces::{Looked, Trace, Traces, traces};
