//! `[data]`: raw files and text fields.

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::number::{Number, real};
use super::section::Section;

/// `[data]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Glob patterns of the raw tables, or of folders of them; at least one.
    pub files: Vec<String>,
    /// Glob patterns of files that are the test part as given; none by default, the test part is then drawn.
    #[serde(default)]
    pub test_files: Vec<String>,
    /// Columns that are text for the encoder, each embedded on its own; at least one.
    pub text_fields: Vec<String>,
    /// Embed all text fields joined into one text instead; not by default.
    #[serde(default)]
    pub join_text: bool,
    /// The column whose equal (normalised) value makes two rows duplicates; none by default.
    #[serde(default)]
    pub title: Option<String>,
    /// The character between fields of a line: one of ASCII, but no quote or line break; by default found in each file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// The encoding of the files, by a name of the WHATWG's list, such as `windows-1251`; by default found in each file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Cells that count as empty, whatever their upper and lower case.
    #[serde(default = "missing")]
    pub missing: Vec<String>,
    /// Share of rejected rows above which the run stops, in `[0, 1]`; 0.05 by default.
    #[serde(default = "max_rejected_share")]
    pub max_rejected_share: f64,
}

impl DataConfig {
    /// Cells that count as empty where [`DataConfig::missing`] is not set.
    pub fn missing_by_default() -> Vec<String> {
        missing()
    }
}

fn missing() -> Vec<String> {
    ["NA", "N/A", "#N/A", "<NA>", "null", "nan", "-"].map(str::to_owned).to_vec()
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
        if let Some(delimiter) = self.delimiter
            && (!delimiter.is_ascii() || matches!(delimiter, '"' | '\n' | '\r'))
        {
            return Fault::at(
                "data.delimiter",
                format!("is {delimiter:?}; use one ASCII character such as , or ;"),
            );
        }
        if let Some(label) = &self.encoding
            && encoding_rs::Encoding::for_label(label.as_bytes()).is_none()
        {
            return Fault::at(
                "data.encoding",
                format!(
                    "is {label:?}, which is no encoding; use a name such as utf-8, windows-1252, gbk or utf-16le"
                ),
            );
        }
        Ok(())
    }
}
