//! What becomes of rows that cannot be used: too many of them stop the reading, the rest are listed for people.

use std::path::Path;

use super::errors::TableError;
use super::report::ReadReport;
use crate::config::Config;
use crate::store::{StoreError, write_atomic};

/// Stop when more than the set share of rows was rejected, those without a label aside.
///
/// # Errors
/// [`TableError::TooManyRejects`].
pub fn check_rejects(config: &Config, report: &ReadReport, listing: &Path) -> Result<(), TableError> {
    let rejected = report.bad().count();
    let labelled = report.read - report.unlabelled();
    if rejected as f64 <= config.data.max_rejected_share * labelled as f64 {
        return Ok(());
    }
    let first: Vec<String> = report.bad().take(5).map(|r| format!("  {r}")).collect();
    Err(TableError::TooManyRejects {
        rejected,
        read: labelled,
        limit: config.data.max_rejected_share,
        first: first.join("\n"),
        listing: listing.to_owned(),
    })
}

/// Write `rejects.csv` (file, line, column, value, reason, raw line), `duplicates.csv` (file, line, repeats) and
/// `contradictions.csv` (file, line, label, same_text_as, other_label) into `folder`; they are written also when there is nothing to
/// list, so that an old listing never outlives its cause.
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
    })?;
    write_atomic(&folder.join("contradictions.csv"), |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record(["file", "line", "label", "same_text_as", "other_label"])?;
        for c in &report.contradictions {
            let (file, line) = (c.file.to_string_lossy(), c.line.to_string());
            csv.write_record([file.as_ref(), &line, &c.label, &c.same_text_as, &c.other_label])?;
        }
        csv.flush()
    })
}
