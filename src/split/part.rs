//! The parts of a table.

use serde::{Deserialize, Serialize};

/// Where a row is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What the head learns from.
    Train,
    /// What chooses the epoch.
    Validation,
    /// What the figures come from; seen once.
    Test,
    /// Not used: it has a near-duplicate in a given test part.
    Dropped,
}

impl Part {
    /// The parts that are used.
    pub const USED: [Part; 3] = [Part::Train, Part::Validation, Part::Test];

    /// Name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Validation => "validation",
            Part::Test => "test",
            Part::Dropped => "dropped",
        }
    }
}
