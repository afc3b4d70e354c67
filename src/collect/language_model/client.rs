//! Asks an OpenAI-compatible endpoint: one request to one answer, over failures that pass.

use serde_json::Value;

use super::answer::{Answer, read_answer};
use super::budget::Budget;
use super::dialect::Learned;
use super::error::CollectError;
use super::line::{Line, MOST_BYTES, Trouble};
use super::pause::{BackOff, Pause};
use super::request::{Message, Request};
use super::settings::EndpointSettings;
use crate::progress::Progress;

/// Asks one endpoint; may be shared by threads.
pub struct Client {
    settings: EndpointSettings,
    line: Line,
    learned: Learned,
}

/// What a request is asked with.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// What may be spent.
    pub budget: &'a Budget,
    /// Hears of waits; says when to stop.
    pub progress: &'a dyn Progress,
    /// How waits pass.
    pub pause: &'a dyn Pause,
}

impl Client {
    /// # Errors
    /// A setting is outside of its range.
    pub fn new(settings: EndpointSettings) -> Result<Self, CollectError> {
        settings.check()?;
        Ok(Self { line: Line::new(&settings), settings, learned: Learned::default() })
    }

    /// The endpoint's address.
    pub fn base_url(&self) -> &str {
        &self.settings.base_url
    }

    /// A request by these settings. `schema` is the JSON schema of the answer; the prompt must ask for JSON as well, since not
    /// every endpoint takes a schema.
    pub fn request(&self, number: u64, messages: Vec<Message>, schema: Value) -> Request {
        Request {
            number,
            messages,
            schema,
            model: self.settings.model.clone(),
            max_tokens: self.settings.max_tokens,
            temperature: self.settings.temperature,
            seed: self.settings.seed.map(|seed| seed.wrapping_add(number) & SEEDS),
        }
    }

    /// Ask. Repeated after statuses 429, 500, 502, 503 and 504, time-outs and broken connections; not after other statuses. What
    /// the endpoint does not understand of the form of the answer is left out from then on.
    ///
    /// A request under way is not broken off by an interrupt, since it is paid for; `timeout_s` limits it.
    ///
    /// # Errors
    /// As [`CollectError`] says, of those about endpoints, budget and interrupts.
    pub fn ask(&self, request: &Request, with: Asking<'_>) -> Result<Answer, CollectError> {
        let interrupted = || with.progress.interrupted();
        let mut waits = BackOff::new(request.number);
        let mut tries = 0;
        loop {
            let reserved = with.budget.reserve(request.worst_case(), &interrupted)?;
            let dialect = self.learned.now();
            let trouble = match self.line.post(&request.body(dialect)) {
                Ok(body) => match read_answer(&body, request) {
                    Ok(answer) => {
                        reserved.settle(&answer.usage);
                        return Ok(answer);
                    }
                    Err(reason) => {
                        reserved.lose();
                        let reason =
                            format!("{}; it begins: {}", self.line.cleaned(&reason), self.start(&body));
                        return Err(CollectError::NotAnAnswer { url: self.url(), reason });
                    }
                },
                Err(trouble) => trouble,
            };
            match &trouble {
                Trouble::Connection { sent: true, .. } | Trouble::TooLong => reserved.lose(),
                _ => drop(reserved),
            }
            if let Trouble::Status { status, body, .. } = &trouble
                && self.learned.learns(dialect, *status, body)
            {
                continue;
            }
            tries += 1;
            if tries > self.settings.retries || !passes(&trouble) {
                return Err(self.error(trouble, tries));
            }
            let told = match &trouble {
                Trouble::Status { retry_after, .. } => *retry_after,
                _ => None,
            };
            let wait = waits.next(told);
            // Once a request: a note a try would bury everything else.
            if tries == 1 {
                let url = self.line.url();
                with.progress
                    .note(&format!("{url}: {trouble}; asking again in {:.0} s", wait.as_secs_f64().ceil()));
            }
            with.pause.pause(wait, &interrupted);
        }
    }

    fn url(&self) -> String {
        self.line.url().to_owned()
    }

    fn start(&self, body: &str) -> String {
        self.line.cleaned(&body.chars().take(100).collect::<String>())
    }

    fn error(&self, trouble: Trouble, tries: u32) -> CollectError {
        let (url, passes) = (self.url(), passes(&trouble));
        match trouble {
            Trouble::Status { status, said, .. } if passes => CollectError::Busy { url, status, tries, said },
            Trouble::Status { status, said, .. } => CollectError::Rejected { url, status, said },
            Trouble::Connection { reason, .. } => CollectError::Unreachable { url, tries, reason },
            Trouble::Foreign { reason } => CollectError::NotAnAnswer { url, reason },
            Trouble::TooLong => CollectError::TooLong { url, limit: MOST_BYTES },
        }
    }
}

/// Seeds that every endpoint takes: 31 bits.
const SEEDS: u64 = 0x7fff_ffff;

/// Whether the same request may succeed later.
fn passes(trouble: &Trouble) -> bool {
    match trouble {
        // A 429 with OpenAI's code for an empty account is not about speed.
        Trouble::Status { status: 429, body, .. } => !body.contains("insufficient_quota"),
        Trouble::Status { status, .. } => matches!(status, 500 | 502 | 503 | 504),
        Trouble::Connection { .. } => true,
        Trouble::Foreign { .. } | Trouble::TooLong => false,
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
