//! What watches the server: `/info`, `/livez`, `/readyz`, `/metrics`.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answer::json_answer;
use crate::app::App;
use crate::guard::{Caller, Counts};

/// The process runs.
#[utoipa::path(get, path = "/livez", responses((status = 200, description = "The process runs")))]
pub async fn live() -> Response {
    json_answer(&json!({ "status": "alive" }), Counts::default())
}

/// Every model is loaded and answers.
#[utoipa::path(get, path = "/readyz", responses((status = 200, description = "Every model has answered"),
    (status = 503, description = "Models are being loaded, one hangs, or the server stops")))]
pub async fn ready(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Response {
    match app.ready() {
        Ok(()) => json_answer(&json!({ "status": "ready" }), Counts::default()),
        Err(refusal) => refusal.answer(caller.form),
    }
}

/// What is served, and within which limits.
#[utoipa::path(get, path = "/info", responses((status = 200, description = "`models`, each with its columns and classes, and `limits`")))]
pub async fn info(State(app): State<Arc<App>>) -> Response {
    let models: Vec<Value> =
        app.models().map(|models| models.iter().map(|m| m.info()).collect()).unwrap_or_default();
    let settings = &app.settings;
    let info = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": app.began.elapsed().as_secs(),
        "ready": app.ready().is_ok(),
        "models": models,
        "limits": {
            "body_bytes": settings.body_bytes,
            "request_texts": settings.request_texts,
            "request_tokens": settings.request_tokens,
            "queue_tokens": settings.queue_tokens,
            "request_timeout_s": settings.request_timeout_s,
        },
    });
    json_answer(&info, Counts::default())
}

/// Counters for Prometheus.
#[utoipa::path(get, path = "/metrics", responses((status = 200, description = "Prometheus' text form")))]
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    if let Ok(models) = app.models() {
        models.iter().for_each(|served| app.metrics.queue(&served.name, served.load_now()));
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.text()).into_response()
}
