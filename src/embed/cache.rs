//! The content-addressed cache: one crash-safe store (redb) for all models and texts.
//!
//! Key: BLAKE3 of the model's fingerprint and the text. Value: XXH3 (64 bits, little endian) of the key and the rest, the text's
//! whole token count (`u32`, little endian) and the embedding (`f32`, little endian). A changed cell is thus one new entry; nothing
//! is ever stale, and an entry that a disk has changed is as good as absent.

use std::collections::{BTreeSet, HashSet};
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTableMetadata, TableDefinition};
use serde::Serialize;
use twox_hash::XxHash3_64;

use pipeline_encoder::Encoded;

use super::export::Embeddings;
use crate::progress::Progress;
use crate::store::{keep, temporary};

const TABLE: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("embeddings-2");

/// That of older programs, whose entries say nothing of whether they are whole.
const OLD: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("embeddings-1");

/// Bytes of the checksum, and of what stands before the embedding.
const CHECKSUM: usize = 8;
const HEAD: usize = CHECKSUM + 4;

/// Pages of the store kept in memory; redb's own default is 1 GiB.
const MEMORY: usize = 64 << 20;

/// An open cache, seen by one model.
pub struct Cache {
    database: Database,
    path: PathBuf,
    model: String,
    dims: usize,
    damaged: AtomicUsize,
}

/// What is left of a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Entries that stayed.
    pub entries: u64,
    /// Entries that were taken away.
    pub removed: u64,
}

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Another process has it open.
    #[error("the embedding cache {} is in use by another run", .0.display())]
    Busy(PathBuf),
    /// It cannot be opened, read or written.
    #[error("the embedding cache {} failed: {reason}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the store said.
        reason: String,
    },
    /// A text that should be there is not.
    #[error("the embedding cache {} lacks a text that was embedded", .0.display())]
    Missing(PathBuf),
}

impl CacheError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Busy(_) => "wait until it has finished",
            Self::Failed { .. } => {
                "check the disk; deleting the file is safe, its embeddings are computed again"
            }
            Self::Missing(_) => "run `pipeline embed` again",
        };
        Some(hint.to_owned())
    }
}

/// A new store at `path`, there whole or not at all: a process that dies while redb writes the beginning of a file would leave what redb
/// opens no more.
fn make(path: &Path) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    let file = temporary(folder).map_err(|e| e.to_string())?;
    drop(Database::builder().create(file.path()).map_err(|e| e.to_string())?);
    file.as_file().sync_all().map_err(|e| e.to_string())?;
    match file.persist_noclobber(path) {
        // Another process has made one meanwhile.
        Err(error) if !path.exists() => Err(error.error.to_string()),
        _ => Ok(()),
    }
}

impl Cache {
    /// Open or create the cache at `path` for the model with this fingerprint, whose embeddings have `dims` values.
    ///
    /// # Errors
    /// Another process has it open, or the file cannot be made or is no cache.
    pub fn open(path: &Path, model: &str, dims: usize) -> Result<Self, CacheError> {
        let failed = |reason: String| CacheError::Failed { path: path.to_owned(), reason };
        if !path.exists() {
            make(path).map_err(failed)?;
        }
        let database = Database::builder().set_cache_size(MEMORY).create(path).map_err(|e| match e {
            DatabaseError::DatabaseAlreadyOpen => CacheError::Busy(path.to_owned()),
            other => failed(other.to_string()),
        })?;
        let (path, model) = (path.to_owned(), model.to_owned());
        let mut cache = Self { database, path, model, dims, damaged: AtomicUsize::new(0) };
        cache.begin().map_err(|e| cache.failed(&e))?;
        Ok(cache)
    }

    /// Make the table, so that reading never meets a cache without one, and take away that of older programs.
    fn begin(&mut self) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        transaction.open_table(TABLE)?;
        let had_old = transaction.delete_table(OLD)?;
        transaction.commit()?;
        if had_old {
            // What it held is to be free on the disk, too; where that fails, it is only large.
            let _ = self.database.compact();
        }
        Ok(())
    }

    /// Entries that were met and are not whole.
    pub fn damaged(&self) -> usize {
        self.damaged.load(Ordering::Relaxed)
    }

    /// See whether every entry, of whatever model, is whole, and take away those that are not.
    ///
    /// # Errors
    /// The store cannot be read or written, or the user interrupted.
    pub fn verify(&self, progress: &dyn Progress) -> Result<Kept, CacheError> {
        self.retain(
            &|key, value| value.len() >= HEAD && value[..CHECKSUM] == checksum(key, &value[CHECKSUM..]),
            progress,
        )
    }

    /// Take away every entry but those of `texts` under this model, and give what they took back to the disk.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn prune<'t>(
        &mut self,
        texts: impl Iterator<Item = &'t str>,
        progress: &dyn Progress,
    ) -> Result<Kept, CacheError> {
        let keys: HashSet<[u8; 32]> = texts.map(|text| self.key(text)).collect();
        let kept = self.retain(&|key, _| keys.contains(key), progress)?;
        self.database.compact().map_err(|e| self.failed(&e))?;
        Ok(kept)
    }

    /// Write the store anew with the entries of `texts` under this model alone, so that nothing is left of others, not in its free pages
    /// either. It is the old one or the whole new one, whenever the process dies.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn renew<'t>(
        self,
        texts: impl Iterator<Item = &'t str>,
        progress: &dyn Progress,
    ) -> Result<Kept, CacheError> {
        let keys: BTreeSet<[u8; 32]> = texts.map(|text| self.key(text)).collect();
        let before = self.entries()?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let file = temporary(folder).map_err(|e| self.failed(&e))?;
        let copy = || -> Result<u64, redb::Error> {
            let database = Database::builder().set_cache_size(MEMORY).create(file.path())?;
            let (reading, writing) = (self.database.begin_read()?, database.begin_write()?);
            let mut copied = 0;
            {
                let (from, mut to) = (reading.open_table(TABLE)?, writing.open_table(TABLE)?);
                progress.start("keeping embeddings", keys.len() as u64, "embeddings");
                for key in &keys {
                    progress.advance(1);
                    if let Some(value) = from.get(key)? {
                        to.insert(key, value.value())?;
                        copied += 1;
                    }
                }
                progress.finish();
            }
            writing.commit()?;
            Ok(copied)
        };
        let entries = copy().map_err(|e| self.failed(&e))?;
        keep(file, &self.path).map_err(|e| self.failed(&e))?;
        Ok(Kept { entries, removed: before - entries })
    }

    fn retain(
        &self,
        stays: &dyn Fn(&[u8; 32], &[u8]) -> bool,
        progress: &dyn Progress,
    ) -> Result<Kept, CacheError> {
        let work = || -> Result<Kept, redb::Error> {
            let transaction = self.database.begin_write()?;
            let mut kept = Kept::default();
            {
                let mut table = transaction.open_table(TABLE)?;
                progress.start("looking at embeddings", table.len()?, "embeddings");
                table.retain(|key, value| {
                    progress.advance(1);
                    let stays = stays(key, value);
                    *(if stays { &mut kept.entries } else { &mut kept.removed }) += 1;
                    stays
                })?;
                progress.finish();
            }
            transaction.commit()?;
            Ok(kept)
        };
        work().map_err(|e| self.failed(&e))
    }

    /// How many entries there are, of all models.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn entries(&self) -> Result<u64, CacheError> {
        let count =
            || -> Result<u64, redb::Error> { Ok(self.database.begin_read()?.open_table(TABLE)?.len()?) };
        count().map_err(|e| self.failed(&e))
    }

    fn key(&self, text: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.model.as_bytes()).update(&[0]).update(text.as_bytes());
        *hasher.finalize().as_bytes()
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> CacheError {
        CacheError::Failed { path: self.path.clone(), reason: reason.to_string() }
    }

    /// Store a batch durably; `texts` is the slice that [`Encoded::text`] points into.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn insert(&self, texts: &[&str], batch: &[Encoded]) -> Result<(), CacheError> {
        if let Some(other) = batch.iter().find(|e| e.embedding.len() != self.dims) {
            let (found, dims) = (other.embedding.len(), self.dims);
            return Err(
                self.failed(&format!("the encoder gave {found} values for a text, its configs say {dims}"))
            );
        }
        let write = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            {
                let mut table = transaction.open_table(TABLE)?;
                for encoded in batch {
                    let key = self.key(texts[encoded.text]);
                    let mut value = vec![0; CHECKSUM];
                    value.extend(u32::try_from(encoded.tokens).unwrap_or(u32::MAX).to_le_bytes());
                    value.extend(encoded.embedding.iter().flat_map(|v| v.to_le_bytes()));
                    let checksum = checksum(&key, &value[CHECKSUM..]);
                    value[..CHECKSUM].copy_from_slice(&checksum);
                    table.insert(&key, value.as_slice())?;
                }
            }
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|e| self.failed(&e))
    }

    /// Look up each text, on all cores, and turn the stored value, or `None`, into `width` values of the answer.
    fn look_up<T: Clone + Default + Send>(
        &self,
        texts: &[&str],
        width: usize,
        read: impl Fn(Option<&[u8]>, &mut [T]) -> Result<(), CacheError> + Sync,
    ) -> Result<Vec<T>, CacheError> {
        let open = || -> Result<_, redb::Error> { Ok(self.database.begin_read()?.open_table(TABLE)?) };
        let table = open().map_err(|e| self.failed(&e))?;
        let mut values = vec![T::default(); texts.len() * width];
        texts.par_iter().zip(values.par_chunks_mut(width.max(1))).with_min_len(64).try_for_each(
            |(text, values)| {
                let key = self.key(text);
                let stored = table.get(&key).map_err(|e| self.failed(&e))?;
                let is_whole = |v: &&[u8]| {
                    let whole =
                        v.len() == HEAD + 4 * self.dims && v[..CHECKSUM] == checksum(&key, &v[CHECKSUM..]);
                    self.damaged.fetch_add(usize::from(!whole), Ordering::Relaxed);
                    whole
                };
                read(stored.as_ref().map(|v| v.value()).filter(is_whole).map(|v| &v[CHECKSUM..]), values)
            },
        )?;
        Ok(values)
    }

    /// Token count of each text before any cut; `None` for those that are not there.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn tokens(&self, texts: &[&str]) -> Result<Vec<Option<usize>>, CacheError> {
        self.look_up(texts, 1, |stored, tokens| {
            tokens[0] = stored.map(|v| u32::from_le_bytes([v[0], v[1], v[2], v[3]]) as usize);
            Ok(())
        })
    }

    /// The embeddings of the texts, in order.
    ///
    /// # Errors
    /// The store cannot be read or lacks a text.
    pub fn get(&self, texts: &[&str]) -> Result<Embeddings, CacheError> {
        let values = self.look_up(texts, self.dims, |stored, values: &mut [f32]| {
            let stored = stored.ok_or_else(|| CacheError::Missing(self.path.clone()))?;
            for (value, bytes) in values.iter_mut().zip(stored[4..].as_chunks::<4>().0) {
                *value = f32::from_le_bytes(*bytes);
            }
            Ok(())
        })?;
        Ok(Embeddings { dims: self.dims, values })
    }
}

fn checksum(key: &[u8; 32], value: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = XxHash3_64::new();
    hasher.write(key);
    hasher.write(value);
    hasher.finish().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn an_entry_with_any_bit_flipped_is_as_good_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("c"), "m", 3).unwrap();
        let encoded = || Encoded { text: 0, tokens: 3, embedding: vec![0.5, -1.0, 2.0] };
        cache.insert(&["a"], &[encoded()]).unwrap();
        let key = cache.key("a");
        let read = || {
            let transaction = cache.database.begin_read().unwrap();
            transaction.open_table(TABLE).unwrap().get(&key).unwrap().unwrap().value().to_vec()
        };
        let write = |value: &[u8]| {
            let transaction = cache.database.begin_write().unwrap();
            transaction.open_table(TABLE).unwrap().insert(&key, value).unwrap();
            transaction.commit().unwrap();
        };
        let whole = read();
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            write(&flipped);
            assert_eq!(cache.tokens(&["a"]).unwrap(), [None], "bit {bit}");
        }
        assert_eq!(cache.damaged(), 8 * whole.len());
        cache.insert(&["a"], &[encoded()]).unwrap();
        assert_eq!(cache.get(&["a"]).unwrap().values, [0.5, -1.0, 2.0]);
        // An entry of one text is none of another.
        let of_a = read();
        let transaction = cache.database.begin_write().unwrap();
        transaction.open_table(TABLE).unwrap().insert(&cache.key("b"), of_a.as_slice()).unwrap();
        transaction.commit().unwrap();
        assert_eq!(cache.tokens(&["b"]).unwrap(), [None]);
    }

    #[test]
    fn what_is_not_whole_or_not_wanted_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        let mut cache = Cache::open(&path, "m", 1).unwrap();
        let texts = ["a", "b", "c"];
        let encoded = |text| Encoded { text, tokens: 3, embedding: vec![0.5] };
        cache.insert(&texts, &[encoded(0), encoded(1), encoded(2)]).unwrap();
        let transaction = cache.database.begin_write().unwrap();
        transaction.open_table(TABLE).unwrap().insert(&[7; 32], [1, 2].as_slice()).unwrap();
        transaction.commit().unwrap();
        assert_eq!(cache.entries().unwrap(), 4);
        assert_eq!(cache.verify(&Silent).unwrap(), Kept { entries: 3, removed: 1 });
        assert_eq!(cache.verify(&Silent).unwrap(), Kept { entries: 3, removed: 0 });
        assert_eq!(cache.prune(["c", "d"].into_iter(), &Silent).unwrap(), Kept { entries: 1, removed: 2 });
        assert_eq!(cache.tokens(&texts).unwrap(), [None, None, Some(3)]);
    }

    #[test]
    fn nothing_is_left_of_what_a_store_written_anew_does_not_keep() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        let texts: Vec<String> = (0..400).map(|i| format!("text {i}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let value = |text: usize| [text as f32 + 0.123, 7.5, -3.25];
        let encoded = |text| Encoded { text, tokens: 3, embedding: value(text).to_vec() };
        let cache = Cache::open(&path, "m", 3).unwrap();
        cache.insert(&texts, &(0..400).map(encoded).collect::<Vec<_>>()).unwrap();
        // Of another model.
        drop(cache);
        Cache::open(&path, "n", 3).unwrap().insert(&texts[..1], &[encoded(0)]).unwrap();
        let cache = Cache::open(&path, "m", 3).unwrap();
        let kept = cache.renew(texts[..399].iter().copied(), &Silent).unwrap();
        assert_eq!(kept, Kept { entries: 399, removed: 2 });
        let bytes = std::fs::read(&path).unwrap();
        let is_there = |text: usize| {
            let value: Vec<u8> = value(text).iter().flat_map(|v| v.to_le_bytes()).collect();
            bytes.windows(value.len()).any(|window| window == value)
        };
        assert_eq!([is_there(398), is_there(399)], [true, false]);
        let cache = Cache::open(&path, "m", 3).unwrap();
        assert_eq!(cache.tokens(&texts[398..]).unwrap(), [Some(3), None]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn entries_of_older_programs_are_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        {
            let database = Database::create(&path).unwrap();
            let transaction = database.begin_write().unwrap();
            transaction.open_table(OLD).unwrap().insert(&[7; 32], [1, 2].as_slice()).unwrap();
            transaction.commit().unwrap();
        }
        let cache = Cache::open(&path, "m", 1).unwrap();
        assert_eq!(cache.tokens(&["a"]).unwrap(), [None]);
        assert!(cache.database.begin_read().unwrap().open_table(OLD).is_err());
    }

    /// As a process leaves it that died before redb, and one that died while this made the file.
    #[test]
    fn what_a_killed_process_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache.redb");
        std::fs::write(&path, "").unwrap();
        Cache::open(&path, "m", 1).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(folder.path().join(".left.tmp"), [0; 4096]).unwrap();
        make(&path).unwrap();
        // Who makes it, too, leaves it as it is.
        Cache::open(&path, "m", 1)
            .unwrap()
            .insert(&["a"], &[Encoded { text: 0, tokens: 3, embedding: vec![0.5] }])
            .unwrap();
        make(&path).unwrap();
        assert_eq!(Cache::open(&path, "m", 1).unwrap().entries().unwrap(), 1);
    }

    #[test]
    fn a_second_opener_is_refused_and_a_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache.redb");
        let first = Cache::open(&path, "m", 1).unwrap();
        assert!(matches!(Cache::open(&path, "m", 1), Err(CacheError::Busy(_))));
        drop(first);
        std::fs::write(&path, "not a database").unwrap();
        let error = Cache::open(&path, "m", 1).err().unwrap();
        let hint = error.hint().unwrap();
        assert!(error.to_string().contains("cache.redb"), "{error}");
        assert!(hint.contains("deleting the file is safe"), "{hint}");
    }

    #[test]
    fn texts_that_share_no_boundary_do_not_share_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("c"), "m", 1).unwrap();
        let texts = ["a\0b", "a"];
        cache.insert(&texts, &[Encoded { text: 0, tokens: 3, embedding: vec![0.5] }]).unwrap();
        assert_eq!(cache.tokens(&texts).unwrap(), [Some(3), None]);
        assert!(matches!(cache.get(&texts), Err(CacheError::Missing(_))));
    }
}
