//! `pipeline predict`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::exit::{BadInput, BadRows, BadUsage, Exit};
use super::output::print;
use super::progress::Terminal;
use crate::config::{Config, nearest};
use crate::engine::Engine;
use crate::evaluate::{Decision, apply_shares, estimate_shares};
use crate::heads::{BlockKind, likeliest};
use crate::model::{Answers, ModelCard, ModelFiles, Places, Predicted, Predictor};
use crate::progress::Progress;
use crate::report::Table;
use crate::stages::BuildError;
use crate::table::{Cells, NamedRow, read_named};

pub const EXAMPLES: &str = "Examples:
  pipeline predict --text \"Build a pillow fort and read inside with a torch\"
  pipeline predict --field title=\"Sock puppets\" --field how_to_play=\"Draw a face on a sock.\"
  pipeline predict new.csv --format csv > labels.csv
  cat new.jsonl | pipeline predict --input jsonl --format jsonl -
  pipeline predict new.csv --priors spam=0.02,ham=0.98
  pipeline predict new.csv --priors estimate

A CSV needs the model's text columns; a JSON line is an object with them as keys.
Columns that are missing count as empty, and are named.";

#[derive(Args)]
pub struct PredictArgs {
    /// CSV (.csv) or JSON lines (.jsonl) with rows to label; - for standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["text", "field"], required_unless_present_any = ["text", "field"])]
    file: Option<PathBuf>,
    /// A text to label; may be given several times. With several text fields it stands in each of them
    #[arg(long, value_name = "TEXT", conflicts_with = "field")]
    text: Vec<String>,
    /// A column of one row to label; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    field: Vec<String>,
    /// Folder of the trained model [default: data/models/NAME, of the config]
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Folder of the encoder that the model was trained with, where it lies elsewhere on this machine; once for each
    #[arg(long, value_name = "FOLDER")]
    encoder: Vec<PathBuf>,
    /// Where this processor cannot compute embeddings as the training did, compute them in another way (cosine at least 0.999)
    #[arg(long)]
    any_arithmetic: bool,
    /// The project file that names the model
    #[arg(long, short, value_name = "FILE", default_value = "pipeline.toml")]
    config: PathBuf,
    /// Shares of the classes among these rows, where they are others than in training: NAME=SHARE of each class, with commas
    /// between; `even`; or `estimate`, from the answers to all rows of the file (Saerens et al. 2002)
    #[arg(long, value_name = "SHARES")]
    priors: Option<String>,
    /// Format of the input [default: by the file's name, CSV for standard input]
    #[arg(long, value_name = "FORMAT")]
    input: Option<InputFormat>,
    /// Format of the output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: OutputFormat,
    /// Give no label to rows whose answer has a lower probability; the report shows what that costs
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    min_confidence: f32,
    /// Same as --format jsonl
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum InputFormat {
    Csv,
    Jsonl,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum OutputFormat {
    Table,
    Csv,
    Jsonl,
}

/// One row to label.
struct Item {
    line: u64,
    cells: Cells,
}

/// Label the rows given.
pub fn predict(args: &PredictArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let files = model_files(args)?;
    if !(0.0..=1.0).contains(&args.min_confidence) {
        return Err(BadUsage(format!(
            "--min-confidence {}: give a share between 0 and 1",
            args.min_confidence
        ))
        .into());
    }
    let terminal = Terminal::new(false);
    let places = Places {
        root: args.config.parent().unwrap_or(Path::new("")),
        encoders: &args.encoder,
        any_arithmetic: args.any_arithmetic,
    };
    // Loaded before the rows are read: a pipe can be read only once, by the program that labels.
    let predictor = Predictor::load(&files, places, engine, &terminal)?;
    let card = predictor.card();
    let (items, bad_rows) = items(args, card)?;
    let cells: Vec<&Cells> = items.iter().map(|item| &item.cells).collect();
    let priors = args.priors.as_deref().map(|text| Priors::parse(text, &predictor)).transpose()?;
    let Predicted { mut answers, truncated } = predictor.rows(&cells, &terminal)?;
    let decision = match priors {
        None => predictor.decision().cloned(),
        Some(Priors { from, to }) => {
            let to = to.unwrap_or_else(|| {
                let to = estimate_shares(&answers.label, &from.shares);
                let named = card.classes.iter().zip(&to).map(|(class, share)| format!("{class} {share:.3}"));
                let named = named.collect::<Vec<_>>().join(", ");
                terminal.note(&format!("note: shares estimated from {} rows: {named}", items.len()));
                to
            });
            apply_shares(&mut answers.label, &from.shares, &to);
            Some(from.with_shares(&to))
        }
    };
    if truncated > 0 {
        let limit = predictor.encoders().max_tokens();
        terminal.note(&format!(
            "note: {truncated} texts are longer than {limit} tokens; only their beginning counts"
        ));
    }
    if !predictor.is_calibrated() {
        let file = files.calibration();
        terminal.note(&format!(
            "note: probabilities are not calibrated: {} is not there or of another training",
            file.display()
        ));
    }
    let format = if args.json { OutputFormat::Jsonl } else { args.format };
    let answer = |row: &[f32]| decision.as_ref().map_or_else(|| likeliest(row), |d| d.answer(row));
    print(&render(&items, &answers, card, format, args.min_confidence, &answer)?)?;
    // The program ends here: giving back a hundred thousand pieces of memory one by one is a tenth of its time.
    std::mem::forget(predictor);
    if bad_rows > 0 { Err(BadRows { rows: bad_rows }.into()) } else { Ok(Exit::Done) }
}

/// Other shares of the classes than those of the training.
struct Priors {
    /// The model's decision, with the shares of the training.
    from: Decision,
    /// Those of the rows; `None` where they are to be estimated.
    to: Option<Vec<f64>>,
}

impl Priors {
    fn parse(text: &str, predictor: &Predictor) -> Result<Self> {
        let classes = &predictor.card().classes;
        let from = predictor.decision().cloned().ok_or_else(|| {
            let message = "--priors needs to know the shares of the training, and the model has no calibration.json \
                           of this program; run `pipeline build`";
            BadUsage(message.to_owned())
        })?;
        let refused = |why: String| BadUsage(format!("--priors {text}: {why}"));
        let to = match text {
            "estimate" => None,
            "even" => Some(vec![1.0 / classes.len() as f64; classes.len()]),
            named => {
                let mut shares = vec![None; classes.len()];
                // A class may have a comma in its name.
                let mut rest = named;
                while !rest.is_empty() {
                    let known = |(place, class): (usize, &String)| {
                        Some((place, rest.strip_prefix(class.as_str())?.strip_prefix('=')?))
                    };
                    let longest = |of: &(usize, &str)| classes[of.0].len();
                    let found = classes.iter().enumerate().filter_map(known).max_by_key(longest);
                    let (place, after) = found.ok_or_else(|| {
                        let known = classes.join(", ");
                        refused(format!(
                            "write NAME=SHARE of each class with commas between; classes are {known}"
                        ))
                    })?;
                    let (number, others) = after.split_once(',').unwrap_or((after, ""));
                    let share: f64 = number.trim().parse().unwrap_or(f64::NAN);
                    if !(0.0..=1.0).contains(&share) {
                        return Err(refused(format!("`{number}` is no share between 0 and 1")).into());
                    }
                    if shares[place].replace(share).is_some() {
                        return Err(refused(format!("{} is given twice", classes[place])).into());
                    }
                    rest = others.trim_start();
                }
                let missing = shares.iter().zip(classes).find(|(share, _)| share.is_none());
                if let Some((_, class)) = missing {
                    return Err(refused(format!("{class} has no share")).into());
                }
                let shares: Vec<f64> = shares.into_iter().flatten().collect();
                let sum: f64 = shares.iter().sum();
                if (sum - 1.0).abs() > 0.01 {
                    return Err(refused(format!("the shares add up to {sum}, not to 1")).into());
                }
                Some(shares.iter().map(|share| share / sum).collect())
            }
        };
        let lost = |(place, share): (usize, &f64)| *share > 0.0 && from.shares[place] == 0.0;
        if let Some((place, _)) = to.iter().flat_map(|to| to.iter().enumerate()).find(|of| lost(*of)) {
            return Err(refused(format!("no row of {} taught the model", classes[place])).into());
        }
        Ok(Self { from, to })
    }
}

fn model_files(args: &PredictArgs) -> Result<ModelFiles> {
    if let Some(folder) = &args.model {
        return Ok(ModelFiles { folder: folder.clone() });
    }
    let name = Config::load(&args.config)?.name;
    let root = args.config.parent().unwrap_or(Path::new("")).to_owned();
    Ok(ModelFiles { folder: root.join("data/models").join(name) })
}

/// The rows to label, and how many could not be read.
fn items(args: &PredictArgs, card: &ModelCard) -> Result<(Vec<Item>, usize)> {
    let wanted = card.wanted();
    let columns: Vec<&String> =
        [wanted.texts, wanted.numeric, wanted.categorical].into_iter().flatten().collect();
    let rows = match &args.file {
        Some(path) => file_rows(args, path, card.config.data.delimiter)?,
        None if args.text.is_empty() => vec![field_row(args, &columns)?],
        None => text_rows(args, wanted.texts),
    };
    let lower = |row: NamedRow| NamedRow {
        line: row.line,
        values: row.values.map(|v| v.into_iter().map(|(name, cell)| (name.to_lowercase(), cell)).collect()),
    };
    let rows: Vec<NamedRow> = rows.into_iter().map(lower).collect();
    if let Some(values) = rows.iter().find_map(|r| r.values.as_ref().ok()) {
        let has = |c: &&&String| values.contains_key(&c.to_lowercase());
        if !wanted.texts.iter().any(|t| values.contains_key(&t.to_lowercase())) {
            let near = nearest(&wanted.texts[0], values.keys().map(String::as_str));
            let names: Vec<&str> = wanted.texts.iter().map(String::as_str).collect();
            let there: Vec<&str> = values.keys().map(String::as_str).collect();
            let (names, there) = (names.join(", "), there.join(", "));
            let message = format!(
                "the model reads the text columns {names}; the input has none of them, only {there}{near}"
            );
            return Err(BadInput(message).into());
        }
        let missing: Vec<&str> = columns.iter().filter(|c| !has(c)).map(|c| c.as_str()).collect();
        if !missing.is_empty() && args.text.is_empty() {
            eprintln!("note: the input has no {}; empty is taken", missing.join(", "));
        }
    }
    let mut items = Vec::with_capacity(rows.len());
    let mut bad = 0;
    for row in rows {
        match row.values.and_then(|values| wanted.cells(&values)) {
            Ok(cells) => items.push(Item { line: row.line, cells }),
            Err(reason) => {
                bad += 1;
                eprintln!("error: line {}: {reason}", row.line);
            }
        }
    }
    Ok((items, bad))
}

fn text_rows(args: &PredictArgs, fields: &[String]) -> Vec<NamedRow> {
    if fields.len() > 1 {
        eprintln!(
            "note: the model reads {}; --text stands in each (use --field for better)",
            fields.join(", ")
        );
    }
    let row = |(i, text): (usize, &String)| NamedRow {
        line: i as u64 + 1,
        values: Ok(fields.iter().map(|f| (f.clone(), text.clone())).collect()),
    };
    args.text.iter().enumerate().map(row).collect()
}

fn field_row(args: &PredictArgs, columns: &[&String]) -> Result<NamedRow> {
    let mut values = BTreeMap::new();
    for pair in &args.field {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            BadUsage(format!("--field {pair}: write NAME=VALUE, such as --field title=\"Sock puppets\""))
        })?;
        if !columns.iter().any(|c| *c == name) {
            let near = nearest(name, columns.iter().map(|c| c.as_str()));
            let known: Vec<&str> = columns.iter().map(|c| c.as_str()).collect();
            return Err(BadUsage(format!(
                "the model has no column `{name}`{near}; it has {}",
                known.join(", ")
            ))
            .into());
        }
        if values.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(
                BadUsage(format!("--field {name} is given twice; a row has one value of a column")).into()
            );
        }
    }
    Ok(NamedRow { line: 1, values: Ok(values) })
}

fn file_rows(args: &PredictArgs, path: &Path, delimiter: char) -> Result<Vec<NamedRow>> {
    let from_stdin = path == Path::new("-");
    let by_name = match path.extension().and_then(|e| e.to_str()) {
        Some("jsonl" | "ndjson" | "json") => InputFormat::Jsonl,
        _ => InputFormat::Csv,
    };
    if args.input.unwrap_or(by_name) == InputFormat::Jsonl {
        let mut text = String::new();
        if from_stdin {
            std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        } else {
            text = std::fs::read_to_string(path)
                .map_err(|e| BadInput(format!("cannot read {}: {e}", path.display())))?;
        }
        let lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
        return Ok(lines.map(|(i, line)| NamedRow { line: i as u64 + 1, values: json_row(line) }).collect());
    }
    if !from_stdin {
        return Ok(read_named(path, delimiter).map_err(BuildError::from)?);
    }
    // The CSV reader needs the whole file anyway, for its encoding and its stray quotes.
    let mut file = tempfile::NamedTempFile::new().context("cannot store standard input")?;
    std::io::copy(&mut std::io::stdin(), &mut file).context("cannot read standard input")?;
    Ok(read_named(file.path(), delimiter).map_err(BuildError::from)?)
}

fn json_row(line: &str) -> Result<BTreeMap<String, String>, String> {
    let object: BTreeMap<String, Value> = serde_json::from_str(line)
        .map_err(|e| format!("is not a JSON object (write one object a line): {e}"))?;
    let cell = |value: Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(object.into_iter().map(|(name, value)| (name, cell(value))).collect())
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

/// One row with its answers.
struct Answered<'a> {
    line: u64,
    /// The class that answers, and all probabilities.
    best: usize,
    probabilities: &'a [f32],
    tasks: Vec<TaskAnswer<'a>>,
    range: Option<[f32; 2]>,
}

/// The answers as text; a row below `min_confidence` has no label (null, an empty cell, or "(unsure)").
fn render(
    items: &[Item],
    answers: &Answers,
    card: &ModelCard,
    format: OutputFormat,
    min_confidence: f32,
    answer: &dyn Fn(&[f32]) -> usize,
) -> Result<String> {
    let classes = &card.classes;
    let ends: Vec<&String> = match &card.config.label.range {
        Some(rule) if card.head.blocks().iter().any(|block| block.kind == BlockKind::Values) => {
            vec![&rule.min, &rule.max]
        }
        _ => Vec::new(),
    };
    let rows = items.iter().enumerate().map(|(i, item)| {
        let probabilities = &answers.label[i * classes.len()..(i + 1) * classes.len()];
        let task = |(block, all): &'_ (crate::heads::Block, Vec<f32>)| {
            let own = &all[i * block.width..(i + 1) * block.width];
            (likeliest(own), own[likeliest(own)])
        };
        let tasks = answers.tasks.iter().map(|of| {
            let (best, probability) = task(of);
            TaskAnswer { column: &of.0.name, class: &of.0.classes[best], probability }
        });
        Answered {
            line: item.line,
            best: answer(probabilities),
            probabilities,
            tasks: tasks.collect(),
            range: answers.ranges.get(i).copied(),
        }
    });
    let label =
        |row: &Answered| (row.probabilities[row.best] >= min_confidence).then(|| classes[row.best].clone());
    match format {
        OutputFormat::Jsonl => {
            let mut text = String::new();
            for row in rows {
                let all: serde_json::Map<String, Value> =
                    classes.iter().cloned().zip(row.probabilities.iter().map(|&v| json!(v))).collect();
                let mut object = json!({
                    "line": row.line, "label": label(&row), "probability": row.probabilities[row.best],
                    "probabilities": all,
                });
                if let Some(range) = row.range {
                    object["range"] =
                        ends.iter().zip(range).map(|(name, v)| ((*name).clone(), json!(v))).collect();
                }
                if !row.tasks.is_empty() {
                    let task = |of: &TaskAnswer<'_>| {
                        (of.column.to_owned(), json!({ "label": of.class, "probability": of.probability }))
                    };
                    object["tasks"] = row.tasks.iter().map(task).collect();
                }
                text += &object.to_string();
                text.push('\n');
            }
            Ok(text)
        }
        OutputFormat::Csv => {
            let mut csv = csv::Writer::from_writer(Vec::new());
            let mut header: Vec<String> = ["line", "label", "probability"].map(str::to_owned).to_vec();
            header.extend(classes.iter().cloned());
            header.extend(ends.iter().map(|end| (*end).clone()));
            header.extend(
                answers.tasks.iter().flat_map(|(b, _)| [b.name.clone(), format!("{} probability", b.name)]),
            );
            csv.write_record(header)?;
            for row in rows {
                let best = row.probabilities[row.best].to_string();
                let mut line = vec![row.line.to_string(), label(&row).unwrap_or_default(), best];
                line.extend(row.probabilities.iter().map(ToString::to_string));
                line.extend(row.range.into_iter().flatten().map(|v| v.to_string()));
                line.extend(
                    row.tasks.iter().flat_map(|of| [of.class.to_owned(), of.probability.to_string()]),
                );
                csv.write_record(line)?;
            }
            Ok(String::from_utf8(csv.into_inner()?)?)
        }
        OutputFormat::Table => {
            let mut header: Vec<String> =
                ["line", "label", "probability", "next likeliest"].map(str::to_owned).to_vec();
            header.extend(ends.iter().map(|end| (*end).clone()));
            header.extend(answers.tasks.iter().map(|(block, _)| block.name.clone()));
            let mut table = Table::new(header);
            for row in rows {
                let p = row.probabilities;
                let next = (0..p.len())
                    .filter(|&c| c != row.best)
                    .max_by(|&a, &b| p[a].total_cmp(&p[b]))
                    .unwrap_or(row.best);
                let mut line = vec![
                    row.line.to_string(),
                    label(&row).unwrap_or_else(|| "(unsure)".into()),
                    format!("{:.1} %", 100.0 * p[row.best]),
                    format!("{} {:.1} %", classes[next], 100.0 * p[next]),
                ];
                line.extend(row.range.into_iter().flatten().map(|v| format!("{v:.1}")));
                line.extend(
                    row.tasks.iter().map(|of| format!("{} {:.1} %", of.class, 100.0 * of.probability)),
                );
                table.push(line);
            }
            Ok(table.to_string())
        }
    }
}
