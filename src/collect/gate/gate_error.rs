//! Why candidates cannot be judged at all; what is wrong with a single candidate is a [`Reason`](super::Reason).

/// Why candidates cannot be judged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GateError {
    /// A pattern of the settings is no regular expression.
    #[error("`{pattern}` ({key}) is not a regular expression: {reason}")]
    Pattern {
        /// The setting.
        key: &'static str,
        /// What stands there.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting is outside its range.
    #[error("{key} = {value} is not {wanted}")]
    Setting {
        /// The setting.
        key: String,
        /// What stands there.
        value: String,
        /// What may stand there.
        wanted: &'static str,
    },
    /// Two inputs do not belong together.
    #[error("{what}: there are {found}, not {wanted}")]
    Shape {
        /// Which numbers.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// A vector is neither of length 1 nor zero.
    #[error("the vector of {of} {row} has length {length}, not 1")]
    Length {
        /// Whose vectors.
        of: &'static str,
        /// The row, counted from 0.
        row: usize,
        /// Its Euclidean length; not a number where one of its values is none.
        length: f64,
    },
    /// The probabilities of a candidate are none.
    #[error("the probabilities of candidate {row} are not in [0, 1] with sum 1: their sum is {sum}")]
    Probabilities {
        /// The candidate, counted from 0.
        row: usize,
        /// What they add up to.
        sum: f64,
    },
    /// The user asked to stop.
    #[error("interrupted while judging candidates")]
    Interrupted,
}

impl GateError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Pattern { key, .. } => Some(format!("mend the pattern in {key} or take it out")),
            Self::Setting { key, wanted, .. } => Some(format!("set {key} to {wanted}")),
            Self::Length { .. } => Some("scale each vector to length 1 before the gate".to_owned()),
            Self::Shape { .. } | Self::Probabilities { .. } | Self::Interrupted => None,
        }
    }
}
