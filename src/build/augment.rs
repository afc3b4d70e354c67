//! The augment stage: training rows to augmented rows; and the same for the training rows of a fold.

use std::io::Write;

use english_pos_tagger::Tagger;
use rayon::prelude::*;
use serde_json::json;

use super::stages::{Context, Rows, StageResult, write_csv, write_matrix};
use super::{BuildError, Project};
use crate::augment::{
    Augmented, Lexicon, Mixed, Variant, delete_words, mix, protected_words, seed_of, smote, swap, swap_words,
};
use crate::config::Config;
use crate::embed::{Cache, Embeddings};
use crate::inputs::{RawInputs, raw_inputs};
use crate::progress::Progress;
use crate::split::Part;
use crate::store::{StoreError, user_cache, write_atomic};
use crate::table::Dataset;

/// Synonym swap and EDA, for any choice of training rows.
pub(super) struct Varier<'a> {
    config: &'a Config,
    dataset: &'a Dataset,
    /// `None` where synonym swap is off.
    words: Option<(Lexicon, Tagger)>,
}

impl<'a> Varier<'a> {
    pub fn new(config: &'a Config, dataset: &'a Dataset) -> Result<Self, BuildError> {
        let words = match config.augment.synonyms.variants {
            0 => None,
            _ => Some((Lexicon::load(&user_cache().join("wordnet-3.0"))?, Tagger::new())),
        };
        Ok(Self { config, dataset, words })
    }

    /// Variants of the rows `train`, before any is embedded; which words are protected is learned from these rows alone.
    pub fn variants(&self, train: &[usize], progress: &dyn Progress) -> Result<Vec<Variant>, BuildError> {
        let (dataset, synonyms, eda) =
            (self.dataset, &self.config.augment.synonyms, &self.config.augment.eda);
        if synonyms.variants + eda.variants == 0 {
            return Ok(Vec::new());
        }
        let whole: Vec<String> = train.iter().map(|&r| dataset.rows[r].cells.texts.join("\n")).collect();
        let classes: Vec<usize> = train.iter().map(|&r| dataset.rows[r].class).collect();
        let protected = protected_words(&whole, &classes, &dataset.classes, &synonyms.protect);
        let joined = self.config.data.join_text;
        let varied = |field: &String| joined || synonyms.fields.as_ref().is_none_or(|f| f.contains(field));
        let varied: Vec<bool> = dataset.text_fields.iter().map(varied).collect();
        let [of_synonyms, of_eda] = ["synonyms", "eda"].map(|name| self.config.seed_for(name));
        let in_other_words = |text: &str, variant: usize| {
            let (lexicon, tagger) = self.words.as_ref()?;
            let seed = seed_of(of_synonyms, text, variant);
            swap(text, synonyms.swap_share, lexicon, tagger, &protected, seed)
        };
        let disturbed = |text: &str, variant: usize| {
            let seed = seed_of(of_eda, text, variant);
            let left = delete_words(text, eda.deletion, &protected, seed);
            let exchanged =
                (eda.swap > 0.0).then(|| swap_words(left.as_deref().unwrap_or(text), eda.swap, seed));
            exchanged.flatten().or(left)
        };
        progress.start("varying texts", train.len() as u64, "rows");
        let of_row = |&parent: &usize| {
            if progress.interrupted() {
                return Err(BuildError::Interrupted);
            }
            let original = &dataset.rows[parent].cells.texts;
            let mut variants: Vec<Variant> = Vec::new();
            for number in 0..synonyms.variants + eda.variants {
                let new = |(text, &vary): (&String, &bool)| {
                    let new = match number.checked_sub(synonyms.variants) {
                        _ if !vary => None,
                        None => in_other_words(text, number),
                        Some(number) => disturbed(text, number),
                    };
                    new.unwrap_or_else(|| text.clone())
                };
                let texts: Vec<String> = original.iter().zip(&varied).map(new).collect();
                if texts != *original && variants.iter().all(|v| v.texts != texts) {
                    variants.push(Variant { parent, texts, cosines: Vec::new() });
                }
            }
            progress.advance(1);
            Ok(variants)
        };
        let all = train.par_iter().map(of_row).collect::<Result<Vec<_>, _>>();
        progress.finish();
        Ok(all?.into_iter().flatten().collect())
    }
}

impl Context<'_> {
    pub fn augment(&self) -> StageResult {
        let (config, rows) = (&self.project.config, self.rows()?);
        let (dataset, train) = (&rows.dataset, rows.of(&[Part::Train]));
        let candidates = Varier::new(config, dataset)?.variants(&train, self.progress)?;
        let tried = candidates.len();

        let encoders = self.encoders()?;
        let cache = self.cache(&encoders)?;
        self.embed_texts(&with_originals(&candidates, dataset), &cache, &encoders)?;
        let variants = keep_in_band(candidates, dataset, &cache, &config.augment.synonyms)?;
        let mixed = mixed_rows(config, &rows, &train, "");

        let folder = self.project.augmented_folder();
        let mut outputs = vec![folder.join("variants.jsonl"), folder.join("mixup.csv")];
        write_atomic(&outputs[0], |w| {
            for variant in &variants {
                serde_json::to_writer(&mut *w, variant)?;
                w.write_all(b"\n")?;
            }
            Ok(())
        })?;
        write_csv(
            &outputs[1],
            &["first", "second", "lambda"],
            mixed.iter().map(|m| vec![m.first.to_string(), m.second.to_string(), m.lambda.to_string()]),
        )?;
        for (field, name) in dataset.text_fields.iter().enumerate() {
            let path = Project::matrix(&folder, name);
            let column: Vec<&str> = variants.iter().map(|v| v.texts[field].as_str()).collect();
            write_matrix(&path, &column, &cache, encoders.dims())?;
            outputs.push(path);
        }
        Ok((
            outputs,
            json!({
                "training_rows": train.len(), "variants_tried": tried, "variants_kept": variants.len(), "mixed_rows": mixed.len(),
            }),
        ))
    }

    /// The augmented rows, as the augment stage left them.
    pub fn augmented(&self) -> Result<Augmented, BuildError> {
        let folder = self.project.augmented_folder();
        let path = folder.join("variants.jsonl");
        let text = std::fs::read_to_string(&path).map_err(StoreError::of("read", &path))?;
        let variants = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<Variant>, _>>()
            .map_err(|e| BuildError::Artefact { path, reason: e.to_string() })?;
        let path = folder.join("mixup.csv");
        let failed = |e: csv::Error| BuildError::Artefact { path: path.clone(), reason: e.to_string() };
        let mixed = csv::Reader::from_path(&path)
            .map_err(failed)?
            .deserialize()
            .collect::<Result<Vec<Mixed>, _>>()
            .map_err(failed)?;
        Ok(Augmented { variants, mixed })
    }
}

/// The texts that [`keep_in_band`] compares. The originals too: the cache may have been deleted since they were embedded.
pub(super) fn with_originals<'t>(variants: &'t [Variant], dataset: &'t Dataset) -> Vec<&'t str> {
    let originals = |v: &Variant| &dataset.rows[v.parent].cells.texts;
    variants.iter().flat_map(|v| v.texts.iter().chain(originals(v)).map(String::as_str)).collect()
}

/// Inputs of the variants, from the cache; features are the parents'.
pub(super) fn variant_inputs(
    variants: &[Variant],
    dataset: &Dataset,
    cache: &Cache,
    config: &Config,
) -> Result<RawInputs, BuildError> {
    let fields = (0..dataset.text_fields.len())
        .map(|field| cache.get(&variants.iter().map(|v| v.texts[field].as_str()).collect::<Vec<_>>()))
        .collect::<Result<Vec<Embeddings>, _>>()?;
    Ok(raw_inputs(&fields, variants.iter().map(|v| &dataset.rows[v.parent].cells), Some(config)))
}

/// The rows that mixup and SMOTE make of the rows `train`; `of` tells one call's random draws from another's.
pub(super) fn mixed_rows(config: &Config, rows: &Rows, train: &[usize], of: &str) -> Vec<Mixed> {
    let augment = &config.augment;
    let mut mixed = mix(train, &rows.classes, &augment.mixup, config.seed_for(&format!("mixup{of}")));
    let (points, dims) = (&rows.raw.embedding, rows.raw.embedding_dims);
    let seed = config.seed_for(&format!("smote{of}"));
    mixed.extend(smote(train, &rows.classes, points, dims, &augment.smote, seed));
    mixed
}

/// Keep the variants whose every field stays near its original, and whose changed fields are not the same again.
pub(super) fn keep_in_band(
    candidates: Vec<Variant>,
    dataset: &Dataset,
    cache: &Cache,
    config: &crate::config::SynonymConfig,
) -> Result<Vec<Variant>, BuildError> {
    let mut kept = Vec::new();
    for mut variant in candidates {
        let original = &dataset.rows[variant.parent].cells.texts;
        let texts: Vec<&str> = original.iter().chain(&variant.texts).map(String::as_str).collect();
        let embeddings = cache.get(&texts)?;
        let fields = original.len();
        variant.cosines =
            (0..fields).map(|f| cosine(embeddings.row(f), embeddings.row(fields + f))).collect();
        let in_band = (0..fields).all(|f| {
            let cosine = f64::from(variant.cosines[f]);
            original[f] == variant.texts[f] || (config.cosine_min..=config.cosine_max).contains(&cosine)
        });
        if in_band {
            kept.push(variant);
        }
    }
    Ok(kept)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(p, q)| p * q).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f32::MIN_POSITIVE)
}
