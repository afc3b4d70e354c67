//! `pipeline init`: a table to a first `pipeline.toml`.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use super::exit::{BadInput, BadUsage, Exit};
use super::output::{print, print_json, visible};
use super::progress::Terminal;
use crate::config::{Config, DataConfig, nearest};
use crate::counting::{counted, grouped};
use crate::progress::Progress;
use crate::propose::{
    Candidates, Column, Facts, Found, LeftOut, Role, about, label_candidates, left_out, proposal, roles,
};
use crate::stages::BuildError;
use crate::store::write_atomic;
use crate::table::{self, Dataset, Sample, are_alike, is_table, sample, shorten};

pub const EXAMPLES: &str = "Examples:
  pipeline init tickets.csv && pipeline build
  pipeline init              the only table of this folder, or of data/raw
  pipeline init tickets.csv --label team --text subject --text body
  pipeline init train.csv --test test.csv --yes

Writes pipeline.toml with a comment on every choice, and shows three rows as the model will see them. It asks on a terminal alone; elsewhere --label says what cannot be known, or --yes takes the likeliest.";

#[derive(Args)]
pub struct InitArgs {
    /// Tables with the same columns [default: those of this folder, or of data/raw]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A table that is the test part as given; may be given several times
    #[arg(long, value_name = "FILE")]
    test: Vec<PathBuf>,
    /// The column to predict
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// A column with text; may be given several times
    #[arg(long, value_name = "COLUMN")]
    text: Vec<String>,
    /// Name of the dataset and its model [default: that of the file]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The project file to write
    #[arg(long, short, value_name = "FILE", default_value = "pipeline.toml")]
    config: PathBuf,
    /// Ask nothing: take the likeliest
    #[arg(long, short)]
    yes: bool,
    /// Write over a project file that is there
    #[arg(long)]
    force: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Rows that are looked at.
const LOOKED_AT: usize = 20_000;

/// What any file, or its folder, may be called.
const ANY_NAME: [&str; 8] = ["train", "training", "data", "dataset", "raw", "table", "rows", "all"];

/// Columns that a question offers.
const OFFERED: usize = 20;

/// Rows that are shown.
const SHOWN: usize = 3;

/// Propose a project file for a table, and write it.
pub fn init(args: &InitArgs) -> Result<Exit> {
    if args.config.exists() && !args.force {
        let there = args.config.display();
        return Err(BadUsage(format!("{there} is there already; --force writes over it")).into());
    }
    let root = args.config.parent().map(Path::to_owned).unwrap_or_default();
    let files = if args.files.is_empty() { tables(&root)? } else { args.files.clone() };
    let sample = read(&files)?;
    let facts = Facts::of(&sample);
    for column in args.label.iter().chain(&args.text) {
        is_there(column, &sample)?;
    }
    let label = match &args.label {
        Some(label) => label.clone(),
        None => choose(&label_candidates(&facts), &facts, args.yes)?,
    };
    if args.text.contains(&label) {
        return Err(BadUsage(format!("`{label}` cannot be both --label and --text")).into());
    }
    let columns = roles(&sample, facts, &label, &args.text);
    if !columns.iter().any(|column| column.role == Role::Text) {
        return Err(BadInput(format!(
            "no column of {} reads as text; --text names one of: {}",
            files[0].display(),
            shorten(&sample.columns.join(", "), 300)
        ))
        .into());
    }
    let patterns: Vec<String> = files.iter().map(|file| pattern(file, &root)).collect::<Result<_>>()?;
    let tests: Vec<String> = args.test.iter().map(|file| pattern(file, &root)).collect::<Result<_>>()?;
    let name = args.name.clone().unwrap_or_else(|| name_of(&files));
    let labels = columns.iter().find(|column| column.role == Role::Label);
    let text = proposal(&Found {
        name: &name,
        files: &patterns,
        tests: &tests,
        about: &rows_of(&sample),
        normalise: labels.is_some_and(|label| are_alike(&label.facts.values)),
        columns: &columns,
    });
    let config = Config::parse(&text, &args.config)?;
    // Read as every later command will read it, so that what is wrong is said now.
    let terminal = Terminal::new(args.json);
    let (dataset, report) = table::read(&config, &root, &terminal).map_err(BuildError::from)?;
    table::check_classes(&dataset).map_err(BuildError::from)?;
    write_atomic(&args.config, |file| file.write_all(text.as_bytes())).map_err(BuildError::from)?;
    report.notes.iter().for_each(|note| terminal.note(&format!("note: {note}")));
    if let Some(first) = report.rejects.first() {
        let rejected = grouped(report.rejects.len());
        terminal.note(&format!(
            "note: {rejected} of {} cannot be used; the first: {first}",
            counted(report.read, "row", "rows")
        ));
    }
    if args.json {
        return print_json(&json!({
            "config": args.config,
            "columns": columns.iter().map(as_json).collect::<Vec<_>>(),
            "rows": dataset.rows.len(),
            "classes": dataset.classes,
            "rejected": report.rejects.len(),
            "notes": report.notes,
        }));
    }
    let option = match args.config == Path::new("pipeline.toml") {
        true => String::new(),
        false => format!(" --config {}", args.config.display()),
    };
    print(&format!(
        "{}\n{}\n{} is written, with a comment on every choice. Next: pipeline build{option}\n",
        columns_text(&columns),
        rows_as_seen(&dataset),
        args.config.display()
    ))
}

/// The tables of a folder, else of `data/raw` or `data` below it.
fn tables(root: &Path) -> Result<Vec<PathBuf>> {
    for folder in ["", "data/raw", "data"] {
        let entries = std::fs::read_dir(Path::new(".").join(root).join(folder)).into_iter().flatten();
        let files = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_file() && is_table(path));
        let mut files: Vec<PathBuf> =
            files.map(|path| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)).collect();
        files.sort();
        if !files.is_empty() {
            return Ok(files);
        }
    }
    let folder = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    Err(BadInput(format!("there is no table in {}, nor in data/raw; name one", folder.display())).into())
}

/// The first rows of all files, which must have the same columns.
fn read(files: &[PathBuf]) -> Result<Sample> {
    let mut all: Option<Sample> = None;
    let missing = DataConfig::missing_by_default();
    for file in files {
        let left = LOOKED_AT - all.as_ref().map_or(0, |all| all.rows.len());
        let mut next = sample(file, file, &missing, left).map_err(BuildError::from)?;
        match &mut all {
            None => all = Some(next),
            Some(all) if all.columns == next.columns => {
                all.rows.append(&mut next.rows);
                all.whole &= next.whole;
            }
            Some(_) => {
                return Err(BadInput(format!(
                    "{} and {} have different columns; name the files that belong together",
                    files[0].display(),
                    file.display()
                ))
                .into());
            }
        }
    }
    let all = all.filter(|all| !all.rows.is_empty());
    all.ok_or_else(|| BadInput(format!("{} has no rows", files[0].display())).into())
}

fn is_there(column: &str, sample: &Sample) -> Result<()> {
    let columns = || sample.columns.iter().map(String::as_str);
    if columns().any(|name| name == column) {
        return Ok(());
    }
    let (near, there) = (nearest(column, columns()), columns().collect::<Vec<_>>().join(", "));
    Err(BadUsage(format!("there is no column `{column}`{near}; there are: {}", shorten(&there, 300))).into())
}

/// The label, asked for where it is not clear and somebody can be asked.
fn choose(candidates: &Candidates, facts: &[Facts], yes: bool) -> Result<String> {
    let Candidates { names, clear } = candidates;
    let Some(likeliest) = names.first() else {
        let columns = facts.iter().map(|facts| facts.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(BadUsage(format!(
            "no column has few values that come back, as a label has; --label names one of: {}",
            shorten(&columns, 300)
        ))
        .into());
    };
    if *clear || yes {
        return Ok(likeliest.clone());
    }
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        let may_be = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(BadUsage(format!(
            "the label may be {}; --label names it, --yes takes the first",
            shorten(&may_be, 300)
        ))
        .into());
    }
    let mut question = "Which column is to be predicted?\n".to_owned();
    for (number, name) in (1..).zip(names).take(OFFERED) {
        let values = facts.iter().find(|facts| facts.name == *name).map_or(String::new(), about);
        question += &format!("  {number}  {name}: {values}\n");
    }
    if names.len() > OFFERED {
        question += &format!("  … or the name of one of {} others\n", grouped(names.len() - OFFERED));
    }
    loop {
        eprint!("{}", visible(&format!("{question}Its number [1]: ")));
        io::stderr().flush()?;
        let mut answer = String::new();
        if io::stdin().lock().read_line(&mut answer)? == 0 {
            return Err(BadUsage("no answer; --label names the column to predict".into()).into());
        }
        match answer.trim() {
            "" => return Ok(likeliest.clone()),
            number => {
                let chosen = number.parse().ok().and_then(|n: usize| names.get(n.checked_sub(1)?));
                if let Some(name) = chosen.or_else(|| names.iter().find(|name| *name == number)) {
                    return Ok(name.clone());
                }
            }
        }
    }
}

/// The pattern by which a config below `root` names a file.
fn pattern(file: &Path, root: &Path) -> Result<String> {
    let absolute = |path: &Path| std::path::absolute(path).context("the working folder is gone");
    let (full, root) = (absolute(file)?, absolute(&root.join("."))?);
    let path = full.strip_prefix(&root).unwrap_or(&full);
    let text = path.to_str().ok_or_else(|| BadInput(format!("{} is not named in UTF-8", path.display())))?;
    Ok(glob::Pattern::escape(text))
}

/// A dataset's name: that of its file, or of its folder where the file is called as any may be, or there are several.
fn name_of(files: &[PathBuf]) -> String {
    let plain = |text: &str| -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
        text.chars().map(plain).collect()
    };
    let full = std::path::absolute(&files[0]).unwrap_or_else(|_| files[0].clone());
    let stem = full.file_stem().unwrap_or_default().to_string_lossy();
    let stem = plain(stem.split('.').next().unwrap_or_default());
    if files.len() == 1 && !stem.is_empty() && !ANY_NAME.contains(&stem.to_lowercase().as_str()) {
        return stem;
    }
    let folders =
        full.ancestors().skip(1).filter_map(|folder| Some(plain(&folder.file_name()?.to_string_lossy())));
    folders
        .into_iter()
        .find(|name| !ANY_NAME.contains(&name.to_lowercase().as_str()))
        .unwrap_or_else(|| "table".into())
}

fn rows_of(sample: &Sample) -> String {
    let more = if sample.whole { "" } else { "the first " };
    let found = sample.notes.iter().map(|note| format!("; {note}")).collect::<String>();
    format!(
        "{more}{} with {}{found}",
        counted(sample.rows.len(), "row", "rows"),
        counted(sample.columns.len(), "column", "columns")
    )
}

fn as_json(Column { facts, role }: &Column) -> serde_json::Value {
    match role {
        Role::LeftOut(why) => json!({ "column": facts.name, "role": role.name(), "why": why }),
        _ => json!({ "column": facts.name, "role": role.name(), "about": about(facts) }),
    }
}

fn columns_text(columns: &[Column]) -> String {
    let many: Vec<LeftOut<'_>> = left_out(columns).into_iter().filter(|left| left.names.len() > 1).collect();
    let one_of_many = |column: &&Column| matches!(&column.role, Role::LeftOut(why) if many.iter().any(|left| left.why == why));
    let single = || columns.iter().filter(|column| !one_of_many(column));
    let names = || single().map(|column| shorten(&column.facts.name, NAME));
    let width = names().map(|name| name.chars().count()).max().unwrap_or(0);
    let line = |(name, column): (String, &Column)| {
        let why = match &column.role {
            Role::LeftOut(why) => why.clone(),
            _ => about(&column.facts),
        };
        format!("  {name:<width$}  {:<8}  {why}\n", column.role.name())
    };
    let lines = names().zip(single()).map(line);
    let of_many =
        many.iter().map(|LeftOut { names, why }| format!("  left out: {}: {why}\n", names.join(", ")));
    lines.chain(of_many).collect()
}

/// Characters of a column's name, and of a cell, that are shown.
const NAME: usize = 30;
const CELL: usize = 100;

/// A row of each of the first classes, as the model will see it.
fn rows_as_seen(dataset: &Dataset) -> String {
    let mut text = "Rows as the model sees them:\n".to_owned();
    for class in 0..dataset.classes.len().min(SHOWN) {
        let Some(row) = dataset.rows.iter().find(|row| row.class == class) else { continue };
        text += &format!("  {}\n", shorten(&dataset.classes[class], CELL));
        let mut cell = |name: &str, value: &str| {
            text += &format!(
                "    {}: {}\n",
                shorten(name, NAME),
                shorten(&value.replace(['\n', '\r', '\t'], " "), CELL)
            );
        };
        for (name, value) in dataset.text_fields.iter().zip(&row.cells.texts) {
            cell(name, value);
        }
        for (name, value) in dataset.numeric.iter().zip(&row.cells.numeric) {
            cell(name, &value.map_or("no number".into(), |value| value.to_string()));
        }
        for (name, values) in dataset.categorical.iter().zip(&row.cells.categories) {
            cell(name, &values.join(", "));
        }
    }
    text
}
