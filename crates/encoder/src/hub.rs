//! Where a model name leads, and encoders fetched from the model hub by their hub name.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::encode::EncoderError;
use crate::folder::FolderError;

/// Where a model name leads.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// A folder on this machine.
    Here(PathBuf),
    /// A model of the hub, to be downloaded into `folder`.
    Hub {
        /// `owner/model`.
        name: String,
        /// Where it will be kept.
        folder: PathBuf,
    },
}

/// Find `model`: a folder (relative to `project`), a name in the per-user `cache`, or a hub name (`owner/model`).
///
/// # Errors
/// [`FolderError::Unknown`] when it is none of these.
pub fn locate(model: &str, project: &Path, cache: &Path) -> Result<Place, FolderError> {
    let folder = project.join(model);
    if folder.is_dir() {
        return Ok(Place::Here(folder));
    }
    for known in [cache.join(model), cache.join("hub").join(model.replace('/', "--"))] {
        if known.is_dir() {
            return Ok(Place::Here(known));
        }
    }
    let parts: Vec<&str> = model.split('/').collect();
    let hub_name = |s: &&str| !s.is_empty() && !s.starts_with('.') && !s.contains(char::is_whitespace);
    if parts.len() == 2 && parts.iter().all(hub_name) {
        let folder = cache.join("hub").join(parts.join("--"));
        return Ok(Place::Hub { name: model.to_owned(), folder });
    }
    Err(FolderError::Unknown { model: model.to_owned(), cache: cache.to_owned() })
}

/// Download the sentence-transformers model `name` (`owner/model`, or `owner/model@revision`) into the new folder `target`.
///
/// All files are of one revision: the one that is named, else the newest, by its commit where the hub tells it. Which it was, and
/// the BLAKE3 of every file, is left in the folder as `download.json`.
///
/// `HF_ENDPOINT` names a mirror, `HF_TOKEN` is sent where it is set, and the usual proxy variables count. The folder
/// appears only when every file is there. Files that a model may lack (a Dense layer, the sentence config) are looked for
/// where modules.json names them. `advance` hears of the bytes as they come, and stops the download by returning `false`.
///
/// # Errors
/// The file that could not be had, or the folder that could not be written.
pub fn fetch(name: &str, target: &Path, advance: &mut dyn FnMut(u64) -> bool) -> Result<(), EncoderError> {
    fetch_into(name, target, advance, |download| download.all())
}

/// As [`fetch`], of any model: these `files` of it.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_files(
    name: &str,
    target: &Path,
    files: &[&str],
    advance: &mut dyn FnMut(u64) -> bool,
) -> Result<(), EncoderError> {
    let each = |download: &mut Download<'_>| files.iter().try_for_each(|file| download.get(file).map(drop));
    fetch_into(name, target, advance, each)
}

fn fetch_into(
    name: &str,
    target: &Path,
    advance: &mut dyn FnMut(u64) -> bool,
    get: impl FnOnce(&mut Download<'_>) -> Result<(), EncoderError>,
) -> Result<(), EncoderError> {
    let fresh = target.with_extension(format!("tmp-{}", std::process::id()));
    let mut download = Download::new(name, &fresh, advance);
    let fetched = get(&mut download).and_then(|()| download.record());
    let done = fetched.and_then(|()| {
        fs::rename(&fresh, target).map_err(|source| EncoderError::Write { path: target.to_owned(), source })
    });
    if done.is_err() {
        let _ = fs::remove_dir_all(&fresh);
    }
    done
}

struct Download<'a> {
    agent: ureq::Agent,
    endpoint: String,
    name: &'a str,
    revision: String,
    folder: &'a Path,
    /// BLAKE3 of each file, hex.
    files: BTreeMap<String, String>,
    advance: &'a mut dyn FnMut(u64) -> bool,
}

impl<'a> Download<'a> {
    fn new(name: &'a str, folder: &'a Path, advance: &'a mut dyn FnMut(u64) -> bool) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .build()
            .into();
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let (name, named) = name.split_once('@').map_or((name, None), |(name, of)| (name, Some(of)));
        let mut download = Self {
            agent,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            name,
            revision: String::new(),
            folder,
            files: BTreeMap::new(),
            advance,
        };
        download.revision = named.map(str::to_owned).or_else(|| download.newest()).unwrap_or("main".into());
        download
    }

    /// The newest commit; `None` where the hub, or a mirror of it, does not tell.
    fn newest(&self) -> Option<String> {
        let url = format!("{}/api/models/{}", self.endpoint, self.name);
        let told = self.ask(&url).ok()?.into_body().with_config().limit(MOST_TOLD).read_to_string().ok()?;
        let told: serde_json::Value = serde_json::from_str(&told).ok()?;
        let commit = told["sha"].as_str()?;
        let is_commit = (7..=64).contains(&commit.len()) && commit.bytes().all(|b| b.is_ascii_hexdigit());
        is_commit.then(|| commit.to_owned())
    }

    fn ask(&self, url: &str) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let mut request = self.agent.get(url);
        if let Some(token) = variable("HF_TOKEN") {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        request.call()
    }

    /// Leave what was downloaded beside it.
    fn record(&self) -> Result<(), EncoderError> {
        let Self { endpoint, name, revision, files, .. } = self;
        let record = serde_json::json!({
            "hub": endpoint, "model": name, "revision": revision, "blake3": files,
        });
        let path = self.folder.join("download.json");
        fs::write(&path, format!("{record:#}\n")).map_err(|source| EncoderError::Write { path, source })
    }

    fn all(&mut self) -> Result<(), EncoderError> {
        let modules = self.get("modules.json")?;
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            self.get(file)?;
        }
        match self.get("sentence_bert_config.json") {
            Ok(_) | Err(EncoderError::Hub { missing: true, .. }) => {}
            Err(other) => return Err(other),
        }
        let bytes =
            fs::read(&modules).map_err(|source| EncoderError::Read { path: modules.clone(), source })?;
        let modules: Vec<serde_json::Value> = serde_json::from_slice(&bytes)
            .map_err(|e| EncoderError::Invalid { path: modules, reason: e.to_string() })?;
        for module in &modules {
            let (path, kind) = (module["path"].as_str().unwrap_or(""), module["type"].as_str().unwrap_or(""));
            if kind.ends_with(".Pooling") || kind.ends_with(".Dense") {
                self.get(&format!("{path}/config.json"))?;
            }
            if kind.ends_with(".Dense") {
                self.get(&format!("{path}/model.safetensors"))?;
            }
        }
        Ok(())
    }

    /// Fetch one file; where it is now.
    fn get(&mut self, file: &str) -> Result<PathBuf, EncoderError> {
        let failed = |reason: String, missing| EncoderError::Hub {
            model: self.name.to_owned(),
            file: file.to_owned(),
            reason,
            missing,
        };
        let inside = |c| matches!(c, std::path::Component::Normal(_));
        if !Path::new(file).components().all(inside) {
            return Err(failed("modules.json names a file outside the folder".into(), false));
        }
        let url = format!("{}/{}/resolve/{}/{file}", self.endpoint, self.name, self.revision);
        let response =
            self.ask(&url).map_err(|e| failed(e.to_string(), matches!(e, ureq::Error::StatusCode(404))))?;
        let mut body = response.into_body().into_reader();
        let path = self.folder.join(file);
        let stored = |source| EncoderError::Write { path: path.clone(), source };
        fs::create_dir_all(path.parent().unwrap_or(self.folder)).map_err(stored)?;
        let mut to = File::create(&path).map_err(stored)?;
        let mut block = vec![0; 1 << 16];
        let mut hasher = blake3::Hasher::new();
        loop {
            let count = match body.read(&mut block) {
                Ok(0) => break,
                Ok(count) => count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(failed(e.to_string(), false)),
            };
            to.write_all(&block[..count]).map_err(stored)?;
            hasher.update(&block[..count]);
            if !(self.advance)(count as u64) {
                return Err(EncoderError::Interrupted);
            }
        }
        to.sync_all().map_err(stored)?;
        self.files.insert(file.to_owned(), hasher.finalize().to_hex().to_string());
        Ok(path)
    }
}

/// Longest answer about a model.
const MOST_TOLD: u64 = 8 << 20;

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_folders_or_the_hub_or_an_explanation() {
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let locate = |name| locate(name, folder.path(), cache.path());
        assert_eq!(locate(".").unwrap(), Place::Here(folder.path().join(".")));
        let hub = |name: &str| Place::Hub {
            name: name.to_owned(),
            folder: cache.path().join("hub").join(name.replace('/', "--")),
        };
        assert_eq!(locate("owner/no-such").unwrap(), hub("owner/no-such"));
        fs::create_dir_all(cache.path().join("hub/owner--there")).unwrap();
        assert_eq!(locate("owner/there").unwrap(), Place::Here(cache.path().join("hub/owner--there")));
        let error = locate("no-such").unwrap_err();
        let hint = error.hint().unwrap();
        assert!(error.to_string().contains("no-such") && hint.contains("make setup"), "{error}, {hint}");
    }
}
