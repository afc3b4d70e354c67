//! Which address answers what, and what all requests go through.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;

use super::{docs, embed, health, openai, page, predict};
use crate::app::App;
use crate::guard::{Caller, guard};
use crate::refusal::{Form, Refusal};

/// What all requests go through.
pub fn router(app: &Arc<App>) -> Router {
    let router = Router::new()
        .route("/", get(page::page).post(embed::embed))
        .route("/page.js", get(page::script))
        .route("/table.js", get(page::table))
        .route("/why.js", get(page::why))
        .route("/page.css", get(page::style))
        .route("/docs", get(docs::docs))
        .route("/docs.js", get(docs::script))
        .route("/openapi.json", get(docs::openapi))
        .route("/predict", post(predict::predict))
        .route("/embed", post(embed::embed))
        .route("/v1/embeddings", post(openai::embeddings))
        .route("/v1/models", get(openai::models))
        .route("/info", get(health::info))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/health", get(health::ready))
        .route("/metrics", get(health::metrics))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nothing_here)
        .with_state(app.clone())
        .layer(CatchPanicLayer::custom(|_| Refusal::Internal { what: "the answer" }.answer(Form::OpenAi)))
        .layer(from_fn_with_state(app.clone(), guard));
    match cors(&app.settings.origins) {
        Some(layer) => router.layer(layer),
        None => router,
    }
}

fn cors(origins: &[String]) -> Option<CorsLayer> {
    use axum::http::{Method, header};
    let allowed: Vec<_> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION]);
    (!allowed.is_empty()).then(|| layer.allow_origin(allowed))
}

async fn nothing_here(caller: Option<Extension<Caller>>, request: Request) -> Response {
    refuse(caller.as_deref(), unknown(&request))
}

async fn wrong_method(caller: Option<Extension<Caller>>, request: Request) -> Response {
    let mut response = refuse(caller.as_deref(), unknown(&request));
    *response.status_mut() = axum::http::StatusCode::METHOD_NOT_ALLOWED;
    response
}

fn unknown(request: &Request) -> Refusal {
    let path = request.uri().path().chars().take(100).collect();
    Refusal::UnknownRoute { method: request.method().to_string(), path }
}

fn refuse(caller: Option<&Caller>, refusal: Refusal) -> Response {
    refusal.answer(caller.map_or(Form::OpenAi, |caller| caller.form))
}
