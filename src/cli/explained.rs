//! `pipeline predict --explain`: why each row has its label.

use anyhow::Result;
use clap::Args;

use super::args::ModelArgs;
use super::progress::Terminal;
use crate::model::{Answered, ExplainSettings, ModelFiles, Predicted, Predictor, explain};
use crate::progress::{Background, Progress};
use crate::stages::{LearnedRows, learned_rows};
use crate::table::NewRow;

/// Rows of the training that are named.
const NEAREST: usize = 3;

#[derive(Args)]
pub struct ExplainArgs {
    /// Say why: what each word, field and column adds to the log-odds of the label, and which training rows are nearest. In CSV and
    /// Parquet the weightiest words; all in JSON lines (docs/explain.md)
    #[arg(long, conflicts_with_all = ["priors", "arrow_stream"])]
    pub explain: bool,
    /// Orders in which words and columns are put together; more take longer and leave smaller standard errors
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(4..), requires = "explain")]
    explain_samples: u16,
    /// With the texts of the nearest training rows, not only where they stand
    #[arg(long, requires = "explain")]
    show_training: bool,
}

/// Explains answers.
pub struct Explainer<'a> {
    predictor: &'a Predictor,
    settings: ExplainSettings,
    learned: Option<LearnedRows>,
    show_training: bool,
}

impl<'a> Explainer<'a> {
    /// As `args` ask for; says so where the training rows are not here.
    pub fn new(
        args: &ExplainArgs,
        of: &ModelArgs,
        predictor: &'a Predictor,
        files: &ModelFiles,
        terminal: &Terminal,
    ) -> Option<Self> {
        if !args.explain {
            return None;
        }
        let learned = learned_rows(predictor, files, of.root());
        if let Err(error) = &learned {
            terminal.note(&format!("note: the nearest training rows are not named: {error}"));
        }
        let settings = ExplainSettings {
            permutations: usize::from(args.explain_samples),
            seed: predictor.card().config.seed_for("explain"),
        };
        Some(Self { predictor, settings, learned: learned.ok(), show_training: args.show_training })
    }

    /// Explain the answers to a batch of rows, as `predicted` has them with their embeddings.
    pub fn explain(
        &self,
        batch: &[NewRow],
        predicted: &Predicted,
        answered: &mut [Answered<'_>],
        terminal: &Terminal,
    ) -> Result<()> {
        let rows = batch.iter().filter(|row| row.cells.is_ok()).count();
        let nearest = self
            .learned
            .as_ref()
            .map(|learned| learned.nearest(&predicted.embeddings, rows, NEAREST, self.show_training));
        let mut nearest = nearest.into_iter().flatten();
        let mut unusual = predicted.novelty.iter().copied();
        for one in answered {
            let (Ok(cells), Ok(answer)) = (&one.row.cells, &mut one.answer) else { continue };
            let progress = Background(terminal);
            let mut why = explain(self.predictor, cells, answer.best, self.settings, &progress)?;
            why.as_unusual = unusual.next();
            why.nearest = nearest.next();
            answer.explanation = Some(why);
            terminal.advance(1);
        }
        Ok(())
    }
}
