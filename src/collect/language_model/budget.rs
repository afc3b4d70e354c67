//! Limits on requests, tokens and money, kept before they are passed.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::answer::Usage;
use super::error::CollectError;
use super::limits::{Limit, Limits, Prices, Tokens};

/// What requests would take at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Requests.
    pub requests: u64,
    /// Tokens: prompts as estimated, answers as long as `max_tokens` allows.
    pub tokens: Tokens,
    /// Money, where prices are set.
    pub cost: Option<f64>,
    /// A limit that this would pass.
    pub passes: Option<Limit>,
}

/// What may be spent and what has been; shared by all threads of a run.
pub struct Budget {
    limits: Limits,
    prices: Option<Prices>,
    state: Mutex<State>,
    settled: Condvar,
}

#[derive(Default)]
struct State {
    requests: u64,
    spent: Tokens,
    /// Of requests under way, in the worst case.
    reserved: Tokens,
    under_way: u64,
    /// Tokens of prompts as estimated and as told, over all requests whose endpoint told.
    estimated_prompts: u64,
    told_prompts: u64,
}

impl Budget {
    /// With nothing spent.
    ///
    /// # Errors
    /// A price or a limit of money is negative or no number, or such a limit has no prices.
    pub fn new(limits: Limits, prices: Option<Prices>) -> Result<Self, CollectError> {
        let [prompt, completion] = [prices.map(|p| p.prompt), prices.map(|p| p.completion)];
        let amounts = [("price_prompt", prompt), ("price_completion", completion), ("max_cost", limits.cost)];
        for (key, amount) in amounts {
            if let Some(amount) = amount.filter(|amount| !(amount.is_finite() && *amount >= 0.0)) {
                return Err(CollectError::setting(key, amount, "it must be 0 or more"));
            }
        }
        if let (Some(cost), None) = (limits.cost, prices) {
            return Err(CollectError::setting("max_cost", cost, "no prices are set to reckon it by"));
        }
        Ok(Self { limits, prices, state: Mutex::default(), settled: Condvar::new() })
    }

    /// What `requests` that take `tokens` together in the worst case would cost, and whether a limit forbids them.
    pub fn estimate(&self, requests: u64, tokens: Tokens) -> Estimate {
        let state = State { requests, spent: tokens, ..State::default() };
        Estimate { requests, tokens, cost: self.cost(tokens), passes: self.passed(&state) }
    }

    /// Money for `tokens`, where prices are set.
    pub fn cost(&self, tokens: Tokens) -> Option<f64> {
        let prices = self.prices?;
        Some((tokens.prompt as f64 * prices.prompt + tokens.completion as f64 * prices.completion) / 1e6)
    }

    /// Tokens spent so far; of requests whose answer was lost on the way, the worst case.
    pub fn spent(&self) -> Tokens {
        self.state().spent
    }

    /// Set aside the `worst` case of one request. Where only requests under way stand against it, wait for them: they take less
    /// than was set aside, as a rule.
    ///
    /// Estimates of prompts are scaled by how they have been wrong so far in this run.
    ///
    /// # Errors
    /// A limit would be passed, or the user interrupted.
    pub(super) fn reserve(
        &self,
        worst: Tokens,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Reservation<'_>, CollectError> {
        let mut state = self.state();
        loop {
            if interrupted() {
                return Err(CollectError::Interrupted);
            }
            let scaled = Tokens { prompt: state.scaled(worst.prompt), ..worst };
            let after = State {
                requests: state.requests + state.under_way + 1,
                spent: state.spent.plus(state.reserved).plus(scaled),
                ..State::default()
            };
            match self.passed(&after) {
                None => {
                    state.reserved = state.reserved.plus(scaled);
                    state.under_way += 1;
                    let estimated = worst.prompt;
                    return Ok(Reservation { budget: self, worst: scaled, estimated, open: true });
                }
                Some(limit) if state.under_way == 0 => return Err(CollectError::Budget(limit)),
                // With a limit of time only so that an interrupt is seen.
                Some(_) => {
                    let waited = self.settled.wait_timeout(state, Duration::from_millis(100));
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    fn passed(&self, after: &State) -> Option<Limit> {
        let (tokens, cost) = (after.spent.all(), self.cost(after.spent));
        if let Some(limit) = self.limits.requests.filter(|limit| after.requests > *limit) {
            return Some(Limit::Requests { limit });
        }
        if let Some(limit) = self.limits.tokens.filter(|limit| tokens > *limit) {
            return Some(Limit::Tokens { limit, needed: tokens });
        }
        let (limit, needed) = (self.limits.cost?, cost?);
        (needed > limit).then_some(Limit::Cost { limit, needed })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Sums are whole at every point where a thread could have died.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// An estimate of a prompt, made larger where the endpoint has told more tokens than estimated so far.
    fn scaled(&self, prompt: u64) -> u64 {
        if self.told_prompts <= self.estimated_prompts || self.estimated_prompts == 0 {
            return prompt;
        }
        (prompt as f64 * self.told_prompts as f64 / self.estimated_prompts as f64).ceil() as u64
    }
}

/// What one try has set aside; given back whole when dropped.
pub(super) struct Reservation<'a> {
    budget: &'a Budget,
    worst: Tokens,
    estimated: u64,
    open: bool,
}

impl Reservation<'_> {
    /// The answer came and took this.
    pub fn settle(mut self, usage: &Usage) {
        let spent = Tokens { prompt: usage.prompt_tokens, completion: usage.completion_tokens };
        let told = (!usage.estimated).then_some(usage.prompt_tokens);
        self.close(Some(spent), told);
    }

    /// The request was sent, but its answer was lost: it counts in full.
    pub fn lose(mut self) {
        self.close(Some(self.worst), None);
    }

    fn close(&mut self, spent: Option<Tokens>, told: Option<u64>) {
        self.open = false;
        let mut state = self.budget.state();
        state.reserved = state.reserved.minus(self.worst);
        state.under_way -= 1;
        if let Some(spent) = spent {
            state.requests += 1;
            state.spent = state.spent.plus(spent);
        }
        if let Some(told) = told {
            state.estimated_prompts += self.estimated;
            state.told_prompts += told;
        }
        drop(state);
        self.budget.settled.notify_all();
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.open {
            self.close(None, None);
        }
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
