//! What the server asks of the rest: a model that answers, and where a model comes from.

use std::sync::Arc;

use serde_json::{Map, Value};

/// One row of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// A text that stands in each of the model's text fields, as `predict --text`.
    Text(String),
    /// Values by the names of their columns, as a line of JSON lines; `null` is an empty cell.
    Fields(Map<String, Value>),
}

/// What a model says of one task beside the label.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskAnswer {
    /// The column that the task predicts.
    pub name: String,
    /// The likeliest class.
    pub label: String,
    /// Its probability, in `[0, 1]`.
    pub probability: f64,
}

/// What a model says of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The class that answers, as a place in [`Answerer::classes`]; not always the likeliest one.
    pub best: usize,
    /// The calibrated probability of each class, in the order of [`Answerer::classes`].
    pub probabilities: Vec<f64>,
    /// The tasks, in the model's order.
    pub tasks: Vec<TaskAnswer>,
    /// The numbers behind the label by their names; empty where the model has not learned them.
    pub range: Vec<(String, f64)>,
    /// Whether the row is unlike those of the training; `None` where the model cannot tell.
    pub unlike_training: Option<bool>,
    /// Why, as `predict --explain` writes it; `None` where that was not asked.
    pub explanation: Option<Value>,
}

/// The embedding of one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// Its vector, as many values as for every other text.
    pub vector: Vec<f32>,
    /// Tokens that were computed.
    pub tokens: usize,
    /// Whether the text was longer than [`Answerer::max_tokens`], so that only its beginning counted.
    pub truncated: bool,
}

/// What a model says instead of answers: the failure of a whole batch. The message is shown to clients and logged, so that no text of a
/// row may be in it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AnswerError(pub String);

/// A loaded model. The server asks it on threads of its own, several at once where it is told to have several.
pub trait Answerer: Send + Sync {
    /// The text fields that it reads; one of its own naming where it is an encoder only.
    fn text_fields(&self) -> &[String];
    /// All columns that it reads, the text fields among them.
    fn columns(&self) -> &[String];
    /// The classes of the label; none where it only embeds.
    fn classes(&self) -> &[String];
    /// The name under which clients ask for its embeddings beside the model's own; none where it cannot embed.
    fn encoder(&self) -> Option<&str>;
    /// Tokens of a text that count.
    fn max_tokens(&self) -> usize;
    /// What `/info` says of it. No row of the training may be in it.
    fn info(&self) -> Value;
    /// About how many tokens a row will take, at least 1; cheap, for it is asked on the threads that serve connections.
    fn tokens(&self, row: &Row) -> usize;
    /// The answer to each row in order, or why it has none, as `predict` says it.
    ///
    /// # Errors
    /// The whole batch failed.
    fn predict(&self, rows: &[&Row]) -> Result<Vec<Result<Answer, String>>, AnswerError>;
    /// About how many tokens it takes to explain the answer to a row over so many `samples` (orders in which its words and columns are put
    /// together), at least 1; as cheap as [`Answerer::tokens`].
    fn tokens_to_explain(&self, row: &Row, samples: usize) -> usize;
    /// The answer to a row with its explanation over so many `samples`, or why it has none. It gives up soon after `stop` says so: then
    /// nobody waits for what it returns.
    ///
    /// # Errors
    /// The model failed, or gave up.
    fn explain(
        &self,
        row: &Row,
        samples: usize,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Result<Answer, String>, AnswerError>;
    /// The embedding of each text in order, scaled to length 1 where `normalize`.
    ///
    /// # Errors
    /// The whole batch failed.
    fn embed(&self, texts: &[&str], normalize: bool) -> Result<Vec<Embedded>, AnswerError>;
}

/// Where a model comes from, so that it can be loaded again.
pub trait Source: Send + Sync {
    /// The name that clients ask for.
    fn name(&self) -> &str;
    /// What changes whenever the model's files do; it is asked every few seconds.
    ///
    /// # Errors
    /// The files cannot be looked at.
    fn fingerprint(&self) -> Result<String, AnswerError>;
    /// Load it.
    ///
    /// # Errors
    /// It is missing or broken.
    fn load(&self) -> Result<Arc<dyn Answerer>, AnswerError>;
}
