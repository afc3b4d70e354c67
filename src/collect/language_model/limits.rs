//! What may be spent, and what a limit says when it would be passed.

use std::fmt;

/// What may be spent; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Requests that the endpoint took; those that it turned away (status 429, no connection) are free.
    pub requests: Option<u64>,
    /// Tokens of prompts and answers.
    pub tokens: Option<u64>,
    /// Money, in the currency of the prices.
    pub cost: Option<f64>,
}

/// Prices of a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// Of prompts.
    pub prompt: f64,
    /// Of answers.
    pub completion: f64,
}

/// Numbers of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tokens {
    /// Of prompts.
    pub prompt: u64,
    /// Of answers.
    pub completion: u64,
}

impl Tokens {
    /// Both together.
    pub fn all(self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            prompt: self.prompt.saturating_add(other.prompt),
            completion: self.completion.saturating_add(other.completion),
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            prompt: self.prompt.saturating_sub(other.prompt),
            completion: self.completion.saturating_sub(other.completion),
        }
    }
}

/// A limit that would be passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Of requests.
    Requests {
        /// The limit.
        limit: u64,
    },
    /// Of tokens.
    Tokens {
        /// The limit.
        limit: u64,
        /// What would be spent in the worst case.
        needed: u64,
    },
    /// Of money.
    Cost {
        /// The limit.
        limit: f64,
        /// What would be spent in the worst case.
        needed: f64,
    },
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requests { limit } => write!(f, "the {limit} requests allowed are used"),
            Self::Tokens { limit, needed } => write!(f, "{needed} tokens may be needed, {limit} are allowed"),
            Self::Cost { limit, needed } => write!(f, "{needed:.4} may be spent, {limit:.4} is allowed"),
        }
    }
}
