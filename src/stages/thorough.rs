//! `pipeline build --thorough`: whether an encoder that learns is better here, by as much as chance does not give, and what it takes.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_encoder::{Architecture, Folder};

use super::context::Context;
use super::error::BuildError;
use super::foretold::{Foretold, Pace, Work, deepest};
use super::project::Project;
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

/// How much of an encoder is tried, from deep to shallow.
const DEPTHS: [EncoderTraining; 3] =
    [EncoderTraining::Full, EncoderTraining::Top(2), EncoderTraining::Top(1)];

/// Measure the project's config, whose encoder is frozen, beside the same with the encoder tuned and both stacked, on the folds of
/// the first repeat. The whole encoder is tuned where that takes at most so many `hours`, else its two uppermost layers or the last one.
/// How long it takes at most is said before, by the pace of some steps, and what the model and its evaluation then take.
///
/// What an earlier search measured or tuned is not done again.
///
/// # Errors
/// The encoder is not frozen, or there are two; the head is an ensemble; or what [`crate::stages::build`] can fail with.
pub fn thorough(
    project: &Project,
    hours: f64,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Thorough, BuildError> {
    let config = &project.config;
    let of = |training| {
        Ok::<_, BuildError>(Project { root: project.root.clone(), config: deep(config, training)? })
    };
    of(EncoderTraining::Full)?;
    if engine.is_none() {
        return Err(TuningError::NeedsTorch.into());
    }
    let ready = ready(project, engine, progress, announce)?;
    let (context, rows) = (&ready.context, &ready.rows);
    let mut folds: Vec<Fold> = context.folds(rows)?;
    let all = folds.len();
    folds.retain(|fold| fold.repeat == 0);
    let begin = std::time::Instant::now();
    let TuningConfig { epochs, batch_size, .. } = of(EncoderTraining::Full)?.config.train.tuning;
    let batches = |rows: &[usize]| rows.len().div_ceil(batch_size);
    let work = Work {
        epochs,
        batches: folds.first().map_or([0; 2], |fold| [batches(&fold.train), batches(&fold.validation)]),
        folds: [folds.len(), all],
        // As many at once as there are cores.
        at_once: rayon::current_num_threads(),
    };
    let mut pace = |training| {
        let project = of(training)?;
        let context = Context { project: &project, engine, progress };
        folds.first().map_or(Ok(Pace::default()), |fold| context.tuning_pace(rows, fold))
    };
    let note = |said: &str| progress.note(said);
    let Foretold { training, comparison_minutes, after_minutes } =
        deepest(hours, work, &depths(context)?, &mut pace, &note)?;
    progress.note(&format!(
        "tuning the encoder ({training}) for each of {} folds: up to {}, and if it is worth it up to {} more for the model and its \
         evaluation (Ctrl-C loses nothing: started again it goes on)",
        folds.len(),
        minutes(comparison_minutes),
        minutes(after_minutes)
    ));
    let deep = of(training)?;
    let tuning = Context { project: &deep, engine, progress };
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
        foretold_minutes: comparison_minutes,
        training: training.to_string(),
        minutes: begin.elapsed().as_secs_f64() / 60.0,
        settings: set_by_tuning(&deep.config),
    })
}

/// Of [`DEPTHS`] those that are less than all of the encoder, and all of it.
fn depths(context: &Context<'_>) -> Result<Vec<EncoderTraining>, BuildError> {
    let base = context.encoders()?.models.swap_remove(0);
    let layers = match Folder::open(&base.folder)?.architecture {
        Architecture::Bert(config) => config.num_hidden_layers,
        // It cannot be tuned, which is said where that is tried.
        _ => 0,
    };
    let fits = |depth: &EncoderTraining| !matches!(depth, EncoderTraining::Top(top) if *top >= layers);
    Ok(DEPTHS.into_iter().filter(fits).collect())
}

/// The config with so much of the encoder tuned: the present head on the frozen one, and a linear one on what it becomes.
fn deep(config: &Config, training: EncoderTraining) -> Result<Config, BuildError> {
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
    deep.train.encoder = training;
    // Few layers learn well at twice the rate (docs/fine-tuning.md).
    let learning_rate = if training == EncoderTraining::Full { 1e-4 } else { 2e-4 };
    deep.train.tuning = TuningConfig { epochs: 10, patience: 3, learning_rate, ..TuningConfig::default() };
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
            let deep = deep(&config(train), EncoderTraining::Top(2)).unwrap();
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
            let refused = deep(&config(train), EncoderTraining::Full).unwrap_err();
            assert!(matches!(refused, BuildError::Preset(_)), "{refused:?}");
        }
    }
}
