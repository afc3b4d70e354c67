//! The evaluate stage: cross-validation of the head and its baselines, calibration, the figures of the test part, the
//! diagnosis, the gates, and the report.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::context::Context;
use super::declaration::{Declaration, Finished};
use super::error::BuildError;
use super::files::{place, write_csv};
use super::folds::HeadAnswers;
use super::rows::{Rows, Truth};
use super::stage::Stage;
use super::told::{RowProbabilities, doubtful, mistakes};
use super::train::TrainSummary;
use crate::baseline::{Answered, BaselineData, baselines};
use crate::config::{BaselineKind, DecisionKind, HeadKind};
use crate::counting::counted;
use crate::embed::read_npy;
use crate::engine::networks;
use crate::evaluate::{
    Aim, AimFigures, CrossValidation, Decision, Evaluation, Evidence, Figure, Folded, Gate, GateInput, HEAD,
    Judged, Known, LabelSets, Level, Metrics, ModelFolds, Predictions, Sample, TaskFigures, TestBaseline,
    Training, ValueError, apply_temperature, class_thresholds, diagnose, difference, evaluate,
    fit_temperature, fold_mean, gates, label_noise, mcnemar, point_class_scores, point_figures,
    principal_components, reliability, risk_coverage, set_figures, slices,
};
use crate::heads::{Block, Epoch};
use crate::model::{Answers, Calibration, answers, load_card, load_head, load_inputs};
use crate::report::{MapPoint, ReportInput, report_html};
use crate::split::{Fold, Part};
use crate::store::{Manifest, checksum, write_atomic, write_json};
use crate::table::ContentHash;
use crate::train::{FeatureSettings, Task};

/// Column of `predictions.csv` with the group of near-duplicates of a row.
pub const GROUP: &str = "group";

/// Columns of `predictions.csv` with the hashes of a row as its file has it, and of its texts.
pub const RECORD: &str = "record";
pub const TEXTS: &str = "texts";

/// Points of the embedding map; more would make the report slow to open.
const MAP_POINTS: usize = 1500;

/// What one fold gave. Probabilities are of its held-out rows.
struct FoldAnswers {
    head: HeadAnswers,
    /// Those of `evaluate.baselines`.
    baselines: Vec<Answered>,
}

/// The evaluate stage. Every fold augments and trains anew, so it is made from their settings, too.
pub const EVALUATE: Declaration = Declaration {
    version: 20,
    reads: &[Stage::Embed, Stage::Split, Stage::Augment, Stage::Train],
    config: |config| {
        json!({
            "seed": config.seed, "split": config.split, "augment": config.augment, "train": config.train,
            "evaluate": config.evaluate, "gates": config.gates,
            "validate": { "names_label": config.validate.names_label },
        })
    },
    run: |context| context.evaluate(),
};

/// What the evaluate stage counts, and what is asked of it most: the figures of the test part, and the gates.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvaluateSummary {
    /// Turns of cross-validation.
    pub folds: usize,
    /// Findings of the diagnosis that say that something is wrong.
    pub findings: usize,
    /// Those that are good to know.
    #[serde(default)]
    pub notes: usize,
    /// Gates that the model does not pass.
    pub gates_failed: usize,
    /// Mean time that each model takes in a fold, the head first. Not in `metrics.json`, which is the same to the byte
    /// whenever it is made.
    #[serde(default)]
    pub seconds: Vec<ModelSeconds>,
    /// Figures of the test part.
    pub test: Metrics,
    /// The gates.
    pub gates: Vec<Gate>,
}

/// What a model costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelSeconds {
    /// Its name.
    pub model: String,
    /// Mean time to teach it in a fold, and a baseline also to ask it, in seconds, beside other folds.
    pub seconds: f64,
}

/// Classes times rows up to which baselines are taught; each of them has a machine a class.
const MOST_TO_COMPARE: usize = 3_000_000;

impl Context<'_> {
    fn evaluate(&self) -> Result<Finished, BuildError> {
        let (config, rows) = (&self.project.config, self.rows()?);
        let used = rows.of(&[Part::Train, Part::Validation]);
        let folds = self.folds(&rows)?;
        self.costs(&rows)?; // Before anything is trained.
        let kinds = self.compared(&rows);
        if kinds.len() < config.evaluate.baselines().len() {
            self.progress.note(&format!(
                "{} of {}: the baselines but the majority class would take hours and are left out",
                counted(rows.dataset.classes.len(), "class", "classes"),
                counted(rows.dataset.rows.len(), "row", "rows")
            ));
        }
        let taught = |fold: &Fold| baselines(self.baseline_data(&rows), &rows.lent_to(fold, config), &kinds);
        let whole = rows.whole();
        // Beside the folds, since alone it would keep one core busy and the others waiting.
        let (answers, on_test) = rayon::join(
            || self.on_folds(&rows, &folds, |fold, head| FoldAnswers { head, baselines: taught(fold) }),
            || taught(&whole),
        );
        let answers = answers?;

        let every_raw: Vec<f32> = answers.iter().flat_map(|a| &a.head.raw).copied().collect();
        let held: Vec<usize> = folds.iter().flat_map(|f| f.held_out.iter().copied()).collect();
        let temperature = fit_temperature(self.predictions(&rows, &rows.truth(&held), &every_raw));
        let (cross_validation, out_of_fold_metrics) = self.cross_validation(&rows, &folds, &answers, &used);

        let (validation_rows, test_rows) = (rows.of(&[Part::Validation]), rows.of(&[Part::Test]));
        let mut validation_probabilities = read_npy(&self.project.model().validation())?.values;
        apply_temperature(&mut validation_probabilities, rows.dataset.classes.len(), temperature);
        let answered = self.head_answers(&rows, &test_rows, temperature)?;
        let (tasks, range) =
            (self.tasks(&rows, &test_rows, &answered), self.range(&rows, &test_rows, &answered));
        let test_probabilities = answered.label;
        // The first repeat holds every row out once.
        let first = || folds.iter().zip(&answers).filter(|(f, _)| f.repeat == 0);
        let out_of_fold: Vec<usize> = first().flat_map(|(f, _)| f.held_out.iter().copied()).collect();
        let of_first = |of: fn(&HeadAnswers) -> &[usize]| -> Vec<usize> {
            first().flat_map(|(_, a)| of(&a.head).iter().copied()).collect()
        };
        let out_of_fold_probabilities: Vec<f32> =
            first().flat_map(|(_, a)| a.head.calibrated.iter().copied()).collect();
        let out_of_fold_decided = of_first(|head| &head.decided);
        let truth = rows.truth(&out_of_fold);
        let undecided = self.predictions(&rows, &truth, &out_of_fold_probabilities);
        let predictions = Predictions { decided: Some(&out_of_fold_decided), ..undecided };
        let shares = rows.shares(&used);
        let known = Known { predictions: undecided, shares: &shares };
        let decision = self.decision(&rows, known)?;
        let by_aim = [
            of_first(|head| &head.by_aim[0]),
            of_first(|head| &head.by_aim[1]),
            of_first(|head| &head.by_aim[2]),
        ];
        let by_aim = Aim::LEARNED.par_iter().zip(&by_aim).map(|(&aim, decided)| {
            let of = Predictions { decided: Some(decided), ..undecided };
            let seed = config.seed_for("bootstrap by aim");
            let all = evaluate(of, &rows.dataset.classes, seed);
            let figures = AimFigures::FIGURES.map(|figure| (figure, all.of(figure)));
            AimFigures { aim, exponent: Decision::learn(aim, known).exponent, figures: figures.into() }
        });
        let by_aim: Vec<AimFigures> = by_aim.collect();
        let classes = rows.dataset.classes.len();
        let measure = |probabilities: &[f32], of: &[usize], seed: &str| {
            let (truth, decided) = (rows.truth(of), decision.answers(probabilities, classes));
            let own = self.predictions(&rows, &truth, probabilities);
            let seed = config.seed_for(seed);
            evaluate(Predictions { decided: Some(&decided), ..own }, &rows.dataset.classes, seed)
        };
        let validation = measure(&validation_probabilities, &validation_rows, "bootstrap-validation");
        let test = measure(&test_probabilities, &test_rows, "bootstrap-test");
        let test_decided = decision.answers(&test_probabilities, classes);
        let test_part =
            RowProbabilities { rows: &test_rows, probabilities: &test_probabilities, decided: &test_decided };
        let test_baselines = self.test_baselines(&rows, on_test, test_part);

        let limits = config.gates.limits();
        // What the heads believed of rows that they had left out, against what was found; neither is calibrated.
        let gaps = (0..folds.len()).map(|fold| {
            let truth = rows.truth(&folds[fold].held_out);
            let found = point_figures(self.predictions(&rows, &truth, &answers[fold].head.raw));
            found[&Figure::LogLoss] - answers[fold].head.believed
        });
        let loss_gap = fold_mean(&gaps.collect::<Vec<_>>(), Folded::of(config.evaluate.folds, used.len()));
        let history = self.history()?;
        let training = self.training(&rows, &history)?;
        let pairs = self.near_pairs(&rows)?;
        let of_texts = cross_validation.models.iter().skip(1).zip(&kinds).filter(|(_, kind)| kind.of_text());
        let text = of_texts.map(|(model, _)| model.mean[&Figure::BalancedAccuracy].value).reduce(f64::max);
        let test_share = test_rows.len() as f64 / rows.classes.len() as f64;
        let groups: BTreeSet<usize> = rows.dealt.groups.iter().copied().collect();
        let findings = diagnose(&Evidence {
            classes: &rows.dataset.classes,
            history: &history,
            has_epochs: training.has_epochs,
            class_weights: config.train.class_weights,
            balanced: config.evaluate.decision == DecisionKind::BalancedAccuracy,
            test: &test,
            out_of_fold: &out_of_fold_metrics,
            loss_gap,
            part_rows: [0, 1, 2].map(|part| training.class_rows.iter().map(|rows| rows[part]).collect()),
            test_share: config.data.test_files.is_empty().then_some(test_share),
            groups: groups.len(),
            near_pairs_across: pairs.across,
            contradictions: pairs.contradictions,
            leaks: self.leaks(&rows, &folds[0], text),
            naming_rows: self.naming_rows(&rows.raw.texts),
            shift: self.shift(&rows, &used, &test_rows),
            drifts: self.drifts(&rows)?,
            differences: cross_validation
                .models
                .iter()
                .filter_map(|m| Some((m.model.clone(), m.difference.as_ref()?[&Figure::MacroF1])))
                .collect(),
            noise: label_noise(undecided),
            half_width: limits.test_accuracy_half_width,
        });
        let gates = gates(
            &GateInput {
                test: &test,
                history: &history,
                loss_gap,
                has_epochs: training.has_epochs,
                rows: rows.dataset.rows.iter().filter(|row| !row.in_test_files).count(),
            },
            &limits,
        );
        let fold_of: Vec<usize> =
            first().enumerate().flat_map(|(place, (f, _))| f.held_out.iter().map(move |_| place)).collect();
        let of_test = rows.truth(&test_rows);
        let judged = Judged {
            truth: &truth.classes,
            probabilities: &out_of_fold_probabilities,
            decided: &out_of_fold_decided,
            groups: &truth.groups,
        };
        let test_judged = Judged {
            truth: &of_test.classes,
            probabilities: &test_probabilities,
            decided: &test_decided,
            groups: &of_test.groups,
        };
        let sets = set_figures(judged, &fold_of, test_judged, &rows.dataset.classes);
        let evaluation = Evaluation {
            name: config.name.clone(),
            pipeline_version: env!("CARGO_PKG_VERSION").into(),
            classes: rows.dataset.classes.clone(),
            training,
            temperature,
            decision: Some(decision),
            by_aim,
            test,
            out_of_fold: Some(out_of_fold_metrics),
            validation,
            tasks,
            range,
            test_baselines,
            cross_validation,
            reliability: reliability(predictions),
            risk_coverage: risk_coverage(predictions),
            sets,
            slices: slices(predictions, &self.slicings(&rows, &out_of_fold)),
            findings,
            gates,
        };
        let out_of_fold = RowProbabilities {
            rows: &out_of_fold,
            probabilities: &out_of_fold_probabilities,
            decided: &out_of_fold_decided,
        };
        let outputs = self.write_evaluation(&rows, &evaluation, &history, test_part, out_of_fold)?;
        let summary = EvaluateSummary {
            folds: folds.len(),
            findings: evaluation.findings.iter().filter(|f| f.level == Level::Ill).count(),
            notes: evaluation.findings.iter().filter(|f| f.level == Level::Note).count(),
            gates_failed: evaluation.gates.iter().filter(|g| !g.passed).count(),
            seconds: seconds_of(&kinds, &answers),
            test: evaluation.test,
            gates: evaluation.gates,
        };
        Ok(Finished::new(outputs, &summary))
    }

    /// Figures of every fold, and their means; and the head's figures on the rows of the first repeat together.
    fn cross_validation<'a>(
        &self,
        rows: &Rows,
        folds: &[Fold],
        answers: &'a [FoldAnswers],
        used: &[usize],
    ) -> (CrossValidation, Metrics) {
        let truths: Vec<Truth> = folds.iter().map(|fold| rows.truth(&fold.held_out)).collect();
        let predictions = |fold: usize, probabilities| self.predictions(rows, &truths[fold], probabilities);
        // The first repeat holds every row out once.
        let first: Vec<usize> = (0..folds.len()).filter(|&fold| folds[fold].repeat == 0).collect();
        let held: Vec<usize> = first.iter().flat_map(|&fold| folds[fold].held_out.iter().copied()).collect();
        let truth = rows.truth(&held);
        let of = |model: usize, fold: usize| -> &'a [f32] {
            match model.checked_sub(1) {
                None => &answers[fold].head.calibrated,
                Some(baseline) => &answers[fold].baselines[baseline].probabilities,
            }
        };
        let together =
            |model: usize| first.iter().flat_map(|&fold| of(model, fold)).copied().collect::<Vec<f32>>();
        let head = together(0);
        let decided: Vec<usize> =
            first.iter().flat_map(|&fold| answers[fold].head.decided.iter().copied()).collect();
        // The baselines answer their likeliest class.
        let kinds = self.compared(rows);
        let names: Vec<&str> =
            std::iter::once(HEAD).chain(kinds.into_iter().map(BaselineKind::label)).collect();
        let of_model = |(model, name): (usize, &&str)| {
            let own = together(model);
            let own = Predictions {
                decided: (model == 0).then_some(&decided[..]),
                ..self.predictions(rows, &truth, &own)
            };
            let seed = |what: &str| self.project.config.seed_for(&format!("{what} {name} out of fold"));
            let each = (0..folds.len()).map(|fold| Predictions {
                decided: (model == 0).then_some(&answers[fold].head.decided[..]),
                ..predictions(fold, of(model, fold))
            });
            ModelFolds {
                model: (*name).to_owned(),
                figures: each.clone().map(point_figures).collect(),
                class_scores: each.map(point_class_scores).collect(),
                together: evaluate(own, &rows.dataset.classes, seed("bootstrap")),
                difference: (model > 0).then(|| {
                    let of_head = self.predictions(rows, &truth, &head);
                    difference(Predictions { decided: Some(&decided), ..of_head }, own, seed("difference"))
                }),
            }
        };
        let models: Vec<ModelFolds> = names.par_iter().enumerate().map(of_model).collect();
        let of_head = models[0].together.clone();
        let uncalibrated: Vec<_> =
            (0..folds.len()).map(|fold| point_figures(predictions(fold, &answers[fold].head.raw))).collect();
        let mut hash = blake3::Hasher::new();
        for fold in folds {
            for &row in &fold.held_out {
                let at = place(&rows.dataset, row);
                hash.update(format!("{} {} {}:{}\n", fold.repeat, fold.fold, at.file, at.line).as_bytes());
            }
        }
        let hash = hash.finalize().to_hex().to_string();
        let dealt = |class: usize| used.iter().filter(|&&r| rows.classes[r] == class).count();
        let names = rows.dataset.classes.iter().enumerate();
        let classes: Vec<(String, usize)> = names.map(|(c, name)| (name.clone(), dealt(c))).collect();
        let counts = self.fold_counts(used.len());
        (CrossValidation::new(counts, &classes, hash, &uncalibrated, models), of_head)
    }

    /// The saved head's answers, those to the label calibrated.
    fn head_answers(&self, rows: &Rows, of: &[usize], temperature: f64) -> Result<Answers, BuildError> {
        let files = self.project.model();
        let card = load_card(&files)?;
        let (inputs, head) = (load_inputs(&files, &card)?, load_head(&files, &card, networks(self.engine))?);
        let mut answered = answers(head.as_ref(), &card.head, &inputs, &self.seen(rows)?.pick(of))?;
        apply_temperature(&mut answered.label, rows.dataset.classes.len(), temperature);
        Ok(answered)
    }

    /// Figures of each task on those of the test rows whose value is known.
    fn tasks(&self, rows: &Rows, test: &[usize], answered: &Answers) -> Vec<TaskFigures> {
        let of = |(task, (block, probabilities)): (&Task, &(Block, Vec<f32>))| {
            let known = test.iter().zip(probabilities.chunks_exact(block.width));
            let known: Vec<(usize, &[f32], usize)> = known
                .filter_map(|(&row, answer)| Some((task.rows[row]?, answer, rows.dealt.groups[row])))
                .collect();
            let truth: Vec<usize> = known.iter().map(|k| k.0).collect();
            let groups: Vec<usize> = known.iter().map(|k| k.2).collect();
            let probabilities: Vec<&[f32]> = known.iter().map(|k| k.1).collect();
            let probabilities = probabilities.concat();
            let predictions = Predictions {
                truth: &truth,
                probabilities: &probabilities,
                classes: block.width,
                ordered: false,
                groups: Some(&groups),
                decided: None,
            };
            let seed = self.project.config.seed_for(&format!("bootstrap task {}", task.column));
            let learned = rows.of(&[Part::Train]).into_iter().filter_map(|row| task.rows[row]);
            let mut counts = vec![0; block.width];
            learned.for_each(|class| counts[class] += 1);
            let majority = (0..block.width).max_by_key(|&class| counts[class]);
            TaskFigures {
                column: task.column.clone(),
                metrics: evaluate(predictions, &task.classes, seed),
                majority: Sample::new(truth.len(), Some(&groups))
                    .proportion(|_| true, |row| Some(truth[row]) == majority),
            }
        };
        rows.tasks.iter().zip(&answered.tasks).map(of).collect()
    }

    /// How far the predicted ends of the range are from the true ones, over the test rows.
    fn range(&self, rows: &Rows, test: &[usize], answered: &Answers) -> Vec<ValueError> {
        let Some(rule) = self.project.config.label.range.as_ref().filter(|_| !answered.ranges.is_empty())
        else {
            return Vec::new();
        };
        let of = |(end, column): (usize, &str)| {
            let errors: Vec<f64> = test
                .iter()
                .zip(&answered.ranges)
                .map(|(&row, predicted)| f64::from((predicted[end] - rows.ranges[row][end]).abs()))
                .collect();
            let seed = self.project.config.seed_for(&format!("bootstrap {column}"));
            // Of too few rows all that is known is that no error is greater than the values are apart.
            let values = || rows.ranges.iter().map(|range| f64::from(range[end]));
            let span = values().fold(f64::MIN, f64::max) - values().fold(f64::MAX, f64::min);
            let span = errors.iter().copied().fold(span, f64::max);
            let sample = Sample::new(test.len(), Some(&rows.truth(test).groups));
            ValueError {
                column: column.to_owned(),
                mean_absolute_error: sample.mean(seed, &errors).within([0.0, span]),
            }
        };
        rule.ends().into_iter().enumerate().map(of).collect()
    }

    /// Figures of the baselines, taught everything outside the test part, and the head against each.
    fn test_baselines(
        &self,
        rows: &Rows,
        answered: Vec<Answered>,
        head: RowProbabilities<'_>,
    ) -> Vec<TestBaseline> {
        let truth = rows.truth(head.rows);
        let head =
            Predictions { decided: Some(head.decided), ..self.predictions(rows, &truth, head.probabilities) };
        let seed = |name: &str| self.project.config.seed_for(&format!("bootstrap {name}"));
        let of = |(kind, answered): (&BaselineKind, Answered)| {
            let (name, predictions) = (kind.label(), self.predictions(rows, &truth, &answered.probabilities));
            TestBaseline {
                model: name.to_owned(),
                metrics: evaluate(predictions, &rows.dataset.classes, seed(name)),
                difference: difference(head, predictions, seed("difference")),
                mcnemar: mcnemar(&truth.classes, &head.answers(), &predictions.answers()),
            }
        };
        self.compared(rows).iter().zip(answered).map(of).collect()
    }

    /// The baselines of the config, but those that so many classes of so many rows would take hours.
    fn compared(&self, rows: &Rows) -> Vec<BaselineKind> {
        let kinds = self.project.config.evaluate.baselines();
        let dear = rows.dataset.classes.len() * rows.dataset.rows.len() > MOST_TO_COMPARE;
        kinds.into_iter().filter(|kind| !dear || *kind == BaselineKind::Majority).collect()
    }

    fn baseline_data<'a>(&self, rows: &'a Rows) -> BaselineData<'a> {
        let config = &self.project.config;
        // Whoever decides for the mean over the classes is compared with machines that learn for it.
        let for_classes =
            config.evaluate.decision != DecisionKind::Accuracy && config.evaluate.costs.is_empty();
        BaselineData {
            raw: &rows.raw,
            classes: &rows.classes,
            groups: &rows.dealt.groups,
            class_count: rows.dataset.classes.len(),
            features: FeatureSettings::new(&config.features, &config.train),
            class_weights: config.train.class_weights || for_classes,
            seed: config.seed_for("baselines"),
        }
    }

    fn history(&self) -> Result<Vec<Epoch>, BuildError> {
        let path = self.project.model().history();
        let failed = |e: csv::Error| BuildError::Artefact { path: path.clone(), reason: e.to_string() };
        csv::Reader::from_path(&path).map_err(failed)?.deserialize().collect::<Result<_, _>>().map_err(failed)
    }

    /// How the train stage trained the head, from what it left.
    fn training(&self, rows: &Rows, history: &[Epoch]) -> Result<Training, BuildError> {
        let path = self.project.manifest(Stage::Train);
        let failed =
            || BuildError::Artefact { path: path.clone(), reason: "it lacks what training left".into() };
        let trained: TrainSummary = Manifest::load(&path).and_then(|m| m.summary()).ok_or_else(failed)?;
        let best = trained.best_epoch.checked_sub(1).and_then(|i| history.get(i)).ok_or_else(failed)?;
        let class_rows = |class: usize| {
            Part::USED.map(|part| rows.of(&[part]).iter().filter(|&&r| rows.classes[r] == class).count())
        };
        let head = self.project.config.train.head;
        Ok(Training {
            part_rows: Part::USED.map(|part| rows.of(&[part]).len()),
            class_rows: (0..rows.dataset.classes.len()).map(class_rows).collect(),
            augmented: trained.augmented,
            parameters: trained.parameters,
            epochs: history.len(),
            best_epoch: trained.best_epoch,
            has_epochs: head == HeadKind::Network,
            left_out: matches!(head, HeadKind::Kernel | HeadKind::Knn),
            learned_validation: head == HeadKind::Kernel,
            stopped_early: trained.stopped_early,
            losses: [best.train_loss, best.validation_loss],
        })
    }

    /// `metrics.json`, `calibration.json`, `predictions.csv` and `report.html`.
    fn write_evaluation(
        &self,
        rows: &Rows,
        evaluation: &Evaluation,
        history: &[Epoch],
        test: RowProbabilities<'_>,
        out_of_fold: RowProbabilities<'_>,
    ) -> Result<Vec<PathBuf>, BuildError> {
        let (files, classes) = (self.project.model(), &rows.dataset.classes);
        write_json(&files.metrics(), evaluation)?;
        let truth = rows.truth(out_of_fold.rows);
        let calibration = Calibration {
            temperature: evaluation.temperature,
            decision: evaluation.decision.clone(),
            sets: Some(LabelSets::new(&truth.classes, out_of_fold.probabilities, classes.len())),
            head_blake3: checksum(&files.head())?,
        };
        write_json(&files.calibration(), &calibration)?;
        let fixed = ["part", "file", "line", GROUP, RECORD, TEXTS, "class", "predicted", "confidence"];
        let header: Vec<&str> = fixed.into_iter().chain(classes.iter().map(String::as_str)).collect();
        let line = |part: &str, row: usize, probabilities: &[f32], decided: usize| {
            let at = place(&rows.dataset, row);
            let fixed = [
                part.to_owned(),
                at.file,
                at.line,
                rows.dealt.groups[row].to_string(),
                rows.dataset.rows[row].record.to_string(),
                ContentHash::of(rows.dataset.rows[row].cells.texts.iter().map(String::as_str)).to_string(),
                classes[rows.classes[row]].clone(),
                classes[decided].clone(),
            ];
            fixed
                .into_iter()
                .chain([probabilities[decided].to_string()])
                .chain(probabilities.iter().map(f32::to_string))
                .collect()
        };
        let lines = |part: &'static str, of: RowProbabilities<'_>| {
            of.each(classes.len())
                .map(|(row, probabilities, decided)| line(part, row, probabilities, decided))
                .collect::<Vec<Vec<String>>>()
        };
        let all = lines("test", test).into_iter().chain(lines("out-of-fold", out_of_fold));
        write_csv(&files.predictions(), &header, all)?;
        let html = report_html(&ReportInput {
            evaluation,
            history,
            mistakes: mistakes(rows, &[test, out_of_fold]),
            explained: self.explained(rows, test)?,
            doubtful: doubtful(rows, &[test, out_of_fold]),
            map: map(rows),
            thresholds: class_thresholds(&truth.classes, out_of_fold.probabilities, classes),
            config: toml::to_string_pretty(&self.project.config).unwrap_or_default(),
            encoder: &self.encoders()?.fingerprint(),
            read: Manifest::load(&self.project.manifest(Stage::Embed)).map_or(Value::Null, |m| m.summary),
        });
        write_atomic(&files.report(), |w| std::io::Write::write_all(w, html.as_bytes()))?;
        Ok(vec![files.metrics(), files.calibration(), files.predictions(), files.report()])
    }
}

/// Mean time of the head and of each baseline in a fold.
fn seconds_of(kinds: &[BaselineKind], answers: &[FoldAnswers]) -> Vec<ModelSeconds> {
    let mean = |model: &str, of: &dyn Fn(&FoldAnswers) -> f64| ModelSeconds {
        model: model.to_owned(),
        seconds: answers.iter().map(of).sum::<f64>() / answers.len().max(1) as f64,
    };
    let baseline = |(i, kind): (usize, &BaselineKind)| mean(kind.label(), &|of| of.baselines[i].seconds);
    std::iter::once(mean(HEAD, &|of| of.head.seconds)).chain(kinds.iter().enumerate().map(baseline)).collect()
}

/// The embeddings of evenly chosen rows in two dimensions.
fn map(rows: &Rows) -> Vec<MapPoint> {
    let count = rows.classes.len();
    let step = count.div_ceil(MAP_POINTS).max(1);
    let chosen: Vec<usize> = (0..count).step_by(step).collect();
    let few = rows.raw.pick(&chosen);
    let Ok(matrix) = ArrayView2::from_shape((chosen.len(), few.embedding_dims), &few.embedding) else {
        return Vec::new();
    };
    let flat = principal_components(matrix);
    let point = |(i, &row): (usize, &usize)| MapPoint {
        at: [f64::from(flat[(i, 0)]), f64::from(flat[(i, 1)])],
        class: rows.classes[row],
        text: rows.dataset.rows[row].cells.texts.first().cloned().unwrap_or_default(),
    };
    chosen.iter().enumerate().map(point).collect()
}
