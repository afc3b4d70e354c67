//! Rows with their answers, and in which columns these stand, whatever the format.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::card::ModelCard;
use super::explain::Explanation;
use super::predictor::Predicted;
use crate::evaluate::Decision;
use crate::heads::{BlockKind, likeliest};
use crate::novelty::UNLIKE;
use crate::table::{BECAUSE, LABEL, LINE, NewRow, PROBABILITY, REASON, SET, UNLIKE_TRAINING, renamed};

/// Words and columns in a cell that says why.
const IN_BRIEF: usize = 5;

/// One row with its answer.
pub struct Answered<'a> {
    /// The row.
    pub row: &'a NewRow,
    /// Or why there is none.
    pub answer: Result<Answer<'a>, String>,
}

/// What a model says of a row.
pub struct Answer<'a> {
    /// The class that answers; not always the likeliest.
    pub best: usize,
    /// Of each class, in the model's order.
    pub probabilities: &'a [f32],
    /// In the model's order.
    pub tasks: Vec<TaskAnswer<'a>>,
    /// The two numbers behind the label, where the head has learned them.
    pub range: Option<[f32; 2]>,
    /// Whether the row is unlike those of the training; `None` where the model cannot tell.
    pub unlike_training: Option<bool>,
    /// Of each text field.
    pub embeddings: Vec<&'a [f32]>,
    /// The classes that it may be, the likeliest first, where that was asked.
    pub set: Option<Vec<usize>>,
    /// Why, where that was asked.
    pub explanation: Option<Explanation>,
}

/// The answer to one task.
pub struct TaskAnswer<'a> {
    /// The column that it predicts.
    pub column: &'a str,
    /// The likeliest class.
    pub class: &'a str,
    /// Its probability, in `[0, 1]`.
    pub probability: f32,
}

/// Each row of a batch with its answer; those `predicted` are the rows that have cells, in their order.
pub fn answered<'a>(
    batch: &'a [NewRow],
    Predicted { answers, embeddings, novelty, .. }: &'a Predicted,
    decision: Option<&Decision>,
    classes: usize,
) -> Vec<Answered<'a>> {
    let mut places = 0..;
    let answer = |place: usize| {
        let probabilities = &answers.label[place * classes..(place + 1) * classes];
        let task = |(block, all): &'a (crate::heads::Block, Vec<f32>)| {
            let own = &all[place * block.width..(place + 1) * block.width];
            let best = likeliest(own);
            TaskAnswer { column: &block.name, class: &block.classes[best], probability: own[best] }
        };
        Answer {
            best: decision.map_or_else(|| likeliest(probabilities), |d| d.answer(probabilities)),
            probabilities,
            tasks: answers.tasks.iter().map(task).collect(),
            range: answers.ranges.get(place).copied(),
            unlike_training: novelty.get(place).map(|&p| p <= UNLIKE),
            embeddings: embeddings.iter().map(|field| field.row(place)).collect(),
            set: None,
            explanation: None,
        }
    };
    let of = |row: &'a NewRow| {
        let found = row.cells.as_ref().map_err(ToString::to_string);
        Answered { row, answer: found.map(|_| answer(places.next().unwrap_or_default())) }
    };
    batch.iter().map(of).collect()
}

/// What is written of rows and answers.
#[derive(Default)]
pub struct Form {
    /// A less likely answer is none.
    pub min_confidence: f32,
    /// Whether the input's own columns stand before the answer.
    pub with_input: bool,
    /// The text fields whose embeddings are written, and the values that one has; no fields where none are.
    pub embedded: Vec<String>,
    /// Values of an embedding.
    pub dims: usize,
    /// Whether the classes are written that a row may be.
    pub with_set: bool,
    /// Whether it is written why.
    pub explained: bool,
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Column {
    /// The column of the input at this place.
    Given(usize),
    /// Where the row begins in the input.
    Line,
    /// The class that answers.
    Label,
    /// Its probability.
    Probability,
    /// The probability of a class.
    Class(usize),
    /// One of the numbers behind the label.
    End(usize),
    /// The likeliest class of a task.
    Task(usize),
    /// Its probability.
    TaskProbability(usize),
    /// Whether the row is unlike those of the training.
    UnlikeTraining,
    /// The embedding of a text field.
    Embedding(usize),
    /// The classes that a row may be.
    Set,
    /// The words and columns that say most.
    Because,
    /// Why there is no label.
    Reason,
}

/// What stands in a column of a row.
pub enum Cell<'a> {
    /// Nothing.
    Empty,
    /// A text.
    Text(Cow<'a, str>),
    /// The place of the row in the input.
    Line(u64),
    /// A number.
    Number(f32),
    /// Yes or no.
    Truth(bool),
    /// An embedding.
    Vector(&'a [f32]),
}

/// The columns of the output.
pub struct Layout<'a> {
    /// The model's.
    pub card: &'a ModelCard,
    /// What is written.
    pub form: Form,
    /// Of the input.
    pub names: &'a [String],
    /// Names of the numbers behind the label, where the head has learned them; both are one where the label has one number.
    pub ends: Vec<&'a str>,
    /// All columns in order, under different names.
    pub columns: Vec<(String, Column)>,
}

impl<'a> Layout<'a> {
    /// For the answers of a model to rows with columns of these `names`.
    pub fn new(card: &'a ModelCard, form: Form, names: &'a [String]) -> Self {
        let mut layout = Self { card, form, names, ends: card.ends(), columns: Vec::new() };
        layout.columns = layout.own_columns();
        layout
    }

    /// Those of the input, or else the line, and those of the answer under names of their own.
    fn own_columns(&self) -> Vec<(String, Column)> {
        let given: &[String] = if self.form.with_input { self.names } else { &[] };
        let mut columns: Vec<(String, Column)> =
            given.iter().enumerate().map(|(i, name)| (name.clone(), Column::Given(i))).collect();
        let mut taken: BTreeSet<String> = columns.iter().map(|(name, _)| name.to_lowercase()).collect();
        let mut own: Vec<(String, Column)> = Vec::new();
        if !self.form.with_input {
            own.push((LINE.into(), Column::Line));
        }
        own.extend([(LABEL.into(), Column::Label), (PROBABILITY.into(), Column::Probability)]);
        own.extend(self.card.classes.iter().enumerate().map(|(i, class)| (class.clone(), Column::Class(i))));
        own.extend(self.ends.iter().enumerate().map(|(i, end)| ((*end).to_owned(), Column::End(i))));
        for (i, task) in self.tasks().enumerate() {
            own.push((task.to_owned(), Column::Task(i)));
            own.push((format!("{task} probability"), Column::TaskProbability(i)));
        }
        if self.card.novelty_xxh3.is_some() {
            own.push((UNLIKE_TRAINING.into(), Column::UnlikeTraining));
        }
        let embeddings = self.embedding_names().into_iter().enumerate();
        own.extend(embeddings.map(|(i, name)| (name, Column::Embedding(i))));
        if self.form.with_set {
            own.push((SET.into(), Column::Set));
        }
        if self.form.explained {
            own.push((BECAUSE.into(), Column::Because));
        }
        own.push((REASON.into(), Column::Reason));
        for (name, column) in own {
            let mut different = name.clone();
            for times in 1.. {
                if taken.insert(different.to_lowercase()) {
                    break;
                }
                different = renamed(&name, times);
            }
            columns.push((different, column));
        }
        columns
    }

    /// Names of the embeddings that are written, in the order of the text fields.
    pub fn embedding_names(&self) -> Vec<String> {
        match &self.form.embedded[..] {
            [_] => vec!["embedding".into()],
            fields => fields.iter().map(|field| format!("{field} embedding")).collect(),
        }
    }

    /// Names of the tasks.
    pub fn tasks(&self) -> impl Iterator<Item = &'a str> {
        self.card
            .head
            .blocks()
            .iter()
            .skip(1)
            .filter(|b| b.kind != BlockKind::Values)
            .map(|b| b.name.as_str())
    }

    /// The label, or why there is none.
    pub fn label(&self, answer: &Answer<'_>) -> Result<&'a str, String> {
        if answer.probabilities[answer.best] < self.form.min_confidence {
            return Err(format!("less sure than --min-confidence {}", self.form.min_confidence));
        }
        Ok(&self.card.classes[answer.best])
    }

    /// The classes that a row may be, where that was asked.
    pub fn set(&self, answer: &Answer<'_>) -> Option<Vec<&'a str>> {
        Some(answer.set.as_ref()?.iter().map(|&class| self.card.classes[class].as_str()).collect())
    }

    /// What stands in a column of a row.
    pub fn cell<'c>(&self, column: Column, Answered { row, answer }: &'c Answered<'_>) -> Cell<'c>
    where
        'a: 'c,
    {
        let text = |text: &'c str| Cell::Text(Cow::Borrowed(text));
        match (column, answer) {
            (Column::Given(place), _) => {
                // Lines of JSON have their keys in any order; rows of a table have all in one.
                let name = &self.names[place];
                let here = row.input.get(place).filter(|(n, _)| n == name);
                let cell = here.or_else(|| row.input.iter().find(|(n, _)| n == name));
                cell.map_or(Cell::Empty, |(_, cell)| text(cell))
            }
            (Column::Line, _) => Cell::Line(row.line),
            (Column::Reason, Err(reason)) => text(reason),
            (_, Err(_)) => Cell::Empty,
            (Column::Reason, Ok(answer)) => match self.label(answer) {
                Ok(_) => Cell::Empty,
                Err(reason) => Cell::Text(Cow::Owned(reason)),
            },
            (Column::Label, Ok(answer)) => self.label(answer).map_or(Cell::Empty, text),
            (Column::Probability, Ok(answer)) => Cell::Number(answer.probabilities[answer.best]),
            (Column::Class(i), Ok(answer)) => Cell::Number(answer.probabilities[i]),
            (Column::End(i), Ok(answer)) => answer.range.map_or(Cell::Empty, |range| Cell::Number(range[i])),
            (Column::Task(i), Ok(answer)) => text(answer.tasks[i].class),
            (Column::TaskProbability(i), Ok(answer)) => Cell::Number(answer.tasks[i].probability),
            (Column::UnlikeTraining, Ok(answer)) => answer.unlike_training.map_or(Cell::Empty, Cell::Truth),
            (Column::Embedding(i), Ok(answer)) => Cell::Vector(answer.embeddings[i]),
            (Column::Set, Ok(answer)) => {
                let names = self.set(answer).map(|names| names.join("; "));
                names.map_or(Cell::Empty, |names| Cell::Text(Cow::Owned(names)))
            }
            (Column::Because, Ok(answer)) => {
                let brief = answer.explanation.as_ref().map(|why| why.in_brief(IN_BRIEF));
                brief.map_or(Cell::Empty, |brief| Cell::Text(Cow::Owned(brief)))
            }
        }
    }
}

/// A row with its answer as a line of `pipeline predict --json` has it.
pub fn json_of(layout: &Layout<'_>, Answered { row, answer }: &Answered<'_>) -> Value {
    let mut object = json!({ "line": row.line });
    if layout.form.with_input {
        let input = row.input.iter().map(|(name, cell)| (name.clone(), json!(cell)));
        object["input"] = Value::Object(input.collect());
    }
    let answer = match answer {
        Err(reason) => {
            object["label"] = Value::Null;
            object["reason"] = json!(reason);
            return object;
        }
        Ok(answer) => answer,
    };
    let label = layout.label(answer);
    object["label"] = json!(label.as_ref().ok());
    if let Err(reason) = label {
        object["reason"] = json!(reason);
    }
    object["probability"] = json!(answer.probabilities[answer.best]);
    let all = layout.card.classes.iter().cloned().zip(answer.probabilities.iter().map(|&v| json!(v)));
    object["probabilities"] = Value::Object(all.collect());
    if let Some(range) = answer.range {
        object["range"] =
            layout.ends.iter().zip(range).map(|(name, v)| ((*name).to_owned(), json!(v))).collect();
    }
    if !answer.tasks.is_empty() {
        let task = |of: &TaskAnswer<'_>| {
            (of.column.to_owned(), json!({ "label": of.class, "probability": of.probability }))
        };
        object["tasks"] = answer.tasks.iter().map(task).collect();
    }
    if let Some(unlike) = answer.unlike_training {
        object[UNLIKE_TRAINING] = json!(unlike);
    }
    for (name, embedding) in layout.embedding_names().into_iter().zip(&answer.embeddings) {
        object[name] = json!(embedding);
    }
    if let Some(names) = layout.set(answer) {
        object[SET] = json!(names);
    }
    if let Some(explanation) = &answer.explanation {
        object["explanation"] = json!(explanation);
    }
    object
}
