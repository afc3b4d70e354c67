//! `pipeline compare`: two evaluated models, example by example and fold by fold.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf, absolute};

use csv::StringRecord;
use serde::Deserialize;
use serde_json::json;

use super::error::BuildError;
use super::evaluate::TEXTS;
use super::runs::RECORD;
use crate::config::{Difference, differences};
use crate::counting::{counted, grouped};
use crate::evaluate::{
    ByExample, ByFold, Comparison, Evaluation, Figure, Predictions, difference, fold_differences, mcnemar,
};
use crate::model::{ModelFiles, PredictError, load_card, load_evaluation};

/// Seed of the bootstrap: two saved models are compared the same way every time.
const SEED: u64 = 42;

/// Of the smaller model's rows at least so many must be the other's, too: figures of the few that are left would speak for
/// neither model.
const LEAST_SHARE: f64 = 0.5;

/// Compare two evaluated models on the rows that both answered. A row is known again by its content, wherever it stands.
///
/// # Errors
/// A model lacks its evaluation, the classes differ, or fewer than half of the rows pair.
pub fn compare(first: &ModelFiles, second: &ModelFiles) -> Result<Comparison, BuildError> {
    let (a, b) = (load_evaluation(first)?, load_evaluation(second)?);
    if a.classes != b.classes {
        return Err(BuildError::NotComparable(format!(
            "their classes differ: {} against {}",
            a.classes.join(", "),
            b.classes.join(", ")
        )));
    }
    let (of_a, of_b) = (answers(first, &a)?, answers(second, &b)?);
    let ordered = a.test.figures.contains_key(&Figure::QuadraticKappa);
    let part = |part: Side| {
        let [of_a, of_b] = [&of_a, &of_b].map(|answers| answers.iter().filter(|a| a.part == part).collect());
        by_example(of_a, of_b, a.classes.len(), ordered)
    };
    let (test, out_of_fold) = (part(Side::Test), part(Side::OutOfFold));
    let rows = test.rows + out_of_fold.rows;
    let smaller = rows + (0..2).map(|of| test.unmatched[of] + out_of_fold.unmatched[of]).min().unwrap_or(0);
    if test.rows == 0 || (rows as f64) < LEAST_SHARE * smaller as f64 {
        return Err(BuildError::NotComparable(format!(
            "{} of {} in the same part of both, {} of them test rows (by content and class)",
            grouped(rows),
            counted(smaller, "row is", "rows are"),
            grouped(test.rows)
        )));
    }
    let (cv_a, cv_b) = (&a.cross_validation, &b.cross_validation);
    let same = cv_a.folds_blake3 == cv_b.folds_blake3;
    let folds = same.then(|| cv_a.models.first().zip(cv_b.models.first())).flatten().map(|(x, y)| {
        let difference = fold_differences(&x.folds, &y.folds, cv_a.folded());
        ByFold { folds: x.folds.len(), difference }
    });
    let names = match a.name == b.name {
        true => {
            let [a, b] = told_apart([&first.folder, &second.folder]);
            [(first, a), (second, b)].map(|(files, name)| match files.folder.join(RECORD).exists() {
                true => format!("run {name}"),
                false => name,
            })
        }
        false => [a.name, b.name],
    };
    let [first, second] = names;
    Ok(Comparison { first, second, out_of_fold, test, folds })
}

/// Settings that two models were not trained with alike; `None` where one of them does not say with what it was.
pub fn settings(first: &ModelFiles, second: &ModelFiles) -> Option<Vec<Difference>> {
    let [first, second] = [first, second].map(|files| load_card(files).ok().map(|card| json!(card.config)));
    Some(differences(&first?, &second?))
}

/// What two folders are called beside each other: their names, with as many folders above them as tell them apart.
fn told_apart(folders: [&Path; 2]) -> [String; 2] {
    let full = folders.map(|folder| absolute(folder).unwrap_or_else(|_| folder.to_owned()));
    let parts = full.each_ref().map(|path| path.components().collect::<Vec<_>>());
    let ends = |count: usize| {
        parts.each_ref().map(|of| of[of.len().saturating_sub(count)..].iter().collect::<PathBuf>())
    };
    let most = parts.iter().map(Vec::len).max().unwrap_or_default();
    let apart = (1..=most).map(ends).find(|[first, second]| first != second).unwrap_or(full);
    apart.map(|path| path.display().to_string())
}

/// Whence an answer is.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Side {
    Test,
    OutOfFold,
}

/// Class and probabilities of one row.
pub(super) struct Answer {
    pub part: Side,
    /// Hash of the row as its file has it, and of its texts.
    pub contents: [String; 2],
    truth: usize,
    pub predicted: usize,
    /// Its group of near-duplicates.
    group: usize,
    pub probabilities: Vec<f32>,
}

/// What stands before the probabilities in a line of `predictions.csv`.
#[derive(Deserialize)]
struct Line {
    part: Side,
    group: usize,
    record: String,
    texts: String,
    class: String,
    predicted: String,
}

/// The answers of a model in the order of its file.
pub(super) fn answers(files: &ModelFiles, of: &Evaluation) -> Result<Vec<Answer>, BuildError> {
    let path = files.predictions();
    let read = |path: &Path| -> Result<Vec<Answer>, String> {
        let mut reader = csv::Reader::from_path(path).map_err(|e| e.to_string())?;
        let header = reader.headers().map_err(|e| e.to_string())?.clone();
        if header.get(5) != Some(TEXTS) {
            return Err(format!(
                "no column `{TEXTS}`: an older program wrote it; run `pipeline build` for this model"
            ));
        }
        // Beyond these stand the classes, which may be called like any of them.
        let named = header.len().saturating_sub(of.classes.len());
        let first = |record: &StringRecord| record.iter().take(named).collect::<StringRecord>();
        let header = first(&header);
        let mut answers = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|e| e.to_string())?;
            let line: Line = first(&record).deserialize(Some(&header)).map_err(|e| e.to_string())?;
            let place = |name: &String| {
                let of = of.classes.iter().position(|class| class == name);
                of.ok_or_else(|| format!("`{name}` is no class"))
            };
            let (truth, predicted) = (place(&line.class)?, place(&line.predicted)?);
            let numbers = record.iter().skip(named);
            let probabilities = numbers.map(str::parse).collect::<Result<Vec<f32>, _>>();
            answers.push(Answer {
                part: line.part,
                contents: [line.record, line.texts],
                truth,
                predicted,
                group: line.group,
                probabilities: probabilities.map_err(|e| e.to_string())?,
            });
        }
        Ok(answers)
    };
    Ok(read(&path).map_err(|reason| PredictError::File { path, reason })?)
}

/// Pairs of answers to rows of one content and class: first of rows that are alike to the last cell, then of those with the
/// same texts; of several that are alike, the first with the first.
fn pairs<'a>(mut first: Vec<&'a Answer>, second: Vec<&'a Answer>) -> Vec<[&'a Answer; 2]> {
    let (mut pairs, mut paired) = (Vec::new(), vec![false; second.len()]);
    for content in 0..2 {
        let key = |answer: &Answer| (answer.contents[content].clone(), answer.truth);
        let mut known: HashMap<_, VecDeque<usize>> = HashMap::new();
        for (place, answer) in second.iter().enumerate().filter(|(place, _)| !paired[*place]) {
            known.entry(key(answer)).or_default().push_back(place);
        }
        first.retain(|answer| {
            let other = known.get_mut(&key(answer)).and_then(VecDeque::pop_front);
            if let Some(place) = other {
                paired[place] = true;
                pairs.push([*answer, second[place]]);
            }
            other.is_none()
        });
    }
    pairs
}

fn by_example(first: Vec<&Answer>, second: Vec<&Answer>, classes: usize, ordered: bool) -> ByExample {
    let counts = [first.len(), second.len()];
    let pairs = pairs(first, second);
    let truth: Vec<usize> = pairs.iter().map(|[a, _]| a.truth).collect();
    let groups: Vec<usize> = pairs.iter().map(|[a, _]| a.group).collect();
    let of =
        |side: usize| pairs.iter().flat_map(|pair| pair[side].probabilities.clone()).collect::<Vec<f32>>();
    let decided = |side: usize| pairs.iter().map(|pair| pair[side].predicted).collect::<Vec<usize>>();
    let (probabilities, decided) = ([of(0), of(1)], [decided(0), decided(1)]);
    let [a, b] = [0, 1].map(|side| Predictions {
        truth: &truth,
        probabilities: &probabilities[side],
        classes,
        ordered,
        groups: Some(&groups),
        decided: Some(&decided[side]),
    });
    ByExample {
        rows: truth.len(),
        unmatched: counts.map(|count| count - truth.len()),
        mcnemar: mcnemar(&truth, &a.answers(), &b.answers()),
        difference: difference(a, b, SEED),
    }
}
