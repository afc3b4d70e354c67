//! All that is looked for, the gravest first.

use super::evidence::Evidence;
use super::finding::Finding;
use super::{ills, notes};

/// All findings: ills, then notes, each the gravest first.
pub fn diagnose(e: &Evidence<'_>) -> Vec<Finding> {
    ills::all(e).into_iter().chain(notes::all(e)).collect()
}
