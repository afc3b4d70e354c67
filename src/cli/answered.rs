//! Rows with their answers, as text.

use std::borrow::Cow;
use std::collections::BTreeSet;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::evaluate::Decision;
use crate::heads::{BlockKind, likeliest};
use crate::model::{Answers, ModelCard};
use crate::report::Table;
use crate::table::{LABEL, NewRow, PROBABILITY, REASON, renamed};

/// One row with its answer.
pub struct Answered<'a> {
    row: &'a NewRow,
    /// Or why there is none.
    answer: Result<Answer<'a>, String>,
}

struct Answer<'a> {
    /// The class that answers, and all probabilities.
    best: usize,
    probabilities: &'a [f32],
    tasks: Vec<TaskAnswer<'a>>,
    range: Option<[f32; 2]>,
}

/// The answer to one task.
struct TaskAnswer<'a> {
    /// The column that it predicts.
    column: &'a str,
    /// The likeliest class.
    class: &'a str,
    /// Its probability, in `[0, 1]`.
    probability: f32,
}

/// Each row of a batch with its answer; `answers` are those to the rows that have cells, in their order.
pub fn answered<'a>(
    batch: &'a [NewRow],
    answers: &'a Answers,
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
        }
    };
    let of = |row: &'a NewRow| {
        let found = row.cells.as_ref().map_err(ToString::to_string);
        Answered { row, answer: found.map(|_| answer(places.next().unwrap_or_default())) }
    };
    batch.iter().map(of).collect()
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum OutputFormat {
    Table,
    Csv,
    Jsonl,
}

/// How answers are written.
pub struct Form {
    pub format: OutputFormat,
    /// A less likely answer is none.
    pub min_confidence: f32,
    pub with_input: bool,
    pub raw_cells: bool,
}

/// Writes answers, a batch after another.
pub struct Writer<'a> {
    card: &'a ModelCard,
    form: Form,
    /// Of the input.
    names: &'a [String],
    /// Names of the numbers behind the label, where the head has learned them; both are one where the label has one number.
    ends: Vec<&'a str>,
    begun: bool,
    /// Cells that a spreadsheet would have computed.
    pub escaped: usize,
}

impl<'a> Writer<'a> {
    /// For the answers of a model to rows with columns of these `names`.
    pub fn new(card: &'a ModelCard, form: Form, names: &'a [String]) -> Self {
        let ends = match &card.config.label.range {
            Some(rule) if card.head.blocks().iter().any(|block| block.kind == BlockKind::Values) => {
                rule.ends()
            }
            _ => Vec::new(),
        };
        Self { card, form, names, ends, begun: false, escaped: 0 }
    }

    /// The next rows; before the first ones the header, also where there are none.
    ///
    /// # Errors
    /// Never, but for a fault of the CSV writer.
    pub fn text(&mut self, rows: &[Answered<'_>]) -> Result<String> {
        let first = !std::mem::replace(&mut self.begun, true);
        match self.form.format {
            OutputFormat::Jsonl => Ok(rows.iter().map(|row| self.json(row).to_string() + "\n").collect()),
            OutputFormat::Csv => self.csv(rows, first),
            OutputFormat::Table if rows.is_empty() && !first => Ok(String::new()),
            OutputFormat::Table => Ok(self.table(rows)),
        }
    }

    /// The label, or why there is none.
    fn label(&self, answer: &Answer<'_>) -> Result<&'a str, String> {
        if answer.probabilities[answer.best] < self.form.min_confidence {
            return Err(format!("less sure than --min-confidence {}", self.form.min_confidence));
        }
        Ok(&self.card.classes[answer.best])
    }

    fn json(&self, Answered { row, answer }: &Answered<'_>) -> Value {
        let mut object = json!({ "line": row.line });
        if self.form.with_input {
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
        let label = self.label(answer);
        object["label"] = json!(label.as_ref().ok());
        if let Err(reason) = label {
            object["reason"] = json!(reason);
        }
        object["probability"] = json!(answer.probabilities[answer.best]);
        let all = self.card.classes.iter().cloned().zip(answer.probabilities.iter().map(|&v| json!(v)));
        object["probabilities"] = Value::Object(all.collect());
        if let Some(range) = answer.range {
            object["range"] =
                self.ends.iter().zip(range).map(|(name, v)| ((*name).to_owned(), json!(v))).collect();
        }
        if !answer.tasks.is_empty() {
            let task = |of: &TaskAnswer<'_>| {
                (of.column.to_owned(), json!({ "label": of.class, "probability": of.probability }))
            };
            object["tasks"] = answer.tasks.iter().map(task).collect();
        }
        object
    }

    /// Names of the tasks.
    fn tasks(&self) -> impl Iterator<Item = &'a str> {
        self.card
            .head
            .blocks()
            .iter()
            .skip(1)
            .filter(|b| b.kind != BlockKind::Values)
            .map(|b| b.name.as_str())
    }

    /// The columns of a CSV: those of the input, or else the line, and those of the answer under names of their own.
    fn header(&self) -> Vec<String> {
        let mut header: Vec<String> = if self.form.with_input { self.names.to_vec() } else { Vec::new() };
        let mut taken: BTreeSet<String> = header.iter().map(|name| name.to_lowercase()).collect();
        let tasks = self.tasks().flat_map(|name| [name.to_owned(), format!("{name} probability")]);
        let line = if self.form.with_input { None } else { Some("line") };
        let own = line.into_iter().chain([LABEL, PROBABILITY]).map(str::to_owned);
        let own = own.chain(self.card.classes.iter().cloned());
        let own =
            own.chain(self.ends.iter().map(|end| (*end).to_owned())).chain(tasks).chain([REASON.into()]);
        for name in own {
            let mut different = name.clone();
            for times in 1.. {
                if taken.insert(different.to_lowercase()) {
                    break;
                }
                different = renamed(&name, times);
            }
            header.push(different);
        }
        header
    }

    fn csv(&mut self, rows: &[Answered<'_>], first: bool) -> Result<String> {
        let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let header = self.header();
        if first {
            let cells: Vec<Cow<'_, str>> = header.iter().map(|name| self.safe(name)).collect();
            csv.write_record(cells.iter().map(AsRef::as_ref))?;
        }
        let (own, classes) = (header.len(), self.card.classes.len());
        for Answered { row, answer } in rows {
            let mut line: Vec<Cow<'_, str>> = Vec::with_capacity(own);
            if self.form.with_input {
                // Lines of JSON have their keys in any order; rows of a table have all in one.
                let cell = |(place, name): (usize, &String)| {
                    let here = row.input.get(place).filter(|(n, _)| n == name);
                    here.or_else(|| row.input.iter().find(|(n, _)| n == name)).map_or("", |(_, cell)| cell)
                };
                let cells: Vec<&str> = self.names.iter().enumerate().map(cell).collect();
                line.extend(cells.into_iter().map(|cell| self.safe(cell)).collect::<Vec<_>>());
            }
            if !self.form.with_input {
                line.push(row.line.to_string().into());
            }
            let reason = match answer {
                Err(reason) => {
                    line.resize(own - 1, Cow::Borrowed(""));
                    self.safe(reason).into_owned()
                }
                Ok(answer) => {
                    let label = self.label(answer);
                    line.push(self.safe(label.as_ref().copied().unwrap_or_default()));
                    line.push(answer.probabilities[answer.best].to_string().into());
                    line.extend(answer.probabilities.iter().take(classes).map(|p| p.to_string().into()));
                    let ends = answer.range.into_iter().flatten().take(self.ends.len());
                    line.extend(ends.map(|v| Cow::from(v.to_string())));
                    for task in &answer.tasks {
                        line.push(self.safe(task.class).into_owned().into());
                        line.push(task.probability.to_string().into());
                    }
                    label.err().unwrap_or_default()
                }
            };
            line.push(reason.into());
            csv.write_record(line.iter().map(AsRef::as_ref))?;
        }
        Ok(String::from_utf8(csv.into_inner()?)?)
    }

    /// A cell that no spreadsheet takes for a formula; a number is none.
    fn safe<'c>(&mut self, cell: &'c str) -> Cow<'c, str> {
        let formula = cell.len() > 1 && cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let computes = formula && cell.parse::<f64>().is_err();
        if self.form.raw_cells || !computes {
            return Cow::Borrowed(cell);
        }
        self.escaped += 1;
        Cow::Owned(format!("'{cell}"))
    }

    fn table(&self, rows: &[Answered<'_>]) -> String {
        let mut header: Vec<String> =
            ["line", "label", "probability", "next likeliest"].map(str::to_owned).to_vec();
        header.extend(self.ends.iter().map(|end| (*end).to_owned()));
        header.extend(self.tasks().map(str::to_owned));
        let mut table = Table::new(header);
        for Answered { row, answer } in rows {
            let mut line = vec![row.line.to_string()];
            match answer {
                Err(reason) => line.push(format!("({reason})")),
                Ok(answer) => {
                    let (p, best) = (answer.probabilities, answer.best);
                    let others = (0..p.len()).filter(|&c| c != best);
                    let next = others.max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap_or(best);
                    line.push(self.label(answer).map_or("(unsure)".into(), str::to_owned));
                    line.push(format!("{:.1} %", 100.0 * p[best]));
                    line.push(format!("{} {:.1} %", self.card.classes[next], 100.0 * p[next]));
                    let ends = answer.range.into_iter().flatten().take(self.ends.len());
                    line.extend(ends.map(|v| format!("{v:.1}")));
                    let task = |of: &TaskAnswer<'_>| format!("{} {:.1} %", of.class, 100.0 * of.probability);
                    line.extend(answer.tasks.iter().map(task));
                }
            }
            table.push(line);
        }
        table.to_string()
    }
}
