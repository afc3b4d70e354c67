//! Rows with their answers as text: a table for people, CSV, and JSON lines.

use std::borrow::Cow;

use anyhow::Result;

use crate::model::{Answered, Cell, Layout, TaskAnswer, json_of};
use crate::report::{Table, explanation_text};
use crate::table::{SET, harmless};

/// A format of text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TextFormat {
    /// For people.
    Table,
    /// Cells parted by this byte.
    Delimited(u8),
    /// An object a line.
    JsonLines,
}

/// Writes rows with their answers as text, a batch after another.
pub struct Text {
    format: TextFormat,
    /// Whether cells stay as they are that a spreadsheet computes.
    raw_cells: bool,
    begun: bool,
    /// Cells that a spreadsheet would have computed.
    pub escaped: usize,
}

impl Text {
    pub fn new(format: TextFormat, raw_cells: bool) -> Self {
        Self { format, raw_cells, begun: false, escaped: 0 }
    }

    /// The next rows; before the first ones the header, also where there are none.
    ///
    /// # Errors
    /// Never, but for a fault of the CSV writer.
    pub fn of(&mut self, layout: &Layout<'_>, rows: &[Answered<'_>]) -> Result<String> {
        let first = !std::mem::replace(&mut self.begun, true);
        match self.format {
            TextFormat::JsonLines => {
                Ok(rows.iter().map(|row| json_of(layout, row).to_string() + "\n").collect())
            }
            TextFormat::Delimited(delimiter) => self.delimited(layout, rows, first, delimiter),
            TextFormat::Table if rows.is_empty() && !first => Ok(String::new()),
            TextFormat::Table => Ok(table(layout, rows)),
        }
    }

    fn delimited(
        &mut self,
        layout: &Layout<'_>,
        rows: &[Answered<'_>],
        first: bool,
        delimiter: u8,
    ) -> Result<String> {
        let mut csv = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        if first {
            for (name, _) in &layout.columns {
                csv.write_field(self.safe(name).as_ref())?;
            }
            csv.write_record(None::<&[u8]>)?;
        }
        for row in rows {
            for (_, column) in &layout.columns {
                match layout.cell(*column, row) {
                    Cell::Empty | Cell::Vector(_) => csv.write_field("")?,
                    Cell::Text(text) => csv.write_field(self.safe(&text).as_ref())?,
                    Cell::Line(line) => csv.write_field(line.to_string())?,
                    Cell::Number(number) => csv.write_field(number.to_string())?,
                    Cell::Truth(truth) => csv.write_field(truth.to_string())?,
                }
            }
            csv.write_record(None::<&[u8]>)?;
        }
        Ok(String::from_utf8(csv.into_inner()?)?)
    }

    /// A cell that no spreadsheet takes for a formula; a number is none.
    fn safe<'c>(&mut self, cell: &'c str) -> Cow<'c, str> {
        if self.raw_cells {
            return Cow::Borrowed(cell);
        }
        let cell = harmless(cell);
        self.escaped += usize::from(matches!(cell, Cow::Owned(_)));
        cell
    }
}

fn table(layout: &Layout<'_>, rows: &[Answered<'_>]) -> String {
    let mut header: Vec<String> =
        ["line", "label", "probability", "next likeliest"].map(str::to_owned).to_vec();
    header.extend(layout.ends.iter().map(|end| (*end).to_owned()));
    header.extend(layout.tasks().map(str::to_owned));
    header.extend(layout.form.with_set.then(|| SET.to_owned()));
    let mut table = Table::new(header);
    for Answered { row, answer } in rows {
        let mut line = vec![row.line.to_string()];
        match answer {
            Err(reason) => line.push(format!("({reason})")),
            Ok(answer) => {
                let (p, best) = (answer.probabilities, answer.best);
                let others = (0..p.len()).filter(|&c| c != best);
                let next = others.max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap_or(best);
                line.push(layout.label(answer).map_or("(unsure)".into(), str::to_owned));
                line.push(format!("{:.1} %", 100.0 * p[best]));
                line.push(format!("{} {:.1} %", layout.card.classes[next], 100.0 * p[next]));
                let ends = answer.range.into_iter().flatten().take(layout.ends.len());
                line.extend(ends.map(|v| format!("{v:.1}")));
                let task = |of: &TaskAnswer<'_>| format!("{} {:.1} %", of.class, 100.0 * of.probability);
                line.extend(answer.tasks.iter().map(task));
                line.extend(layout.set(answer).map(|names| names.join("; ")));
            }
        }
        table.push(line);
    }
    let mut text = table.to_string();
    for Answered { row, answer } in rows {
        if let Some(why) = answer.as_ref().ok().and_then(|answer| answer.explanation.as_ref()) {
            text += &format!("\nline {}: {}", row.line, explanation_text(why));
        }
    }
    text
}
