//! The augment stage: training rows to augmented rows; and the same for the training rows of a fold.

use std::io::Write;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::context::Context;
use super::declaration::{Declaration, Finished};
use super::error::BuildError;
use super::files::{write_csv, write_matrix};
use super::project::Project;
use super::rows::Rows;
use super::stage::Stage;
use crate::augment::{
    Augmented, Mixed, Points, TextAugmenter, Variant, keep_in_band, mix, smote, with_originals,
};
use crate::config::Config;
use crate::embed::{Cache, Embeddings};
use crate::inputs::{RawInputs, raw_inputs};
use crate::store::{StoreError, write_atomic};
use crate::table::{Cells, Dataset};

/// The augment stage.
pub const AUGMENT: Declaration = Declaration {
    version: 5,
    reads: &[Stage::Embed, Stage::Split],
    config: |config| json!({ "seed": config.seed, "augment": config.augment }),
    run: |context| context.augment(),
};

/// What the augment stage counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct AugmentSummary {
    training_rows: usize,
    variants_tried: usize,
    variants_kept: usize,
    mixed_rows: usize,
}

impl Context<'_> {
    fn augment(&self) -> Result<Finished, BuildError> {
        let (config, rows) = (&self.project.config, self.rows()?);
        let (dataset, train) = (&rows.dataset, rows.lent_to(&rows.whole(), config).train);
        let candidates = TextAugmenter::new(config, dataset, &self.project.translations(), self)?
            .variants(&train, self.progress)?;
        let tried = candidates.len();

        let encoders = self.encoders()?;
        let cache = self.cache(&encoders)?;
        self.embed_texts(&with_originals(&candidates, dataset), &cache, &encoders)?;
        let variants = keep_in_band(candidates, dataset, &cache, &config.augment.synonyms)?;
        let mixed = mixed_rows(config, &rows, &rows.raw, &train, "");

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
        let summary = AugmentSummary {
            training_rows: train.len(),
            variants_tried: tried,
            variants_kept: variants.len(),
            mixed_rows: mixed.len(),
        };
        Ok(Finished::new(outputs, &summary))
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

/// What a model sees of the variants: their texts, and the columns of their parents.
pub fn variant_cells<'v>(variants: impl Iterator<Item = &'v Variant>, dataset: &Dataset) -> Vec<Cells> {
    let cells = |variant: &Variant| Cells {
        texts: variant.texts.clone(),
        ..dataset.rows[variant.parent].cells.clone()
    };
    variants.map(cells).collect()
}

/// Inputs of the variants, from the cache.
pub fn variant_inputs(
    variants: &[Variant],
    dataset: &Dataset,
    cache: &Cache,
    config: &Config,
) -> Result<RawInputs, BuildError> {
    let fields = (0..dataset.text_fields.len())
        .map(|field| cache.get(&variants.iter().map(|v| v.texts[field].as_str()).collect::<Vec<_>>()))
        .collect::<Result<Vec<Embeddings>, _>>()?;
    Ok(raw_inputs(&fields, variant_cells(variants.iter(), dataset).iter(), Some(config)))
}

/// The rows that mixup and SMOTE make of the rows `train`; `of` tells one call's random draws from another's.
pub fn mixed_rows(config: &Config, rows: &Rows, raw: &RawInputs, train: &[usize], of: &str) -> Vec<Mixed> {
    let augment = &config.augment;
    let mut mixed = mix(train, &rows.classes, &augment.mixup, config.seed_for(&format!("mixup{of}")));
    let points = Points { values: &raw.embedding, dims: raw.embedding_dims };
    let seed = config.seed_for(&format!("smote{of}"));
    mixed.extend(smote(train, &rows.classes, points, &augment.smote, seed));
    mixed
}
