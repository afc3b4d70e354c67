//! The models that are served: which answers to a name, what each is now, and how one is replaced.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::ServeError;
use super::metrics::Metrics;
use super::outside::{Answerer, Source};
use super::queue::{BatchLimits, BatchReport, Failure, Load, Queue, run_once, start_workers};
use super::settings::ServeSettings;

/// One served model: its place stays, what stands there may be replaced.
pub struct Served {
    /// The name that clients ask for.
    pub name: String,
    /// What waits for it.
    pub queue: Arc<Queue>,
    /// Explanations that wait for it. Each takes as long as a thousand answers, so that they have a thread of their own, and nobody who asks
    /// for labels stands behind them.
    pub explaining: Arc<Queue>,
    source: Box<dyn Source>,
    now: RwLock<Arc<dyn Answerer>>,
    state: Mutex<State>,
}

/// What is known of a model's files.
struct State {
    /// Of the files that were looked at last, whether they could be loaded or not.
    seen: Option<String>,
    loaded_at: OffsetDateTime,
    reloads: u64,
    /// Why the files of now are not the model that answers.
    broken: Option<String>,
}

/// All served models, the first of them for those who name none.
pub struct Models {
    all: Vec<Served>,
}

/// What a look at a model's files came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Reload {
    /// They are as they were.
    Unchanged,
    /// The new model answers.
    Done,
    /// They are broken; the old model answers.
    Failed(String),
}

impl Models {
    /// Load all, ask each for a first row, and start their threads.
    ///
    /// # Errors
    /// There is none, two have one name, or one cannot be loaded or asked.
    pub fn load(
        sources: Vec<Box<dyn Source>>,
        settings: &ServeSettings,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        if sources.is_empty() {
            return Err(ServeError::NoModel);
        }
        let mut names = HashSet::new();
        if let Some(twice) = sources.iter().map(|source| source.name()).find(|name| !names.insert(*name)) {
            return Err(ServeError::SameName { name: twice.to_owned() });
        }
        let load = |source| Served::load(source, settings, metrics);
        Ok(Self { all: sources.into_iter().map(load).collect::<Result<_, _>>()? })
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Served> {
        self.all.iter()
    }

    /// The model of a name, or else the first with an encoder of that name; the first model where none is named.
    pub fn find(&self, name: Option<&str>) -> Option<&Served> {
        let Some(name) = name else { return self.all.first() };
        let named = self.all.iter().find(|served| served.name == name);
        named.or_else(|| self.all.iter().find(|served| served.answerer().encoder() == Some(name)))
    }

    /// The names that can be asked for.
    pub fn names(&self) -> Vec<&str> {
        self.all.iter().map(|served| served.name.as_str()).collect()
    }

    /// Why not every model can be asked now; `None` where each can.
    pub fn stuck(&self, after: Duration) -> Option<String> {
        self.all.iter().find_map(|served| {
            let stalled = served.queue.stalled_for();
            let says = || format!("{}: nothing finished for {:.0} s", served.name, stalled.as_secs_f64());
            (stalled > after).then(says)
        })
    }
}

impl Served {
    fn load(
        source: Box<dyn Source>,
        settings: &ServeSettings,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        let name = source.name().to_owned();
        let broken = |reason: String| ServeError::Model { name: name.clone(), reason };
        let seen = source.fingerprint().map_err(|error| broken(error.to_string()))?;
        let answerer = loaded(source.as_ref()).map_err(broken)?;
        let limits = BatchLimits {
            tokens: settings.batch_tokens,
            rows: settings.batch_rows,
            window_tokens: settings.window_tokens,
        };
        let queue = Arc::new(Queue::new(limits, settings.queue_tokens));
        let explaining = Arc::new(Queue::new(BatchLimits { rows: 1, ..limits }, settings.queue_tokens));
        let (metrics, of) = (metrics.clone(), name.clone());
        let report: Arc<dyn Fn(&BatchReport) + Send + Sync> =
            Arc::new(move |report| metrics.batch(&of, report));
        start_workers(&name, &queue, settings.workers, &report)
            .and_then(|()| start_workers(&format!("{name} why"), &explaining, 1, &report))
            .map_err(|source| ServeError::System { action: "start a thread for a model", source })?;
        let state =
            State { seen: Some(seen), loaded_at: OffsetDateTime::now_utc(), reloads: 0, broken: None };
        Ok(Self { name, queue, explaining, source, now: RwLock::new(answerer), state: Mutex::new(state) })
    }

    /// What waits for it and what it does, explanations with the rest.
    pub fn load_now(&self) -> Load {
        let (asked, why) = (self.queue.load(), self.explaining.load());
        Load {
            rows: asked.rows + why.rows,
            tokens: asked.tokens + why.tokens,
            batches: asked.batches + why.batches,
        }
    }

    /// Take nothing more, and let the threads go.
    pub fn close(&self) {
        self.queue.close();
        self.explaining.close();
    }

    /// What answers now. Who holds it keeps it, whatever is loaded meanwhile.
    pub fn answerer(&self) -> Arc<dyn Answerer> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Look at the files, and load them where they have changed or `anyway`. It takes as long as loading does.
    pub fn reload(&self, anyway: bool) -> Reload {
        let (mut before, mut result) = (self.source.fingerprint(), Reload::Unchanged);
        // Files that change while they are read are read once more; those that go on changing, at the next look.
        for _ in 0..2 {
            let fingerprint = match &before {
                Ok(fingerprint) => Some(fingerprint.clone()),
                Err(_) => None,
            };
            let first = result == Reload::Unchanged;
            if fingerprint == self.state().seen && !(anyway && first) {
                break;
            }
            let found = match &before {
                Ok(_) => loaded(self.source.as_ref()),
                Err(error) => Err(error.to_string()),
            };
            self.state().seen = fingerprint;
            result = self.take(found);
            before = self.source.fingerprint();
        }
        result
    }

    fn take(&self, found: Result<Arc<dyn Answerer>, String>) -> Reload {
        match found {
            Ok(answerer) => {
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = answerer;
                let mut state = self.state();
                state.loaded_at = OffsetDateTime::now_utc();
                state.reloads += 1;
                state.broken = None;
                Reload::Done
            }
            Err(reason) => {
                self.state().broken = Some(reason.clone());
                Reload::Failed(reason)
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `/info` says of it.
    pub fn info(&self) -> Value {
        let (answerer, load) = (self.answerer(), self.load_now());
        let state = self.state();
        json!({
            "name": self.name,
            "text_fields": answerer.text_fields(),
            "columns": answerer.columns(),
            "classes": answerer.classes(),
            "encoder": answerer.encoder(),
            "max_tokens": answerer.max_tokens(),
            "loaded_at": state.loaded_at.format(&Rfc3339).unwrap_or_default(),
            "reloads": state.reloads,
            "broken": state.broken,
            "queue": { "rows": load.rows, "tokens": load.tokens },
            "model": answerer.info(),
        })
    }
}

/// A model that has answered a first row.
fn loaded(source: &dyn Source) -> Result<Arc<dyn Answerer>, String> {
    let load = std::panic::AssertUnwindSafe(|| source.load());
    let answerer = std::panic::catch_unwind(load)
        .map_err(|_| "loading it panicked".to_owned())?
        .map_err(|error| error.to_string())?;
    match run_once(answerer.as_ref()) {
        Ok(()) => Ok(answerer),
        Err(Failure::Model(reason)) => Err(format!("it fails on its first row: {reason}")),
        Err(Failure::Panicked) => Err("it panics on its first row".to_owned()),
        Err(Failure::Closed) => Err("the server stops".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::outside::AnswerError;
    use crate::queue::tests::Echo;

    /// Files whose fingerprints are these, one after the other and then the last, and whose loading is counted.
    struct Files {
        fingerprints: Mutex<Vec<Result<&'static str, &'static str>>>,
        loads: Arc<AtomicUsize>,
        broken: bool,
    }

    impl Source for Files {
        fn name(&self) -> &str {
            "files"
        }
        fn fingerprint(&self) -> Result<String, AnswerError> {
            let mut all = self.fingerprints.lock().unwrap();
            let now = if all.len() > 1 { all.remove(0) } else { all[0] };
            now.map(str::to_owned).map_err(|e| AnswerError(e.to_owned()))
        }
        fn load(&self) -> Result<Arc<dyn Answerer>, AnswerError> {
            let before = self.loads.fetch_add(1, Ordering::SeqCst);
            assert!(!self.broken || before == 0, "a panic while loading");
            Ok(Arc::new(Echo::default()))
        }
    }

    fn served(
        fingerprints: &[Result<&'static str, &'static str>],
        broken: bool,
    ) -> (Served, Arc<AtomicUsize>) {
        let loads = Arc::new(AtomicUsize::new(0));
        let fingerprints = Mutex::new(fingerprints.to_vec());
        let source = Box::new(Files { fingerprints, loads: loads.clone(), broken });
        let metrics = Arc::new(Metrics::new().unwrap());
        (Served::load(source, &ServeSettings::default(), &metrics).unwrap(), loads)
    }

    #[test]
    fn files_are_loaded_when_they_change_and_again_where_they_change_meanwhile() {
        let (served, loads) = served(&[Ok("a"), Ok("a"), Ok("b"), Ok("c")], false);
        assert_eq!(served.reload(false), Reload::Unchanged);
        assert_eq!(loads.load(Ordering::SeqCst), 1);
        // They are b, and c once b is loaded.
        assert_eq!(served.reload(false), Reload::Done);
        assert_eq!(loads.load(Ordering::SeqCst), 3);
        assert_eq!(served.reload(false), Reload::Unchanged);
        assert_eq!(served.reload(true), Reload::Done);
        assert_eq!(loads.load(Ordering::SeqCst), 4);
        served.close();
    }

    #[test]
    fn files_that_are_gone_or_broken_are_said_once_and_the_old_model_stays() {
        let (served, _) = served(&[Ok("a"), Err("gone"), Err("gone"), Err("gone"), Ok("b")], true);
        let old = served.answerer();
        assert_eq!(served.reload(false), Reload::Failed("gone".into()));
        assert_eq!(served.reload(false), Reload::Unchanged);
        assert_eq!(served.info()["broken"], "gone");
        assert_eq!(served.reload(false), Reload::Failed("loading it panicked".into()));
        assert_eq!(served.reload(false), Reload::Unchanged);
        assert!(Arc::ptr_eq(&old, &served.answerer()));
        served.close();
    }
}
