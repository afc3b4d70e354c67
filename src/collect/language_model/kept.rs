//! Answers that were paid for: one file a request in a folder, found again by the request's hash.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::Answer;
use super::error::CollectError;
use super::request::Request;
use crate::store::{StoreError, write_json};

/// A folder of answers.
pub struct Kept {
    folder: PathBuf,
}

/// What is kept of a request.
#[derive(Debug, PartialEq)]
pub enum Lookup {
    /// Its answer.
    Found(Answer),
    /// Nothing.
    Absent,
    /// A file that cannot be used, and why.
    Damaged(String),
}

/// The content of a file.
#[derive(Serialize, Deserialize)]
struct Entry {
    /// Of these files.
    version: u32,
    /// Which endpoint answered; for people.
    base_url: String,
    request: Request,
    answer: Answer,
    /// BLAKE3 of the answer as compact JSON.
    check: String,
}

const VERSION: u32 = 1;

impl Kept {
    /// The answers in `folder`, which is made where it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: &Path) -> Result<Self, CollectError> {
        let fail = |source| CollectError::File { action: "make", path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(fail)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where the answers are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is kept of `request`.
    pub fn get(&self, request: &Request) -> Lookup {
        let hash = request.hash();
        match fs::read(self.path(&hash)) {
            Ok(bytes) => match checked(&bytes, &hash) {
                Ok(answer) => Lookup::Found(answer),
                Err(reason) => Lookup::Damaged(reason),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Lookup::Absent,
            Err(error) => Lookup::Damaged(error.to_string()),
        }
    }

    /// Keep the `answer` that `base_url` gave to `request`: the file is whole or not there, whenever the process dies.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn put(&self, request: &Request, answer: &Answer, base_url: &str) -> Result<(), CollectError> {
        let path = self.path(&request.hash());
        let entry = Entry {
            version: VERSION,
            base_url: base_url.to_owned(),
            request: request.clone(),
            answer: answer.clone(),
            check: check_of(answer),
        };
        let file = |StoreError { action, path, source }| CollectError::File { action, path, source };
        write_json(&path, &entry).map_err(file)
    }

    fn path(&self, hash: &str) -> PathBuf {
        self.folder.join(format!("{hash}.json"))
    }
}

fn check_of(answer: &Answer) -> String {
    blake3::hash(json!(answer).to_string().as_bytes()).to_hex().to_string()
}

/// The answer in a file's `bytes`, where they are those that were written for the request `hash`.
fn checked(bytes: &[u8], hash: &str) -> Result<Answer, String> {
    let entry: Entry =
        serde_json::from_slice(bytes).map_err(|error| format!("it cannot be read: {error}"))?;
    if entry.version != VERSION {
        return Err(format!("it is of version {}, not {VERSION}", entry.version));
    }
    if entry.request.hash() != hash {
        return Err("it holds another request than its name says".to_owned());
    }
    if entry.check != check_of(&entry.answer) {
        return Err("its answer is not the one that was written".to_owned());
    }
    Ok(entry.answer)
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Finish, Usage};
    use super::super::request::tests::request;
    use super::*;

    fn answer(text: &str) -> Answer {
        Answer { text: text.into(), finish: Finish::Length, usage: Usage::default() }
    }

    fn filled() -> (tempfile::TempDir, Kept) {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::open(&folder.path().join("a/b")).unwrap();
        kept.put(&request(1), &answer("grüße \u{1F600}"), "http://a").unwrap();
        (folder, kept)
    }

    fn file(kept: &Kept) -> PathBuf {
        kept.path(&request(1).hash())
    }

    #[test]
    fn an_answer_is_found_again_by_its_request_alone() {
        let (_folder, kept) = filled();
        assert_eq!(kept.get(&request(1)), Lookup::Found(answer("grüße \u{1F600}")));
        assert_eq!(kept.get(&request(2)), Lookup::Absent);
        kept.put(&request(1), &answer("newer"), "http://a").unwrap();
        assert_eq!(kept.get(&request(1)), Lookup::Found(answer("newer")));
        assert_eq!(fs::read_dir(kept.folder()).unwrap().count(), 1);
    }

    #[test]
    fn every_cut_and_every_changed_answer_is_noticed() {
        let (_folder, kept) = filled();
        let whole = fs::read(file(&kept)).unwrap();
        // The last byte is a line break.
        for length in 0..whole.len() - 1 {
            fs::write(file(&kept), &whole[..length]).unwrap();
            assert!(matches!(kept.get(&request(1)), Lookup::Damaged(_)), "{length}");
        }
        let text = String::from_utf8(whole).unwrap();
        for (from, to) in
            [("grüße", "gruße"), ("\"number\": 1", "\"number\": 2"), ("\"version\": 1", "\"version\": 9")]
        {
            let changed = text.replace(from, to);
            assert_ne!(changed, text);
            fs::write(file(&kept), changed).unwrap();
            assert!(matches!(kept.get(&request(1)), Lookup::Damaged(_)), "{to}");
        }
        fs::remove_file(file(&kept)).unwrap();
        fs::create_dir(file(&kept)).unwrap();
        assert!(matches!(kept.get(&request(1)), Lookup::Damaged(_)));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        let error = Kept::open(&path.join("kept")).err().unwrap().to_string();
        assert!(error.contains("file/kept"), "{error}");
    }
}
