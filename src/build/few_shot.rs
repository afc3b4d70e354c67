//! `pipeline bench-few-shot`: how far a few rows of each class go, as MTEB's classification tasks measure encoders.

use ndarray::Array2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::stages::Context;
use super::{BuildError, BuildSettings, Project, Reason, Stage, build};
use crate::baseline::{LogisticRegression, Matrix};
use crate::engine::Engine;
use crate::evaluate::likeliest;
use crate::inputs::raw_inputs;
use crate::progress::Progress;

/// Most steps of a logistic regression (MTEB's `max_iter`).
const ITERATIONS: u64 = 100;

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
    /// Training rows drawn of each class (fewer where a class has fewer).
    pub per_class: usize,
    /// Test rows.
    pub test_rows: usize,
    /// Accuracy of each draw, in `[0, 1]`.
    pub accuracies: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation; 0 for one draw.
    pub deviation: f64,
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
    let context = Context { project, engine, progress };
    let dataset = context.dataset()?;
    let fields = context.matrices(&project.embeddings_folder(), &dataset.text_fields, dataset.rows.len())?;
    let raw = raw_inputs(&fields, dataset.rows.iter().map(|r| &r.cells), None);
    let dims = raw.embedding_dims;
    let matrix = |rows: &[usize]| {
        Matrix::Dense(Array2::from_shape_fn((rows.len(), dims), |(i, d)| raw.embedding[rows[i] * dims + d]))
    };
    let (test, train): (Vec<usize>, Vec<usize>) =
        (0..dataset.rows.len()).partition(|&row| dataset.rows[row].given_test);
    let classes = dataset.classes.len();
    let test_matrix = matrix(&test);
    progress.start("fitting", settings.draws as u64, "draws");
    let accuracies: Vec<f64> = (0..settings.draws)
        .into_par_iter()
        .map(|draw| {
            let mut shuffled = train.clone();
            let seed = project.config.seed_for(&format!("few-shot draw {draw}"));
            shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            let mut taken = vec![0; classes];
            shuffled.retain(|&row| {
                let class = dataset.rows[row].class;
                taken[class] += 1;
                taken[class] <= settings.per_class
            });
            let labels: Vec<usize> = shuffled.iter().map(|&r| dataset.rows[r].class).collect();
            let model = LogisticRegression::fit(&matrix(&shuffled), &labels, classes, 1.0, ITERATIONS, None);
            let given = model.probabilities(&test_matrix);
            let right = |(row, answer): (&usize, &[f32])| likeliest(answer) == dataset.rows[*row].class;
            let hits = test.iter().zip(given.chunks_exact(classes)).filter(|(r, a)| right((*r, *a))).count();
            progress.advance(1);
            hits as f64 / test.len().max(1) as f64
        })
        .collect();
    progress.finish();
    let n = accuracies.len() as f64;
    let mean = accuracies.iter().sum::<f64>() / n;
    let spread: f64 = accuracies.iter().map(|a| (a - mean).powi(2)).sum();
    let deviation = (spread / (n - 1.0).max(1.0)).sqrt();
    Ok(FewShot { per_class: settings.per_class, test_rows: test.len(), accuracies, mean, deviation })
}
