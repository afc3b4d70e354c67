//! Whether what labels mean changes with a column of dates or years.

use statrs::distribution::{Binomial, DiscreteCDF};

use super::halves::{Halves, answers_of_others, answers_to};
use crate::evaluate::Drift;
use crate::heads::likeliest;
use crate::inputs::RawInputs;

/// Rows of either half that are looked at.
const MOST_ROWS: usize = 1000;

/// Fewer rows of either half say nothing.
const LEAST_ROWS: usize = 30;

/// Names of columns that tell when a row was made.
const NAMES: [&str; 12] = [
    "date",
    "datetime",
    "time",
    "timestamp",
    "year",
    "month",
    "created",
    "created_at",
    "updated",
    "updated_at",
    "day",
    "published",
];

/// Whether a column of this name tells when a row was made.
pub fn tells_time(name: &str) -> bool {
    let name = name.trim().to_lowercase();
    NAMES.contains(&name.as_str()) || ["_date", "_year", "_at", "_time"].iter().any(|end| name.ends_with(end))
}

/// The sort key of a cell: a year, an ISO date or time, or a number; `None` of anything else.
pub fn moment(cell: &str) -> Option<f64> {
    let cell = cell.trim();
    if let Ok(number) = cell.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    // 2024-03-01, 2024/03/01T10:00:00Z …: its digits in the order in which they weigh.
    let mut parts = cell.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    let year: f64 = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let (mut value, mut unit) = (year, 1.0);
    for (part, most) in parts.zip([13.0, 32.0, 24.0, 60.0, 60.0]) {
        let part: f64 = part.parse().ok()?;
        if part >= most + 1.0 {
            return None;
        }
        unit /= most;
        value += part * unit;
    }
    Some(value)
}

/// A column of moments.
pub struct Moments<'a> {
    /// Its name.
    pub column: &'a str,
    /// For each row of the dataset its cell, empty where there is none.
    pub cells: &'a [String],
}

/// Compare the earlier half of `rows` with the later one by `moments`: how many of a half are answered right by a logistic
/// regression on the embeddings of other rows of the same half (cross-validated), and how many by one of the other half.
///
/// The other half has more rows to learn from, so that where nothing changes it is, if anything, the better teacher; rows
/// that only one of the two answers right are compared by the sign test (McNemar 1947), one-sided. `None` where fewer than nine
/// tenths of the cells are moments, all are alike, or a half is too small.
pub fn drift(
    raw: &RawInputs,
    rows: &[usize],
    moments: &Moments<'_>,
    classes: &[usize],
    groups: &[usize],
    seed: u64,
) -> Option<Drift> {
    let known: Vec<(f64, usize)> =
        rows.iter().filter_map(|&row| Some((moment(&moments.cells[row])?, row))).collect();
    if known.len() * 10 < rows.len() * 9 {
        return None;
    }
    let mut sorted: Vec<f64> = known.iter().map(|k| k.0).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = *sorted.get(sorted.len() / 2)?;
    // Where half of the rows are of the first moment, the rest is the later half.
    let middle = if middle > sorted[0] { middle } else { *sorted.iter().find(|&&m| m > middle)? };
    let side = |later: bool| {
        known.iter().filter(|(m, _)| (*m >= middle) == later).map(|(_, row)| *row).collect::<Vec<_>>()
    };
    let halves = Halves::draw([&side(false), &side(true)], groups, MOST_ROWS, seed);
    let count = classes.iter().max().map_or(0, |most| most + 1);
    let of = |wanted: usize| {
        let own =
            halves.rows.iter().zip(&halves.groups).zip(&halves.sides).filter(|(_, side)| **side == wanted);
        let (rows, groups): (Vec<usize>, Vec<usize>) = own.map(|((&row, &group), _)| (row, group)).unzip();
        let classes: Vec<usize> = rows.iter().map(|&row| classes[row]).collect();
        (rows, groups, classes)
    };
    let both = [of(0), of(1)];
    if both.iter().any(|(rows, ..)| rows.len() < LEAST_ROWS) {
        return None;
    }
    let (mut within, mut across, mut all) = ([0usize; 2], [0usize; 2], 0);
    let (mut only_within, mut only_across) = (0u64, 0u64);
    for half in [0, 1] {
        let ((rows, groups, truth), (others, _, taught)) = (&both[half], &both[1 - half]);
        let own = answers_of_others(raw, rows, truth, count, groups);
        let other = answers_to(raw, others, taught, count, rows);
        for ((own, other), &class) in own.chunks_exact(count).zip(other.chunks_exact(count)).zip(truth) {
            let [own, other] = [own, other].map(|answer| likeliest(answer) == class);
            within[half] += usize::from(own);
            across[half] += usize::from(other);
            only_within += u64::from(own && !other);
            only_across += u64::from(other && !own);
        }
        all += rows.len();
    }
    let differ = only_within + only_across;
    // P(at least so many of those that differ are right only within).
    let p = match Binomial::new(0.5, differ) {
        Ok(fair) if only_within > 0 => 1.0 - fair.cdf(only_within - 1),
        _ => 1.0,
    };
    let share = |right: [usize; 2]| right.iter().sum::<usize>() as f64 / all as f64;
    let first_later = known.iter().filter(|(m, _)| *m >= middle).min_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(Drift {
        column: moments.column.to_owned(),
        from: moments.cells[first_later.1].trim().to_owned(),
        within: share(within),
        across: share(across),
        p,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::halves::tests::cloud;

    #[test]
    fn moments_are_read_and_sorted() {
        let sorted = ["2019", "2020-01-31", "2020-02-01", "2020-02-01T10:00:00Z", "2020/11/03", "2021.5"];
        let read: Vec<f64> = sorted.iter().map(|cell| moment(cell).unwrap()).collect();
        assert!(read.windows(2).all(|pair| pair[0] < pair[1]), "{read:?}");
        assert!(["", "soon", "12:30", "nan", "2020-40-01"].iter().all(|cell| moment(cell).is_none()));
        assert!(tells_time("Year") && tells_time("order_date") && !tells_time("duration_mins"));
    }

    #[test]
    fn labels_that_turn_round_are_found_and_others_seldom() {
        let found = |turned: bool, seed: u64| {
            let (raw, mut classes) = cloud(200, 0.0, seed);
            if turned {
                classes[100..].iter_mut().for_each(|class| *class = 1 - *class);
            }
            let cells: Vec<String> = (0..200).map(|row| (1900 + row / 2).to_string()).collect();
            let moments = Moments { column: "year", cells: &cells };
            let rows: Vec<usize> = (0..200).collect();
            drift(&raw, &rows, &moments, &classes, &rows, seed).unwrap()
        };
        let alarms = (0..200).filter(|&seed| found(false, seed).p < 0.005).count();
        assert!(alarms <= 4, "{alarms} of 200");
        assert!((0..10).all(|seed| found(true, seed).p < 1e-4));
        assert_eq!(found(true, 1).from, "1950");
    }
}
