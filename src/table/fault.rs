//! What makes a line unusable, down to its cell.

/// Why one line cannot be used.
pub struct Fault {
    /// The column at fault; empty when it is the whole line.
    pub column: String,
    /// What stands there.
    pub value: String,
    /// Why it cannot be used.
    pub reason: String,
    /// Whether the label is what is missing: such a row is not bad, it only teaches nothing.
    pub unlabelled: bool,
}

/// The error of a `value` in a `column`.
pub fn fault<T>(column: &str, value: &str, reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { column: column.into(), value: value.into(), reason: reason.into(), unlabelled: false })
}
