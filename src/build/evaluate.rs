//! The evaluate stage: cross-validation of the head and its baselines, calibration, the figures of the test part, the
//! diagnosis, the gates, and the report.

use std::path::PathBuf;

use ndarray::Array2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::folds::{HeadAnswers, truth_of};
use super::stages::{Context, Rows, StageResult, pick_rows, place, write_csv};
use super::{BuildError, Stage};
use crate::baseline::{LogisticRegression, Matrix, class_shares};
use crate::config::HeadKind;
use crate::embed::read_npy;
use crate::engine::networks;
use crate::evaluate::{
    CrossValidation, Estimate, Evaluation, Evidence, Figure, GateInput, HEAD, ModelFolds, Predictions,
    TaskFigures, TestBaseline, Training, ValueError, apply_temperature, diagnose, difference, evaluate,
    fit_temperature, gates, likeliest, mcnemar, mean_with_interval, point_class_scores, point_figures,
    principal_components, reliability, risk_coverage, wilson,
};
use crate::heads::{Block, Epoch};
use crate::inputs::{Terms, TfIdf};
use crate::model::{Answers, Calibration, answers, load_card, load_head, load_inputs};
use crate::report::{MapPoint, Mistake, ReportInput, report_html, summary};
use crate::split::{Fold, Part, for_each_near_pair, mean_cosine_vectors};
use crate::store::{Manifest, checksum, write_atomic, write_json};
use crate::train::Task;
use crate::validate::giveaways;

/// Penalties (C, ascending) that the logistic regressions choose from.
const PENALTIES: [f64; 4] = [0.3, 3.0, 30.0, 300.0];

/// Most steps of a logistic regression.
const ITERATIONS: u64 = 100;

/// A term in fewer texts is left out of TF-IDF.
const MIN_TEXTS: usize = 2;

/// The baselines, in the order in which [`baselines`] gives them.
const BASELINES: [&str; 3] =
    ["majority class", "TF-IDF + logistic regression", "embeddings + logistic regression"];

/// Points of the embedding map; more would make the report slow to open.
const MAP_POINTS: usize = 1500;

/// Mistakes shown in the report.
const MISTAKES: usize = 20;

/// A label is contradicted with confidence when it has at most this probability out of fold …
const CONTRADICTED: f32 = 0.05;

/// … and another class at least this.
const CONTRADICTING: f32 = 0.9;

/// What one fold gave. Probabilities are of its held-out rows.
struct FoldAnswers {
    head: HeadAnswers,
    /// Those of [`BASELINES`].
    baselines: Vec<Vec<f32>>,
}

impl Context<'_> {
    pub fn evaluate(&self) -> StageResult {
        let (config, rows) = (&self.project.config, self.rows()?);
        let used = rows.of(&[Part::Train, Part::Validation]);
        let folds = self.folds(&rows)?;
        let texts: Vec<String> = rows.dataset.rows.iter().map(|r| r.cells.texts.join("\n")).collect();
        let answers = self.on_folds(&rows, &folds, |fold, head| FoldAnswers {
            head,
            baselines: baselines(&rows, &texts, &fold.train, &fold.validation, &fold.held_out),
        })?;

        let every_raw: Vec<f32> = answers.iter().flat_map(|a| &a.head.raw).copied().collect();
        let held: Vec<usize> = folds.iter().flat_map(|f| f.held_out.iter().copied()).collect();
        let temperature = fit_temperature(self.predictions(&rows, &truth_of(&rows, &held), &every_raw));
        let cross_validation = self.cross_validation(&rows, &folds, &answers, &used);

        let (validation_rows, test_rows) = (rows.of(&[Part::Validation]), rows.of(&[Part::Test]));
        let mut validation_given = read_npy(&self.project.model().validation())?.values;
        apply_temperature(&mut validation_given, rows.dataset.classes.len(), temperature);
        let answered = self.head_answers(&rows, &test_rows, temperature)?;
        let (tasks, range) =
            (self.tasks(&rows, &test_rows, &answered), self.range(&rows, &test_rows, &answered));
        let test_given = answered.label;
        let measure = |given: &[f32], of: &[usize], seed: &str| {
            let truth = truth_of(&rows, of);
            evaluate(self.predictions(&rows, &truth, given), &rows.dataset.classes, config.seed_for(seed))
        };
        let validation = measure(&validation_given, &validation_rows, "bootstrap-validation");
        let test = measure(&test_given, &test_rows, "bootstrap-test");
        let test_baselines = self.test_baselines(&rows, &texts, &test_rows, &test_given);

        // The first repeat holds every row out once.
        let first = folds.iter().zip(&answers).filter(|(f, _)| f.repeat == 0);
        let (out_of_fold, out_of_fold_given): (Vec<usize>, Vec<f32>) = {
            let (mut held, mut given) = (Vec::new(), Vec::new());
            for (fold, answers) in first {
                held.extend_from_slice(&fold.held_out);
                given.extend_from_slice(&answers.head.calibrated);
            }
            (held, given)
        };
        let truth = truth_of(&rows, &out_of_fold);
        let predictions = self.predictions(&rows, &truth, &out_of_fold_given);

        let history = self.history()?;
        let training = self.training(&rows, &history)?;
        let permuted = self.permuted(&rows, &folds[0]);
        let findings = diagnose(&Evidence {
            classes: &rows.dataset.classes,
            history: (&history, training.best_epoch),
            validation: &validation,
            test: &test,
            part_rows: [0, 1, 2].map(|part| training.class_rows.iter().map(|rows| rows[part]).collect()),
            test_share: test_rows.len() as f64 / rows.parts.len() as f64,
            parameters: training.parameters,
            near_pairs_across: self.near_pairs_across(&rows),
            giveaways: giveaways(&rows.dataset, &folds[0].train, &folds[0].held_out),
            naming_rows: self.naming_rows(&texts),
            permuted: Some(permuted),
            differences: cross_validation
                .models
                .iter()
                .filter_map(|m| Some((m.model.clone(), m.difference.as_ref()?[&Figure::MacroF1])))
                .collect(),
            calibrated_ece: (point_figures(predictions)[&Figure::Ece], out_of_fold.len()),
            suspects: (contradicted(predictions), out_of_fold.len()),
            half_width: config.gates.test_accuracy_half_width,
        });
        let gates = gates(
            &GateInput {
                test: &test,
                history: &history,
                best_epoch: training.best_epoch,
                has_epochs: training.has_epochs,
                rows: rows.dataset.rows.len(),
            },
            &config.gates,
        );
        let evaluation = Evaluation {
            name: config.name.clone(),
            pipeline_version: env!("CARGO_PKG_VERSION").into(),
            classes: rows.dataset.classes.clone(),
            training,
            temperature,
            test,
            validation,
            tasks,
            range,
            test_baselines,
            cross_validation,
            reliability: reliability(predictions),
            risk_coverage: risk_coverage(predictions),
            findings,
            gates,
        };
        let test_part = (test_rows.as_slice(), test_given.as_slice());
        let outputs = self.write_evaluation(
            &rows,
            &evaluation,
            &history,
            test_part,
            (&out_of_fold, &out_of_fold_given),
        )?;
        let failed = evaluation.gates.iter().filter(|g| !g.passed).count();
        let text = summary(&evaluation);
        Ok((
            outputs,
            json!({
                "folds": folds.len(), "findings": evaluation.findings.len(), "gates_failed": failed,
                "text": text, "test": evaluation.test, "gates": evaluation.gates,
            }),
        ))
    }

    /// Figures of every fold, and their means.
    fn cross_validation<'a>(
        &self,
        rows: &Rows,
        folds: &[Fold],
        answers: &'a [FoldAnswers],
        used: &[usize],
    ) -> CrossValidation {
        let config = &self.project.config.evaluate;
        let truths: Vec<Vec<usize>> = folds.iter().map(|fold| truth_of(rows, &fold.held_out)).collect();
        let predictions = |fold: usize, given| self.predictions(rows, &truths[fold], given);
        let of_model = |name: &str, given: &dyn Fn(usize) -> &'a [f32]| ModelFolds {
            model: name.to_owned(),
            figures: (0..folds.len()).map(|i| point_figures(predictions(i, given(i)))).collect(),
            class_scores: (0..folds.len()).map(|i| point_class_scores(predictions(i, given(i)))).collect(),
        };
        let mut models = vec![of_model(HEAD, &|fold| &answers[fold].head.calibrated)];
        for (i, name) in BASELINES.iter().enumerate() {
            models.push(of_model(name, &|fold| &answers[fold].baselines[i]));
        }
        let ece = |i: usize| point_figures(predictions(i, &answers[i].head.raw))[&Figure::Ece];
        let uncalibrated: Vec<f64> = (0..folds.len()).map(ece).collect();
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
        CrossValidation::new((config.folds, config.repeats), &classes, hash, &uncalibrated, models)
    }

    /// The saved head's answers, those to the label calibrated.
    fn head_answers(&self, rows: &Rows, of: &[usize], temperature: f64) -> Result<Answers, BuildError> {
        let files = self.project.model();
        let card = load_card(&files)?;
        let (inputs, head) = (load_inputs(&files, &card)?, load_head(&files, &card, networks(self.engine))?);
        let mut given = answers(head.as_ref(), &card.head, &inputs, &pick_rows(&rows.raw, of))?;
        apply_temperature(&mut given.label, rows.dataset.classes.len(), temperature);
        Ok(given)
    }

    /// Figures of each task on those of the test rows whose value is known.
    fn tasks(&self, rows: &Rows, test: &[usize], answered: &Answers) -> Vec<TaskFigures> {
        let of = |(task, (block, given)): (&Task, &(Block, Vec<f32>))| {
            let known = test.iter().zip(given.chunks_exact(block.width));
            let (truth, given): (Vec<usize>, Vec<&[f32]>) =
                known.filter_map(|(&row, answer)| Some((task.rows[row]?, answer))).unzip();
            let given = given.concat();
            let predictions =
                Predictions { truth: &truth, probabilities: &given, classes: block.width, ordered: false };
            let seed = self.project.config.seed_for(&format!("bootstrap task {}", task.column));
            let learned = rows.of(&[Part::Train]).into_iter().filter_map(|row| task.rows[row]);
            let mut counts = vec![0; block.width];
            learned.for_each(|class| counts[class] += 1);
            let majority = (0..block.width).max_by_key(|&class| counts[class]);
            TaskFigures {
                column: task.column.clone(),
                metrics: evaluate(predictions, &task.classes, seed),
                majority: wilson(truth.iter().filter(|&&class| Some(class) == majority).count(), truth.len()),
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
        let of = |(end, column): (usize, &String)| {
            let errors: Vec<f64> = test
                .iter()
                .zip(&answered.ranges)
                .map(|(&row, given)| f64::from((given[end] - rows.ranges[row][end]).abs()))
                .collect();
            let seed = self.project.config.seed_for(&format!("bootstrap {column}"));
            ValueError { column: column.clone(), mean_absolute_error: mean_with_interval(&errors, seed) }
        };
        [&rule.min, &rule.max].into_iter().enumerate().map(of).collect()
    }

    /// The baselines, trained on everything outside the test part, and the head against each.
    fn test_baselines(
        &self,
        rows: &Rows,
        texts: &[String],
        test: &[usize],
        head: &[f32],
    ) -> Vec<TestBaseline> {
        let (train, validation) = (rows.of(&[Part::Train]), rows.of(&[Part::Validation]));
        let truth = truth_of(rows, test);
        let head = self.predictions(rows, &truth, head);
        let seed = |name: &str| self.project.config.seed_for(&format!("bootstrap {name}"));
        let of = |(name, given): (&&str, Vec<f32>)| {
            let predictions = self.predictions(rows, &truth, &given);
            TestBaseline {
                model: (*name).to_owned(),
                metrics: evaluate(predictions, &rows.dataset.classes, seed(name)),
                difference: difference(head, predictions, seed("difference")),
                mcnemar: mcnemar(&truth, &head.likeliest(), &predictions.likeliest()),
            }
        };
        BASELINES.iter().zip(baselines(rows, texts, &train, &validation, test)).map(of).collect()
    }

    /// Balanced accuracy on held-out rows after learning from shuffled labels; chance is 1 / classes.
    fn permuted(&self, rows: &Rows, fold: &Fold) -> Estimate {
        let mut labels: Vec<usize> = truth_of(rows, &fold.train);
        labels.shuffle(&mut ChaCha8Rng::seed_from_u64(self.project.config.seed_for("permuted labels")));
        let classes = rows.dataset.classes.len();
        let model =
            LogisticRegression::fit(&dense(rows, &fold.train), &labels, classes, 1.0, ITERATIONS, None);
        let given = model.probabilities(&dense(rows, &fold.held_out));
        let truth = truth_of(rows, &fold.held_out);
        let predictions = self.predictions(rows, &truth, &given);
        evaluate(predictions, &rows.dataset.classes, self.project.config.seed_for("bootstrap permuted"))
            .of(Figure::BalancedAccuracy)
    }

    /// Pairs of near-duplicates that stand in different parts, one of them in the validation or the test part.
    fn near_pairs_across(&self, rows: &Rows) -> usize {
        let fields = rows.dataset.text_fields.len();
        let dims = rows.raw.embedding_dims / fields;
        let vectors = mean_cosine_vectors(&rows.raw.embedding, fields, dims);
        let cosine = self.project.config.split.near_duplicate_cosine;
        let mut pairs = 0;
        for_each_near_pair(&vectors, rows.raw.embedding_dims, cosine, |a, b| {
            let (a, b) = (rows.parts[a], rows.parts[b]);
            pairs += usize::from(a != b && a != Part::Dropped && b != Part::Dropped);
        });
        pairs
    }

    /// Rows whose text names the label by one of `validate.names_label`.
    fn naming_rows(&self, texts: &[String]) -> usize {
        let patterns = self.project.config.validate.patterns().unwrap_or_default();
        texts.iter().filter(|text| patterns.iter().any(|p| p.is_match(text))).count()
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
        let trained = Manifest::load(&path).ok_or_else(failed)?.summary;
        let number = |key: &str| trained[key].as_u64().map(|n| n as usize).ok_or_else(failed);
        let best_epoch = number("best_epoch")?;
        let best = best_epoch.checked_sub(1).and_then(|i| history.get(i)).ok_or_else(failed)?;
        let class_rows = |class: usize| {
            Part::USED.map(|part| rows.of(&[part]).iter().filter(|&&r| rows.classes[r] == class).count())
        };
        let head = self.project.config.train.head;
        Ok(Training {
            part_rows: Part::USED.map(|part| rows.of(&[part]).len()),
            class_rows: (0..rows.dataset.classes.len()).map(class_rows).collect(),
            augmented: number("augmented")?,
            parameters: number("parameters")?,
            epochs: history.len(),
            best_epoch,
            has_epochs: head == HeadKind::Network,
            left_out: matches!(head, HeadKind::Kernel | HeadKind::Knn),
            learned_validation: head == HeadKind::Kernel,
            stopped_early: trained["stopped_early"].as_bool().ok_or_else(failed)?,
            losses: [best.train_loss, best.validation_loss],
        })
    }

    /// `metrics.json`, `calibration.json`, `predictions.csv` and `report.html`. Each pair is rows and their probabilities.
    fn write_evaluation(
        &self,
        rows: &Rows,
        evaluation: &Evaluation,
        history: &[Epoch],
        test: (&[usize], &[f32]),
        out_of_fold: (&[usize], &[f32]),
    ) -> Result<Vec<PathBuf>, BuildError> {
        let (files, classes) = (self.project.model(), &rows.dataset.classes);
        write_json(&files.metrics(), evaluation)?;
        let calibration =
            Calibration { temperature: evaluation.temperature, head_blake3: checksum(&files.head())? };
        write_json(&files.calibration(), &calibration)?;
        let fixed = ["part", "file", "line", "class", "predicted", "confidence"];
        let header: Vec<&str> = fixed.into_iter().chain(classes.iter().map(String::as_str)).collect();
        let line = |part: &str, row: usize, given: &[f32]| {
            let (at, best) = (place(&rows.dataset, row), likeliest(given));
            let fixed = [
                part.to_owned(),
                at.file,
                at.line,
                classes[rows.classes[row]].clone(),
                classes[best].clone(),
            ];
            fixed
                .into_iter()
                .chain([given[best].to_string()])
                .chain(given.iter().map(f32::to_string))
                .collect()
        };
        let lines = |part: &'static str, (of, given): (&[usize], &[f32])| {
            let rows: Vec<Vec<String>> =
                of.iter().zip(given.chunks_exact(classes.len())).map(|(&r, g)| line(part, r, g)).collect();
            rows
        };
        let all = lines("test", test).into_iter().chain(lines("out-of-fold", out_of_fold));
        write_csv(&files.predictions(), &header, all)?;
        let html = report_html(&ReportInput {
            evaluation,
            history,
            mistakes: mistakes(rows, test),
            map: map(rows),
            config: toml::to_string_pretty(&self.project.config).unwrap_or_default(),
            encoder: &self.encoders()?.fingerprint(),
            read: Manifest::load(&self.project.manifest(Stage::Embed)).map_or(Value::Null, |m| m.summary),
        });
        write_atomic(&files.report(), |w| std::io::Write::write_all(w, html.as_bytes()))?;
        Ok(vec![files.metrics(), files.calibration(), files.predictions(), files.report()])
    }
}

fn dense(rows: &Rows, of: &[usize]) -> Matrix {
    let (dims, all) = (rows.raw.embedding_dims, &rows.raw.embedding);
    Matrix::Dense(Array2::from_shape_fn((of.len(), dims), |(i, d)| all[of[i] * dims + d]))
}

/// Probabilities of `held_out` by each of [`BASELINES`]; penalties are chosen on `validation`.
fn baselines(
    rows: &Rows,
    texts: &[String],
    train: &[usize],
    validation: &[usize],
    held_out: &[usize],
) -> Vec<Vec<f32>> {
    let classes = rows.dataset.classes.len();
    let both: Vec<usize> = train.iter().chain(validation).copied().collect();
    let majority = class_shares(&truth_of(rows, &both), classes).repeat(held_out.len());
    let logistic = |matrix: &dyn Fn(&[usize]) -> Matrix| {
        let model = LogisticRegression::fit_best(
            &PENALTIES,
            (&matrix(train), &truth_of(rows, train)),
            (&matrix(validation), &truth_of(rows, validation)),
            (&matrix(&both), &truth_of(rows, &both)),
            classes,
            ITERATIONS,
        );
        model.probabilities(&matrix(held_out))
    };
    let of = |&row: &usize| texts[row].as_str();
    let terms = TfIdf::learn(train.iter().map(of), MIN_TEXTS, Terms::Words);
    let tfidf = logistic(&|rows| Matrix::Sparse(terms.rows(rows.iter().map(of))));
    vec![majority, tfidf, logistic(&|of| dense(rows, of))]
}

/// Rows whose label is contradicted with confidence.
fn contradicted(predictions: Predictions<'_>) -> usize {
    let rows = predictions.probabilities.chunks_exact(predictions.classes).zip(predictions.truth);
    rows.filter(|(row, truth)| row[**truth] <= CONTRADICTED && row[likeliest(row)] >= CONTRADICTING).count()
}

/// The most confident mistakes of the test part.
fn mistakes(rows: &Rows, (of, given): (&[usize], &[f32])) -> Vec<Mistake> {
    let classes = &rows.dataset.classes;
    let mut wrong: Vec<Mistake> = of
        .iter()
        .zip(given.chunks_exact(classes.len()))
        .filter(|(row, answer)| likeliest(answer) != rows.classes[**row])
        .map(|(&row, answer)| Mistake {
            place: rows.dataset.place(row),
            text: rows.dataset.rows[row].cells.texts.join(" · "),
            truth: classes[rows.classes[row]].clone(),
            predicted: classes[likeliest(answer)].clone(),
            confidence: f64::from(answer[likeliest(answer)]),
        })
        .collect();
    wrong.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    wrong.truncate(MISTAKES);
    wrong
}

/// The embeddings of evenly chosen rows in two dimensions.
fn map(rows: &Rows) -> Vec<MapPoint> {
    let count = rows.classes.len();
    let step = count.div_ceil(MAP_POINTS).max(1);
    let chosen: Vec<usize> = (0..count).step_by(step).collect();
    let Matrix::Dense(matrix) = dense(rows, &chosen) else { return Vec::new() };
    let flat = principal_components(matrix.view());
    let point = |(i, &row): (usize, &usize)| MapPoint {
        at: [f64::from(flat[(i, 0)]), f64::from(flat[(i, 1)])],
        class: rows.classes[row],
        text: rows.dataset.rows[row].cells.texts.first().cloned().unwrap_or_default(),
    };
    chosen.iter().enumerate().map(point).collect()
}
