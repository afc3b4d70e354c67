//! What every request of one server shares.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Semaphore;

use super::error::ServeError;
use super::keys::Keys;
use super::log::{Level, Log};
use super::metrics::Metrics;
use super::models::{Models, Reload};
use super::queue::{Done, Submission, Work};
use super::refusal::Refusal;
use super::settings::ServeSettings;

/// One server's settings, models and counters.
pub struct App {
    /// What it was told.
    pub settings: ServeSettings,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// Where it writes what happens.
    pub log: Log,
    /// When it began.
    pub began: Instant,
    /// A permit for each kilobyte of a body.
    pub bodies: Arc<Semaphore>,
    keys: RwLock<Option<Arc<Keys>>>,
    models: OnceLock<Models>,
    stopping: AtomicBool,
}

/// Who asks, as far as turns are concerned: those with one key, or else with one address, are one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Client(pub u64);

impl App {
    /// A server without models yet.
    ///
    /// # Errors
    /// A setting is out of its bounds, or the keys cannot be read.
    pub fn new(settings: ServeSettings, log: Log) -> Result<Self, ServeError> {
        settings.check()?;
        let keys = settings.keys.as_deref().map(Keys::read).transpose()?.map(Arc::new);
        let metrics = Metrics::new().map_err(|error| ServeError::System {
            action: "count what happens",
            source: std::io::Error::other(error),
        })?;
        Ok(Self {
            bodies: Arc::new(Semaphore::new(settings.bodies_bytes.div_ceil(1024))),
            settings,
            metrics: Arc::new(metrics),
            log,
            began: Instant::now(),
            keys: RwLock::new(keys),
            models: OnceLock::new(),
            stopping: AtomicBool::new(false),
        })
    }

    /// The models are loaded.
    pub fn has_loaded(&self, models: Models) {
        let _ = self.models.set(models);
    }

    /// The models.
    ///
    /// # Errors
    /// They are being loaded.
    pub fn models(&self) -> Result<&Models, Refusal> {
        self.models
            .get()
            .ok_or_else(|| Refusal::Unavailable { what: "the models are being loaded".to_owned() })
    }

    /// The keys that may ask; none where everybody may.
    pub fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server stops: nobody should send more.
    pub fn begin_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Why nothing should be sent here now.
    ///
    /// # Errors
    /// The models are not loaded, one hangs, or the server stops.
    pub fn ready(&self) -> Result<(), Refusal> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(Refusal::Unavailable { what: "the server stops".to_owned() });
        }
        let after = Duration::from_secs_f64(self.settings.stuck_after_s);
        self.models()?.stuck(after).map_or(Ok(()), |what| Err(Refusal::Unavailable { what }))
    }

    /// Look at the files of all models and load what has changed; `anyway` load all, and read the keys again.
    pub fn reload(&self, anyway: bool) {
        if let (true, Some(path)) = (anyway, &self.settings.keys) {
            match Keys::read(path) {
                Ok(keys) => {
                    *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(keys));
                    self.log.line(Level::Info, "keys read again", json!({}));
                }
                Err(error) => {
                    let reason = json!({ "reason": error.to_string() });
                    self.log.line(Level::Error, "the old keys stay", reason);
                }
            }
        }
        let Ok(models) = self.models() else { return };
        for served in models.iter() {
            let begin = Instant::now();
            let result = served.reload(anyway);
            let (model, took) = (&served.name, begin.elapsed().as_secs_f64());
            match result {
                Reload::Unchanged => {}
                Reload::Done => {
                    self.metrics.reloaded(model, true);
                    self.log.line(Level::Info, "model replaced", json!({ "model": model, "seconds": took }));
                }
                Reload::Failed(reason) => {
                    self.metrics.reloaded(model, false);
                    let fields = json!({ "model": model, "reason": reason });
                    self.log.line(Level::Error, "the old model stays", fields);
                }
            }
        }
    }

    /// Ask a model, in turn with all others, for at least one row.
    ///
    /// # Errors
    /// It is too much, the queue is full, the model fails, or it takes too long.
    pub async fn ask(&self, client: Client, question: Question<'_>) -> Result<Done, Refusal> {
        let Question { model, queue, answerer, work, costs } = question;
        let (rows, tokens) = (costs.len(), costs.iter().sum::<usize>());
        let most = self.settings.request_tokens;
        if tokens > most {
            let found = tokens.to_string();
            return Err(Refusal::TooLarge { found, most, unit: "tokens", setting: "request_tokens" });
        }
        let submission = Submission { client: client.0, model: answerer, work, costs };
        let mut ticket = queue.submit(submission).map_err(|full| Refusal::Busy {
            waiting: full.waiting,
            most: full.most,
            retry_after_s: full.retry_after_s,
        })?;
        self.metrics.taken(model, rows, tokens);
        let seconds = self.settings.request_timeout_s;
        let answer = tokio::time::timeout(Duration::from_secs_f64(seconds), ticket.answer()).await;
        Ok(answer.map_err(|_| Refusal::SlowAnswer { seconds })??)
    }

    /// Whether one request may have so many texts.
    ///
    /// # Errors
    /// It may not.
    pub fn check_texts(&self, texts: usize) -> Result<(), Refusal> {
        let most = self.settings.request_texts;
        let found = texts.to_string();
        if texts <= most {
            return Ok(());
        }
        Err(Refusal::TooLarge { found, most, unit: "texts", setting: "request_texts" })
    }
}

/// What is asked of which model.
pub struct Question<'a> {
    /// Its name.
    pub model: &'a str,
    /// Where it is asked.
    pub queue: &'a super::queue::Queue,
    /// The model of now.
    pub answerer: Arc<dyn super::outside::Answerer>,
    /// What is asked.
    pub work: Work,
    /// Tokens of each row.
    pub costs: Vec<usize>,
}
