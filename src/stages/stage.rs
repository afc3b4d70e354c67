//! The stages by name and in order.

use serde::Serialize;

/// A step of the build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Raw CSVs to embeddings, with rejects and duplicates listed.
    Embed,
    /// Rows to train, validation and test parts.
    Split,
    /// Training rows to augmented rows.
    Augment,
    /// Everything to a trained head.
    Train,
    /// The head to figures, diagnosis, gates and report.
    Evaluate,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Stage; 5] = [Stage::Embed, Stage::Split, Stage::Augment, Stage::Train, Stage::Evaluate];

    /// Name in commands, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Embed => "embed",
            Stage::Split => "split",
            Stage::Augment => "augment",
            Stage::Train => "train",
            Stage::Evaluate => "evaluate",
        }
    }
}
