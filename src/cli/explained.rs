//! `pipeline predict --explain`: why each row has its label.

use clap::Args;

use super::args::ModelArgs;
use super::progress::Terminal;
use crate::model::{ModelFiles, Predictor};
use crate::progress::Progress;
use crate::stages::{Explainer, LearnedRows, learned_rows};

#[derive(Args)]
pub struct ExplainArgs {
    /// Say why: what each word, field and column adds to the log-odds of the label, and which training rows are nearest. In CSV,
    /// Parquet and Arrow the weightiest words; all in JSON lines (docs/explain.md)
    #[arg(long, conflicts_with = "priors")]
    pub explain: bool,
    /// Orders in which words and columns are put together; more take longer and leave smaller standard errors
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(4..), requires = "explain")]
    explain_samples: u16,
    /// With the texts of the nearest training rows, not only where they stand
    #[arg(long, requires = "explain")]
    show_training: bool,
}

impl ExplainArgs {
    /// The rows of the training, where they are to be named; says so where they are not here.
    pub fn learned(
        &self,
        of: &ModelArgs,
        predictor: &Predictor,
        files: &ModelFiles,
        terminal: &Terminal,
    ) -> Option<LearnedRows> {
        if !self.explain {
            return None;
        }
        let learned = learned_rows(predictor, files, of.root());
        if let Err(error) = &learned {
            terminal.note(&format!("note: the nearest training rows are not named: {error}"));
        }
        learned.ok()
    }

    /// What explains the answers of `predictor`, where that is asked, with the nearest of the rows that it has `learned`.
    pub fn explainer<'a>(
        &self,
        predictor: &'a Predictor,
        learned: Option<&'a LearnedRows>,
    ) -> Option<Explainer<'a>> {
        let samples = usize::from(self.explain_samples);
        self.explain.then(|| Explainer::new(predictor, samples).naming(learned, self.show_training))
    }
}
