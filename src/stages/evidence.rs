//! What the diagnosis looks at beside the figures: what the texts, columns and parts alone show.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::error::BuildError;
use super::rows::Rows;
use crate::evaluate::{Contradictions, Drift, Leak, Shift};
use crate::split::{Fold, Part, Vectors, held_out_sides, mean_cosine_vectors, pairs_between};
use crate::table;
use crate::validate::{LeakInput, Moments, drift, leaks, shift, tells_time};

/// Pairs of rows that are listed.
const LISTED: usize = 5;

/// Pairs of near-duplicates, looked at in two ways.
pub struct NearPairs {
    /// Those that stand in different parts, one of them in the validation or the test part.
    pub across: usize,
    /// Those with different labels.
    pub contradictions: Contradictions,
}

impl Context<'_> {
    /// All pairs of near-duplicates; of more rows than `split.exact_rows` most of them, and all that lie over two parts.
    pub fn near_pairs(&self, rows: &Rows) -> Result<NearPairs, BuildError> {
        let fields = rows.dataset.text_fields.len();
        let dims = rows.raw.embedding_dims / fields;
        let values = mean_cosine_vectors(&rows.raw.embedding, fields, dims);
        let vectors = Vectors::new(&values, rows.raw.embedding_dims);
        let search = self.near_search();
        let is_exact = search.is_exact(vectors.rows());
        let cosine = self.project.config.split.near_duplicate_cosine;
        let mut found = NearPairs { across: 0, contradictions: Contradictions::default() };
        let mut in_pairs = BTreeSet::new();
        let place =
            |row: usize| format!("{} ({})", rows.dataset.place(row), rows.dataset.classes[rows.classes[row]]);
        search.for_each_pair(vectors, cosine, self.progress, |pair| {
            let [a, b] = pair.rows;
            let parts = [a, b].map(|row| rows.dealt.parts[row]);
            let is_across = parts[0] != parts[1] && !parts.contains(&Part::Dropped);
            found.across += usize::from(is_exact && is_across);
            let contradictions = &mut found.contradictions;
            contradictions.near_pairs += 1;
            if rows.classes[a] != rows.classes[b] {
                contradictions.pairs += 1;
                in_pairs.extend([a, b]);
                if contradictions.first.len() < LISTED {
                    contradictions.first.push(format!("{} and {}", place(a), place(b)));
                }
            }
        })?;
        found.contradictions.rows = in_pairs.len();
        if !is_exact {
            let sides = held_out_sides(&rows.dealt.parts);
            pairs_between(vectors, &sides, cosine, self.progress, |_| found.across += 1)?;
        }
        Ok(found)
    }

    /// Rows whose text names the label by one of `validate.names_label`.
    pub fn naming_rows(&self, texts: &[String]) -> usize {
        let patterns = self.project.config.validate.patterns().unwrap_or_default();
        texts.iter().filter(|text| patterns.iter().any(|p| p.is_match(text))).count()
    }

    /// What alone tells the class; `text` is the balanced accuracy of the texts.
    pub fn leaks(&self, rows: &Rows, fold: &Fold, text: Option<f64>) -> Vec<Leak> {
        leaks(&LeakInput {
            dataset: &rows.dataset,
            learn: &fold.train,
            check: &fold.held_out,
            groups: &rows.dealt.groups,
            text,
            seed: self.project.config.seed_for("leaks"),
        })
    }

    /// How a given test part differs from the rest; `None` where it was drawn.
    pub fn shift(&self, rows: &Rows, rest: &[usize], test: &[usize]) -> Option<Shift> {
        if self.project.config.data.test_files.is_empty() {
            return None;
        }
        let seed = self.project.config.seed_for("shift");
        shift(&rows.raw, [rest, test], &rows.classes, &rows.dealt.groups, &rows.dataset.classes, seed)
    }

    /// Changes over the columns of dates and years that the files have, whether the config names them or not.
    pub fn drifts(&self, rows: &Rows) -> Result<Vec<Drift>, BuildError> {
        let config = &self.project.config;
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (file, path) in rows.dataset.files.iter().enumerate() {
            let read = table::read_named(&self.project.root.join(path), table::Stated::of(&config.data))?;
            let by_line: BTreeMap<u64, BTreeMap<String, String>> =
                read.into_iter().filter_map(|row| Some((row.line, row.values.ok()?))).collect();
            for (place, row) in rows.dataset.rows.iter().enumerate().filter(|(_, row)| row.file == file) {
                let cells = by_line.get(&row.line).into_iter().flatten();
                let named = cells.filter(|(name, _)| {
                    tells_time(name)
                        && !config.label_columns().iter().any(|label| label.eq_ignore_ascii_case(name))
                });
                for (name, cell) in named {
                    let cells = columns
                        .entry(name.clone())
                        .or_insert_with(|| vec![String::new(); rows.classes.len()]);
                    cells[place].clone_from(cell);
                }
            }
        }
        let used: Vec<usize> = (0..rows.classes.len()).collect();
        let of = |(column, cells): (&String, &Vec<String>)| {
            let moments = Moments { column, cells };
            drift(&rows.raw, &used, &moments, &rows.classes, &rows.dealt.groups, config.seed_for("drift"))
        };
        Ok(columns.iter().filter_map(of).collect())
    }
}
