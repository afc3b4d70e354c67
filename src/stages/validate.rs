//! `pipeline validate`: the embed stage if it is stale, then everything that the data alone can tell, and, once a model
//! has been trained, which labels its like would doubt.

use std::path::PathBuf;

use rayon::prelude::*;

use super::context::Context;
use super::correct::write_suspects;
use super::error::BuildError;
use super::kin::kin;
use super::project::Project;
use super::rows::{Dealt, Rows};
use super::run::{BuildSettings, build};
use super::stage::Stage;
use super::staleness::Reason;
use crate::engine::Engine;
use crate::evaluate::{agreement, pass_agreement};
use crate::inputs::{RawInputs, raw_inputs};
use crate::model::answers;
use crate::progress::Progress;
use crate::split::{FoldCounts, GroupedClasses, Part, Vectors, folds, groups, mean_cosine_vectors};
use crate::store::write_json;
use crate::table::{self, Dataset};
use crate::validate::{
    ColumnProfile, ColumnProfiler, ValidateInput, Validation, near_duplicates, suspects, validate as judge,
};

/// Folds of the out-of-fold probabilities.
const FOLDS: usize = 5;

/// Validate the data of `project` and leave the findings as JSON.
///
/// # Errors
/// The data cannot be read or embedded; bad rows are findings, not errors.
pub fn validate(
    project: &Project,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Validation, BuildError> {
    let settings = BuildSettings { to: Stage::Embed, from: None };
    build(project, settings, engine, progress, announce)?;
    let context = Context { project, engine, progress };
    let config = &project.config;
    let (dataset, report) = table::read(config, &project.root, progress)?;
    let folder = project.embeddings_folder();
    let all = config.encoded_fields();
    let compared = match &config.validate.near_duplicate_fields {
        Some(fields) if !config.data.join_text => fields.clone(),
        _ => all.clone(),
    };
    let cells = || dataset.rows.iter().map(|r| &r.cells);
    let raw = raw_inputs(&context.matrices(&folder, &compared, dataset.rows.len())?, cells(), None);
    let values = mean_cosine_vectors(&raw.embedding, compared.len(), raw.embedding_dims / compared.len());
    let vectors = Vectors::new(&values, raw.embedding_dims);
    let cosines = [config.validate.near_duplicate_cosine, 0.95];
    let near_duplicates = near_duplicates(&dataset, vectors, cosines, context.near_search(), progress)?;
    let suspects = if project.manifest(Stage::Train).exists() {
        let raw = raw_inputs(&context.matrices(&folder, &all, dataset.rows.len())?, cells(), Some(config));
        let every: Vec<usize> = (0..dataset.rows.len()).collect();
        let mut found = suspects(&dataset, &every, &context.out_of_fold(&dataset, raw)?);
        found.truncate(config.validate.suspects);
        write_suspects(project, &dataset, &found)?;
        Some(found)
    } else {
        None
    };
    let second = table::second_labels(config, &project.root, &dataset)?;
    let agreement = (!second.is_empty()).then(|| {
        let first: Vec<usize> = second.iter().map(|labelled| labelled.first).collect();
        let other: Vec<usize> = second.iter().map(|labelled| labelled.second).collect();
        agreement(&first, &other, dataset.classes.len(), config.seed_for("bootstrap-agreement"))
    });
    let passes = table::passes(config, &project.root, &dataset)?;
    let passes: Vec<_> = passes.into_iter().map(|pass| (pass.name, pass.classes)).collect();
    let passes = pass_agreement(&passes, dataset.classes.len(), config.seed_for("bootstrap-passes"));
    let patterns = config.validate.patterns().unwrap_or_default();
    let input = ValidateInput {
        name: &config.name,
        dataset: &dataset,
        report: &report,
        columns: columns(project, &dataset.files)?,
        near_duplicates,
        suspects,
        agreement,
        passes,
    };
    let validation = judge(input, &config.validate, &patterns);
    write_json(&project.validation_file(), &validation)?;
    Ok(validation)
}

/// Profiles of all columns of all files, also of those that the config does not name.
fn columns(project: &Project, files: &[PathBuf]) -> Result<Vec<ColumnProfile>, BuildError> {
    let mut profiler = ColumnProfiler::default();
    for file in files {
        for row in table::read_named(&project.root.join(file), table::Stated::of(&project.config.data))? {
            if let Ok(cells) = row.values {
                profiler.add(file, row.line, &cells, &project.config.validate);
            }
        }
    }
    Ok(profiler.finish())
}

impl Context<'_> {
    /// Class probabilities of every row from a head that has not seen it or a near-duplicate of it, `rows × classes`.
    ///
    /// The configured head on the embeddings and features, without augmentation; early stopping uses a tenth of each
    /// fold's own training rows.
    fn out_of_fold(&self, dataset: &Dataset, raw: RawInputs) -> Result<Vec<f32>, BuildError> {
        let config = &self.project.config;
        let count = dataset.classes.len();
        let titles: Vec<&str> = dataset.rows.iter().map(|r| r.title.as_str()).collect();
        let fields = dataset.text_fields.len();
        let values = mean_cosine_vectors(&raw.embedding, fields, raw.embedding_dims / fields);
        let near = (Vectors::new(&values, raw.embedding_dims), config.split.near_duplicate_cosine);
        let parts = vec![Part::Train; titles.len()];
        let pairs = kin(dataset).pairs;
        let groups = groups(&titles, &pairs, near, self.near_search(), self.progress)?;
        let passes = self.passes(dataset)?;
        let rows = Rows::new(config, dataset.clone(), &passes, Dealt { parts, groups }, raw);
        let grouped = GroupedClasses { groups: &rows.dealt.groups, classes: &rows.classes };
        let counts = FoldCounts { folds: FOLDS, repeats: 1 };
        let folds =
            folds(&(0..titles.len()).collect::<Vec<_>>(), grouped, counts, 0.1, |name| config.seed_for(name));
        self.progress.start("looking for doubtful labels", FOLDS as u64, "folds");
        let probabilities = folds
            .par_iter()
            .map(|fold| {
                let seed = config.seed_for(&format!("doubt {}", fold.fold));
                let trained = self.fit_plain(&rows, fold, seed)?;
                self.progress.advance(1);
                let held = rows.raw.pick(&fold.held_out);
                Ok(answers(trained.head.as_ref(), &trained.shape, &trained.inputs, &held)?.label)
            })
            .collect::<Result<Vec<_>, BuildError>>();
        self.progress.finish();
        let mut all = vec![0.0; titles.len() * count];
        for (fold, probabilities) in folds.iter().zip(probabilities?) {
            for (&row, answer) in fold.held_out.iter().zip(probabilities.chunks_exact(count)) {
                all[row * count..(row + 1) * count].copy_from_slice(answer);
            }
        }
        Ok(all)
    }
}
