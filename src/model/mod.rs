//! A saved model: its files, the record of one that is kept, and [`Predictor`], which answers rows and texts with it; and why it
//! answers so.

mod answered;
mod answers;
mod card;
mod check;
mod explain;
mod files;
mod predictor;
mod run;

pub use answered::{Answer, Answered, Cell, Column, Form, Layout, TaskAnswer, answered, json_of};
pub use answers::{Answers, answers};
pub use card::{Calibration, EncoderCard, FORMAT, ModelCard, OLDEST_FORMAT};
pub use explain::{
    Contributions, ExplainSettings, Explanation, MOST_PLAYERS, Neighbour, Part, Share, Word, coalitions,
    explain, shapley,
};
pub use files::{
    ModelFiles, PredictError, REPORT, load_calibration, load_card, load_evaluation, load_head, load_inputs,
    load_novelty, load_tensors,
};
pub use predictor::{Places, Predicted, Predictor, encoders_of};
pub use run::{Run, RunFigures};
