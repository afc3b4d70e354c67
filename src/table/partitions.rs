//! Columns that are in the names of folders, as Hive, Spark and Arrow write tables: `year=2024/country=DE/part-0.parquet`.

use std::path::{Component, Path};

use arrow_schema::SchemaRef;
use percent_encoding::percent_decode_str;

use super::errors::TableError;
use super::formats::open;
use super::source::{Line, Lines, Source, Stated};

/// What stands in the name of a folder where there is no value.
const NONE: &str = "__HIVE_DEFAULT_PARTITION__";

/// Open the raw file `path`, which messages call `shown`; behind its columns are those that the folders of `shown` name and it has not.
///
/// # Errors
/// The file is unreadable, empty, or not of its format.
pub fn open_partitioned(path: &Path, shown: &Path, stated: Stated) -> Result<Box<dyn Source>, TableError> {
    let source = open(path, shown, stated)?;
    let lacks = |name: &str| !source.columns().iter().any(|own| own.to_lowercase() == name.to_lowercase());
    let (names, values): (Vec<String>, Vec<String>) =
        partitions(shown).into_iter().filter(|(name, _)| lacks(name)).unzip();
    if names.is_empty() {
        return Ok(source);
    }
    let columns = source.columns().iter().cloned().chain(names).collect();
    Ok(Box::new(Partitioned { source, columns, values }))
}

/// Names and values in the folders of a path, the innermost last; `%2F` and the like are what they stand for.
fn partitions(path: &Path) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let folders = path.parent().into_iter().flat_map(Path::components);
    let named = folders.filter_map(|folder| match folder {
        Component::Normal(folder) => folder.to_str()?.split_once('='),
        _ => None,
    });
    let named = named.filter(|(name, _)| !name.trim().is_empty());
    let value = |value: &str| if value == NONE { String::new() } else { decoded(value) };
    named.map(|(name, of)| (decoded(name), value(of))).collect()
}

/// A file with the columns of its folders.
struct Partitioned {
    source: Box<dyn Source>,
    /// Those of the file, and behind them those of the folders.
    columns: Vec<String>,
    values: Vec<String>,
}

impl Partitioned {
    /// Columns of the file itself.
    fn own(&self) -> usize {
        self.columns.len() - self.values.len()
    }
}

impl Source for Partitioned {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn header(&self) -> String {
        self.source.header()
    }

    fn header_hint(&self) -> &'static str {
        self.source.header_hint()
    }

    fn notes(&self) -> &[String] {
        self.source.notes()
    }

    fn lines(&self) -> Result<Box<dyn Lines + '_>, TableError> {
        Ok(Box::new(PartitionedLines { file: self, lines: self.source.lines()? }))
    }

    fn shown(&self) -> &Path {
        self.source.shown()
    }

    fn unusable(&self, column: usize) -> Option<String> {
        (column < self.own()).then(|| self.source.unusable(column)).flatten()
    }

    /// Folders have no types.
    fn schema(&self) -> Option<&SchemaRef> {
        None
    }
}

struct PartitionedLines<'a> {
    file: &'a Partitioned,
    lines: Box<dyn Lines + 'a>,
}

impl Lines for PartitionedLines<'_> {
    fn mended(&self) -> Vec<String> {
        self.lines.mended()
    }
}

impl Iterator for PartitionedLines<'_> {
    type Item = Result<Line, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let own = self.file.own();
        let line = self.lines.next()?.map(|mut line| {
            // A blank line stays one; it is known by its cells.
            if line.is_blank() {
                return line;
            }
            let too_many = line.whole(own).err();
            line.cells = match (line.cells, too_many) {
                (_, Some(unreadable)) => Err(unreadable),
                (cells, None) => cells.map(|mut cells| {
                    cells.resize(own, String::new());
                    cells.extend(self.file.values.iter().cloned());
                    cells
                }),
            };
            line
        });
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_name_columns_that_the_file_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let shown =
            Path::new("a=b/year=2024/Text=x/city=S%C3%A3o%2FPaulo/none=__HIVE_DEFAULT_PARTITION__/=/p.csv");
        let path = folder.path().join("p.csv");
        std::fs::write(&path, "text,label\nshort\n,\none,a\ntwo,b,\nthree,c,d\n").unwrap();
        let file = open_partitioned(&path, shown, Stated::default()).unwrap();
        assert_eq!(file.columns(), ["text", "label", "a", "year", "city", "none"]);
        assert_eq!(file.place("YEAR").unwrap(), Some(3));
        let lines: Vec<Line> = file.lines().unwrap().map(Result::unwrap).collect();
        let behind = ["b", "2024", "São/Paulo", ""];
        let cells = |line: &Line| line.cells.clone().unwrap();
        assert_eq!(cells(&lines[0]), [&["short", ""][..], &behind].concat());
        assert!(lines[1].is_blank());
        assert_eq!(cells(&lines[2]), [&["one", "a"][..], &behind].concat());
        assert_eq!(cells(&lines[3]), [&["two", "b"][..], &behind].concat());
        assert!(lines[4].cells.is_err());
        // A file whose folders name nothing is as it is.
        let plain = open_partitioned(&path, Path::new("rows/p.csv"), Stated::default()).unwrap();
        assert_eq!(plain.columns(), ["text", "label"]);
    }
}
