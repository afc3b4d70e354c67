//! Counts in messages and reports.

/// A count with what is counted: `1 row`, `1,069 rows`. Where a verb follows, the forms have it: `row has`, `rows have`.
pub fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { more })
}

/// A count with commas between thousands, as the documents write it.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time of so many minutes, for people.
pub fn minutes(minutes: f64) -> String {
    match minutes {
        m if m < 1.5 => "a minute".into(),
        m if m < 90.0 => format!("{m:.0} minutes"),
        m => format!("{:.1} hours", m / 60.0),
    }
}

/// An amount of money in whatever currency: in hundredths, in a ten-thousandth where it is less than one.
pub fn money(amount: f64) -> String {
    if amount >= 1.0 || amount == 0.0 { format!("{amount:.2}") } else { format!("{amount:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_thousands_are_grouped() {
        for (count, expected) in [
            (0, "0 rows have"),
            (1, "1 row has"),
            (2, "2 rows have"),
            (21, "21 rows have"),
            (999, "999 rows have"),
            (1_000, "1,000 rows have"),
            (1_069, "1,069 rows have"),
            (100_000, "100,000 rows have"),
            (1_234_567, "1,234,567 rows have"),
        ] {
            assert_eq!(counted(count, "row has", "rows have"), expected);
        }
    }

    #[test]
    fn minutes_and_money_are_said_as_people_do() {
        assert_eq!([0.0, 0.1085, 12.345].map(money), ["0.00", "0.1085", "12.35"]);
        assert_eq!([0.3, 38.2, 150.0].map(minutes), ["a minute", "38 minutes", "2.5 hours"]);
    }
}
