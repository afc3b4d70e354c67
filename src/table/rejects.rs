//! The files in which people find what was not used.

use std::path::Path;

use super::ReadReport;
use crate::store::{StoreError, write_atomic};

/// Write `rejects.csv` (file, line, column, value, reason, raw line) and `duplicates.csv` (file, line, repeats) into
/// `folder`; both are written also when there is nothing to list, so that an old listing never outlives its cause.
///
/// # Errors
/// The folder cannot be written.
pub fn write_rejects(report: &ReadReport, folder: &Path) -> Result<(), StoreError> {
    write_atomic(&folder.join("rejects.csv"), |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record(["file", "line", "column", "value", "reason", "raw"])?;
        for r in &report.rejects {
            let (file, line) = (r.file.to_string_lossy(), r.line.to_string());
            csv.write_record([file.as_ref(), &line, &r.column, &r.value, &r.reason, &r.raw])?;
        }
        csv.flush()
    })?;
    write_atomic(&folder.join("duplicates.csv"), |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record(["file", "line", "repeats"])?;
        for d in &report.duplicates {
            csv.write_record([d.file.to_string_lossy().as_ref(), &d.line.to_string(), &d.repeats])?;
        }
        csv.flush()
    })
}
