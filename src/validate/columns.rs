//! What each column of the raw files holds, and whether that is allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use crate::config::ValidateConfig;
use crate::table::{items, normalise};

/// Different values up to which a column's values are counted one by one.
const COUNTED_VALUES: usize = 40;

/// Faults listed in full for one column.
const LISTED: usize = 20;

/// Five figures of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quartiles {
    /// Least.
    pub min: f64,
    /// 25 % point.
    pub lower: f64,
    /// Median.
    pub median: f64,
    /// 75 % point.
    pub upper: f64,
    /// Greatest.
    pub max: f64,
}

impl Quartiles {
    /// Of some values, by the nearest rank; `None` of none.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let at = |share: f64| values[(share * last as f64).round() as usize];
        Some(Self { min: at(0.0), lower: at(0.25), median: at(0.5), upper: at(0.75), max: at(1.0) })
    }
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnProfile {
    /// Its name.
    pub column: String,
    /// Empty cells.
    pub missing: usize,
    /// Different values (items, where cells are lists).
    pub distinct: usize,
    /// Rows of each value, most frequent first, where there are few values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<(String, usize)>,
    /// Of the numbers, where all cells are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Quartiles>,
    /// Items a cell, where some cells are lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Quartiles>,
    /// Words a cell, where cells are text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Quartiles>,
    /// Different words in all cells.
    pub distinct_words: usize,
    /// Values that `[validate]` does not allow, as `file:line: column = value: why`.
    pub faults: Vec<String>,
}

/// Gathers cells row by row.
#[derive(Default)]
pub struct ColumnProfiler {
    columns: BTreeMap<String, Gathered>,
    order: Vec<String>,
}

#[derive(Default)]
struct Gathered {
    cells: usize,
    missing: usize,
    lists: usize,
    values: BTreeMap<String, usize>,
    numbers: Vec<f64>,
    items: Vec<f64>,
    words: Vec<f64>,
    vocabulary: BTreeSet<String>,
    faults: Vec<String>,
    fault_count: usize,
}

impl ColumnProfiler {
    /// Take one row's cells into account.
    pub fn add(&mut self, file: &Path, line: u64, row: &BTreeMap<String, String>, config: &ValidateConfig) {
        for (name, cell) in row {
            if !self.columns.contains_key(name) {
                self.order.push(name.clone());
            }
            let column = self.columns.entry(name.clone()).or_default();
            column.add(
                cell.trim(),
                |reason| format!("{}:{line}: {name} = {:?}: {reason}", file.display(), cell.trim()),
                config.allowed.get(name),
                config.range.get(name),
            );
        }
    }

    /// The profiles, in the order in which the columns were met.
    pub fn finish(mut self) -> Vec<ColumnProfile> {
        let order = std::mem::take(&mut self.order);
        let mut finish = |name: String| self.columns.remove(&name).map(|c| c.finish(name));
        order.into_iter().filter_map(&mut finish).collect()
    }
}

impl Gathered {
    fn add(
        &mut self,
        cell: &str,
        fault: impl Fn(String) -> String,
        allowed: Option<&Vec<String>>,
        range: Option<&[f64; 2]>,
    ) {
        self.cells += 1;
        if cell.is_empty() {
            self.missing += 1;
            return;
        }
        let (values, is_list) = items(cell);
        self.lists += usize::from(is_list);
        self.items.push(values.len() as f64);
        let mut words = 0;
        for value in &values {
            let plain = normalise(value);
            words += plain.split(' ').filter(|w| !w.is_empty()).count();
            self.vocabulary.extend(plain.split(' ').map(str::to_owned));
        }
        self.words.push(words as f64);
        self.numbers.extend(cell.parse::<f64>().ok());
        let mut reasons = Vec::new();
        if let Some(allowed) = allowed {
            let other = values.iter().filter(|v| !allowed.contains(v));
            reasons.extend(other.map(|v| format!("`{v}` is none of {}", allowed.join(", "))));
        }
        if let Some(&[low, high]) = range
            && !cell.parse::<f64>().is_ok_and(|n| (low..=high).contains(&n))
        {
            reasons.push(format!("is not a number between {low} and {high}"));
        }
        for reason in reasons {
            self.fault_count += 1;
            if self.faults.len() < LISTED {
                self.faults.push(fault(reason));
            }
        }
        values.into_iter().for_each(|v| *self.values.entry(v).or_default() += 1);
    }

    fn finish(mut self, column: String) -> ColumnProfile {
        if self.fault_count > self.faults.len() {
            self.faults.push(format!("{column}: {} more such values", self.fault_count - self.faults.len()));
        }
        let (full, distinct) = (self.cells - self.missing, self.values.len());
        let all_numbers = full > 0 && self.numbers.len() == full;
        let mut values: Vec<(String, usize)> =
            if distinct <= COUNTED_VALUES { self.values.into_iter().collect() } else { Vec::new() };
        values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        ColumnProfile {
            column,
            missing: self.missing,
            distinct,
            values,
            numbers: all_numbers.then(|| Quartiles::of(self.numbers)).flatten(),
            items: (self.lists > 0).then(|| Quartiles::of(self.items)).flatten(),
            words: (!all_numbers).then(|| Quartiles::of(self.words)).flatten(),
            distinct_words: self.vocabulary.len(),
            faults: self.faults,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_profiled_by_what_they_hold() {
        let mut config = ValidateConfig::default();
        config.allowed.insert("cost".into(), vec!["free".into(), "low".into()]);
        config.range.insert("age".into(), [0.0, 18.0]);
        let mut profiler = ColumnProfiler::default();
        for (line, cells) in [
            ("3", "free", r#"["Go on.", "Stop now"]"#),
            ("19", "gratis", ""),
            ("4.5", "low", "plain words here"),
        ]
        .iter()
        .enumerate()
        {
            let row = [("age", cells.0), ("cost", cells.1), ("how", cells.2)];
            let row = row.map(|(name, cell)| (name.to_owned(), cell.to_owned())).into();
            profiler.add(Path::new("a.csv"), line as u64 + 2, &row, &config);
        }
        let profiles = profiler.finish();
        let [age, cost, how] = &profiles[..] else { panic!("{profiles:?}") };
        assert_eq!(age.numbers.unwrap().median, 4.5);
        assert_eq!(age.faults, ["a.csv:3: age = \"19\": is not a number between 0 and 18"]);
        assert_eq!(cost.faults, ["a.csv:3: cost = \"gratis\": `gratis` is none of free, low"]);
        assert_eq!(cost.values.len(), 3);
        assert_eq!((how.missing, how.items.unwrap().max, how.words.unwrap().max), (1, 2.0, 4.0));
        assert_eq!(how.distinct_words, 7);
    }
}
