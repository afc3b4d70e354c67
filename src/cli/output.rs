//! Results to standard output.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::{Context, Result};

use super::exit::Exit;

/// Write to standard output; a reader that has gone away is no error.
pub fn print(text: &str) -> Result<Exit> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e).context("cannot write to standard output"),
        _ => Ok(Exit::Done),
    }
}

pub fn print_json(value: &serde_json::Value) -> Result<Exit> {
    print(&format!("{value:#}\n"))
}

/// Reasons on one line: the first few, and how many more; `--json` has them all.
pub fn because(reasons: &[impl Display]) -> String {
    const SHOWN: usize = 3;
    let mut shown: Vec<String> = reasons.iter().take(SHOWN).map(ToString::to_string).collect();
    if reasons.len() > SHOWN {
        shown.push(format!("and {} more", reasons.len() - SHOWN));
    }
    shown.join("; ")
}
