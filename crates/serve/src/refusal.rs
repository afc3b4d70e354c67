//! Requests that are not answered: why, what to do about it, and the three ways of saying so that clients know.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::queue::Failure;

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The body is no JSON, or not what is asked for.
    #[error("{what}")]
    Invalid {
        /// What is wrong, where, and the value.
        what: String,
        /// What to send instead.
        hint: String,
    },
    /// The body is of another type.
    #[error("the body's content type is {found}")]
    ContentType {
        /// Its type, or that it has none.
        found: String,
    },
    /// There is no such model.
    #[error("there is no model {name:?}")]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// The model cannot do what is asked.
    #[error("the model {name:?} {cannot}")]
    CannotDo {
        /// Its name.
        name: String,
        /// What it cannot do.
        cannot: &'static str,
        /// Which can.
        hint: String,
    },
    /// There is no such address.
    #[error("there is nothing at {method} {path}")]
    UnknownRoute {
        /// The method.
        method: String,
        /// The path, shortened.
        path: String,
    },
    /// It is more than one request may have.
    #[error("the request has {found} {unit}, and one may have {most}")]
    TooLarge {
        /// What it has.
        found: String,
        /// The limit.
        most: usize,
        /// Of what.
        unit: &'static str,
        /// Where the limit is set.
        setting: &'static str,
    },
    /// A text is longer than the model reads, and it was not to be cut.
    #[error("text {place} is longer than the {most} tokens that the model reads")]
    TooLong {
        /// Its place, counted from 0.
        place: usize,
        /// Tokens that the model reads.
        most: usize,
    },
    /// The queue has no room.
    #[error("{waiting} tokens wait already, and {most} may")]
    Busy {
        /// Tokens that wait.
        waiting: usize,
        /// Tokens that may.
        most: usize,
        /// When to ask again.
        retry_after_s: u64,
    },
    /// The bodies of the requests in work take all the memory that they may.
    #[error("the requests in work have {most} bytes, which is what they may have")]
    Crowded {
        /// The limit.
        most: usize,
    },
    /// No key, or an unknown one.
    #[error("{what}")]
    Unauthorized {
        /// Which of both.
        what: &'static str,
    },
    /// A name of this server that it does not go by.
    #[error("this server is not called {host:?}")]
    Host {
        /// The Host header.
        host: String,
    },
    /// The body did not come in time.
    #[error("the body was not here after {seconds} s")]
    SlowBody {
        /// The limit.
        seconds: f64,
    },
    /// The connection broke while the body came.
    #[error("the body broke off")]
    BrokenBody,
    /// The answer was not there in time.
    #[error("there was no answer after {seconds} s")]
    SlowAnswer {
        /// The limit.
        seconds: f64,
    },
    /// The server stops, or is not ready.
    #[error("{what}")]
    Unavailable {
        /// Why.
        what: String,
    },
    /// The model failed.
    #[error("the model failed: {reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
    /// A fault of this server.
    #[error("{what} failed")]
    Internal {
        /// What.
        what: &'static str,
    },
}

/// How a route's clients want to be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// `{"error": {"message", "type", "code"}}`, as OpenAI; also for this server's own routes.
    OpenAi,
    /// `{"error", "error_type"}`, as text-embeddings-inference.
    Tei,
}

impl Form {
    /// Of the route with this path.
    pub fn of(path: &str) -> Self {
        if matches!(path, "/embed" | "/") { Self::Tei } else { Self::OpenAi }
    }
}

impl Refusal {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Invalid { hint, .. } | Self::CannotDo { hint, .. } => hint.clone(),
            Self::ContentType { .. } => {
                "send JSON with the header `Content-Type: application/json`".to_owned()
            }
            Self::UnknownModel { known, .. } => format!("there are {known}"),
            Self::UnknownRoute { .. } => "/docs lists what there is".to_owned(),
            Self::TooLarge { setting, .. } => {
                format!("send less at once, or raise serve.{setting} where the server is started")
            }
            Self::TooLong { .. } => {
                "shorten it, or send \"truncate\": true to have its beginning count".to_owned()
            }
            Self::Busy { retry_after_s, .. } => format!("ask again after {retry_after_s} s"),
            Self::Crowded { .. } => "ask again in a moment, or raise serve.bodies_bytes".to_owned(),
            Self::Unauthorized { .. } => "send the header `Authorization: Bearer KEY`".to_owned(),
            Self::Host { .. } => {
                "ask localhost or 127.0.0.1, or name it in serve.hosts where the server is started".to_owned()
            }
            Self::SlowBody { .. } => "send it faster, or raise serve.body_timeout_s".to_owned(),
            Self::SlowAnswer { .. } => "send less at once, or raise serve.request_timeout_s".to_owned(),
            Self::Unavailable { .. } => "ask again in a moment".to_owned(),
            Self::Failed { .. } | Self::Internal { .. } => {
                "the server's log says more, under the request's id".to_owned()
            }
            Self::BrokenBody => return None,
        })
    }

    /// The status of the answer, in a form.
    pub fn status(&self, form: Form) -> StatusCode {
        match self {
            Self::Invalid { .. } | Self::TooLong { .. } | Self::CannotDo { .. } => match form {
                Form::OpenAi => StatusCode::BAD_REQUEST,
                Form::Tei => StatusCode::UNPROCESSABLE_ENTITY,
            },
            Self::BrokenBody => StatusCode::BAD_REQUEST,
            Self::ContentType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::UnknownModel { .. } | Self::UnknownRoute { .. } => StatusCode::NOT_FOUND,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy { .. } | Self::Crowded { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            Self::Host { .. } => StatusCode::MISDIRECTED_REQUEST,
            Self::SlowBody { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::SlowAnswer { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed { .. } | Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid_request",
            Self::ContentType { .. } => "unsupported_content_type",
            Self::UnknownModel { .. } => "model_not_found",
            Self::CannotDo { .. } => "unsupported_by_model",
            Self::UnknownRoute { .. } => "not_found",
            Self::TooLarge { .. } => "request_too_large",
            Self::TooLong { .. } => "text_too_long",
            Self::Busy { .. } => "queue_full",
            Self::Crowded { .. } => "too_many_bytes",
            Self::Unauthorized { .. } => "invalid_api_key",
            Self::Host { .. } => "unknown_host",
            Self::SlowBody { .. } => "body_timeout",
            Self::BrokenBody => "body_incomplete",
            Self::SlowAnswer { .. } => "timeout",
            Self::Unavailable { .. } => "unavailable",
            Self::Failed { .. } => "model_failed",
            Self::Internal { .. } => "internal",
        }
    }

    fn body(&self, form: Form) -> Value {
        let hint = self.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        let message = format!("{self}{hint}");
        match form {
            Form::OpenAi => {
                let kind = match self.status(form).as_u16() {
                    401 => "authentication_error",
                    429 => "rate_limit_error",
                    500.. => "server_error",
                    _ => "invalid_request_error",
                };
                json!({ "error": { "message": message, "type": kind, "code": self.code() } })
            }
            Form::Tei => {
                let kind = match self.status(form).as_u16() {
                    429 => "overloaded",
                    503 => "unhealthy",
                    500.. => "backend",
                    _ => "validation",
                };
                json!({ "error": message, "error_type": kind })
            }
        }
    }

    /// The answer that says so.
    pub fn answer(&self, form: Form) -> Response {
        let body = self.body(form).to_string();
        let json = HeaderValue::from_static("application/json");
        let mut response = (self.status(form), [(CONTENT_TYPE, json)], body).into_response();
        match self {
            Self::Busy { retry_after_s, .. } => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*retry_after_s));
            }
            Self::Unavailable { .. } | Self::Crowded { .. } => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(1));
            }
            Self::Unauthorized { .. } => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        let reason = match self {
            Self::Failed { reason } => Some(reason.clone()),
            _ => None,
        };
        response.extensions_mut().insert(Refused { code: self.code(), reason });
        response
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Model(reason) => Self::Failed { reason },
            Failure::Panicked => {
                Self::Failed { reason: "it panicked on a batch with this request".to_owned() }
            }
            Failure::Closed => Self::Unavailable { what: "the server stops".to_owned() },
        }
    }
}

/// A refusal on its answer, for the log.
#[derive(Clone)]
pub struct Refused {
    /// Its word for programs.
    pub code: &'static str,
    /// What a model said.
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_what_its_clients_read() {
        let busy = Refusal::Busy { waiting: 5, most: 6, retry_after_s: 7 };
        let response = busy.answer(Form::OpenAi);
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "7");
        let error = &busy.body(Form::OpenAi)["error"];
        assert_eq!(error["type"], "rate_limit_error");
        assert_eq!(error["code"], "queue_full");
        assert_eq!(error["message"], "5 tokens wait already, and 6 may; ask again after 7 s");
        let tei = busy.body(Form::Tei);
        assert_eq!(tei["error_type"], "overloaded");
        assert!(tei["error"].is_string());
    }

    #[test]
    fn what_is_invalid_has_the_status_of_its_form() {
        let invalid = Refusal::Invalid { what: "a".into(), hint: "b".into() };
        assert_eq!(invalid.status(Form::of("/v1/embeddings")), 400);
        assert_eq!(invalid.status(Form::of("/predict")), 400);
        assert_eq!(invalid.status(Form::of("/embed")), 422);
    }
}
