//! The loop: planned requests, several at once, from what is kept or from the endpoint, to checked rows in the plan's order.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, Scope};
use std::time::Instant;

use super::budget::Estimate;
use super::counts::{Counts, Ended, Outcome};
use super::error::CollectError;
use super::generation::{Answered, Generation};
use super::kept::Lookup;
use super::limits::Tokens;
use super::plan::Planned;
use super::request::Request;
use super::state::{Done, Finished, State};

impl Generation<'_> {
    /// What the requests for the wanted rows would take at most if every row were valid; of a plan without end and nothing wanted,
    /// nothing is estimated. `plan` is asked for no more than is needed.
    ///
    /// # Errors
    /// A prompt cannot be written.
    pub fn estimate(
        &self,
        plan: impl Iterator<Item = Result<Planned, CollectError>>,
    ) -> Result<Estimate, CollectError> {
        let (mut rows, mut requests, mut tokens) = (0, 0, Tokens::default());
        for planned in plan {
            if self.wanted.is_some_and(|wanted| rows >= wanted) {
                break;
            }
            let planned = planned?;
            rows += planned.rows;
            let request = self.client.request(planned.number, planned.messages, planned.schema);
            if let Lookup::Found(_) = self.kept.get(&request) {
                continue;
            }
            let worst = request.worst_case();
            requests += 1;
            tokens.prompt += worst.prompt;
            tokens.completion += worst.completion;
        }
        Ok(self.asking.budget.estimate(requests, tokens))
    }

    /// Go through `plan`. Each finished request is given to `finished` on this thread, in the plan's order, so that a run that is
    /// replayed gives the same rows; it may stop the run, e.g. where rows cannot be written.
    ///
    /// No more requests are begun than the missing rows need if all of them turn out valid. Every answer is kept before it is
    /// looked at, and at every end those under way are waited for: nothing that was paid for is lost.
    pub fn run(
        &self,
        plan: impl Iterator<Item = Result<Planned, CollectError>>,
        finished: &mut dyn FnMut(&Finished) -> ControlFlow<()>,
    ) -> Outcome {
        let start = Instant::now();
        let progress = self.asking.progress;
        match (self.wanted, plan.size_hint().1) {
            (Some(wanted), _) => progress.start("asking the model", wanted as u64, "rows"),
            (None, requests) => progress.start("asking the model", requests.unwrap_or(0) as u64, "requests"),
        }
        let mut state = State::new(self, finished);
        let mut plan = plan.fuse();
        thread::scope(|scope| {
            let (sender, receiver) = channel();
            loop {
                while state.may_begin() {
                    match plan.next() {
                        Some(Ok(planned)) => {
                            state.begun(&planned);
                            self.begin(scope, planned, sender.clone());
                        }
                        Some(Err(error)) => state.end(Ended::Failed(error)),
                        None => state.end(Ended::PlanDone),
                    }
                }
                if state.under_way == 0 {
                    break;
                }
                state.receive(&receiver);
            }
        });
        progress.finish();
        let ended = state.ended.unwrap_or(Ended::PlanDone);
        Outcome { counts: Counts { seconds: start.elapsed().as_secs_f64(), ..state.counts }, ended }
    }

    /// Answer a request on a thread of its own: beside the time that a model takes, a thread costs nothing.
    fn begin<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        planned: Planned,
        sender: Sender<thread::Result<Done>>,
    ) {
        scope.spawn(move || {
            let done = catch_unwind(AssertUnwindSafe(|| self.answer(planned)));
            // The other end is there until every thread has sent.
            let _ = sender.send(done);
        });
    }

    fn answer(&self, planned: Planned) -> Done {
        let request = self.client.request(planned.number, planned.messages.clone(), planned.schema.clone());
        let Answered { from_kept, damaged, answer } = self.answered(&request);
        Done { planned, hash: request.hash(), from_kept, damaged, answer }
    }

    /// The answer to `request`: what is kept, else what the endpoint says, which is kept then.
    pub(super) fn answered(&self, request: &Request) -> Answered {
        let damaged = match self.kept.get(request) {
            Lookup::Found(answer) => return Answered { from_kept: true, damaged: None, answer: Ok(answer) },
            Lookup::Absent => None,
            Lookup::Damaged(reason) => Some(reason),
        };
        let answer = if self.offline {
            let (folder, hash) = (self.kept.folder().to_owned(), request.hash());
            Err(CollectError::NotKept { number: request.number, hash, folder, damaged: damaged.clone() })
        } else {
            let answer = self.client.ask(request, self.asking);
            answer.and_then(|answer| {
                self.kept.put(request, &answer, self.client.base_url())?;
                Ok(answer)
            })
        };
        Answered { from_kept: false, damaged, answer }
    }
}

#[cfg(test)]
#[path = "generate_tests.rs"]
mod tests;
