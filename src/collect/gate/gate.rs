//! The gate that every candidate row passes before it may be added: the order of checks, and one verdict a row.
//!
//! Nothing is read, written or asked for here; texts, vectors and probabilities come from the caller. Held-out rows are looked
//! at only to keep what is like them out.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::alike::{AlikeSettings, Within, alike};
use super::candidate::{Batch, Candidate, Columns, Reference, joined};
use super::gate_error::GateError;
use super::language::{LanguageSettings, Languages};
use super::opinion::OpinionSettings;
use super::personal::PersonalSettings;
use super::reason::{Among, Reason};
use super::same_text::{TextIndex, TextKeys};
use super::schema::SchemaSettings;
use super::tells::{TellSettings, Tells};
use super::unsafe_content::{UnsafeRules, UnsafeSettings};
use super::vectors::Vectors;
use crate::progress::Progress;

/// The settings of all checks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateSettings {
    /// Columns, lengths, numbers, values.
    pub schema: SchemaSettings,
    /// Personal data.
    pub personal: PersonalSettings,
    /// The language.
    pub language: LanguageSettings,
    /// What is nothing for families.
    pub unsafe_content: UnsafeSettings,
    /// Text that names the label.
    pub tells: TellSettings,
    /// What the model thinks of the claimed class.
    pub opinion: OpinionSettings,
    /// Likeness to rows that are there.
    pub alike: AlikeSettings,
}

/// The rows that candidates are held against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Against<'a> {
    /// Rows that may be learned from; their texts say what language the dataset is in.
    pub known: Reference<'a>,
    /// Rows that are only evaluated on: validation and test.
    pub held_out: Reference<'a>,
}

/// What the gate says of a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether it may be added.
    pub accepted: bool,
    /// Everything that was found, in the order of checks; of an accepted one what a person should know.
    pub reasons: Vec<Reason>,
    /// The texts to add in place of the candidate's own, where personal data was taken out of them. The caller embeds them anew.
    pub texts: Option<Columns>,
}

impl Verdict {
    /// Whether it may be added though the model doubts its class.
    pub fn is_doubtful(&self) -> bool {
        self.accepted && self.reasons.iter().any(|reason| matches!(reason, Reason::Doubtful { .. }))
    }
}

/// A check that was not made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Which.
    pub check: String,
    /// Why.
    pub why: String,
}

/// What the gate says of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// One verdict a candidate, in their order.
    pub verdicts: Vec<Verdict>,
    /// Checks that were made of none.
    pub skipped: Vec<Skipped>,
}

impl Judged {
    /// How many candidates each kind of reason was found of, by its code.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for verdict in &self.verdicts {
            let codes: std::collections::BTreeSet<_> = verdict.reasons.iter().map(Reason::code).collect();
            codes.into_iter().for_each(|code| *counts.entry(code).or_default() += 1);
        }
        counts
    }
}

/// The gate, ready for batches.
pub struct Gate<'a> {
    classes: usize,
    settings: GateSettings,
    against: Against<'a>,
    languages: Languages,
    unsafe_rules: UnsafeRules,
    tells: Tells,
    known_texts: TextIndex,
    held_out_texts: TextIndex,
}

/// What the checks of single candidates left.
struct Alone {
    reasons: Vec<Reason>,
    texts: Option<Columns>,
    keys: TextKeys,
}

impl<'a> Gate<'a> {
    /// The gate to a dataset of these `classes`.
    ///
    /// # Errors
    /// A setting outside its range, a pattern that is none, or as many vectors as there are texts are not there.
    pub fn new(classes: &[String], settings: GateSettings, against: Against<'a>) -> Result<Self, GateError> {
        settings.schema.check()?;
        settings.language.check()?;
        settings.opinion.check()?;
        settings.alike.check()?;
        for (what, rows) in
            [("vectors of known rows", against.known), ("vectors of held-out rows", against.held_out)]
        {
            same_count(what, rows.vectors, rows.texts.len())?;
        }
        let texts: Vec<String> = if settings.language.enabled {
            against.known.texts.par_iter().map(joined).collect()
        } else {
            Vec::new()
        };
        let unique = &settings.alike.unique_fields;
        Ok(Self {
            classes: classes.len(),
            languages: Languages::of(&texts, &settings.language),
            unsafe_rules: UnsafeRules::new(&settings.unsafe_content)?,
            tells: Tells::new(classes, &settings.tells)?,
            known_texts: TextIndex::of(against.known.texts, unique),
            held_out_texts: TextIndex::of(against.held_out.texts, unique),
            against,
            settings,
        })
    }

    /// One verdict for each candidate. All checks are made of all candidates, so that every reason is found: schema, personal
    /// data, language, unsafe content, tells, opinion, then likeness to known rows, held-out rows and candidates accepted
    /// earlier in the batch.
    ///
    /// # Errors
    /// Vectors or probabilities that do not belong to the candidates, or the user asked to stop.
    pub fn judge(&self, batch: Batch<'_>, progress: &dyn Progress) -> Result<Judged, GateError> {
        let count = batch.candidates.len();
        same_count("vectors of candidates", batch.vectors, count)?;
        if let Some(probabilities) = batch.probabilities {
            probabilities.check(count, self.classes)?;
        }
        progress.start("judging candidates", count as u64, "candidates");
        let judged = self.judge_checked(batch, progress);
        progress.finish();
        judged
    }

    fn judge_checked(&self, batch: Batch<'_>, progress: &dyn Progress) -> Result<Judged, GateError> {
        let alone: Result<Vec<Alone>, GateError> = (0..batch.candidates.len())
            .into_par_iter()
            .map(|row| {
                if progress.interrupted() {
                    return Err(GateError::Interrupted);
                }
                let probabilities = batch.probabilities.as_ref().map(|all| all.row(row));
                let alone = self.alone(&batch.candidates[row], probabilities);
                progress.advance(1);
                Ok(alone)
            })
            .collect();
        let mut alone = alone?;
        for (rows, among, limit) in [
            (self.against.known, Among::Known, self.settings.alike.known),
            (self.against.held_out, Among::HeldOut, self.settings.alike.held_out),
        ] {
            if let (Some(candidates), Some(rows)) = (batch.vectors, rows.vectors) {
                let found = alike(candidates, rows, (among, limit), progress)?;
                alone.iter_mut().zip(found).for_each(|(alone, found)| alone.reasons.extend(found));
            }
        }
        let passed: Vec<bool> =
            alone.iter().map(|alone| !alone.reasons.iter().any(Reason::refuses)).collect();
        let keys: Vec<TextKeys> = alone.iter_mut().map(|alone| std::mem::take(&mut alone.keys)).collect();
        let settings = &self.settings.alike;
        let within = Within { vectors: batch.vectors, keys: &keys, passed: &passed, settings };
        let verdicts = alone.into_iter().zip(within.reasons(progress)?).map(|(alone, within)| {
            let reasons: Vec<Reason> = alone.reasons.into_iter().chain(within).collect();
            Verdict { accepted: !reasons.iter().any(Reason::refuses), reasons, texts: alone.texts }
        });
        Ok(Judged { verdicts: verdicts.collect(), skipped: self.skipped(&batch) })
    }

    /// What can be said of a candidate without the rest of its batch, all but the nearness of its vector.
    fn alone(&self, candidate: &Candidate, probabilities: Option<&[f64]>) -> Alone {
        let settings = &self.settings;
        let mut reasons = settings.schema.reasons(candidate, self.classes);
        let cleaned = settings.personal.clean(&candidate.texts);
        reasons.extend(cleaned.reasons);
        let without =
            cleaned.texts.as_ref().map(|texts| Candidate { texts: texts.clone(), ..candidate.clone() });
        let candidate = without.as_ref().unwrap_or(candidate);
        if settings.language.enabled {
            reasons.extend(self.languages.reason(&candidate.joined()));
        }
        reasons.extend(self.unsafe_rules.reasons(candidate));
        reasons.extend(self.tells.reasons(candidate));
        if let Some(probabilities) = probabilities.filter(|_| settings.opinion.enabled) {
            reasons.extend(settings.opinion.reason(probabilities, candidate.class));
        }
        let unique = &settings.alike.unique_fields;
        let keys = TextKeys::of(&candidate.texts, unique);
        reasons.extend(self.known_texts.reasons(&keys, Among::Known, unique));
        reasons.extend(self.held_out_texts.reasons(&keys, Among::HeldOut, unique));
        Alone { reasons, texts: cleaned.texts, keys }
    }

    fn skipped(&self, batch: &Batch<'_>) -> Vec<Skipped> {
        let no_vectors = |rows: Reference<'_>| batch.vectors.is_none() || rows.vectors.is_none();
        let Against { known, held_out } = self.against;
        [
            ("language", !self.settings.language.enabled, "it is switched off"),
            (
                "language",
                self.settings.language.enabled && self.languages.codes().is_empty(),
                "no text of the dataset is long enough to tell its language",
            ),
            ("opinion", !self.settings.opinion.enabled, "it is switched off"),
            (
                "opinion",
                self.settings.opinion.enabled && batch.probabilities.is_none(),
                "there is no model to ask",
            ),
            ("likeness to known rows", no_vectors(known), "there are no embeddings"),
            ("likeness to held-out rows", no_vectors(held_out), "there are no embeddings"),
            ("likeness within the batch", batch.vectors.is_none(), "there are no embeddings"),
        ]
        .into_iter()
        .filter(|(_, skipped, _)| *skipped)
        .map(|(check, _, why)| Skipped { check: check.to_owned(), why: why.to_owned() })
        .collect()
    }
}

/// That there is a vector for each row, where there are vectors.
fn same_count(what: &'static str, vectors: Option<Vectors<'_>>, wanted: usize) -> Result<(), GateError> {
    match vectors.map(|vectors| vectors.rows()) {
        Some(found) if found != wanted => Err(GateError::Shape { what, found, wanted }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
