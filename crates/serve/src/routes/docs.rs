//! What the addresses take and answer: as OpenAPI, and as a page.

use axum::response::Response;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::answer::json_answer;
use super::page::asset;
use super::{embed, health, openai, predict};
use crate::guard::Counts;

#[derive(OpenApi)]
#[openapi(
    info(title = "pipeline", description = "Labels and embeddings of texts"),
    paths(
        predict::predict,
        embed::embed,
        openai::embeddings,
        openai::models,
        health::info,
        health::live,
        health::ready,
        health::metrics
    ),
    modifiers(&Keyed)
)]
struct Description;

struct Keyed;

impl Modify for Keyed {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let components = description.components.get_or_insert_with(Default::default);
        components.add_security_scheme("key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

pub async fn openapi() -> Response {
    json_answer(&Description::openapi(), Counts::default())
}

pub async fn docs() -> Response {
    asset("text/html; charset=utf-8", include_str!("../page/docs.html"))
}

pub async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../page/docs.js"))
}
