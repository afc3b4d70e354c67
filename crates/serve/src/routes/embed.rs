//! `POST /embed`, as text-embeddings-inference has it, and what both forms of embedding requests share.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use utoipa::ToSchema;

use super::answer::json_answer;
use super::body::{Received, json as json_body};
use super::texts::Texts;
use crate::app::{App, Question};
use crate::guard::{Caller, Counts};
use crate::outside::{Embedded, Row};
use crate::queue::{Done, Work};
use crate::refusal::Refusal;

/// Texts to embed, in the form of text-embeddings-inference.
#[derive(serde::Deserialize, ToSchema)]
pub struct EmbedRequest {
    /// A text or a list of texts.
    #[schema(value_type = Vec<String>, example = json!(["A text"]))]
    inputs: Texts,
    /// Whether vectors are scaled to length 1; yes by default.
    normalize: Option<bool>,
    /// Whether of too long texts the beginning counts; yes by default. Else they are refused.
    truncate: Option<bool>,
    /// Only `right`: the end is cut.
    truncation_direction: Option<String>,
    /// Not supported.
    prompt_name: Option<String>,
    /// Only the vectors' own number of values.
    dimensions: Option<usize>,
    /// Name of a model or of its encoder; the first one where there is none.
    model: Option<String>,
}

const EXAMPLE: &str = r#"{"inputs": ["a text", "another"]}"#;

/// Embed texts, in the form of text-embeddings-inference.
#[utoipa::path(
    post, path = "/embed", request_body = EmbedRequest,
    responses((status = 200, description = "A list with a vector for each text"),
        (status = 422, description = "Not such a request"), (status = 404, description = "No such model"),
        (status = 429, description = "Too much waits; see Retry-After"))
)]
pub async fn embed(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    answer(&app, &caller, request).await.unwrap_or_else(|refusal| refusal.answer(caller.form))
}

async fn answer(app: &App, caller: &Caller, request: Request) -> Result<Response, Refusal> {
    let Received { value: asked, held: _held } = json_body::<EmbedRequest>(app, request, EXAMPLE).await?;
    let refused = |what: String, hint: &str| Err(Refusal::Invalid { what, hint: hint.to_owned() });
    if let Some(name) = &asked.prompt_name {
        return refused(
            format!("prompt_name = {name:?} is not supported"),
            "put the prompt before the texts",
        );
    }
    match asked.truncation_direction.as_deref() {
        None => {}
        Some(direction) if direction.eq_ignore_ascii_case("right") => {}
        Some(other) => {
            let what = format!("truncation_direction = {other:?} is not supported");
            return refused(what, "leave it out, or send \"right\"");
        }
    }
    let wanted = Embeddings {
        model: asked.model,
        texts: asked.inputs.0,
        normalize: asked.normalize.unwrap_or(true),
        truncate: asked.truncate.unwrap_or(true),
        dimensions: asked.dimensions,
    };
    let embedded = vectors(app, caller, wanted).await?;
    let all: Vec<&[f32]> = embedded.vectors.iter().map(|one| one.vector.as_slice()).collect();
    let tokens = embedded.vectors.iter().map(|one| one.tokens).sum();
    Ok(json_answer(&all, Counts { texts: all.len(), tokens, model: embedded.model }))
}

/// What either form asks for.
pub struct Embeddings {
    pub model: Option<String>,
    pub texts: Vec<String>,
    pub normalize: bool,
    pub truncate: bool,
    pub dimensions: Option<usize>,
}

/// The vectors, and whose they are.
pub struct Vectors {
    pub model: String,
    pub vectors: Vec<Embedded>,
}

/// The vectors of texts.
///
/// # Errors
/// There is no such model, it cannot embed, it is too much, or the model fails.
pub async fn vectors(app: &App, caller: &Caller, wanted: Embeddings) -> Result<Vectors, Refusal> {
    let Embeddings { model, texts, normalize, truncate, dimensions } = wanted;
    let models = app.models()?;
    let embeds = || models.iter().find(|served| served.answerer().encoder().is_some());
    let found = match &model {
        Some(_) => models.find(model.as_deref()),
        None => embeds().or_else(|| models.find(None)),
    };
    let unknown = || {
        let mut known: Vec<String> = models.names().into_iter().map(str::to_owned).collect();
        known.extend(models.iter().filter_map(|served| served.answerer().encoder().map(str::to_owned)));
        known.dedup();
        Refusal::UnknownModel { name: model.clone().unwrap_or_default(), known: known.join(", ") }
    };
    let served = found.ok_or_else(unknown)?;
    let answerer = served.answerer();
    if answerer.encoder().is_none() {
        let hint = "name a model with an encoder (/info)".to_owned();
        return Err(Refusal::CannotDo { name: served.name.clone(), cannot: "has no encoder", hint });
    }
    app.check_texts(texts.len())?;
    let mut whole = Vectors { model: model.unwrap_or_else(|| served.name.clone()), vectors: Vec::new() };
    if texts.is_empty() {
        return Ok(whole);
    }
    let rows: Vec<Row> = texts.into_iter().map(Row::Text).collect();
    let costs = rows.iter().map(|row| answerer.tokens(row).max(1)).collect();
    let text = |row| if let Row::Text(text) = row { text } else { String::new() };
    let work = Work::Embed { texts: rows.into_iter().map(text).collect(), normalize };
    let most = answerer.max_tokens();
    let question = Question { model: &served.name, queue: &served.queue, answerer, work, costs };
    whole.vectors = match app.ask(caller.client, question).await? {
        Done::Embeddings(vectors) => vectors,
        Done::Answers(_) => return Err(Refusal::Internal { what: "the queue" }),
    };
    if let (false, Some(place)) = (truncate, whole.vectors.iter().position(|one| one.truncated)) {
        return Err(Refusal::TooLong { place, most });
    }
    let dims = whole.vectors.first().map_or(0, |one| one.vector.len());
    match dimensions {
        Some(asked) if asked != dims => Err(Refusal::Invalid {
            what: format!("dimensions = {asked} cannot be had"),
            hint: format!("the model's vectors have {dims} values; leave `dimensions` out"),
        }),
        _ => Ok(whole),
    }
}
