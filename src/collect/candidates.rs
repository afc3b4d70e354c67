//! Files of candidates: the columns of the dataset, and beside them what each row says of where it comes from.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::CollectedKind;
use crate::store::{StoreError, write_atomic};
use crate::table::{ContentHash, KIND, PARENT, SHOWN};

/// A row that was collected.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateRow {
    /// The dataset's columns by name, the label's among them.
    pub cells: BTreeMap<String, String>,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Where a candidate comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Provenance {
    /// How it was collected.
    pub kind: CollectedKind,
    /// The language model, or the address of the page.
    pub origin: String,
    /// Hash of the prompt, or of the rules that took it from the page.
    pub recipe: String,
    /// When (RFC 3339).
    pub date: String,
    /// Its licence as it was found; `unknown` where none was.
    pub licence: String,
    /// [`crate::table::Cells::content`] of the row that it says in other words.
    pub parent: Option<ContentHash>,
    /// The same of the rows that the language model was shown.
    pub shown: Vec<ContentHash>,
}

/// The columns of [`Provenance`], in the order of the file.
const PROVENANCE: [&str; 7] = [KIND, ORIGIN, "_recipe", "_date", LICENCE, PARENT, SHOWN];

/// The column of [`Provenance::origin`].
pub const ORIGIN: &str = "_origin";

/// The column of [`Provenance::licence`].
pub const LICENCE: &str = "_licence";

/// Write candidates with the dataset's `columns`; a cell that one lacks is empty.
///
/// # Errors
/// The file cannot be written.
pub fn write_candidates(path: &Path, columns: &[&str], rows: &[CandidateRow]) -> Result<(), StoreError> {
    write_atomic(path, |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record(columns.iter().copied().chain(PROVENANCE))?;
        for CandidateRow { cells, provenance } in rows {
            let parent = provenance.parent.map_or_else(String::new, |parent| parent.to_string());
            let shown: Vec<String> = provenance.shown.iter().map(ToString::to_string).collect();
            let Provenance { kind, origin, recipe, date, licence, .. } = provenance;
            let own = columns.iter().map(|column| cells.get(*column).map_or("", String::as_str));
            csv.write_record(own.chain([
                kind.name(),
                origin,
                recipe,
                date,
                licence,
                &parent,
                &shown.join(" "),
            ]))?;
        }
        csv.flush()
    })
}
