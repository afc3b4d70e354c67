//! Why a model cannot be asked, or has not answered.

use std::io;
use std::path::PathBuf;

use super::limits::Limit;

/// Why a model cannot be asked, or has not answered.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A setting cannot be used.
    #[error("{key} is {value:?}, but {problem}")]
    Setting {
        /// The key, as the settings write it.
        key: String,
        /// What it is.
        value: String,
        /// What it must be.
        problem: String,
    },
    /// The endpoint will not take the request, now or later.
    #[error("{url} refuses the request with status {status}: {said}")]
    Rejected {
        /// What was asked.
        url: String,
        /// HTTP status.
        status: u16,
        /// The endpoint's own message, shortened.
        said: String,
    },
    /// The endpoint was overloaded at every try.
    #[error("{url} cannot answer now: status {status} at the last of {tries} tries: {said}")]
    Busy {
        /// What was asked.
        url: String,
        /// HTTP status of the last try.
        status: u16,
        /// How often it was asked.
        tries: u32,
        /// The endpoint's own message, shortened.
        said: String,
    },
    /// No answer came at any try.
    #[error("no answer from {url} at any of {tries} tries, the last: {reason}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// How often it was asked.
        tries: u32,
        /// Why the last try failed.
        reason: String,
    },
    /// What came is no chat completion.
    #[error("{url} does not answer as an OpenAI-compatible endpoint: {reason}")]
    NotAnAnswer {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The answer does not end within the limit.
    #[error("the answer of {url} is longer than {limit} bytes")]
    TooLong {
        /// What was asked.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The run is offline and this request was never answered.
    #[error("request {number} ({hash}) has no kept answer in {}{}", folder.display(), damage(damaged))]
    NotKept {
        /// The request's number in its plan.
        number: u64,
        /// The request's hash, which names its file.
        hash: String,
        /// Where kept answers are.
        folder: PathBuf,
        /// What is wrong with the file, where there is one.
        damaged: Option<String>,
    },
    /// A file or folder of kept answers cannot be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `write`, `make`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The prompt template and what is put into it do not fit: a fault of the program.
    #[error("cannot write the prompt of request {number}: {reason}")]
    Prompt {
        /// The request's number in its plan.
        number: u64,
        /// What the template engine said.
        reason: String,
    },
    /// One more request might pass a limit.
    #[error("stopped before a limit would be passed: {0}")]
    Budget(Limit),
    /// The user asked to stop.
    #[error("interrupted while asking the model")]
    Interrupted,
}

fn damage(damaged: &Option<String>) -> String {
    damaged.as_ref().map_or_else(String::new, |reason| format!(": {reason}"))
}

impl CollectError {
    /// The error of a setting.
    pub(super) fn setting(key: &str, value: impl ToString, problem: impl Into<String>) -> Self {
        Self::Setting { key: key.to_owned(), value: value.to_string(), problem: problem.into() }
    }

    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Rejected { status: 401 | 403, .. } => {
                "check that the key's environment variable is set and that the key may use this model"
            }
            Self::Rejected { status: 402 | 429, .. } => {
                "the account has no credit left for this; see its billing page"
            }
            Self::Rejected { status: 404 | 405, .. } => {
                "check base_url (most end in /v1; /chat/completions is added) and the model's name"
            }
            Self::Rejected { status: 300..=399, .. } => {
                "the endpoint has moved: write its new address as base_url"
            }
            Self::Rejected { .. } => {
                "the endpoint's message says which setting it does not take; temperature and seed may be left out"
            }
            Self::Busy { .. } => {
                "lower concurrency or raise retries; run again later, kept answers are not asked anew"
            }
            Self::Unreachable { .. } => "check that the endpoint runs at base_url, or raise timeout_s",
            Self::NotAnAnswer { .. } => {
                "check that base_url is an OpenAI-compatible endpoint (most end in /v1)"
            }
            Self::TooLong { .. } => "lower max_tokens, or check what answers at base_url",
            Self::NotKept { .. } => "run once without offline, so that it is asked and kept",
            Self::Budget(_) => "raise the limit; a further run goes on where this one stopped",
            Self::Setting { .. } | Self::File { .. } | Self::Prompt { .. } | Self::Interrupted => {
                return None;
            }
        };
        Some(hint.to_owned())
    }

    /// Whether every other request would fail in the same way.
    pub(super) fn ends_the_run(&self) -> bool {
        match self {
            Self::Rejected { status, .. } => matches!(status, 300..=399 | 401..=405 | 429),
            Self::Setting { .. } | Self::NotKept { .. } | Self::File { .. } | Self::Prompt { .. } => true,
            Self::Busy { .. }
            | Self::Unreachable { .. }
            | Self::NotAnAnswer { .. }
            | Self::TooLong { .. }
            | Self::Budget(_)
            | Self::Interrupted => false,
        }
    }
}

/// Why a request brought no row, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The endpoint does not take the request.
    Rejected,
    /// Overloaded at every try.
    Busy,
    /// No answer at any try.
    Unreachable,
    /// No chat completion, or one without end.
    NotAnAnswer,
    /// The model will not write this, or its provider's filter will not let it.
    Refused,
    /// The answer has no text.
    Empty,
    /// The answer ended at `max_tokens` before its first row was whole.
    CutOff,
    /// The answer's text holds no JSON object.
    NoJson,
    /// The answer names none of the labels that it was to choose from.
    NoLabel,
    /// Whatever makes the whole run impossible: settings, files, an answer that is not kept.
    Run,
}

impl Failure {
    /// Name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected by the endpoint",
            Self::Busy => "endpoint busy",
            Self::Unreachable => "no answer",
            Self::NotAnAnswer => "not a chat completion",
            Self::Refused => "refused by the model",
            Self::Empty => "empty answer",
            Self::CutOff => "cut off at max_tokens",
            Self::NoJson => "no JSON",
            Self::NoLabel => "names no label",
            Self::Run => "run impossible",
        }
    }

    /// The kind of an error.
    pub fn of(error: &CollectError) -> Self {
        match error {
            CollectError::Rejected { .. } => Self::Rejected,
            CollectError::Busy { .. } => Self::Busy,
            CollectError::Unreachable { .. } => Self::Unreachable,
            CollectError::NotAnAnswer { .. } | CollectError::TooLong { .. } => Self::NotAnAnswer,
            CollectError::Setting { .. }
            | CollectError::NotKept { .. }
            | CollectError::File { .. }
            | CollectError::Prompt { .. }
            | CollectError::Budget(_)
            | CollectError::Interrupted => Self::Run,
        }
    }
}
