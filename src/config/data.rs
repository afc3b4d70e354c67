//! `[data]`: raw files and text fields.

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::number::{Number, real};
use super::section::Section;

/// `[data]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Glob patterns of the raw CSV files; at least one.
    pub files: Vec<String>,
    /// Glob patterns of files that are the test part as given; none by default, the test part is then drawn.
    #[serde(default)]
    pub test_files: Vec<String>,
    /// Columns that are text for the encoder, each embedded on its own; at least one.
    pub text_fields: Vec<String>,
    /// Embed all text fields joined into one text instead; not by default.
    #[serde(default)]
    pub join_text: bool,
    /// The column whose equal (normalised) value makes two rows duplicates; the first text field by default.
    #[serde(default)]
    pub title: Option<String>,
    /// The character between fields of a line: one of ASCII, but no quote or line break; `,` by default.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// Share of rejected rows above which the run stops, in `[0, 1]`; 0.05 by default.
    #[serde(default = "max_rejected_share")]
    pub max_rejected_share: f64,
}

fn comma() -> char {
    ','
}

fn max_rejected_share() -> f64 {
    0.05
}

impl Section for DataConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![real("data.max_rejected_share", self.max_rejected_share, 0.0..=1.0)]
    }

    fn check(&self) -> Result<(), Fault> {
        if self.files.is_empty() {
            return Fault::at(
                "data.files",
                "names no file; give at least one pattern such as \"data/raw/*.csv\"",
            );
        }
        if self.text_fields.is_empty() {
            return Fault::at("data.text_fields", "is empty; name the columns that hold text");
        }
        let delimiter = self.delimiter;
        if !delimiter.is_ascii() || delimiter == '"' || delimiter == '\n' || delimiter == '\r' {
            return Fault::at(
                "data.delimiter",
                format!("is {delimiter:?}; use one ASCII character such as , or ;"),
            );
        }
        Ok(())
    }
}
