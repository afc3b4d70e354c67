//! A saved model as the server asks it.

use std::path::PathBuf;
use std::sync::Arc;

use pipeline_serve::outside::{Answer, AnswerError, Answerer, Embedded, Row, Source, TaskAnswer};
use serde_json::{Map, Value, json};

use super::embedded::{about_tokens, embedded, tokens_to_explain};
use crate::model::{Answered, ModelFiles, Places, PredictError, Predictor, answered};
use crate::progress::{Silent, Until};
use crate::stages::{Explainer, LearnedRows, learned_rows};
use crate::table::{NewRow, json_row};

/// A model folder under a name.
pub struct ModelFolder {
    /// The name that clients ask for.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// The folder that names of encoders in the model's config are relative to.
    pub root: PathBuf,
    /// Take another arithmetic where this processor lacks that of the training.
    pub any_arithmetic: bool,
    /// Show clients who ask for an explanation the rows of the training that are most like theirs.
    pub show_training: bool,
}

impl Source for ModelFolder {
    fn name(&self) -> &str {
        &self.name
    }

    fn fingerprint(&self) -> Result<String, AnswerError> {
        let files = ModelFiles { folder: self.folder.clone() };
        let mut hasher = blake3::Hasher::new();
        // The card names the hashes of the rest; a model without a calibration is one, too.
        let card = std::fs::read(files.card());
        hasher.update(&card.map_err(|e| AnswerError(format!("{}: {e}", files.card().display())))?);
        hasher.update(&std::fs::read(files.calibration()).unwrap_or_default());
        Ok(hasher.finalize().to_hex().to_string())
    }

    fn load(&self) -> Result<Arc<dyn Answerer>, AnswerError> {
        let files = ModelFiles { folder: self.folder.clone() };
        let places = Places { root: &self.root, encoders: &[], any_arithmetic: self.any_arithmetic };
        let predictor =
            Predictor::load(&files, places, None, &Silent).map_err(|error| AnswerError(error.to_string()))?;
        let learned = self.show_training.then(|| learned_rows(&predictor, &files, &self.root));
        let learned = learned.transpose().map_err(|error| {
            AnswerError(format!("the rows of the training cannot be shown (--show-training): {error}"))
        })?;
        Ok(Arc::new(Served::new(predictor, learned)))
    }
}

/// A loaded model.
struct Served {
    predictor: Predictor,
    texts: Vec<String>,
    columns: Vec<String>,
    /// Names of the numbers behind the label, where the head has learned them.
    ends: Vec<String>,
    /// The rows of the training, where they may be shown.
    learned: Option<LearnedRows>,
}

impl Served {
    fn new(predictor: Predictor, learned: Option<LearnedRows>) -> Self {
        let card = predictor.card();
        let wanted = card.wanted();
        Self {
            texts: wanted.texts.to_vec(),
            columns: wanted.columns().into_iter().map(str::to_owned).collect(),
            ends: card.ends().into_iter().map(str::to_owned).collect(),
            predictor,
            learned,
        }
    }

    fn answer(&self, answered: &Answered<'_>) -> Result<Answer, String> {
        let answer = answered.answer.as_ref().map_err(Clone::clone)?;
        let range = answer.range.iter().flat_map(|range| self.ends.iter().cloned().zip(range.map(f64::from)));
        Ok(Answer {
            best: answer.best,
            probabilities: answer.probabilities.iter().map(|&p| f64::from(p)).collect(),
            tasks: answer
                .tasks
                .iter()
                .map(|task| TaskAnswer {
                    name: task.column.to_owned(),
                    label: task.class.to_owned(),
                    probability: f64::from(task.probability),
                })
                .collect(),
            range: range.collect(),
            unlike_training: answer.unlike_training,
            explanation: answer.explanation.as_ref().map(|why| json!(why)),
        })
    }

    /// The row of a request, as a line of JSON lines.
    fn row(&self, line: u64, row: &Row) -> NewRow {
        let wanted = self.predictor.card().wanted();
        match row {
            Row::Fields(values) => json_row(line, values, &wanted),
            Row::Text(text) => {
                let all = self.texts.iter().map(|field| (field.clone(), Value::String(text.clone())));
                json_row(line, &all.collect::<Map<_, _>>(), &wanted)
            }
        }
    }
}

impl Answerer for Served {
    fn text_fields(&self) -> &[String] {
        &self.texts
    }

    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn classes(&self) -> &[String] {
        &self.predictor.card().classes
    }

    fn encoder(&self) -> Option<&str> {
        match &self.predictor.card().encoders[..] {
            [only] => Some(&only.model),
            _ => None,
        }
    }

    fn max_tokens(&self) -> usize {
        self.predictor.encoders().max_tokens()
    }

    fn info(&self) -> Value {
        let card = self.predictor.card();
        json!({
            "pipeline_version": card.pipeline_version,
            "training": card.head_blake3,
            "classes": card.classes,
            "text_fields": self.texts,
            "columns": self.columns,
            "tasks": card.config.train.tasks.iter().map(|task| &task.column).collect::<Vec<_>>(),
            "encoders": card.encoders.iter().map(|encoder| &encoder.model).collect::<Vec<_>>(),
            "dims": self.predictor.encoders().dims(),
            "max_tokens": self.max_tokens(),
            "calibrated": self.predictor.is_calibrated(),
        })
    }

    fn tokens(&self, row: &Row) -> usize {
        let of = |text: &str| about_tokens(text, self.max_tokens());
        match row {
            Row::Text(text) => of(text) * self.texts.len().max(1),
            Row::Fields(values) => {
                let texts = self.texts.iter().filter_map(|field| values.get(field)?.as_str());
                texts.map(of).sum::<usize>().max(1)
            }
        }
    }

    fn predict(&self, rows: &[&Row]) -> Result<Vec<Result<Answer, String>>, AnswerError> {
        let card = self.predictor.card();
        let batch: Vec<_> = (1..).zip(rows).map(|(line, row)| self.row(line, row)).collect();
        let cells: Vec<_> = batch.iter().filter_map(|row| row.cells.as_ref().ok()).collect();
        let predicted =
            self.predictor.rows(&cells, &Silent).map_err(|error| AnswerError(error.to_string()))?;
        let answers = answered(&batch, &predicted, self.predictor.decision(), card.classes.len());
        Ok(answers.iter().map(|one| self.answer(one)).collect())
    }

    fn tokens_to_explain(&self, row: &Row, samples: usize) -> usize {
        let columns = match row {
            Row::Text(_) => 0,
            Row::Fields(_) => self.columns.len() - self.texts.len(),
        };
        tokens_to_explain(self.tokens(row), columns, samples)
    }

    fn explain(
        &self,
        row: &Row,
        samples: usize,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Result<Answer, String>, AnswerError> {
        let failed = |error: PredictError| AnswerError(error.to_string());
        let batch = [self.row(1, row)];
        let cells: Vec<_> = batch.iter().filter_map(|row| row.cells.as_ref().ok()).collect();
        let predicted = self.predictor.rows(&cells, &Until(stop)).map_err(failed)?;
        let classes = self.predictor.card().classes.len();
        let mut answers = answered(&batch, &predicted, self.predictor.decision(), classes);
        let explainer = Explainer::new(&self.predictor, samples).naming(self.learned.as_ref(), true);
        explainer.explain(&batch, &predicted, &mut answers, &Until(stop)).map_err(failed)?;
        let [one] = &answers[..] else { return Err(AnswerError("the row has no answer".to_owned())) };
        Ok(self.answer(one))
    }

    fn embed(&self, texts: &[&str], normalize: bool) -> Result<Vec<Embedded>, AnswerError> {
        let found = self.predictor.embed_texts(texts).map_err(|error| AnswerError(error.to_string()))?;
        Ok(embedded(found, self.max_tokens(), normalize))
    }
}
