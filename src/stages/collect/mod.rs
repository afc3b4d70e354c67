//! Candidates on disk: what the gate says of them, the accepted ones to the data, and what they are worth.

mod accept;
mod ask;
mod batches;
mod candidate_file;
mod generate;
mod opinions;
mod records;
mod review;
mod scrape;
mod worth;

pub use accept::{AcceptSettings, accept};
pub use ask::{AnswersOptions, AskOptions, Asked, answers, ask};
pub use generate::{GenerateSettings, Generated, generate, paraphrase};
pub use review::review;
pub use scrape::{ScrapeSettings, scrape};
pub use worth::worth;
