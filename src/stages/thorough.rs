//! `pipeline build --thorough`: whether an encoder that learns is better here, by as much as chance does not give, and what it takes.

use std::collections::BTreeMap;
use std::path::Path;

use super::context::Context;
use super::error::BuildError;
use super::project::Project;
use super::rows::Rows;
use super::run::ready;
use super::stage::Stage;
use super::staleness::{Reason, Sources};
use super::tune::figure_of;
use crate::config::{Config, EncoderTraining, EnsembleConfig, HeadKind, TuningConfig};
use crate::counting::minutes;
use crate::engine::Engine;
use crate::evaluate::{Folded, Thorough, fold_differences, fold_means};
use crate::fine_tuning::TuningError;
use crate::progress::Progress;
use crate::split::Fold;

/// Steps of a tuning after which its pace is known; the first is slower.
const PACE_STEPS: usize = 8;

/// Measure the project's config, whose encoder is frozen, beside the same with the whole encoder tuned and both stacked, on the folds of
/// the first repeat. How long that takes at most is said before, by the pace of some steps.
///
/// What an earlier search measured or tuned is not done again.
///
/// # Errors
/// The encoder is not frozen, or there are two; the head is an ensemble; or what [`crate::stages::build`] can fail with.
pub fn thorough(
    project: &Project,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Thorough, BuildError> {
    let config = &project.config;
    let deep = Project { root: project.root.clone(), config: deep(config)? };
    if engine.is_none() {
        return Err(TuningError::NeedsTorch.into());
    }
    let ready = ready(project, engine, progress, announce)?;
    let (context, rows) = (&ready.context, &ready.rows);
    let folds: Vec<Fold> = context.folds(rows)?.into_iter().filter(|fold| fold.repeat == 0).collect();
    let tuning = Context { project: &deep, engine, progress };
    let begin = std::time::Instant::now();
    let foretold_minutes = tuning.foretold(rows, &folds)? / 60.0;
    progress.note(&format!(
        "tuning the encoder for each of {} folds: up to {} (Ctrl-C loses nothing: started again it goes on)",
        folds.len(),
        minutes(foretold_minutes)
    ));
    let sources = Sources::measure(project)?;
    let frozen = context.trial(&context.rows_like(rows)?, &folds, &sources)?.figures;
    let tuned = tuning.trial(&tuning.rows_like(rows)?, &folds, &sources)?.figures;
    let used: usize = folds.iter().map(|fold| fold.held_out.len()).sum();
    let (folded, classes) = (Folded::of(folds.len(), used), rows.dataset.classes.len());
    let (metric, difference) = (figure_of(config.tune.metric), fold_differences(&tuned, &frozen, folded));
    let by = difference[&metric];
    Ok(Thorough {
        metric,
        folds: folds.len(),
        rows: used,
        frozen: fold_means(&frozen, folded, classes),
        tuned: fold_means(&tuned, folded, classes),
        worth: if metric.higher_is_better() { by.low > 0.0 } else { by.high < 0.0 },
        difference,
        foretold_minutes,
        minutes: begin.elapsed().as_secs_f64() / 60.0,
        settings: set_by_tuning(&deep.config),
    })
}

/// The config with the whole encoder tuned: the present head on the frozen one, and a linear one on what it becomes.
fn deep(config: &Config) -> Result<Config, BuildError> {
    let refused = |reason: &str| {
        Err(BuildError::Preset(format!("--thorough tries what an encoder can learn, and {reason}")))
    };
    if !config.train.encoder.is_frozen() {
        return refused("train.encoder is set already");
    }
    if config.encoder.second.is_some() {
        return refused("with encoder.second there are two");
    }
    let head = match config.train.head {
        HeadKind::Ensemble => return refused("train.head is an ensemble already; it sets one of its own"),
        // A linear head on what is tuned is the other.
        HeadKind::Logistic => HeadKind::Kernel,
        head => head,
    };
    let mut deep = config.clone();
    deep.train.encoder = EncoderTraining::Full;
    deep.train.tuning =
        TuningConfig { epochs: 10, patience: 3, learning_rate: 1e-4, ..TuningConfig::default() };
    deep.train.head = HeadKind::Ensemble;
    deep.train.ensemble = EnsembleConfig {
        heads: vec![head, HeadKind::Logistic],
        frozen: vec![head],
        ..EnsembleConfig::default()
    };
    let failed = |error: &dyn std::fmt::Display| BuildError::Preset(error.to_string());
    let table = toml::Table::try_from(&deep).map_err(|e| failed(&e))?;
    Config::made(&table, Path::new("--thorough")).map_err(|e| failed(&e))
}

/// What [`deep`] sets, by dotted keys.
fn set_by_tuning(deep: &Config) -> BTreeMap<String, serde_json::Value> {
    let train = &deep.train;
    let value = |key: &str, value: serde_json::Value| (format!("train.{key}"), value);
    BTreeMap::from([
        value("encoder", serde_json::json!(train.encoder)),
        value("head", serde_json::json!(train.head)),
        value("ensemble.heads", serde_json::json!(train.ensemble.heads)),
        value("ensemble.frozen", serde_json::json!(train.ensemble.frozen)),
        value("tuning.epochs", train.tuning.epochs.into()),
        value("tuning.patience", train.tuning.patience.into()),
        value("tuning.learning_rate", train.tuning.learning_rate.into()),
    ])
}

impl Context<'_> {
    /// Seconds that tuning an encoder for each fold takes at most, by the pace of some steps of the first.
    fn foretold(&self, rows: &Rows, folds: &[Fold]) -> Result<f64, BuildError> {
        let Some(first) = folds.first() else { return Ok(0.0) };
        let per_step = self.tuning_pace(rows, first, PACE_STEPS)?;
        let tuning = &self.project.config.train.tuning;
        let steps = tuning.epochs * first.train.len().div_ceil(tuning.batch_size);
        // As many at once as there are cores.
        let rounds = folds.len().div_ceil(rayon::current_num_threads());
        Ok(per_step * steps as f64 * rounds as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(train: &str) -> Config {
        let text = format!(
            "name = \"t\"\n[data]\nfiles = [\"a.csv\"]\ntext_fields = [\"title\"]\n[label]\ncolumn = \"class\"\n{train}"
        );
        Config::parse(&text, Path::new("pipeline.toml")).unwrap()
    }

    #[test]
    fn what_it_sets_is_a_config_that_a_file_can_say() {
        for (train, heads) in
            [("", ["kernel", "logistic"]), ("[train]\nhead = \"logistic\"", ["kernel", "logistic"])]
        {
            let deep = deep(&config(train)).unwrap();
            let set = set_by_tuning(&deep);
            assert_eq!(set["train.ensemble.heads"], serde_json::json!(heads));
            let line = |(key, value): (&String, &serde_json::Value)| {
                format!("{} = {value}\n", key.trim_start_matches("train."))
            };
            let lines: String = set.iter().map(line).collect();
            assert_eq!(config(&format!("[train]\n{lines}")).train, deep.train);
        }
        for train in
            ["[train]\nencoder = \"top-1\"", "[train]\nhead = \"ensemble\"", "[encoder]\nsecond = \"other\""]
        {
            let refused = deep(&config(train)).unwrap_err();
            assert!(matches!(refused, BuildError::Preset(_)), "{refused:?}");
        }
    }
}
