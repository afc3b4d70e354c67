//! `pipeline compare --llm`: a language model that is shown rows of the training, on the same test rows.

use std::collections::BTreeMap;
use std::time::Instant;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::compare::{Answer, Side, answers};
use super::context::Context;
use super::endpoint::{Endpoint, at_most, endpoint, kept};
use super::error::BuildError;
use super::learned_rows::most_similar;
use super::project::Project;
use super::rows::Rows;
use super::run::{BuildSettings, build};
use super::stage::Stage;
use super::staleness::Reason;
use crate::collect::{
    AgainstModel, Asking, Classified, Estimate as Most, Generation, Labels, RealTime, Unlabelled,
};
use crate::engine::Engine;
use crate::evaluate::{Estimate, Figure, McNemar, Predictions, difference, evaluate, mcnemar};
use crate::model::{Places, Predictor, load_evaluation};
use crate::progress::Progress;
use crate::split::{Part, mean_cosine_vectors};
use crate::store::Lock;
use crate::table::Cells;

/// What is asked of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct AgainstSettings {
    /// Test rows to ask about, drawn by the seed; all where there are fewer.
    pub rows: usize,
    /// Training rows shown beside each, those most like it.
    pub examples: usize,
    /// Say what it would take at most, and ask nothing.
    pub estimate: bool,
    /// Answer from what was kept of earlier comparisons alone.
    pub offline: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Against {
    /// What it would take.
    Estimated {
        /// For people.
        at_most: String,
    },
    /// The comparison.
    Compared(Box<AgainstModel>),
}

/// Compare the project's model with the language model of `[collect.model]`, after building what is stale.
///
/// The language model sees what the model sees, texts and columns, and beside each row the training rows whose embeddings are
/// most like its own; never a test row.
///
/// # Errors
/// No endpoint is declared, it cannot be asked, there is no test row, or what [`build`] can fail with.
pub fn against_model(
    project: &Project,
    settings: AgainstSettings,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Against, BuildError> {
    let Endpoint { client, budget } = endpoint(&project.config.collect.model)?;
    build(project, BuildSettings { to: Stage::Evaluate, from: None }, engine, progress, announce)?;
    let _lock = Lock::take(&project.state_folder())?;
    let context = Context { project, engine, progress };
    let rows = context.rows()?;
    let (files, seed) = (project.model(), project.config.seed_for("compare with a language model"));
    let evaluation = load_evaluation(&files)?;
    let mut own: Vec<(usize, Answer)> =
        test_answers(&rows, answers(&files, &evaluation)?).ok_or_else(|| BuildError::Artefact {
            path: files.predictions(),
            reason: "its test rows are not those of the split; run `pipeline build`".into(),
        })?;
    let of = own.len();
    // In an order of its own, so that the first of it are a sample, and a larger comparison asks no row anew.
    own.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    own.truncate(settings.rows);
    if own.is_empty() {
        return Err(BuildError::NotComparable("there is no test row".into()));
    }
    let asked: Vec<usize> = own.iter().map(|(row, _)| *row).collect();
    let labels = Labels { names: rows.dataset.classes.clone(), meanings: meanings(project, &rows) };
    let unlabelled = unlabelled(&rows, &asked, settings.examples);
    let kept = kept(project)?;
    let concurrency = project.config.collect.model.concurrency;
    let asking = Asking { budget: &budget, progress, pause: &RealTime };
    let generation = Generation {
        client: &client,
        kept: &kept,
        asking,
        wanted: None,
        concurrency,
        offline: settings.offline,
    };
    let most: Most = generation.estimate_labels(&labels, &unlabelled)?;
    if settings.estimate {
        return Ok(Against::Estimated { at_most: at_most(&most) });
    }
    progress.note(&at_most(&most));
    let found = generation.classify(&labels, &unlabelled)?;
    if found.labels.is_empty() {
        let ended = found.ended.map_or_else(String::new, |error| format!(": {error}"));
        return Err(BuildError::NotComparable(format!("the language model answered no row{ended}")));
    }
    own.truncate(found.labels.len());
    let cells: Vec<&Cells> = own.iter().map(|(row, _)| &rows.dataset.rows[*row].cells).collect();
    let places = Places { root: &project.root, encoders: &[], any_arithmetic: false };
    let predictor = Predictor::load(&files, places, engine, progress)?;
    let begin = Instant::now();
    predictor.rows(&cells, progress)?;
    let own_seconds = begin.elapsed().as_secs_f64();
    let ordered = evaluation.test.figures.contains_key(&Figure::QuadraticKappa);
    let beside = Beside { rows: &rows, own: &own, found: &found, ordered, seed };
    let (figures, difference, mcnemar) = beside.figures();
    let count = own.len() as f64;
    Ok(Against::Compared(Box::new(AgainstModel {
        first: evaluation.name,
        second: project.config.collect.model.name.clone(),
        rows: own.len(),
        of,
        examples: settings.examples,
        unanswered: found.failed.clone(),
        fallback: rows.dataset.classes[beside.fallback()].clone(),
        figures,
        difference,
        mcnemar,
        seconds_per_1000: [
            Some(1e3 * own_seconds / count),
            (found.asked > 0).then(|| 1e3 * found.seconds / found.asked as f64),
        ],
        concurrency,
        asked: found.asked,
        tokens: found.tokens,
        tokens_estimated: found.tokens_estimated,
        cost_per_1000: budget.cost(found.tokens).map(|cost| 1e3 * cost / count),
        ended: found.ended.as_ref().map(ToString::to_string),
    })))
}

/// The test rows with what the model answered to them; `None` where `answers` are of other rows.
fn test_answers(rows: &Rows, answers: Vec<Answer>) -> Option<Vec<(usize, Answer)>> {
    let test = rows.of(&[Part::Test]);
    let answers: Vec<Answer> = answers.into_iter().filter(|answer| answer.part == Side::Test).collect();
    let record = |row: usize| rows.dataset.rows[row].record.to_string();
    let same = test.len() == answers.len()
        && test.iter().zip(&answers).all(|(&row, answer)| record(row) == answer.contents[0]);
    same.then(|| test.into_iter().zip(answers).collect())
}

/// What the classes mean: their edges, where they come from a range; what `[collect.generate]` says of them.
fn meanings(project: &Project, rows: &Rows) -> Vec<String> {
    let config = &project.config;
    let of = |class: &String| {
        let declared = config.collect.generate.classes.iter().find(|of| of.name == *class);
        let mut parts: Vec<String> = declared.into_iter().map(|of| of.what.clone()).collect();
        if let Some(rule) = &config.label.range {
            let place = rule.classes.iter().position(|of| of.name == *class);
            let below = |place: usize| rule.classes.get(place).and_then(|of| of.below);
            let from = place.and_then(|place| place.checked_sub(1)).and_then(below);
            let between = format!("the middle of {} and {}", rule.min, rule.max);
            parts.extend(match (from, place.and_then(below)) {
                (Some(from), Some(to)) => Some(format!("{between} is at least {from} and below {to}")),
                (Some(from), None) => Some(format!("{between} is at least {from}")),
                (None, Some(to)) => Some(format!("{between} is below {to}")),
                (None, None) => None,
            });
        }
        parts.join("; ")
    };
    rows.dataset.classes.iter().map(of).collect()
}

/// The rows `asked`, each with the `count` rows of the training most like it, the most similar last.
fn unlabelled(rows: &Rows, asked: &[usize], count: usize) -> Vec<Unlabelled> {
    let fields = rows.dataset.text_fields.len();
    let known = rows.of(&[Part::Train, Part::Validation]);
    let vectors = |of: &[usize]| {
        let picked = rows.raw.pick(of);
        mean_cosine_vectors(&picked.embedding, fields, picked.embedding_dims / fields.max(1))
    };
    let (dims, of_known, of_asked) = (rows.raw.embedding_dims.max(1), vectors(&known), vectors(asked));
    let one = |(&row, vector): (&usize, &[f32])| {
        let near = most_similar(vector, &of_known, &known, count);
        let example = |&(_, row): &(f32, usize)| (shown(rows, row), rows.classes[row]);
        Unlabelled { row: shown(rows, row), examples: near.iter().rev().map(example).collect() }
    };
    asked.iter().zip(of_asked.chunks_exact(dims)).map(one).collect()
}

/// Most characters of a text that are shown; encoders read fewer.
const MOST_CHARS: usize = 4_000;

/// What the model sees of a row, by the names of its columns.
fn shown(rows: &Rows, row: usize) -> Value {
    let (dataset, cells) = (&rows.dataset, &rows.dataset.rows[row].cells);
    let mut shown = Map::new();
    for (name, text) in dataset.text_fields.iter().zip(&cells.texts) {
        shown.insert(name.clone(), json!(text.chars().take(MOST_CHARS).collect::<String>()));
    }
    for (name, number) in dataset.numeric.iter().zip(&cells.numeric) {
        shown.insert(name.clone(), json!(number));
    }
    for (name, values) in dataset.categorical.iter().zip(&cells.categories) {
        shown.insert(name.clone(), json!(values.join(", ")));
    }
    Value::Object(shown)
}

/// Both models' answers to the same rows.
struct Beside<'a> {
    rows: &'a Rows,
    own: &'a [(usize, Answer)],
    found: &'a Classified,
    ordered: bool,
    seed: u64,
}

impl Beside<'_> {
    /// The most frequent class of the training.
    fn fallback(&self) -> usize {
        let shares = self.rows.shares(&self.rows.of(&[Part::Train]));
        (0..shares.len()).max_by(|&a, &b| shares[a].total_cmp(&shares[b]).then(b.cmp(&a))).unwrap_or_default()
    }

    /// Figures of both, their difference, and McNemar's test.
    fn figures(&self) -> ([BTreeMap<Figure, Estimate>; 2], BTreeMap<Figure, Estimate>, McNemar) {
        let names = &self.rows.dataset.classes;
        let (classes, fallback) = (names.len(), self.fallback());
        let truth: Vec<usize> = self.own.iter().map(|(row, _)| self.rows.classes[*row]).collect();
        let groups: Vec<usize> = self.own.iter().map(|(row, _)| self.rows.dealt.groups[*row]).collect();
        let decided = [
            self.own.iter().map(|(_, answer)| answer.predicted).collect::<Vec<usize>>(),
            self.found.labels.iter().map(|label| label.unwrap_or(fallback)).collect(),
        ];
        // What intervals make of answers that were not seen needs probabilities: an answer's is the share of them that is right.
        let right = truth.iter().zip(&decided[1]).filter(|(a, b)| a == b).count() as f32;
        let share = (right + 0.5) / (truth.len() as f32 + 1.0);
        let of = |&answer: &usize| {
            let rest = (1.0 - share) / (classes.max(2) - 1) as f32;
            (0..classes).map(move |class| if class == answer { share } else { rest })
        };
        let probabilities = [
            self.own.iter().flat_map(|(_, answer)| answer.probabilities.clone()).collect::<Vec<f32>>(),
            decided[1].iter().flat_map(of).collect(),
        ];
        let sides = [0, 1].map(|side| Predictions {
            truth: &truth,
            probabilities: &probabilities[side],
            classes,
            ordered: self.ordered,
            groups: Some(&groups),
            decided: Some(&decided[side]),
        });
        let answered = |mut figures: BTreeMap<Figure, Estimate>| {
            figures.retain(|figure, _| !figure.needs_probabilities());
            figures
        };
        let figures = sides.map(|side| answered(evaluate(side, names, self.seed).figures));
        let [first, second] = sides;
        let test = mcnemar(&truth, &decided[0], &decided[1]);
        (figures, answered(difference(first, second, self.seed)), test)
    }
}
