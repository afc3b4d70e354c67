//! `pipeline bench-few-shot`: how far a few rows of each class go, as MTEB's classification tasks measure encoders.

use rayon::prelude::*;
use serde::Serialize;

use super::context::Context;
use super::error::BuildError;
use super::project::Project;
use super::run::{BuildSettings, build};
use super::stage::Stage;
use super::staleness::Reason;
use crate::baseline::few_shot_accuracy;
use crate::engine::Engine;
use crate::evaluate::mean_and_deviation;
use crate::inputs::raw_inputs;
use crate::progress::Progress;
use crate::store::Lock;

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct FewShotSettings {
    /// Training rows drawn of each class.
    pub per_class: usize,
    /// Times that rows are drawn anew.
    pub draws: usize,
}

/// Accuracy on the given test part over the draws.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FewShot {
    /// Training rows asked for of each class.
    pub per_class: usize,
    /// Training rows that there were, of the class with the fewest and of that with the most.
    pub rows_of_a_class: [usize; 2],
    /// Test rows.
    pub test_rows: usize,
    /// Accuracy of each draw, in `[0, 1]`.
    pub accuracies: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation; none of one draw.
    pub deviation: Option<f64>,
}

/// Logistic regression (C = 1) on the embeddings of `per_class` rows of each class, on the given test part.
///
/// # Errors
/// No test part is given, or the data cannot be read or embedded.
pub fn few_shot(
    project: &Project,
    settings: FewShotSettings,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<FewShot, BuildError> {
    if project.config.data.test_files.is_empty() {
        return Err(BuildError::NoTestFiles);
    }
    build(project, BuildSettings { to: Stage::Embed, from: None }, engine, progress, announce)?;
    let _lock = Lock::take(&project.state_folder())?;
    let context = Context { project, engine, progress };
    let dataset = context.dataset()?;
    let fields = context.matrices(&project.embeddings_folder(), &dataset.text_fields, dataset.rows.len())?;
    let raw = raw_inputs(&fields, dataset.rows.iter().map(|r| &r.cells), None);
    let (test, train): (Vec<usize>, Vec<usize>) =
        (0..dataset.rows.len()).partition(|&row| dataset.rows[row].in_test_files);
    let classes: Vec<usize> = dataset.rows.iter().map(|row| row.class).collect();
    progress.start("fitting", settings.draws as u64, "draws");
    let accuracies: Vec<f64> = (0..settings.draws)
        .into_par_iter()
        .map(|draw| {
            let seed = project.config.seed_for(&format!("few-shot draw {draw}"));
            let sides = [&train[..], &test];
            let per_class = settings.per_class;
            let accuracy = few_shot_accuracy(&raw, &classes, dataset.classes.len(), sides, per_class, seed);
            progress.advance(1);
            accuracy
        })
        .collect();
    progress.finish();
    let mut taught = vec![0; dataset.classes.len()];
    train.iter().for_each(|&row| taught[classes[row]] += 1);
    taught.iter_mut().for_each(|rows| *rows = settings.per_class.min(*rows));
    let [fewest, most] =
        [taught.iter().min(), taught.iter().max()].map(|rows| rows.copied().unwrap_or_default());
    let (mean, deviation) = mean_and_deviation(&accuracies);
    Ok(FewShot {
        per_class: settings.per_class,
        rows_of_a_class: [fewest, most],
        test_rows: test.len(),
        deviation: (accuracies.len() > 1).then_some(deviation),
        accuracies,
        mean,
    })
}
