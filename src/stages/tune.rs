//! `pipeline tune`: a search over configs, and by nested cross-validation what searching is worth.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::context::Context;
use super::error::BuildError;
use super::project::Project;
use super::rows::Rows;
use super::run::{check_networks, ready};
use super::stage::Stage;
use super::staleness::{Reason, Sources};
use super::trial::Trial;
use crate::config::{Config, ConfigError, SpaceAxis, TrainConfig, TuneMetric};
use crate::counting::counted;
use crate::engine::Engine;
use crate::evaluate::{Figure, Folded, TunedTrial, Tuning, fold_differences, fold_means};
use crate::progress::{Background, Progress};
use crate::split::{Fold, FoldCounts, GroupedClasses, folds};
use crate::store::write_json;
use crate::tune::{Search, Values, default_space, with_values};

/// Draws of known configs in a row after which a small space counts as exhausted.
const REPEATS: usize = 100;

/// How long to search.
#[derive(Clone, Copy, Debug, Default)]
pub struct TuneSettings {
    /// Configs tried in each search; `tune.trials` by default.
    pub trials: Option<usize>,
    /// Minutes after which no further config is tried. Each search gets its share.
    pub minutes: Option<f64>,
}

/// What a search found.
struct Found {
    /// The config with the best inner figure, its values, and everything tried.
    best: Config,
    values: Values,
    trials: Vec<TunedTrial>,
}

/// Search for a better config on the rows outside the test part, and measure what such a search gives: in each outer fold
/// it is repeated on the training rows alone, and what it finds there is measured on the rows held out (nested
/// cross-validation, Varma & Simon 2006).
///
/// What an earlier run has measured is not trained again, so an interrupted search goes on where it stopped.
///
/// # Errors
/// A space that does not fit the config, or what [`crate::stages::build`] can fail with.
pub fn tune(
    project: &Project,
    settings: TuneSettings,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Tuning, BuildError> {
    let config = &project.config;
    let space = if config.tune.space.is_empty() {
        default_space(config.train.head)
    } else {
        config.tune.space.clone()
    };
    // Whatever heads the search may come to.
    let named = space.get("train.head").map(|axis| json!(axis)).unwrap_or_default();
    let tried =
        named.as_array().into_iter().flatten().filter_map(|head| serde_json::from_value(head.clone()).ok());
    let both = |head| TrainConfig { head, ..config.train.clone() }.heads();
    check_networks(tried.chain([config.train.head]).flat_map(both), engine)?;
    for (key, axis) in &space {
        // A key that does not exist is told before anything is trained.
        let values = Search::new(&BTreeMap::from([(key.clone(), axis.clone())]), 0).ask();
        match with_values(config, &values, Path::new("tune.space")) {
            Err(e @ ConfigError::Parse { .. }) => return Err(BuildError::Preset(e.to_string())),
            _ => continue,
        }
    }
    let ready = ready(project, engine, progress, announce)?;
    let (context, rows) = (&ready.context, &ready.rows);
    let outer: Vec<Fold> = context.folds(rows)?.into_iter().filter(|fold| fold.repeat == 0).collect();
    let mut tuner = Tuner {
        project,
        engine,
        progress,
        dealt: rows,
        sources: Sources::measure(project)?,
        space,
        trials: settings.trials.unwrap_or(config.tune.trials),
        share: settings
            .minutes
            .and_then(|m| Duration::try_from_secs_f64(m * 60.0 / (outer.len() + 1) as f64).ok()),
        inputs: Vec::new(),
    };

    let (mut tuned, mut present) = (Vec::new(), Vec::new());
    for fold in &outer {
        let learned = [&fold.train[..], &fold.validation].concat();
        let found = tuner.search(&learned, &format!("fold {} of {}", fold.fold + 1, outer.len()))?;
        let held_out = std::slice::from_ref(fold);
        tuned.push(tuner.measure(&found.best, held_out)?.figures.remove(0));
        present.push(tuner.measure(config, held_out)?.figures.remove(0));
    }
    let all: Vec<usize> = outer.iter().flat_map(|fold| fold.held_out.iter().copied()).collect();
    let found = tuner.search(&all, "all rows")?;

    let folded = Folded::of(outer.len(), all.len());
    let classes = rows.dataset.classes.len();
    let tuning = Tuning {
        name: config.name.clone(),
        metric: figure_of(config.tune.metric),
        rows: all.len(),
        outer_folds: outer.len(),
        inner_folds: config.tune.folds,
        space: json!(tuner.space),
        best: as_json(&found.values),
        trials: found.trials,
        tuned: fold_means(&tuned, folded, classes),
        present: fold_means(&present, folded, classes),
        difference: fold_differences(&tuned, &present, folded),
    };
    write_json(&project.tuning(), &tuning)?;
    Ok(tuning)
}

struct Tuner<'a> {
    project: &'a Project,
    engine: Option<&'a dyn Engine>,
    progress: &'a dyn Progress,
    /// The rows as the present config reads them, with their parts.
    dealt: &'a Rows,
    sources: Sources,
    space: BTreeMap<String, SpaceAxis>,
    trials: usize,
    /// Time of one search.
    share: Option<Duration>,
    /// Rows by the config sections that make their inputs.
    inputs: Vec<(Value, Rows)>,
}

impl Tuner<'_> {
    /// The best config on inner folds of `rows`; the first one tried is the present one.
    fn search(&mut self, rows: &[usize], of: &str) -> Result<Found, BuildError> {
        let config = &self.project.config;
        let (metric, begin) = (figure_of(config.tune.metric), Instant::now());
        let sign = if metric.higher_is_better() { -1.0 } else { 1.0 };
        let share = config.split.validation / (config.split.train + config.split.validation);
        let seed = |name: &str| config.seed_for(&format!("tune {of} {name}"));
        let grouped = GroupedClasses { groups: &self.dealt.dealt.groups, classes: &self.dealt.classes };
        let counts = FoldCounts { folds: config.tune.folds, repeats: 1 };
        let inner = folds(rows, grouped, counts, share, seed);
        let mut search = Search::new(&self.space, seed("search"));
        let mut found = Found { best: config.clone(), values: Values::new(), trials: Vec::new() };
        let mut least = f64::INFINITY;
        let mut known: Vec<Config> = Vec::new();
        // Draws in a row that were known or did not fit, and all that did not fit.
        let (mut repeats, mut unfit) = (0, 0);
        self.progress.start(&format!("tuning on {of}"), self.trials as u64, "configs");
        while found.trials.len() < self.trials {
            if !found.trials.is_empty() && self.share.is_some_and(|share| begin.elapsed() > share) {
                break;
            }
            let first = found.trials.is_empty();
            let values = match (first, repeats) {
                (true, _) => Values::new(),
                (_, 0) => search.ask(),
                _ => search.draw(),
            };
            let tried = with_values(config, &values, Path::new("tune.space"));
            let tried = match tried {
                Ok(tried) => Some(tried),
                Err(_) => {
                    if !first && repeats == 0 {
                        search.tell(f64::INFINITY);
                    }
                    unfit += 1;
                    None
                }
            };
            let Some(tried) = tried.filter(|tried| !known.contains(tried)) else {
                repeats += 1;
                if repeats == REPEATS {
                    break;
                }
                continue;
            };
            repeats = 0;
            let trial = self.measure(&tried, &inner);
            if trial.is_err() {
                self.progress.finish();
            }
            let trial = trial?;
            let folded = Folded::of(inner.len(), inner.iter().map(|fold| fold.held_out.len()).sum());
            let classes = self.dealt.dataset.classes.len();
            let value = fold_means(&trial.figures, folded, classes)[&metric];
            let loss = sign * value.value;
            if !first {
                search.tell(loss);
            }
            if loss < least {
                least = loss;
                (found.best, found.values) = (tried.clone(), values.clone());
            }
            known.push(tried);
            found.trials.push(TunedTrial { values: as_json(&values), value, seconds: trial.seconds });
            self.progress.advance(1);
        }
        self.progress.finish();
        self.progress.note(&format!(
            "{of}: {} tried{}, best {} {:.3}",
            counted(found.trials.len(), "config", "configs"),
            if unfit > 0 {
                format!(" ({unfit} more whose values do not fit together)")
            } else {
                String::new()
            },
            metric.label(),
            sign * least
        ));
        Ok(found)
    }

    fn measure(&mut self, config: &Config, folds: &[Fold]) -> Result<Trial, BuildError> {
        let project = Project { root: self.project.root.clone(), config: config.clone() };
        let quiet = Background(self.progress);
        let context = Context { project: &project, engine: self.engine, progress: &quiet };
        let made_from = json!([config.data, config.features, config.train.tasks]);
        let known = self.inputs.iter().position(|(key, _)| *key == made_from);
        let at = match known {
            Some(at) => at,
            None => {
                self.inputs.push((made_from, context.rows_like(self.dealt)?));
                self.inputs.len() - 1
            }
        };
        context.trial(&self.inputs[at].1, folds, &self.sources)
    }
}

/// The figure of a metric.
pub fn figure_of(metric: TuneMetric) -> Figure {
    match metric {
        TuneMetric::LogLoss => Figure::LogLoss,
        TuneMetric::MacroF1 => Figure::MacroF1,
        TuneMetric::Accuracy => Figure::Accuracy,
    }
}

fn as_json(values: &Values) -> BTreeMap<String, Value> {
    values.iter().map(|(key, value)| (key.clone(), json!(value))).collect()
}
