//! `pipeline predict`: rows in, answers out, a few thousand at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use arrow_schema::SchemaRef;
use clap::{Args, ValueEnum};

use super::args::ModelArgs;
use super::arrow_stream::{self, Answers};
use super::columns::check_columns;
use super::exit::{BadInput, BadRows, BadUsage, Exit};
use super::explained::ExplainArgs;
use super::input::{TableInput, check_there};
use super::output::Sink;
use super::priors::Priors;
use super::progress::Terminal;
use super::steps::SAID_EVERY;
use super::vectors::Vectors;
use super::written::{Destination, OutputFormat, Writer, check_terminal};
use crate::config::nearest;
use crate::counting::counted;
use crate::engine::Engine;
use crate::evaluate::{apply_shares, estimate_shares};
use crate::model::{Form, Layout, Predicted, Predictor, answered};
use crate::novelty::UNLIKE;
use crate::progress::{Background, Progress};
use crate::stages::{BuildError, Explainer};
use crate::table::{Cells, NewRow, NewTable, NoAnswer, Packing, Stated, UNLIKE_TRAINING, Wanted, json_rows};

pub const EXAMPLES: &str = "Examples:
  pipeline predict --text \"Build a pillow fort and read inside with a torch\"
  pipeline predict --field title=\"Sock puppets\" --field steps=\"Draw a face.\"
  pipeline predict new.csv -o labelled.csv   its columns and answers
  cat new.jsonl | pipeline predict --input jsonl --format jsonl -
  pipeline predict new.parquet -o labelled.parquet
  pipeline predict new.csv -o vectors.parquet --embeddings
  pipeline predict new.csv --priors spam=0.02,ham=0.98
  pipeline predict new.csv --priors estimate
  pipeline predict new.csv --coverage 0.9 -o sets.csv
  pipeline predict --explain --text \"My invoice is wrong\"

A table needs the model's text columns; a JSON line is an object with them as keys. Columns that are missing count as empty, and are named. Every row has an answer in its place, or the reason why it has none.";

#[derive(Args)]
pub struct PredictArgs {
    /// A table with rows to label: CSV, JSON lines, Parquet, Arrow, a spreadsheet (docs/tables.md); - for standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["text", "field"], required_unless_present_any = ["text", "field", "arrow_stream"])]
    file: Option<PathBuf>,
    /// A text to label; may be given several times. With several text fields it stands in each of them
    #[arg(long, value_name = "TEXT", conflicts_with = "field")]
    text: Vec<String>,
    /// A column of one row to label; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    field: Vec<String>,
    #[command(flatten)]
    of: ModelArgs,
    /// Shares of the classes among these rows, where they are others than in training: NAME=SHARE of each class, with commas
    /// between; `even`; or `estimate`, from the answers to all rows of the file (Saerens et al. 2002)
    #[arg(long, value_name = "SHARES")]
    priors: Option<String>,
    /// Format of the input [default: by the file's name and how it begins; of standard input CSV, Parquet or Arrow]
    #[arg(long, value_name = "FORMAT")]
    input: Option<InputFormat>,
    /// Write the answers to this file: whole, or not at all. Its name tells the format, and how it is compressed (.csv.gz)
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Format of the output [default: by the name of --output; a table on a terminal and for --text and --field; JSON lines for
    /// JSON lines; else CSV]
    #[arg(long, value_name = "FORMAT")]
    format: Option<OutputFormat>,
    /// Give no label to rows whose answer has a lower probability; the report shows what that costs
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    min_confidence: f32,
    /// Name every class that a row may have, so that the true one is among them for this share of the rows of each class: column
    /// `set`; the report says how often it was. Rows of other shares of the classes than in training are covered, too
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["priors", "arrow_stream"])]
    coverage: Option<f64>,
    /// Leave out the row's own columns, which else stand before the answer (in JSON lines, as `input`); its line is there instead
    #[arg(long)]
    only: bool,
    /// Leave cells of a CSV that begin with =, +, - or @ as they are; else a ' is put before them, or a spreadsheet would compute
    /// them
    #[arg(long)]
    raw_cells: bool,
    /// Write the embeddings of the texts, too, in Parquet, Arrow or JSON lines: a column `embedding`, or one for each text field
    #[arg(long)]
    embeddings: bool,
    #[command(flatten)]
    explain: ExplainArgs,
    /// Read a stream of Arrow from standard input and write one to standard output, batch for batch, for engines such as Spark
    /// (docs/scale.md)
    #[arg(long, conflicts_with_all = ["file", "text", "field", "priors", "input", "output", "format", "json", "raw_cells"])]
    arrow_stream: bool,
    /// What embeddings are in that stream
    #[arg(long, value_name = "KIND", default_value = "f32", requires = "arrow_stream")]
    vectors: Vectors,
    /// Same as --format jsonl
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum InputFormat {
    Csv,
    Jsonl,
}

/// Rows that are answered together: few at first, so that the first answer is there at once.
const FIRST_ROWS: usize = 64;
const MOST_ROWS: usize = 2048;

/// Label the rows given.
pub fn predict(args: &PredictArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    if let Some(path) = &args.file {
        check_there(path)?;
    }
    if !(0.0..=1.0).contains(&args.min_confidence) {
        return Err(BadUsage(format!(
            "--min-confidence {}: give a share between 0 and 1",
            args.min_confidence
        ))
        .into());
    }
    if let Some(coverage) = args.coverage.filter(|share| !(*share > 0.0 && *share < 1.0)) {
        return Err(BadUsage(format!("--coverage {coverage}: give a share above 0 and below 1")).into());
    }
    if args.arrow_stream {
        let terminal = Terminal::new(false);
        let (predictor, _) = args.of.load(engine, &terminal)?;
        let answers = Answers {
            min_confidence: args.min_confidence,
            with_input: !args.only,
            embeddings: args.embeddings,
            vectors: args.vectors,
            explainer: args.explain.explainer(&predictor, None),
        };
        return arrow_stream::predict(&predictor, &answers, &terminal);
    }
    let (format, packing) = args.output_format()?;
    check_terminal(format, args.output.as_deref())?;
    if args.embeddings && !format.has_vectors() {
        return Err(BadUsage(format!(
            "--embeddings: {} has no lists of numbers; Parquet, Arrow and JSON lines have them, such as with --output \
             answers.parquet",
            format.name()
        ))
        .into());
    }
    let terminal = Terminal::new(false);
    // Loaded before the rows are read: a pipe can be read only once, by the program that labels.
    let (predictor, files) = args.of.load(engine, &terminal)?;
    let priors = args.priors.as_deref().map(|text| Priors::parse(text, &predictor)).transpose()?;
    if !predictor.is_calibrated() {
        let file = files.calibration();
        terminal.note(&format!(
            "note: probabilities are not calibrated: {} is not there or of another training",
            file.display()
        ));
    }
    if args.coverage.is_some() && predictor.label_sets().is_none() {
        let file = files.calibration();
        return Err(BadUsage(format!(
            "--coverage: {} does not say which classes a row may have; `pipeline build` measures it",
            file.display()
        ))
        .into());
    }
    let sink = Sink::new(args.output.as_deref())?;
    let learned = args.explain.learned(&args.of, &predictor, &files, &terminal);
    let mut labelling = Labelling {
        args,
        predictor: &predictor,
        priors,
        explainer: args.explain.explainer(&predictor, learned.as_ref()),
        terminal: &terminal,
        format,
        packing,
        counts: Counts::default(),
    };
    let wanted = predictor.card().wanted();
    let stated = Stated::of(&predictor.card().config.data);
    match &args.file {
        Some(path) if args.is_json(path) => {
            let lines: Box<dyn io::BufRead> = match path == Path::new("-") {
                true => Box::new(io::stdin().lock()),
                false => {
                    let file = File::open(path);
                    let cannot = |e| BadInput(format!("cannot read {}: {e}", path.display()));
                    Box::new(BufReader::new(file.map_err(cannot)?))
                }
            };
            let cannot = |e| BadInput(format!("cannot read {}: {e}", path.display())).into();
            let mut rows = json_rows(lines, &wanted).map(|row| row.map_err(cannot)).peekable();
            let first = match rows.peek() {
                Some(Ok(NewRow { input, cells, .. })) if !matches!(cells, Err(NoAnswer::Bad(_))) => {
                    Some(names(input))
                }
                _ => None,
            };
            if let Some(first) = &first {
                check_columns(&terminal, &wanted, first)?;
            }
            labelling.all(&first.unwrap_or_default(), None, rows, sink)?;
        }
        Some(path) => {
            let input = TableInput::open(path)?;
            let table =
                NewTable::open(input.path(), input.shown(), stated, &wanted).map_err(BuildError::from)?;
            table.notes().iter().for_each(|note| terminal.note(&format!("note: {note}")));
            check_columns(&terminal, &wanted, table.names())?;
            let rows = table.rows().map_err(BuildError::from)?;
            let rows = rows.map(|row| row.map_err(|e| BuildError::from(e).into()));
            labelling.all(table.names(), table.schema(), rows, sink)?;
        }
        None if args.text.is_empty() => {
            let values = field_values(args, &wanted)?;
            let names: Vec<String> = values.keys().cloned().collect();
            check_columns(&terminal, &wanted, &names)?;
            labelling.all(&names, None, std::iter::once(Ok(row_of(1, &values, &wanted))), sink)?;
        }
        None => {
            if wanted.texts.len() > 1 {
                terminal.note(&format!(
                    "note: the model reads {}; --text stands in each (use --field for better)",
                    wanted.texts.join(", ")
                ));
            }
            let rows = args.text.iter().zip(1..).map(|(text, line)| {
                let values = wanted.texts.iter().map(|field| (field.clone(), text.clone())).collect();
                Ok(row_of(line, &values, &wanted))
            });
            labelling.all(wanted.texts, None, rows, sink)?;
        }
    }
    let bad = labelling.finish();
    if let Some(path) = &args.output {
        terminal.note(&format!(
            "{} in {}",
            counted(labelling.counts.rows, "row is", "rows are"),
            path.display()
        ));
    }
    // The program ends here: giving back a hundred thousand pieces of memory one by one is a tenth of its time.
    std::mem::forget(predictor);
    if bad > 0 { Err(BadRows { rows: bad, others: "labelled" }.into()) } else { Ok(Exit::Done) }
}

impl PredictArgs {
    fn is_json(&self, path: &Path) -> bool {
        self.input.map_or_else(|| is_json(path), |format| format == InputFormat::Jsonl)
    }

    /// What is written, and how it is packed.
    ///
    /// # Errors
    /// The name of --output is that of a file which is not written, or which --format is not.
    fn output_format(&self) -> Result<(OutputFormat, Option<Packing>)> {
        let asked = if self.json { Some(OutputFormat::Jsonl) } else { self.format };
        let (told, packing) = match &self.output {
            Some(output) => OutputFormat::of_file(output, asked)?,
            None => (asked, None),
        };
        let else_format = || match &self.file {
            Some(file) if self.output.is_none() && self.is_json(file) => OutputFormat::Jsonl,
            _ => OutputFormat::Csv,
        };
        let for_people = self.output.is_none() && (self.file.is_none() || io::stdout().is_terminal());
        let default = || if for_people { OutputFormat::Table } else { else_format() };
        Ok((told.unwrap_or_else(default), packing))
    }
}

fn is_json(path: &Path) -> bool {
    matches!(path.extension().and_then(|ending| ending.to_str()), Some("jsonl" | "ndjson" | "json"))
}

/// What is counted on the way.
#[derive(Default)]
struct Counts {
    rows: usize,
    bad: usize,
    without_text: usize,
    unlike: usize,
    truncated: usize,
}

/// The work on one input.
struct Labelling<'a> {
    args: &'a PredictArgs,
    predictor: &'a Predictor,
    priors: Option<Priors>,
    explainer: Option<Explainer<'a>>,
    terminal: &'a Terminal,
    format: OutputFormat,
    packing: Option<Packing>,
    counts: Counts,
}

impl Labelling<'_> {
    /// Answer all rows, whose columns have these `names`, and types where the input has types.
    fn all(
        &mut self,
        names: &[String],
        types: Option<&SchemaRef>,
        mut rows: impl Iterator<Item = Result<NewRow>>,
        sink: Sink,
    ) -> Result<()> {
        let card = self.predictor.card();
        let form = Form {
            min_confidence: self.args.min_confidence,
            with_input: self.args.file.is_some() && !self.args.only,
            embedded: if self.args.embeddings { card.config.encoded_fields() } else { Vec::new() },
            dims: self.predictor.encoders().dims(),
            with_set: self.args.coverage.is_some(),
            explained: self.explainer.is_some(),
        };
        let (format, packing, raw_cells) = (self.format, self.packing, self.args.raw_cells);
        let to = Destination { format, packing, sink, raw_cells };
        let classes = card.classes.len();
        let mut writer = Writer::new(Layout::new(card, form, names), types, to)?;
        let mut decision = self.predictor.decision().cloned();
        // Shares can be estimated only when all is answered; else each batch is written and forgotten.
        let estimates = self.priors.as_ref().is_some_and(|priors| priors.to.is_none());
        let mut kept: Vec<(Vec<NewRow>, Predicted)> = Vec::new();
        let (started, mut size) = (Instant::now(), FIRST_ROWS);
        let doing = if self.explainer.is_some() { "explaining" } else { "predicting" };
        self.terminal.start(doing, 0, "rows");
        loop {
            let batch: Vec<NewRow> = rows.by_ref().take(size).collect::<Result<_>>()?;
            if batch.is_empty() {
                break;
            }
            let mut predicted = self.answers(&batch)?;
            if self.explainer.is_none() {
                size = MOST_ROWS;
                self.terminal.advance(batch.len() as u64);
            }
            if estimates {
                kept.push((batch, predicted));
                continue;
            }
            if let Some(Priors { from, to: Some(to) }) = &self.priors {
                apply_shares(&mut predicted.answers.label, &from.shares, to);
                decision = Some(from.with_shares(to));
            }
            let mut rows = answered(&batch, &predicted, decision.as_ref(), classes);
            if let (Some(coverage), Some(sets)) = (self.args.coverage, self.predictor.label_sets()) {
                for answer in rows.iter_mut().filter_map(|row| row.answer.as_mut().ok()) {
                    answer.set = Some(sets.of(answer.probabilities, answer.best, coverage));
                }
            }
            if let Some(explainer) = &self.explainer {
                explainer.explain(&batch, &predicted, &mut rows, self.terminal)?;
            }
            if !writer.write(&rows)? {
                break;
            }
        }
        self.terminal.finish();
        if let (true, Some(Priors { from, .. })) = (estimates, &self.priors) {
            let all: Vec<f32> = kept.iter().flat_map(|(_, rows)| &rows.answers.label).copied().collect();
            let to = estimate_shares(&all, &from.shares);
            let named = card.classes.iter().zip(&to).map(|(class, share)| format!("{class} {share:.3}"));
            let (named, rows) = (named.collect::<Vec<_>>().join(", "), all.len() / classes);
            self.terminal
                .note(&format!("note: shares estimated from {}: {named}", counted(rows, "row", "rows")));
            let decision = from.with_shares(&to);
            for (batch, mut predicted) in kept {
                apply_shares(&mut predicted.answers.label, &from.shares, &to);
                if !writer.write(&answered(&batch, &predicted, Some(&decision), classes))? {
                    break;
                }
            }
        }
        let escaped = writer.finish()?;
        if started.elapsed() > SAID_EVERY {
            self.terminal.note(&format!(
                "{} in {:.0} s, {}",
                counted(self.counts.rows, "row", "rows"),
                started.elapsed().as_secs_f64(),
                rate(self.counts.rows, started)
            ));
        }
        if escaped > 0 {
            self.terminal.note(&format!(
                "note: {} with =, +, - or @; a ' stands before them, or a spreadsheet would compute them \
                 (--raw-cells leaves them)",
                counted(escaped, "cell begins", "cells begin")
            ));
        }
        Ok(())
    }

    /// The answers to those rows of a batch that have cells.
    fn answers(&mut self, batch: &[NewRow]) -> Result<Predicted> {
        // Of a million bad rows nobody reads every one.
        const TOLD: usize = 20;
        for row in batch {
            self.counts.rows += 1;
            match &row.cells {
                Ok(_) => {}
                Err(NoAnswer::NoText(_)) => self.counts.without_text += 1,
                Err(NoAnswer::Bad(reason)) => {
                    self.counts.bad += 1;
                    if self.counts.bad <= TOLD {
                        self.terminal.note(&format!("error: line {}: {reason}", row.line));
                    }
                }
            }
        }
        let cells: Vec<&Cells> = batch.iter().filter_map(|row| row.cells.as_ref().ok()).collect();
        let mut predicted = self.predictor.rows(&cells, &Background(self.terminal))?;
        self.counts.truncated += predicted.truncated;
        self.counts.unlike += predicted.novelty.iter().filter(|&&p| p <= UNLIKE).count();
        if !self.args.embeddings && self.explainer.is_none() {
            predicted.embeddings.clear();
        }
        Ok(predicted)
    }

    /// Say what was counted; how many rows were bad.
    fn finish(&self) -> usize {
        let Counts { truncated, without_text, unlike, bad, rows } = self.counts;
        if truncated > 0 {
            let limit = self.predictor.encoders().max_tokens();
            self.terminal.note(&format!(
                "note: {} longer than {limit} tokens; only the beginning counts",
                counted(truncated, "text is", "texts are")
            ));
        }
        if without_text > 0 {
            let rows = counted(without_text, "row has", "rows have");
            self.terminal.note(&format!("note: {rows} no text and no label"));
        }
        if unlike > 0 {
            let (are, labels) = if unlike == 1 {
                ("is", "its label is a guess")
            } else {
                ("are", "their labels are guesses")
            };
            self.terminal.note(&format!(
                "note: {unlike} of {} {are} unlike every row of the training (`{UNLIKE_TRAINING}`), and {labels}; of rows like \
                 those of the training, 1 in {:.0} is",
                counted(rows, "row", "rows"),
                1.0 / UNLIKE
            ));
        }
        bad
    }
}

fn rate(rows: usize, since: Instant) -> String {
    format!("{:.0} rows/s", rows as f64 / since.elapsed().as_secs_f64())
}

fn names(input: &[(String, String)]) -> Vec<String> {
    input.iter().map(|(name, _)| name.clone()).collect()
}

fn row_of(line: u64, values: &BTreeMap<String, String>, wanted: &Wanted<'_>) -> NewRow {
    NewRow { line, input: values.clone().into_iter().collect(), cells: wanted.cells(values), typed: None }
}

fn field_values(args: &PredictArgs, wanted: &Wanted<'_>) -> Result<BTreeMap<String, String>> {
    let columns = wanted.columns();
    let mut values = BTreeMap::new();
    for pair in &args.field {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            BadUsage(format!("--field {pair}: write NAME=VALUE, such as --field title=\"Sock puppets\""))
        })?;
        if !columns.contains(&name) {
            let near = nearest(name, columns.iter().copied());
            return Err(BadUsage(format!(
                "the model has no column `{name}`{near}; it has {}",
                columns.join(", ")
            ))
            .into());
        }
        if values.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(
                BadUsage(format!("--field {name} is given twice; a row has one value of a column")).into()
            );
        }
    }
    Ok(values)
}
