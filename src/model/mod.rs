//! A saved model: its files, the record of one that is kept, and [`Predictor`], which answers rows and texts with it.

mod answers;
mod files;
mod predictor;
mod run;

pub use answers::{Answers, answers};
pub use files::{
    Calibration, EncoderCard, FORMAT, ModelCard, ModelFiles, PredictError, load_calibration, load_card,
    load_evaluation, load_head, load_inputs,
};
pub use predictor::{Places, Predicted, Predictor};
pub use run::{Run, RunFigures};
