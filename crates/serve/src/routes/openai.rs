//! `POST /v1/embeddings` and `GET /v1/models`, as OpenAI's interface has them.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::answer::json_answer;
use super::body::{Received, json as json_body};
use super::embed::{Embeddings, vectors};
use super::texts::Texts;
use crate::app::App;
use crate::guard::{Caller, Counts};
use crate::refusal::Refusal;

/// Texts to embed, in OpenAI's form.
#[derive(serde::Deserialize, ToSchema)]
pub struct EmbeddingsRequest {
    /// Name of a model or of its encoder; the first one where there is none.
    model: Option<String>,
    /// A text or a list of texts.
    #[schema(value_type = Vec<String>, example = json!(["A text"]))]
    input: Texts,
    /// How the vectors are written: `float`, or `base64` of little-endian 32-bit floats.
    #[serde(default)]
    encoding_format: Encoding,
    /// Only the vectors' own number of values.
    dimensions: Option<usize>,
}

#[derive(Clone, Copy, Default, PartialEq, serde::Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Float,
    Base64,
}

const EXAMPLE: &str = r#"{"model": "NAME", "input": ["a text", "another"]}"#;

/// Embed texts, in OpenAI's form.
#[utoipa::path(
    post, path = "/v1/embeddings", request_body = EmbeddingsRequest,
    responses((status = 200, description = "`data`: an `embedding` for each text, with its `index`; `model`; `usage`"),
        (status = 400, description = "Not such a request"), (status = 404, description = "No such model"),
        (status = 429, description = "Too much waits; see Retry-After"))
)]
pub async fn embeddings(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    answer(&app, &caller, request).await.unwrap_or_else(|refusal| refusal.answer(caller.form))
}

async fn answer(app: &App, caller: &Caller, request: Request) -> Result<Response, Refusal> {
    let Received { value: asked, held: _held } =
        json_body::<EmbeddingsRequest>(app, request, EXAMPLE).await?;
    let EmbeddingsRequest { model, input: Texts(texts), encoding_format, dimensions } = asked;
    let wanted = Embeddings { model, texts, normalize: true, truncate: true, dimensions };
    let embedded = vectors(app, caller, wanted).await?;
    let data: Vec<Datum<'_>> = embedded
        .vectors
        .iter()
        .enumerate()
        .map(|(index, one)| Datum {
            object: "embedding",
            index,
            embedding: match encoding_format {
                Encoding::Float => Written::Float(&one.vector),
                Encoding::Base64 => Written::Base64(base64(&one.vector)),
            },
        })
        .collect();
    let tokens: usize = embedded.vectors.iter().map(|one| one.tokens).sum();
    let usage = Usage { prompt_tokens: tokens, total_tokens: tokens };
    let whole = List { object: "list", data: &data, model: &embedded.model, usage };
    let counts = Counts { texts: data.len(), tokens, model: embedded.model.clone() };
    Ok(json_answer(&whole, counts))
}

/// The models that can be named.
#[utoipa::path(get, path = "/v1/models", responses((status = 200, description = "`data`: an object with `id` for each")))]
pub async fn models(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Response {
    let models = match app.models() {
        Ok(models) => models,
        Err(refusal) => return refusal.answer(caller.form),
    };
    let mut names: Vec<String> = models.names().into_iter().map(str::to_owned).collect();
    for encoder in models.iter().filter_map(|served| served.answerer().encoder().map(str::to_owned)) {
        if !names.contains(&encoder) {
            names.push(encoder);
        }
    }
    let data: Vec<_> = names
        .iter()
        .map(|id| json!({ "id": id, "object": "model", "created": 0, "owned_by": "pipeline" }))
        .collect();
    json_answer(&json!({ "object": "list", "data": data }), Counts::default())
}

fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: &'a [Datum<'a>],
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

#[derive(Serialize)]
struct Datum<'a> {
    object: &'static str,
    index: usize,
    embedding: Written<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Float(&'a [f32]),
    Base64(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_little_endian_floats() {
        // 1.0 is 0x3f800000, and -2.0 is 0xc0000000.
        assert_eq!(STANDARD.decode(base64(&[1.0, -2.0])).unwrap(), [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
    }
}
