//! The HTTP server: labels and embeddings of texts for many clients at once.
//!
//! Connections are served on a few threads; models are asked on threads of their own, in batches across clients (`queue`).
//! What a model is and where it comes from is the caller's ([`outside`]).

mod app;
mod connection;
mod error;
mod guard;
mod handle;
mod keys;
mod log;
mod metrics;
mod models;
pub mod outside;
mod queue;
mod refusal;
mod request_id;
mod routes;
mod server;
mod settings;
mod signals;

pub use error::ServeError;
pub use handle::Handle;
pub use log::{Level, Log, quiet_panics};
pub use server::Server;
pub use settings::ServeSettings;
