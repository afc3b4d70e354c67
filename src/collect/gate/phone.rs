//! Phone numbers in running text: international ones, and national ones as they are commonly written.
//!
//! A run of digits is a phone number only where its form says so; years, dates, prices, measurements, book numbers and counting
//! pass. National forms of seven and eight digits are found only behind a word such as "call".

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::check_digits::{ean_13, isbn_10};

/// Digits in groups. A comma is no separator: it is one of thousands.
const RUN: &str =
    r"(?:\(?\+|\b00)?\(?[0-9]{1,15}(?:\)?[ \u{a0}\u{202f}./\-\u{2010}-\u{2013}]{0,2}\(?[0-9]{1,12}){0,8}";
/// What stands before a number that is called.
const CUE: &str = r"(?i)\b(?:tel(?:ephone)?|phone|mob(?:ile)?|cell|call(?: us| me| him| her| them)?|ring(?: us| me)?|text(?: us| me)|whats ?app|fax|sms|dial|hotline|number is|t[ée]l[ée]phone|telefon|handy|anrufen|appelez|ll[áa]m\w+)\b[^0-9+(]{0,12}$";
/// What stands before numbers that are not called.
const NOT_BEFORE: &str = r"(?i)(?:isbn|issn|ean|asin|doi|upc|no\.|nr\.|art\.|item|order|model|serial|version|page|pp?\.|[£$€¥#]|\bv|[0-9][.,:])[-: ]{0,2}(?:1[03]:? ?)?$";
/// What stands after them: units and currencies.
const NOT_AFTER: &str = r"(?i)^(?:[ \u{a0}]?(?:%|°|[£$€¥]|(?:euros?|eur|usd|gbp|dollars?|pounds?|pence|k?g|mg|k?m|cm|mm|mls?|l|cl|kb|mb|gb|hz|khz|watts?|volts?|kcal|kj|grams?|met(?:er|re)s?|lit(?:er|re)s?|years?|days?|hours?|minutes?|mins?|seconds?|secs?|times|pieces|points|people|steps)\b)|[.,:][0-9])";

struct Patterns {
    run: Regex,
    cue: Regex,
    not_before: Regex,
    not_after: Regex,
    date: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let compile = |pattern: &str| {
        Regex::new(pattern).unwrap_or_else(|_| unreachable!("a constant that the tests compile"))
    };
    Patterns {
        run: compile(RUN),
        cue: compile(CUE),
        not_before: compile(NOT_BEFORE),
        not_after: compile(NOT_AFTER),
        // A date of four digits for the year, or a span of years, anywhere: 2024-01-05, 5.1.2024, 1990-2020. One that could be
        // part of a number only as the whole: 5.1.24, 01 02 2024, with a time behind it or without.
        date: compile(
            r"\b(?:(?:19|20)[0-9]{2}[-./](?:0?[1-9]|1[0-2])[-./](?:0?[1-9]|[12][0-9]|3[01])|(?:0?[1-9]|[12][0-9]|3[01])[-./](?:0?[1-9]|[12][0-9]|3[01])[-./](?:19|20)[0-9]{2}|(?:1[5-9]|20)[0-9]{2} ?[-/\u{2013}] ?(?:1[5-9]|20)[0-9]{2})\b|^(?:0?[1-9]|[12][0-9]|3[01])[-./ ](?:0?[1-9]|[12][0-9]|3[01])[-./ ](?:19|20)?[0-9]{2}(?: [0-9]{1,2}[.:-][0-9]{2}(?:[-\u{2013}][0-9]{1,2}[.:][0-9]{2})?)?$",
        ),
    }
});

/// Byte ranges of the phone numbers of `text`, in order.
pub fn phones(text: &str) -> Vec<Range<usize>> {
    PATTERNS.run.find_iter(text).map(|run| run.range()).filter(|run| is_phone(text, run)).collect()
}

fn is_phone(text: &str, run: &Range<usize>) -> bool {
    let (before, found, after) = (&text[..run.start], &text[run.clone()], &text[run.end..]);
    let touches_word =
        before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '@')
            || after.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '_');
    if touches_word || PATTERNS.not_after.is_match(after) || PATTERNS.date.is_match(found) {
        return false;
    }
    let digits: Vec<u8> = found.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
    let window = last_characters(before, 24);
    if PATTERNS.cue.is_match(window) {
        return (7..=15).contains(&digits.len());
    }
    if PATTERNS.not_before.is_match(window) || counts(found) {
        return false;
    }
    let groups: Vec<&str> = found.split(|c: char| !c.is_ascii_digit()).filter(|g| !g.is_empty()).collect();
    let opened = found.trim_start_matches('(');
    if let Some(rest) = opened.strip_prefix('+').or_else(|| opened.strip_prefix("00")) {
        // E.164: a country code that does not begin with 0 and fifteen digits at most.
        let digits = rest.bytes().filter(u8::is_ascii_digit).count();
        let country = rest.trim_start_matches('(').bytes().next().is_some_and(|b| (b'1'..=b'9').contains(&b));
        return country && (8..=15).contains(&digits);
    }
    north_american(found, &groups) || (digits.first() == Some(&0) && with_trunk_zero(&digits, &groups))
}

/// `(212) 555-1234`, `212-555-1234`, `212.555.1234`, with or without a 1 before: area codes and exchanges begin with 2 to 9.
fn north_american(found: &str, groups: &[&str]) -> bool {
    let [area, exchange, line] = match groups {
        [area, exchange, line] => [area, exchange, line],
        ["1", area, exchange, line] => [area, exchange, line],
        _ => return false,
    };
    let three = |group: &str| group.len() == 3 && group.as_bytes()[0] >= b'2';
    // Spaces alone part three numbers as well.
    let signs = found.contains(['-', '.', '(', '\u{2010}', '\u{2011}', '\u{2013}']);
    three(area) && three(exchange) && line.len() == 4 && signs
}

/// A national number that begins with the trunk's 0, as most of Europe, Africa, Asia and Australia write it: nine to twelve
/// digits in few groups, or a solid run of ten or eleven.
fn with_trunk_zero(digits: &[u8], groups: &[&str]) -> bool {
    if digits.get(1) == Some(&0) || !(9..=12).contains(&digits.len()) || isbn_10(digits) || ean_13(digits) {
        return false;
    }
    match groups {
        [_] => (10..=11).contains(&digits.len()),
        // A single digit apart is a step, a score or a house number; the first group is an area code.
        _ => {
            groups.len() <= 5
                && (2..=5).contains(&groups[0].len())
                && groups[1..].iter().all(|g| g.len() >= 2)
        }
    }
}

/// Whether the groups count: 01 02 03 04 05, or 0 250 500 750.
fn counts(found: &str) -> bool {
    let numbers: Vec<i64> =
        found.split(|c: char| !c.is_ascii_digit()).filter_map(|group| group.parse().ok()).collect();
    let steps: Vec<i64> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.len() >= 2 && steps.iter().all(|step| *step == steps[0])
}

/// At most the last `count` characters.
fn last_characters(text: &str, count: usize) -> &str {
    let start = text.char_indices().rev().nth(count.saturating_sub(1)).map_or(0, |(start, _)| start);
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_called_are_found_whole() {
        for (text, number) in [
            ("Write to +44 20 7946 0958 today", "+44 20 7946 0958"),
            ("(+1) 212 555 1234", "(+1) 212 555 1234"),
            ("+1-212-555-1234", "+1-212-555-1234"),
            ("+49 (0)30 1234567", "+49 (0)30 1234567"),
            ("+33612345678.", "+33612345678"),
            ("0049 30 1234567", "0049 30 1234567"),
            ("Ask 020 7946 0958 first", "020 7946 0958"),
            ("or 07700 900123", "07700 900123"),
            ("or 07700900124", "07700900124"),
            ("Ruf 030/1234567 an", "030/1234567"),
            ("au 06 12 34 56 78", "06 12 34 56 78"),
            ("06-12345678", "06-12345678"),
            ("(212) 555-1234", "(212) 555-1234"),
            ("212-555-1234", "212-555-1234"),
            ("1.800.555.1234", "1.800.555.1234"),
            ("1-800-555-1234", "1-800-555-1234"),
            ("0412 345 678 in Sydney", "0412 345 678"),
            ("Call 555-1234 for a place", "555-1234"),
            ("Tel.: 123 45 67", "123 45 67"),
            ("WhatsApp: 612 345 678", "612 345 678"),
            ("06\u{a0}12\u{a0}34\u{a0}56\u{a0}78", "06\u{a0}12\u{a0}34\u{a0}56\u{a0}78"),
        ] {
            let found: Vec<&str> = phones(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, [number], "{text}");
        }
    }

    #[test]
    fn other_numbers_are_not() {
        for text in [
            "In 2024 and 1999-2003, 1939–1945, 2019/2020",
            "On 2024-01-05, 05.01.2024, 01/02/2024, 5 1 2024 and 24.12.",
            "01.02.24 18.30, 01 02 2024, 05.06.24 09.30-12.00",
            "It costs £1,200, $1 000 000, 12.50 €, 1 234 567,89 euros",
            "Mix 250 g flour, 125 ml milk, 2 eggs, 180 °C, 0.333333333333",
            "ISBN 978-0-306-40615-7, ISBN 0-306-40615-2, 0306406152 and 9780306406157",
            "Count 10 20 30 40 50 60 70 80 90 100, then 01 02 03 04 05",
            "1 2 3 4 5 6 7 8 9 10 11 12",
            "A sheet of 210 x 297, 30-40-50 cm, 100 200 300",
            "3.14159265358979, 2.718281828",
            "10-12-14-16 rows, 4-4-2, 3-2-1",
            "From 09.30-12.00 and 0930-1200, at 08:15",
            "1234567890123456789",
            "6x6x6, 1080p, H2O, 5000 10000",
            "Population 8 000 000 000, distance 384 400 km",
            "version 1.800.555.1234",
            "Roll 3 times, 100-200 points, 1/2 1/4 1/8",
            "Ring the bell 3 times, call 4 names, text 12 friends",
            "call out 10, 20, 30",
            "Year 2001 2003 2007",
        ] {
            let found: Vec<&str> = phones(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, [""; 0], "{text}");
        }
    }

    #[test]
    fn long_runs_of_digits_and_signs_end() {
        for text in ["0 ".repeat(5000), "+".repeat(5000), "(((((((0)))))))".repeat(500), "0-".repeat(5000)] {
            assert!(phones(&text).len() < 2000);
        }
    }
}
