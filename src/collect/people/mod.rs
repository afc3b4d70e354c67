//! Labels by people: tasks out, answers in, merged by Dawid and Skene's method, and whom to ask again.

mod again;
mod agreement;
mod answered;
mod answers;
mod answers_csv;
mod answers_json;
mod dawid_skene;
mod people_error;
mod said;
mod tasks;
mod votes;

pub use again::{AskSettings, ask_again};
pub use agreement::{accuracies, pairs};
pub use answered::{Annotator, Answered, AskAgain, Pair};
pub use answers::{AnswerFile, read_answers};
pub use dawid_skene::{DawidSkene, Merged, merge};
pub use people_error::PeopleError;
pub use tasks::{TaskRow, Tasks};
pub use votes::Votes;
