//! What stands at one place of a file of answers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where in a file an answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A line of a CSV, counted from 1.
    Line(u64),
    /// A task of a JSON list, counted from 1.
    Task(u64),
    /// The file as a whole.
    File,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, " line {line}"),
            Self::Task(task) => write!(f, " task {task}"),
            Self::File => Ok(()),
        }
    }
}

/// What a file says at one place, before anything of it is known to be right.
pub(crate) struct Said {
    pub place: Place,
    pub id: String,
    pub annotator: String,
    /// Blank where nothing was chosen.
    pub label: String,
}

/// What could not even be read.
pub(crate) struct Unread {
    pub place: Place,
    pub value: String,
    pub why: String,
}
