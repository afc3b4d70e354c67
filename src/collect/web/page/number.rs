//! Numbers in running text, in the spellings that people use.

use std::sync::LazyLock;

use crate::config::NumberTaken;
use regex::Regex;

/// Digits in groups of three, then perhaps decimals; or digits, then perhaps decimals.
static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"[0-9]{1,3}(?:[.,'’\x{a0}\x{202f}\x{2009}][0-9]{3})+(?:[.,][0-9]+)?|[0-9]+(?:[.,][0-9]+)?")
        .ok()
});

static DURATION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let part = |letter: &str| format!("(?:([0-9]+(?:[.,][0-9]+)?){letter})?");
    let (days, time) = (part("D"), [part("H"), part("M"), part("S")].concat());
    Regex::new(&format!("^P{days}(?:T{time})?$")).ok()
});

/// The number of `text` as plain decimal text, such as `-1234.5`.
pub fn number_in(text: &str, taken: NumberTaken) -> Option<String> {
    match taken {
        NumberTaken::Minutes => minutes(text),
        NumberTaken::First => NUMBER.as_ref()?.find(text).map(|found| spelled(text, found.range())),
        NumberTaken::Last => {
            NUMBER.as_ref()?.find_iter(text).last().map(|found| spelled(text, found.range()))
        }
    }
}

fn spelled(text: &str, range: std::ops::Range<usize>) -> String {
    let digits = plain(&text[range.clone()]);
    let before = &text[..range.start];
    // `10-15` is a range, `A-4` a name, `-4` a number below zero.
    let sign = before.strip_suffix(['-', '−']);
    let below_zero = sign.is_some_and(|rest| !rest.ends_with(|c: char| c.is_alphanumeric()));
    if below_zero && digits.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        format!("-{digits}")
    } else {
        digits
    }
}

/// `number` with a point before its decimals and nothing between its thousands.
///
/// With two kinds of marks the last one is the decimal's. One mark alone is the decimal's, unless it is a comma, or stands more
/// than once, before groups of three digits: `1,234` is a thousand, `1.234` is above one, `0,500` is a half.
fn plain(number: &str) -> String {
    let marks: Vec<(usize, char)> = number.char_indices().filter(|(_, c)| !c.is_ascii_digit()).collect();
    let decimal = match marks.as_slice() {
        [] => None,
        [(at, mark)] => {
            let groups = number.len() - at - mark.len_utf8() == 3 && !number.starts_with('0');
            let thousands = groups && *mark != '.' || !",.".contains(*mark);
            (!thousands).then_some(*at)
        }
        [(_, first), .., (at, last)] => (first != last).then_some(*at),
    };
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    match decimal {
        None => digits(number),
        Some(at) => format!("{}.{}", digits(&number[..at]), digits(&number[at..])),
    }
}

fn minutes(text: &str) -> Option<String> {
    let parts = DURATION.as_ref()?.captures(text.trim())?;
    let part = |index: usize| parts.get(index).map(|p| p.as_str().replace(',', ".").parse::<f64>());
    let values: Vec<Option<f64>> =
        (1..=4).map(|index| part(index).transpose()).collect::<Result<_, _>>().ok()?;
    if values.iter().all(Option::is_none) {
        return None;
    }
    let minutes: f64 =
        values.iter().zip([1440.0, 60.0, 1.0, 1.0 / 60.0]).map(|(v, unit)| v.unwrap_or(0.0) * unit).sum();
    // Seconds may not divide; two decimals are below what a recipe can mean.
    Some(format!("{}", (minutes * 100.0).round() / 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_spelling() {
        for (text, expected) in [
            ("serves 4 to 6", "4"),
            ("$1,234.50 each", "1234.50"),
            ("1.234,50 €", "1234.50"),
            ("1'234'567", "1234567"),
            ("12\u{a0}500 kg", "12500"),
            ("1.234.567", "1234567"),
            ("1,234", "1234"),
            ("1.234", "1.234"),
            ("0,500 l", "0.500"),
            ("12,5 %", "12.5"),
            ("2 350 g bags", "2"),
            ("-4 °C", "-4"),
            ("−4,5", "-4.5"),
            ("10-15", "10"),
            ("A-4", "4"),
            ("-0", "0"),
            ("007", "007"),
            ("1,23,456", "1.23"),
        ] {
            assert_eq!(number_in(text, NumberTaken::First).unwrap(), expected, "{text}");
        }
        assert_eq!(number_in("serves 4 to 6 people.", NumberTaken::Last).unwrap(), "6");
        assert_eq!(number_in("10-15", NumberTaken::Last).unwrap(), "15");
        assert_eq!(number_in("none ½ ٣", NumberTaken::First), None);
    }

    #[test]
    fn durations_in_minutes() {
        for (text, expected) in [
            ("PT1H30M", Some("90")),
            ("P1DT30S", Some("1440.5")),
            ("PT45M", Some("45")),
            ("PT0M", Some("0")),
            ("PT1.5H", Some("90")),
            ("PT20S", Some("0.33")),
            ("P", None),
            ("PT", None),
            ("45 minutes", None),
        ] {
            assert_eq!(number_in(text, NumberTaken::Minutes).as_deref(), expected, "{text}");
        }
    }
}
