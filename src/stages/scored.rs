//! `pipeline evaluate`: what a finished model is worth on labelled rows that it has not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::compare::{Answer, Side, answers};
use super::embed::INDEX;
use super::error::BuildError;
use super::project::Project;
use crate::config::Config;
use crate::counting::{counted, grouped};
use crate::embed::{Embeddings, read_npy};
use crate::evaluate::{Expected, Predictions, Scored, TextShift, accuracy_difference, evaluate};
use crate::inputs::raw_inputs;
use crate::model::{Answers, ModelCard, ModelFiles, Predicted, Predictor, load_evaluation};
use crate::progress::Progress;
use crate::table::{self, Cells, ContentHash, Dataset, Row, folded, normalise};
use crate::validate::{share_difference, text_shift};

/// Judge `predictor`, of the model in `files`, by the labelled rows of `tables`. Beside them stand the texts of the training where
/// the project in `root` has their embeddings.
///
/// # Errors
/// The tables cannot be read, lack columns, or too few of their rows can be used; no row is left to judge by; or the encoder or
/// the head failed.
pub fn score(
    predictor: &Predictor,
    files: &ModelFiles,
    root: &Path,
    tables: &[PathBuf],
    progress: &dyn Progress,
) -> Result<Scored, BuildError> {
    let card = predictor.card();
    let mut config = card.config.clone();
    config.data.files = tables.iter().map(|table| glob::Pattern::escape(&table.to_string_lossy())).collect();
    config.data.test_files = Vec::new();
    let (dataset, report) = table::read(&config, Path::new(""), progress)?;
    if dataset.rows.is_empty() {
        let first = report.rejects.first().map_or(String::new(), |first| format!("; the first: {first}"));
        return Err(BuildError::NothingToJudge(format!("none of {} can be used{first}", report.read)));
    }
    let evaluation = load_evaluation(files).ok();
    let learned = match &evaluation {
        Some(evaluation) => learned_texts(answers(files, evaluation).unwrap_or_default()),
        None => BTreeSet::new(),
    };
    let classes = classes_of(card, &dataset);
    let (mut unknown, mut known, mut judged): (BTreeMap<&str, usize>, usize, Vec<(&Row, usize)>) =
        Default::default();
    for row in &dataset.rows {
        match classes[row.class] {
            None => *unknown.entry(&dataset.classes[row.class]).or_default() += 1,
            Some(_) if learned.contains(&texts_of(row)) => known += 1,
            Some(class) => judged.push((row, class)),
        }
    }
    let mut unknown: Vec<(String, usize)> =
        unknown.into_iter().map(|(label, rows)| (label.to_owned(), rows)).collect();
    unknown.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    if judged.is_empty() {
        let of_unknown: usize = unknown.iter().map(|(_, rows)| rows).sum();
        return Err(BuildError::NothingToJudge(format!(
            "of {} it has learned from {}, and the labels of {} it has not learned",
            counted(dataset.rows.len(), "row", "rows"),
            grouped(known),
            grouped(of_unknown)
        )));
    }
    let cells: Vec<&Cells> = judged.iter().map(|(row, _)| &row.cells).collect();
    let Predicted { answers: Answers { label: probabilities, .. }, embeddings, .. } =
        predictor.rows(&cells, progress)?;
    let count = card.classes.len();
    let truth: Vec<usize> = judged.iter().map(|(_, class)| *class).collect();
    let decided = predictor.decision().map(|decision| decision.answers(&probabilities, count));
    let groups = groups_of(judged.iter().map(|(row, _)| *row));
    let predictions = Predictions {
        truth: &truth,
        probabilities: &probabilities,
        classes: count,
        ordered: config.label.range.is_some(),
        groups: Some(&groups),
        decided: decided.as_deref(),
    };
    let metrics = evaluate(predictions, &card.classes, config.seed_for("bootstrap of a file"));
    let expected = evaluation.map(|evaluation| {
        let (found, rows) = evaluation.judged();
        let (accuracy_difference, accuracy_p) = accuracy_difference(&metrics, found);
        let mut here = vec![0.0; count];
        truth.iter().for_each(|&class| here[class] += 1.0);
        let there =
            evaluation.training.class_rows.iter().map(|rows| rows.iter().sum::<usize>() as f64).collect();
        let (shares_p, share) = share_difference(&[there, here], &card.classes);
        Expected { rows, metrics: found.clone(), accuracy_difference, accuracy_p, shares_p, share }
    });
    let learned = learned_embeddings(root, predictor);
    let mut notes = report.notes;
    if learned.is_none() {
        notes.push(
            "whether the texts are of another kind is not told: the embeddings of the training are not here"
                .into(),
        );
    }
    let texts = learned.and_then(|learned| told_apart(learned, &embeddings, &groups, &config));
    Ok(Scored {
        texts,
        name: card.config.name.clone(),
        files: tables.to_vec(),
        metrics,
        expected,
        learned: known,
        unknown,
        rejected: report.rejects.len(),
        first_rejected: report.rejects.first().map(ToString::to_string),
        notes,
    })
}

/// The embeddings that the embed stage left for the model's training, a matrix a text field; `None` where they are not here, or are
/// another encoder's.
pub(super) fn learned_embeddings(root: &Path, predictor: &Predictor) -> Option<Vec<Embeddings>> {
    let project = Project { root: root.to_owned(), config: predictor.card().config.clone() };
    let folder = project.embeddings_folder();
    let index: Value = serde_json::from_slice(&fs::read(folder.join(INDEX)).ok()?).ok()?;
    if index["fingerprint"] != predictor.encoders().fingerprint().as_str() {
        return None;
    }
    let fields = project.config.encoded_fields();
    fields.iter().map(|field| read_npy(&Project::matrix(&folder, field)).ok()).collect()
}

/// How well rows in groups are told from those that were learned, by their embeddings.
fn told_apart(
    learned: Vec<Embeddings>,
    here: &[Embeddings],
    groups: &[usize],
    config: &Config,
) -> Option<TextShift> {
    let before = learned.first()?.rows();
    let both: Vec<Embeddings> = learned
        .into_iter()
        .zip(here)
        .map(|(mut both, here)| {
            both.values.extend_from_slice(&here.values);
            both
        })
        .collect();
    let none = Cells::default();
    let raw = raw_inputs(&both, std::iter::repeat_n(&none, before + groups.len()), None);
    // Every row that was learned is a group of its own, beside those of the new ones.
    let groups: Vec<usize> =
        (0..before).map(|row| groups.len() + row).chain(groups.iter().copied()).collect();
    let rows: Vec<usize> = (0..groups.len()).collect();
    let (before, after) = rows.split_at(before);
    text_shift(&raw, [before, after], &groups, config.seed_for("shift"))
}

/// Hashes of the texts of all rows outside the test part.
pub(super) fn learned_texts(answers: Vec<Answer>) -> BTreeSet<String> {
    let texts = |Answer { contents: [_, texts], .. }: Answer| texts;
    answers.into_iter().filter(|answer| answer.part == Side::OutOfFold).map(texts).collect()
}

pub(super) fn texts_of(row: &Row) -> String {
    ContentHash::of(row.cells.texts.iter().map(String::as_str)).to_string()
}

/// The model's class of each class of a dataset.
fn classes_of(card: &ModelCard, dataset: &Dataset) -> Vec<Option<usize>> {
    let same = |a: &str, b: &str| match card.config.label.normalise {
        true => folded(a) == folded(b),
        false => a == b,
    };
    dataset.classes.iter().map(|label| card.classes.iter().position(|class| same(class, label))).collect()
}

/// Rows of the same words are one group.
fn groups_of<'r>(rows: impl Iterator<Item = &'r Row>) -> Vec<usize> {
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    rows.enumerate()
        .map(|(place, row)| *first.entry(normalise(&row.cells.texts.join("\n"))).or_insert(place))
        .collect()
}
