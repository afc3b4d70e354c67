//! Predictions to figures, each with its 95 % interval. Slices in, numbers out: no files, no libtorch.

mod agreement;
mod interval;
mod metrics;

pub use agreement::{Agreement, agreement};
pub use interval::{Estimate, wilson};
pub use metrics::{ClassMetrics, Metrics, Predictions, evaluate};
