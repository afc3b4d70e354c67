//! `pipeline compare`: two evaluated models, example by example and fold by fold.

use std::collections::HashMap;
use std::path::Path;

use super::error::BuildError;
use super::evaluate::GROUP;
use crate::evaluate::{
    ByExample, ByFold, Comparison, Evaluation, Figure, Predictions, difference, fold_differences, mcnemar,
};
use crate::model::{ModelFiles, PredictError, load_evaluation};

/// Seed of the bootstrap: two saved models are compared the same way every time.
const SEED: u64 = 42;

/// Compare two evaluated models.
///
/// # Errors
/// A model lacks its evaluation, the classes differ, or they share no test row.
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
    let by = |part: &str| by_example(part, &of_a, &of_b, a.classes.len(), ordered);
    let test = by("test");
    if test.rows == 0 {
        return Err(BuildError::NotComparable("they share no test row".into()));
    }
    let (cv_a, cv_b) = (&a.cross_validation, &b.cross_validation);
    let same = cv_a.folds_blake3 == cv_b.folds_blake3;
    let folds = same.then(|| cv_a.models.first().zip(cv_b.models.first())).flatten().map(|(x, y)| {
        let difference = fold_differences(&x.folds, &y.folds, cv_a.folded());
        ByFold { folds: x.folds.len(), difference }
    });
    Ok(Comparison { first: a.name, second: b.name, out_of_fold: by("out-of-fold"), test, folds })
}

/// Class and probabilities of one row.
struct Answer {
    part: String,
    truth: usize,
    /// Its group of near-duplicates; of models of older programs each row's own.
    group: usize,
    probabilities: Vec<f32>,
}

/// The answers of a model by part, file and line.
fn answers(files: &ModelFiles, of: &Evaluation) -> Result<Vec<(String, Answer)>, BuildError> {
    let path = files.predictions();
    let read = |path: &Path| -> Result<Vec<(String, Answer)>, String> {
        let mut reader = csv::Reader::from_path(path).map_err(|e| e.to_string())?;
        let header = reader.headers().map_err(|e| e.to_string())?;
        let grouped = header.get(3) == Some(GROUP);
        let mut answers = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|e| e.to_string())?;
            let cell = |i: usize| record.get(i).unwrap_or_default();
            let class = cell(3 + usize::from(grouped));
            let truth = of.classes.iter().position(|c| c == class);
            let truth = truth.ok_or_else(|| format!("`{class}` is no class"))?;
            let group =
                if grouped { cell(3).parse().ok() } else { None }.unwrap_or(usize::MAX - answers.len());
            let probabilities =
                record.iter().skip(6 + usize::from(grouped)).map(str::parse).collect::<Result<Vec<f32>, _>>();
            let probabilities = probabilities.map_err(|e| e.to_string())?;
            let key = [cell(0), cell(1), cell(2)].join("\n");
            answers.push((key, Answer { part: cell(0).to_owned(), truth, group, probabilities }));
        }
        Ok(answers)
    };
    Ok(read(&path).map_err(|reason| PredictError::File { path, reason })?)
}

fn by_example(
    part: &str,
    first: &[(String, Answer)],
    second: &[(String, Answer)],
    classes: usize,
    ordered: bool,
) -> ByExample {
    let of_part = |answers: &'_ [(String, Answer)]| answers.iter().filter(|(_, a)| a.part == part).count();
    let known: HashMap<&String, &Answer> = second.iter().map(|(key, answer)| (key, answer)).collect();
    let (mut truth, mut groups, mut a, mut b) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (key, answer) in first.iter().filter(|(_, answer)| answer.part == part) {
        // A row whose label changed between the two is another row.
        if let Some(other) = known.get(key).filter(|o| o.truth == answer.truth) {
            truth.push(answer.truth);
            groups.push(answer.group);
            a.extend_from_slice(&answer.probabilities);
            b.extend_from_slice(&other.probabilities);
        }
    }
    let (a, b) = (
        Predictions { truth: &truth, probabilities: &a, classes, ordered, groups: Some(&groups) },
        Predictions { truth: &truth, probabilities: &b, classes, ordered, groups: Some(&groups) },
    );
    ByExample {
        rows: truth.len(),
        unmatched: of_part(first) + of_part(second) - 2 * truth.len(),
        mcnemar: mcnemar(&truth, &a.likeliest(), &b.likeliest()),
        difference: difference(a, b, SEED),
    }
}
