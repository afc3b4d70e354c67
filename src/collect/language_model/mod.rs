//! New labelled rows from a language model: prompts drawn from a declared task, asked of an OpenAI-compatible endpoint within a
//! budget, kept so that a run can go on and be replayed, and checked row by row. Files of the dataset and training stay out.

mod answer;
mod budget;
mod classify;
mod client;
mod counts;
mod dialect;
mod draw;
mod error;
#[cfg(test)]
mod fault_server;
mod generate;
mod generation;
mod kept;
mod lenient;
mod limits;
mod line;
mod paraphrase;
mod pause;
mod plan;
mod prompt;
mod repair;
mod reply;
mod request;
mod rules;
mod settings;
mod state;
mod task;

pub use budget::{Budget, Estimate};
pub use classify::{Classified, Labels, Unlabelled};
pub use client::{Asking, Client};
pub use counts::{Counts, Ended};
pub use error::{CollectError, Failure};
pub use generation::Generation;
pub use kept::Kept;
pub use limits::{Limits, Prices, Tokens};
pub use paraphrase::{Paraphrases, Source};
pub use pause::RealTime;
pub use plan::{Origin, Planned};
pub use prompt::{Example, Prompts};
pub use rules::Field;
pub use settings::{EndpointSettings, Key};
pub use state::Finished;
pub use task::{Attribute, Class, Task};
