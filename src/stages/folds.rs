//! The configured head on every fold of cross-validation: augmented, trained and calibrated in each anew.

use std::borrow::Cow;
use std::time::Instant;

use rayon::prelude::*;

use super::augment::{mixed_rows, variant_inputs};
use super::context::Context;
use super::error::BuildError;
use super::memory;
use super::rows::{Rows, Truth};
use super::train::Learning;
use super::tuned::TunedEncoder;
use crate::augment::{TextAugmenter, Variant, keep_in_band, with_originals};
use crate::config::{DecisionKind, HeadKind};
use crate::counting::counted;
use crate::embed::Cache;
use crate::evaluate::{
    Aim, Decision, Figure, Known, Predictions, apply_temperature, fit_temperature, point_figures,
};
use crate::model::answers;
use crate::progress::Background;
use crate::split::{Fold, FoldCounts, GroupedClasses, Part, folds};

/// A head's answers to the held-out rows of one fold, `rows × classes`.
pub struct HeadAnswers {
    /// As they are.
    pub raw: Vec<f32>,
    /// With the temperature of the rows of the fold that the head has not learned, or left out with their groups.
    pub calibrated: Vec<f32>,
    /// The answer to each row, by what the rows that the head has not learned say of the aim of the config.
    pub decided: Vec<usize>,
    /// The same by each of [`Aim::LEARNED`].
    pub by_aim: [Vec<usize>; 3],
    /// Log loss on the rows that it has not learned or left out with their groups, in nats; not calibrated.
    pub believed: f64,
    /// As [`crate::heads::Fitted::parameters`].
    pub parameters: usize,
    /// Time to train it, beside other folds.
    pub seconds: f64,
}

impl Context<'_> {
    /// How many folds of so many rows `[evaluate]` wants.
    pub fn fold_counts(&self, rows: usize) -> FoldCounts {
        let config = &self.project.config.evaluate;
        FoldCounts { folds: config.folds, repeats: config.repeats_of(rows) }
    }

    /// The folds of all rows outside the test part, as `[evaluate]` wants them.
    pub fn folds(&self, rows: &Rows) -> Result<Vec<Fold>, BuildError> {
        let config = &self.project.config;
        let used = rows.of(&[Part::Train, Part::Validation]);
        let share = config.split.validation / (config.split.train + config.split.validation);
        let counts = self.fold_counts(used.len());
        if config.evaluate.repeats.is_none() && counts.repeats == 1 {
            self.progress.note(&format!(
                "{} dealt to {} folds once; evaluate.repeats = 3 does so three times, in three times as long",
                counted(used.len(), "row is", "rows are"),
                counts.folds
            ));
        }
        let grouped = GroupedClasses { groups: &rows.dealt.groups, classes: &rows.classes };
        let folds = folds(&used, grouped, counts, share, |name| config.seed_for(name));
        for fold in &folds {
            let sides =
                [("training", &fold.train), ("validation", &fold.validation), ("held-out", &fold.held_out)];
            if let Some((side, _)) = sides.into_iter().find(|(_, rows)| rows.is_empty()) {
                return Err(BuildError::EmptyFold { rows: used.len(), folds: counts.folds, side });
            }
        }
        Ok(folds)
    }

    /// Train the head on every fold, several at once, with the rows that only teach; `each` makes of its answers what is kept.
    pub fn on_folds<T: Send>(
        &self,
        rows: &Rows,
        folds: &[Fold],
        each: impl Fn(&Fold, HeadAnswers) -> T + Sync,
    ) -> Result<Vec<T>, BuildError> {
        let config = &self.project.config;
        self.costs(rows)?; // Before anything is trained.
        let lent: Vec<Fold> = folds.iter().map(|fold| rows.lent_to(fold, config)).collect();
        let encoders = self.encoders()?;
        let cache = self.cache(&encoders)?;
        // Which words are protected is learned in each fold anew; what all folds need is embedded in one go.
        let augmenter = TextAugmenter::new(config, &rows.dataset, &self.project.translations(), self)?;
        let quiet = Background(self.progress);
        self.progress.start("augmenting", folds.len() as u64, "folds");
        let variants = lent
            .iter()
            .map(|fold| {
                let variants = augmenter.variants(&fold.train, &quiet);
                self.progress.advance(1);
                variants
            })
            .collect::<Result<Vec<_>, _>>();
        self.progress.finish();
        let variants = variants?;
        let new: Vec<&str> = variants.iter().flat_map(|v| with_originals(v, &rows.dataset)).collect();
        self.embed_texts(&new, &cache, &encoders)?;
        let threads = rayon::current_num_threads();
        let taught = lent.iter().map(|fold| fold.train.len() + fold.validation.len()).max().unwrap_or(0);
        self.check_memory(taught)?;
        let at_once = memory::at_once(memory::of_fold(taught, &config.train.kernel), memory::free(), threads);
        if at_once < threads.min(folds.len()) {
            self.progress
                .note(&format!("there is memory for {at_once} of the {} folds at once", folds.len()));
        }
        let tuned = self.tuned_on(rows, &lent, &variants)?;
        if config.train.heads().contains(&HeadKind::Kernel) {
            rows.raw.make_distances();
        }
        self.progress.start("cross-validating", folds.len() as u64, "folds");
        // One group after the other: a thread that waits inside a fold may take up another one of its group.
        let size = if at_once < threads { at_once } else { folds.len().max(1) };
        let mut left = folds.iter().zip(&lent).zip(variants).zip(&tuned);
        let groups = std::iter::from_fn(|| {
            let group: Vec<_> = left.by_ref().take(size).collect();
            (!group.is_empty()).then_some(group)
        });
        let on_fold = |(((fold, lent), variants), tuned): (_, &Option<TunedEncoder>)| {
            let answers = each(fold, self.on_fold(rows, lent, variants, &cache, tuned.as_ref())?);
            self.progress.advance(1);
            if self.progress.interrupted() { Err(BuildError::Interrupted) } else { Ok(answers) }
        };
        let answers = groups
            .map(|group| group.into_par_iter().map(on_fold).collect::<Result<Vec<_>, _>>())
            .collect::<Result<Vec<_>, _>>();
        self.progress.finish();
        Ok(answers?.into_iter().flatten().collect())
    }

    /// The encoder tuned on each fold, where it is to learn, and all that the fold needs embedded by it.
    fn tuned_on(
        &self,
        rows: &Rows,
        folds: &[Fold],
        variants: &[Vec<Variant>],
    ) -> Result<Vec<Option<TunedEncoder>>, BuildError> {
        if self.project.config.train.encoder.is_frozen() {
            return Ok(folds.iter().map(|_| None).collect());
        }
        self.progress.start("tuning encoders", folds.len() as u64, "folds");
        let quiet = Background(self.progress);
        let tune = |fold: &Fold| {
            let tuned = self.tuned(rows, fold, &quiet);
            self.progress.advance(1);
            tuned
        };
        let tuned: Result<Vec<TunedEncoder>, _> = folds.par_iter().map(tune).collect();
        self.progress.finish();
        let tuned = tuned?;
        // One after the other: embedding takes all cores.
        for (tuned, variants) in tuned.iter().zip(variants) {
            let cache = tuned.cache()?;
            self.inputs_by(tuned, &cache, rows)?;
            let texts = variants.iter().flat_map(|variant| variant.texts.iter().map(String::as_str));
            self.embed_texts(&texts.collect::<Vec<_>>(), &cache, &tuned.encoders)?;
        }
        Ok(tuned.into_iter().map(Some).collect())
    }

    fn on_fold(
        &self,
        rows: &Rows,
        fold: &Fold,
        candidates: Vec<Variant>,
        cache: &Cache,
        tuned: Option<&TunedEncoder>,
    ) -> Result<HeadAnswers, BuildError> {
        let config = &self.project.config;
        let begin = Instant::now();
        let name = format!("of fold {} of repeat {}", fold.fold, fold.repeat);
        let variants = keep_in_band(candidates, &rows.dataset, cache, &config.augment.synonyms)?;
        let own_cache = tuned.map(TunedEncoder::cache).transpose()?;
        let raw = match (tuned, &own_cache) {
            (Some(tuned), Some(cache)) => Cow::Owned(self.inputs_by(tuned, cache, rows)?),
            _ => Cow::Borrowed(&rows.raw),
        };
        let seen_by = own_cache.as_ref().unwrap_or(cache);
        let learning = Learning {
            raw: &raw,
            train: &fold.train,
            validation: &fold.validation,
            variants: &variant_inputs(&variants, &rows.dataset, seen_by, config)?,
            parents: &variants.iter().map(|v| v.parent).collect::<Vec<_>>(),
            mixed: &mixed_rows(config, rows, &raw, &fold.train, &format!(" {name}")),
        };
        let trained =
            self.fit(rows, &learning, config.seed_for(&format!("fit {name}")), &Background(self.progress))?;
        let seconds = begin.elapsed().as_secs_f64();
        let classes = rows.dataset.classes.len();
        let held_out = raw.pick(&fold.held_out);
        let raw = answers(trained.head.as_ref(), &trained.shape, &trained.inputs, &held_out)?.label;
        let truth = rows.truth(&trained.not_learned.rows);
        let not_learned = self.predictions(rows, &truth, &trained.not_learned.probabilities);
        let believed = point_figures(not_learned)[&Figure::LogLoss];
        let temperature = fit_temperature(not_learned);
        let mut calibrated = raw.clone();
        apply_temperature(&mut calibrated, classes, temperature);
        let mut known = trained.not_learned.probabilities.clone();
        apply_temperature(&mut known, classes, temperature);
        let known = Predictions { probabilities: &known, ..not_learned };
        let taught = fold.train.iter().filter(|&&row| !rows.teach_only[row]).chain(&fold.validation);
        let taught: Vec<usize> = taught.copied().collect();
        let shares = rows.shares(&taught);
        let known = Known { predictions: known, shares: &shares };
        let decided = self.decision(rows, known)?.answers(&calibrated, classes);
        let by_aim = Aim::LEARNED.map(|aim| Decision::learn(aim, known).answers(&calibrated, classes));
        let parameters = trained.parameters;
        Ok(HeadAnswers { raw, calibrated, decided, by_aim, believed, parameters, seconds })
    }

    /// How calibrated probabilities become answers, by the aim of the config and what is known of rows not learned.
    pub fn decision(&self, rows: &Rows, known: Known<'_>) -> Result<Decision, BuildError> {
        let config = &self.project.config.evaluate;
        if !config.costs.is_empty() {
            return Ok(Decision::of_costs(known.shares, self.costs(rows)?));
        }
        Ok(match config.decision {
            DecisionKind::Auto => Decision::macro_f1_within_a_point(known),
            DecisionKind::Accuracy => Decision::learn(Aim::Accuracy, known),
            DecisionKind::MacroF1 => Decision::learn(Aim::MacroF1, known),
            DecisionKind::BalancedAccuracy => Decision::learn(Aim::BalancedAccuracy, known),
        })
    }

    /// `evaluate.costs` for all classes.
    pub fn costs(&self, rows: &Rows) -> Result<Vec<Vec<f64>>, BuildError> {
        let (classes, named) = (&rows.dataset.classes, &self.project.config.evaluate.costs);
        let place = |name: &String| {
            let unknown = || BuildError::Costs { class: name.clone(), classes: classes.clone() };
            classes.iter().position(|class| class == name).ok_or_else(unknown)
        };
        let count = classes.len();
        let mut costs: Vec<Vec<f64>> =
            (0..count).map(|truth| (0..count).map(|a| f64::from(u8::from(a != truth))).collect()).collect();
        for (truth, answers) in named {
            for (answer, cost) in answers {
                costs[place(truth)?][place(answer)?] = *cost;
            }
        }
        Ok(costs)
    }

    pub fn predictions<'p>(
        &self,
        rows: &Rows,
        truth: &'p Truth,
        probabilities: &'p [f32],
    ) -> Predictions<'p> {
        let ordered = self.project.config.label.range.is_some();
        let Truth { classes: truth, groups } = truth;
        let classes = rows.dataset.classes.len();
        Predictions { truth, probabilities, classes, ordered, groups: Some(groups), decided: None }
    }
}
