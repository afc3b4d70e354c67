//! The command line: what was typed, printing, progress, exit codes.

mod ablate;
mod answered_text;
mod answered_typed;
mod written;
mod args;
mod arrow_stream;
mod build;
mod cache;
mod collect;
mod columns;
mod compare;
mod correct;
mod curve;
mod evaluate;
mod exit;
mod explained;
mod export;
mod encoders;
mod few_shot;
mod init;
mod output;
mod predict;
mod priors;
mod program;
mod progress;
mod runs;
mod serve;
mod status;
mod steps;
mod suggest;
mod torch;
mod tune;
mod validate;
mod vectors;

pub use program::{launch_torch, main, main_of};
