//! What a run has done, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use super::error::{CollectError, Failure};
use super::limits::{Limit, Tokens};
use super::rules::Reason;

/// Numbers of a run.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Counts {
    /// Requests that the endpoint answered in this run.
    pub asked: u64,
    /// Requests answered from what was kept.
    pub from_kept: u64,
    /// Requests that brought no row, by why; also counted above where they were answered.
    pub failed: BTreeMap<Failure, u64>,
    /// Answers that were cut off at `max_tokens`, whether they had whole rows or not.
    pub cut_off: u64,
    /// Answers whose JSON had to be repaired.
    pub repaired: u64,
    /// Answers that came after the wanted rows were there; kept, but not used.
    pub spare: u64,
    /// Kept answers that were damaged and asked anew.
    pub damaged: u64,
    /// Rows that can be used.
    pub valid: u64,
    /// Rows that cannot, by why.
    pub refused: BTreeMap<Reason, u64>,
    /// Tokens that this run took; none for kept answers.
    pub tokens: Tokens,
    /// Whether some of these are estimated.
    pub tokens_estimated: bool,
    /// How long the run took.
    pub seconds: f64,
}

impl Counts {
    /// Tokens of answers a second, over all requests at once; 0 where nothing was asked.
    pub fn tokens_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.tokens.completion as f64 / self.seconds } else { 0.0 }
    }

    /// Rows that cannot be used.
    pub fn refused_rows(&self) -> u64 {
        self.refused.values().sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, what: &str, count: u64| writeln!(f, "{what:<40} {count:>9}");
        line(f, "requests asked", self.asked)?;
        line(f, "requests answered from what was kept", self.from_kept)?;
        for (failure, count) in &self.failed {
            line(f, &format!("requests without a row: {}", failure.name()), *count)?;
        }
        let rare = [
            ("answers cut off at max_tokens", self.cut_off),
            ("answers whose JSON was repaired", self.repaired),
            ("answers not needed any more", self.spare),
            ("kept answers damaged, asked anew", self.damaged),
        ];
        for (what, count) in rare.into_iter().filter(|(_, count)| *count > 0) {
            line(f, what, count)?;
        }
        line(f, "rows valid", self.valid)?;
        for (reason, count) in &self.refused {
            line(f, &format!("rows refused: {}", reason.name()), *count)?;
        }
        let estimated = if self.tokens_estimated { ", partly estimated" } else { "" };
        line(f, &format!("tokens of prompts{estimated}"), self.tokens.prompt)?;
        line(f, &format!("tokens of answers{estimated}"), self.tokens.completion)?;
        writeln!(f, "{:<40} {:>9.1}", "seconds", self.seconds)?;
        write!(f, "{:<40} {:>9.1}", "tokens of answers a second", self.tokens_per_second())
    }
}

/// Why a run ended.
#[derive(Debug)]
pub enum Ended {
    /// The wanted rows are there.
    Wanted,
    /// Every planned request was asked.
    PlanDone,
    /// One more request might pass a limit.
    Budget(Limit),
    /// The user asked to stop.
    Interrupted,
    /// The caller's callback asked to stop.
    ByCaller,
    /// So many answers in a row had no valid row that more are not worth their price.
    NothingUsable {
        /// How many.
        answers: u32,
    },
    /// It cannot go on.
    Failed(CollectError),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wanted => f.write_str("the wanted rows are there"),
            Self::PlanDone => f.write_str("every planned request was asked"),
            Self::Budget(limit) => write!(f, "stopped before a limit would be passed: {limit}"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::ByCaller => f.write_str("stopped by the caller"),
            Self::NothingUsable { answers } => write!(f, "the last {answers} answers had no valid row"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Ended {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Failed(error) => error.hint(),
            Self::Budget(limit) => CollectError::Budget(*limit).hint(),
            Self::NothingUsable { .. } => Some(
                "look at the reasons for which rows were refused: looser limits, a clearer task or a larger model may help"
                    .to_owned(),
            ),
            Self::Interrupted => Some("run again to go on; answers so far are kept".to_owned()),
            Self::Wanted | Self::PlanDone | Self::ByCaller => None,
        }
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Its numbers.
    pub counts: Counts,
    /// Why it ended.
    pub ended: Ended,
}
