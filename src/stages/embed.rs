//! The embed stage: raw files to a matrix a text field, with rejects and duplicates listed.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::context::Context;
use super::declaration::{Declaration, Finished};
use super::error::BuildError;
use super::files::{RowPlace, place, write_csv, write_matrix};
use super::project::Project;
use crate::counting::counted;
use crate::store::write_json;
use crate::table;

/// What the matrices are of, beside them.
pub const INDEX: &str = "index.json";

/// The embed stage.
pub const EMBED: Declaration =
    Declaration { version: 2, reads: &[], config: |_| json!({}), run: |context| context.embed() };

/// What the embed stage counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EmbedSummary {
    rows_read: usize,
    rows_used: usize,
    rejected: usize,
    unlabelled: usize,
    duplicates: usize,
    /// Different texts.
    texts: usize,
    /// Those that were not in the cache.
    computed: usize,
    truncated: usize,
    blank: usize,
    /// Of those computed; nothing where none was.
    texts_per_second: Option<f64>,
}

impl Context<'_> {
    fn embed(&self) -> Result<Finished, BuildError> {
        let (config, root) = (&self.project.config, &self.project.root);
        let (dataset, report) = table::read(config, root, self.progress)?;
        let rejects = self.project.rejects_folder();
        table::write_rejects(&report, &rejects)?;
        let listing = rejects.join("rejects.csv");
        report.notes.iter().for_each(|note| self.progress.note(note));
        table::check_rejects(config, &report, Path::new(&self.project.relative(&listing)))?;
        for reject in report.bad().take(10) {
            self.progress.note(&format!("rejected {reject}"));
        }
        let more = report.bad().count().saturating_sub(10);
        if more > 0 {
            self.progress.note(&format!(
                "… and {}, all in {}",
                counted(more, "more rejected row", "more rejected rows"),
                self.project.relative(&listing)
            ));
        }
        if report.unlabelled() > 0 {
            let file = self.project.relative(&listing);
            let rows = counted(report.unlabelled(), "row has", "rows have");
            self.progress.note(&format!("{rows} no label and can teach nothing, listed in {file}"));
        }
        let contradictions = rejects.join("contradictions.csv");
        if !report.contradictions.is_empty() {
            let file = self.project.relative(&contradictions);
            let rows = counted(report.contradictions.len(), "row has", "rows have");
            self.progress.note(&format!(
                "warning: {rows} the text of another row and another label, listed in {file}"
            ));
        }
        if !report.duplicates.is_empty() {
            let file = self.project.relative(&rejects.join("duplicates.csv"));
            let rows =
                counted(report.duplicates.len(), "row repeats another and is", "rows repeat another and are");
            self.progress.note(&format!("{rows} left out, listed in {file}"));
        }
        table::check_classes(&dataset)?;

        let encoders = self.encoders()?;
        let cache = self.cache(&encoders)?;
        let folder = self.project.embeddings_folder();
        let mut outputs = vec![listing, rejects.join("duplicates.csv"), contradictions];
        let texts: Vec<&str> =
            dataset.rows.iter().flat_map(|r| r.cells.texts.iter().map(String::as_str)).collect();
        let begin = std::time::Instant::now();
        let embedded = self.embed_texts(&texts, &cache, &encoders)?;
        let seconds = begin.elapsed().as_secs_f64();
        for (field, name) in dataset.text_fields.iter().enumerate() {
            let path = Project::matrix(&folder, name);
            let column: Vec<&str> = dataset.rows.iter().map(|r| r.cells.texts[field].as_str()).collect();
            write_matrix(&path, &column, &cache, encoders.dims())?;
            outputs.push(path);
        }
        let index = folder.join("rows.csv");
        write_csv(
            &index,
            &["row", "file", "line"],
            (0..dataset.rows.len()).map(|row| {
                let RowPlace { file, line } = place(&dataset, row);
                vec![row.to_string(), file, line]
            }),
        )?;
        let about = folder.join(INDEX);
        let matrices: BTreeMap<&String, String> = dataset
            .text_fields
            .iter()
            .map(|f| (f, self.project.relative(&Project::matrix(&folder, f))))
            .collect();
        write_json(
            &about,
            &json!({
                "rows": dataset.rows.len(), "dims": encoders.dims(), "fields": matrices,
                "row_index": self.project.relative(&index),
                "encoder": config.encoder, "fingerprint": encoders.fingerprint(),
                "precision": encoders.models[0].arithmetic.precision(), "arithmetic": encoders.arithmetic(),
                "max_tokens": encoders.max_tokens(),
            }),
        )?;
        outputs.extend([index, about]);
        let summary = EmbedSummary {
            rows_read: report.read,
            rows_used: dataset.rows.len(),
            rejected: report.bad().count(),
            unlabelled: report.unlabelled(),
            duplicates: report.duplicates.len(),
            texts: embedded.texts,
            computed: embedded.computed,
            truncated: embedded.truncated,
            blank: embedded.blank,
            texts_per_second: (embedded.computed > 0).then(|| (embedded.computed as f64 / seconds).round()),
        };
        Ok(Finished::new(outputs, &summary))
    }
}
