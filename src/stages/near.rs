//! Near-duplicates of the rows of a project: how they are sought, and what is said of it where rows are very many.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::context::Context;
use super::error::{BuildError, gigabytes};
use super::memory;
use super::project::Project;
use crate::config::GivenTestDuplicates;
use crate::counting::counted;
use crate::evaluate::Estimate;
use crate::report::found_share;
use crate::split::{Given, Groups, NearSearch, Part, Recall, Vectors, scale_to_mean_cosine, settle};
use crate::table::Dataset;
use crate::validate::near_recall;

/// What comparing rows with those of near cells has found, and what the exact comparison of the held-out rows has mended.
#[derive(Clone, Debug, Serialize)]
pub struct NearCells {
    /// The share of the near pairs that was found.
    recall: Estimate,
    /// Rows of the sample that says so.
    sampled_rows: usize,
    /// Near pairs of these.
    sampled_pairs: usize,
    /// Near pairs over two parts that only the exact comparison has found.
    straddling_pairs: usize,
    /// Rows that changed their part for them.
    moved_rows: usize,
}

/// The rows as they were dealt.
pub struct DealtRows<'a> {
    pub dataset: &'a Dataset,
    pub parts: &'a mut [Part],
    pub groups: &'a mut Groups,
}

impl Context<'_> {
    /// How near-duplicates are sought.
    pub fn near_search(&self) -> NearSearch {
        let config = &self.project.config;
        NearSearch { exact_rows: config.split.exact_rows, seed: config.seed_for("near-duplicates") }
    }

    /// One vector a row, whose products are means of the fields' cosines, and their length.
    pub fn cosine_vectors(&self, dataset: &Dataset) -> Result<(Vec<f32>, usize), BuildError> {
        let (rows, folder) = (dataset.rows.len(), self.project.embeddings_folder());
        if !self.near_search().is_exact(rows) {
            self.say_of_memory(dataset, &folder);
        }
        let mut fields = self.matrices(&folder, &dataset.text_fields, rows)?;
        let (count, width) = (fields.len(), fields.first().map_or(0, |field| field.dims));
        let dims = fields.iter().map(|field| field.dims).sum();
        // Of one field there is no copy.
        let mut values = if count == 1 {
            fields.remove(0).values
        } else {
            let mut values = Vec::with_capacity(rows * dims);
            (0..rows)
                .for_each(|row| fields.iter().for_each(|field| values.extend_from_slice(field.row(row))));
            values
        };
        scale_to_mean_cosine(&mut values, count, width);
        Ok((values, dims))
    }

    /// Say what the vectors of very many rows take, before they do.
    fn say_of_memory(&self, dataset: &Dataset, folder: &Path) {
        let size =
            |field: &String| std::fs::metadata(Project::matrix(folder, field)).map_or(0, |file| file.len());
        let bytes: u64 = dataset.text_fields.iter().map(size).sum();
        // Several fields are laid side by side.
        let needed = if dataset.text_fields.len() > 1 { 2 * bytes } else { bytes };
        let free = memory::free();
        let warning = if needed > free { "warning: " } else { "" };
        self.progress.note(&format!(
            "{warning}the vectors of {} take {} of memory; {} are free",
            counted(dataset.rows.len(), "row", "rows"),
            gigabytes(needed),
            gigabytes(free),
        ));
    }

    /// Compare the held-out rows with all others and mend the parts and groups, after a search of so many `seconds` with this `recall`.
    pub fn mended(
        &self,
        vectors: Vectors<'_>,
        recall: &Recall,
        seconds: f64,
        dealt: &mut DealtRows<'_>,
    ) -> Result<NearCells, BuildError> {
        let (config, begin) = (&self.project.config.split, Instant::now());
        let given: Vec<bool> = dealt.dataset.rows.iter().map(|row| row.in_test_files).collect();
        let drops = config.given_test_duplicates == GivenTestDuplicates::Drop;
        let given = Given { rows: &given, drops };
        let near = (vectors, config.near_duplicate_cosine);
        let settled = settle(near, dealt.parts, dealt.groups, given, self.progress)?;
        let found = NearCells {
            recall: near_recall(recall),
            sampled_rows: recall.rows,
            sampled_pairs: recall.found.len(),
            straddling_pairs: settled.pairs,
            moved_rows: settled.moved,
        };
        self.progress.note(&format!(
            "near-duplicates sought among near cells, since there are more than {} (split.exact_rows): {} of the pairs \
             found ({} of {}), {seconds:.1} s",
            counted(config.exact_rows, "row", "rows"),
            found_share(found.recall),
            counted(found.sampled_pairs, "pair", "pairs"),
            counted(found.sampled_rows, "sampled row", "sampled rows"),
        ));
        self.progress.note(&format!(
            "test and validation rows compared with all others: {} found, {} moved, {:.1} s; between folds of cross-validation \
             pairs that were not found may lie",
            counted(settled.pairs, "more pair", "more pairs"),
            counted(settled.moved, "row", "rows"),
            begin.elapsed().as_secs_f64()
        ));
        Ok(found)
    }
}
