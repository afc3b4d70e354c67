//! Check digits of card numbers and of book numbers.

/// Whether the last digit is right by Luhn's rule (ISO/IEC 7812-1, annex B).
pub fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, u32::from(digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => 2 * digit - 9,
            (_, digit) => 2 * digit,
        })
        .sum();
    digits.len() > 1 && sum.is_multiple_of(10)
}

/// Whether they are a book number of ten digits (ISO 2108) whose last digit is right; X, the digit ten, never comes in here.
pub fn isbn_10(digits: &[u8]) -> bool {
    let sum: usize =
        digits.iter().rev().enumerate().map(|(place, &digit)| (place + 1) * usize::from(digit)).sum();
    digits.len() == 10 && sum.is_multiple_of(11)
}

/// Whether they are an article number of thirteen digits (EAN-13, so ISBN-13 and ISSN too) whose last digit is right.
pub fn ean_13(digits: &[u8]) -> bool {
    let sum: usize =
        digits.iter().enumerate().map(|(place, &digit)| (1 + 2 * (place % 2)) * usize::from(digit)).sum();
    digits.len() == 13 && sum.is_multiple_of(10)
}

/// Whether a card issuer gives numbers of this length that begin so (ISO/IEC 7812 ranges as the networks publish them). The
/// Visa numbers of thirteen digits, given until the nineties, are left out: article numbers look like them.
pub fn card_issuer(digits: &[u8]) -> bool {
    let begin =
        |count: usize| digits.iter().take(count).fold(0u32, |number, &digit| number * 10 + u32::from(digit));
    match digits.len() {
        14 => (300..=305).contains(&begin(3)) || [36, 38, 39].contains(&begin(2)),
        15 => [34, 37].contains(&begin(2)),
        16 => {
            begin(1) == 4
                || (51..=55).contains(&begin(2))
                || (2221..=2720).contains(&begin(4))
                || [60, 62, 64, 65, 35].contains(&begin(2))
        }
        19 => begin(1) == 4 || [60, 62, 64, 65].contains(&begin(2)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect()
    }

    #[test]
    fn the_last_digit_is_the_only_right_one() {
        type Check = fn(&[u8]) -> bool;
        let cases: [(Check, &str); 5] = [
            (luhn, "4111 1111 1111 1111"),
            (luhn, "79927398713"),
            (isbn_10, "0-306-40615-2"),
            (ean_13, "978-0-306-40615-7"),
            (ean_13, "4006381333931"),
        ];
        for (check, number) in cases {
            let mut digits = digits(number);
            let last = digits.len() - 1;
            let right = digits[last];
            for digit in 0..10 {
                digits[last] = digit;
                assert_eq!(check(&digits), digit == right, "{number} with {digit}");
            }
        }
        assert!(!luhn(&[]) && !isbn_10(&[]) && !ean_13(&[]));
    }

    #[test]
    fn issuers_are_known_by_beginning_and_length() {
        for card in
            ["4111111111111111", "378282246310005", "5555555555554444", "30569309025904", "6011111111111117"]
        {
            assert!(card_issuer(&digits(card)), "{card}");
        }
        for other in ["9780306406157", "1234567812345670", "4006381333931", ""] {
            assert!(!card_issuer(&digits(other)), "{other}");
        }
    }
}
