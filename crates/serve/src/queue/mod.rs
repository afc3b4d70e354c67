//! Rows of all clients on their way to one model: in fair order, in batches of like length, on threads of their own.

mod batch;
mod fair;
mod job;
mod waiting;
mod worker;

pub use batch::BatchLimits;
pub use job::{Done, Failure, Work};
pub use waiting::{Load, Queue, Submission};
pub use worker::{BatchReport, run_once, start_workers};

#[cfg(test)]
pub use worker::tests;
