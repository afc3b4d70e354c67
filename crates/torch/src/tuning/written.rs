//! Folders that are written: the weights of a model beside copies of what else its folder has.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::fine_tuning::TuningError;
use pipeline::store::StoreError;
use serde_json::Value;

use super::folder::{CONFIG, WEIGHTS};
use super::model::Model;
use super::weights;

/// Files of a tokenizer, of which only the first must be there.
const TOKENIZER: [&str; 5] =
    ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt"];

/// A folder that becomes the one it is to be when it is whole.
pub struct NewFolder {
    unfinished: tempfile::TempDir,
    path: PathBuf,
}

impl NewFolder {
    /// Begin what will be the folder `path`.
    ///
    /// # Errors
    /// The folder around it cannot be made or written.
    pub fn begin(path: &Path) -> Result<Self, TuningError> {
        let around = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(around).map_err(StoreError::of("write", around))?;
        let unfinished = tempfile::Builder::new()
            .prefix(".unfinished-")
            .tempdir_in(around)
            .map_err(StoreError::of("write", around))?;
        Ok(Self { unfinished, path: path.to_owned() })
    }

    /// Write a JSON file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn json(&self, file: &str, value: &Value) -> Result<(), TuningError> {
        Ok(pipeline::store::write_json(&self.unfinished.path().join(file), value)?)
    }

    /// Copy a file from another folder.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn copy(&self, from: &Path, file: &str) -> Result<(), TuningError> {
        let (from, to) = (from.join(file), self.unfinished.path().join(file));
        let around = to.parent().unwrap_or(&to);
        fs::create_dir_all(around).map_err(StoreError::of("write", around))?;
        fs::copy(&from, &to).map_err(StoreError::of("copy", &from))?;
        fs::File::open(&to).and_then(|file| file.sync_all()).map_err(StoreError::of("write", &to))?;
        Ok(())
    }

    /// Write the weights of `model`, each by the name that `named` gives it, those without one left out, and copy its tokenizer.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn model(&self, model: &Model, named: impl Fn(&str) -> Option<String>) -> Result<(), TuningError> {
        for file in TOKENIZER {
            if model.folder.path.join(file).exists() {
                self.copy(&model.folder.path, file)?;
            }
        }
        let named = model.bert.weights.iter().filter_map(|(name, tensor)| Some((named(name)?, tensor)));
        let about = [("format".to_owned(), "pt".to_owned())].into();
        weights::write(&self.unfinished.path().join(WEIGHTS), named, about)
    }

    /// Write config.json: that of the model's folder, for numbers of float32, and what is `changed`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn config(&self, model: &Model, changed: serde_json::Map<String, Value>) -> Result<(), TuningError> {
        let mut json = model.folder.json.clone();
        for key in ["torch_dtype", "dtype"] {
            if let Some(value) = json.get_mut(key) {
                *value = Value::from("float32");
            }
        }
        json.extend(changed);
        self.json(CONFIG, &Value::Object(json))
    }

    /// Let it be the folder that it is to be, in the place of one that was there.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn finish(self) -> Result<(), TuningError> {
        use std::os::unix::fs::PermissionsExt;
        let Self { unfinished, path } = self;
        let fail = StoreError::of("write", &path);
        // As a folder that was made in the usual way would be read by whom the umask lets read files; 0700 is a temporary one's.
        fs::set_permissions(unfinished.path(), fs::Permissions::from_mode(0o755)).map_err(&fail)?;
        let unfinished = unfinished.keep();
        if path.exists() {
            let before = unfinished.with_extension("before");
            fs::rename(&path, &before).map_err(&fail)?;
            fs::rename(&unfinished, &path).map_err(&fail)?;
            fs::remove_dir_all(&before).map_err(&fail)?;
        } else {
            fs::rename(&unfinished, &path).map_err(&fail)?;
        }
        let around = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(around).and_then(|folder| folder.sync_all()).map_err(&fail)?;
        Ok(())
    }
}
