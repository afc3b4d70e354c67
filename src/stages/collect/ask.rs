//! `pipeline collect ask` and `answers`: rows for people to label, and what several of them said, merged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::collect::{
    Annotator, AnswerFile, Answered, AskAgain, AskSettings, CandidateRow, DawidSkene, LICENCE, Merged,
    ORIGIN, Pair, Provenance, TaskRow, Tasks, Votes, accuracies, ask_again, merge, pairs, read_answers,
    write_candidates,
};
use crate::config::CollectedKind;
use crate::progress::Progress;
use crate::stages::error::BuildError;
use crate::stages::project::Project;
use crate::store::{Lock, StoreError, write_atomic, write_json};
use crate::table::{self, Cells, Stated, read_named};

/// Rows that people are asked about.
#[derive(Clone, Debug)]
pub struct AskOptions {
    /// Tables of rows without a label.
    pub tables: Vec<PathBuf>,
    /// Most rows.
    pub rows: usize,
}

/// A task that was written.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// Its number.
    pub task: usize,
    /// Rows asked about.
    pub rows: usize,
    /// Rows of the tables that have no text, or that of another row.
    pub left_out: usize,
    /// The files, relative to the project.
    pub files: Vec<PathBuf>,
}

/// A row of a task, as its table has it.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    id: String,
    cells: BTreeMap<String, String>,
}

const ROWS: &str = "rows.json";

/// Write a task about the rows of tables: a CSV to fill in, Label Studio's tasks and its labelling configuration.
///
/// # Errors
/// A table cannot be read, lacks a text column, or has no row with a text; or a file cannot be written.
pub fn ask(project: &Project, options: &AskOptions, progress: &dyn Progress) -> Result<Asked, BuildError> {
    let config = &project.config;
    let _lock = Lock::take(&project.state_folder())?;
    let classes = table::read(config, &project.root, progress)?.0.classes;
    let fields = &config.data.text_fields;
    let (mut rows, mut left_out) = (Vec::<Row>::new(), 0);
    let mut seen = std::collections::HashSet::new();
    for path in &options.tables {
        for line in read_named(path, Stated::of(&config.data))? {
            let Ok(cells) = line.values else {
                left_out += 1;
                continue;
            };
            if let Some(lacks) = fields.iter().find(|field| !cells.contains_key(*field)) {
                return Err(BuildError::Table(table::TableError::Header {
                    path: path.clone(),
                    reason: format!("it lacks the text column `{lacks}`"),
                    remedy: None,
                }));
            }
            let texts: Vec<String> = fields.iter().map(|field| cells[field].trim().to_owned()).collect();
            let id = Cells { texts: texts.clone(), ..Cells::default() }.content().to_string();
            if texts.iter().all(String::is_empty) || !seen.insert(id.clone()) || rows.len() == options.rows {
                left_out += 1;
                continue;
            }
            rows.push(Row { id, cells });
        }
    }
    if rows.is_empty() {
        return Err(BuildError::NothingToAsk { tables: options.tables.clone() });
    }
    let task_row = |row: &Row| TaskRow {
        id: row.id.clone(),
        texts: fields.iter().map(|field| row.cells[field].clone()).collect(),
    };
    let tasks = Tasks::new(fields.clone(), classes, rows.iter().map(task_row).collect())?;
    let task = (1..).find(|&task| !folder(project, task).exists()).unwrap_or(1);
    let folder = folder(project, task);
    let csv = tasks.csv("")?;
    let files = [folder.join("task.csv"), folder.join("label-studio.json"), folder.join("label-studio.xml")];
    write_atomic(&files[0], |w| std::io::Write::write_all(w, &csv))?;
    write_json(&files[1], &tasks.label_studio())?;
    write_atomic(&files[2], |w| std::io::Write::write_all(w, tasks.label_studio_config().as_bytes()))?;
    // Last: with it the task is whole.
    write_json(&folder.join(ROWS), &rows)?;
    let files = files.iter().map(|file| project.relative(file).into()).collect();
    Ok(Asked { task, rows: rows.len(), left_out, files })
}

fn folder(project: &Project, task: usize) -> PathBuf {
    project.root.join("data/annotation").join(&project.config.name).join(format!("task-{task}"))
}

/// What is done with answers.
#[derive(Clone, Debug)]
pub struct AnswersOptions {
    /// The files.
    pub files: Vec<PathBuf>,
    /// The task; the last one by default.
    pub task: Option<usize>,
    /// Rows that somebody is to be asked about again, at most.
    pub again: usize,
}

/// A row is as good as labelled when its merged class is this probable.
const SURE: f64 = 0.8;

/// Merge the answers of several people to a task, and leave the rows whose class is as good as certain as candidates.
///
/// # Errors
/// There is no such task, no answer counts, or a file cannot be read or written.
pub fn answers(
    project: &Project,
    options: &AnswersOptions,
    progress: &dyn Progress,
) -> Result<Answered, BuildError> {
    let config = &project.config;
    let _lock = Lock::take(&project.state_folder())?;
    let last = (1..).take_while(|&task| folder(project, task).exists()).last();
    let task = options.task.or(last).unwrap_or(1);
    let path = folder(project, task).join(ROWS);
    if !path.exists() {
        return Err(BuildError::NoTask { task });
    }
    let bytes = std::fs::read(&path).map_err(StoreError::of("read", &path))?;
    let rows: Vec<Row> = serde_json::from_slice(&bytes)
        .map_err(|e| BuildError::Artefact { path: path.clone(), reason: e.to_string() })?;
    let classes = table::read(config, &project.root, progress)?.0.classes;
    let contents = options
        .files
        .iter()
        .map(|file| std::fs::read(file).map_err(StoreError::of("read", file)))
        .collect::<Result<Vec<Vec<u8>>, _>>()?;
    let names: Vec<String> = options.files.iter().map(|file| file.display().to_string()).collect();
    let people: Vec<String> = options.files.iter().map(|file| stem(file)).collect();
    let files: Vec<AnswerFile<'_>> = names
        .iter()
        .zip(&contents)
        .zip(&people)
        .map(|((name, bytes), person)| AnswerFile { name, bytes, annotator: Some(person) })
        .collect();
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let found = read_answers(&files, &ids, &classes);
    let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
    if found.answers.is_empty() {
        return Err(BuildError::NoAnswers { faults });
    }
    let votes = found.votes(rows.len(), classes.len())?;
    let merged = merge(&votes, &DawidSkene::default())?;
    let who = |annotator: usize| found.annotators[annotator].clone();
    let annotators = accuracies(&votes, &merged)
        .into_iter()
        .map(|of| Annotator { name: who(of.annotator), answers: of.answers, accuracy: of.accuracy })
        .collect();
    let of_pairs = pairs(&votes)
        .into_iter()
        .map(|pair| Pair {
            names: pair.annotators.map(who),
            rows: pair.rows,
            same: pair.raw,
            kappa: pair.kappa,
        })
        .collect();
    let settings = AskSettings { rows: options.again, ..AskSettings::default() };
    let again = ask_again(&votes, &merged, &settings)?
        .into_iter()
        .map(|ask| AskAgain { id: ids[ask.row].clone(), who: who(ask.annotator), entropy: ask.entropy })
        .collect();
    let labelled =
        labelled(project, &rows, &Judged { votes: &votes, merged: &merged, classes: &classes }, task)?;
    let answered = (0..rows.len()).filter(|&row| !votes.of_row(row).is_empty()).count();
    let (sure, file) = match labelled.is_empty() {
        true => (0, None),
        false => {
            let path = project.candidates().join(format!("labelled-{task}.csv"));
            write_candidates(&path, &config.columns(), &labelled)?;
            (labelled.len(), Some(project.relative(&path).into()))
        }
    };
    Ok(Answered {
        task,
        rows: rows.len(),
        answered,
        blank: found.blank,
        sure,
        annotators,
        pairs: of_pairs,
        again,
        faults,
        file,
    })
}

/// What people said of the rows of a task.
struct Judged<'a> {
    votes: &'a Votes,
    merged: &'a Merged,
    classes: &'a [String],
}

/// The rows whose merged class is as good as certain, with the label's cells.
fn labelled(
    project: &Project,
    rows: &[Row],
    judged: &Judged<'_>,
    task: usize,
) -> Result<Vec<CandidateRow>, BuildError> {
    let config = &project.config;
    let date = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    let mut found = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let class = judged.merged.class(place);
        if judged.votes.of_row(place).is_empty() || judged.merged.posterior(place)[class] < SURE {
            continue;
        }
        let mut cells = row.cells.clone();
        match &config.label.column {
            Some(column) => {
                cells.insert(column.clone(), judged.classes[class].clone());
            }
            None => {
                let declared =
                    config.collect.generate.classes.iter().find(|of| of.name == judged.classes[class]);
                let Some(declared) = declared else {
                    return Err(BuildError::NotDeclared {
                        key: "collect.generate.classes".into(),
                        what: format!("the cells of {:?} in the label's columns", judged.classes[class]),
                    });
                };
                cells.extend(declared.cells.clone());
            }
        }
        // A row that was scraped keeps the address and the licence of its page.
        let found_with = |name: &str, else_: &str| {
            row.cells.get(name).filter(|cell| !cell.is_empty()).cloned().unwrap_or_else(|| else_.to_owned())
        };
        let provenance = Provenance {
            kind: CollectedKind::Labelled,
            origin: found_with(ORIGIN, "people"),
            recipe: format!("task {task}"),
            date: date.clone(),
            licence: found_with(LICENCE, "unknown"),
            parent: None,
            shown: Vec::new(),
        };
        found.push(CandidateRow { cells, provenance });
    }
    Ok(found)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
