//! One request on its way to the model: its rows, and where their answers are put together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::outside::{Answer, Answerer, Embedded, Row};

/// What is asked of a model.
#[derive(Debug)]
pub enum Work {
    /// Labels of rows.
    Predict(Vec<Row>),
    /// Labels of rows, and why.
    Explain {
        /// The rows.
        rows: Vec<Row>,
        /// Orders in which words and columns are put together.
        samples: usize,
    },
    /// Embeddings of texts.
    Embed {
        /// The texts.
        texts: Vec<String>,
        /// Whether each vector is scaled to length 1.
        normalize: bool,
    },
}

impl Work {
    /// Its rows or texts.
    pub fn len(&self) -> usize {
        match self {
            Self::Predict(rows) | Self::Explain { rows, .. } => rows.len(),
            Self::Embed { texts, .. } => texts.len(),
        }
    }
}

/// The answers to all rows of a request, in their order.
#[derive(Debug)]
pub enum Done {
    /// To [`Work::Predict`] and [`Work::Explain`].
    Answers(Vec<Result<Answer, String>>),
    /// To [`Work::Embed`].
    Embeddings(Vec<Embedded>),
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The model said so.
    Model(String),
    /// The model panicked.
    Panicked,
    /// The server stops.
    Closed,
}

/// The answer to one row.
pub enum Part {
    Answer(Result<Answer, String>),
    Embedding(Embedded),
}

/// What is asked at once may stand in one batch: of one model, the same thing.
#[derive(Clone, Copy, PartialEq)]
pub struct Group {
    model: *const (),
    asked: Asked,
}

#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Labels,
    Reasons { samples: usize },
    Vectors { normalize: bool },
}

/// One request.
pub struct Job {
    /// The model that was there when the request came; a swap does not change it.
    pub model: Arc<dyn Answerer>,
    pub work: Work,
    /// Tokens of each row.
    pub costs: Vec<usize>,
    cancelled: AtomicBool,
    parts: Mutex<Parts>,
}

struct Parts {
    done: Vec<Option<Part>>,
    missing: usize,
    waiter: Option<oneshot::Sender<Result<Done, Failure>>>,
}

impl Job {
    /// A job, and where its answer comes.
    pub fn new(
        model: Arc<dyn Answerer>,
        work: Work,
        costs: Vec<usize>,
    ) -> (Arc<Self>, oneshot::Receiver<Result<Done, Failure>>) {
        let (waiter, answer) = oneshot::channel();
        let missing = work.len();
        let done = std::iter::repeat_with(|| None).take(missing).collect();
        let parts = Mutex::new(Parts { done, missing, waiter: Some(waiter) });
        (Arc::new(Self { model, work, costs, cancelled: AtomicBool::new(false), parts }), answer)
    }

    /// What it may share a batch with.
    pub fn group(&self) -> Group {
        let asked = match &self.work {
            Work::Predict(_) => Asked::Labels,
            Work::Explain { samples, .. } => Asked::Reasons { samples: *samples },
            Work::Embed { normalize, .. } => Asked::Vectors { normalize: *normalize },
        };
        Group { model: Arc::as_ptr(&self.model).cast(), asked }
    }

    /// Nobody waits for it any more.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Put the answer to a row in its place; with the last one the request is answered.
    pub fn deliver(&self, place: usize, part: Part) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = parts.done.get_mut(place) else { return };
        if slot.replace(part).is_none() {
            parts.missing -= 1;
        }
        if parts.missing > 0 {
            return;
        }
        if let Some(waiter) = parts.waiter.take() {
            let done = std::mem::take(&mut parts.done).into_iter().flatten();
            let _ = waiter.send(Ok(self.gathered(done)));
        }
    }

    /// The whole request has failed; its rows that wait are not asked.
    pub fn fail(&self, failure: Failure) {
        self.cancel();
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiter) = parts.waiter.take() {
            let _ = waiter.send(Err(failure));
        }
    }

    fn gathered(&self, parts: impl Iterator<Item = Part>) -> Done {
        match &self.work {
            Work::Predict(_) | Work::Explain { .. } => {
                let answer = |part| if let Part::Answer(answer) = part { Some(answer) } else { None };
                Done::Answers(parts.filter_map(answer).collect())
            }
            Work::Embed { .. } => {
                let vector = |part| if let Part::Embedding(vector) = part { Some(vector) } else { None };
                Done::Embeddings(parts.filter_map(vector).collect())
            }
        }
    }
}
