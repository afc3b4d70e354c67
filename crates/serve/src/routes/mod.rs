//! The addresses of the server and what each answers.

mod answer;
mod body;
mod docs;
mod embed;
mod health;
mod openai;
mod page;
mod predict;
mod router;
mod texts;

pub use router::router;
