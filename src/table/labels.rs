//! The classes of the label: the values of a column, or ranges of the middle of two numbers.

use std::collections::BTreeMap;

use super::cell::{items, shorten};
use super::columns::Column;
use super::dataset::Row;
use super::fault::{Fault, fault};
use super::likeness::alike;
use super::numbers::number;
use crate::config::{Config, LabelConfig, RangeRule};
use crate::counting::counted;

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
                let Column { name, position, .. } = columns[0];
                let value = at(position);
                if value.is_empty() {
                    return fault(name, value, "the label is empty").map_err(unlabelled);
                }
                let next = seen.len();
                Ok(*seen.entry(value.to_owned()).or_insert(next))
            }
            Self::Range(rule) => {
                let mut bounds = [0.0; 2];
                for (bound, &Column { name, position, decimal }) in bounds.iter_mut().zip(columns) {
                    match at(position) {
                        "" => {
                            let reason = "the label is computed from it and it is empty";
                            return fault(name, "", reason).map_err(unlabelled);
                        }
                        value => *bound = number(name, value, decimal)?,
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

    /// Class names; for a column, sorted, with the rows renumbered. With `label.normalise` labels that are alike are one class, by
    /// the most frequent spelling; without it that they are is noted.
    pub fn finish(self, config: &LabelConfig, rows: &mut [Row], notes: &mut Vec<String>) -> Vec<String> {
        let seen = match self {
            Self::Range(rule) => return rule.classes.iter().map(|c| c.name.clone()).collect(),
            Self::Column(seen) => seen,
        };
        let mut place = vec![0; seen.len()];
        seen.values().enumerate().for_each(|(rank, &met)| place[met] = rank);
        rows.iter_mut().for_each(|row| row.class = place[row.class]);
        let mut labels: Vec<(String, usize)> = seen.into_keys().map(|label| (label, 0)).collect();
        rows.iter().for_each(|row| labels[row.class].1 += 1);
        notes.extend(lists(&labels));
        let alike = alike(&labels);
        if !config.normalise {
            notes.extend(alike.iter().map(|group| alike_note(group, &labels)));
            return labels.into_iter().map(|(label, _)| label).collect();
        }
        let mut stands: Vec<usize> = (0..labels.len()).collect();
        for group in &alike {
            group.iter().for_each(|&place| stands[place] = group[0]);
        }
        let kept: Vec<usize> = (0..labels.len()).filter(|&place| stands[place] == place).collect();
        let rank = |place: usize| kept.binary_search(&stands[place]).unwrap_or_default();
        rows.iter_mut().for_each(|row| row.class = rank(row.class));
        kept.into_iter().map(|place| std::mem::take(&mut labels[place].0)).collect()
    }
}

fn unlabelled(fault: Fault) -> Fault {
    Fault { unlabelled: true, ..fault }
}

fn shown((label, rows): &(String, usize)) -> String {
    format!("{:?} ({})", shorten(label, 40), counted(*rows, "row", "rows"))
}

fn alike_note(group: &[usize], labels: &[(String, usize)]) -> String {
    let of: Vec<String> = group.iter().map(|&place| shown(&labels[place])).collect();
    format!(
        "warning: {} are classes of their own and differ in case, space, accents or the writing of a number only; \
         label.normalise = true makes them one",
        of.join(", ")
    )
}

fn lists(labels: &[(String, usize)]) -> Option<String> {
    let lists: Vec<&(String, usize)> = labels.iter().filter(|(label, _)| items(label).1).collect();
    let rows: usize = lists.iter().map(|(_, rows)| rows).sum();
    let most = lists.iter().max_by_key(|(_, rows)| rows)?;
    Some(format!(
        "warning: the label of {} is a list, such as {}; each list is a class of its own",
        counted(rows, "row", "rows"),
        shown(most)
    ))
}
