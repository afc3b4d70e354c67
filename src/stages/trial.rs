//! One config measured on given folds. What was measured once is kept, so an interrupted comparison or search goes on
//! where it stopped.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::context::Context;
use super::error::BuildError;
use super::folds::HeadAnswers;
use super::list::declaration;
use super::rows::Rows;
use super::stage::Stage;
use super::staleness::Sources;
use crate::evaluate::{Figure, Predictions, point_class_scores, point_figures};
use crate::inputs::raw_inputs;
use crate::split::Fold;
use crate::store::write_json;
use crate::table::{self, Pass};

/// What a config gave on every fold, in the order of the folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    pub figures: Vec<BTreeMap<Figure, f64>>,
    pub class_f1: Vec<Vec<f64>>,
    /// The figures on the rows of each fold that all labelling passes give one class; empty without passes.
    #[serde(default)]
    pub unanimous: Vec<BTreeMap<Figure, f64>>,
    /// Mean over the folds, as [`crate::heads::Fitted::parameters`].
    pub parameters: f64,
    /// Mean time to train a head, as many folds at once as there are cores.
    pub seconds: f64,
}

/// What a config gave on one fold.
struct FoldTrial {
    figures: BTreeMap<Figure, f64>,
    /// F1 of each class.
    class_f1: Vec<f64>,
    /// As [`Trial::unanimous`]; `None` where no row is.
    unanimous: Option<BTreeMap<Figure, f64>>,
    parameters: usize,
    /// Time to train the head.
    seconds: f64,
}

impl Context<'_> {
    /// The rows of this config, with the parts and groups of `like`, the rows of another config of the same files.
    ///
    /// Texts not yet embedded are embedded.
    pub fn rows_like(&self, like: &Rows) -> Result<Rows, BuildError> {
        let config = &self.project.config;
        let dataset = table::read(config, &self.project.root, self.progress)?.0;
        let fields = self.embedded(&dataset)?;
        let raw = raw_inputs(&fields, dataset.rows.iter().map(|r| &r.cells), Some(config));
        let passes = self.passes(&dataset)?;
        Ok(Rows::new(config, dataset, &passes, like.dealt.clone(), raw))
    }

    /// The figures of this config on `folds` of `rows`, measured now or before.
    pub fn trial(&self, rows: &Rows, folds: &[Fold], sources: &Sources) -> Result<Trial, BuildError> {
        let passes = table::passes(&self.project.config, &self.project.root, &rows.dataset)?;
        let path = self.trial_file(folds, sources, &passes);
        let known = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(known) = known {
            return Ok(known);
        }
        let of_fold = |fold: &Fold, answers: HeadAnswers| {
            let truth = rows.truth(&fold.held_out);
            let own = self.predictions(rows, &truth, &answers.calibrated);
            let predictions = Predictions { decided: Some(&answers.decided), ..own };
            let f1 = point_class_scores(predictions).into_iter().map(|[_, _, f1]| f1).collect();
            let agreed = |&at: &usize| is_unanimous(&passes, fold.held_out[at]);
            let agreed: Vec<usize> = (0..fold.held_out.len()).filter(agreed).collect();
            FoldTrial {
                unanimous: (!agreed.is_empty()).then(|| on_some(predictions, &agreed)),
                figures: point_figures(predictions),
                class_f1: f1,
                parameters: answers.parameters,
                seconds: answers.seconds,
            }
        };
        let mut trial = Trial {
            figures: Vec::new(),
            class_f1: Vec::new(),
            unanimous: Vec::new(),
            parameters: 0.0,
            seconds: 0.0,
        };
        let count = folds.len() as f64;
        for fold in self.on_folds(rows, folds, of_fold)? {
            trial.figures.push(fold.figures);
            trial.class_f1.push(fold.class_f1);
            trial.unanimous.extend(fold.unanimous);
            trial.parameters += fold.parameters as f64 / count;
            trial.seconds += fold.seconds / count;
        }
        // A mean over some of the folds would be one of other rows.
        if trial.unanimous.len() < folds.len() {
            trial.unanimous.clear();
        }
        write_json(&path, &trial)?;
        Ok(trial)
    }

    /// Named by everything that the figures depend on.
    fn trial_file(&self, folds: &[Fold], sources: &Sources, passes: &[Pass]) -> PathBuf {
        let config = &self.project.config;
        let mut made_from = json!({
            "versions": [declaration(Stage::Train).version, declaration(Stage::Evaluate).version],
            "sources": sources.inputs,
            "config": [
                json!(config.seed), json!(config.data), json!(config.label), json!(config.features),
                json!(config.encoder), json!(config.augment), json!(config.train),
                json!(config.evaluate.decision), json!(config.evaluate.costs),
            ],
            "folds": folds.iter().map(|f| (&f.train, &f.validation, &f.held_out)).collect::<Vec<_>>(),
        });
        if let Some(collected) = config.collect.choice() {
            made_from["collect"] = collected;
        }
        if !passes.is_empty() {
            made_from["passes"] = passes.iter().map(|pass| json!(pass.classes)).collect();
        }
        let key = blake3::hash(made_from.to_string().as_bytes()).to_hex();
        self.project.state_folder().join("trials").join(format!("{}.json", &key[..32]))
    }
}

/// Whether two passes or more have labelled the row, and all alike.
pub fn is_unanimous(passes: &[Pass], row: usize) -> bool {
    let mut said = passes.iter().filter_map(|pass| pass.classes[row]);
    let first = said.next();
    let mut others = said.peekable();
    others.peek().is_some() && others.all(|class| Some(class) == first)
}

/// The figures on some of the rows of `predictions`.
fn on_some(predictions: Predictions<'_>, rows: &[usize]) -> BTreeMap<Figure, f64> {
    let pick = |of: &[usize]| -> Vec<usize> { rows.iter().map(|&row| of[row]).collect() };
    let classes = predictions.classes;
    let of_row = |&row: &usize| &predictions.probabilities[row * classes..(row + 1) * classes];
    let decided = predictions.decided.map(pick);
    point_figures(Predictions {
        truth: &pick(predictions.truth),
        probabilities: &rows.iter().flat_map(of_row).copied().collect::<Vec<_>>(),
        groups: predictions.groups.map(pick).as_deref(),
        decided: decided.as_deref(),
        ..predictions
    })
}
