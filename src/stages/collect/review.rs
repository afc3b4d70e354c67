//! `pipeline collect review`: what the gate says of every candidate that waits.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use super::batches::{Waiting, parents, unit};
use crate::collect::{
    ACCEPTED, Against, AlikeSettings, Among, Batch, Candidate, Columns, DOUBTFUL, DiversitySettings, Gate,
    GateSettings, Judged, LanguageSettings, OpinionSettings, PersonalAction, PersonalSettings, Probabilities,
    REFUSED, Reference, Review, Reviewed, ReviewedBatch, SchemaSettings, TellSettings, Tells, UnsafeSettings,
    Vectors, Verdict, WordLimits, diversity,
};
use crate::config::PersonalUse;
use crate::engine::Engine;
use crate::progress::Progress;
use crate::split::Part;
use crate::stages::context::Context;
use crate::stages::error::BuildError;
use crate::stages::project::Project;
use crate::stages::rows::Rows;
use crate::stages::run::ready;
use crate::stages::stage::Stage;
use crate::stages::staleness::Reason;
use crate::store::write_json;
use crate::table::{Dataset, Row};

/// Where more than this share of the rows names a class, candidates may, too.
const MOST_NAMED: f64 = 0.02;

/// Characters of a candidate's texts that are shown.
const SHOWN: usize = 80;

/// Judge all candidates that wait, and leave what was found as JSON beside them.
///
/// # Errors
/// There are none, or what [`crate::stages::build`] can fail with.
pub fn review(
    project: &Project,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Review, BuildError> {
    let ready = ready(project, engine, progress, announce)?;
    let (context, rows) = (&ready.context, &ready.rows);
    let waiting = context.waiting(rows)?;
    let found = context.reviewed(rows, &waiting)?;
    write_json(&project.candidates().join("review.json"), &found)?;
    Ok(found)
}

impl Context<'_> {
    /// What the gate says of the candidates that wait.
    pub fn reviewed(&self, rows: &Rows, waiting: &Waiting) -> Result<Review, BuildError> {
        let (judged, vectors) = self.judged(rows, waiting)?;
        let (known, held_out) = sides(rows);
        let place = |among: Among, row: usize| match among {
            Among::Known => rows.dataset.place(known[row]),
            Among::HeldOut => rows.dataset.place(held_out[row]),
            Among::Batch => waiting.dataset.place(row),
        };
        let mut candidates: Vec<Reviewed> = waiting
            .dataset
            .rows
            .iter()
            .zip(&judged.verdicts)
            .map(|(row, verdict)| {
                let told = verdict.reasons.iter().map(|reason| reason.told(&waiting.dataset.classes, place));
                Reviewed { reasons: told.collect(), ..reviewed(&waiting.dataset, row, verdict) }
            })
            .collect();
        candidates.extend(waiting.rejects.iter().map(|reject| Reviewed {
            file: reject.file.clone(),
            line: reject.line,
            class: String::new(),
            text: String::new(),
            verdict: REFUSED,
            reasons: vec![match reject.column.as_str() {
                "" => format!("{} {}", reject.value, reject.reason).trim().to_owned(),
                column => format!("{column} = {:?} {}", reject.value, reject.reason),
            }],
            texts: None,
        }));
        candidates.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        let of_file = |file: &PathBuf| {
            let of = |verdict| candidates.iter().filter(|c| c.file == *file && c.verdict == verdict).count();
            let (accepted, doubtful, refused) = (of(ACCEPTED), of(DOUBTFUL), of(REFUSED));
            let candidates = accepted + doubtful + refused;
            ReviewedBatch { file: file.clone(), candidates, accepted, doubtful, refused }
        };
        let batches = waiting.files.iter().map(of_file).collect();
        let mut reasons: BTreeMap<String, usize> =
            judged.counts().into_iter().map(|(code, count)| (code.to_owned(), count)).collect();
        if !waiting.rejects.is_empty() {
            reasons.insert("no-row".into(), waiting.rejects.len());
        }
        let passed: Vec<usize> =
            (0..judged.verdicts.len()).filter(|&row| judged.verdicts[row].accepted).collect();
        let texts: Vec<String> =
            passed.iter().map(|&row| waiting.dataset.rows[row].cells.texts.join("\n")).collect();
        let dims = vectors.len() / waiting.dataset.rows.len().max(1);
        let of_passed: Vec<f32> =
            passed.iter().flat_map(|&row| vectors[row * dims..(row + 1) * dims].to_vec()).collect();
        let of_passed =
            if passed.is_empty() { None } else { Some(Vectors::new(&of_passed, dims, "candidates")?) };
        let seed = self.project.config.seed_for("diversity");
        let diversity = diversity(&texts, of_passed, (&DiversitySettings::default(), seed), self.progress)?;
        let name = self.project.config.name.clone();
        Ok(Review { name, batches, reasons, skipped: judged.skipped, diversity, candidates })
    }

    /// The verdicts on the candidates, and their vectors.
    fn judged(&self, rows: &Rows, waiting: &Waiting) -> Result<(Judged, Vec<f32>), BuildError> {
        let dataset = &rows.dataset;
        let opinions = self.opinions(rows, &waiting.raw, &parents(rows, &waiting.dataset))?;
        let of_dataset = self.vectors(dataset)?;
        let dims = of_dataset.len() / dataset.rows.len().max(1);
        let (vectors, of_dataset) = (unit(waiting.vectors.clone(), dims), unit(of_dataset, dims));
        let side = |of: Vec<usize>| {
            let texts: Vec<Columns> = of.iter().map(|&row| columns(dataset, &dataset.rows[row])).collect();
            let vectors: Vec<f32> =
                of.iter().flat_map(|&row| of_dataset[row * dims..(row + 1) * dims].to_vec()).collect();
            Side { texts, vectors }
        };
        let (known, held_out) = sides(rows);
        let (known, held_out) = (side(known), side(held_out));
        let against = Against { known: known.reference(dims)?, held_out: held_out.reference(dims)? };
        let gate = Gate::new(&dataset.classes, self.gate_settings(dataset, &known.texts, waiting), against)?;
        let candidates: Vec<Candidate> = waiting
            .dataset
            .rows
            .iter()
            .map(|row| Candidate {
                texts: columns(&waiting.dataset, row),
                values: values(&waiting.dataset, row),
                class: row.class,
            })
            .collect();
        let batch = Batch {
            candidates: &candidates,
            vectors: match candidates.is_empty() {
                true => None,
                false => Some(Vectors::new(&vectors, dims, "candidates")?),
            },
            probabilities: Some(Probabilities { values: &opinions, classes: dataset.classes.len() }),
        };
        Ok((gate.judge(batch, self.progress)?, vectors))
    }

    /// Whether so few rows of the data name a class that one that does is no ordinary row. Where a class is called what its
    /// texts are about, people name it, too.
    fn names_are_told_by_few(&self, dataset: &Dataset) -> bool {
        let Ok(tells) = Tells::new(&dataset.classes, &TellSettings::default()) else { return true };
        let names = |row: &&Row| {
            let texts = columns(dataset, row);
            !tells.reasons(&Candidate { texts, ..Candidate::default() }).is_empty()
        };
        let count = dataset.rows.iter().filter(names).count();
        (count as f64) < MOST_NAMED * dataset.rows.len() as f64
    }

    /// What the config and the data ask of a candidate.
    fn gate_settings(&self, dataset: &Dataset, known: &[Columns], waiting: &Waiting) -> GateSettings {
        let config = &self.project.config;
        let gate = &config.collect.gate;
        let seen =
            |column: &&String| dataset.numeric.contains(column) || dataset.categorical.contains(column);
        let words = dataset.text_fields.iter();
        let words = words.filter_map(|field| Some((field.clone(), roomy(WordLimits::of(known, field)?))));
        GateSettings {
            schema: SchemaSettings {
                columns: dataset.text_fields.clone(),
                texts: Vec::new(),
                words: words.collect(),
                ranges: config
                    .validate
                    .range
                    .iter()
                    .filter(|(c, _)| seen(c))
                    .map(|(c, r)| (c.clone(), *r))
                    .collect(),
                allowed: config
                    .validate
                    .allowed
                    .iter()
                    .filter(|(c, _)| seen(c))
                    .map(|(c, v)| (c.clone(), v.clone()))
                    .collect(),
            },
            personal: PersonalSettings {
                action: match gate.personal {
                    PersonalUse::Remove => PersonalAction::Remove,
                    PersonalUse::Refuse => PersonalAction::Refuse,
                },
                ..PersonalSettings::default()
            },
            language: LanguageSettings { enabled: gate.language, ..LanguageSettings::default() },
            unsafe_content: match gate.unsafe_content {
                true => UnsafeSettings::default(),
                false => UnsafeSettings { kinds: Vec::new(), ..UnsafeSettings::default() },
            },
            tells: TellSettings {
                class_names: self.names_are_told_by_few(dataset),
                patterns: config.validate.names_label.clone(),
                ..TellSettings::default()
            },
            opinion: OpinionSettings {
                enabled: true,
                refuse_below: gate.refuse_below,
                doubtful_below: gate.doubtful_below,
            },
            alike: AlikeSettings {
                known: gate.near_duplicate_cosine,
                batch: gate.near_duplicate_cosine,
                held_out: gate.held_out_cosine,
                unique_fields: own_fields(dataset, &waiting.dataset),
            },
        }
    }
}

/// Limits with room on both sides: of rows that are all alike in length, the first that is not would be refused.
fn roomy(limits: WordLimits) -> WordLimits {
    WordLimits { least: limits.least / 2, most: limits.most + limits.most / 2 + 2 }
}

/// Words from which on a field is a text of its own.
const OWN_WORDS: usize = 5;

/// Share of different ones from which on a field is as good as unique.
const UNIQUE: f64 = 0.95;

/// The fields that a candidate must have for itself: those that are long, and those that hardly two rows share; but none that the
/// candidates have in common, which says where they come from and not what they copy. Of several fields a copied one does not make
/// the whole alike.
fn own_fields(dataset: &Dataset, candidates: &Dataset) -> Vec<String> {
    let rows = dataset.rows.len().max(1);
    let is_own = |field: usize| {
        let texts = || dataset.rows.iter().map(|row| row.cells.texts[field].as_str());
        let words: usize = texts().map(|text| text.split_whitespace().count()).sum();
        let different: HashSet<&str> = texts().collect();
        let of_candidates: HashSet<&str> =
            candidates.rows.iter().map(|row| row.cells.texts[field].as_str()).collect();
        let shared = 2 * of_candidates.len() < candidates.rows.len();
        !shared && (words >= OWN_WORDS * rows || different.len() as f64 >= UNIQUE * rows as f64)
    };
    let names = dataset.text_fields.iter().enumerate();
    names.filter(|(field, _)| is_own(*field)).map(|(_, name)| name.clone()).collect()
}

/// Rows that candidates are held against.
struct Side {
    texts: Vec<Columns>,
    vectors: Vec<f32>,
}

impl Side {
    fn reference(&self, dims: usize) -> Result<Reference<'_>, BuildError> {
        let vectors = match self.texts.is_empty() {
            true => None,
            false => Some(Vectors::new(&self.vectors, dims, "rows")?),
        };
        Ok(Reference { texts: &self.texts, vectors })
    }
}

/// The rows that may be learned from, and those that are only evaluated on.
fn sides(rows: &Rows) -> (Vec<usize>, Vec<usize>) {
    let is_held_out = |row: &usize| matches!(rows.dealt.parts[*row], Part::Test | Part::Validation);
    let (held_out, known) = (0..rows.dataset.rows.len()).partition(is_held_out);
    (known, held_out)
}

/// A candidate and its verdict; reasons are told by who knows the places of rows.
fn reviewed(dataset: &Dataset, row: &Row, verdict: &Verdict) -> Reviewed {
    let text: String = row
        .cells
        .texts
        .iter()
        .filter(|text| !text.is_empty())
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" · ");
    let texts = verdict
        .texts
        .as_ref()
        .map(|texts| texts.iter().map(|(field, items)| (field.clone(), items.join("\n"))).collect());
    Reviewed {
        file: dataset.files[row.file].clone(),
        line: row.line,
        class: dataset.classes[row.class].clone(),
        text: crate::table::shorten(&text, SHOWN),
        verdict: match verdict {
            Verdict { accepted: false, .. } => REFUSED,
            verdict if verdict.is_doubtful() => DOUBTFUL,
            _ => ACCEPTED,
        },
        reasons: Vec::new(),
        texts,
    }
}

/// The texts of a row by field.
fn columns(dataset: &Dataset, row: &Row) -> Columns {
    dataset.text_fields.iter().cloned().zip(row.cells.texts.iter().map(|text| vec![text.clone()])).collect()
}

/// What else a model sees of a row, by column.
fn values(dataset: &Dataset, row: &Row) -> Columns {
    let numeric = dataset.numeric.iter().zip(&row.cells.numeric);
    let numeric =
        numeric.map(|(column, value)| (column.clone(), value.iter().map(ToString::to_string).collect()));
    let categories = dataset.categorical.iter().zip(&row.cells.categories);
    numeric.chain(categories.map(|(column, values)| (column.clone(), values.clone()))).collect()
}
