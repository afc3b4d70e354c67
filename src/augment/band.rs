//! Which variants stay near enough to what they come from to keep its label, and are not nearly the same text.

use super::error::AugmentError;
use super::lineage::Variant;
use crate::config::SynonymConfig;
use crate::embed::Cache;
use crate::table::Dataset;

/// The texts that [`keep_in_band`] compares. The originals too: the cache may have been deleted since they were embedded.
pub fn with_originals<'t>(variants: &'t [Variant], dataset: &'t Dataset) -> Vec<&'t str> {
    let originals = |v: &Variant| &dataset.rows[v.parent].cells.texts;
    variants.iter().flat_map(|v| v.texts.iter().chain(originals(v)).map(String::as_str)).collect()
}

/// Keep the variants whose every field stays near its original, and whose changed fields are not the same again.
///
/// # Errors
/// The cache failed, or lacks a text of [`with_originals`].
pub fn keep_in_band(
    candidates: Vec<Variant>,
    dataset: &Dataset,
    cache: &Cache,
    config: &SynonymConfig,
) -> Result<Vec<Variant>, AugmentError> {
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
