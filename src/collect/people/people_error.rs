//! Why annotation tasks cannot be written or answers not merged; what is wrong with a single answer is an
//! [`AnswerFault`](super::answers::AnswerFault).

/// Why annotation tasks cannot be written, or answers not merged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PeopleError {
    /// Two rows of a task have the same id, so answers could not be told apart.
    #[error("rows {first} and {second} of the task have the same id {id:?}")]
    SameId {
        /// The id.
        id: String,
        /// The first row, counted from 0.
        first: usize,
        /// The second.
        second: usize,
    },
    /// A row of a task cannot be asked about.
    #[error("row {row} of the task {why}")]
    Row {
        /// The row, counted from 0.
        row: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A field's name is a column that the task has for itself.
    #[error("the field `{field}` has the name of a column of the task")]
    FieldName {
        /// The field.
        field: String,
    },
    /// There is nothing to choose between, or two choices look the same.
    #[error("{why}")]
    Classes {
        /// What is wrong with the classes.
        why: String,
    },
    /// The task cannot be put into its format.
    #[error("the task cannot be written as {format}: {reason}")]
    Format {
        /// Which format.
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A vote is for something that there is not.
    #[error("vote {vote} has {what} {found}, but there are {count}")]
    Vote {
        /// The vote, counted from 0.
        vote: usize,
        /// Row, annotator or class.
        what: &'static str,
        /// The number, counted from 0.
        found: usize,
        /// How many there are.
        count: usize,
    },
    /// An annotator has two votes for one row.
    #[error("annotator {annotator} has more than one vote for row {row}")]
    VotedTwice {
        /// The annotator, counted from 0.
        annotator: usize,
        /// The row, counted from 0.
        row: usize,
    },
    /// A setting is outside its range.
    #[error("{key} = {value} is not {wanted}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What may stand there.
        wanted: &'static str,
    },
}

impl PeopleError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::SameId { .. } => Some("give each row an id of its own".to_owned()),
            Self::FieldName { .. } => Some("rename the column in the task".to_owned()),
            Self::VotedTwice { .. } => Some("keep the answer that counts".to_owned()),
            Self::Setting { key, wanted, .. } => Some(format!("set {key} to {wanted}")),
            Self::Row { .. } | Self::Classes { .. } | Self::Format { .. } | Self::Vote { .. } => None,
        }
    }
}
