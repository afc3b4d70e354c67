//! A table that nobody has described yet to a first `pipeline.toml`: what each column seems to be, and why.

mod facts;
mod roles;
mod file;

pub use facts::Facts;
pub use file::{Found, LeftOut, about, left_out, proposal};
pub use roles::{Candidates, Column, Role, label_candidates, roles};
