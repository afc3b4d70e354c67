//! The queue of one model: who may still come, who waits, who has left, and what is next.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::batch::{BatchLimits, take_batch};
use super::fair::{FairOrder, Item};
use super::job::{Done, Failure, Job, Work};
use crate::outside::Answerer;

/// Requests that wait for one model.
pub struct Queue {
    state: Mutex<State>,
    more: Condvar,
    limits: BatchLimits,
    most_tokens: usize,
}

#[derive(Default)]
struct State {
    order: FairOrder,
    load: Load,
    /// Requests of the rows that the model has now, once for each of its batches.
    asked: Vec<Arc<Job>>,
    /// Since when something is here without anything having been finished.
    idle_since: Option<Instant>,
    tokens_per_s: Option<f64>,
    closed: bool,
}

/// What is in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Rows that wait.
    pub rows: usize,
    /// Their tokens.
    pub tokens: usize,
    /// Batches that the model has now.
    pub batches: usize,
}

/// One request for the queue.
pub struct Submission {
    /// Who asks: those who are the same take one turn.
    pub client: u64,
    /// The model that answers all of it.
    pub model: Arc<dyn Answerer>,
    /// What is asked.
    pub work: Work,
    /// Tokens of each row.
    pub costs: Vec<usize>,
}

/// The queue had no room.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Full {
    /// Tokens that wait.
    pub waiting: usize,
    /// Tokens that may.
    pub most: usize,
    /// After how many seconds asking again may help.
    pub retry_after_s: u64,
}

/// Rows that the model is asked now.
pub struct Batch {
    pub items: Vec<Item>,
}

/// A request in the queue. When it is dropped before it is answered, it leaves.
pub struct Ticket<'q> {
    queue: &'q Queue,
    job: Arc<Job>,
    answer: oneshot::Receiver<Result<Done, Failure>>,
}

impl Queue {
    /// An empty queue for at most so many tokens.
    pub fn new(limits: BatchLimits, most_tokens: usize) -> Self {
        Self { state: Mutex::default(), more: Condvar::new(), limits, most_tokens }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Let a request of at least one row wait.
    ///
    /// # Errors
    /// It has no room.
    pub fn submit(&self, submission: Submission) -> Result<Ticket<'_>, Full> {
        let Submission { client, model, work, costs } = submission;
        let (rows, tokens) = (work.len(), costs.iter().sum::<usize>());
        let (job, answer) = Job::new(model, work, costs);
        let mut state = self.state();
        if state.load.tokens + tokens > self.most_tokens {
            let (waiting, retry_after_s) = (state.load.tokens, state.retry_after_s());
            return Err(Full { waiting, most: self.most_tokens, retry_after_s });
        }
        if state.closed {
            job.fail(Failure::Closed);
        } else {
            state.order.push(client, &job);
            state.load.rows += rows;
            state.load.tokens += tokens;
            state.idle_since.get_or_insert_with(Instant::now);
            self.more.notify_one();
        }
        drop(state);
        Ok(Ticket { queue: self, job, answer })
    }

    /// The next batch, as soon as anything waits; `None` once the queue is closed.
    pub fn next(&self) -> Option<Batch> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            let items = take_batch(&mut state.order, &self.limits);
            if !items.is_empty() {
                state.load.rows -= items.len();
                state.load.tokens -= items.iter().map(Item::cost).sum::<usize>();
                state.load.batches += 1;
                state.asked.extend(requests(&items));
                if state.load.rows > 0 {
                    self.more.notify_one();
                }
                return Some(Batch { items });
            }
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A batch is answered, of which so many `tokens` were asked for so long a `time`.
    pub fn finished(&self, batch: &Batch, tokens: usize, time: Duration) {
        // Of the last ten batches or so.
        const WEIGHT: f64 = 0.1;
        let mut state = self.state();
        state.load.batches -= 1;
        for job in requests(&batch.items) {
            if let Some(place) = state.asked.iter().position(|other| Arc::ptr_eq(other, &job)) {
                state.asked.swap_remove(place);
            }
        }
        let anything = state.load.rows > 0 || state.load.batches > 0;
        state.idle_since = anything.then(Instant::now);
        let rate = tokens as f64 / time.as_secs_f64().max(1e-6);
        state.tokens_per_s = Some(state.tokens_per_s.map_or(rate, |old| old + WEIGHT * (rate - old)));
    }

    /// What is in it.
    pub fn load(&self) -> Load {
        self.state().load
    }

    /// How long something has been here without anything having been finished.
    pub fn stalled_for(&self) -> Duration {
        self.state().idle_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Take nothing more; what waits has failed, and so has what is asked now, for its answer would come too late.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let mut left = state.order.drain();
        left.extend(state.asked.iter().cloned());
        (state.load.rows, state.load.tokens) = (0, 0);
        drop(state);
        left.iter().for_each(|job| job.fail(Failure::Closed));
        self.more.notify_all();
    }

    fn leave(&self, job: &Arc<Job>) {
        job.cancel();
        let mut state = self.state();
        let removed = state.order.remove(job);
        state.load.rows -= removed.rows;
        state.load.tokens -= removed.tokens;
        if state.load.rows == 0 && state.load.batches == 0 {
            state.idle_since = None;
        }
    }
}

/// The requests of rows, each once.
fn requests(items: &[Item]) -> Vec<Arc<Job>> {
    let mut jobs: Vec<Arc<Job>> = items.iter().map(|item| item.job.clone()).collect();
    jobs.sort_by_key(Arc::as_ptr);
    jobs.dedup_by(|a, b| Arc::ptr_eq(a, b));
    jobs
}

impl State {
    /// About how long what waits will take, within reason.
    fn retry_after_s(&self) -> u64 {
        let seconds = self.tokens_per_s.map_or(1.0, |rate| self.load.tokens as f64 / rate.max(1.0));
        seconds.ceil().clamp(1.0, 60.0) as u64
    }
}

impl Ticket<'_> {
    /// The answers to all rows.
    ///
    /// # Errors
    /// The model failed on a batch with one of them, or the queue was closed.
    pub async fn answer(&mut self) -> Result<Done, Failure> {
        (&mut self.answer).await.unwrap_or(Err(Failure::Closed))
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.queue.leave(&self.job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::worker::tests::Echo;

    const LIMITS: BatchLimits = BatchLimits { tokens: 100, rows: 8, window_tokens: 1000 };

    fn submission(costs: &[usize]) -> Submission {
        let texts = costs.iter().map(ToString::to_string).collect();
        let work = Work::Embed { texts, normalize: true };
        Submission { client: 1, model: Arc::new(Echo::default()), work, costs: costs.to_vec() }
    }

    #[test]
    fn a_full_queue_says_how_long_to_wait() {
        let queue = Queue::new(LIMITS, 100);
        let held = queue.submit(submission(&[60])).unwrap();
        let full = Full { waiting: 60, most: 100, retry_after_s: 1 };
        assert_eq!(queue.submit(submission(&[41])).err(), Some(full));
        let batch = queue.next().unwrap();
        queue.finished(&batch, batch.items[0].cost(), Duration::from_secs(6));
        // 10 tokens a second were done, so 100 take 10 s.
        let also = queue.submit(submission(&[100])).unwrap();
        let full = Full { waiting: 100, most: 100, retry_after_s: 10 };
        assert_eq!(queue.submit(submission(&[1])).err(), Some(full));
        drop((held, also));
    }

    #[test]
    fn who_leaves_takes_his_rows_with_him() {
        let queue = Queue::new(LIMITS, 1000);
        let gone = queue.submit(submission(&[90, 90, 90])).unwrap();
        let stays = queue.submit(submission(&[5])).unwrap();
        let begun = queue.next().unwrap();
        assert_eq!(queue.load(), Load { rows: 3, tokens: 185, batches: 1 });
        drop(gone);
        assert_eq!(queue.load(), Load { rows: 1, tokens: 5, batches: 1 });
        assert!(begun.items[0].job.is_cancelled());
        assert_eq!(queue.next().unwrap().items[0].cost(), 5);
        drop(stays);
    }

    #[test]
    fn a_stall_is_seen_only_while_something_is_here() {
        let queue = Queue::new(LIMITS, 1000);
        assert_eq!(queue.stalled_for(), Duration::ZERO);
        let ticket = queue.submit(submission(&[5])).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        assert!(queue.stalled_for() >= Duration::from_millis(5));
        let batch = queue.next().unwrap();
        assert!(queue.stalled_for() >= Duration::from_millis(5));
        queue.finished(&batch, 5, Duration::from_millis(1));
        assert_eq!(queue.stalled_for(), Duration::ZERO);
        drop(ticket);
        drop(queue.submit(submission(&[5])).unwrap());
        assert_eq!(queue.stalled_for(), Duration::ZERO);
    }

    #[test]
    fn a_closed_queue_answers_everybody_and_lets_its_threads_go() {
        let queue = Queue::new(LIMITS, 1000);
        let mut asked = queue.submit(submission(&[5])).unwrap();
        let batch = queue.next().unwrap();
        let mut waits = queue.submit(submission(&[5])).unwrap();
        queue.close();
        let mut late = queue.submit(submission(&[5])).unwrap();
        assert!(queue.next().is_none());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(matches!(runtime.block_on(asked.answer()), Err(Failure::Closed)));
        queue.finished(&batch, 5, Duration::from_millis(1));
        assert!(matches!(runtime.block_on(waits.answer()), Err(Failure::Closed)));
        assert!(matches!(runtime.block_on(late.answer()), Err(Failure::Closed)));
    }
}
