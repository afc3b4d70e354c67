//! Why the rows of a batch have their labels, with the rows of the training that are most like them.

use super::learned_rows::LearnedRows;
use crate::model::{Answered, ExplainSettings, PredictError, Predicted, Predictor, explain};
use crate::progress::{Background, Progress};
use crate::table::NewRow;

/// Rows of the training that are named.
const NEAREST: usize = 3;

/// Explains answers of a model.
pub struct Explainer<'a> {
    predictor: &'a Predictor,
    settings: ExplainSettings,
    learned: Option<&'a LearnedRows>,
    show_training: bool,
}

impl<'a> Explainer<'a> {
    /// Over so many orders in which words and columns are put together; no rows of the training are named.
    pub fn new(predictor: &'a Predictor, permutations: usize) -> Self {
        let settings = ExplainSettings { permutations, seed: predictor.card().config.seed_for("explain") };
        Self { predictor, settings, learned: None, show_training: false }
    }

    /// With the nearest of the rows that it has `learned`, and their texts where they may be shown.
    pub fn naming(self, learned: Option<&'a LearnedRows>, show_training: bool) -> Self {
        Self { learned, show_training, ..self }
    }

    /// Put an explanation into each of the answers to a batch of rows, as `predicted` has them with their embeddings, and tell `progress`
    /// of each row.
    ///
    /// # Errors
    /// The encoder or the head failed, or the user interrupted.
    pub fn explain(
        &self,
        batch: &[NewRow],
        predicted: &Predicted,
        answered: &mut [Answered<'_>],
        progress: &dyn Progress,
    ) -> Result<(), PredictError> {
        let rows = batch.iter().filter(|row| row.cells.is_ok()).count();
        let nearest = self
            .learned
            .map(|learned| learned.nearest(&predicted.embeddings, rows, NEAREST, self.show_training));
        let mut nearest = nearest.into_iter().flatten();
        let mut unusual = predicted.novelty.iter().copied();
        for one in answered {
            let (Ok(cells), Ok(answer)) = (&one.row.cells, &mut one.answer) else { continue };
            let mut why = explain(self.predictor, cells, answer.best, self.settings, &Background(progress))?;
            why.as_unusual = unusual.next();
            why.nearest = nearest.next();
            answer.explanation = Some(why);
            progress.advance(1);
        }
        Ok(())
    }
}
