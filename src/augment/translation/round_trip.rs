//! Texts there and back: each line once, many at a time, kept.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Mutex;

use rayon::prelude::*;

use super::direction::Direction;
use super::error::TranslationError;
use super::kept::Kept;
use super::{command, server};
use crate::config::BackTranslationConfig;
use crate::progress::Progress;

/// Lines that are asked at once; what is lost by a kill is at most one such lot a thread.
const LINES_AT_ONCE: usize = 200;

/// Round trips through the languages of `augment.back_translation`.
pub struct RoundTrips<'a> {
    config: &'a BackTranslationConfig,
    kept: Mutex<Kept>,
}

impl<'a> RoundTrips<'a> {
    /// With what `file` keeps of earlier ones.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(config: &'a BackTranslationConfig, file: &Path) -> Result<Self, TranslationError> {
        Ok(Self { config, kept: Mutex::new(Kept::open(file)?) })
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
        let key = |line: &str| self.key(direction, line);
        let new: Vec<&str> = {
            let kept = self.lock();
            lines.iter().copied().filter(|line| kept.get(&key(line)).is_none()).collect()
        };
        let what = format!("translating {} to {}", direction.from, direction.to);
        progress.start(&what, new.len() as u64, "lines");
        let done = new.par_chunks(LINES_AT_ONCE).try_for_each(|lines| {
            if progress.interrupted() {
                return Err(TranslationError::Interrupted);
            }
            let answers = match &self.config.url {
                Some(url) => server::translate(url, direction, lines, progress)?,
                None => command::translate(&self.config.command, direction, lines, progress)?,
            };
            self.lock().add(lines.iter().map(|line| key(line)).zip(answers))?;
            progress.advance(lines.len() as u64);
            Ok(())
        });
        progress.finish();
        done?;
        let kept = self.lock();
        let of = |line: &&str| Some(((*line).to_owned(), kept.get(&key(line))?.to_owned()));
        Ok(lines.iter().filter_map(of).collect())
    }

    /// Who translates, the languages and the text.
    fn key(&self, direction: Direction<'_>, line: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        let by = self.config.url.as_ref().map_or(&self.config.command[..], std::slice::from_ref);
        for part in by.iter().map(String::as_str).chain([direction.from, direction.to, line]) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // A thread that panicked while it held the lock has written a whole line or none.
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

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
        };
        let texts = BTreeSet::from(["one\n\ntwo", "two", ""]);
        let trip = || RoundTrips::new(&config, &file).unwrap().of(&texts, "es", &Silent).unwrap();
        let found = trip();
        assert_eq!(found["one\n\ntwo"], "one es en\n\ntwo es en");
        assert_eq!([&found["two"], &found[""]], ["two es en", ""]);
        let asked = || std::fs::read_to_string(&log).unwrap();
        assert_eq!(asked(), "one\ntwo\none es\ntwo es\n");
        assert_eq!(trip(), found);
        assert_eq!(asked().lines().count(), 4, "nothing is asked again");
    }
}
