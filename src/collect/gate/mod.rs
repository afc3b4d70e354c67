//! The gate that every candidate row passes: what is asked of it alone, beside the data, and of a batch as a whole. Nothing is read
//! or written here.

mod alike;
mod candidate;
mod check_digits;
mod diversity;
#[expect(clippy::module_inception, reason = "the gate itself, beside its checks")]
mod gate;
mod gate_error;
mod grams;
mod language;
mod opinion;
mod pattern;
mod personal;
mod personal_kind;
mod phone;
mod reason;
mod same_text;
mod schema;
mod tells;
mod trend;
mod unsafe_content;
mod unsafe_kind;
mod unsafe_rules;
mod variety;
mod vectors;

pub use alike::AlikeSettings;
pub use candidate::{Batch, Candidate, Columns, Probabilities, Reference};
pub use diversity::{Diversity, Figures as DiversityFigures, diversity};
pub use gate::{Against, Gate, GateSettings, Judged, Skipped, Verdict};
pub use gate_error::GateError;
pub use language::LanguageSettings;
pub use opinion::OpinionSettings;
pub use personal::{PersonalAction, PersonalSettings};
pub use reason::{Among, Reason};
pub use schema::{SchemaSettings, WordLimits};
pub use tells::{TellSettings, Tells};
pub use unsafe_content::UnsafeSettings;
pub use variety::DiversitySettings;
pub use vectors::Vectors;
