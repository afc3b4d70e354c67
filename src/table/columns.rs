//! Where the columns that the config names stand in a file, and what a model sees of its lines.

use std::collections::HashMap;

use super::cell::{shorten, text, values};
use super::dataset::Cells;
use super::errors::TableError;
use super::fault::{Fault, number};
use super::source::Source;
use crate::config::{Config, nearest};

/// Positions of the columns that the config names.
pub struct Columns<'a> {
    /// Those that a model sees.
    pub inputs: InputColumns<'a>,
    /// The label's: one, or two for a range.
    pub label: Vec<Column<'a>>,
    /// Those predicted beside the label.
    pub tasks: Vec<usize>,
    /// The title's.
    pub title: usize,
    /// Columns of the file.
    pub count: usize,
}

/// A column by its name and its position in a line.
#[derive(Clone, Copy)]
pub struct Column<'a> {
    /// As the config or a model spells it.
    pub name: &'a str,
    /// Counted from 0.
    pub position: usize,
}

/// Positions of the columns that a model sees.
pub struct InputColumns<'a> {
    /// Text columns.
    pub texts: Vec<Column<'a>>,
    /// Whether their texts are joined into one, a line each.
    pub join_text: bool,
    /// Numeric features.
    pub numeric: Vec<Column<'a>>,
    /// Categorical features.
    pub categorical: Vec<Column<'a>>,
}

impl<'a> Columns<'a> {
    /// Find the columns of `config` in a file.
    ///
    /// # Errors
    /// It lacks one, or names one twice.
    pub fn find(config: &'a Config, source: &dyn Source) -> Result<Self, TableError> {
        source.check_names()?;
        let positions: HashMap<String, usize> =
            source.columns().iter().enumerate().map(|(i, name)| (name.to_lowercase(), i)).collect();
        let missing: Vec<String> = config
            .columns()
            .iter()
            .filter(|c| !positions.contains_key(&c.to_lowercase()))
            .map(|c| format!("`{c}`{}", nearest(c, source.columns().iter().map(String::as_str))))
            .collect();
        if !missing.is_empty() {
            let shown: Vec<String> = source.columns().iter().map(|h| shorten(h, 40)).collect();
            let fault = source.fault(format!(
                "{} lacks {}; it has: {}",
                source.header(),
                missing.join(", "),
                shorten(&shown.join(", "), 300)
            ));
            return Err(fault.with_hint(source.header_hint()));
        }
        let place = |name: &'a str| Column { name, position: positions[&name.to_lowercase()] };
        let places = |names: &'a [String]| names.iter().map(|n| place(n)).collect();
        Ok(Self {
            inputs: InputColumns {
                texts: places(&config.data.text_fields),
                numeric: places(&config.features.numeric),
                categorical: places(&config.features.categorical),
                join_text: config.data.join_text,
            },
            label: config.label_columns().into_iter().map(place).collect(),
            tasks: config.train.tasks.iter().map(|task| place(&task.column).position).collect(),
            title: place(config.title()).position,
            count: source.columns().len(),
        })
    }
}

impl InputColumns<'_> {
    /// What a model sees of a line; `at` gives the trimmed cell of a position.
    ///
    /// # Errors
    /// A numeric feature that is not a number.
    pub fn cells<'l>(&self, at: &dyn Fn(usize) -> &'l str) -> Result<Cells, Fault> {
        let texts: Vec<String> = self.texts.iter().map(|c| text(at(c.position))).collect();
        let mut numeric = Vec::with_capacity(self.numeric.len());
        for &Column { name, position } in &self.numeric {
            numeric.push(match at(position) {
                "" => None,
                value => Some(number(name, value)? as f32),
            });
        }
        let categories = self.categorical.iter().map(|c| values(at(c.position))).collect();
        let texts = if self.join_text { vec![join(&texts)] } else { texts };
        Ok(Cells { texts, numeric, categories })
    }
}

fn join(texts: &[String]) -> String {
    texts.iter().filter(|t| !t.is_empty()).map(String::as_str).collect::<Vec<_>>().join("\n")
}
