//! Rows as their files have them: what a candidate made from one takes over.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use crate::stages::error::BuildError;
use crate::stages::project::Project;
use crate::stages::rows::Rows;
use crate::table::{Stated, read_named};

/// The cells of the rows, in the columns that the config names.
pub struct Records {
    /// For each row of the dataset, its cells by column.
    rows: Vec<BTreeMap<String, String>>,
}

impl Records {
    /// Read the files of the rows again.
    ///
    /// # Errors
    /// A file cannot be read any more.
    pub fn read(project: &Project, rows: &Rows) -> Result<Self, BuildError> {
        let dataset = &rows.dataset;
        let columns = project.config.columns();
        let mut found = vec![BTreeMap::new(); dataset.rows.len()];
        for (number, file) in dataset.files.iter().enumerate() {
            let own = dataset.rows.iter().enumerate().filter(|(_, row)| row.file == number);
            let places: HashMap<u64, usize> = own.map(|(place, row)| (row.line, place)).collect();
            let path: PathBuf = project.root.join(file);
            for line in read_named(&path, Stated::of(&project.config.data))? {
                if let (Some(&place), Ok(mut values)) = (places.get(&line.line), line.values) {
                    values.retain(|name, _| columns.contains(&name.as_str()));
                    found[place] = values;
                }
            }
        }
        Ok(Self { rows: found })
    }

    /// All cells of a row.
    pub fn cells(&self, row: usize) -> BTreeMap<String, String> {
        self.rows[row].clone()
    }

    /// One cell of a row; empty where it has none.
    pub fn cell(&self, row: usize, column: &str) -> String {
        self.rows[row].get(column).cloned().unwrap_or_default()
    }
}
