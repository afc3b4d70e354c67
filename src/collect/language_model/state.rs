//! Where a run stands: answers put back into the plan's order, read, counted and handed on; and whether to go on.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::mpsc::Receiver;
use std::thread;

use super::answer::{Answer, Finish, Usage};
use super::counts::{Counts, Ended};
use super::error::{CollectError, Failure};
use super::generation::Generation;
use super::plan::{Origin, Planned};
use super::reply::{Row, read_rows};
use super::rules::{Reason, Refusal, likeness};

/// After so many requests in a row that got no answer, the endpoint is taken for broken. A guess.
pub(super) const FAILURES: u32 = 5;

/// After so many answers in a row without a valid row, the prompt or the model is taken for unfit. A guess.
pub(super) const UNUSABLE: u32 = 20;

/// A request that is finished.
#[derive(Debug)]
pub struct Finished {
    /// Its number in the plan; numbers come in order.
    pub number: u64,
    /// Where its rows come from.
    pub origin: Origin,
    /// Hash of the request, which names its file among the kept answers.
    pub hash: String,
    /// Whether its answer was kept from before.
    pub from_kept: bool,
    /// What it took; `None` where there is no answer.
    pub usage: Option<Usage>,
    /// Its rows, or why each cannot be used.
    pub rows: Vec<Result<Row, Refusal>>,
    /// Why it brought no row at all, and what that was in particular.
    pub failure: Option<(Failure, String)>,
}

/// What a thread brings back.
pub(super) struct Done {
    pub planned: Planned,
    pub hash: String,
    pub from_kept: bool,
    pub damaged: Option<String>,
    pub answer: Result<Answer, CollectError>,
}

/// Where a run stands.
pub(super) struct State<'a> {
    run: &'a Generation<'a>,
    finished: &'a mut dyn FnMut(&Finished) -> ControlFlow<()>,
    pub counts: Counts,
    pub ended: Option<Ended>,
    /// Requests begun and not received.
    pub under_way: usize,
    /// Requests received before an earlier one.
    early: BTreeMap<u64, Done>,
    /// Numbers begun, in order, and not yet delivered.
    order: VecDeque<u64>,
    /// Rows asked for by those.
    expected: usize,
    failures: u32,
    unusable: u32,
    /// Rows so far, as their [`likeness`].
    seen: HashSet<String>,
}

impl<'a> State<'a> {
    pub fn new(run: &'a Generation<'a>, finished: &'a mut dyn FnMut(&Finished) -> ControlFlow<()>) -> Self {
        Self {
            run,
            finished,
            counts: Counts::default(),
            ended: None,
            under_way: 0,
            early: BTreeMap::new(),
            order: VecDeque::new(),
            expected: 0,
            failures: 0,
            unusable: 0,
            seen: HashSet::new(),
        }
    }

    pub fn may_begin(&mut self) -> bool {
        if self.ended.is_none() && self.is_enough(self.counts.valid as usize) {
            self.end(Ended::Wanted);
        }
        if self.ended.is_none() && self.run.asking.progress.interrupted() {
            self.end(Ended::Interrupted);
        }
        let concurrency = self.run.concurrency.max(1);
        self.ended.is_none()
            && self.under_way < concurrency
            // A request that is tried again and again does not let the others run away from it.
            && self.order.len() < 2 * concurrency
            && !self.is_enough(self.counts.valid as usize + self.expected)
    }

    fn is_enough(&self, rows: usize) -> bool {
        self.run.wanted.is_some_and(|wanted| rows >= wanted)
    }

    pub fn end(&mut self, ended: Ended) {
        self.ended.get_or_insert(ended);
    }

    pub fn begun(&mut self, planned: &Planned) {
        self.under_way += 1;
        self.expected += planned.rows;
        self.order.push_back(planned.number);
    }

    pub fn receive(&mut self, receiver: &Receiver<thread::Result<Done>>) {
        match receiver.recv() {
            Ok(Ok(done)) => {
                self.under_way -= 1;
                self.early.insert(done.planned.number, done);
            }
            Ok(Err(panic)) => resume_unwind(panic),
            // The sender of the loop itself is still there.
            Err(_) => unreachable!("the channel of answers has no sender left"),
        }
        while let Some(done) = self.order.front().and_then(|number| self.early.remove(number)) {
            self.order.pop_front();
            self.expected -= done.planned.rows;
            self.deliver(done);
        }
    }

    fn deliver(&mut self, done: Done) {
        if let Some(reason) = &done.damaged {
            self.counts.damaged += 1;
            let note = format!("the kept answer {} is damaged and is asked anew: {reason}", done.hash);
            self.run.asking.progress.note(&note);
        }
        if let Ok(answer) = &done.answer {
            self.count(answer, done.from_kept);
        }
        if matches!(self.ended, Some(Ended::Wanted | Ended::ByCaller)) {
            self.counts.spare += 1;
            return;
        }
        let usage = done.answer.as_ref().ok().map(|answer| answer.usage);
        let rows = match done.answer {
            Ok(answer) => {
                self.failures = 0;
                self.rows(&answer, &done.planned)
            }
            Err(CollectError::Interrupted) => return self.end(Ended::Interrupted),
            Err(CollectError::Budget(limit)) => return self.end(Ended::Budget(limit)),
            Err(error) => {
                let failure = (Failure::of(&error), error.to_string());
                self.failures += 1;
                if error.ends_the_run() || self.failures >= FAILURES {
                    self.end(Ended::Failed(error));
                }
                Err(failure)
            }
        };
        let (rows, failure) = rows.map_or_else(|failure| (Vec::new(), Some(failure)), |rows| (rows, None));
        if let Some((kind, _)) = &failure {
            *self.counts.failed.entry(*kind).or_default() += 1;
        }
        let valid = rows.iter().filter(|row| row.is_ok()).count() as u64;
        self.counts.valid += valid;
        for refusal in rows.iter().filter_map(|row| row.as_ref().err()) {
            *self.counts.refused.entry(refusal.reason).or_default() += 1;
        }
        self.run.asking.progress.advance(if self.run.wanted.is_some() { valid } else { 1 });
        if usage.is_some() {
            self.unusable = if valid > 0 { 0 } else { self.unusable + 1 };
            if self.unusable >= UNUSABLE {
                self.end(Ended::NothingUsable { answers: self.unusable });
            }
        }
        let Planned { number, origin, .. } = done.planned;
        let (hash, from_kept) = (done.hash, done.from_kept);
        let report = Finished { number, origin, hash, from_kept, usage, rows, failure };
        if (self.finished)(&report).is_break() {
            self.end(Ended::ByCaller);
        }
        if self.is_enough(self.counts.valid as usize) {
            self.end(Ended::Wanted);
        }
    }

    fn count(&mut self, answer: &Answer, from_kept: bool) {
        if answer.finish == Finish::Length {
            self.counts.cut_off += 1;
        }
        if from_kept {
            self.counts.from_kept += 1;
            return;
        }
        self.counts.asked += 1;
        self.counts.tokens.prompt += answer.usage.prompt_tokens;
        self.counts.tokens.completion += answer.usage.completion_tokens;
        self.counts.tokens_estimated |= answer.usage.estimated;
    }

    /// The rows of an answer, those that were there before refused; `Err` of why there is none.
    fn rows(
        &mut self,
        answer: &Answer,
        planned: &Planned,
    ) -> Result<Vec<Result<Row, Refusal>>, (Failure, String)> {
        let start = |text: &str| text.trim().chars().take(200).collect::<String>();
        if let Finish::Refused(reason) = &answer.finish {
            return Err((Failure::Refused, start(reason)));
        }
        let cut_off = answer.finish == Finish::Length;
        let Some(reply) = read_rows(&answer.text, &planned.rules).filter(|reply| !reply.rows.is_empty())
        else {
            let failure = match (cut_off, answer.text.trim().is_empty()) {
                (true, _) => Failure::CutOff,
                (false, true) => Failure::Empty,
                (false, false) => Failure::NoJson,
            };
            return Err((failure, start(&answer.text)));
        };
        self.counts.repaired += u64::from(reply.repaired);
        let seen = &mut self.seen;
        let mut first_time = |row: Row| {
            if seen.insert(likeness(&row.texts)) {
                return Ok(row);
            }
            Err(Refusal::new(Reason::Repeated, "", &row.texts.join(" / ")))
        };
        Ok(reply.rows.into_iter().map(|row| row.and_then(&mut first_time)).collect())
    }
}
