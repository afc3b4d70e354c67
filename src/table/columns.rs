//! Where the columns that the config names stand in a file, and what a model sees of its lines.

use super::cell::{shorten, text, values};
use super::dataset::Cells;
use super::errors::TableError;
use super::fault::Fault;
use super::missing::Missing;
use super::numbers::{Decimal, Written, number};
use super::source::{Names, Source};
use crate::config::{Config, nearest};

/// Positions of the columns that the config names.
pub struct Columns<'a> {
    /// Those that a model sees.
    pub inputs: InputColumns<'a>,
    /// The label's: one, or two for a range.
    pub label: Vec<Column<'a>>,
    /// Those predicted beside the label.
    pub tasks: Vec<usize>,
    /// That of what a row counts, where one is named.
    pub weight: Option<Column<'a>>,
    /// The title's, where one is named.
    pub title: Option<usize>,
    /// Columns of the file.
    pub count: usize,
    /// The last one that is named.
    pub last: usize,
}

/// A column by its name and its position in a line.
#[derive(Clone, Copy)]
pub struct Column<'a> {
    /// As the config or a model spells it.
    pub name: &'a str,
    /// Counted from 0.
    pub position: usize,
    /// How its numbers are written, where it has numbers.
    pub decimal: Decimal,
}

impl<'a> Column<'a> {
    /// With numbers written with a point.
    pub fn new(name: &'a str, position: usize) -> Self {
        Self { name, position, decimal: Decimal::Point }
    }
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
    /// Find the columns of `config` in a file, and how their numbers are written.
    ///
    /// # Errors
    /// It lacks one, or names one twice; or it cannot be read.
    pub fn find(config: &'a Config, source: &dyn Source) -> Result<Self, TableError> {
        let (names, mut missing) = (Names::new(source), Vec::new());
        for name in config.columns() {
            if names.place(name)?.is_none() {
                missing
                    .push(format!("`{name}`{}", nearest(name, source.columns().iter().map(String::as_str))));
            }
        }
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
        let place = |name: &str| names.place(name).ok().flatten().unwrap_or_default();
        let column = |name: &'a str| Column::new(name, place(name));
        let columns = |names: &'a [String]| names.iter().map(|n| column(n)).collect();
        let last = config.columns().into_iter().map(place).max().unwrap_or_default();
        let mut found = Self {
            last,
            inputs: InputColumns {
                texts: columns(&config.data.text_fields),
                numeric: columns(&config.features.numeric),
                categorical: columns(&config.features.categorical),
                join_text: config.data.join_text,
            },
            label: config.label_columns().into_iter().map(column).collect(),
            tasks: config.train.tasks.iter().map(|task| place(&task.column)).collect(),
            weight: config.label.weight.as_deref().map(column),
            title: config.title().map(place),
            count: source.columns().len(),
        };
        let of_range = found.label.iter_mut().filter(|_| config.label.range.is_some());
        let of_label = of_range.chain(&mut found.weight);
        let mut numbers: Vec<&mut Column<'_>> = found.inputs.numeric.iter_mut().chain(of_label).collect();
        find_decimals(&mut numbers, source, &Missing::new(&config.data.missing), usize::MAX)?;
        Ok(found)
    }
}

/// Note how the numbers of `columns` are written in the first `rows` lines of a file.
///
/// # Errors
/// The file cannot be read.
pub fn find_decimals(
    columns: &mut [&mut Column<'_>],
    source: &dyn Source,
    missing: &Missing,
    rows: usize,
) -> Result<(), TableError> {
    if columns.is_empty() {
        return Ok(());
    }
    let mut written = vec![Written::default(); columns.len()];
    for line in source.lines()?.take(rows) {
        let line = line?;
        let Ok(cells) = line.whole(source.columns().len()) else { continue };
        for (column, written) in columns.iter().zip(&mut written) {
            written.add(missing.empty(cells.at(column.position)));
        }
    }
    columns.iter_mut().zip(written).for_each(|(column, written)| column.decimal = written.decimal());
    Ok(())
}

impl InputColumns<'_> {
    /// What a model sees of a line; `at` gives the trimmed cell of a position, empty where it is missing.
    ///
    /// # Errors
    /// A numeric feature that is not a number.
    pub fn cells<'l>(&self, at: &dyn Fn(usize) -> &'l str) -> Result<Cells, Fault> {
        let texts: Vec<String> = self.texts.iter().map(|c| text(at(c.position))).collect();
        let mut numeric = Vec::with_capacity(self.numeric.len());
        for &Column { name, position, decimal } in &self.numeric {
            numeric.push(match at(position) {
                "" => None,
                value => Some(number(name, value, decimal)? as f32),
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
