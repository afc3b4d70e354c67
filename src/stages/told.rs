//! Single rows that the report tells of: mistakes, why the surest of them were made, and doubtful labels.

use super::context::Context;
use super::error::BuildError;
use super::rows::Rows;
use crate::model::{ExplainSettings, Places, Predictor, explain};
use crate::progress::Background;
use crate::report::{Explained, Mistake};
use crate::validate::{Suspect, suspects};

/// Mistakes shown in the report.
const MISTAKES: usize = 20;

/// Doubtful labels shown there; `pipeline validate` lists more.
const DOUBTFUL: usize = 20;

/// Orders in which the words and columns of a mistake are put together: enough to tell the weightiest.
const ORDERS: usize = 8;

/// Rows and what was answered to them.
#[derive(Clone, Copy)]
pub(super) struct RowProbabilities<'a> {
    /// Indices of the dataset.
    pub rows: &'a [usize],
    /// Calibrated probabilities of the label's classes, `rows × classes`, row-major.
    pub probabilities: &'a [f32],
    /// The answer to each row.
    pub decided: &'a [usize],
}

impl<'a> RowProbabilities<'a> {
    /// Each row with its `classes` probabilities and its answer.
    pub fn each(self, classes: usize) -> impl Iterator<Item = (usize, &'a [f32], usize)> {
        let rows = self.rows.iter().zip(self.probabilities.chunks_exact(classes));
        rows.zip(self.decided).map(|((&row, probabilities), &decided)| (row, probabilities, decided))
    }
}

/// Rows with another answer than their class, the surest first: the row, its probabilities, and the answer.
fn wrong<'a>(rows: &Rows, answered: &[RowProbabilities<'a>]) -> Vec<(usize, &'a [f32], usize)> {
    let all = answered.iter().flat_map(|of| of.each(rows.dataset.classes.len()));
    let mut wrong: Vec<_> = all.filter(|&(row, _, decided)| decided != rows.classes[row]).collect();
    wrong.sort_by(|(_, a, x), (_, b, y)| b[*y].total_cmp(&a[*x]));
    wrong
}

fn mistake(rows: &Rows, (row, answer, decided): (usize, &[f32], usize)) -> Mistake {
    let classes = &rows.dataset.classes;
    Mistake {
        place: rows.dataset.place(row),
        text: rows.dataset.rows[row].cells.texts.join(" · "),
        truth: classes[rows.classes[row]].clone(),
        predicted: classes[decided].clone(),
        confidence: f64::from(answer[decided]),
        truth_probability: f64::from(answer[rows.classes[row]]),
    }
}

/// The most confident mistakes.
pub(super) fn mistakes(rows: &Rows, answered: &[RowProbabilities<'_>]) -> Vec<Mistake> {
    wrong(rows, answered).into_iter().take(MISTAKES).map(|wrong| mistake(rows, wrong)).collect()
}

/// Rows whose label another class contradicts, the most doubtful first, by answers of models that have not learned them.
pub(super) fn doubtful(rows: &Rows, answered: &[RowProbabilities<'_>]) -> Vec<Suspect> {
    let asked: Vec<usize> = answered.iter().flat_map(|of| of.rows).copied().collect();
    let probabilities: Vec<f32> = answered.iter().flat_map(|of| of.probabilities).copied().collect();
    let mut found = suspects(&rows.dataset, &asked, &probabilities);
    found.truncate(DOUBTFUL);
    found
}

impl Context<'_> {
    /// The surest mistakes of the test part, as many as `evaluate.explain` says, each with why the model made it. Only rows of the
    /// test part: to the others another model answered, which is gone.
    ///
    /// # Errors
    /// The user interrupted. A model that cannot be asked explains nothing, and that is said.
    pub(super) fn explained(
        &self,
        rows: &Rows,
        test: RowProbabilities<'_>,
    ) -> Result<Vec<Explained>, BuildError> {
        let mut wrong = wrong(rows, &[test]);
        wrong.truncate(self.project.config.evaluate.explain);
        if wrong.is_empty() {
            return Ok(Vec::new());
        }
        let places = Places { root: &self.project.root, encoders: &[], any_arithmetic: false };
        let quiet = Background(self.progress);
        let settings =
            ExplainSettings { permutations: ORDERS, seed: self.project.config.seed_for("explain") };
        let explained =
            Predictor::load(&self.project.model(), places, self.engine, &quiet).and_then(|model| {
                let of = |of: (usize, &[f32], usize)| {
                    let cells = &rows.dataset.rows[of.0].cells;
                    let why = explain(&model, cells, of.2, settings, &quiet)?;
                    Ok(Explained { mistake: mistake(rows, of), why })
                };
                wrong.into_iter().map(of).collect()
            });
        match explained {
            Ok(explained) => Ok(explained),
            Err(_) if self.progress.interrupted() => Err(BuildError::Interrupted),
            Err(error) => {
                self.progress.note(&format!("no mistake is explained in the report: {error}"));
                Ok(Vec::new())
            }
        }
    }
}
