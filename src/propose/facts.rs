//! What stands in a column.

use std::collections::BTreeMap;

use crate::table::{Sample, are_numbers, items};

/// What stands in a column of a table's first rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// Its place in a row.
    pub place: usize,
    /// Cells that are not empty.
    pub filled: usize,
    /// Rows of each value, the most frequent first, of equals the first in order.
    pub values: Vec<(String, usize)>,
    /// Words in a cell on average, of those that are filled.
    pub words: f64,
    /// Whether all of them are numbers.
    pub numbers: bool,
    /// The share that has a digit in it.
    pub digits: f64,
    /// The share that is an address, of a page or for mail.
    pub addresses: f64,
    /// Whether some are lists.
    pub lists: bool,
}

impl Facts {
    /// Of every column of a sample.
    pub fn of(sample: &Sample) -> Vec<Self> {
        let column = |(place, name): (usize, &String)| {
            let cells = || sample.rows.iter().map(|row| row[place].as_str()).filter(|cell| !cell.is_empty());
            let filled = cells().count();
            let mean = |sum: f64| if filled == 0 { 0.0 } else { sum / filled as f64 };
            let share = |is: &dyn Fn(&str) -> bool| mean(cells().filter(|cell| is(cell)).count() as f64);
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            cells().for_each(|cell| *counts.entry(cell).or_default() += 1);
            let mut values: Vec<(String, usize)> =
                counts.into_iter().map(|(value, rows)| (value.to_owned(), rows)).collect();
            values.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
            Self {
                name: name.clone(),
                place,
                filled,
                words: mean(cells().map(|cell| cell.split_whitespace().count() as f64).sum()),
                numbers: filled > 0 && are_numbers(cells()),
                digits: share(&|cell| cell.contains(|c: char| c.is_ascii_digit())),
                addresses: share(&|cell| is_address(cell)),
                lists: cells().any(|cell| items(cell).1),
                values,
            }
        };
        sample.columns.iter().enumerate().map(column).collect()
    }

    /// Different values.
    pub fn distinct(&self) -> usize {
        self.values.len()
    }

    /// Whether hardly any two cells are equal.
    pub fn differs(&self) -> bool {
        self.distinct() as f64 >= 0.95 * self.filled as f64
    }
}

fn is_address(cell: &str) -> bool {
    let one_word = !cell.contains(char::is_whitespace);
    one_word && (cell.contains("://") || cell.starts_with("www.") || cell.split('@').count() == 2)
}
