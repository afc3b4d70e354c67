//! `BertForSequenceClassification`, tuned and saved as transformers has it.

use std::path::Path;

use pipeline::fine_tuning::{Tuned, TuningData, TuningError, TuningRun, TuningSettings, Watch};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use super::fit::tune;
use super::folder::{BertFolder, CONFIG, WEIGHTS};
use super::model::Model;
use super::random::{Dropout, Stream};
use super::readout::{Pool, Pooling, Readout};
use super::texts::Texts;
use super::weights::failed;
use super::written::NewFolder;
use crate::device::CPU;
use crate::libtorch::single_threaded;

/// A BERT with a pooler and a linear classifier.
pub struct SequenceClassifier {
    model: Model,
    /// Names of the classes, in the order of the answer.
    labels: Vec<String>,
}

impl SequenceClassifier {
    /// Open a folder of transformers whose model is a `BertForSequenceClassification`: config.json with `id2label`, tokenizer.json,
    /// model.safetensors. Texts are cut at `max_tokens`, else at the last place that the model has.
    ///
    /// # Errors
    /// A file is missing or is not what it should be: pooler, classifier, a label for each of its rows.
    pub fn open(path: &Path, max_tokens: Option<usize>) -> Result<Self, TuningError> {
        let folder = BertFolder::open(path, max_tokens)?;
        let invalid = |file: &str, reason: String| TuningError::Folder { path: path.join(file), reason };
        for name in ["pooler.dense.weight", "pooler.dense.bias", "classifier.weight", "classifier.bias"] {
            if !folder.weights.contains_key(name) {
                return Err(invalid(WEIGHTS, format!("it has no weight `{name}`")));
            }
        }
        let [rows, biases] =
            ["weight", "bias"].map(|end| folder.weights[&format!("classifier.{end}")].size()[0]);
        let labels = labels(&folder.json).map_err(|reason| invalid(CONFIG, reason))?;
        if rows != biases || labels.len() as i64 != rows {
            let reason =
                format!("id2label has {} labels, the classifier {rows} rows, {biases} biases", labels.len());
            return Err(invalid(CONFIG, reason));
        }
        Ok(Self { model: of(folder), labels })
    }

    /// A new classifier of `labels`, at least two different ones, on the BERT in `path`; its pooler is kept where it has one.
    ///
    /// # Errors
    /// As [`SequenceClassifier::open`]'s, or the labels cannot be.
    pub fn begin(
        path: &Path,
        max_tokens: Option<usize>,
        labels: Vec<String>,
        seed: u64,
    ) -> Result<Self, TuningError> {
        let different: std::collections::HashSet<&String> = labels.iter().collect();
        if labels.len() < 2 || different.len() < labels.len() {
            let reason = format!("{} labels, {} of them different", labels.len(), different.len());
            return Err(TuningError::Data { reason });
        }
        let mut model = of(BertFolder::open(path, max_tokens)?);
        let mut rng = Stream::Head.of(seed);
        let config = model.bert.config.clone();
        Readout::Classifier.begin(&config, &mut model.bert.weights, [1, 0, labels.len() as i64], &mut rng);
        Ok(Self { model, labels })
    }

    /// Names of the classes, in the order of the answer.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Tune it: for `settings.head_epochs` pooler and classifier alone, then with as much of the encoder as `settings.depth` says.
    /// It learns on `device`. After an error it is no longer of use.
    ///
    /// # Errors
    /// Data that are not one text a row with one task of these labels; else as [`super::SentenceEncoder::tune`].
    pub fn tune(
        &mut self,
        data: &TuningData<'_>,
        settings: &TuningSettings,
        run: Option<&TuningRun>,
        device: Device,
        watch: Watch<'_>,
    ) -> Result<Tuned, TuningError> {
        if data.fields != 1
            || data.columns != 0
            || data.tasks.len() != 1
            || data.outputs() != self.labels.len()
        {
            let reason = format!(
                "a sequence classifier of {} labels takes one text and one task a row, not {} texts, {} numbers, {} tasks \
                 and {} classes",
                self.labels.len(),
                data.fields,
                data.columns,
                data.tasks.len(),
                data.outputs()
            );
            return Err(TuningError::Data { reason });
        }
        tune(&mut self.model, data, settings, run, device, watch)
    }

    /// Logits of the labels for each of `texts`, one behind the other.
    ///
    /// # Errors
    /// The tokenizer or libtorch failed.
    pub fn logits(&self, texts: &[&str]) -> Result<Vec<f32>, TuningError> {
        single_threaded();
        let Model { bert, pooling, readout, folder } = &self.model;
        let (tokens, which) = Texts::new(&folder.tokenizer, texts, bert.config.vocab_size)?;
        let columns = Tensor::zeros([1, 0], (Kind::Float, CPU));
        let mut all = Vec::new();
        for text in which {
            let vector = self.model.vector(&tokens, text);
            let answer = tch::no_grad(|| {
                readout.answers(bert, *pooling, &vector, &columns, &mut Dropout::default()).view([-1])
            });
            all.extend(Vec::<f32>::try_from(answer).map_err(failed)?);
        }
        Ok(all)
    }

    /// Write a folder that transformers reads as a `BertForSequenceClassification`, in the place of what was there, adapters
    /// merged, float32.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn save(&mut self, path: &Path) -> Result<(), TuningError> {
        self.model.bert.merge_adapters();
        let folder = NewFolder::begin(path)?;
        let by_id: Map<String, Value> =
            self.labels.iter().enumerate().map(|(id, label)| (id.to_string(), json!(label))).collect();
        let by_label: Map<String, Value> =
            self.labels.iter().enumerate().map(|(id, label)| (label.clone(), json!(id))).collect();
        let changed = [
            ("architectures", json!(["BertForSequenceClassification"])),
            ("id2label", Value::Object(by_id)),
            ("label2id", Value::Object(by_label)),
            ("problem_type", json!("single_label_classification")),
        ];
        folder
            .config(&self.model, changed.map(|(key, value)| (key.to_owned(), value)).into_iter().collect())?;
        let own = |name: &str| match name.starts_with("classifier.") {
            true => Some(name.to_owned()),
            false => Some(format!("bert.{name}")),
        };
        folder.model(&self.model, own)?;
        folder.finish()
    }
}

/// The model of a folder whose first token is read by pooler and classifier.
fn of(folder: BertFolder) -> Model {
    Model::new(folder, Pooling { pool: Pool::First, normalize: false }, Readout::Classifier)
}

/// The labels of `id2label`, in the order of their numbers.
fn labels(json: &Map<String, Value>) -> Result<Vec<String>, String> {
    let by_id = json.get("id2label").and_then(Value::as_object).ok_or("it has no id2label")?;
    (0..by_id.len())
        .map(|id| match by_id.get(&id.to_string()) {
            Some(Value::String(label)) => Ok(label.clone()),
            _ => Err(format!("id2label has no label {id}")),
        })
        .collect()
}
