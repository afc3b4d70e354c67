//! A head as plain arithmetic on an input row: what every form is written from.
//!
//! Only the label's block is kept; tasks and the numbers behind the label stay with the pipeline.

mod columns;
mod linear;
mod kernel;
mod neighbours;
mod network;
mod kinds;

pub use kernel::Kernel;
pub use kinds::Function;
pub use linear::Linear;
pub use neighbours::Neighbours;
pub use network::Network;
