//! The classes of the label: the values of a column, or ranges of the middle of two numbers.

use std::collections::BTreeMap;

use super::columns::Column;
use super::dataset::Row;
use super::fault::{Fault, fault, number};
use crate::config::{Config, RangeRule};

/// Classes as they are met.
pub enum Labels<'a> {
    /// Computed from two numbers by a rule of the config.
    Range(&'a RangeRule),
    /// The values of a column, with their numbers.
    Column(BTreeMap<String, usize>),
}

impl<'a> Labels<'a> {
    /// No class met yet, or those of the range rule.
    pub fn new(config: &'a Config) -> Self {
        match &config.label.range {
            Some(rule) => Self::Range(rule),
            None => Self::Column(BTreeMap::new()),
        }
    }

    /// The class that a row's label cells say: its number, in the order they are met, or in that of the range rule.
    /// `columns` are the label's; `at` gives the trimmed cell of a position.
    ///
    /// # Errors
    /// A label cell is empty or no number, or the range ends before it begins.
    pub fn class<'l>(
        &mut self,
        columns: &[Column<'_>],
        at: &dyn Fn(usize) -> &'l str,
    ) -> Result<usize, Fault> {
        match self {
            Self::Column(seen) => {
                let Column { name, position } = columns[0];
                let value = at(position);
                if value.is_empty() {
                    return fault(name, value, "the label is empty");
                }
                let next = seen.len();
                Ok(*seen.entry(value.to_owned()).or_insert(next))
            }
            Self::Range(rule) => {
                let mut bounds = [0.0; 2];
                for (bound, &Column { name, position }) in bounds.iter_mut().zip(columns) {
                    match at(position) {
                        "" => return fault(name, "", "the label is computed from it and it is empty"),
                        value => *bound = number(name, value)?,
                    }
                }
                let [min, max] = bounds;
                if min > max {
                    let (low, high) = (columns[0], columns[1]);
                    let reason = format!("is above {} = {}", high.name, at(high.position));
                    return fault(low.name, at(low.position), reason);
                }
                let middle = (min + max) / 2.0;
                let class = rule.classes.iter().position(|c| c.below.is_none_or(|edge| middle < edge));
                Ok(class.unwrap_or(rule.classes.len() - 1))
            }
        }
    }

    /// Class names; for a column, sorted, with the rows renumbered.
    pub fn finish(self, rows: &mut [Row]) -> Vec<String> {
        match self {
            Self::Range(rule) => rule.classes.iter().map(|c| c.name.clone()).collect(),
            Self::Column(seen) => {
                let mut sorted = vec![0; seen.len()];
                for (rank, &met) in seen.values().enumerate() {
                    sorted[met] = rank;
                }
                rows.iter_mut().for_each(|r| r.class = sorted[r.class]);
                seen.into_keys().collect()
            }
        }
    }
}
