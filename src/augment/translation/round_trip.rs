//! Texts there and back: each line once, many at a time, kept.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::direction::Direction;
use super::error::TranslationError;
use super::kept::Kept;
use super::model::{LoadTranslator, Translator};
use super::{command, server};
use crate::config::BackTranslationConfig;
use crate::progress::Progress;

/// Lines that are asked at once; what is lost by a kill is at most one such lot a thread.
const LINES_AT_ONCE: usize = 200;

/// The same of a model: a batch.
const LINES_OF_A_MODEL: usize = 16;

/// Round trips through the languages of `augment.back_translation`.
pub struct RoundTrips<'a> {
    config: &'a BackTranslationConfig,
    loader: &'a dyn LoadTranslator,
    /// Models that are loaded, by their names.
    models: Mutex<HashMap<String, Translator>>,
    kept: Mutex<Kept>,
}

impl<'a> RoundTrips<'a> {
    /// With what `file` keeps of earlier ones; `loader` loads models where the config names them.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(
        config: &'a BackTranslationConfig,
        file: &Path,
        loader: &'a dyn LoadTranslator,
    ) -> Result<Self, TranslationError> {
        Ok(Self { config, loader, models: Mutex::default(), kept: Mutex::new(Kept::open(file)?) })
    }

    /// What `texts` are after a way through the language `through`, by text; lines stay lines.
    ///
    /// # Errors
    /// The translator failed, or the user interrupted; what was translated until then is kept.
    pub fn of(
        &self,
        texts: &BTreeSet<&str>,
        through: &str,
        progress: &dyn Progress,
    ) -> Result<HashMap<String, String>, TranslationError> {
        let lines: BTreeSet<&str> = texts
            .iter()
            .flat_map(|text| text.lines())
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let there = Direction { from: &self.config.from, to: through };
        let back = Direction { from: through, to: &self.config.from };
        let abroad = self.translated(&lines, there, progress)?;
        let unique: BTreeSet<&str> =
            abroad.values().map(String::as_str).filter(|line| !line.is_empty()).collect();
        let home = self.translated(&unique, back, progress)?;
        let line = |line: &str| {
            let abroad = abroad.get(line.trim());
            abroad.and_then(|line| home.get(line)).map_or(line, String::as_str).to_owned()
        };
        let whole = |text: &str| text.lines().map(line).collect::<Vec<_>>().join("\n");
        Ok(texts.iter().map(|&text| (text.to_owned(), whole(text))).collect())
    }

    fn translated(
        &self,
        lines: &BTreeSet<&str>,
        direction: Direction<'_>,
        progress: &dyn Progress,
    ) -> Result<HashMap<String, String>, TranslationError> {
        let mut models = lock(&self.models);
        let model = match &self.config.models {
            Some(name) => Some(&*match models.entry(direction.put_into(name)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let loaded = self.loader.load_translator(place.key())?;
                    place.insert(loaded)
                }
            }),
            None => None,
        };
        let by: Vec<&str> = match (model, &self.config.url) {
            (Some(model), _) => vec![&model.hash],
            (None, Some(url)) => vec![url],
            (None, None) => self.config.command.iter().map(String::as_str).collect(),
        };
        let key = |line: &str| key(&by, direction, line);
        let new: Vec<&str> = {
            let kept = lock(&self.kept);
            lines.iter().copied().filter(|line| kept.get(&key(line)).is_none()).collect()
        };
        let what = format!("translating {} to {}", direction.from, direction.to);
        progress.start(&what, new.len() as u64, "lines");
        let keep = |lines: &[&str], answers: Vec<String>| {
            lock(&self.kept).add(lines.iter().map(|line| key(line)).zip(answers))?;
            progress.advance(lines.len() as u64);
            match progress.interrupted() {
                true => Err(TranslationError::Interrupted),
                false => Ok(()),
            }
        };
        let done = match model {
            // One model, which uses all cores itself.
            Some(translator) => new
                .chunks(LINES_OF_A_MODEL)
                .try_for_each(|lines| keep(lines, translator.model.translate(lines)?)),
            None => new.par_chunks(LINES_AT_ONCE).try_for_each(|lines| {
                let answers = match &self.config.url {
                    Some(url) => server::translate(url, direction, lines, progress)?,
                    None => command::translate(&self.config.command, direction, lines, progress)?,
                };
                keep(lines, answers)
            }),
        };
        progress.finish();
        done?;
        let kept = lock(&self.kept);
        let of = |line: &&str| Some(((*line).to_owned(), kept.get(&key(line))?.to_owned()));
        Ok(lines.iter().filter_map(of).collect())
    }
}

/// Who translates, the languages and the text.
fn key(by: &[&str], direction: Direction<'_>, line: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in by.iter().copied().chain([direction.from, direction.to, line]) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// A thread that panicked while it held the lock has written a whole line or none, and loaded a model or none.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Translate;
    use crate::progress::Silent;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct NoModels;

    impl LoadTranslator for NoModels {
        fn load_translator(&self, model: &str) -> Result<Translator, TranslationError> {
            panic!("{model} is asked for")
        }
    }

    /// A model that appends its name, and how many there are of it.
    struct Named<'a>(&'a AtomicUsize);
    struct Appends(String);

    impl LoadTranslator for Named<'_> {
        fn load_translator(&self, model: &str) -> Result<Translator, TranslationError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Translator { model: Box::new(Appends(model.to_owned())), hash: model.to_owned() })
        }
    }

    impl Translate for Appends {
        fn translate(&self, lines: &[&str]) -> Result<Vec<String>, TranslationError> {
            Ok(lines.iter().map(|line| format!("{line} {}", self.0)).collect())
        }
    }

    #[test]
    fn a_model_a_direction_is_loaded_once() {
        let folder = tempfile::tempdir().unwrap();
        let config = BackTranslationConfig {
            through: vec!["es".into()],
            from: "en".into(),
            models: Some("m-{from}-{to}".into()),
            ..BackTranslationConfig::default()
        };
        let loaded = AtomicUsize::new(0);
        let loader = Named(&loaded);
        let trips = RoundTrips::new(&config, &folder.path().join("kept.jsonl"), &loader).unwrap();
        for text in ["one", "two"] {
            let found = trips.of(&BTreeSet::from([text]), "es", &Silent).unwrap();
            assert_eq!(found[text], format!("{text} m-en-es m-es-en"));
        }
        assert_eq!(loaded.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn lines_go_there_and_back_and_are_asked_once() {
        let folder = tempfile::tempdir().unwrap();
        let (file, log) = (folder.path().join("kept.jsonl"), folder.path().join("asked"));
        let script = format!("tee -a {} | sed \"s/$/ $0/\"", log.display());
        let config = BackTranslationConfig {
            through: vec!["es".into()],
            command: ["sh", "-c", &script, "{to}"].map(str::to_owned).to_vec(),
            from: "en".into(),
            url: None,
            models: None,
        };
        let texts = BTreeSet::from(["one\n\ntwo", "two", ""]);
        let trip = || RoundTrips::new(&config, &file, &NoModels).unwrap().of(&texts, "es", &Silent).unwrap();
        let found = trip();
        assert_eq!(found["one\n\ntwo"], "one es en\n\ntwo es en");
        assert_eq!([&found["two"], &found[""]], ["two es en", ""]);
        let asked = || std::fs::read_to_string(&log).unwrap();
        assert_eq!(asked(), "one\ntwo\none es\ntwo es\n");
        assert_eq!(trip(), found);
        assert_eq!(asked().lines().count(), 4, "nothing is asked again");
    }
}
