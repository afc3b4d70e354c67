//! What an expert would say of a run: each finding with its evidence, how sure it is, and what to do.

mod diagnose;
mod evidence;
mod finding;
mod ills;
mod notes;
#[cfg(test)]
mod tests;

pub use diagnose::diagnose;
pub use evidence::{Contradictions, Drift, Evidence, Leak, SIGNIFICANT, Shift, TextShift};
pub use finding::{Finding, Ill, Level};
pub use ills::accuracy_difference;
