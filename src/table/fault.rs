//! What makes a line unusable, down to its cell.

/// Why one line cannot be used.
pub struct Fault {
    /// The column at fault; empty when it is the whole line.
    pub column: String,
    /// What stands there.
    pub value: String,
    /// Why it cannot be used.
    pub reason: String,
}

/// The error of a `value` in a `column`.
pub fn fault<T>(column: &str, value: &str, reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { column: column.into(), value: value.into(), reason: reason.into() })
}

/// A cell that must be a number which a head can compute with.
pub fn number(column: &str, value: &str) -> Result<f64, Fault> {
    match value.parse::<f64>() {
        Ok(number) if (number as f32).is_finite() => Ok(number),
        Ok(number) if number.is_finite() => fault(column, value, "is too large to compute with"),
        _ => fault(column, value, "is not a number; write it with digits and a point, such as 3.5"),
    }
}
