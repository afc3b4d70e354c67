//! The page at `/`: try a text, label a table. It loads nothing from elsewhere.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};

/// Scripts and styles of this server, requests to it, and nothing else.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                          base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of a page.
pub fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

pub async fn page() -> Response {
    asset("text/html; charset=utf-8", include_str!("../page/page.html"))
}

pub async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../page/page.js"))
}

pub async fn table() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../page/table.js"))
}

pub async fn why() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../page/why.js"))
}

pub async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("../page/page.css"))
}
