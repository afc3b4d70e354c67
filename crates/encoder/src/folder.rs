//! The one reader of encoder folders: what the configs of a sentence-transformers folder say, and a hash of its files.

use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use memmap2::MmapOptions;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use twox_hash::xxhash3_128;

use crate::architecture::Architecture;
use crate::arithmetic::{Arithmetic, Backend, Precision};
use crate::simd::PANEL;

/// Bytes of a file that are mapped at once while it is hashed: enough for all cores, little beside the weights.
const HASHED_AT_ONCE: usize = 8 << 20;

/// A sentence-transformers folder: modules.json, config.json, tokenizer.json, weights, pooling config.
#[derive(Clone, Debug, PartialEq)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// The transformer.
    pub architecture: Architecture,
    /// How the states of a text's tokens become one vector.
    pub pooling: Pooling,
    /// The pooling layer's config.
    pub pooling_file: PathBuf,
    /// The dense layer's folder, if there is one.
    pub dense: Option<PathBuf>,
    /// Whether embeddings are scaled to length 1.
    pub normalize: bool,
    /// Length of an embedding.
    pub dims: usize,
    /// Whether texts are put in lower case before the tokenizer sees them.
    pub lower_case: bool,
    /// Most tokens that the model can take, and the limit that the folder itself states.
    limits: [usize; 2],
    /// The files that decide the vectors, relative to the folder.
    files: Vec<String>,
}

/// Which vectors the pooling layer makes of the tokens' states; several are put side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Pooling {
    /// The first token's, `[CLS]`.
    pub pooling_mode_cls_token: bool,
    /// The mean.
    pub pooling_mode_mean_tokens: bool,
    /// The greatest of each number.
    pub pooling_mode_max_tokens: bool,
    /// The sum divided by the square root of their count.
    pub pooling_mode_mean_sqrt_len_tokens: bool,
    /// Length of a token's state.
    pub word_embedding_dimension: Option<usize>,
}

impl Pooling {
    /// How many vectors it puts side by side, at least one.
    fn vectors(&self) -> usize {
        [
            self.pooling_mode_cls_token,
            self.pooling_mode_mean_tokens,
            self.pooling_mode_max_tokens,
            self.pooling_mode_mean_sqrt_len_tokens,
        ]
        .into_iter()
        .filter(|&on| on)
        .count()
        .max(1)
    }
}

/// Why an encoder folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is no such encoder.
    #[error(
        "there is no encoder `{model}`: not a folder, and not installed in {}",
        cache.display()
    )]
    Unknown {
        /// What was asked for.
        model: String,
        /// The per-user cache.
        cache: PathBuf,
    },
    /// The folder lacks a file, or the file is not what it should be.
    #[error("the encoder folder {} cannot be used: {reason}", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The token limit is outside what the model can take.
    #[error("encoder.max_tokens = {asked} is outside what the model can take (3 to {limit})")]
    MaxTokens {
        /// What was asked for.
        asked: usize,
        /// The model's positions.
        limit: usize,
    },
    /// The own pass is asked for, and cannot run this encoder here.
    #[error(
        "encoder.backend = \"native\", but the own pass cannot run the encoder in {}: {reason}",
        folder.display()
    )]
    NotNative {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl FolderError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unknown { .. } => {
                "`make setup` installs all-MiniLM-L6-v2; encoder.model (or --model) also takes a sentence-transformers \
                 folder or a hub name such as sentence-transformers/all-MiniLM-L6-v2"
            }
            Self::NotNative { .. } => "leave encoder.backend at \"auto\", or set it to \"rust-bert\"",
            Self::Unusable { .. } | Self::MaxTokens { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

impl Folder {
    /// Read the configs of a folder.
    ///
    /// # Errors
    /// A file is missing, is not JSON, or asks for what there is no way to run.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        #[derive(Deserialize)]
        struct Module {
            path: String,
            #[serde(rename = "type")]
            kind: String,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct SentenceConfig {
            max_seq_length: Option<usize>,
            do_lower_case: bool,
        }
        #[derive(Deserialize)]
        struct DenseConfig {
            out_features: usize,
        }
        #[derive(Deserialize)]
        struct Sizes {
            #[serde(alias = "dim", alias = "d_model")]
            hidden_size: Option<usize>,
            max_position_embeddings: Option<usize>,
        }
        let unusable = |reason: String| FolderError::Unusable { folder: path.to_owned(), reason };
        let modules: Vec<Module> = read(path, "modules.json").map_err(unusable)?;
        let architecture: Architecture = read(path, "config.json").map_err(unusable)?;
        if let Architecture::Bert(config) = &architecture {
            config.check().map_err(|reason| unusable(format!("config.json: {reason}")))?;
        }
        let sizes: Sizes = read(path, "config.json").map_err(unusable)?;
        let mut files = vec!["modules.json".to_owned(), "config.json".into(), "tokenizer.json".into()];
        let (mut pooling, mut dense, mut normalize) = (None, None, false);
        let mut dims = sizes.hidden_size;
        for Module { path: place, kind } in modules {
            let inside = Path::new(&place).components().all(|c| matches!(c, Component::Normal(_)));
            if !inside {
                return Err(unusable(format!(
                    "modules.json names `{place}`, which is not inside the folder"
                )));
            }
            match kind.rsplit('.').next().unwrap_or(&kind) {
                "Transformer" if place.is_empty() => {}
                "Transformer" => {
                    let reason =
                        format!("modules.json has the transformer in `{place}`; only `` is supported");
                    return Err(unusable(reason));
                }
                "Normalize" => normalize = true,
                "Pooling" => {
                    let file = format!("{place}/config.json");
                    let found: Pooling = read(path, &file).map_err(unusable)?;
                    if let (Some(stated), Some(hidden)) = (found.word_embedding_dimension, sizes.hidden_size)
                        && stated != hidden
                    {
                        return Err(unusable(format!(
                            "{file} has a word_embedding_dimension of {stated}, config.json a hidden size of {hidden}"
                        )));
                    }
                    dims = found.word_embedding_dimension.map(|d| d.saturating_mul(found.vectors())).or(dims);
                    pooling = Some((found, path.join(&file)));
                    files.push(file);
                }
                "Dense" if dense.is_some() => {
                    return Err(unusable("modules.json has two Dense modules; one is supported".into()));
                }
                "Dense" => {
                    let file = format!("{place}/config.json");
                    dims = Some(read::<DenseConfig>(path, &file).map_err(unusable)?.out_features);
                    let weights = weights_name(&path.join(&place)).map_err(unusable)?;
                    files.extend([file, format!("{place}/{weights}")]);
                    dense = Some(path.join(place));
                }
                name => {
                    let reason = format!("modules.json has a `{name}` module, which is not supported");
                    return Err(unusable(reason));
                }
            }
        }
        let (pooling, pooling_file) = pooling.ok_or_else(|| {
            unusable(
                "modules.json has no Pooling module; only sentence-transformers folders can be used".into(),
            )
        })?;
        files.push(weights_name(path).map_err(unusable)?.into());
        let sentence = "sentence_bert_config.json";
        let SentenceConfig { max_seq_length, do_lower_case } = if path.join(sentence).exists() {
            files.push(sentence.into());
            read(path, sentence).map_err(unusable)?
        } else {
            SentenceConfig::default()
        };
        let positions = sizes.max_position_embeddings.unwrap_or(512);
        // RoBERTa's positions begin after the padding index.
        let limit = match architecture {
            Architecture::Roberta {} => positions.saturating_sub(2),
            _ => positions,
        };
        Ok(Self {
            path: path.to_owned(),
            architecture,
            pooling,
            pooling_file,
            dense,
            normalize,
            dims: dims.ok_or_else(|| unusable("no config states the embedding length".into()))?,
            lower_case: do_lower_case,
            limits: [limit, max_seq_length.map_or(limit, |n| n.min(limit))],
            files,
        })
    }

    /// Tokens after which a text is cut: as asked, else as the folder says.
    ///
    /// # Errors
    /// The model has not so many positions.
    pub fn max_tokens(&self, asked: Option<usize>) -> Result<usize, FolderError> {
        let [limit, own] = self.limits;
        match asked {
            Some(asked) if !(3..=limit).contains(&asked) => Err(FolderError::MaxTokens { asked, limit }),
            asked => Ok(asked.unwrap_or(own)),
        }
    }

    /// Whether the own pass can run this encoder on a processor that has the instructions.
    ///
    /// # Errors
    /// Why not.
    pub fn runs_natively(&self) -> Result<(), String> {
        let Architecture::Bert(config) = &self.architecture else {
            return Err(format!("it is a `{}`, the own pass runs `bert`", self.architecture.name()));
        };
        let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
        let vectors = |n: usize| n > 0 && n.is_multiple_of(PANEL);
        let Pooling { pooling_mode_cls_token: first, pooling_mode_mean_tokens: mean, .. } = self.pooling;
        if config.hidden_act.as_deref().is_some_and(|act| act != "gelu") {
            Err(format!("its activation is {:?}, the own pass has gelu", config.hidden_act))
        } else if config.position_embedding_type.as_deref().is_some_and(|t| t != "absolute") {
            Err("its positions are not absolute".into())
        } else if !vectors(hidden / heads) {
            Err(format!("{hidden} numbers in {heads} heads are not a multiple of {PANEL} in each"))
        } else if !vectors(config.intermediate_size) {
            Err(format!("its intermediate size {} is not a multiple of {PANEL}", config.intermediate_size))
        } else if self.pooling.vectors() > 1 || first == mean {
            Err("its pooling is neither the mean nor the first token".into())
        } else if self.dense.is_some() {
            Err("it has a dense layer".into())
        } else if !self.weights().ends_with(SAFETENSORS) {
            Err("its weights are not safetensors".into())
        } else {
            Ok(())
        }
    }

    /// How the encoder is run for `precision` and `backend` on this processor.
    ///
    /// # Errors
    /// The own pass is asked for and cannot run it.
    pub fn arithmetic(&self, precision: Precision, backend: Backend) -> Result<Arithmetic, FolderError> {
        let native = self.runs_natively().and_then(|()| {
            Arithmetic::native(precision).ok_or_else(|| {
                "encoder.precision is \"bf16\", and this processor has no instructions for it".to_owned()
            })
        });
        match (backend, native) {
            (Backend::RustBert, _) | (Backend::Auto, Err(_)) => Ok(Arithmetic::rust_bert(precision)),
            (Backend::Native | Backend::Auto, Ok(arithmetic)) => Ok(arithmetic),
            (Backend::Native, Err(reason)) => {
                Err(FolderError::NotNative { folder: self.path.clone(), reason })
            }
        }
    }

    /// The transformer's weights: safetensors, else rust-bert's own `.ot`.
    pub fn weights(&self) -> PathBuf {
        Self::weights_in(&self.path)
    }

    /// The weights of the transformer, or of a dense layer, in their folder.
    pub fn weights_in(folder: &Path) -> PathBuf {
        folder.join(weights_name(folder).unwrap_or(SAFETENSORS))
    }

    /// A line with name and BLAKE3 of each file that decides the vectors.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn digest(&self) -> Result<String, FolderError> {
        let mut digest = String::new();
        for file in &self.files {
            let mut hasher = blake3::Hasher::new();
            self.read(file, &mut |part| {
                hasher.update_rayon(part);
            })?;
            digest += &format!("{file}={}\n", hasher.finalize().to_hex());
        }
        Ok(digest)
    }

    /// XXH3 (128 bits) of the names and contents of the same files, hex: a fifth of the work of [`Folder::digest`]. It tells
    /// files apart that are different by chance, not by intent.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn checksum(&self) -> Result<String, FolderError> {
        let mut hasher = xxhash3_128::Hasher::new();
        for file in &self.files {
            hasher.write(file.as_bytes());
            self.read(file, &mut |part| hasher.write(part))?;
        }
        Ok(format!("{:032x}", hasher.finish_128()))
    }

    fn read(&self, file: &str, take: &mut dyn FnMut(&[u8])) -> Result<(), FolderError> {
        in_parts(&self.path.join(file), take)
            .map_err(|e| FolderError::Unusable { folder: self.path.clone(), reason: format!("{file}: {e}") })
    }
}

const SAFETENSORS: &str = "model.safetensors";

fn weights_name(folder: &Path) -> Result<&'static str, String> {
    [SAFETENSORS, "rust_model.ot"].into_iter().find(|f| folder.join(f).exists()).ok_or_else(|| {
        "it has neither model.safetensors nor rust_model.ot; save the model with \
         save_pretrained(safe_serialization=True)"
            .into()
    })
}

fn read<T: DeserializeOwned>(folder: &Path, file: &str) -> Result<T, String> {
    let bytes = fs::read(folder.join(file)).map_err(|e| format!("{file}: {e}"))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("{file}: {e}"))
}

/// BLAKE3 of a file as hex, a part at a time and each part on all cores.
/// A file's bytes, [`HASHED_AT_ONCE`] at a time.
fn in_parts(path: &Path, take: &mut dyn FnMut(&[u8])) -> std::io::Result<()> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    for from in (0..length).step_by(HASHED_AT_ONCE) {
        let part = (length - from).min(HASHED_AT_ONCE as u64) as usize;
        // SAFETY: the bytes are only hashed; a file that changes meanwhile has some other hash.
        #[expect(unsafe_code, reason = "memory maps")]
        let map = unsafe { MmapOptions::new().offset(from).len(part).populate().map(&file)? };
        take(&map);
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A folder of a BERT with heads of 4, its weights and tokenizer no real ones.
    pub fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "modules.json",
            r#"[{"path": "", "type": "x.Transformer"}, {"path": "1_Pooling", "type": "x.Pooling"}]"#,
        );
        write(
            "config.json",
            r#"{"model_type": "bert", "hidden_size": 8, "max_position_embeddings": 512, "num_attention_heads": 2,
                "num_hidden_layers": 1, "intermediate_size": 32}"#,
        );
        write(
            "1_Pooling/config.json",
            r#"{"word_embedding_dimension": 8, "pooling_mode_mean_tokens": true}"#,
        );
        write("sentence_bert_config.json", r#"{"max_seq_length": 256}"#);
        write("tokenizer.json", "{}");
        write("model.safetensors", "weights");
        folder
    }

    fn replace(folder: &Path, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(folder.join(file), text.replace(from, to)).unwrap();
    }

    #[test]
    fn what_is_missing_too_long_or_outside_is_said() {
        let folder = folder();
        let open = || Folder::open(folder.path());
        let error = open().unwrap().max_tokens(Some(600)).unwrap_err().to_string();
        assert!(error.contains("600") && error.contains("512"), "{error}");
        for (from, to, said) in [
            (
                r#"{"path": "1_Pooling", "type": "x.Pooling"}"#,
                r#"{"path": "2", "type": "x.LayerNorm"}"#,
                "`LayerNorm` module",
            ),
            (r#""1_Pooling""#, r#""../elsewhere""#, "../elsewhere"),
            (r#""1_Pooling""#, r#""/etc""#, "/etc"),
            (r#", {"path": "1_Pooling", "type": "x.Pooling"}"#, "", "no Pooling module"),
            ("[", "", "modules.json"),
        ] {
            let before = fs::read(folder.path().join("modules.json")).unwrap();
            replace(folder.path(), "modules.json", from, to);
            let error = open().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            fs::write(folder.path().join("modules.json"), before).unwrap();
        }
        for (from, to) in [
            ("\"hidden_size\": 8", "\"hidden_size\": 0"),
            ("\"hidden_size\": 8", "\"hidden_size\": 9"),
            ("\"num_attention_heads\": 2", "\"num_attention_heads\": 0"),
            ("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 0"),
            ("\"intermediate_size\": 32", "\"intermediate_size\": 0"),
        ] {
            replace(folder.path(), "config.json", from, to);
            let error = open().unwrap_err().to_string();
            assert!(error.contains("config.json") && error.contains("make no BERT"), "{error}");
            replace(folder.path(), "config.json", to, from);
        }
        replace(folder.path(), "config.json", "\"bert\"", "\"mpnet\"");
        let error = open().unwrap_err().to_string();
        assert!(error.contains("mpnet") && error.contains("distilbert"), "{error}");
        replace(folder.path(), "config.json", "\"mpnet\"", "\"bert\"");
        fs::remove_file(folder.path().join("model.safetensors")).unwrap();
        let error = open().unwrap_err().to_string();
        assert!(error.contains("model.safetensors"), "{error}");
    }

    /// Each refusal names what is in the way, and `auto` then means rust-bert.
    #[test]
    fn what_the_own_pass_cannot_run_goes_to_rust_bert() {
        let changed = |file: &str, from: &str, to: &str, said: &str| {
            let folder = folder();
            replace(folder.path(), "config.json", r#""hidden_size": 8"#, r#""hidden_size": 64"#);
            // Its pooling must say the same.
            let stated = Folder::open(folder.path()).unwrap_err().to_string();
            assert!(stated.contains("1_Pooling/config.json has a word_embedding_dimension of 8"), "{stated}");
            replace(folder.path(), "1_Pooling/config.json", "8", "64");
            let usual = Folder::open(folder.path()).unwrap();
            assert_eq!(usual.runs_natively(), Ok(()));
            assert!(!usual.arithmetic(Precision::Auto, Backend::Auto).unwrap().needs_torch());
            assert!(usual.arithmetic(Precision::F32, Backend::RustBert).unwrap().needs_torch());
            replace(folder.path(), file, from, to);
            let folder = Folder::open(folder.path()).unwrap();
            assert!(folder.arithmetic(Precision::Auto, Backend::Auto).unwrap().needs_torch());
            let error = folder.arithmetic(Precision::Auto, Backend::Native).unwrap_err();
            assert!(error.to_string().contains(said) && error.hint().is_some(), "{error}");
        };
        changed("config.json", "\"bert\"", "\"roberta\"", "`roberta`");
        changed("config.json", "\"intermediate_size\": 32", "\"intermediate_size\": 30", "30");
        changed("config.json", "\"intermediate", "\"hidden_act\": \"relu\", \"intermediate", "relu");
        changed("1_Pooling/config.json", "mean_tokens", "max_tokens", "pooling");
        changed("1_Pooling/config.json", "true", "true, \"pooling_mode_cls_token\": true", "pooling");
    }

    #[test]
    fn a_file_read_in_parts_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for length in [0, 1, HASHED_AT_ONCE - 1, HASHED_AT_ONCE, 2 * HASHED_AT_ONCE + 5] {
            let bytes: Vec<u8> = (0..length).map(|i| (i * 7 % 251) as u8).collect();
            fs::write(&path, &bytes).unwrap();
            let mut read = Vec::new();
            in_parts(&path, &mut |part| read.extend_from_slice(part)).unwrap();
            assert_eq!(read, bytes);
        }
    }
}
