//! Numbers as tables have them.

use std::sync::LazyLock;

use regex::Regex;

use super::fault::{Fault, fault};
use crate::config::GREATEST;

/// How the numbers of a column are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decimal {
    /// 1234.5
    #[default]
    Point,
    /// 1234,5 or 1.234,5
    Comma,
    /// 1,234.5
    GroupedPoint,
}

static COMMA: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)?(,\d+)?$"));
static GROUPED_POINT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[+-]?\d{1,3}(,\d{3})*(\.\d+)?$"));
/// Grouped digits, or a number of three places: nobody knows.
static EITHER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[+-]?\d{1,3},\d{3}$"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|_| unreachable!("a constant that the tests compile"))
}

/// What the cells of a column so far say of how its numbers are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    commas: usize,
    /// Of them, those that can only be of one kind.
    clear: usize,
    not_comma: usize,
    not_grouped: usize,
}

impl Written {
    /// Look at one more cell, trimmed and not missing.
    pub fn add(&mut self, cell: &str) {
        let comma = cell.contains(',');
        self.commas += usize::from(comma);
        self.clear += usize::from(comma && !EITHER.is_match(cell));
        let plain = !comma && !cell.contains('.');
        self.not_comma += usize::from(!plain && !COMMA.is_match(cell));
        self.not_grouped += usize::from(comma && !GROUPED_POINT.is_match(cell));
    }

    /// How all of them are written; a point, where they do not agree or leave it open.
    pub fn decimal(self) -> Decimal {
        match self {
            Self { commas: 0, .. } | Self { clear: 0, .. } => Decimal::Point,
            Self { not_comma: 0, .. } => Decimal::Comma,
            Self { not_grouped: 0, .. } => Decimal::GroupedPoint,
            _ => Decimal::Point,
        }
    }
}

/// A cell that must be a number which a head can compute with.
///
/// # Errors
/// It is none, or too large.
pub fn number(column: &str, value: &str, decimal: Decimal) -> Result<f64, Fault> {
    let plain = match decimal {
        Decimal::Point => None,
        Decimal::Comma => COMMA.is_match(value).then(|| value.replace('.', "").replace(',', ".")),
        Decimal::GroupedPoint => GROUPED_POINT.is_match(value).then(|| value.replace(',', "")),
    };
    match plain.as_deref().unwrap_or(value).parse::<f64>() {
        Ok(number) if number.abs() <= GREATEST => Ok(number),
        Ok(number) if number.is_finite() => {
            fault(column, value, "is too large to compute with; at most 1e15 is possible")
        }
        _ if EITHER.is_match(value) => fault(
            column,
            value,
            "may have a decimal comma or grouped digits; write it with a point, such as 3.5",
        ),
        _ => fault(column, value, "is not a number; write it with digits and a point, such as 3.5"),
    }
}

/// Whether all of the trimmed cells of a column, none of them missing, are numbers, by the writing that they share.
pub fn are_numbers<'c>(cells: impl Iterator<Item = &'c str> + Clone) -> bool {
    let mut written = Written::default();
    cells.clone().for_each(|cell| written.add(cell));
    let decimal = written.decimal();
    cells.into_iter().all(|cell| number("", cell, decimal).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(cells: &[&str]) -> Decimal {
        let mut written = Written::default();
        cells.iter().for_each(|cell| written.add(cell));
        written.decimal()
    }

    #[test]
    fn a_whole_column_says_how_its_numbers_are_written() {
        assert_eq!(decimal(&["355,5", "12", "0,25"]), Decimal::Comma);
        assert_eq!(decimal(&["1.234,5", "1.234", "7"]), Decimal::Comma);
        assert_eq!(decimal(&["1,234.5", "1,234", "7.25"]), Decimal::GroupedPoint);
        assert_eq!(decimal(&["1,234,567"]), Decimal::GroupedPoint);
        assert_eq!(decimal(&["1.5", "2", "many"]), Decimal::Point);
        // One cell has a point that groups nothing, or nothing says which it is.
        assert_eq!(decimal(&["355,5", "12.25"]), Decimal::Point);
        assert_eq!(decimal(&["1,234", "5,678"]), Decimal::Point);
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let of = |value, decimal| number("x", value, decimal).map_err(|fault| fault.reason);
        assert_eq!(of("1.234,5", Decimal::Comma), Ok(1234.5));
        assert_eq!(of("-0,5", Decimal::Comma), Ok(-0.5));
        assert_eq!(of("1.234", Decimal::Comma), Ok(1234.0));
        assert_eq!(of("1,234.5", Decimal::GroupedPoint), Ok(1234.5));
        assert_eq!(of("1e3", Decimal::Point), Ok(1000.0));
        assert!(of("1,234", Decimal::Point).unwrap_err().contains("decimal comma or grouped"));
        assert!(of("3e38", Decimal::Point).unwrap_err().contains("too large"));
        for value in ["inf", "NaN", "", "three", "1,5"] {
            assert!(of(value, Decimal::Point).unwrap_err().contains("not a number"), "{value}");
        }
    }
}
