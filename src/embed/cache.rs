//! The content-addressed cache: one crash-safe store (redb) for all models and texts.
//!
//! Key: BLAKE3 of the model's fingerprint and the text. Value: the text's whole token count (`u32`, little endian) and
//! the embedding (`f32`, little endian). A changed cell is thus one new entry; nothing is ever stale.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use redb::{Database, DatabaseError, ReadableDatabase, TableDefinition};

use pipeline_encoder::Encoded;

use super::export::Embeddings;

const TABLE: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("embeddings-1");

/// Pages of the store kept in memory; redb's own default is 1 GiB.
const MEMORY: usize = 64 << 20;

/// An open cache, seen by one model.
pub struct Cache {
    database: Database,
    path: PathBuf,
    model: String,
    dims: usize,
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

impl Cache {
    /// Open or create the cache at `path` for the model with this fingerprint, whose embeddings have `dims` values.
    ///
    /// # Errors
    /// Another process has it open, or the file cannot be made or is no cache.
    pub fn open(path: &Path, model: &str, dims: usize) -> Result<Self, CacheError> {
        let failed = |reason: String| CacheError::Failed { path: path.to_owned(), reason };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
        }
        let database = Database::builder().set_cache_size(MEMORY).create(path).map_err(|e| match e {
            DatabaseError::DatabaseAlreadyOpen => CacheError::Busy(path.to_owned()),
            other => failed(other.to_string()),
        })?;
        let cache = Self { database, path: path.to_owned(), model: model.to_owned(), dims };
        cache.insert(&[], &[])?; // makes the table, so that reading never meets a cache without one
        Ok(cache)
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
                    let mut value = Vec::with_capacity(4 + 4 * encoded.embedding.len());
                    value.extend(u32::try_from(encoded.tokens).unwrap_or(u32::MAX).to_le_bytes());
                    value.extend(encoded.embedding.iter().flat_map(|v| v.to_le_bytes()));
                    table.insert(&self.key(texts[encoded.text]), value.as_slice())?;
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
                let stored = table.get(&self.key(text)).map_err(|e| self.failed(&e))?;
                // An entry of another length is one that an older format or a damaged disk left: as good as absent.
                read(stored.as_ref().map(|v| v.value()).filter(|v| v.len() == 4 + 4 * self.dims), values)
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

#[cfg(test)]
mod tests {
    use super::*;

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
