//! An encoder as it is run: its folder, limits and arithmetic, and the fingerprint that stands for all of them.

use std::path::{Path, PathBuf};

use crate::arithmetic::{Arithmetic, Backend, Precision};
use crate::encode::EncoderSettings;
use crate::folder::{Folder, FolderError};

/// Raised when the encoder's arithmetic changes, so that no embedding of another one is taken from a cache.
const FORWARD: u32 = 2;

/// An encoder whose files are here.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The sentence-transformers folder.
    pub folder: PathBuf,
    /// Length of an embedding.
    pub dims: usize,
    /// Tokens after which a text is cut.
    pub max_tokens: usize,
    /// How its numbers are computed.
    pub arithmetic: Arithmetic,
    /// Hash of everything that decides the vectors: weights, tokenizer, configs, token limit, arithmetic.
    pub fingerprint: String,
}

/// One encoder, or several whose embeddings of a text stand side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoders {
    /// At least one.
    pub models: Vec<Model>,
}

impl Encoders {
    /// Length of the embeddings of a text side by side.
    pub fn dims(&self) -> usize {
        self.models.iter().map(|model| model.dims).sum()
    }

    /// The encoder's, or a hash of all.
    pub fn fingerprint(&self) -> String {
        match &self.models[..] {
            [only] => only.fingerprint.clone(),
            all => {
                let joined: Vec<&str> = all.iter().map(|model| model.fingerprint.as_str()).collect();
                short(blake3::hash(joined.join("\n").as_bytes()))
            }
        }
    }

    /// Names of the arithmetics.
    pub fn arithmetic(&self) -> String {
        let names: Vec<&str> = self.models.iter().map(|model| model.arithmetic.name()).collect();
        names.join(", ")
    }

    /// Tokens after which the first encoder cuts a text.
    pub fn max_tokens(&self) -> usize {
        self.models[0].max_tokens
    }
}

/// What is remembered of an encoder that something was computed with.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// [`Model::max_tokens`].
    pub max_tokens: usize,
    /// [`Model::fingerprint`].
    pub fingerprint: &'a str,
    /// [`Folder::checksum`] and [`Model::arithmetic`]; where they are remembered, the fingerprint need not be computed again.
    pub checked: Option<(&'a str, Arithmetic)>,
}

impl Known<'_> {
    fn arithmetic_of(&self, folder: &Folder) -> Result<Option<Arithmetic>, FolderError> {
        if let Some((checksum, arithmetic)) = self.checked
            && folder.checksum()? == checksum
        {
            return Ok(Some(arithmetic));
        }
        let digest = folder.digest()?;
        let same =
            |arithmetic: &Arithmetic| fingerprint(&digest, self.max_tokens, *arithmetic) == self.fingerprint;
        // Before the arithmetic was part of the fingerprint, rust-bert's was written like the own pass's.
        Ok(Arithmetic::ALL.into_iter().find(same).map(|arithmetic| match folder.runs_natively() {
            Err(_) if !arithmetic.needs_torch() => Arithmetic::rust_bert(arithmetic.precision()),
            _ => arithmetic,
        }))
    }
}

impl Model {
    /// What loads it, with `workers` threads, one a core where none are given.
    pub fn settings(&self, workers: Option<usize>) -> EncoderSettings {
        EncoderSettings::new(&self.folder, self.max_tokens, self.arithmetic, workers)
    }

    /// The encoder in `folder`, run as `backend` and `precision` say on this processor, its files fingerprinted.
    ///
    /// # Errors
    /// A file is missing or is not what it should be, `max_tokens` is more than the model has positions for, or the own
    /// pass is asked for and cannot run it.
    pub fn open(
        folder: &Path,
        max_tokens: Option<usize>,
        precision: Precision,
        backend: Backend,
    ) -> Result<Self, FolderError> {
        let folder = Folder::open(folder)?;
        let max_tokens = folder.max_tokens(max_tokens)?;
        let arithmetic = folder.arithmetic(precision, backend)?;
        let digest = folder.digest()?;
        Ok(Self {
            dims: folder.dims,
            max_tokens,
            arithmetic,
            fingerprint: fingerprint(&digest, max_tokens, arithmetic),
            folder: folder.path,
        })
    }

    /// The encoder in `folder`, if it is the `known` one, with the arithmetic of then; `None` when its files or its limit are
    /// others, whatever the arithmetic.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn open_known(folder: &Path, known: &Known<'_>) -> Result<Option<Self>, FolderError> {
        let folder = Folder::open(folder)?;
        let Some(arithmetic) = known.arithmetic_of(&folder)? else { return Ok(None) };
        Ok(Some(Self {
            dims: folder.dims,
            max_tokens: folder.max_tokens(Some(known.max_tokens))?,
            arithmetic,
            fingerprint: known.fingerprint.to_owned(),
            folder: folder.path,
        }))
    }
}

fn fingerprint(digest: &str, max_tokens: usize, arithmetic: Arithmetic) -> String {
    let precision = arithmetic.precision();
    let mut decided =
        format!("{digest}max_tokens={max_tokens}\nprecision={precision:?}\nforward={FORWARD}\n");
    // The first two were there before the others were told apart: what they made is still what they make.
    if !matches!(arithmetic, Arithmetic::F32 | Arithmetic::Bf16Avx512) {
        decided += &format!("arithmetic={}\n", arithmetic.name());
    }
    short(blake3::hash(decided.as_bytes()))
}

fn short(hash: blake3::Hash) -> String {
    hash.to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::tests::folder;
    use std::fs;

    #[test]
    fn the_fingerprint_follows_everything_that_decides_the_vectors() {
        let folder = folder();
        let open = |max, precision, backend| Model::open(folder.path(), max, precision, backend).unwrap();
        let plain = open(None, Precision::F32, Backend::RustBert);
        assert_eq!((plain.dims, plain.max_tokens), (8, 256));
        assert_eq!(open(None, Precision::F32, Backend::RustBert), plain);
        assert_ne!(open(Some(128), Precision::F32, Backend::RustBert).fingerprint, plain.fingerprint);
        assert_ne!(open(None, Precision::Bf16, Backend::RustBert).fingerprint, plain.fingerprint);
        let checksum = || Folder::open(folder.path()).unwrap().checksum().unwrap();
        let unchanged = checksum();
        for file in ["model.safetensors", "tokenizer.json", "1_Pooling/config.json"] {
            let before = fs::read(folder.path().join(file)).unwrap();
            fs::write(folder.path().join(file), [&before[..], b" "].concat()).unwrap();
            let changed = open(None, Precision::F32, Backend::RustBert);
            assert_ne!(changed.fingerprint, plain.fingerprint, "{file}");
            assert_ne!(checksum(), unchanged, "{file}");
            fs::write(folder.path().join(file), before).unwrap();
        }
        let all: std::collections::HashSet<_> =
            Arithmetic::ALL.iter().map(|&a| fingerprint("x", 256, a)).collect();
        assert_eq!(all.len(), Arithmetic::ALL.len());
    }

    #[test]
    fn a_fingerprint_leads_back_to_its_arithmetic() {
        let folder = folder();
        let plain = Model::open(folder.path(), None, Precision::Bf16, Backend::RustBert).unwrap();
        let known = |max_tokens, fingerprint| Known { max_tokens, fingerprint, checked: None };
        let open = |known: Known<'_>| Model::open_known(folder.path(), &known).unwrap();
        assert_eq!(open(known(256, &plain.fingerprint)), Some(plain.clone()));
        assert_eq!(open(known(128, &plain.fingerprint)), None);
        assert_eq!(open(known(256, "no such")), None);
        // Known by its checksum, the fingerprint is believed; by another checksum, it is computed.
        let checksum = Folder::open(folder.path()).unwrap().checksum().unwrap();
        let checked =
            |checksum| Known { checked: Some((checksum, plain.arithmetic)), ..known(256, "no such") };
        assert_eq!(open(checked(&checksum)).unwrap().arithmetic, plain.arithmetic);
        assert_eq!(open(checked("no such")), None);
        // A fingerprint of an older program: BERT's heads of 4 were rust-bert's to run.
        let digest = Folder::open(folder.path()).unwrap().digest().unwrap();
        let old = fingerprint(&digest, 256, Arithmetic::F32);
        let found = open(known(256, &old)).unwrap();
        assert_eq!((found.arithmetic, found.fingerprint), (Arithmetic::RustBertF32, old));
    }
}
