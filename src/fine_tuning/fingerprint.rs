//! The name of a tuning: a hash of all that decides what is learned.

use super::data::{TuningData, TuningRows};
use super::settings::TuningSettings;

/// Raised when the same settings and rows would be learned otherwise.
const VERSION: u32 = 2;

/// A hash of the encoder, the settings, the rows and of what else decides, hex.
pub fn fingerprint(encoder: &str, settings: &TuningSettings, data: &TuningData<'_>, also: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    // Where states are kept decides nothing.
    let settings = TuningSettings { frozen_bytes: 0, ..settings.clone() };
    part(format!("{VERSION} {also} {settings:?}").as_bytes());
    part(encoder.as_bytes());
    part(format!("{} {} {}", data.fields, data.columns, data.seed).as_bytes());
    data.tasks.iter().for_each(|task| part(format!("{task:?}").as_bytes()));
    for TuningRows { texts, columns, targets } in [data.train, data.validation] {
        part(&(texts.len() as u64).to_le_bytes());
        texts.iter().for_each(|text| part(text.as_bytes()));
        part(&columns.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
        part(&targets.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
    }
    hasher.finalize().to_hex().to_string()
}
