//! Why a row has its label: what each of its words, fields and columns adds to the log-odds of the class.

mod explanation;
mod players;
mod shapley;

pub use explanation::{ExplainSettings, Explanation, Neighbour, Part, Word, explain};
pub use players::MOST_PLAYERS;
pub use shapley::{Contributions, Share, coalitions, shapley};
