//! Numbers that stand for a value that is not there, such as an age of 99.

/// A number that seems to stand for none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sentinel {
    /// The number.
    pub value: f64,
    /// Rows that have it.
    pub rows: usize,
    /// Least and greatest of the others.
    pub others: [f64; 2],
}

/// Fewest rows, and the smallest share, that a sentinel has.
const LEAST_ROWS: usize = 3;
const LEAST_SHARE: f64 = 0.005;

/// The number that seems to stand for none among the `values` of a column: nines only, or minus one or nines, in several rows,
/// and farther from all others than they are from each other.
pub fn sentinel(values: impl Iterator<Item = f64> + Clone) -> Option<Sentinel> {
    let count = values.clone().count();
    let least = values.clone().fold(f64::INFINITY, f64::min);
    let greatest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    [greatest, least].into_iter().filter(|value| stands_for_none(*value)).find_map(|value| {
        let others = values.clone().filter(|other| *other != value);
        let rows = count - others.clone().count();
        let [low, high] =
            [others.clone().fold(f64::INFINITY, f64::min), others.fold(f64::NEG_INFINITY, f64::max)];
        let gap = if value > high { value - high } else { low - value };
        let far = low.is_finite() && gap > high - low;
        let many = rows >= LEAST_ROWS && rows as f64 >= LEAST_SHARE * count as f64;
        (far && many).then_some(Sentinel { value, rows, others: [low, high] })
    })
}

fn stands_for_none(value: f64) -> bool {
    let digits = value.abs().to_string();
    value == -1.0
        || (!digits.is_empty()
            && (digits.len() > 1 || value < 0.0)
            && digits.bytes().all(|digit| digit == b'9'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentinels_are_far_from_all_others_and_frequent() {
        let ages = (0..1700).map(|i| f64::from(i % 19));
        let with = |value: f64, rows: usize| {
            let values: Vec<f64> = ages.clone().chain(std::iter::repeat_n(value, rows)).collect();
            sentinel(values.into_iter())
        };
        assert_eq!(with(99.0, 300), Some(Sentinel { value: 99.0, rows: 300, others: [0.0, 18.0] }));
        assert_eq!(with(-99.0, 20).map(|s| s.rows), Some(20));
        assert_eq!(with(999.0, 9).map(|s| s.rows), Some(9));
        // A single slip, a number that people have, and one that is near to the others.
        for (value, rows) in [(99.0, 1), (90.0, 300), (-1.0, 300), (19.0, 300)] {
            assert_eq!(with(value, rows), None, "{value}");
        }
        // Flags of a questionnaire from 1 to 5.
        let flags = (0..500).map(|i| f64::from(1 + i % 5)).chain(std::iter::repeat_n(-9.0, 40));
        assert_eq!(sentinel(flags).map(|s| s.value), Some(-9.0));
        assert_eq!(sentinel([99.0; 50].into_iter()), None);
    }
}
