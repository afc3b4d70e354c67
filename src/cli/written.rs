//! Where answers go and in which format, told by a file's name or an option.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Error, Result};
use arrow_schema::SchemaRef;
use clap::ValueEnum;

use super::answered_text::{Text, TextFormat};
use super::answered_typed::{batch_of, schema_of};
use super::exit::BadUsage;
use super::output::Sink;
use super::typed_file::{TypedFile, TypedFormat};
use super::vectors::Vectors;
use crate::model::{Answered, Layout};
use crate::table::{Packer, Packing, is_table, name_unpacked};

/// What answers are written as.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    Table,
    /// Comma-separated values
    Csv,
    /// Tab-separated values
    Tsv,
    /// An object a line
    Jsonl,
    /// Apache Parquet
    Parquet,
    /// Apache Arrow's file, which is Feather
    Arrow,
    /// Apache Arrow's stream
    Arrows,
}

/// Endings that are written, as messages name them.
const WRITTEN: &str =
    ".csv, .tsv, .jsonl (each also with .gz or .zst behind it), .parquet, .arrow, .feather and .arrows";

impl From<TypedFormat> for OutputFormat {
    fn from(format: TypedFormat) -> Self {
        match format {
            TypedFormat::Parquet => Self::Parquet,
            TypedFormat::Arrow => Self::Arrow,
            TypedFormat::Arrows => Self::Arrows,
        }
    }
}

impl OutputFormat {
    /// That of a file with this ending.
    fn of_ending(ending: &str) -> Option<Self> {
        match ending {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            _ => Some(TypedFormat::of_ending(ending)?.into()),
        }
    }

    /// That of the file `path`, where its name tells it, and how it is packed.
    ///
    /// # Errors
    /// Its name tells a format that is not written, or another one than `asked`.
    pub fn of_file(path: &Path, asked: Option<Self>) -> Result<(Option<Self>, Option<Packing>)> {
        let (name, packing) = name_unpacked(path);
        let named = name.rsplit_once('.').and_then(|(_, ending)| Self::of_ending(ending));
        let shown = path.display();
        let refused = |reason: String| Err(BadUsage(reason).into());
        match (asked, named) {
            (None, None) if is_table(path) => refused(format!(
                "--output {shown}: such a file is read and not written; what is written: {WRITTEN}"
            )),
            (Some(asked), Some(named)) if asked != named => refused(format!(
                "--format {} and --output {shown} name two formats; leave one out, or name the file otherwise",
                asked.name()
            )),
            (asked, named) => match asked.or(named) {
                Some(format) if packing.is_some() && format.text().is_none() => refused(format!(
                    "--output {shown}: {} is compressed within; leave the last ending out",
                    format.name()
                )),
                format => Ok((format, packing)),
            },
        }
    }

    /// The file with typed columns that it is, or how it writes text.
    fn typed(self) -> Result<TypedFormat, TextFormat> {
        match self {
            Self::Table => Err(TextFormat::Table),
            Self::Csv => Err(TextFormat::Delimited(b',')),
            Self::Tsv => Err(TextFormat::Delimited(b'\t')),
            Self::Jsonl => Err(TextFormat::JsonLines),
            Self::Parquet => Ok(TypedFormat::Parquet),
            Self::Arrow => Ok(TypedFormat::Arrow),
            Self::Arrows => Ok(TypedFormat::Arrows),
        }
    }

    /// How it writes text; `None` where it is bytes that no terminal shows.
    fn text(self) -> Option<TextFormat> {
        self.typed().err()
    }

    /// Whether a cell may be a list of numbers.
    pub fn has_vectors(self) -> bool {
        matches!(self.text(), None | Some(TextFormat::JsonLines))
    }

    /// As the option spells it.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Where answers go.
pub struct Destination {
    pub format: OutputFormat,
    pub packing: Option<Packing>,
    pub sink: Sink,
    /// Whether cells of a CSV stay as they are that a spreadsheet computes.
    pub raw_cells: bool,
}

/// Writes rows with their answers, a batch after another.
pub struct Writer<'a> {
    layout: Layout<'a>,
    form: Written,
}

enum Written {
    Text(Text, Packer<Sink>),
    Typed(SchemaRef, TypedFile),
}

impl<'a> Writer<'a> {
    /// For answers in columns of this `layout`; the input's have the types of `given`, or are text.
    ///
    /// # Errors
    /// Nothing can be written there, or the format cannot hold a type of the input.
    pub fn new(layout: Layout<'a>, given: Option<&SchemaRef>, to: Destination) -> Result<Self> {
        let Destination { format, packing, sink, raw_cells } = to;
        let typed = match format.typed() {
            Ok(typed) => typed,
            Err(text) => {
                let form = Written::Text(Text::new(text, raw_cells), Packer::new(sink, packing)?);
                return Ok(Self { layout, form });
            }
        };
        let schema = schema_of(&layout, given, Vectors::Fixed);
        let file = TypedFile::new(typed, &schema, sink)?;
        Ok(Self { layout, form: Written::Typed(schema, file) })
    }

    /// Write the next rows; whether there is a reader still.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&mut self, rows: &[Answered<'_>]) -> Result<bool> {
        let written = match &mut self.form {
            Written::Text(text, packer) => {
                let text = text.of(&self.layout, rows)?;
                packer.write_all(text.as_bytes()).map_err(Error::from)
            }
            Written::Typed(schema, file) => {
                file.write(&batch_of(&self.layout, schema, rows, Vectors::Fixed)?)
            }
        };
        read_still(written)
    }

    /// Write what is left and let it be the file; how many cells a spreadsheet would have computed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<usize> {
        let mut escaped = 0;
        let finished: Result<Sink> = match self.form {
            Written::Text(mut text, mut packer) => {
                let rest = text.of(&self.layout, &[])?;
                escaped = text.escaped;
                packer.write_all(rest.as_bytes()).and_then(|()| packer.finish()).map_err(Error::from)
            }
            Written::Typed(_, file) => file.finish(),
        };
        read_still(finished.and_then(Sink::finish))?;
        Ok(escaped)
    }
}

/// Whether what was written had a reader; one that has gone away is no error.
fn read_still(written: Result<()>) -> Result<bool> {
    let gone = |error: &Error| {
        let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
        causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
    };
    match written {
        Err(error) if gone(&error) => Ok(false),
        written => written.map(|()| true).context("cannot write the answers"),
    }
}

/// Refuse bytes for a terminal.
///
/// # Errors
/// Standard output is one, and the format is none of text.
pub fn check_terminal(format: OutputFormat, output: Option<&Path>) -> Result<()> {
    if output.is_none() && format.text().is_none() && io::stdout().is_terminal() {
        let format = format.name();
        return Err(
            BadUsage(format!("--format {format} is not for a terminal; name a file with --output")).into()
        );
    }
    Ok(())
}
