//! A saved model as the server asks it.

use std::path::PathBuf;
use std::sync::Arc;

use pipeline_serve::outside::{Answer, AnswerError, Answerer, Embedded, Row, Source, TaskAnswer};
use serde_json::{Map, Value, json};

use super::embedded::{about_tokens, embedded};
use crate::model::{Answered, ModelFiles, Places, Predictor, answered};
use crate::progress::Silent;
use crate::table::json_row;

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
        Ok(Arc::new(Served::new(predictor)))
    }
}

/// A loaded model.
struct Served {
    predictor: Predictor,
    texts: Vec<String>,
    columns: Vec<String>,
    /// Names of the numbers behind the label, where the head has learned them.
    ends: Vec<String>,
}

impl Served {
    fn new(predictor: Predictor) -> Self {
        let card = predictor.card();
        let wanted = card.wanted();
        Self {
            texts: wanted.texts.to_vec(),
            columns: wanted.columns().into_iter().map(str::to_owned).collect(),
            ends: card.ends().into_iter().map(str::to_owned).collect(),
            predictor,
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
        })
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
        let wanted = card.wanted();
        let row = |(line, row): (u64, &&Row)| match row {
            Row::Fields(values) => json_row(line, values, &wanted),
            Row::Text(text) => {
                let all = self.texts.iter().map(|field| (field.clone(), Value::String(text.clone())));
                json_row(line, &all.collect::<Map<_, _>>(), &wanted)
            }
        };
        let batch: Vec<_> = (1..).zip(rows).map(row).collect();
        let cells: Vec<_> = batch.iter().filter_map(|row| row.cells.as_ref().ok()).collect();
        let predicted =
            self.predictor.rows(&cells, &Silent).map_err(|error| AnswerError(error.to_string()))?;
        let answers = answered(&batch, &predicted, self.predictor.decision(), card.classes.len());
        Ok(answers.iter().map(|one| self.answer(one)).collect())
    }

    fn embed(&self, texts: &[&str], normalize: bool) -> Result<Vec<Embedded>, AnswerError> {
        let found = self.predictor.embed_texts(texts).map_err(|error| AnswerError(error.to_string()))?;
        Ok(embedded(found, self.max_tokens(), normalize))
    }
}
