//! `pipeline collect worth`: the head with and without the candidates that pass the gate, on the same folds of real rows.

use super::batches::Waiting;
use crate::collect::REFUSED;
use crate::engine::Engine;
use crate::evaluate::{Folded, Worth, fold_differences, fold_mean, fold_means};
use crate::progress::Progress;
use crate::split::{Part, Vectors, groups};
use crate::stages::context::Context;
use crate::stages::error::BuildError;
use crate::stages::kin::kin;
use crate::stages::project::Project;
use crate::stages::rows::{Dealt, Rows};
use crate::stages::run::{check_networks, ready};
use crate::stages::stage::Stage;
use crate::stages::staleness::{Reason, Sources};

/// Train the head on each fold with and without the candidates that pass the gate; they only teach, and none that is like a
/// held-out row or was made from one teaches in its fold.
///
/// # Errors
/// No candidate passes, or as [`super::review()`].
pub fn worth(
    project: &Project,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Worth, BuildError> {
    check_networks(project.config.train.heads(), engine)?;
    let ready = ready(project, engine, progress, announce)?;
    let (context, rows) = (&ready.context, &ready.rows);
    let waiting = context.waiting(rows)?;
    let review = context.reviewed(rows, &waiting)?;
    let passed: Vec<usize> = (0..waiting.dataset.rows.len())
        .filter(|&candidate| {
            let row = &waiting.dataset.rows[candidate];
            let file = &waiting.dataset.files[row.file];
            review.candidates.iter().any(|c| c.line == row.line && c.file == *file && c.verdict != REFUSED)
        })
        .collect();
    if passed.is_empty() {
        return Err(BuildError::NoCandidates { folder: project.candidates() });
    }
    let folds = context.folds(rows)?;
    let mut sources = Sources::measure(project)?;
    progress.note("without the candidates");
    let without = context.trial(rows, &folds, &sources)?;
    sources.inputs.insert("candidates".into(), waiting.hash.clone());
    progress.note("with the candidates");
    let with = context.trial(&context.rows_with(rows, &waiting, &passed)?, &folds, &sources)?;
    let used = rows.of(&[Part::Train, Part::Validation]).len();
    let counts = context.fold_counts(used);
    let (folded, classes) = (Folded::of(counts.folds, used), rows.dataset.classes.len());
    let of_class = |class: usize| {
        let both = with.class_f1.iter().zip(&without.class_f1);
        fold_mean(&both.map(|(with, without)| with[class] - without[class]).collect::<Vec<_>>(), folded)
    };
    Ok(Worth {
        name: project.config.name.clone(),
        classes: rows.dataset.classes.clone(),
        candidates: passed.len(),
        rows: used,
        folds: [counts.folds, counts.repeats],
        without: fold_means(&without.figures, folded, classes),
        difference: fold_differences(&with.figures, &without.figures, folded),
        class_f1: (0..classes).map(of_class).collect(),
    })
}

impl Context<'_> {
    /// The rows, and after them the `chosen` candidates, which only teach.
    fn rows_with(&self, rows: &Rows, waiting: &Waiting, chosen: &[usize]) -> Result<Rows, BuildError> {
        let (mut dataset, files) = (rows.dataset.clone(), rows.dataset.files.len());
        dataset.files.extend(waiting.dataset.files.iter().cloned());
        for &candidate in chosen {
            let mut row = waiting.dataset.rows[candidate].clone();
            row.file += files;
            dataset.rows.push(row);
        }
        let raw = rows.raw.above(&waiting.raw.pick(chosen));
        let mut vectors = self.vectors(&rows.dataset)?;
        let dims = vectors.len() / rows.dataset.rows.len().max(1);
        chosen.iter().for_each(|&row| vectors.extend(&waiting.vectors[row * dims..(row + 1) * dims]));
        // By title a candidate is no relative: titles of real rows are compared, those of candidates the gate has seen.
        let titles = vec![""; dataset.rows.len()];
        let cosine = self.project.config.split.near_duplicate_cosine;
        let mut kin = kin(&dataset).pairs;
        kin.extend(rows.dealt.groups.iter().enumerate().map(|(row, &group)| [group, row]));
        let near = (Vectors::new(&vectors, dims), cosine);
        let groups = groups(&titles, &kin, near, self.near_search(), self.progress)?;
        let mut parts = rows.dealt.parts.clone();
        parts.resize(dataset.rows.len(), Part::Train);
        let passes = self.passes(&dataset)?;
        let mut all = Rows::new(&self.project.config, dataset, &passes, Dealt { parts, groups }, raw);
        all.teach_only.iter_mut().skip(rows.classes.len()).for_each(|only| *only = true);
        // What they are worth does not depend on whether the project uses such rows.
        all.dataset.rows.iter_mut().skip(rows.classes.len()).for_each(|row| row.collected = None);
        Ok(all)
    }
}
