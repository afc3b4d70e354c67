//! `pipeline suggest`: which rows of an unlabelled table are worth a label next.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::compare::answers;
use super::error::BuildError;
use super::learned_rows::vectors;
use super::scored::learned_texts;
use crate::heads::likeliest;
use crate::model::{ModelFiles, Predictor, load_evaluation};
use crate::progress::Progress;
use crate::suggest::{Pool, suggest as choose};
use crate::table::{Cells, ContentHash, NewRow, NewTable, Stated};

/// Rows worth a label, and what became of the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suggested {
    /// The rows, the most worth first.
    pub rows: Vec<SuggestedRow>,
    /// Rows of the table.
    pub read: usize,
    /// Those that cannot be read or have no text.
    pub unusable: usize,
    /// Those with a text that the model has learned from.
    pub learned: usize,
    /// Those that repeat a row before them.
    pub repeated: usize,
    /// Names of the table's columns.
    #[serde(skip)]
    pub columns: Vec<String>,
    /// What was found of the table and may be wrong, for people.
    pub notes: Vec<String>,
}

/// A row worth a label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SuggestedRow {
    /// Line of the table where it begins, counted from 1.
    pub line: u64,
    /// The likeliest class.
    pub guess: String,
    /// Its probability, in `[0, 1]`.
    pub probability: f32,
    /// Its texts as one.
    pub text: String,
    /// Its columns by their names.
    #[serde(skip)]
    pub input: Vec<(String, String)>,
}

/// The `count` rows of `table` that `predictor`, of the model in `files`, would learn most from.
///
/// # Errors
/// The table cannot be read, or no row of it has a text; or the encoder or the head failed.
pub fn suggest(
    predictor: &Predictor,
    files: &ModelFiles,
    table: &Path,
    count: usize,
    progress: &dyn Progress,
) -> Result<Suggested, BuildError> {
    let card = predictor.card();
    let wanted = card.wanted();
    let opened = NewTable::open(table, table, Stated::of(&card.config.data), &wanted)?;
    let mut notes = opened.notes().to_vec();
    let lacks = opened.lacks();
    if !lacks.is_empty() {
        notes.push(format!("the table has no {}; empty is taken", lacks.join(", ")));
    }
    let learned = load_evaluation(files).map_err(BuildError::from).and_then(|of| answers(files, &of));
    if learned.is_err() {
        notes.push("which rows the model has learned from is not known: its evaluation is not here".into());
    }
    let learned = learned_texts(learned.unwrap_or_default());
    let mut found = Suggested {
        rows: Vec::new(),
        read: 0,
        unusable: 0,
        learned: 0,
        repeated: 0,
        columns: opened.names().to_vec(),
        notes,
    };
    let (mut seen, mut pool): (BTreeSet<String>, Vec<(NewRow, Cells)>) = Default::default();
    for row in opened.rows()? {
        let row = row?;
        found.read += 1;
        let Ok(cells) = row.cells.clone() else {
            found.unusable += 1;
            continue;
        };
        let texts = ContentHash::of(cells.texts.iter().map(String::as_str)).to_string();
        if learned.contains(&texts) {
            found.learned += 1;
        } else if !seen.insert(texts) {
            found.repeated += 1;
        } else {
            pool.push((row, cells));
        }
    }
    if found.read == found.unusable {
        return Err(BuildError::NothingToAsk { tables: vec![table.to_owned()] });
    }
    let cells: Vec<&Cells> = pool.iter().map(|(_, cells)| cells).collect();
    let predicted = predictor.rows(&cells, progress)?;
    let (vectors, dims) = vectors(&predicted.embeddings, pool.len());
    let (probabilities, classes) = (&predicted.answers.label, card.classes.len());
    let chosen = choose(
        Pool { probabilities, classes, vectors: &vectors, dims },
        count,
        card.config.seed_for("suggest"),
    );
    let row = |&place: &usize| {
        let (row, cells) = &pool[place];
        let own = &probabilities[place * classes..(place + 1) * classes];
        let best = likeliest(own);
        let text = cells.texts.iter().filter(|text| !text.is_empty()).map(String::as_str);
        SuggestedRow {
            line: row.line,
            guess: card.classes[best].clone(),
            probability: own[best],
            text: text.collect::<Vec<_>>().join(" · "),
            input: row.input.clone(),
        }
    };
    found.rows = chosen.iter().map(row).collect();
    Ok(found)
}
