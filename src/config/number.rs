//! A number of the config, and what it may be.

use std::fmt;
use std::ops::RangeInclusive;

/// Greatest size of a number of the data, such as the edge of a class: whole numbers up to it are exact, and no sum or
/// product of a few overflows a 32-bit float.
pub const GREATEST: f64 = 1e15;

/// Most rows that any limit or list speaks of.
pub(super) const MOST_ROWS: usize = 1_000_000_000;

/// A number as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// A whole number; TOML has none beyond these.
    Whole(i64),
    /// Any other.
    Real(f64),
}

impl From<usize> for Amount {
    fn from(value: usize) -> Self {
        Self::Whole(in_toml(value))
    }
}

fn in_toml(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl From<f64> for Amount {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// What a number may be. Both ends are included, and neither NaN nor infinity lies between any.
#[derive(Clone, Debug, PartialEq)]
pub enum Bounds {
    /// A whole number.
    Whole(RangeInclusive<i64>),
    /// Any number.
    Real(RangeInclusive<f64>),
}

impl Bounds {
    /// Whether the number may be `amount`.
    pub fn hold(&self, amount: Amount) -> bool {
        match (self, amount) {
            (Self::Whole(range), Amount::Whole(value)) => range.contains(&value),
            (Self::Whole(_), Amount::Real(_)) => false,
            (Self::Real(range), Amount::Whole(value)) => range.contains(&(value as f64)),
            (Self::Real(range), Amount::Real(value)) => range.contains(&value),
        }
    }
}

/// Numbers of a list or a map have two kinds of entries: `train.hidden[]` for what any of them may be, without an amount, and
/// `train.hidden[0]` for the first; `features.field_weights.*` and `features.field_weights.title`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    /// The dotted key.
    pub key: String,
    /// What it is; `None` where it is not set.
    pub amount: Option<Amount>,
    /// What it may be.
    pub bounds: Bounds,
}

/// A whole number, set or not.
pub(super) fn whole(key: &str, value: impl Into<Option<usize>>, range: RangeInclusive<usize>) -> Number {
    let [least, greatest] = [*range.start(), *range.end()].map(in_toml);
    let bounds = Bounds::Whole(least..=greatest);
    Number { key: key.into(), amount: value.into().map(Amount::from), bounds }
}

/// Any number, set or not.
pub(super) fn real(key: &str, value: impl Into<Option<f64>>, range: RangeInclusive<f64>) -> Number {
    Number { key: key.into(), amount: value.into().map(Amount::from), bounds: Bounds::Real(range) }
}

impl Number {
    /// The entry of one place: `[]` or `*` becomes `place`, which holds `amount`.
    pub fn at(&self, place: impl fmt::Display, amount: impl Into<Amount>) -> Self {
        let key = match self.key.contains('*') {
            true => self.key.replacen('*', &place.to_string(), 1),
            false => self.key.replacen("[]", &format!("[{place}]"), 1),
        };
        Self { key, amount: Some(amount.into()), bounds: self.bounds.clone() }
    }

    /// Whether `key` is its key, or one of those that it stands for.
    pub fn speaks_of(&self, key: &str) -> bool {
        let key = without_places(key);
        match self.key.split_once('*') {
            Some((before, after)) => {
                let name = key.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                name.is_some_and(|name| !name.is_empty())
            }
            None => self.key == key,
        }
    }
}

/// `train.hidden[3]` as `train.hidden[]`.
fn without_places(key: &str) -> String {
    let mut parts = key.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |key, part| {
        let (place, rest) = part.split_once(']').unwrap_or((part, ""));
        if place.bytes().all(|b| b.is_ascii_digit()) { key + "[]" + rest } else { key + "[" + part }
    })
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => write!(f, "{value}"),
            // 1e308 has 309 digits by its Display, 7 characters by its Debug.
            Self::Real(value) => {
                let text = format!("{value:?}");
                f.write_str(text.strip_suffix(".0").unwrap_or(&text))
            }
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(range) => write!(f, "a whole number in [{}, {}]", range.start(), range.end()),
            Self::Real(range) => {
                write!(f, "in [{}, {}]", Amount::Real(*range.start()), Amount::Real(*range.end()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_bounds_are_written_as_people_write_them() {
        let written =
            [0.5, 1.0, 1e-8, 1e308, f64::NAN, f64::INFINITY, -1.0].map(|v| Amount::Real(v).to_string());
        assert_eq!(written, ["0.5", "1", "1e-8", "1e308", "NaN", "inf", "-1"]);
        assert_eq!(real("a", None, 1e-8..=10.0).bounds.to_string(), "in [1e-8, 10]");
        assert_eq!(whole("a", None, 1..=9).bounds.to_string(), "a whole number in [1, 9]");
    }

    #[test]
    fn both_ends_are_included_and_what_is_no_number_is_not() {
        let bounds = real("a", None, 0.0..=1.0).bounds;
        assert!([0.0, -0.0, 1.0].iter().all(|&v| bounds.hold(Amount::Real(v))));
        let outside = [-1e-300, 1.0 + f64::EPSILON, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        assert!(!outside.iter().any(|&v| bounds.hold(Amount::Real(v))));
        let bounds = whole("a", None, 1..=9).bounds;
        assert!([1, 9].iter().all(|&v| bounds.hold(Amount::Whole(v))));
        assert!(![0, 10, -1, i64::MAX].iter().any(|&v| bounds.hold(Amount::Whole(v))));
    }

    #[test]
    fn an_entry_speaks_of_every_place_of_its_list() {
        let of = |key: &str| real(key, None, 0.0..=1.0);
        assert!(of("train.hidden[]").speaks_of("train.hidden[12]"));
        assert!(of("validate.range.*[]").speaks_of("validate.range.age [years][1]"));
        assert!(of("features.field_weights.*").speaks_of("features.field_weights.a.b"));
        assert!(!of("features.field_weights.*").speaks_of("features.field_weights."));
        assert!(!of("train.hidden").speaks_of("train.hidden[0]"));
    }
}
