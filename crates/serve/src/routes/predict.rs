//! `POST /predict`: labels of texts or rows, as `pipeline predict` gives them.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::answer::{Answers, Line, json_answer, tally};
use super::body::{Received, json as json_body};
use crate::app::{App, Question};
use crate::guard::{Caller, Counts};
use crate::outside::{Answerer, Row};
use crate::queue::{Done, Work};
use crate::refusal::Refusal;

/// Texts or rows to label.
#[derive(serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictRequest {
    /// Name of the model; the first one where there is none.
    model: Option<String>,
    /// Texts; with several text fields each stands in all of them. `null` is a blank one.
    #[schema(value_type = Option<Vec<String>>, example = json!(["My invoice is wrong"]))]
    texts: Option<Vec<Option<String>>>,
    /// Rows: an object of column names and values each. Columns that are missing count as empty.
    #[schema(value_type = Option<Vec<Object>>)]
    rows: Option<Vec<Map<String, Value>>>,
    /// Give no label to answers less probable than this, from 0 to 1.
    #[schema(minimum = 0.0, maximum = 1.0)]
    abstain_below: Option<f64>,
    /// Say why: what each word, field and column adds to the log-odds of the label. It takes as long as a thousand answers and counts as
    /// as many tokens.
    explain: Option<bool>,
    /// Orders in which words and columns are put together for that, from 4 to 1024; 32 where nothing is said.
    #[schema(minimum = 4, maximum = 1024)]
    explain_samples: Option<usize>,
}

/// Orders in which words and columns are put together where nothing is said, as in `predict --explain-samples`.
const SAMPLES: usize = 32;

const EXAMPLE: &str = r#"{"texts": ["My invoice is wrong"]} or {"rows": [{"title": "Invoice"}]}"#;

/// Label texts or rows.
#[utoipa::path(
    post, path = "/predict", request_body = PredictRequest,
    responses(
        (status = 200, description = "`model`, `answers` in the order of the texts, and `notes`. An answer has `line` (from 1), \
            `label`, `probability`, `probabilities` of all classes, `unlike_training`, and, where the model has them, `range` \
            `tasks` and `explanation`; without a label `label` is null and `reason` says why."),
        (status = 400, description = "Not such a request"), (status = 404, description = "No such model"),
        (status = 429, description = "Too much waits; see Retry-After")
    )
)]
pub async fn predict(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    answer(&app, &caller, request).await.unwrap_or_else(|refusal| refusal.answer(caller.form))
}

async fn answer(app: &App, caller: &Caller, request: Request) -> Result<Response, Refusal> {
    let Received { value: asked, held: _held } = json_body::<PredictRequest>(app, request, EXAMPLE).await?;
    let invalid = |what: &str| Refusal::Invalid { what: what.to_owned(), hint: format!("send {EXAMPLE}") };
    let below = asked.abstain_below.unwrap_or(0.0);
    if !(0.0..=1.0).contains(&below) {
        return Err(invalid(&format!("abstain_below = {below} is no share from 0 to 1")));
    }
    let samples = match (asked.explain.unwrap_or(false), asked.explain_samples) {
        (false, Some(_)) => return Err(invalid("the request has explain_samples without \"explain\": true")),
        (true, Some(samples)) if !(4..=1024).contains(&samples) => {
            return Err(invalid(&format!("explain_samples = {samples} is not from 4 to 1024")));
        }
        (true, samples) => Some(samples.unwrap_or(SAMPLES)),
        (false, None) => None,
    };
    let served = app.models()?.find(asked.model.as_deref());
    let unknown = || Refusal::UnknownModel {
        name: asked.model.clone().unwrap_or_default(),
        known: app.models().map(|models| models.names().join(", ")).unwrap_or_default(),
    };
    let served = served.ok_or_else(unknown)?;
    let answerer = served.answerer();
    if answerer.classes().is_empty() {
        let hint = "ask /embed or /v1/embeddings, or name a model with classes (/info)".to_owned();
        let name = served.name.clone();
        return Err(Refusal::CannotDo { name, cannot: "is an encoder and has no labels", hint });
    }
    let mut notes = Vec::new();
    let rows: Vec<Row> = match (asked.texts, asked.rows) {
        (Some(texts), None) => texts.into_iter().map(|text| Row::Text(text.unwrap_or_default())).collect(),
        (None, Some(rows)) => {
            notes.extend(missing_columns(answerer.as_ref(), &rows)?);
            rows.into_iter().map(Row::Fields).collect()
        }
        (Some(_), Some(_)) => return Err(invalid("the request has texts and rows; one of them is asked")),
        (None, None) => return Err(invalid("the request has neither texts nor rows")),
    };
    app.check_texts(rows.len())?;
    let cost = |row| match samples {
        Some(samples) => answerer.tokens_to_explain(row, samples),
        None => answerer.tokens(row),
    };
    let costs: Vec<usize> = rows.iter().map(|row| cost(row).max(1)).collect();
    let counts = Counts { texts: rows.len(), tokens: costs.iter().sum(), model: served.name.clone() };
    let answers = match rows.is_empty() {
        true => Vec::new(),
        false => {
            let (work, queue) = match samples {
                Some(samples) => (Work::Explain { rows, samples }, &served.explaining),
                None => (Work::Predict(rows), &served.queue),
            };
            let question = Question { model: &served.name, queue, answerer: answerer.clone(), work, costs };
            match app.ask(caller.client, question).await? {
                Done::Answers(answers) => answers,
                Done::Embeddings(_) => return Err(Refusal::Internal { what: "the queue" }),
            }
        }
    };
    let classes = answerer.classes();
    app.metrics.answered(&served.name, classes, &tally(&answers, classes.len(), below));
    let lines: Vec<Line<'_>> =
        (1..).zip(&answers).map(|(line, answer)| Line { line, answer, classes, below }).collect();
    let whole = Answers { model: &served.name, answers: &lines, notes: &notes };
    Ok(json_answer(&whole, counts))
}

/// What the rows lack of the model's columns.
fn missing_columns(answerer: &dyn Answerer, rows: &[Map<String, Value>]) -> Result<Option<String>, Refusal> {
    let has = |row: &Map<String, Value>, name: &str| {
        row.contains_key(name) || row.keys().any(|key| key.to_lowercase() == name.to_lowercase())
    };
    let lacks = |name: &&String| rows.iter().any(|row| !has(row, name));
    let texts = answerer.text_fields();
    let without = rows.iter().position(|row| !texts.iter().any(|name| has(row, name)));
    if let Some(place) = without {
        let names: Vec<&str> = rows[place].keys().map(String::as_str).take(20).collect();
        let what = format!("rows[{place}] has none of the model's text columns, only [{}]", names.join(", "));
        let near = names.iter().find_map(|name| {
            let close =
                |text: &&String| strsim::damerau_levenshtein(&name.to_lowercase(), &text.to_lowercase()) <= 2;
            texts.iter().find(close).map(|text| format!("; `{name}` may be `{text}`"))
        });
        let hint = format!("the text columns are {}{}", texts.join(", "), near.unwrap_or_default());
        return Err(Refusal::Invalid { what, hint });
    }
    let missing: Vec<&str> = answerer.columns().iter().filter(lacks).map(String::as_str).collect();
    let note = || format!("rows lack {}; empty is taken", missing.join(", "));
    Ok((!missing.is_empty()).then(note))
}
